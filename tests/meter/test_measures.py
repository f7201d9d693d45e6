"""Each measure on a made history that is good and on one that is not."""

import measures
from history import MS, S
from made import Made, switchover


def test_steady_times():
    h = switchover().history()
    assert measures.event_at(h) == 3000 * MS
    assert measures.old_leader(h) == "a"
    assert measures.writable(h) == (4500 * MS, "b")
    assert measures.key_lost(h) == 4300 * MS
    assert measures.key_named(h) == (4400 * MS, "b")
    assert measures.invalid(h) == []


def test_writable_is_not_the_old_leader_that_was_frozen_and_came_back():
    made = Made()
    made.event(1000)
    made.says(2000, "a", "silent")
    made.says(3000, "a", "primary")
    made.says(9000, "b", "primary")
    assert measures.writable(made.history()) == (9000 * MS, "b")


def test_writable_is_the_old_leader_if_nobody_else_comes():
    made = Made()
    made.event(1000)
    made.says(2000, "a", "refused")
    made.says(3000, "a", "primary")
    assert measures.writable(made.history()) == (3000 * MS, "a")


def test_writable_may_never_come():
    made = Made()
    made.event(1000)
    h = made.history()
    assert measures.writable(h) is None
    assert measures.key_lost(h) is None
    assert measures.key_named(h) is None


def test_first_right_write():
    h = switchover().history()
    assert measures.first_right_write(h, "w") == 4504 * MS


def test_first_right_write_skips_the_misrouted():
    made = Made()
    made.event(1000)
    made.key(1100, "b")
    made.says(1200, "b", "primary")
    made.tried(1300, "w", "a", rec=True)
    made.tried(1400, "w", "b", rec=True)
    made.tried(1500, "w", "b", took=700)
    made.tried(1600, "w", "b")
    assert measures.first_right_write(made.history(), "w") == 1604 * MS


def test_first_right_write_may_never_come():
    made = Made()
    made.event(1000)
    made.says(1200, "b", "primary")
    made.tried(1300, "w", "a", rec=True)
    assert measures.first_right_write(made.history(), "w") is None


def test_misrouted_writes():
    made = switchover()
    assert measures.misrouted(made.history(), "w")["n"] == 0
    made.tried(5000, "w", "c", rec=True)
    made.tried(5500, "w", "c", rec=True)
    assert measures.misrouted(made.history(), "w") == {"n": 2,
                                                       "span": 500 * MS}


def test_a_read_only_leader_is_no_misrouting():
    made = Made()
    made.tried(10, "w", "a", rc="sql", state="25006")
    h = made.history()
    assert measures.misrouted(h, "w")["n"] == 0
    assert measures.failed(h, "w")["n"] == 1


def test_misrouted_reads():
    made = switchover()
    assert measures.misrouted(made.history(), "r")["n"] == 0
    made.tried(6000, "r", "b", rec=False)
    assert measures.misrouted(made.history(), "r")["n"] == 1


def test_a_read_on_the_primary_is_right_if_nobody_else_runs():
    made = Made()
    made.says(100, "b", "refused")
    made.says(100, "c", "silent")
    made.tried(200, "r", "a", rec=False)
    assert measures.misrouted(made.history(), "r")["n"] == 0


def test_a_deposed_member_is_no_replica_until_it_streams():
    made = Made()
    made.key(100, "c")
    made.key(1000, "a")
    made.says(100, "b", "refused")
    made.says(1100, "c", "replica", streaming=False)
    made.says(1100, "a", "primary")
    made.tried(2000, "r", "a", rec=False)
    assert measures.misrouted(made.history(), "r")["n"] == 0
    made.says(3000, "c", "replica")
    made.tried(4000, "r", "a", rec=False)
    assert measures.misrouted(made.history(), "r")["n"] == 1


def test_a_member_seen_promoted_by_the_read_itself():
    made = Made()
    made.says(100, "c", "refused")
    made.says(100, "a", "refused")
    made.tried(200, "r", "b", rec=False)        # the next poll will see it
    made.says(210, "b", "primary")
    assert measures.misrouted(made.history(), "r")["n"] == 0


def test_a_failed_read_is_not_misrouted():
    made = Made()
    made.tried(200, "r", rc="fin")
    assert measures.misrouted(made.history(), "r")["n"] == 0
    assert measures.failed(made.history(), "r")["n"] == 1


def test_what_comes_after_the_undoing_is_not_counted():
    made = switchover()
    made.add(9000, "mark", name="undo")
    made.tried(9500, "w", "c", rec=True)
    made.tried(9600, "w", rc="refused")
    made.tried(9700, "w", "b", took=5000)
    h = made.history()
    assert measures.misrouted(h, "w")["n"] == 0
    assert "refused" not in measures.failed(h, "w")["kinds"]
    assert measures.longest_wait(h, "w") == 4 * MS


def test_any_is_never_misrouted():
    made = Made()
    made.tried(10, "x", "a", rec=False)
    made.tried(20, "x", "b", rec=True)
    assert measures.misrouted(made.history(), "x")["n"] == 0


def test_failed():
    made = Made()
    made.tried(10, "w", rc="refused")
    made.tried(30, "w", rc="fatal", state="57P03")
    made.tried(50, "w", rc="unfinished")
    made.tried(60, "w", "b", rec=True)
    made.tried(70, "w", "a")
    got = measures.failed(made.history(), "w")
    assert got == {"n": 2, "span": 20 * MS,
                   "kinds": {"refused": 1, "fatal 57P03": 1}}


def test_longest_wait_counts_from_when_it_was_due():
    made = Made()
    made.tried(10, "w", "a", took=300, late=200)
    made.tried(20, "w", "a", took=30)
    made.tried(30, "w", rc="timeout", took=9000)
    assert measures.longest_wait(made.history(), "w") == 300 * MS


def test_longest_gap():
    h = switchover().history()
    # The last right one before it ended at 3284, the next at 4504.
    assert measures.longest_gap(h, "w") == (4504 - 3284) * MS
    made = switchover()
    made.lines = [x for x in made.lines if not
                  (x["ev"] == "try" and 5 * S < x["due"] < 8 * S)]
    assert measures.longest_gap(made.history(), "w") > 2900 * MS


def test_old_sessions():
    made = switchover()
    made.session("w", "a", n=0)
    made.session("w", "a", n=1)
    made.session("w", "b", n=2)         # sat elsewhere
    made.session("w", "a", n=3, at=9000)        # too late
    made.session("w", "a", n=4)
    made.closed(2000, "w", "a", n=4)            # before
    made.closed(3400, "w", "a", n=0)
    made.closed(4450, "w", "a", n=1)
    got = measures.old_sessions(made.history(), "w")
    assert got == {"n": 2, "open": 0, "after_event": 1450 * MS,
                   "after_lost": 150 * MS, "after_named": 50 * MS}


def test_old_sessions_that_stay():
    made = switchover()
    made.session("w", "a", n=0)
    made.session("w", "a", n=1)
    made.closed(9000, "w", "a", n=0, how="kept")
    got = measures.old_sessions(made.history(), "w")
    assert got["n"] == 2 and got["open"] == 2
    assert got["after_event"] is None


def test_late_starts():
    made = Made()
    made.tried(10, "w", "a", late=6)
    made.tried(20, "w", "a", late=4)
    made.tried(30, "w", rc="unstarted")
    assert measures.late_starts(made.history(), "w") == 2


def test_rate_before():
    h = switchover().history()
    assert measures.rate_before(h, "w", measures.event_at(h)) == 100
    assert measures.rate_before(h, "w", 4500 * MS) == 39.5


def test_steady():
    made = Made()
    made.traffic(0, 3000, "w", "a")
    made.traffic(0, 3000, "r", "b", "c")
    assert measures.is_steady(made.history())
    made.traffic(0, 3000, "cw", "b", rec=True)
    assert not measures.is_steady(made.history())
    made = Made()
    made.traffic(0, 1000, "w", "a")
    assert not measures.is_steady(made.history())


def test_too_little_traffic_is_invalid():
    made = Made()
    made.traffic(0, 3000, "w", "a", step=25)
    made.event(3000)
    why = measures.invalid(made.history())
    assert any("40 served" in each for each in why)
    assert any("w: 40 of 100" in each for each in why)


def test_a_target_that_is_not_served_is_invalid():
    made = Made()
    made.traffic(0, 3000, "w", "a")
    made.traffic(0, 3000, "r", "b", step=20)
    made.event(3000)
    why = measures.invalid(made.history())
    assert len(why) == 1 and "r: 50 of 100" in why[0]


def test_traffic_that_was_not_served_is_invalid():
    made = Made()
    for due in range(0, 3000, 10):
        made.tried(due, "w", rc="refused")
    made.event(3000)
    why = measures.invalid(made.history())
    assert any(each.startswith("0 served") for each in why)


def test_no_event_no_end_late_and_errors_are_invalid():
    made = Made()
    made.traffic(0, 3000, "w", "a", late=9)
    h = made.history(end=False)
    assert any("no end" in why for why in measures.invalid(h))
    assert any("no event" in why for why in measures.invalid(h))
    made.event(3000)
    made.add(1, "error", msg="hold: no such target")
    why = measures.invalid(made.history())
    assert any("late" in each for each in why)
    assert any("no such target" in each for each in why)


def stalled(ms, at):
    """A second of good traffic on both sides of the event at 3000, with one
    attempt that the meter started that late."""
    made = Made()
    made.event(3000)
    made.traffic(0, 5000, "w", "a")
    made.tried(at, "w", "a", late=ms, took=ms + 4)
    return made


def test_a_machine_that_stood_still_is_invalid_and_only_that():
    made = stalled(1200, 3500)
    # All that was due meanwhile is late as well: that is no second reason.
    made.traffic(3505, 4695, "w", "a", late=600, took=700)
    why = measures.invalid(made.history())
    assert why == ["the machine stood still for 1200 ms"]
    assert measures.is_only_stalled(why)
    made.add(1, "error", msg="hold: no such target")
    why = measures.invalid(made.history())
    assert len(why) == 2 and not measures.is_only_stalled(why)
    assert not measures.is_only_stalled([])


def test_a_stall_counts_from_the_event_and_above_its_bound():
    assert measures.invalid(stalled(400, 3500).history()) == []
    assert measures.invalid(stalled(401, 3500).history())
    assert measures.invalid(stalled(900, 1000).history()) == []
    # Due before the event, and held up beyond it.
    assert measures.invalid(stalled(900, 2900).history())
    made = stalled(0, 3500)
    made.tried(3600, "w", rc="unstarted")
    del made.lines[-1]["start"]
    assert measures.stall(made.history()) == 0


def test_delay_is_a_wait_without_the_machines_own():
    made = Made()
    made.traffic(0, 3000, "w", "a")
    made.traffic(0, 3000, "cw", "a", step=20)
    assert measures.delay(made.history(), "w") == 4 * MS
    made.tried(1005, "w", "a", took=104)
    assert measures.delay(made.history(), "w") == 104 * MS
    # All stands still for 300 ms: what was under way, and what became due.
    made.tried(1999, "w", "a", took=302)
    made.tried(2001, "cw", "a", late=298, took=301)
    made.tried(2015, "w", "a", late=285, took=385)
    h = made.history()
    assert measures.longest_wait(h, "w") == 385 * MS
    assert measures.delay(h, "w") == 104 * MS
    assert measures.delay(h, "w", since=1500 * MS) == 87 * MS
    assert measures.delay(h, "w", until=1000 * MS) == 4 * MS
    assert measures.delay(h, "w", since=4000 * MS) is None


def test_delay_is_not_excused_by_what_was_late_before_or_behind():
    made = Made()
    made.tried(1000, "cw", "a", late=300, took=302)
    made.tried(1301, "w", "a", took=200)
    made.tried(1501, "cw", "a", took=301)       # slow, but begun in time
    made.tried(1502, "cw", "a", late=300, took=301)
    made.tried(1400, "w", rc="fin", took=9000)  # failed: another's matter
    assert measures.delay(made.history(), "w") == 200 * MS


def test_summary_is_in_seconds():
    got = measures.summary(switchover().history())
    assert got["new_leader"] == "b" and got["invalid"] == []
    w = got["targets"][0]
    assert (w["writable"], w["first_right_write"]) == (1.5, 0.004)
    assert got["key_lost"] == 1.3 and got["key_named"] == 1.4


def test_summary_of_a_run_without_an_event():
    made = Made()
    made.tried(10, "w", "a")
    got = measures.summary(made.history())
    assert got["invalid"] and got["targets"] == []
