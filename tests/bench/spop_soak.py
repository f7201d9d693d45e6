"""
What many connections, decisions and random frames leave behind in the agent:
nothing. Long, so by hand (label slow); SEED= repeats a run.
"""
import json
import os
import pathlib
import random
import struct
import subprocess
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "wire"))

from spoa_lib import (ACK, NOTIFY, Spop, folder, frame, hello,  # noqa: E402
                      pairs, route, string, wait_until)
from spoa_protocol import NORMAL, Site, site  # noqa: E402

__all__ = ["folder", "site"]

LOAD = pathlib.Path(os.environ["PATROUTE_BUILD"]) / "tests/bench/spop_load"
MIB = 1024
# Sanitizers keep what is freed.
JUDGES_MEMORY = "asan" not in os.environ["PATROUTE_BUILD"].lower()


def load(site, *args):
    out = subprocess.run([LOAD, *args, f"unix:{site.agent.socket}"],
                         check=True, capture_output=True, text=True).stdout
    return json.loads(out)


def rss(site):
    return site.agent.status("VmRSS") if JUDGES_MEMORY else 0


def is_back(site, fds):
    wait_until(lambda: site.agent.fds() <= fds, "descriptors back", 10)


def test_a1_memory_of_connections(site):
    """8 MiB and 16 KiB for each connection (I13), all of them at work."""
    assert rss(site) < 8 * MIB
    fds = site.agent.fds()
    conns = [site.conn() for _ in range(900)]
    for c in conns:
        c.send(route(1) * 60)
    for c in conns:
        assert [c.next().stream for _ in range(60)] == [1] * 60
    print(f"rss={rss(site)} KiB with {len(conns)} connections")
    assert rss(site) < 8 * MIB + 16 * len(conns)
    for c in conns:
        c.close()
    is_back(site, fds)


def test_a2_flat(site):
    """10^7 decisions, 10^5 connections; what the first tenth took stays."""
    def connections(n):
        for _ in range(n // 100):
            conns = [site.raw(hello() + route(1)) for _ in range(100)]
            for c in conns:
                assert c.next() is not None and c.next().vars == NORMAL
                c.close()

    def decisions(n):
        left = n
        while left > 0:
            left -= load(site, "-c", "8", "-d", "128", "-s", "2")["decisions"]

    fds = site.agent.fds()
    decisions(10 ** 6)
    connections(10 ** 4)
    before = rss(site)
    decisions(9 * 10 ** 6)
    connections(9 * 10 ** 4)
    print(f"rss={before} KiB before, {rss(site)} KiB after")
    assert rss(site) - before <= 256
    is_back(site, fds)


def typed(r):
    kind = r.randrange(10)
    if kind == 0:
        return b"\0"
    if kind == 1:
        return r.choice((b"\1", b"\x11"))
    if kind < 6:
        return bytes([kind, r.randrange(240)])
    if kind == 6:
        return b"\6" + r.randbytes(4)
    if kind == 7:
        return b"\7" + r.randbytes(16)
    return bytes([kind]) + string(r.randbytes(r.randrange(60)))


def random_frame(r):
    """(bytes, the ACK it must get or None): odd, but nothing to part for."""
    stream, number = r.getrandbits(r.choice((7, 16, 64))), r.getrandbits(8)
    what = r.randrange(10)
    if what == 0:
        kind = r.choice([4, 5, 50, 100, 104, 255])
        return frame(kind, r.randbytes(r.randrange(200)), stream, number), None
    if what == 1:
        return frame(NOTIFY, b"", stream, number, flags=3), None
    payload = b""
    for _ in range(r.randrange(4)):
        names = [r.choice(["listen", "first", "sni", "src", "x", ""])
                 for _ in range(r.randrange(6))]
        payload += string(r.choice(["route", "route", "hold", "else"])) + \
            bytes([len(names)]) + pairs(*[(k, (typed(r),)) for k in names])
    return frame(NOTIFY, payload, stream, number), (stream, number)


def test_b1_random_frames(site):
    """10^6 frames that are odd, and in between as many cut and bent ones."""
    seed = int(os.environ.get("SEED", "20240607"))
    print(f"SEED={seed}")
    r = random.Random(seed)
    stock = [random_frame(r) for _ in range(5000)]
    fds, before = site.agent.fds(), rss(site)
    c = site.conn()
    for turn in range(10 ** 6 // 500):
        some = r.choices(stock, k=500)
        expected = [ids for _, ids in some if ids is not None]
        data = b"".join(data for data, _ in some)
        got = []
        for at in range(0, len(data), 20000):
            c.send(data[at:at + 20000])
            # Reading in between: neither side's buffers end the other.
            while not c.is_silent(0) and len(got) < len(expected):
                got.append(c.next())
        while len(got) < len(expected):
            got.append(c.next())
        assert [(f.kind, f.stream, f.number) for f in got] == \
            [(ACK, *ids) for ids in expected]
        if turn % 4 == 0:
            bent(site, r, bytearray(hello() + data[:r.randrange(6000)]))
    c.close()
    assert site.conn().ask(route(1)).vars == NORMAL
    assert rss(site) - before <= 1024
    is_back(site, fds)


def bent(site, r, data):
    """Some bits of it are wrong: answered or refused, never a hang."""
    for _ in range(r.randrange(1, 9)):
        data[r.randrange(len(data))] ^= 1 << r.randrange(8)
    c = Spop(site.agent.socket, greet=False)
    try:
        c.send(data)
        if r.random() < 0.5:
            c.s.setsockopt(1, 13, struct.pack("ii", 1, 0))     # reset
        else:
            c.s.shutdown(1)
            while c.s.recv(65536):
                pass
    except ConnectionError:
        pass
    c.close()


if __name__ == "__main__":
    sys.exit(pytest.main(["-q", "-s", __file__]))
