"""
`patroutectl render` with a real HAProxy: what it makes is accepted without a
warning, for one cluster and for twenty; a change is put in place and served
after a reload; what HAProxy refuses changes nothing.
"""
import os
import pathlib
import shutil
import socket
import subprocess

import pytest

from spoa_haproxy import Member, Rest, own_network
from spoa_lib import folder, startup
from wire_lib import BUILD, SLOW, free_port, wait_until

CTL = BUILD / "prober" / "ctl" / "patroutectl"
HAPROXY = shutil.which("haproxy", path=os.environ["PATH"] + ":/usr/sbin")
PG = startup(user="app", database="app")
N1, N2 = "192.168.34.124", "192.168.34.136"

__all__ = ["folder"]


@pytest.fixture(scope="module", autouse=True)
def namespace():
    own_network()


def cluster(name, members=3, net=1, keys="", rest=""):
    servers = ", ".join(
        f'"{name}-n{i}=10.{net}.0.{i}:5432{rest}"'
        for i in range(1, members + 1))
    return (f'cluster {name} {{ patroni = "http://10.0.0.1:8008"\n'
            f'servers = {{ {servers} }}\n{keys} }}\n')


def listen(name, port, target, of, keys=""):
    return (f"listen {name} {{ port = {port} target = {target} "
            f"cluster = {of}\n{keys} }}\n")


def several(n):
    return "haproxy { maxconn = 20000 }\n" + "".join(
        cluster(f"c{i}", 32 if i == 1 else 3, i)
        + listen(f"w{i}", 5000 + 10 * i, "primary", f"c{i}")
        + listen(f"r{i}", 5001 + 10 * i, "replica", f"c{i}",
                 "least_conn = true")
        + listen(f"x{i}", 5002 + 10 * i, "any", f"c{i}",
                 "startup_options = true")
        + listen(f"s{i}", 5003 + 10 * i, "sync", f"c{i}")
        for i in range(1, n + 1))


ONE = cluster("main") + listen("write", 5432, "primary", "main")
SITES = {
    "one port": ONE,
    "three clusters": several(3),
    "twenty clusters": several(20),
    "long names": cluster("a" * 59, 32) + "".join(
        listen("l" * 61 + f"{i:02}", 5000 + i,
               "primary" if i % 2 else "replica", "a" * 59)
        for i in range(40)),
    "TLS": cluster("main", keys='rest_ca = "PEM" rest_pem = "PEM"')
    + listen("write", 5000, "primary", "main")
    + 'haproxy { stats_cert = "PEM" }\n',
    "the system's authorities": cluster(
        "main", rest=" https://db.example:8009")
    + listen("write", 5000, "primary", "main"),
    "PgBouncer and PROXY": cluster(
        "main", keys="server_port = 6432 send_proxy = true")
    + listen("write", 5000, "primary", "main", 'extra = "accept-proxy"'),
    "addresses": ONE + 'prober { http_address = "::1" }\n'
    'agent { listen = "tcp:127.0.0.1:9100" }\n'
    'haproxy { bind = { "192.168.34.85", "fd00::85", "::1" }\n'
    'stats_bind = "127.0.0.1" }\n',
    "refusing, stock, raw lines": ONE + "haproxy { on_prober_loss = refuse\n"
    'classic_checks = stock extra_global = { "nbthread 2" }\n'
    'extra_frontend = "option socket-stats"\n'
    'extra_defaults = "option tcp-smart-accept"\n'
    'extra = { "backend other", "    timeout connect 1s", '
    '"    timeout server 1s", "    server x 127.0.0.1:1" } }\n',
}


def ctl(conf, *args, **kwargs):
    return subprocess.run([CTL, "-c", conf, "render", *args],
                          capture_output=True, text=True, check=False,
                          timeout=60 * SLOW, **kwargs)


def self_signed(path):
    key = path.with_suffix(".key")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x", "-keyout",
         key, "-out", path], check=True, capture_output=True)
    path.write_text(path.read_text() + key.read_text())


@pytest.mark.parametrize("site", SITES)
def test_a1_accepted_without_a_warning(site, folder):
    pem, conf = folder / "site.pem", folder / "patroute.conf"
    text = SITES[site]
    if "PEM" in text:
        self_signed(pem)
    conf.write_text(text.replace("PEM", str(pem)))
    for which in ("haproxy", "spoe"):
        made = ctl(conf, "--print", which)
        assert (made.returncode, made.stderr) == (0, "")
        (folder / which).write_text(made.stdout)
    done = subprocess.run(
        [HAPROXY, "-c", "-f", folder / "haproxy"], capture_output=True,
        text=True, check=False, env=dict(
            os.environ, PATROUTE_STATS_PASSWORD="x",
            PATROUTE_SPOE=str(folder / "spoe")))
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "WARNING" not in said and "ALERT" not in said, said


class Site:
    """Two members with their Patronis, and HAProxy once its file is there."""

    def __init__(self, folder):
        self.folder, self.haproxy = folder, None
        self.conf, self.file = folder / "patroute.conf", folder / "hap.cfg"
        self.env = folder / "haproxy.env"
        self.env.write_text('# a comment\nPATROUTE_STATS_PASSWORD="a b"\n')
        self.port = free_port()
        self.members = [Member("one", N1), Member("two", N2)]
        self.rests = [Rest(a, 8008, lambda path, a=a: self.patroni(a, path))
                      for a in (N1, N2)]

    @staticmethod
    def patroni(address, path):
        return 200 if (path == "/master") == (address == N1) else 503

    def write(self, haproxy="", more="", cluster="", listen="",
              servers=(("n1", N1), ("n2", N2))):
        names = ", ".join(f'"{n}={a}:5432"' for n, a in servers)
        self.conf.write_text(
            'group = "haproxy"\n'
            f'cluster main {{ patroni = "http://{N1}:8008"\n'
            + (f"servers = {{ {names} }}" if names else "")
            + f"{cluster} }}\n"
            f"listen write {{ port = {self.port} target = primary\n"
            f"{listen} }}\n{more}"
            f'prober {{ http_socket = "{self.folder}/http.sock"\n'
            f'haproxy_socket = "{self.folder}/admin.sock"\n'
            f'haproxy_master_socket = "{self.folder}/master.sock" }}\n'
            f'agent {{ listen = "unix:{self.folder}/agent.sock"\n'
            f'desk_socket = "{self.folder}/desk.sock" }}\n'
            f'haproxy {{ file = "{self.file}" env_file = "{self.env}"\n'
            f'spoe_file = "{self.folder}/spoe.cfg" log = stdout\n'
            f"stats_port = {free_port()}\n{haproxy} }}\n")

    def start(self, who="one", file=None):
        log = open(self.folder / "log", "ab")
        self.haproxy = subprocess.Popen(
            [HAPROXY, "-W", "-db", "-S",
             f"{self.folder}/master.sock,mode,660", "-f",
             file or self.file],
            env=dict(os.environ, PATROUTE_STATS_PASSWORD="x"),
            stdout=log, stderr=log)
        self.served_at(self.port, who)

    def served_at(self, port, who="one"):
        """Alone: a new HAProxy takes each server for up, until it asked."""
        wait_until(lambda: {ask(port) for _ in range(5)} == {who},
                   f"{who} alone answers", 10)

    def pid(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(self.folder / "admin.sock"))
            s.sendall(b"show info\n")
            said = b""
            while data := s.recv(65536):
                said += data
        return said.decode().split("\nPid: ")[1].split("\n")[0]

    def stop(self):
        if self.haproxy is not None:
            self.haproxy.terminate()
            self.haproxy.wait(10)
        for part in self.members + self.rests:
            part.stop()


@pytest.fixture
def site(folder):
    s = Site(folder)
    yield s
    s.stop()


def ask(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as s:
            s.sendall(PG)
            return s.recv(100).decode().strip()
    except OSError:
        return ""


def test_b1_from_nothing_to_a_reload(site):
    site.write()
    # Nobody's password is in what it shows.
    first = ctl(site.conf)
    assert first.returncode == 0, first.stderr
    assert "+backend main_write from patroute_tcp" in first.stdout
    assert "for the first time" in first.stdout
    assert "\x1b" not in first.stdout and "a b" not in first.stdout
    assert site.file.stat().st_mode & 0o777 == 0o644
    again = ctl(site.conf)
    assert (again.returncode, again.stdout) == (0, "nothing to change\n")
    site.start()
    other = free_port()
    old = site.pid()
    site.write(more=f"listen more {{ port = {other} target = primary }}\n")
    before = site.file.read_text()
    dry = ctl(site.conf, "--dry-run")
    assert dry.returncode == 0 and f"+    bind *:{other} name more" in \
        dry.stdout
    assert site.file.read_text() == before and site.pid() == old
    site.file.chmod(0o640)
    os.chown(site.file, 0, 1)
    done = ctl(site.conf)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("in place, and HAProxy has reloaded\n")
    assert site.pid() != old
    assert site.file.stat().st_mode & 0o777 == 0o640
    assert site.file.stat().st_gid == 1
    site.served_at(other)
    site.served_at(site.port)
    left = {p.name for p in site.folder.iterdir()}
    assert not [name for name in left if "." in name[-7:-6]], left


def test_b2_what_haproxy_refuses_changes_nothing(site):
    site.write()
    assert ctl(site.conf).returncode == 0
    site.start()
    before, old = site.file.read_text(), site.pid()
    site.write('extra_global = "no-such-word 1"')
    done = ctl(site.conf)
    assert done.returncode == 1
    assert "unknown keyword 'no-such-word'" in done.stderr
    assert "HAProxy refuses the new files: nothing was done" in done.stderr
    assert site.file.read_text() == before and site.pid() == old
    # Nor does what HAProxy cannot be asked about.
    site.write('extra_global = "nbthread 1"')
    done = ctl(site.conf, "--haproxy", "/nowhere/haproxy")
    assert done.returncode == 1 and "cannot be run" in done.stderr
    site.env.unlink()
    done = ctl(site.conf)
    assert done.returncode == 1
    assert "PATROUTE_STATS_PASSWORD is not set" in done.stderr
    assert site.file.read_text() == before and site.pid() == old
    assert ask(site.port) == "one"


def test_b3_a_change_by_hand_is_not_lost(site):
    site.write()
    assert ctl(site.conf).returncode == 0
    by_hand = site.file.read_text().replace("maxconn 8000", "maxconn 9000")
    site.file.write_text(by_hand)
    site.write('extra_global = "nbthread 1"')
    done = ctl(site.conf)
    assert done.returncode == 1
    assert "was changed by hand" in done.stderr and "extra" in done.stderr
    assert site.file.read_text() == by_hand
    # A file that is not ours at all.
    site.file.write_text("# somebody's\n")
    assert ctl(site.conf).returncode == 1
    done = ctl(site.conf, "--force", "--no-reload", "--json")
    assert done.returncode == 0
    assert '"done":"placed"' in done.stdout and \
        '"by_hand":true' in done.stdout
    assert "nbthread 1" in site.file.read_text()


def test_b4_who_is_only_away_is_kept(site):
    """Without cluster.servers and without a prober: those of the file."""
    site.write()
    assert ctl(site.conf).returncode == 0
    site.write(servers=())
    done = ctl(site.conf)
    assert done.returncode == 0, done.stderr
    assert "kept n1, n2" in done.stdout
    assert f"server n2 {N2}:5432" in site.file.read_text()
    done = ctl(site.conf, "--prune")
    assert done.returncode == 2 and "no member is known" in done.stderr


def test_b5_clusters_apart(site):
    """Two clusters in one HAProxy, without an agent: of one the prober has no
    usable verdict, and only that one's ports go the third way."""
    usable = {"main": 200, "other": 200}

    def check(path):
        _, kind, name, *server = path.split("/")
        if kind == "healthz":
            return usable[name]
        # By the prober's word "two" leads, by Patroni's "one" does.
        if name.split("_")[1] != "write":
            return 404
        return 200 if server[0] == "n2" else 404

    checks = Rest("127.0.0.1", 7100, check)
    try:
        other = free_port()
        site.write(more=f"listen more {{ port = {other} cluster = other "
                   "target = primary }\n"
                   f'cluster other {{ patroni = "http://{N1}:8008"\n'
                   f'servers = {{ "n1={N1}:5432", "n2={N2}:5432" }} }}\n',
                   listen="cluster = main")
        assert ctl(site.conf).returncode == 0
        site.start("two")
        site.served_at(other, "two")
        usable["other"] = 503
        site.served_at(other, "one")
        assert {ask(site.port) for _ in range(20)} == {"two"}
        usable["other"] = 200
        site.served_at(other, "two")
    finally:
        checks.stop()


class Proxied(Member):
    """Says its name only behind a PROXY header, version 2."""

    first = b"\r\n\r\n\0\r\nQUIT\n"


def test_b6_proxy_protocol_and_a_pooler(site):
    for m in site.members:
        m.stop()
    site.members = [Proxied("one", N1, 6432), Proxied("two", N2, 6432)]
    site.write(cluster="server_port = 6432 send_proxy = true")
    assert ctl(site.conf).returncode == 0
    site.start()
    assert {ask(site.port) for _ in range(5)} == {"one"}


def test_b7_a_link_stays_a_link(site):
    real = pathlib.Path(f"{site.file}.real")
    site.write()
    assert ctl(site.conf).returncode == 0
    site.file.rename(real)
    site.file.symlink_to(real)
    site.write('extra_global = "nbthread 1"')
    assert ctl(site.conf, "--no-reload").returncode == 0
    assert site.file.is_symlink() and "nbthread 1" in real.read_text()


def test_b8_a_reload_that_did_not_come_is_made_up_for(site):
    site.write()
    assert ctl(site.conf).returncode == 0
    site.start()
    old = site.pid()
    site.write('extra_global = "nbthread 1"')
    conf = site.conf.read_text()
    site.conf.write_text(conf.replace("master.sock", "nowhere.sock"))
    done = ctl(site.conf)
    assert done.returncode == 1 and "not reloaded" in done.stderr
    assert "nbthread 1" in site.file.read_text() and site.pid() == old
    # The file is the new one by now; that HAProxy is not counts as well.
    assert ctl(site.conf).returncode == 1
    site.conf.write_text(conf)
    dry = ctl(site.conf, "--dry-run")
    assert dry.returncode == 0 and "has not read them yet" in dry.stdout
    assert site.pid() == old
    for prepare in ((), ("--no-reload",)):
        if prepare:
            site.write('extra_global = "nbthread 2"')
            assert ctl(site.conf, *prepare).returncode == 0
            assert site.pid() == old
        done = ctl(site.conf)
        assert (done.returncode, done.stdout) == (
            0, "in place, and HAProxy has reloaded\n")
        assert site.pid() != old
        old = site.pid()
        done = ctl(site.conf)
        assert done.stdout == "nothing to change\n" and site.pid() == old


def test_b9_a_haproxy_of_another_file_does_not_count(site):
    other = site.folder / "other.cfg"
    site.write()
    assert ctl(site.conf).returncode == 0
    shutil.copy(site.file, other)
    site.start(file=other)
    old = site.pid()
    site.write('extra_global = "nbthread 1"')
    done = ctl(site.conf)
    assert done.returncode == 1 and "serves from another file" in done.stderr
    assert site.pid() == old
