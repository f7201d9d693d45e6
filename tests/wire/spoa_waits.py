"""
The agent's waits that are not for a leader: a replica that has replayed an
LSN, each listener's own hold, and what a pause of the agent must not do.
"""
import contextlib
import signal
import time

import pytest

from spoa_lib import (AGE_STALE, Agent, DeskClient, Prober, SLOW, folder, hold,
                      leader, member, paused, route, startup, wait_until)
from spoa_protocol import Site, site
from wire_lib import unstalled

__all__ = ["folder", "site"]


def wanting(lsn, target="replica"):
    return startup(user="x", options=f"-c patroute.target={target} "
                   f"-c patroute.min_lsn=0/{lsn:X}")


def tell(site, *lsn, write=0):
    """The leader a and replicas with these replay LSNs."""
    rows = [leader("a", lsn=9999)] + [member(n, lsn=v)
                                      for n, v in zip("bcd", lsn)]
    site.prober.told(site.prober.tell(rows, write))


def test_a1_who_has_it_is_taken_at_once(site):
    c = site.conn()
    tell(site, 100, 200)
    for i in range(6):
        f = c.ask(route(i + 1, 1, "mixed", first=wanting(150)))
        assert (f.vars["action"], f.vars["server"]) == ("read", "c")
    f = c.ask(route(9, 1, "mixed", first=wanting(201)))
    assert f.vars == {"action": "hold", "reason": "min-lsn"}
    f = c.ask(route(10, 1, "mixed", first=wanting(1 << 30, "primary")))
    assert f.vars["action"] == "write"


def test_a2_waits_for_the_snapshot_that_has_it(site):
    c = site.conn()
    tell(site, 100, 100)
    wants = site.prober.wants
    for i, lsn in enumerate((150, 160, 170)):
        c.send(hold(i + 1, 1, "mixed", first=wanting(lsn)))
    wait_until(lambda: site.prober.wants > wants, "WANT")
    tell(site, 100, 160)
    got = [c.next(), c.next()]
    assert sorted(f.stream for f in got) == [1, 2]
    assert all(f.vars["server"] == "c" for f in got)
    # Asked for again every 20 ms, as long as somebody waits.
    wants = site.prober.wants
    wait_until(lambda: site.prober.wants > wants, "WANT again")
    tell(site, 170, 160)
    f = c.next()
    assert f.stream == 3 and f.vars["server"] == "b"
    assert site.stats(lsn_waited=3, routed_read=3)["lsn_late"] == 0


def test_a3_then_the_primary(site):
    c = site.conn()
    tell(site, 100, 100)
    began = time.monotonic()
    f = c.ask(hold(1, 1, "mixed", first=wanting(150)))
    took = time.monotonic() - began
    assert (f.vars["action"], f.vars["server"]) == ("fallback", "a")
    assert took >= 0.199
    # Whoever has no replica at all need not wait.
    site.prober.told(site.prober.tell([leader("a", lsn=9999)], 0))
    f = c.ask(route(2, 1, "mixed", first=wanting(150)))
    assert f.vars["action"] == "fallback"
    assert site.stats(lsn_waited=1, lsn_late=1, routed_fallback=2)


def test_a4_no_primary_either(folder):
    """What is left of the hold is for a leader; then the desk."""
    rows = [member("b", lsn=100), member("c", lsn=100)]
    with Site(folder, hold_timeout="60s") as site:
        c = site.conn()
        site.prober.told(site.prober.tell(rows))
        # No leader: such a read waits for its replica no longer than others.
        assert c.ask(route(7, 1, "mixed", first=wanting(150))).vars == {
            "action": "hold", "reason": "min-lsn"}
        c.send(hold(1, 1, "mixed", first=wanting(150)))
        assert site.stats(lsn_late=1)["hold_now"] == 1
        tell(site, 100, 100)
        f = c.next()
        assert (f.vars["action"], f.vars["server"]) == ("fallback", "a")
        site.prober.told(site.prober.tell(rows))
        site.agent.write(hold_timeout="700ms")
        reload(site)
        began = time.monotonic()
        f = c.ask(hold(2, 1, "mixed", first=wanting(150)))
        assert f.vars["action"] == "desk"
        assert time.monotonic() - began > 0.65           # hold_timeout


def test_a5_they_take_no_place_of_others(folder):
    """hold_max of them; one more is served by the primary at once."""
    with Site(folder, hold_max=2, min_lsn_wait="10s",
              hold_timeout="10s") as site:
        c = site.conn()
        tell(site, 100, 100)
        for i in range(2):
            c.send(hold(i + 1, 1, "mixed", first=wanting(150)))
        assert site.stats(lsn_waited=2)["lsn_now"] == 2
        f = c.ask(hold(3, 1, "mixed", first=wanting(150)))
        assert f.vars["action"] == "fallback"
        f = c.ask(route(4, 1, "mixed", first=wanting(150)))
        assert f.vars["action"] == "fallback"
        site.prober.told(site.prober.tell(
            [member("b", lsn=100), member("c", lsn=100)]))
        f = c.ask(route(5, 1, "write"))
        assert f.vars["action"] == "hold"
        # Their connection goes, and they with it.
        c.s.close()
        wait_until(lambda: site.prober.stats["lsn_now"] == 0, "gone")


def test_a6_who_may_not_fall_back_is_refused_soon(folder):
    """Long before hold_timeout, with the reason."""
    listen = Agent.LISTEN.replace(
        "target = replica\n", "target = replica\n\tfallback = none\n", 1)
    site = Site(folder, hold_timeout="60s")
    site.agent.write(listen)
    with site:
        c = site.conn()
        # That of a change of the leader is over.
        site.prober.told(site.prober.tell([leader("a")], 0, since_ms=10000))
        assert c.ask(route(1, 1, "read")).vars == {
            "action": "hold", "reason": "no-replica"}
        began = time.monotonic()
        c.send(hold(2, 1, "read"))
        f = c.next()
        assert f.vars == {"action": "desk", "reason": "no-replica"}
        assert time.monotonic() - began >= 1.9
        # A replica that is there in time is taken.
        c.send(hold(3, 1, "read"))
        tell(site, 1)
        assert c.next().vars["server"] == "b"


def test_b1_each_listener_has_its_own_hold(folder):
    listen = Agent.LISTEN.replace(
        "target = primary\n", "target = primary\n\thold_max = 1\n"
        "\thold_timeout = 1500ms\n", 1)
    site = Site(folder, hold_timeout="60s")
    site.agent.write(listen)
    with site:
        site.tell_nobody()
        c = site.conn()
        began = time.monotonic()
        c.send(hold(1, 1, "write"))
        assert c.ask(hold(2, 1, "write")).vars["action"] == "desk"
        assert c.ask(route(3, 1, "write")).vars["action"] == "desk"
        strict = startup(user="x", options="-c patroute.target=primary")
        c.send(hold(4, 1, "mixed", first=strict))
        f = c.next()
        assert f.stream == 1 and f.vars["action"] == "desk"
        assert time.monotonic() - began > 1.45
        # The other's goes on, and the place is free again.
        site.prober.normal()
        f = c.next()
        assert f.stream == 4 and f.vars["action"] == "write"
        assert c.ask(hold(5, 1, "write")).vars["action"] == "write"


def test_c1_paused_while_it_releases(folder):
    """What came during the pause is heard before the next is released."""
    with Site(folder, hold_release_rate=20, hold_timeout="20s") as site:
        site.tell_nobody()
        c = site.conn()
        for i in range(30):
            c.send(hold(i + 1, 1, "write"))
        assert site.stats(held=30)
        site.prober.tell([leader("a"), member("b")], 0)
        assert c.next().vars["server"] == "a"
        before = []
        with paused(site.agent):
            # Some may have left before it stopped; nothing leaves meanwhile.
            while not c.is_silent():
                before.append(c.next().vars["server"])
            site.prober.tell([member("a"), leader("b")], 1)
            time.sleep(0.3)          # for which the pace lets some more go
        after = [c.next().vars["server"] for _ in range(29 - len(before))]
        assert set(before) <= {"a"} and set(after) == {"b"}


def reload(site):
    """The agent takes its configuration anew."""
    before = site.agent.text().count("reload clusters=")
    site.agent.process.send_signal(signal.SIGHUP)
    wait_until(lambda: site.agent.text().count("reload clusters=") > before,
               "reloaded")


def test_c2_paused_over_three_verdicts(folder):
    """Only the newest counts: nobody goes where the first one says."""
    with Site(folder, hold_timeout="20s") as site:
        site.tell_nobody()
        c = site.conn()
        for i in range(30):
            c.send(hold(i + 1, 1, "write"))
        assert site.stats(held=30)
        with paused(site.agent):
            site.prober.tell([leader("a"), member("b")], 0)
            site.prober.tell([member("a"), member("b")])
            site.prober.tell([member("a"), leader("b")], 1)
        assert [c.next().vars["server"] for _ in range(30)] == ["b"] * 30


def test_c3_paused_over_many_verdicts(folder):
    """As many as the kernel keeps are read before anybody is decided."""
    with Site(folder) as site:
        c = site.conn()
        with paused(site.agent):
            for _ in range(50):
                site.prober.tell([leader("a"), member("b")], 0)
            site.prober.tell([member("a"), leader("b")], 1)
            c.send(route(1, 1, "write"))
        assert c.next().vars["server"] == "b"


def test_c4_a_prober_that_comes_is_asked_at_once(folder):
    """Its first snapshot is of use as soon as an ECHO can be here."""
    with Site(folder, stale_after="3s") as site:
        site.prober.stop()
        wait_until(lambda: "fresh=no" in site.agent.text(), "stale", 10)
        site.prober = Prober(site.agent.feed, boot_id=9)
        site.prober.age_ms = AGE_STALE        # vouches for nothing yet
        site.prober.normal()
        c = site.conn()
        assert c.ask(route(1, 1, "write")).vars == {}
        wait_until(lambda: len(site.prober.ping_at) >= 9, "asked and asked")
        site.prober.age_ms = 0
        wait_until(lambda: c.ask(route(2, 1, "write")).vars, "it decides")
        # Steadily it asks each half second; here most gaps are of 100 ms.
        at = site.prober.ping_at[:9]
        assert sorted(b - a for a, b in zip(at, at[1:]))[2] < 0.4


def test_c5_another_stale_after(folder):
    """The feed begins anew, and the agent goes on to decide."""
    with Site(folder, stale_after="4s") as site:
        site.agent.write(stale_after="3s")
        before = len(site.prober.seen)
        reload(site)
        wait_until(lambda: len(site.prober.seen) > before, "taken anew")
        wait_until(site.decides, "it decides")


def test_c6_the_age_of_what_is_decided_by(folder):
    """A cluster that the configuration has no more does not count."""
    with Site(folder) as site:
        site.prober.told(site.prober.normal("gone"))
        site.prober.stale = {"gone"}
        asked = len(site.prober.ping_at)
        wait_until(lambda: len(site.prober.ping_at) > asked + 1, "echoed")
        site.prober.stats = None
        assert site.stats()["snapshot_age_ms"] < 10000 * SLOW
        site.prober.stale.add("main")
        wait_until(lambda: site.stats()["snapshot_age_ms"] == AGE_STALE,
                   "the other's does")


def stop_while_somebody_speaks(folder):
    """What a client of the desk gets that is at its first words then."""
    with Site(folder) as site:
        d = DeskClient(site.agent.desk)
        first = startup(user="x")
        d.send(first[:9])
        c = site.conn()
        c.ask(route(1))                      # the desk's was accepted before
        c.close()
        before = site.agent.text().count("stop signal=")
        site.agent.process.send_signal(signal.SIGTERM)
        wait_until(lambda: site.agent.text().count("stop signal=") > before,
                   "stops")
        time.sleep(0.1)                      # for all that ends at once
        with contextlib.suppress(BrokenPipeError):
            d.send(first[9:])
        said = d.rest()
        d.s.close()
        site.agent.process.wait(2 * SLOW)
    return said


def test_d1_who_talks_to_the_desk_hears_it_out(folder):
    said = unstalled(lambda: stop_while_somebody_speaks(folder),
                     lambda said: said[:1] == b"E", 0.2)
    assert b"57P03" in said


def test_r1_many_of_one_connection_leave_at_once(folder):
    """More answers than its buffer holds: each of them arrives."""
    with Site(folder, min_lsn_wait="10s", hold_release_rate=100000,
              hold_timeout="20s") as site:
        c = site.conn()
        tell(site, 100, 100)
        c.send(b"".join(hold(i + 1, 1, "mixed", first=wanting(150))
                        for i in range(400)))
        assert site.stats(lsn_waited=400)["lsn_now"] == 400
        tell(site, 150, 150)
        assert [c.next().stream for _ in range(400)] == list(range(1, 401))
        # Likewise where they go by a reload: HAProxy's second way is theirs.
        site.tell_nobody()
        c.send(b"".join(hold(i + 1, 2, "write") for i in range(400)))
        assert site.stats(held=400)["hold_now"] == 400
        site.agent.write(Agent.LISTEN.replace("listen write", "listen other"))
        site.agent.process.send_signal(signal.SIGHUP)
        got = [c.next() for _ in range(400)]
        assert all(f.unset == ["action"] for f in got)
        assert [f.stream for f in got] == list(range(1, 401))


def test_r2_who_does_not_read_is_not_counted_as_routed(folder):
    """Its answers find no room: they are lost, counted, and it is said."""
    with Site(folder, hold_release_rate=100000, hold_timeout="60s") as site:
        site.tell_nobody()
        c = site.conn()
        c.send(b"".join(hold(i + 1, 1, "write") for i in range(500)))
        before = site.stats(held=500)["routed_write"]
        flood = b"".join(route(i + 1, 2, "write") for i in range(500))
        c.s.settimeout(1 * SLOW)
        with pytest.raises(TimeoutError):
            while True:
                c.send(flood)
        site.prober.told(site.prober.tell([leader("a"), member("b")], 0))
        stats = site.stats(answers_lost=100)
        assert stats["answers_lost"] + stats["routed_write"] - before == 500
        assert site.agent.text().count("drop answer") == 1
        c.close()
