"""
What the wire tests of patroute-prober share: the program itself, a real etcd,
a real HAProxy, scripted Patroni REST servers, and an agent's end of the feed.
"""
import base64
import contextlib
import csv
import http.client
import http.server
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import threading
import time
import urllib.request

import pytest

from wire_lib import (BUILD, COMPLAINTS, GROUP, SLOW, USER, VALGRIND, folder,
                      free_port, unstalled, wait_until)

__all__ = ["folder", "unstalled"]

PROBER = BUILD / "prober" / "patroute-prober"


class Prober:
    """The program with a configuration of its own, in a folder of its own."""

    def __init__(self, folder, etcd_port=1, extra="", **prober):
        self.folder = pathlib.Path(folder)
        self.port = free_port()
        self.feed = self.folder / "run" / "feed.sock"
        self.conf = self.folder / "patroute.conf"
        self.log = self.folder / "prober.log"
        self.process = None
        keys = {"feed_socket": self.feed,
                "http_socket": self.folder / "run" / "http.sock",
                "http_port": self.port,
                "state_dir": self.folder / "state",
                "haproxy_socket": self.folder / "admin.sock",
                "haproxy_master_socket": self.folder / "master.sock"}
        keys.update(prober)
        self.write(etcd_port, extra, keys)

    @staticmethod
    def written(value):
        if isinstance(value, list):
            return "{" + ", ".join(f'"{v}"' for v in value) + "}"
        return value if isinstance(value, int) else f'"{value}"'

    def write(self, etcd_port, extra, keys):
        lines = "\n".join(f"\t{k} = {self.written(v)}"
                          for k, v in keys.items())
        self.keys = keys
        self.conf.write_text(
            f'user = "{USER}"\ngroup = "{GROUP}"\n'
            f'cluster main {{\n\tetcd = {{"http://127.0.0.1:{etcd_port}"}}\n'
            f'{extra}}}\n'
            'listen write {\n\tport = 5000\n\ttarget = primary\n}\n'
            f'prober {{\n{lines}\n}}\n')

    def start(self):
        before = self.text().count("ready version=")
        self.process = subprocess.Popen(
            [*VALGRIND, str(PROBER), "-c", str(self.conf)],
            stdin=subprocess.DEVNULL, stderr=open(self.log, "ab"))
        wait_until(lambda: self.text().count("ready version=") > before,
                   "ready")
        return self

    def text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def stop(self, sig=signal.SIGTERM):
        """Stops it; fails where it complained, hung or left with an error."""
        began = time.monotonic()
        self.process.send_signal(sig)
        try:
            rc = self.process.wait(2 * SLOW)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"still there after 2 s:\n{self.text()}")
        took = time.monotonic() - began
        self.process = None
        assert rc == 0, f"exit {rc}:\n{self.text()}"
        for word in COMPLAINTS:
            assert word not in self.text(), self.text()
        return took

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        print(self.text()[-4000:])  # pytest shows it where the test failed
        if self.process is None:
            return
        if kind is None:
            self.stop()
        else:
            self.process.kill()
            self.process.wait()

    def get(self, path, method="GET"):
        c = http.client.HTTPConnection("127.0.0.1", self.port,
                                       timeout=5 * SLOW)
        with contextlib.closing(c):
            c.request(method, path)
            r = c.getresponse()
            return r.status, r.read()

    def topology(self):
        status, body = self.get("/topology")
        assert status == 200
        return json.loads(body)

    def cluster(self):
        return self.topology()["clusters"][0]

    def fds(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


class Etcd:
    """One real etcd member."""

    def __init__(self, folder):
        self.port, peer = free_port(), free_port()
        url, peers = (f"http://127.0.0.1:{p}" for p in (self.port, peer))
        self.process = subprocess.Popen(
            ["etcd", "--data-dir", str(folder), "--listen-client-urls", url,
             "--advertise-client-urls", url, "--listen-peer-urls", peers,
             "--initial-advertise-peer-urls", peers,
             "--initial-cluster", f"default={peers}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.is_up, "etcd", 20)

    def is_up(self):
        with contextlib.suppress(OSError):
            self.call("kv/range", {"key": self.b64("x")})
            return True
        return False

    @staticmethod
    def b64(text):
        return base64.b64encode(text.encode()).decode()

    def call(self, what, body):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/v3/{what}",
            json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=2) as r:
            return json.load(r)

    def put(self, key, value, scope="main"):
        self.call("kv/put", {"key": self.b64(f"/service/{scope}/{key}"),
                             "value": self.b64(value)})

    def delete(self, key):
        self.call("kv/deleterange",
                  {"key": self.b64(f"/service/main/{key}")})

    def stop(self):
        self.process.kill()
        self.process.wait()


class Member:
    """A scripted Patroni REST server, and a port that echoes bytes."""

    def __init__(self, name):
        self.name, self.role, self.timeline = name, "replica", 1
        self.state, self.tags, self.lsn = "running", {}, 5000
        member = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                member.answer(self)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.api_port = self.http.server_address[1]
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def answer(self, handler):
        primary = self.role == "master"
        body = {"state": self.state, "role": self.role,
                "server_version": 150000, "timeline": self.timeline,
                "database_system_identifier": "7000000000000000001",
                "patroni": {"version": "3.0.2", "scope": "main"}}
        if self.tags:
            body["tags"] = self.tags
        body["xlog"] = {"location": self.lsn} if primary else {
            "received_location": self.lsn, "replayed_location": self.lsn,
            "replayed_timestamp": None, "paused": False}
        data = json.dumps(body).encode()
        good = handler.path != "/primary" or primary
        handler.send_response(200 if good else 503)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                s, _ = self.listener.accept()
                threading.Thread(target=self.echo, args=(s,),
                                 daemon=True).start()

    def echo(self, s):
        with s, contextlib.suppress(OSError):
            s.sendall(self.name.encode() + b"\n")
            while data := s.recv(100):
                s.sendall(data)

    def key(self):
        return json.dumps({
            "conn_url": f"postgres://127.0.0.1:{self.port}/postgres",
            "api_url": f"http://127.0.0.1:{self.api_port}/patroni",
            "state": self.state, "role": self.role, "version": "3.0.2",
            "timeline": self.timeline, "xlog_location": 5000,
            "tags": self.tags})

    def stop(self):
        self.http.shutdown()
        self.http.server_close()
        self.listener.close()


class Cluster:
    """Three scripted members and their keys in a real etcd."""

    def __init__(self, folder):
        self.etcd = Etcd(folder)
        self.member = {n: Member(n) for n in ("node1", "node2", "node3")}
        self.etcd.put("initialize", "7000000000000000001")
        self.etcd.put("config", json.dumps({"ttl": 30}))
        for m in self.member.values():
            self.etcd.put(f"members/{m.name}", m.key())

    def lead(self, name):
        """A switchover: the key moves, the roles follow at once."""
        line = max(m.timeline for m in self.member.values()) + 1
        for m in self.member.values():
            m.role = "master" if m.name == name else "replica"
            m.timeline = line
        self.etcd.put("leader", name)

    def reset(self):
        """As new, node1 leads; etcd's history grows on."""
        for m in self.member.values():
            m.tags, m.state, m.lsn = {}, "running", 5000
        self.lead("node1")
        for m in self.member.values():
            self.etcd.put(f"members/{m.name}", m.key())

    def flip(self, name):
        """Something that changes each snapshot: fit for reads, and not."""
        m = self.member[name]
        m.tags = {} if m.tags else {"noloadbalance": True}
        self.etcd.put(f"members/{name}", m.key())

    def stop(self):
        for m in self.member.values():
            m.stop()
        self.etcd.stop()


@pytest.fixture(scope="module")
def shared_cluster(tmp_path_factory):
    c = Cluster(tmp_path_factory.mktemp("etcd"))
    yield c
    c.stop()


@pytest.fixture
def cluster(shared_cluster):
    shared_cluster.reset()
    return shared_cluster


@pytest.fixture
def own_cluster(tmp_path):
    """One that a test may break."""
    c = Cluster(tmp_path / "etcd")
    c.lead("node1")
    yield c
    c.stop()


class Agent:
    """An agent's end of the feed, one message at a time."""

    HELLO, SNAPSHOT, SEEN, PING, ECHO, WANT, STATS = range(1, 8)
    STALE = 0xFFFFFFFF

    def __init__(self, path, greet=True, boot_id=77):
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.s.settimeout(5 * SLOW)
        self.s.connect(str(path))
        self.boot_id = 0
        if greet:
            self.send(self.HELLO,
                      struct.pack(">Q", boot_id) + self.text("wire"))

    @staticmethod
    def text(s):
        return bytes([len(s)]) + s.encode()

    def send(self, kind, body, version=2):
        self.s.send(bytes([version, kind]) + body)

    def ping(self, nonce):
        self.send(self.PING, struct.pack(">Q", nonce))

    def seen(self, snapshot):
        self.send(self.SEEN, struct.pack(">QQ", snapshot["boot_id"],
                                         snapshot["seq"]) + self.text("main"))

    def stats(self, *counters):
        numbers = list(counters) + [0] * (42 - len(counters))
        self.send(self.STATS, struct.pack(">42Q4I", *numbers, 0, 0, 0, 0))

    def observed(self, all_of_them, later=b"", **by_cluster):
        """STATS with six numbers of what was observed, and six of each
        cluster; without any as agents of an earlier version say it.
        `later` are counters that only a later version knows."""
        body = struct.pack(">42Q4I4Q6QQ", *[0] * 50, *all_of_them, 0)
        if by_cluster:
            body += struct.pack(">H", len(later)) + later
            body += struct.pack(">H", len(by_cluster))
        for name, numbers in by_cluster.items():
            body += self.text(name) + struct.pack(">6Q", *numbers)
        self.send(self.STATS, body)

    def next(self):
        """(kind, body), or (0, b"") once the prober has closed."""
        try:
            data = self.s.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            return 0, b""
        assert data[0] == 2
        return data[1], data[2:]

    def until(self, kind):
        """Skips messages up to one of `kind`; gives its content."""
        while True:
            got, body = self.next()
            assert got, "the prober closed the connection"
            if got == kind:
                return self.decode(got, body)

    def decode(self, kind, body):
        if kind == self.ECHO:
            nonce, n = struct.unpack_from(">QH", body)
            return nonce, struct.unpack_from(f">{n}I", body, 10)
        if kind == self.SNAPSHOT:
            return Snapshot(body).value
        return body

    def snapshot_where(self, question, seconds=5.0):
        """The first snapshot that `question` likes; each one is SEEN."""
        end = time.monotonic() + seconds * SLOW
        while time.monotonic() < end:
            s = self.until(self.SNAPSHOT)
            self.seen(s)
            if question(s):
                return s
        raise AssertionError("no such snapshot")

    def close(self):
        self.s.close()


class Snapshot:
    """snapshot.h's encoding, read field by field."""

    def __init__(self, body):
        self.left = body
        version, boot_id, seq = self.take(">BQQ")
        assert version == 2
        v = {"boot_id": boot_id, "seq": seq, "cluster": self.string()}
        (v["write"], v["why"], v["fallback"], v["planned"], v["transition"],
         v["observe"], v["since_ms"], n) = self.take(">bBBBBBIB")
        v["m"] = [self.one_member() for _ in range(n)]
        assert self.left == b""
        v["target"] = v["m"][v["write"]]["name"] if v["write"] >= 0 else None
        self.value = v

    def take(self, fmt):
        size = struct.calcsize(fmt)
        out = struct.unpack(fmt, self.left[:size])
        self.left = self.left[size:]
        return out

    def string(self):
        (n,) = self.take(">B")
        out, self.left = self.left[:n], self.left[n:]
        return out.decode()

    def one_member(self):
        m = {"name": self.string(), "server": self.string(),
             "addr": self.string()}
        (m["role"], m["flags"], m["why"], m["port"], m["weight"], m["tli"],
         m["lag_ms"], m["lag_bytes"], m["lsn"]) = self.take(">BBBHHIIQQ")
        return m


HAPROXY_CFG = """
global
    stats socket {folder}/admin.sock mode 666 level admin
    maxconn 400
defaults
    mode tcp
    no option redispatch
    timeout connect 2s
    timeout client 1h
    timeout server 1h
    timeout check 500ms
frontend write
    bind 127.0.0.1:{write}
    default_backend main_write
frontend fallback
    bind 127.0.0.1:{fallback}
    default_backend main_fallback
frontend classic
    bind 127.0.0.1:{classic}
    default_backend main_classic_write
frontend read
    bind 127.0.0.1:{read}
    default_backend main_read
backend main_write
    {check}
    {servers}
backend main_read
    balance roundrobin
    {check}
    {servers}
backend main_fallback
    {check}
    {servers}
backend main_classic_write
    {servers}
"""
CHECK = """option httpchk
    http-check send meth GET uri-lf "/check/%[be_name]/%[srv_name]/pid-%pid"
    http-check expect rstatus ^(200|404|503)$
    http-check set-var(check.why) res.hdr(patroute-why)
    http-check expect rstatus ^(200|404)$ on-error "%[var(check.why)]"
    http-check expect status 200 error-status L7OKC on-success "%[var(check.why)]" on-error "%[var(check.why)]"
    default-server check addr 127.0.0.1 port {port} inter {inter} \
fastinter 500ms downinter 200ms rise 1 fall 3"""


class HAProxy:
    """A real HAProxy in master-worker mode."""

    def __init__(self, folder, prober, cluster, inter="1s"):
        self.folder = pathlib.Path(folder)
        self.port = {k: free_port() for k in (
            "write", "read", "fallback", "classic")}
        servers = "\n    ".join(f"server {m.name} 127.0.0.1:{m.port}"
                                for m in cluster.member.values())
        (self.folder / "haproxy.cfg").write_text(HAPROXY_CFG.format(
            folder=folder, servers=servers, **self.port,
            check=CHECK.format(port=prober.port, inter=inter)))
        self.log = open(self.folder / "haproxy.log", "ab")
        self.process = subprocess.Popen(
            ["haproxy", "-W", "-db", "-f", "haproxy.cfg", "-p", "haproxy.pid",
             "-S", f"{folder}/master.sock,mode,666"], cwd=self.folder,
            stdout=self.log, stderr=self.log)
        wait_until(self.is_up, "haproxy")

    def is_up(self):
        with contextlib.suppress(OSError):
            # A master that is not ready yet loses the signal to reload.
            return "Pid:" in self.cli("show info") and \
                self.reloads() is not None
        return False

    def cli(self, command, socket_name="admin.sock"):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(str(self.folder / socket_name))
            s.sendall(command.encode() + b"\n")
            s.shutdown(socket.SHUT_WR)  # the master waits for it
            out = b""
            while data := s.recv(65536):
                out += data
            return out.decode()

    def states(self, backend):
        """{server: status} as the stats page shows it."""
        lines = self.cli(f"show stat {backend} 4 -1").strip().splitlines()
        return {f[1]: f[17] for f in (x.split(",") for x in lines[1:])}

    def last_checks(self, backend):
        """{server: what its last check said}."""
        lines = self.cli(f"show stat {backend} 4 -1").strip().splitlines()
        at = lines[0].split(",").index("last_chk")
        return {f[1]: f[at] for f in csv.reader(lines[1:])}

    def pid(self):
        for line in self.cli("show info").splitlines():
            if line.startswith("Pid:"):
                return int(line.split()[1])
        raise AssertionError("no pid")

    def reloads(self):
        """How often the master says that it was reloaded, None: not ready."""
        with contextlib.suppress(OSError):
            for line in self.cli("show proc", "master.sock").splitlines():
                if line.split()[1:2] == ["master"]:
                    return int(line.split()[2])
        return None

    def old_pids(self):
        text = self.cli("show proc", "master.sock")
        old = text.partition("# old workers\n")[2].splitlines()
        return [int(x.split()[0]) for x in old if x.split()[1:2] == ["worker"]]

    def reload(self):
        before, pid = self.reloads(), self.pid()
        self.process.send_signal(signal.SIGUSR2)

        def is_new():
            with contextlib.suppress(OSError, AssertionError):
                return self.pid() != pid and self.reloads() == before + 1
            return False

        wait_until(is_new, "reloaded", 10)

    def session(self, port):
        """An open session and the name of the member that it reached."""
        s = socket.create_connection(("127.0.0.1", self.port[port]), 5)
        name = s.makefile("rb").readline().decode().strip()
        return s, name

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


def is_open(s):
    s.settimeout(2)
    try:
        s.sendall(b"x")
        return s.recv(1) == b"x"
    except OSError:
        return False


def closed_after(s, seconds):
    """Seconds until the peer closed `s`, None if it did not in time."""
    began = time.monotonic()
    s.settimeout(seconds * SLOW)
    try:
        while s.recv(100):
            pass
    except socket.timeout:
        return None
    except OSError:
        pass
    return time.monotonic() - began
