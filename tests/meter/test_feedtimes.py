"""The feed's times on made histories."""

import feedtimes
from history import MS
from made import Made


def told(made, at, leader, write=None, planned=False):
    """A snapshot: who leads, who gets writes."""
    made.add(at, "feed", write=write, planned=planned, members={
        name: {"role": "leader" if name == leader else "replica"}
        for name in "abc"})


def failover():
    """a dies at 1000, the key is b's at 2000, b is writable at 2100."""
    made = Made()
    told(made, 1, "a", "a")
    made.event(1000)
    told(made, 1008, "a")
    made.key(1500, None)
    told(made, 1503, None)
    made.key(2000, "b")
    told(made, 1999, "b")
    made.says(2100, "b", "primary", before=2098 * MS)
    told(made, 2115, "b", "b")
    return made


def test_times_of_a_failover():
    h = failover().history()
    assert feedtimes.key_to_feed(h, 1000 * MS) == [
        (None, 3 * MS), ("b", -1 * MS)]
    assert feedtimes.writable_to_feed(h) == {
        "seen": 15 * MS, "most": 17 * MS}
    assert feedtimes.no_target(h, 1000 * MS) == 1008 * MS
    assert feedtimes.targets(h, 500 * MS, 3000 * MS) == [
        (1 * MS, "a"), (1008 * MS, None), (2115 * MS, "b")]


def test_an_event_that_nothing_showed_has_no_time():
    made = Made()
    told(made, 1, "a", "a")
    made.event(1000)
    made.key(1500, None)
    made.key(1600, "b")
    told(made, 1601, "b")
    h = made.history()
    assert feedtimes.key_to_feed(h, 1000 * MS) == [(None, None), ("b", MS)]
    assert feedtimes.writable_to_feed(h) == {"seen": None, "most": None}
    assert feedtimes.no_target(h, 1602 * MS) is None


def test_an_older_snapshot_shows_no_later_event():
    made = Made()
    told(made, 1, "a", "a")
    made.event(1000)
    made.key(1500, None)
    told(made, 1503, None)
    made.key(1600, "b")
    told(made, 1601, None)              # as it was before
    told(made, 1602, "b")
    made.key(1700, None)
    told(made, 1704, None)
    assert feedtimes.key_to_feed(made.history(), 1000 * MS) == [
        (None, 3 * MS), ("b", 2 * MS), (None, 4 * MS)]


def test_what_another_member_says_is_not_the_new_leader():
    made = failover()
    made.says(1050, "c", "replica", before=1040 * MS)
    assert feedtimes.writable_to_feed(made.history())["most"] == 17 * MS


def test_a_hold_ends():
    made = Made()
    told(made, 1, "a", "a")
    told(made, 1000, "a", "a", planned=True)
    told(made, 1010, "a")
    told(made, 1025, "a", "a")
    told(made, 1500, "a", "a", planned=True)
    told(made, 1501, "a", "a")
    h = made.history()
    assert feedtimes.first_hold(h, 500 * MS) == 1000 * MS
    assert feedtimes.first_hold(h, 1502 * MS) is None
    assert feedtimes.held(h, 500 * MS) == 26 * MS
