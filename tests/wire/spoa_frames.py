"""
Frames of every kind, cut at every place, and the agent's end: what the
document says of each, and nobody else hurt by it.
"""
import contextlib
import fcntl
import random
import os
import signal
import struct
import termios
import threading

import pytest

from spoa_lib import (ACK, AGENT_GONE, AGENT_HELLO, GONE, NOTIFY, SLOW, Spop,
                      folder, frame, hello, hold, leader, member, message,
                      pairs, route, string, varint, wait_until)
from spoa_protocol import NORMAL, Site, site
from wire_lib import unstalled

__all__ = ["folder", "site"]

# SPOE.txt 3.1: one of each type, and both booleans.
TYPED = {"null": b"\0", "true": b"\x11", "false": b"\x01",
         "int32": b"\2" + varint(2 ** 31 - 1), "uint32": b"\3" + varint(7),
         "int64": b"\4" + varint(2 ** 64 - 1), "uint64": b"\5" + varint(0),
         "ipv4": b"\6\x7f\0\0\1", "ipv6": b"\7" + bytes(16),
         "string": b"\x08" + string("x" * 300), "binary": b"\x09" + string("")}


def test_a1_every_kind_of_data(site):
    c = site.conn()
    every = {k: (v,) for k, v in TYPED.items()}
    assert c.ask(frame(NOTIFY, message("route", **every), 1, 1)).vars == NORMAL
    for wrong in (v for k, v in TYPED.items() if k not in
                  ("null", "string", "binary")):
        # As an argument of ours: no route, and no reason to part.
        f = c.ask(frame(NOTIFY, message("route", (wrong,)), 2, 9))
        assert (f.stream, f.number, f.vars) == (2, 9, {})
        f = c.ask(frame(NOTIFY, message("route", first=(wrong,)), 3, 1))
        assert f.vars == {}
    assert c.ask(route(4)).vars == NORMAL


@pytest.mark.parametrize("kind", range(10, 16))
def test_a2_reserved_data(site, kind):
    """Nobody knows how long it is, so the rest makes no sense."""
    c = site.conn()
    c.send(frame(NOTIFY, message("route", more=(bytes([kind]),)), 1, 1))
    assert c.status() == 4


def test_a3_255_arguments(site):
    payload = (string("route") + b"\xff" + pairs(("listen", "write")) +
               b"".join(pairs((f"a{i}", i)) for i in range(254)))
    assert site.conn().ask(frame(NOTIFY, payload, 1, 1)).vars == NORMAL
    c = site.conn()
    other = string("other") + b"\xff" + b"".join(
        pairs(("listen", "x")) for i in range(255))
    assert c.ask(frame(NOTIFY, other + message("route"), 2, 1)).vars == NORMAL
    # One more than the count says is the start of another message.
    c.send(frame(NOTIFY, payload + pairs(("one", "more")), 1, 1))
    assert c.status() == 4


def test_a4_as_large_as_it_may_be(site):
    for size in (256, 4096):
        c = site.raw(hello(max_frame_size=size))
        assert c.next().kv["max-frame-size"] == size
        n = size - len(route(1, first=b"")) + 4
        data = route(1, first=b"x" * (n - 2 if n > 240 else n))
        assert size - 4 <= len(data) - 4 <= size
        assert c.ask(data).vars == NORMAL
        c.send(struct.pack(">I", size + 1))
        assert c.status() == 3


# --- streams and fragments -----------------------------------------------------

def test_b1_a_stream_number_again(site):
    """Each NOTIFY gets its own ACK; held ones with the same number too."""
    c = site.conn()
    c.send(route(7, 1) + route(7, 2, "read") + route(7, 1))
    assert [(f.stream, f.number, f.vars["action"]) for f in
            (c.next(), c.next(), c.next())] == \
        [(7, 1, "write"), (7, 2, "read"), (7, 1, "write")]
    top = 2 ** 64 - 1
    assert c.ask(route(top, top)).stream == top
    # The same numbers on another connection are another's.
    site.tell_nobody()
    a, b = site.conn(), site.conn()
    a.send(hold(7, 1))
    b.send(hold(7, 1, "read"))
    assert b.next().vars["action"] == "read"
    assert a.is_silent(0.1)
    site.prober.normal()
    assert a.next().vars == NORMAL
    assert b.is_silent(0.1)


def test_b2_fragments(site):
    first = frame(NOTIFY, message("route")[:20], 1, 1, flags=0)
    rest = frame(0, message("route")[20:], 1, 1)
    for data, status in ((first + rest, 10), (rest, 12),
                         (first + frame(NOTIFY, message("route"), 2, 1), 10),
                         (frame(0, b"", 1, 1, flags=3), 12)):
        c = site.conn()
        c.send(data)
        assert c.status() == status
    assert site.raw(rest).status() == 4


def test_b3_after_a_goodbye_nothing_is_answered(site):
    for bye in (frame(GONE, pairs(("status-code", 0), ("message", ""))),
                frame(GONE), frame(GONE, b"\xff" * 30), b"\0\0\0\0"):
        c = site.conn()
        c.send(bye + route(1) * 50)
        f = c.next()
        assert f.kind != ACK and f.kv["status-code"] in (0, 4)
        assert c.next() is None


# --- cuts -----------------------------------------------------------------------

def test_c1_every_prefix(site):
    """The connection ends at every byte of every frame, half of them hard."""
    whole = hello() + route(1) + hold(2) + frame(GONE)
    before = site.agent.fds()
    for n in range(len(whole)):
        c = site.raw(whole[:n])
        if n % 2:
            c.s.shutdown(1)
            while (f := c.next()) is not None:
                assert f.kind in (AGENT_HELLO, ACK)
        c.close()
    assert site.conn().ask(route(1)).vars == NORMAL
    assert site.agent.fds() <= before + 1


def test_c2_the_same_in_any_pieces(site):
    seed = int(os.environ.get("SEED", "20240607"))
    print(f"SEED={seed}")
    r = random.Random(seed)
    data = hello() + b"".join(
        route(i, 1, r.choice(["write", "read"]), first=b"y" * r.randrange(900))
        for i in range(1, 200))
    for most in (3, 50, 5000):
        c = site.raw()
        got = []

        def read():
            while len(got) < 200:
                got.append(c.next())

        reader = threading.Thread(target=read)
        reader.start()
        at = 0
        while at < len(data):
            n = r.randrange(1, most)
            c.send(data[at:at + n])
            at += n
        reader.join(20 * SLOW)
        assert [f.stream for f in got[1:]] == list(range(1, 200))
        c.close()


def in_kernel(c, what):
    """Bytes of FIONREAD (not read by us) or TIOCOUTQ (not by the agent)."""
    return struct.unpack("i", fcntl.ioctl(c.s, what, b"\0" * 4))[0]


def test_c3_what_had_no_room_is_answered_later(site):
    """Whole frames that wait in the agent for room of their answers; then a
    held stream's answer makes that room, before the socket's turn."""
    few = [member(n, server="r" * 60) for n in "bc"]
    site.prober.told(site.prober.tell(few))
    c, other = site.conn(), site.conn()
    c.send(hold(1))
    one = route(2, 1, "read")
    assert c.ask(one).vars["action"] == "read"
    c.send(one)
    wait_until(lambda: in_kernel(c, termios.FIONREAD) > 0, "an answer")
    answer = in_kernel(c, termios.FIONREAD)
    sent = 1
    # Nobody reads: more than its buffer of 8192 stays with the agent.
    while sent * answer - in_kernel(c, termios.FIONREAD) <= 8192:
        c.send(one * (6144 // len(one)))
        sent += 6144 // len(one)
        wait_until(lambda: in_kernel(c, termios.TIOCOUTQ) == 0, "read")
        assert other.ask(one).vars["action"] == "read"   # and done with it
    site.agent.process.send_signal(signal.SIGSTOP)
    while in_kernel(c, termios.FIONREAD) > 0:
        c.buf += c.s.recv(65536)
    site.prober.tell([leader("a"), *few], 0)
    site.agent.process.send_signal(signal.SIGCONT)
    got = [c.next() for _ in range(sent + 1)]
    assert [f.kind for f in got] == [ACK] * (sent + 1)
    assert sorted(f.stream for f in got) == [1] + [2] * sent


# --- the end --------------------------------------------------------------------

def stop_with_a_queue(folder):
    """What each gets who connected while the agent was busy, before it was
    told to stop: kind and status of what comes after the AGENT-HELLO."""
    with Site(folder) as site:
        agent = site.agent
        agent.process.send_signal(signal.SIGSTOP)
        queued = [Spop(agent.socket, greet=False) for _ in range(50 // SLOW)]
        for c in queued:
            c.send(hello())
        agent.process.send_signal(signal.SIGTERM)
        agent.process.send_signal(signal.SIGCONT)
        # As HAProxy does: the NOTIFY only after the AGENT-HELLO.
        for c in queued:
            assert c.next().kind == AGENT_HELLO
            with contextlib.suppress(BrokenPipeError):
                c.send(route(1))
        got = [[f and (f.kind, f.kv.get("status-code"))
                for f in (c.next(), c.next(), c.next())] for c in queued]
        assert agent.process.wait(2 * SLOW) == 0
        agent.process = None
        agent.no_complaints()
        assert not agent.socket.exists()
    return got


def test_d1_who_is_in_the_queue_is_served(folder):
    """All of them, in the 200 ms that the agent leaves them to ask."""
    served = [(ACK, None), (AGENT_GONE, 0), None]
    got = unstalled(lambda: stop_with_a_queue(folder),
                    lambda found: all(x == served for x in found), 0.05 / SLOW)
    assert got == [served] * len(got)
