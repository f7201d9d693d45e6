"""
The leader changes under load, every way it can, with the stock classic
configuration beside on the same cluster as the control: where it is not seen
to do worse, the run proved nothing.
"""

import invariants
import path
import pytest
from invariants import demand
from scenarios import SCENARIOS, Scenario, run_once

pytestmark = pytest.mark.usefixtures("lab")

FIRST_WRITE = 0.2               # s after the new leader is writable
SESSIONS = 0.2                  # s after the key named another
WRITES = ["write", "mixed"]


def change(lab, tmp_path, name, **options):
    """One run; its history and the numbers by label."""
    h = path.measured(lambda: run_once(
        lab, name, path.targets(mixed=True), tmp_path / "h.jsonl",
        **options))
    return h, path.numbers(h)


def demand_ours(lab, h, found):
    """What must hold of ours in every change of the leader."""
    with path.explained(lab, h, [*WRITES, "read"]):
        demand(invariants.i1_leader_only(h, labels=WRITES),
               invariants.i3_no_lingering(h, labels=WRITES),
               invariants.i16_reads(h, labels=["read"],
                                    until=h.mark_at("undo")))
        for label in WRITES:
            assert found[label]["misrouted"]["n"] == 0
        assert found["read"]["misrouted"]["n"] == 0
        assert found["read"]["failed"]["n"] == 0, found["read"]["failed"]
        assert found["write"]["first_right_write"] <= FIRST_WRITE


def demand_sessions(found, label="write"):
    """Sessions on the old leader were closed in time."""
    old = found[label]["old_sessions"]
    assert old["n"] > 0 and old["open"] == 0
    assert old["after_named"] is None or old["after_named"] <= SESSIONS


def test_switchover(lab, tmp_path):
    """Planned: nobody fails, nobody comes to the wrong member."""
    h, found = change(lab, tmp_path, "switchover", after=8.0)
    demand_ours(lab, h, found)
    demand_sessions(found)
    with path.explained(lab, h, WRITES):
        for label in WRITES:
            assert found[label]["failed"]["n"] == 0, found[label]["failed"]
    classic = found["classic-write"]
    assert classic["misrouted"]["n"] + classic["failed"]["n"] > 0
    assert found["classic-read"]["misrouted"]["n"] > 0
    assert invariants.i1_leader_only(h, labels=["classic-write"]).violations


def test_leader_killed(lab, tmp_path):
    """The host is gone without a word: writes wait or get a sentence."""
    h, found = change(lab, tmp_path, "kill", after=8.0)
    demand_ours(lab, h, found)
    assert found["classic-write"]["first_right_write"] > FIRST_WRITE
    assert invariants.i16_reads(h, labels=["classic-read"]).violations


def test_leader_frozen_and_thawed(lab, tmp_path):
    """What thaws is no leader any more, whatever it believes; and sessions
    on it end in HAProxy's old processes too, where nothing else ends them."""
    vip = lab.status()["vip"]

    def reload(lab_, meter):
        lab_.reload(vip)
        meter.run(1)
        for label in [*WRITES, "classic-write"]:
            meter.hold(label, 2, "after-reload")
        lab_.reload(vip)
        meter.run(1)
    h, found = change(lab, tmp_path, "freeze", after=6.0, through=4.0,
                      prepare=reload)
    demand_ours(lab, h, found)
    for label in WRITES:
        demand_sessions(found, label)
        assert found[label]["old_sessions"]["n"] >= 5
    assert found["classic-write"]["first_right_write"] > FIRST_WRITE
    # The old processes' own checks ended with the reload.
    control = found["classic-write"]["old_sessions"]
    assert control["open"] or control["after_named"] > SESSIONS


def test_patroni_stopped(lab, tmp_path):
    """Patroni stops PostgreSQL and gives the key away."""
    h, found = change(lab, tmp_path, "stop-patroni", after=8.0)
    demand_ours(lab, h, found)
    demand_sessions(found)
    assert found["classic-write"]["first_right_write"] > FIRST_WRITE


def test_switchover_without_us(lab, tmp_path, monkeypatch):
    """Prober and agent dead: the third way does as well as the classic."""
    vip = lab.status()["vip"]
    monkeypatch.setitem(SCENARIOS, "alone", Scenario(
        "a switchover, and then ours are started again",
        lambda lab_, leader: lab_.switchover(),
        lambda lab_, leader: lab_.start(vip)))

    def kill(lab_, meter):
        for program in ("agent", "prober"):
            lab_.kill_program(vip, program)
        meter.run(2)
    h = path.measured(lambda: run_once(
        lab, "alone", path.targets(), tmp_path / "h.jsonl", after=8.0,
        prepare=kill))
    found = path.numbers(h)
    with path.explained(lab, h, path.OURS):
        for ours, classic in path.CONTROL.items():
            assert found[ours]["misrouted"]["n"] <= \
                found[classic]["misrouted"]["n"]
        assert found["write"]["first_right_write"] <= \
            found["classic-write"]["first_right_write"]
