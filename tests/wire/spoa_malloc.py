"""
The decision path asks nothing of the heap, hold and desk included: counted
under LD_PRELOAD, over a hundred thousand decisions. That is promised for unix
and tcp: under TLS OpenSSL's buffers come and go.
"""
import shutil
import socket
import struct

from spoa_lib import (BUILD, DeskClient, folder, hold, leader, member, paused,
                      route, startup, wait_until)
from spoa_protocol import Site

__all__ = ["folder"]

COUNTER = BUILD / "tests" / "wire" / "libmalloc_count.so"
CANCEL = struct.pack(">IIII", 16, 80877102, 4711, 42)
# libev doubles a table when more happens in a turn than ever before, which
# turn that is chance says: of some, each once. Anything of ours that allocated
# would do it twenty times at least.
TABLES = 4
WANTING = startup(user="x", options="-c patroute.min_lsn=0/96")     # 150


class Counted(Site):
    """A site whose agent's allocations are counted."""

    def __init__(self, folder):
        super().__init__(folder, hold_release_rate=1000000, log_level="info",
                         hold_timeout="60s", min_lsn_wait="60s")
        self.count = folder / "count"
        self.count.write_bytes(bytes(8))
        self.count.chmod(0o666)
        # The loader takes a blank in a path, such as a checkout's, for the
        # end of it.
        counter = shutil.copy(COUNTER, folder)
        self.agent.prefix = ["env", f"LD_PRELOAD={counter}",
                             f"MALLOC_COUNT={self.count}"]
        self.port = None

    def allocations(self):
        return int.from_bytes(self.count.read_bytes(), "little")

    def tell(self, lsn, write=0):
        rows = [leader("a", lsn=9999, addr="127.0.0.1", port=self.port)
                if write == 0 else member("a", lsn=lsn)]
        rows += [member(n, lsn=lsn) for n in "bc"]
        self.prober.told(self.prober.tell(rows, write))


def read_acks(c, n):
    """n frames, by their lengths alone."""
    have = b""
    while n > 0:
        data = c.s.recv(1 << 20)
        assert data
        have += data
        at = 0
        while n > 0 and len(have) - at >= 4:
            size = 4 + struct.unpack_from(">I", have, at)[0]
            if len(have) - at < size:
                break
            at, n = at + size, n - 1
        have = have[at:]
    assert have == b""


def decide(c, rounds):
    """Two hundred decisions a round: each port, each kind of first bytes."""
    target = startup(user="x", options="-c patroute.target=primary")
    kinds = [("write", None), ("read", None), ("mixed", target),
             ("mixed", b"\0\0\0\1zzzz")]
    batch = b"".join(route(i + 1, 1, kinds[i % 4][0], first=kinds[i % 4][1])
                     for i in range(200))
    for _ in range(rounds):
        c.send(batch)
        read_acks(c, 200)


def wait_and_go(site, c):
    """Five hundred wait for a leader, five hundred for an LSN."""
    site.tell(100, -1)
    c.send(b"".join(hold(i + 1, 1, "write") for i in range(500)))
    wait_until(lambda: site.prober.stats and
               site.prober.stats["hold_now"] == 500, "all wait")
    site.tell(100)
    read_acks(c, 500)
    c.send(b"".join(hold(i + 1, 1, "mixed", first=WANTING)
                    for i in range(500)))
    wait_until(lambda: site.prober.stats["lsn_now"] == 500, "all wait")
    site.tell(150)
    read_acks(c, 500)


def at_the_desk(site, server):
    """Sentences, HTTP, and a cancel request passed on."""
    for _ in range(20):
        d = DeskClient(site.agent.desk)
        d.send(startup(user="x"))
        assert d.error()["C"] == "57P03"
        d = DeskClient(site.agent.desk, 5002)
        d.send(b"GET /read_replica HTTP/1.1\r\n\r\n")
        assert d.rest().startswith(b"HTTP/1.0 200")
        d = DeskClient(site.agent.desk, 5001)
        d.send(CANCEL)
        s, _ = server.accept()
        with s:
            assert s.recv(100) == CANCEL
        assert d.rest() == b""


def all_at_once(site):
    """More events in one turn than any later turn has: the loop's tables grow
    to what its busiest turn needs, whenever that comes."""
    before = site.agent.fds()
    crowd = [DeskClient(site.agent.desk) for _ in range(40)]
    wait_until(lambda: site.agent.fds() == before + len(crowd), "accepted")
    with paused(site.agent):
        for d in crowd:
            d.send(startup(user="x"))
    for d in crowd:
        assert d.error()["C"] == "57P03"


def everything(site, c, server, rounds):
    decide(c, rounds)
    wait_and_go(site, c)
    at_the_desk(site, server)


def test_a_nothing_is_allocated(folder):
    with socket.create_server(("127.0.0.1", 0)) as server, \
            Counted(folder) as site:
        site.port = server.getsockname()[1]
        assert site.allocations() > 10           # it does count
        c = site.conn()
        # Once before: the loop's own tables grow to what is needed.
        all_at_once(site)
        everything(site, c, server, 5)
        before = site.allocations()
        everything(site, c, server, 500)
        assert site.allocations() - before <= TABLES
        before = site.allocations()
        # The control: what does allocate is seen, a connection of HAProxy's.
        site.conn().ask(route(1))
        assert site.allocations() > before
