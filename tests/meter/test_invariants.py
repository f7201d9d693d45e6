"""Each invariant on a made history that holds, and on ones that break it."""

import pytest

import invariants as inv
from made import Made, switchover


def broken(check):
    """The sentences of a check, which must have looked at something."""
    assert check.checked > 0
    return [why for why, _ in check.violations]


# --- I1 ----------------------------------------------------------------


def test_i1_holds():
    made = switchover()
    made.session("w", "a")
    assert broken(inv.i1_leader_only(made.history())) == []


def test_i1_a_write_on_a_standby():
    made = switchover()
    line = made.tried(9000, "w", "c", rec=True)
    check = inv.i1_leader_only(made.history())
    assert len(broken(check)) == 1 and "recovery" in broken(check)[0]
    assert check.violations[0][1][0] == line


def test_i1_a_write_on_a_primary_that_lost_the_key():
    made = switchover()
    made.says(4600, "a", "primary")
    made.tried(4600, "w", "a")          # b is named since 4400
    check = inv.i1_leader_only(made.history())
    assert len(broken(check)) == 1
    assert [x["ev"] for x in check.violations[0][1]] == ["try", "etcd"]
    # With the watch dead, evidence of 3 s ago may still have said a.
    assert broken(inv.i1_leader_only(made.history(), watch=None)) == []


def test_i1_evidence_has_an_age():
    made = switchover()
    made.tried(7500, "w", "a")          # 3.2 s after the key was lost
    assert broken(inv.i1_leader_only(made.history(), watch=None))


def test_i1_what_was_decided_before_the_key_moved_is_right():
    made = switchover()
    made.tried(4260, "w", "a", took=300)
    assert broken(inv.i1_leader_only(made.history())) == []


def test_i1_a_held_connection_was_decided_late():
    made = switchover()
    # It waited since before the key moved, and then came to a, alive.
    made.sampled(100, 9000, "a", "primary", "0/2000")
    made.tried(4000, "w", "a", took=2500)
    assert broken(inv.i1_leader_only(made.history()))


def test_i1_a_held_connection_on_a_silent_member_is_not_known():
    made = switchover()
    made.tried(4000, "w", "a", took=2500)
    assert broken(inv.i1_leader_only(made.history())) == []


def test_i1_without_a_key():
    made = Made()
    made.key(1000, None)
    made.traffic(0, 9000, "w", "a")
    assert broken(inv.i1_leader_only(made.history()))
    assert broken(inv.i1_leader_only(made.history(), keyless=True)) == []


def test_i1_a_session_opened_on_a_standby():
    made = switchover()
    made.session("w", "c", at=9000, rec=True)
    assert broken(inv.i1_leader_only(made.history()))


def test_i1_before_the_watch_told_anything():
    made = Made()
    made.lines[0]["at"] = 50 * inv.MS           # the initial leader key
    made.tried(10, "w", "a")
    assert inv.i1_leader_only(made.history()).checked == 0
    made.tried(60, "w", "a")
    check = inv.i1_leader_only(made.history())
    assert check.checked == 1 and check.violations == []


def test_i1_nothing_is_proved_by_nothing():
    made = Made()
    made.tried(10, "w", rc="refused")
    check = inv.i1_leader_only(made.history())
    assert check.checked == 0
    with pytest.raises(AssertionError, match="nothing was examined"):
        inv.demand(check)


def test_demand_shows_the_lines():
    made = switchover()
    made.tried(9000, "w", "c", rec=True)
    with pytest.raises(AssertionError, match="10.0.0.3") as found:
        inv.demand(inv.i1_leader_only(made.history()))
    assert found.value.lines[0]["who"] == "10.0.0.3"
    inv.demand(inv.i1_leader_only(switchover().history()))


# --- I3 ----------------------------------------------------------------


def test_i3_holds():
    made = switchover()
    made.session("w", "a")
    for sent in range(100, 3200, 20):
        made.statement(sent, "w", "a")
    made.statement(4450, "w", "a")      # within T_cut of the naming, 4400
    made.closed(4480, "w", "a")
    made.session("r", "a", at=9000)     # a replica by then
    made.statement(9500, "r", "a", rec=True)
    assert broken(inv.i3_no_lingering(made.history())) == []


def test_i3_a_statement_too_late():
    made = switchover()
    made.session("w", "a")
    made.statement(4600, "w", "a")
    check = inv.i3_no_lingering(made.history())
    assert len(broken(check)) == 1
    assert check.violations[0][1][0]["ev"] == "stmt"


def test_i3_through_another_port_on_the_leader():
    made = switchover()
    made.session("r", "a", rec=False)   # by fallback
    made.statement(4600, "r", "a")
    assert len(broken(inv.i3_no_lingering(made.history()))) == 1


def test_i3_the_keys_absence_closes_nothing():
    made = Made()
    made.key(1000, None)
    made.session("w", "a")
    made.statement(5000, "w", "a")
    assert broken(inv.i3_no_lingering(made.history())) == []


def test_i3_before_the_watch_told_anything():
    made = Made()
    made.lines[0]["at"] = 50 * inv.MS
    made.session("w", "a")
    made.statement(20, "w", "a")
    assert inv.i3_no_lingering(made.history()).checked == 0


def test_i3_a_failed_statement_was_not_executed():
    made = switchover()
    made.session("w", "a")
    made.statement(4600, "w", "a", rc="sql")
    assert broken(inv.i3_no_lingering(made.history())) == []


def test_i3_an_unanswered_statement_is_ambiguous():
    made = switchover()
    made.session("w", "a")
    made.closed(4700, "w", "a", unanswered=4600 * inv.MS)
    check = inv.i3_no_lingering(made.history())
    assert broken(check) == [] and len(check.ambiguous) == 1
    made = switchover()
    made.session("w", "a")
    made.closed(4700, "w", "a", unanswered=4450 * inv.MS)
    check = inv.i3_no_lingering(made.history())
    assert check.ambiguous == [] and check.checked == 1


# --- I16 ---------------------------------------------------------------


def test_i16_holds():
    assert broken(inv.i16_reads(switchover().history())) == []


def test_i16_a_read_on_the_primary():
    made = switchover()
    made.tried(9000, "r", "b", rec=False)
    assert len(broken(inv.i16_reads(made.history()))) == 1


def test_i16_a_read_on_the_primary_where_nobody_else_runs():
    made = Made()
    made.says(100, "b", "refused")
    made.says(100, "c", "refused")
    made.tried(3000, "r", "a", rec=False)
    assert broken(inv.i16_reads(made.history())) == []


def test_i16_a_read_on_who_took_the_key():
    made = switchover()
    made.tried(4430, "r", "b", rec=True)        # named at 4400, not yet up
    assert "taken" in broken(inv.i16_reads(made.history()))[0]
    made = switchover()
    made.tried(4405, "r", "b", rec=True)        # nobody could know yet
    assert broken(inv.i16_reads(made.history())) == []


def test_i16_a_failed_read():
    made = switchover()
    made.sampled(0, 17000, "c", "replica", "0/2000", streaming=True)
    made.tried(4350, "r", rc="fin")
    assert "failed" in broken(inv.i16_reads(made.history()))[0]


def test_i16_a_failed_read_with_no_replica():
    made = Made()
    for name in ("b", "c"):
        made.says(1000, name, "refused")
    made.sampled(0, 900, "c", "replica", "0/1000", streaming=True)
    made.tried(500, "r", "c")
    made.tried(2500, "r", rc="fin")
    assert broken(inv.i16_reads(made.history())) == []


def test_i16_a_failed_read_while_the_last_replica_died():
    made = Made()
    made.says(500, "b", "refused")
    made.sampled(0, 2000, "c", "replica", "0/1000", streaming=True)
    made.tried(4500, "r", rc="fin")     # c has said nothing for 2.5 s
    made.says(5000, "c", "silent")
    assert broken(inv.i16_reads(made.history())) == []


def test_i16_a_failed_read_while_the_last_replica_is_promoted():
    made = Made()
    made.says(500, "b", "refused")
    made.sampled(0, 9000, "c", "replica", "0/1000", streaming=True)
    made.key(4000, "c")
    made.tried(4500, "r", rc="fin")
    assert broken(inv.i16_reads(made.history())) == []
    made.key(4100, "a")
    made.tried(7500, "r", rc="fin")
    assert len(broken(inv.i16_reads(made.history()))) == 1


def lagging(lsn, streaming=True, since=20000):
    """c stands at that LSN from `since` on; a is confirmed all along."""
    made = Made()
    made.sampled(0, 30000, "a", "primary", "0/9000000")
    made.sampled(0, since, "c", "replica", "0/9000000", streaming=True)
    made.says(since, "c", "replica", streaming=streaming, lsn=lsn)
    made.sampled(since + 10, 30000, "c", "replica", lsn,
                 streaming=streaming)
    made.traffic(14000, 20000, "r", "b", "c")
    return made


def test_i16_lag():
    made = lagging("0/9000000")
    made.tried(25000, "r", "c")
    assert broken(inv.i16_reads(made.history())) == []
    made = lagging("0/7000000")
    made.tried(25000, "r", "c")
    assert "behind" in broken(inv.i16_reads(made.history()))[0]


def test_i16_lag_has_a_grace_before_leaving():
    made = lagging("0/7000000")
    made.tried(21000, "r", "c")
    assert broken(inv.i16_reads(made.history())) == []


def test_i16_lag_binds_only_under_a_confirmed_leader():
    made = lagging("0/7000000")
    made.key(15000, None)
    made.key(16000, "a")
    made.tried(25000, "r", "c")
    assert broken(inv.i16_reads(made.history())) == []


def test_i16_not_streaming():
    made = lagging("0/9000000", streaming=False)
    made.tried(25000, "r", "c")
    assert "not streaming" in broken(inv.i16_reads(made.history()))[0]


# --- I17 ---------------------------------------------------------------

PAIRS = {"w": "cw", "r": "cr"}


def both(since=0, until=1000):
    """Both ways, steady."""
    made = Made()
    for label in ("w", "cw"):
        made.traffic(since, until, label, "a")
    for label in ("r", "cr"):
        made.traffic(since, until, label, "b", "c")
    return made


def test_i17_holds():
    made = both()
    made.session("w", "a")
    made.session("cw", "a")
    assert broken(inv.i17_no_harm(made.history(), PAIRS)) == []


def test_i17_a_failure_of_ours_alone():
    made = both()
    made.tried(505, "w", rc="fin")
    assert "served" in broken(inv.i17_no_harm(made.history(), PAIRS))[0]


def test_i17_a_misrouting_of_ours_alone():
    made = both()
    made.tried(505, "w", "b", rec=True)
    assert broken(inv.i17_no_harm(made.history(), PAIRS))


def test_i17_the_control_failed_too():
    made = both()
    made.tried(505, "w", rc="fin")
    made.tried(510, "cw", rc="fin")
    assert broken(inv.i17_no_harm(made.history(), PAIRS)) == []


def test_i17_without_a_control_nothing_is_known():
    made = both(until=300)
    made.tried(505, "w", rc="fin")
    assert broken(inv.i17_no_harm(made.history(), PAIRS)) == []


def test_i17_looks_at_its_time_only():
    made = both()
    made.tried(505, "w", rc="fin")
    check = inv.i17_no_harm(made.history(), PAIRS, until=500 * inv.MS)
    assert broken(check) == []


def test_i17_a_session_closed():
    made = both(until=4000)
    made.session("r", "b")
    made.session("cr", "b")
    made.closed(900, "r", "b")
    assert "closed" in broken(inv.i17_no_harm(made.history(), PAIRS))[0]


def test_i17_a_session_that_the_control_lost_too():
    made = both(until=4000)
    made.session("r", "b")
    made.session("cr", "b")
    made.closed(900, "r", "b")
    made.closed(1500, "cr", "b")
    assert broken(inv.i17_no_harm(made.history(), PAIRS)) == []


def test_i17_other_sessions_prove_nothing():
    made = both(until=4000)
    made.session("r", "b")
    made.session("cr", "c")             # elsewhere
    made.session("cr", "b", n=1, at=2000)       # opened later
    made.closed(900, "r", "b")
    assert broken(inv.i17_no_harm(made.history(), PAIRS)) == []


def test_i17_a_refused_statement_is_harm_too():
    made = both()
    made.tried(505, "w", "a", rc="sql", state="25006")
    assert broken(inv.i17_no_harm(made.history(), PAIRS))


def test_i17_a_control_that_misroutes_serves_nobody():
    made = both()
    made.tried(505, "r", rc="fin")
    made.tried(507, "cr", "a", rec=False)
    assert broken(inv.i17_no_harm(made.history(), PAIRS)) == []


def test_i17_a_deposed_leaders_session_must_go():
    made = both(until=9000)
    made.session("w", "a")
    made.session("cw", "a")
    made.key(5000, "b")
    made.closed(5050, "w", "a")
    assert broken(inv.i17_no_harm(made.history(), PAIRS)) == []


# --- acknowledged writes -----------------------------------------------


def test_lost_writes():
    made = Made()
    made.traffic(0, 100, "w", "a")
    rows = {("w", n) for n in range(1, 11)}
    assert broken(inv.lost_writes(made.history(), rows)) == []
    check = inv.lost_writes(made.history(), rows - {("w", 7)})
    assert len(broken(check)) == 1
    assert check.violations[0][1][0]["n"] == 7
