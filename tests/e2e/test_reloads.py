"""
I17 while everything of ours comes and goes: HAProxy's reloads, restarts of
agent and prober, upgrades of both in random order under 500 connections a
second close no session and fail no connection that the classic ports of that
HAProxy served. RELOADS_S seconds of it (300), by hand; SEED repeats an order.
"""

import os
import random
import time

import crowd
import invariants
import measures
import path
import pytest
import test_harm
from history import MS
from invariants import demand
from meter import Meter
from test_harm import CONTROL, HAP, IDLE, OURS

pytestmark = pytest.mark.slow

SECONDS = float(os.environ.get("RELOADS_S", "300"))
SEED = int(os.environ.get("SEED", "0")) or random.randrange(1, 10**6)


@pytest.fixture(scope="module", name="address", autouse=True)
def address_fixture(session_lab):
    """That of a load balancer with responders in PostgreSQL's place."""
    if session_lab.trouble():
        session_lab.up()
    with crowd.behind(session_lab, HAP):
        yield session_lab.host(HAP).address


def upgrade(lab):
    """As a package does it: both are stopped, then both start."""
    with lab.locked():
        for program in ("agent", "prober"):
            assert lab.machine(HAP).stop_program(program, 10)
    lab.start(HAP)


ACTS = {
    "reload": lambda lab: lab.reload(HAP),
    "agent": lambda lab: lab.restart_program(HAP, "agent"),
    "prober": lambda lab: lab.restart_program(HAP, "prober"),
    "upgrade": upgrade,
}


def dealt(dice):
    """Every act once in each round, in an order of the round's own."""
    while True:
        yield from dice.sample(list(ACTS), len(ACTS))


def befell(h, line):
    """One that failed: how, how long after what was done, and how many of
    the classic port's at that time were served."""
    start = line.get("start", line["due"])      # it may be unstarted
    act = max((mark for mark in h.marks if mark["at"] <= start),
              key=lambda mark: mark["at"], default=h.marks[0])
    beside = [t["rc"] == "ok" for t in h.of(
        CONTROL[line["label"]], line["due"] - 50 * MS, line["due"] + 50 * MS)]
    return {"label": line["label"], "rc": line["rc"],
            "state": line.get("state"), "after": act.get("text"),
            "ms": (start - act["at"]) // MS,
            "took_ms": (line["at"] - start) // MS,
            "classic": f"{sum(beside)} of {len(beside)}"}


def longest_ms(h, label):
    """None where none was served."""
    wait = measures.longest_wait(h, label)
    return None if wait is None else wait // MS


def test_reloads_and_restarts(lab, address, tmp_path):
    """No session is closed, old processes' too; none fails."""
    dice, done = random.Random(SEED), dict.fromkeys(ACTS, 0)
    acts = dealt(dice)
    with Meter(lab, test_harm.targets(address), tmp_path / "h.jsonl",
               idle=IDLE, member_every_ms=20) as m:
        m.run(2)
        m.mark("event", "harm")
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            act = next(acts)
            m.mark("act", act)
            ACTS[act](lab)
            done[act] += 1
            m.run(dice.uniform(0.2, 4))
        m.run(2)
    h = m.history
    kept = [s for s in h.sessions.values() if s.label in OURS]
    found = {"seed": SEED, **done, "sessions": len(kept),
             "closed": sum(s.closed_at is not None for s in kept),
             "attempts": sum(len(h.of(each)) for each in OURS),
             "failed": {each: measures.failed(h, each)["n"]
                        for each in h.labels()},
             "misrouted": {each: measures.misrouted(h, each)["n"]
                           for each in h.labels()},
             "longest_ms": {each: longest_ms(h, each) for each in h.labels()},
             "wrong": [befell(h, t) for each in OURS for t in h.of(each)
                       if t["rc"] not in ("ok", "unfinished")],
             "invalid": measures.invalid(h)}
    print(found)
    assert min(done.values()) > 0
    with path.explained(lab, h, OURS, HAP):
        assert crowd.stands(h)
        demand(invariants.i17_no_harm(h, CONTROL))
        assert found["closed"] == 0
