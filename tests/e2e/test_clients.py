"""What real clients send with their default settings, and what they get:
psql, psycopg 3, replication, PgBouncer in front, cancel requests, HTTP."""

import contextlib
import os
import re
import socket

import psycopg
import pytest
from hello import client_hello, send_in_two
from patroute_lab import config, hosts

WHO = "SELECT host(inet_server_addr()), pg_is_in_recovery()"
# Interrupted after that many seconds: time to connect on a busy machine.
BUSY_S = 4


@pytest.fixture
def leader(lab):
    """The leader's address."""
    return lab.host(lab.leader()).address


def psql(lab, port, sql, conninfo="", host=hosts.VIP, interrupt=None):
    """(exit code, output, errors) of psql with its default settings."""
    argv = ["psql", "-XAtq", f"host={host} port={port} user=postgres "
            f"dbname=postgres {conninfo}", "-c", sql]
    if interrupt:
        argv = ["timeout", "-s", "INT", str(interrupt), *argv]
    done = lab.exec(hosts.CLIENT, ["env", f"PGPASSWORD={config.PASSWORD}",
                                   *argv], check=False)
    return done.returncode, done.stdout.strip(), done.stderr


def test_psql(lab, leader):
    """libpq's default sslmode asks for TLS first: the port's own target."""
    assert psql(lab, 5000, WHO)[1] == f"{leader}|f"
    assert psql(lab, 5001, WHO)[1].endswith("|t")
    option = "options='-c patroute.target=primary'"
    assert psql(lab, 5002, WHO, option)[1].endswith("|t")
    assert psql(lab, 5002, WHO, option + " sslmode=disable")[1] == \
        f"{leader}|f"
    assert psql(lab, 5002, "SHOW patroute.target",
                option + " sslmode=disable")[1] == "primary"
    assert psql(lab, 5002, WHO, "application_name=x/read_primary "
                "sslmode=disable")[1] == f"{leader}|f"


def test_psycopg3(lab, leader):
    """Default settings; and a cancel request by its own call."""
    def ask(port, **more):
        with lab.inside(hosts.CLIENT), psycopg.connect(
                host=hosts.VIP, port=port, user=config.SUPERUSER,
                password=config.PASSWORD, dbname="postgres",
                **more) as connection:
            return connection.execute(WHO).fetchone()

    assert ask(5000) == (leader, False)
    assert ask(5001)[1] is True
    assert ask(5002, options="-c patroute.target=primary",
               sslmode="disable") == (leader, False)


@pytest.mark.parametrize("kind", ["true", "database"])
def test_replication(lab, kind, leader):
    """replication=true|database: the leader on 5000, a replica on 5001."""
    for ssl in ("prefer", "disable"):
        more = f"replication={kind} sslmode={ssl}"
        if kind == "true":       # whom the lab's pg_hba.conf lets in
            more += f" user={config.REPLICATOR}"
        rc, out, errors = psql(lab, 5000, "IDENTIFY_SYSTEM", more)
        assert rc == 0 and out.count("|") == 3, errors
        assert psql(lab, 5001, "IDENTIFY_SYSTEM", more)[0] == 0
    if kind == "database":
        assert psql(lab, 5000, WHO, more)[1] == f"{leader}|f"
        assert psql(lab, 5001, WHO, more)[1].endswith("|t")


def test_interrupt(lab):
    """Ctrl-C in psql on 5001, on whichever replica: as many as there are."""
    one = (f"PGPASSWORD={config.PASSWORD} timeout -s INT {BUSY_S} psql -XAtq "
           f"'host={hosts.VIP} port=5001 user=postgres dbname=postgres' "
           "-c 'SELECT pg_sleep(60)'")
    done = lab.exec(hosts.CLIENT, ["sh", "-c", f"{one} & {one} & wait"])
    said = (done.stdout + done.stderr).count(
        "canceling statement due to user request")
    assert said == 2, done.stdout + done.stderr


def test_http(lab):
    """A plain GET on 5002 is told the server that it would get."""
    done = lab.exec(hosts.CLIENT, ["curl", "-sS", "--max-time", "5",
                                   f"http://{hosts.VIP}:5002/read_primary"])
    assert f'"server":"{lab.leader()}"' in done.stdout


def routed(lab, wait_until, port, first, send=socket.socket.sendall):
    """(listener, backend, server), as HAProxy's log has them, of a connection
    that begins with these bytes; the server need not understand them."""
    log = lab.machine(lab.vip()).log_file("haproxy")
    begin = os.path.getsize(log)    # its port may be one that served before
    with lab.inside(hosts.CLIENT), \
            socket.create_connection((hosts.VIP, port), 5) as s:
        mine = f"{lab.host(hosts.CLIENT).address}:{s.getsockname()[1]}"
        s.settimeout(10)
        send(s, first)
        s.recv(1)
    line = re.compile(rf"{re.escape(mine)} \[[^]]*\] (\S+) (\S+)/(\S+) ")

    def since():
        with open(log, encoding="utf-8") as file:
            file.seek(begin)
            return file.read()

    return wait_until("HAProxy's line", 10,
                      lambda: line.search(since())).groups()


@pytest.mark.parametrize("send", [socket.socket.sendall, send_in_two])
def test_direct_tls_name(lab, leader, wait_until, send):
    """A ClientHello's server name routes on 5002, and on no other port; in two
    segments as in one. (PostgreSQL before 17 closes then: test_direct_tls.)"""
    write = lab.leader()

    def goes(port, name):
        return routed(lab, wait_until, port, client_hello(name), send)

    for _ in range(4):                  # each replica's turn
        assert goes(5002, "primary.main.example") == \
            ("mixed", "main_write", write)
        for port, name, listener in ((5002, "replica.main.example", "mixed"),
                                     (5002, "main.example", "mixed"),
                                     (5001, "primary.main.example", "read")):
            found = goes(port, name)
            assert found[:2] == (listener, "main_read") and found[2] != write
        assert goes(5000, "replica.main.example") == \
            ("write", "main_write", write)


@contextlib.contextmanager
def pgbouncer(lab, port):
    """PgBouncer on the client's host, 6432, in front of that port."""
    ini = "/run/pgbouncer-test.ini"
    text = (f"[databases]\n* = host={hosts.VIP} port={port} user=postgres "
            f"password={config.PASSWORD}\n[pgbouncer]\nlisten_port = 6432\n"
            "listen_addr = 127.0.0.1\nunix_socket_dir =\nauth_type = any\n"
            "pidfile = /run/pgbouncer-test/pid\n"
            "logfile = /run/pgbouncer-test/log\n")
    lab.exec(hosts.CLIENT, [
        "sh", "-c", 'printf %s "$0" >"$1"; mkdir -p /run/pgbouncer-test; '
        "chown nobody /run/pgbouncer-test; "
        'pgbouncer -q -d -u nobody "$1"', text, ini])
    try:
        yield
    finally:
        lab.exec(hosts.CLIENT, [
            "sh", "-c", "kill \"$(cat /run/pgbouncer-test/pid)\"; "
            "for i in 1 2 3 4 5 6 7 8 9; do "
            "[ -e /run/pgbouncer-test/pid ] || break; sleep 0.2; done; "
            f"rm -rf /run/pgbouncer-test {ini}"])


def test_pgbouncer(lab, leader):
    """It asks in its own name: the port decides; its cancels are passed on."""
    with pgbouncer(lab, 5000):
        assert psql(lab, 6432, WHO, host="127.0.0.1")[1] == f"{leader}|f"
    with pgbouncer(lab, 5002):
        assert psql(lab, 6432, WHO, host="127.0.0.1")[1].endswith("|t")
        rc, _, errors = psql(lab, 6432, WHO, "options='-c patroute.target="
                             "primary'", host="127.0.0.1")
        assert rc != 0 and "unsupported startup parameter" in errors
        errors = psql(lab, 6432, "SELECT pg_sleep(60)", host="127.0.0.1",
                      interrupt=BUSY_S)[2]
        assert "canceling statement due to user request" in errors
