"""
Observe: the agent decides and counts, and tells HAProxy to go the classic way;
nobody is held.
"""
from spoa_lib import LIVE, READ, folder, hold, leader, member, route, startup
from spoa_protocol import Site, site

__all__ = ["Site", "folder", "site"]

CLASSIC_WRITE, CLASSIC_READ = 16, 32


def tell(site, write=0, observe=1, up=("a",), read=("b", "c")):
    """a leads, b and c are read; what the classic backends have up."""
    rows = []
    for name in "abc":
        flags = LIVE | (READ if name != "a" else 0) | \
            (CLASSIC_WRITE if name in up else 0) | \
            (CLASSIC_READ if name in read else 0)
        rows.append(member(name, 1 if name == "a" else 2, flags,
                           0 if name == "a" else 100))
    site.prober.told(site.prober.tell(rows, write, observe=observe))


def test_a_decides_and_counts(site):
    c = site.conn()
    tell(site)
    f = c.ask(route(1, 1, "write"))
    assert f.vars == {"action": "observe", "server": "a", "reason": "leader"}
    f = c.ask(route(2, 1, "read"))
    assert (f.vars["action"], f.vars["server"] in "bc") == ("observe", True)
    stats = site.stats(decisions=2, routed_write=1, routed_read=1)
    assert stats["observed"] == (1, 1, 0, 0, 0, 0)
    assert stats["split"] == {"main": (1, 1, 0, 0, 0, 0)}


def test_a_differences(site):
    c = site.conn()
    n = [0] * 6

    def ask(listen, at, **how):
        tell(site, **how)
        f = c.ask(route(sum(n) + 1, 1, listen, first=startup(user="x")))
        assert f.vars["action"] == "observe", f.vars
        n[at] += 1

    ask("write", 3, up=("b",))           # the old leader
    ask("write", 3, up=("a", "b"))
    ask("write", 3, up=())
    ask("write", 3, write=-1, up=("a",))  # nobody is decided: it would wait
    ask("write", 0, write=-1, up=())
    ask("write", 0)
    ask("read", 4, read=("a", "b", "c"))  # a read on the leader
    ask("read", 4, read=())
    ask("read", 1)
    assert site.stats(decisions=9)["observed"] == tuple(n)


def test_a_who_was_held_goes_at_once(site):
    c = site.conn()
    tell(site, write=-1, observe=0)
    c.send(hold(1, 1, "write"))
    assert c.is_silent()
    tell(site, write=-1)
    f = c.next()
    assert f.vars["action"] == "observe" and "server" not in f.vars
    f = c.ask(route(2, 1, "write"))
    assert f.vars["action"] == "observe", "nobody waits"
    tell(site, observe=0)
    assert c.ask(route(3, 1, "write")).vars["action"] == "write", "live again"
