"""
The agent behind a real HAProxy with the shipped files, in a network namespace
of its own: stub members on the files' addresses, a scripted prober, a scripted
Patroni. Each way, and each fault of the agent while connections come.
"""
import base64
import ctypes
import http.client
import http.server
import os
import pathlib
import signal
import socket
import socketserver
import struct
import subprocess
import threading
import time

import pytest

from spoa_lib import (Agent, Prober, SLOW, SSL_REQUEST, folder, leader,
                      member, startup, wait_until)

TOP = pathlib.Path(__file__).resolve().parents[2]
MEMBERS = {"dc1-psql-node1": "192.168.34.124",
           "dc1-psql-node2": "192.168.34.136",
           "dc1-psql-node3": "192.168.34.113"}
N1, N2, N3 = MEMBERS
CLONE_NEWNET = 0x40000000
# What waits for a dead agent waits 100 ms. Other programs share the machine,
# so what is asserted here is that nothing hangs; the lab's tests measure.
QUICK = 0.5 * SLOW
PG = startup(user="app", database="app")

__all__ = ["folder"]


def own_network():
    """This process, and all that it starts, on a network of its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare: root is needed")
    for command in ["link set lo up"] + [f"addr add {a}/32 dev lo"
                                         for a in MEMBERS.values()]:
        subprocess.run(["ip", *command.split()], check=True)


@pytest.fixture(scope="module", autouse=True)
def namespace():
    own_network()


class Member:
    """Says its name once something came; keeps the cancel requests.
    With `first`, only behind a PROXY header that begins so."""

    first = b""

    def __init__(self, name, address, port=5432):
        self.name, self.cancels = name, []
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                if outer.first and not self.proxied():
                    return
                data = self.request.recv(65536)
                if data[4:8] == struct.pack(">I", 80877102):
                    outer.cancels.append(data)
                    return
                if not data:
                    return
                self.request.sendall(outer.name.encode() + b"\n")
                while data := self.request.recv(65536):
                    self.request.sendall(data)

            def proxied(self):
                """Reads a PROXY header and nothing behind it, which may
                come in the same segment or in the next."""
                head = self.request.recv(16, socket.MSG_WAITALL)
                if len(head) < 16 or not head.startswith(outer.first):
                    return False
                rest, = struct.unpack(">H", head[14:])
                return len(self.request.recv(
                    rest, socket.MSG_WAITALL)) == rest

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            request_queue_size = 512

        self.server = Server((address, port), Handler)
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Rest:
    """What the prober's checks and Patroni answer, by path."""

    def __init__(self, address, port, answer):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(answer(self.path))
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_OPTIONS = do_GET

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((address, port), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Site:
    """Three members, a prober of sorts, the agent, HAProxy."""

    haproxy_command = ["haproxy"]
    log_name = "haproxy.log"
    make_member = Member

    def __init__(self, folder):
        self.folder, self.leads = folder, N1
        self.checked = threading.Event()    # the servers', as they come
        self.checked.set()
        self.usable = True                  # the prober's verdict
        self.agent = Agent(folder, hold_timeout="1500ms")
        self.agent.group = "haproxy"
        self.agent.write()
        self.prober = Prober(self.agent.feed)
        self.checks = Rest("127.0.0.1", 7100, self.check)
        self.members = {n: self.make_member(n, a)
                        for n, a in MEMBERS.items()}
        self.rests = [Rest(a, 8008, lambda path, n=n: self.patroni(n, path))
                      for n, a in MEMBERS.items()]
        self.haproxy = self.log = None

    def check(self, path):
        if path.startswith(("/healthz", "/topology")):
            return 200 if self.usable else 503
        self.checked.wait(10)
        _, _, backend, server, _ = path.split("/")
        lead = server == self.leads
        return 200 if lead == backend.endswith("_write") else 404

    def patroni(self, name, path):
        if path == "/health":
            return 200
        lead = path in ("/master", "/primary")
        return 200 if lead == (name == self.leads) else 503

    def tell(self, leads=N1, planned=0):
        self.leads = leads
        rows = [leader(n, addr=a) if n == leads else member(n, addr=a)
                for n, a in MEMBERS.items()]
        seq = self.prober.tell(rows, list(MEMBERS).index(leads),
                               planned=planned)
        if self.agent.process is not None:
            self.prober.told(seq)

    def tell_nobody(self):
        leads, self.leads = self.leads, None
        rows = [member(n, addr=a, flags=4 if n == leads else 5)
                for n, a in MEMBERS.items()]
        self.prober.told(self.prober.tell(rows, since_ms=3000))

    def text_of(self, name):
        text = (TOP / "haproxy" / name).read_text()
        return (text.replace("/run/patroute/", f"{self.folder}/")
                .replace("/run/haproxy/", f"{self.folder}/"))

    def write_cfg(self):
        for name in ("patroute.cfg", "patroute-spoe.cfg"):
            (self.folder / name).write_text(self.text_of(name))
        return dict(os.environ, PATROUTE_STATS_PASSWORD="x",
                    PATROUTE_LOG="stdout",
                    PATROUTE_SPOE=str(self.folder / "patroute-spoe.cfg"))

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop(False)
            raise

    def start(self):
        # What is told first is vouched for by the first echo.
        self.tell()
        self.agent.start()
        env = self.write_cfg()
        self.log = open(self.folder / self.log_name, "ab")
        self.haproxy = subprocess.Popen(
            [*self.haproxy_command, "-W", "-db", "-S",
             f"{self.folder}/master.sock,mode,660,group,haproxy",
             "-f", self.folder / "patroute.cfg"],
            env=env, stdout=self.log, stderr=self.log)
        wait_until(self.is_up, "haproxy", 10)
        return self

    def is_up(self):
        """Every server has been checked as often as it takes."""
        try:
            lines = self.cli("show stat").splitlines()
        except OSError:
            return False
        rows = [x.split(",") for x in lines[1:] if x]
        state = {(r[0], r[1]): r[17] for r in rows}
        return (state.get(("agent", "agent")) == "UP" and
                state.get(("main_prober", "prober")) == "UP" and
                state.get(("main_write", N2)) == "NOLB" and
                state.get(("main_classic_write", N2)) == "DOWN")

    def cli(self, command):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(self.folder / "admin.sock"))
            s.sendall(command.encode() + b"\n")
            out = b""
            while data := s.recv(65536):
                out += data
            return out.decode()

    def servers(self, backend):
        rows = [x.split(",") for x in
                self.cli(f"show stat {backend} 4 -1").splitlines()[1:] if x]
        return {r[1]: r[17] for r in rows}

    def __exit__(self, kind, *_):
        self.stop(kind is None)

    def stop(self, well):
        if self.haproxy is not None:
            self.haproxy.send_signal(signal.SIGTERM)
            self.haproxy.wait(5)
            self.log.close()
        if self.agent.process is not None:
            self.agent.process.send_signal(signal.SIGCONT)
            self.agent.stop() if well else self.agent.process.kill()
        for part in [self.prober, self.checks, *self.members.values(),
                     *self.rests]:
            part.stop()
        if not well:
            log = self.folder / "haproxy.log"
            print(log.read_text()[-4000:] if log.exists() else "no HAProxy")
            print(self.agent.text()[-3000:])


@pytest.fixture
def site(folder):
    with Site(folder) as s:
        yield s


def connect(port, data=PG, pieces=1, gap=0.05, timeout=8):
    """(who answered or what was said, seconds until then)."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout * SLOW) as s:
        step = -(-len(data) // pieces)
        for i in range(0, len(data), step):
            if i:
                time.sleep(gap)
            s.sendall(data[i:i + step])
        try:
            got = s.recv(4096)
        except ConnectionError:
            got = b"reset"
        return got.decode(errors="replace").strip(), time.monotonic() - began


def several(port, n, data=PG):
    """n connections at once; their answers in the order of their start."""
    out = [None] * n

    def one(i):
        out[i] = connect(port, data)

    threads = [threading.Thread(target=one, args=(i,)) for i in range(n)]
    for t in threads:
        t.start()
    return threads, out


def test_a1_each_port_reaches_the_right_member(site):
    assert {connect(5000)[0] for _ in range(9)} == {N1}
    reads = [connect(5001)[0] for _ in range(30)]
    assert set(reads) == {N2, N3}
    assert abs(reads.count(N2) - reads.count(N3)) <= 1
    mixed = [connect(5002)[0] for _ in range(10)]
    assert set(mixed) == {N2, N3}
    option = startup(user="x", options="-c patroute.target=primary")
    assert connect(5002, option)[0] == N1
    name = startup(user="x", application_name="app/read_primary")
    assert connect(5002, name)[0] == N1
    # On 5001 the client has no say.
    assert connect(5001, option)[0] in (N2, N3)
    assert connect(5002, SSL_REQUEST)[0] in (N2, N3)
    site.tell(N2)
    assert {connect(5000)[0] for _ in range(9)} == {N2}
    assert {connect(5001)[0] for _ in range(10)} == {N1, N3}


def test_a2_split_and_long_first_packets(site):
    option = startup(user="x", options="-c patroute.target=primary")
    for pieces in (2, 3, 10):
        assert connect(5002, option, pieces)[0] == N1
    long = startup(options="-c patroute.target=primary", user="x" * 8900)
    assert connect(5002, long)[0] == N1
    assert connect(5002, long, 4)[0] == N1
    # Rubbish and half a packet are closed, never balanced.
    with socket.create_connection(("127.0.0.1", 5000), 5) as s:
        s.sendall(b"\0")
        s.shutdown(socket.SHUT_WR)
        assert s.recv(10) == b""


def test_a3_a_reason_in_the_log(site):
    connect(5000)
    connect(5001)

    def logged():
        text = (site.folder / "haproxy.log").read_text()
        return (f"main_write/{N1}" in text and
                "action=write reason=leader" in text and
                "action=read reason=replica" in text)

    wait_until(logged, "the log's lines")


def test_a4_the_pages_are_for_who_may_see_them(site):
    def status(path, user="admin:x", method="GET"):
        c = http.client.HTTPConnection("127.0.0.1", 7000, timeout=5)
        c.request(method, path, headers={
            "Authorization": b"Basic " + base64.b64encode(user.encode())})
        answer = c.getresponse()
        return answer.status, b"Statistics Report" in answer.read()

    for path in ("/", "/;csv", "/topology", "/topology/app.js", "/healthz",
                 "/events", "/metrics", "/reports/last"):
        assert status(path, "admin:y") == (401, False)
        assert status(path, "x:x") == (401, False)
    # Whoever brings clients to this host asks without one.
    assert status("/alive", "x:x") == (200, False)
    assert status("/") == (200, True)
    for path in ("/topology", "/topology/app.js", "/healthz/main"):
        assert status(path) == (200, False)
        assert status(path, method="POST") == (405, False)


def test_b1_held_until_there_is_a_leader(site):
    site.tell_nobody()
    threads, out = several(5000, 40)
    time.sleep(0.6)
    assert out == [None] * 40
    assert connect(5001)[0] in (N2, N3)
    began = time.monotonic()
    site.tell(N2)
    for t in threads:
        t.join()
    assert [who for who, _ in out] == [N2] * 40
    # 40 at 500 a second, 10 of them at once.
    assert time.monotonic() - began < 0.5 * SLOW


def test_b2_held_too_long_gets_the_sentence(site):
    site.tell_nobody()
    said, took = connect(5000)
    assert said.startswith("E") and "57P03" in said
    assert 'cluster "main" has no server for writes' in said
    assert "nobody holds the leader key" in said
    assert 1.4 < took < 2.5 * SLOW
    with socket.create_connection(("127.0.0.1", 5000), 5) as s:
        s.sendall(SSL_REQUEST)
        assert s.recv(1) == b"N"
        s.sendall(PG)
        assert b"57P03" in s.recv(4096)


def test_b3_cancel_reaches_every_member(site):
    packet = struct.pack(">IIII", 16, 80877102, 1234, 5678)
    for port in (5000, 5001, 5002):
        for m in site.members.values():
            m.cancels.clear()
        with socket.create_connection(("127.0.0.1", port), 5) as s:
            s.sendall(packet)
            assert s.recv(1) == b""
        assert [m.cancels for m in site.members.values()] == [[packet]] * 3


def test_b4_http_is_told_the_server(site):
    for path, action, server in (("/read_primary", "write", (N1,)),
                                 ("/read_replica", "read", (N2, N3))):
        get = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        said, _ = connect(5002, get)
        assert said.startswith("HTTP/1.0 200")
        assert f'"action":"{action}"' in said
        assert any(f'"server":"{s}"' in said for s in server)


class QuickToForget(Site):
    """A connection that a hold needed is closed after 1 s, not 30."""

    def text_of(self, name):
        text = super().text_of(name)
        if name == "patroute-spoe.cfg":
            assert text.count("timeout idle 30s") == 1
            text = text.replace("timeout idle 30s", "timeout idle 1s")
        return text


def test_b5_what_a_hold_opened_is_closed(folder):
    """HAProxy (2.6, 3.0) opens a connection for nearly each held stream, in
    each hold anew: after 77 changes of a leader the agent had 7,300."""
    def descriptors():
        return len(os.listdir(f"/proc/{site.agent.process.pid}/fd"))
    site = QuickToForget(folder)
    site.agent.write(hold_timeout="10s")
    with site:
        site.tell_nobody()
        threads, _ = several(5000, 40)
        wait_until(lambda: (site.prober.stats or {}).get("hold_now") == 40,
                   "all are held", 9)
        # Engine `route` keeps what it has opened, one or nearly each.
        most = descriptors()
        site.tell(N1)
        for t in threads:
            t.join()
        wait_until(lambda: descriptors() <= most - 10, "closed again", 10)


def test_c1_agent_killed_and_back(site):
    site.agent.process.kill()
    site.agent.process.wait()
    site.agent.process = None
    for _ in range(20):
        who, took = connect(5000)
        assert who == N1 and took < QUICK
        who, took = connect(5001)
        assert who in (N2, N3) and took < QUICK
    site.agent.start()
    # Only the agent knows this one.
    option = startup(user="x", options="-c patroute.target=primary")
    wait_until(lambda: connect(5002, option)[0] == N1, "it decides again")


def test_c2_agent_frozen(site):
    site.agent.process.send_signal(signal.SIGSTOP)
    took = [connect(5000) for _ in range(30)]
    assert {who for who, _ in took} == {N1}
    assert max(s for _, s in took) < QUICK
    wait_until(lambda: site.servers("agent")["agent"] == "DOWN", "noticed")
    who, s = connect(5000)
    assert who == N1 and s < QUICK
    site.agent.process.send_signal(signal.SIGCONT)
    wait_until(lambda: site.servers("agent")["agent"] == "UP", "noticed")
    assert connect(5000)[0] == N1


def test_c3_agent_frozen_during_a_hold(site):
    site.tell_nobody()
    threads, out = several(5000, 5)
    time.sleep(0.4)
    site.agent.process.send_signal(signal.SIGSTOP)
    # The second way knows the next leader by the prober's checks.
    site.leads = N2
    wait_until(lambda: site.servers("main_write")[N2] == "UP", "checks")
    for t in threads:
        t.join()
    assert [who for who, _ in out] == [N2] * 5
    assert max(s for _, s in out) < 4 * SLOW


def test_c4_agent_stopped_under_load(site):
    out, stop = [], threading.Event()

    def load(port):
        while not stop.is_set():
            out.append((port, *connect(port)))

    threads = [threading.Thread(target=load, args=(p,))
               for p in (5000, 5001)]
    for t in threads:
        t.start()
    for _ in range(3):
        time.sleep(0.4)
        site.agent.stop()
        time.sleep(0.3)
        site.agent.start()
    time.sleep(0.3)
    stop.set()
    for t in threads:
        t.join()
    assert len(out) > 300
    assert {who for port, who, _ in out if port == 5000} == {N1}
    assert {who for port, who, _ in out if port == 5001} == {N2, N3}
    assert max(s for _, _, s in out) < QUICK


def test_c5_held_when_the_agent_stops(site):
    site.tell_nobody()
    threads, out = several(5000, 5)
    time.sleep(0.4)
    site.leads = N3
    wait_until(lambda: site.servers("main_write")[N3] == "UP", "checks")
    site.agent.stop()
    for t in threads:
        t.join()
    assert [who for who, _ in out] == [N3] * 5


def test_c6_prober_gone_the_third_way(site):
    site.checks.stop()
    site.prober.stop()
    wait_until(lambda: site.servers("main_prober")["prober"] == "DOWN",
               "noticed")
    # The agent's last snapshot counts until it is stale.
    wait_until(lambda: "fresh=no" in site.agent.text(), "stale", 8)
    assert {connect(5000)[0] for _ in range(6)} == {N1}
    assert {connect(5001)[0] for _ in range(6)} == {N2, N3}
    site.leads = N2
    wait_until(lambda: connect(5000)[0] == N2, "followed", 8)


def test_d1_reload_under_load(site):
    out, stop = [], threading.Event()

    def load():
        while not stop.is_set():
            out.append(connect(5000))

    thread = threading.Thread(target=load)
    thread.start()
    for _ in range(3):
        time.sleep(0.5)
        site.haproxy.send_signal(signal.SIGUSR2)
    time.sleep(1)
    stop.set()
    thread.join()
    assert len(out) > 100 and {who for who, _ in out} == {N1}
