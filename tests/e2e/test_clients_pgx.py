"""pgx 4 with its default settings, and a context's deadline. By hand: it needs
golang-github-jackc-pgx-v4-dev and Go, which are dear to install."""

import os
import subprocess

import pytest
from patroute_lab import config, hosts

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Pgx.go")
OPTION = "options=-c%20patroute.target%3Dprimary"
NAME = "application_name=app/read_primary"
LATE = "timeout: context deadline exceeded|ended"


@pytest.fixture
def pgx(tmp_path):
    """The program, built of Debian's sources: nothing is fetched."""
    program = str(tmp_path / "pgx")
    subprocess.run(["go", "build", "-o", program, SOURCE], check=True,
                   timeout=200, env={
                       **os.environ, "GO111MODULE": "off", "GOFLAGS": "",
                       "GOPATH": "/usr/share/gocode", "GOPROXY": "off",
                       "CGO_ENABLED": "0", "GOCACHE": str(tmp_path / "go")})
    return program


def test_pgx(lab, pgx):
    """Refused TLS it comes again without, on a connection of its own, whose
    options are read; a deadline's cancel finds its replica."""
    leader = f"{lab.host(lab.leader()).address}|false"
    plain = "sslmode=disable"
    expected = [
        ("5000", leader, "|"),
        ("5001", None, "|"),
        (f"5001?{plain}", None, "|"),
        (f"5001?{plain}", None, "|"),
        ("5002", None, "|"),
        (f"5002?{OPTION}", leader, "primary|"),
        (f"5002?{plain}&{OPTION}", leader, "primary|"),
        (f"5002?{NAME}", leader, "|app/read_primary"),
        (f"5002?{plain}&{NAME}", leader, "|app/read_primary"),
        ("5000?replication=database", leader, "|"),
        ("5001?replication=database", None, "|"),
    ]
    urls = [f"postgres://{config.SUPERUSER}@{hosts.VIP}:{where}"
            for where, *_ in expected]
    done = lab.exec(hosts.CLIENT, ["env", f"PGPASSWORD={config.PASSWORD}",
                                   pgx, *urls], timeout=200)
    lines = done.stdout.splitlines()
    assert len(lines) == len(expected), done.stdout + done.stderr
    replicas = []
    for line, (where, who, said) in zip(lines, expected):
        address, recovery, rest = line.split("|", 2)
        assert rest == f"{said}|{LATE}", (where, line)
        if who:
            assert f"{address}|{recovery}" == who, (where, line)
        else:
            assert recovery == "true", (where, line)
            replicas.append(address)
    assert replicas[1] != replicas[2]          # in turn, where asked once
