"""
The real agent against a scripted HAProxy and a scripted prober: every frame
that the document allows, and many that it does not.
"""
import os
import random
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from spoa_lib import (AGENT_HELLO, Agent, GONE, HELLO, NOTIFY, Prober, SLOW,
                      SPOA, SSL_REQUEST, Spop, WHY_STANDBY, folder, frame,
                      hello, hold, leader, member, message, pairs, route,
                      startup, string, wait_until)

__all__ = ["folder"]

NORMAL = {"action": "write", "server": "a", "reason": "leader"}


class Site:
    def __init__(self, folder, **keys):
        self.agent = Agent(folder, **keys)
        self.prober = Prober(self.agent.feed)
        self.prober.normal()

    def __enter__(self):
        try:
            self.agent.start()
            self.prober.told(1)
            wait_until(self.decides, "the first echo")
        except BaseException:
            self.__exit__(AssertionError)
            raise
        return self

    def decides(self):
        return self.conn().ask(route(1)).vars == NORMAL

    def __exit__(self, kind, *_):
        self.agent.__exit__(kind)
        self.prober.stop()

    def conn(self):
        return Spop(self.agent.socket)

    def raw(self, data=b""):
        c = Spop(self.agent.socket, greet=False)
        c.send(data)
        return c

    def tell_nobody(self, **more):
        self.prober.told(self.prober.tell([member("b"), member("c")], **more))

    def stats(self, **at_least):
        def there():
            s = self.prober.stats
            return s and all(s[k] >= v for k, v in at_least.items()) and s
        return wait_until(there, f"counters {at_least}: {self.prober.stats}")


@pytest.fixture
def site(folder):
    with Site(folder) as s:
        yield s


# --- hello --------------------------------------------------------------------

def test_a1_hello(site):
    f = site.raw(hello(capabilities="pipelining,async")).next()
    assert f.kind == AGENT_HELLO and (f.stream, f.number) == (0, 0)
    assert f.kv == {"version": "2.0", "max-frame-size": 4096,
                    "capabilities": "pipelining,async"}
    f = site.raw(hello(capabilities="", max_frame_size=300)).next()
    assert f.kv == {"version": "2.0", "max-frame-size": 300,
                    "capabilities": ""}


def test_a2_healthcheck(site):
    c = site.raw(hello(healthcheck=True))
    assert c.next().kind == AGENT_HELLO
    c.close()
    for ask in ("--ping", "--deep"):
        assert subprocess.run([SPOA, "-c", site.agent.conf,
                               ask]).returncode == 0


@pytest.mark.parametrize("change, status", [
    ({"supported_versions": ...}, 5), ({"supported_versions": "1.0"}, 8),
    ({"supported_versions": 2}, 5), ({"max_frame_size": ...}, 6),
    ({"max_frame_size": "big"}, 6), ({"max_frame_size": 255}, 9),
    ({"max_frame_size": 2 ** 32}, 9), ({"capabilities": ...}, 7)])
def test_a3_hello_refused(site, change, status):
    assert site.raw(hello(**change)).status() == status


@pytest.mark.parametrize("data, status", [
    (b"\0\0\0\0", 4), (b"\0\0\0\1", 4), (b"\0\x10\0\0", 3),
    (b"\x7f\xff\xff\xff", 3), (b"\xff\xff\xff\xff", 3),
    (frame(NOTIFY, message("route"), 1, 1), 4), (frame(42), 4),
    (frame(AGENT_HELLO), 4), (hello()[:4] + b"\1\0\0\0\0\0\0" + hello()[11:],
                              10),
    (frame(HELLO, b"\xff" * 40), 4)])
def test_a4_not_a_hello(site, data, status):
    assert site.raw(data).status() == status


def test_a5_two_hellos(site):
    c = site.conn()
    c.send(hello())
    assert c.status() == 4


# --- frames -------------------------------------------------------------------

@pytest.mark.parametrize("data, status", [
    (b"\0\0\x10\x01", 3), (b"\0\0\0\0", 4), (b"\0\0\0\6" + b"x" * 6, 4),
    (frame(NOTIFY, message("route"), 1, 1, flags=0), 10),
    (struct.pack(">I", 20) + b"\3\0\0\0\1" + b"\xff" * 15, 4),
    (frame(NOTIFY, b"\xf0\xf0\xff\xff\xff\xff\xff\xff\xff\x0eroute", 1, 1), 4),
    (frame(NOTIFY, string("route") + b"\xff" + pairs(("listen", "write")),
           1, 1), 4),
    (frame(NOTIFY, string("route") + b"\1" + string("listen") + b"\x0a", 1, 1),
     4), (frame(AGENT_HELLO), 4), (frame(103), 4)])
def test_b1_bad_frames(site, data, status):
    c = site.conn()
    assert c.ask(route(1)).vars == NORMAL
    c.send(data)
    assert c.status() == status
    assert site.conn().ask(route(2)).vars == NORMAL


@pytest.mark.parametrize("payload", [
    string("route") + b"\0", b"",
    string("unheard-of") + b"\1" + pairs(("listen", "write")),
    message("route", "nowhere"), message("route", 5), message("route", None),
    message("route", (b"\x07" + b"0" * 16,)),
    message("route") + message("route"),
    string("route") + b"\2" + pairs(("listen", "write"), ("listen", "read"))])
def test_b2_an_ack_without_a_route(site, payload):
    c = site.conn()
    f = c.ask(frame(NOTIFY, payload, 77, 3))
    assert (f.stream, f.number, f.vars, f.unset) == (77, 3, {}, [])
    assert c.ask(route(78)).vars == NORMAL
    # For the second engine that means: take back the action `hold`.
    f = c.ask(hold(79, 1, "nowhere"))
    assert (f.vars, f.unset) == ({}, ["action"])


def test_b3_unknown_frames_are_skipped_aborted_ones_too(site):
    c = site.conn()
    c.send(frame(42, b"whatever") + frame(NOTIFY, b"", 5, 1, flags=3))
    f = c.ask(route(6))
    assert f.stream == 6 and f.vars == NORMAL


def test_b4_disconnect_is_answered(site):
    c = site.conn()
    c.send(route(1) + frame(GONE, pairs(("status-code", 0),
                                        ("message", "bye"))))
    assert c.next().vars == NORMAL
    assert c.status() == 0


def test_b5_one_byte_at_a_time(site):
    c = site.raw()
    for byte in hello() + route(9):
        c.send(bytes([byte]))
    assert c.next().kind == AGENT_HELLO
    assert c.next().vars == NORMAL


def test_b6_many_at_once_in_one_send(site):
    c = site.conn()
    c.send(b"".join(route(i) for i in range(1, 41)))
    # One read pass, so one send: the first byte comes with the last.
    wait_until(lambda: not c.is_silent(0.05), "an answer")
    data = c.s.recv(1 << 20)
    assert data.count(b"leader") == 40
    c.send(b"".join(route(i, 2, "read") for i in range(1, 5001)))
    got = [c.next() for _ in range(5000)]
    assert [f.stream for f in got] == list(range(1, 5001))
    servers = [f.vars["server"] for f in got]
    assert abs(servers.count("b") - servers.count("c")) <= 1


def test_b7_a_peer_that_never_reads(site):
    c = site.conn()
    other = site.conn()
    c.s.setblocking(False)
    data = b"".join(route(i) for i in range(1, 10001))
    sent = 0
    end = time.monotonic() + 1.5
    while sent < len(data) and time.monotonic() < end:
        try:
            sent += c.s.send(data[sent:])
        except BlockingIOError:
            time.sleep(0.01)
    before = site.agent.cpu_s()
    assert other.ask(route(1)).vars == NORMAL
    time.sleep(0.5)
    assert site.agent.cpu_s() - before < 0.1 * SLOW   # it does not spin
    if not os.environ.get("PATROUTE_VALGRIND"):
        assert site.agent.status("VmRSS") < 80 * 1024
    c.s.setblocking(True)
    c.s.settimeout(5 * SLOW)

    def rest():
        c.s.sendall(data[sent:])

    t = threading.Thread(target=rest)
    t.start()
    assert [c.next().stream for _ in range(10000)] == list(range(1, 10001))
    t.join()


def test_b8_peers_that_go(site):
    before = site.agent.fds()
    for i in range(200):
        c = site.conn() if i % 3 else site.raw(hello()[:i % 40])
        if i % 2:
            c.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                           struct.pack("ii", 1, 0))
        c.send(route(1) * 20)
        c.close()
    wait_until(lambda: site.agent.fds() <= before, "descriptors back")
    assert site.conn().ask(route(2)).vars == NORMAL


def test_b9_random_frames(site):
    seed = int(os.environ.get("SEED", "20240607"))
    print(f"SEED={seed}")
    r = random.Random(seed)
    good = [hello(), route(1), hold(2), frame(GONE), route(3, 1, "mixed")]
    for _ in range(400):
        data = bytearray(b"".join(r.choice(good) for _ in range(4)))
        for _ in range(r.randrange(4)):
            data[r.randrange(len(data))] = r.randrange(256)
        c = site.raw(hello() + bytes(data[:r.randrange(len(data))]))
        if r.random() < 0.5:
            c.s.shutdown(socket.SHUT_WR)
        while not c.is_silent(0.001) and c.s.recv(65536):
            pass
        c.close()
    assert site.conn().ask(route(2)).vars == NORMAL


def test_c1_slow_ones_are_closed(site):
    """Each prefix of a HELLO, half a NOTIFY: not too early, not never."""
    conns = [site.raw(hello()[:n]) for n in range(0, len(hello()), 9)]
    half = site.conn()
    half.send(route(1)[:20])
    idle = site.conn()
    drip = site.conn()
    began = time.monotonic()
    time.sleep(2)
    assert all(c.is_silent(0) for c in [*conns, half, idle])
    while drip.is_silent(0.2) and time.monotonic() - began < 12 * SLOW:
        drip.send(b"\0" if drip.is_silent(0) else b"")
    for c in [*conns, half]:
        assert c.status() == 2
    assert time.monotonic() - began < 10 * SLOW
    # Who only has nothing to say stays.
    assert idle.ask(route(1)).vars == NORMAL


def test_c2_descriptors_run_out(folder):
    site = Site(folder)
    site.agent.prefix = ["prlimit", "--nofile=32:32"]
    with site:
        first = site.conn()
        others = [site.raw(hello()) for _ in range(60)]
        answered = [c for c in others if not c.is_silent(0.01)]
        assert 3 <= len(answered) < 30
        before = site.agent.cpu_s()
        time.sleep(0.6)
        assert site.agent.cpu_s() - before < 0.1
        assert first.ask(route(1)).vars == NORMAL
        for c in answered:
            c.close()
        rest = [c for c in others if c not in answered]
        # Never accepted to be closed: all of them get their turn.
        for c in rest:
            assert c.next().kind == AGENT_HELLO
            c.close()


def test_c3_a_thousand_connections(site):
    before = site.agent.fds(), site.agent.status("VmRSS")
    conns = [site.conn() for _ in range(1000)]
    for c in conns:
        c.send(route(1) + route(2, 1, "read"))
    for c in conns:
        assert c.next().vars == NORMAL and c.next().stream == 2
    grown = site.agent.status("VmRSS") - before[1]
    if not os.environ.get("PATROUTE_VALGRIND"):
        assert grown < 16 * 1000
    for c in conns:
        c.close()
    wait_until(lambda: site.agent.fds() <= before[0], "descriptors back")


# --- decisions ----------------------------------------------------------------

def test_d1_not_fresh(site):
    site.prober.age_ms = 2 ** 32 - 1
    c = site.conn()
    wait_until(lambda: c.ask(route(1)).vars == {}, "stale")
    assert c.ask(route(2, 1, "read")).vars == {}
    site.prober.age_ms = 0
    wait_until(lambda: c.ask(route(3)).vars == NORMAL, "fresh again")
    assert site.stats(undecided=2, routed_write=1)


def test_d2_no_prober_at_start(folder):
    agent = Agent(folder)
    with agent:
        c = Spop(agent.socket)
        assert c.ask(route(1)).vars == {}
        prober = Prober(agent.feed)
        prober.normal()
        wait_until(lambda: c.ask(route(2)).vars == NORMAL, "connected")
        prober.stop()
        assert c.ask(route(3)).vars == NORMAL
        # stale_after is 4 s
        wait_until(lambda: c.ask(route(4)).vars == {}, "stale", 6)
        prober = Prober(agent.feed, boot_id=8)
        prober.normal()
        wait_until(lambda: c.ask(route(5)).vars == NORMAL, "again")
        prober.stop()


def test_d3_frozen_and_thawed(site):
    c = site.conn()
    site.agent.process.send_signal(signal.SIGSTOP)
    c.send(route(1) * 3)
    # What was told meanwhile, and its echo, lies in the queue.
    site.tell = site.prober.tell([leader("b"), member("a")], 0)
    time.sleep(5)
    site.agent.process.send_signal(signal.SIGCONT)
    got = [c.next().vars.get("server") for _ in range(3)]
    assert "a" not in got
    wait_until(lambda: c.ask(route(2)).vars.get("server") == "b", "fresh")


def test_d4_intents(site):
    c = site.conn()

    def action(listen, **kv):
        return c.ask(route(1, 1, listen, **kv)).vars["action"]

    primary = startup(user="x", options="-c patroute.target=primary")
    assert action("mixed") == "read"
    assert action("mixed", first=primary) == "write"
    assert action("mixed", first=SSL_REQUEST) == "read"
    assert action("mixed", first=b"\0\0\0\1zzzz") == "read"
    assert action("mixed", first=startup(
        user="x", application_name="a/read_primary")) == "write"
    assert action("read", first=primary) == "read"
    assert action("mixed", sni="primary.db", first=b"\x16\3\1\0\1\0") == \
        "write"
    assert action("write", first=struct.pack(
        ">IIII", 16, 80877102, 1, 2)) == "desk"
    assert action("mixed", first=b"GET /read_primary") == "desk"
    assert site.stats(startup_bad=1, refused=2)


def test_d5_reads_without_replicas(site):
    c = site.conn()
    site.prober.told(site.prober.tell([leader("a"), member("b", flags=4)], 0))
    # Briefly: a replica may come back. Where there is no fallback, longer.
    assert c.ask(route(1, 1, "read")).vars["action"] == "hold"
    began = time.monotonic()
    c.send(hold(1, 2, "read") + hold(2, 2, "strict"))
    f = c.next()
    assert (f.stream, f.vars["action"]) == (1, "fallback")
    assert 0.1 < time.monotonic() - began < 1 * SLOW
    assert c.ask(route(3, 1, "read")).vars["action"] == "fallback"
    site.prober.normal()
    f = c.next()
    assert (f.stream, f.vars["action"]) == (2, "read")


# --- hold ---------------------------------------------------------------------

def test_e1_held_in_order_and_paced(site):
    site.tell_nobody()
    a, b = site.conn(), site.conn()
    assert a.ask(route(1)).vars == {"action": "hold", "reason": "no-key"}
    for i in range(50):
        (a if i % 2 else b).send(hold(i))
    assert a.is_silent(0.2) and b.is_silent(0)
    assert site.prober.wants > 0
    began = time.monotonic()
    site.prober.normal()
    first = b.next()
    quick = time.monotonic() - began
    got = [first, *[b.next() for _ in range(24)]]
    assert [f.stream for f in got] == list(range(0, 50, 2))
    assert [a.next().stream for _ in range(25)] == list(range(1, 50, 2))
    took = time.monotonic() - began
    assert quick < 0.1 * SLOW       # 1 ms on a quiet machine
    assert all(f.vars == NORMAL for f in got)
    # 50: ten at once, 40 more at 500 a second.
    assert 0.06 < took < 0.5 * SLOW
    assert site.stats(held=50)["hold_now"] == 0


def test_e2_held_too_long(folder):
    with Site(folder, hold_timeout="700ms") as site:
        site.tell_nobody()
        c = site.conn()
        began = time.monotonic()
        c.send(hold(1))
        f = c.next()
        assert f.vars["action"] == "desk" and f.vars["reason"] == "no-key"
        assert 0.69 < time.monotonic() - began < 1.5 * SLOW
        assert site.stats(refused=1)["hold_max_ms"] >= 699
        # Not fresh when the time is over: HAProxy's second way.
        c.send(hold(2))
        site.prober.age_ms = 2 ** 32 - 1
        f = c.next()
        assert f.vars == {} and f.unset == ["action"]


def test_e3_more_than_hold_max(folder):
    with Site(folder, hold_max=3) as site:
        site.tell_nobody()
        c = site.conn()
        c.send(b"".join(hold(i) for i in range(1, 6)))
        assert [c.next().stream for _ in range(2)] == [4, 5]
        assert c.ask(route(6)).vars["action"] == "desk"
        site.prober.normal()
        assert [c.next().stream for _ in range(3)] == [1, 2, 3]


def test_e4_their_connection_ends(folder):
    with Site(folder, hold_max=4) as site:
        site.tell_nobody()
        gone, stays = site.conn(), site.conn()
        gone.send(hold(1) + hold(2))
        stays.send(hold(3))
        wait_until(lambda: site.stats()["hold_now"] == 3, "held")
        stays.send(frame(NOTIFY, b"", 3, 1, flags=3))
        gone.close()
        wait_until(lambda: site.stats()["hold_now"] == 0, "let go")
        # Its number is used again, and the new one gets nothing of it.
        again = site.conn()
        site.prober.normal()
        assert again.is_silent(0.2) and stays.is_silent(0)


def test_e5_a_standby_cluster_is_refused_at_once(site):
    site.tell_nobody(why=WHY_STANDBY)
    f = site.conn().ask(route(1))
    assert f.vars == {"action": "desk", "reason": "standby-cluster"}


def test_e6_planned(site):
    site.prober.told(site.prober.tell(
        [leader("a"), member("b"), member("c")], 0, planned=1))
    c = site.conn()
    assert c.ask(route(1)).vars["action"] == "hold"
    assert c.ask(route(2, 1, "read")).vars["action"] == "read"
    c.send(hold(1, 2))
    assert c.is_silent(0.1)
    site.prober.tell([member("a"), leader("b"), member("c")], 1)
    assert c.next().vars["server"] == "b"


def test_e7_the_agent_stops(site):
    site.tell_nobody()
    c, idle = site.conn(), site.conn()
    c.send(hold(1) + hold(2))
    assert c.is_silent(0.1)
    assert site.agent.stop() < 1 * SLOW
    for stream in (1, 2):
        f = c.next()
        assert (f.stream, f.vars, f.unset) == (stream, {}, ["action"])
    assert c.status() == 0
    assert idle.status() == 0


def test_e8_what_came_before_the_stop_is_answered(site):
    site.tell_nobody()
    c = site.conn()
    site.agent.process.send_signal(signal.SIGSTOP)
    c.send(route(1) + hold(2) + route(3, 1, "read"))
    site.agent.process.send_signal(signal.SIGTERM)
    site.agent.process.send_signal(signal.SIGCONT)
    got = {}
    for _ in range(3):
        f = c.next()
        got[f.stream] = f
    # Whichever came first, the bytes or the signal: nobody is told to wait
    # for an agent that goes.
    assert got[1].vars.get("action") in (None, "hold")
    assert (got[2].vars, got[2].unset) == ({}, ["action"])
    assert got[3].vars["action"] == "read"
    assert c.status() == 0
    assert site.agent.process.wait(2 * SLOW) == 0
    site.agent.process = None
    site.agent.no_complaints()
