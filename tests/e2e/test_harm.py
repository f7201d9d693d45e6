"""
I17: prober and agent killed, frozen, restarted under 500 connections a second
close no session, fail no connection and delay none by more than 105 ms.
HARM_ROUNDS rounds of each (1; ten by hand).

What a connection is delayed: its wait, from the instant it was due to its
answer, without what the machine stood still meanwhile (measures.delay), and
without the longest of the same port in the same run before anything was hurt.
HAProxy waits 100 ms for a frozen agent; the rest is its own timers'. The same
is asked of the classic ports of that HAProxy, which we could hurt as well: a
control that is beside in one process does not show what stops them both.
"""

import os
import signal
import subprocess

import crowd
import invariants
import measures
import path
import pytest
from conftest import make_healthy
from history import MS, S
from invariants import demand
from meter import Meter, Target
from patroute_lab import ours, procs
from patroute_lab.state import read, write

ROUNDS = int(os.environ.get("HARM_ROUNDS", "1"))
HAP = "hap2"
EVERY_MS, CONTROL_EVERY_MS = 6, 20      # 167 a second each, and 50
BEFORE = 2.0                            # s, of which the first quarter is
QUIET = int(1.5 * S)                    # the sessions' opening
OURS = ("write", "read", "mixed")
CONTROL = {**path.CONTROL, "mixed": "classic-write"}
IDLE = 50                               # sessions kept through each port
DELAY = 105                             # ms


@pytest.fixture(scope="module", name="address", autouse=True)
def address_fixture(session_lab, request):
    """That of a load balancer with responders in PostgreSQL's place."""
    make_healthy(session_lab, request)
    with crowd.behind(session_lab, HAP):
        yield session_lab.host(HAP).address


def targets(address):
    """500 connections a second through ours, 100 the classic way."""
    found = [Target(each.label, each.port, each.kind, address,
                    CONTROL_EVERY_MS if each.label in path.CLASSIC
                    else EVERY_MS, **each.more)
             for each in path.targets(mixed=True)]
    assert {each.label for each in found} == {*OURS, *path.CLASSIC}
    return found


def run(lab, address, tmp_path, hurt, mend=lambda: None, seconds=(2.5, 2.0)):
    """Rounds of hurt and mend under load: the history."""
    def once():
        assert crowd.is_there(lab, HAP)
        with Meter(lab, targets(address), tmp_path / "h.jsonl", idle=IDLE,
                   member_every_ms=20) as m:
            m.run(BEFORE)
            m.mark("event", "harm")
            for _ in range(ROUNDS):
                hurt()
                m.run(seconds[0])
                mend()
                m.run(seconds[1])
        return m.history
    return path.measured(once)


def numbers(h):
    """What a run comes to; times in ms."""
    at = measures.event_at(h)
    ours = [t for each in OURS for t in h.of(each)]
    kept = [s for s in h.sessions.values() if s.label in OURS]

    def longest(labels, **when):
        return {each: measures.delay(h, each, **when) / MS for each in labels}
    return {
        "served": sum(t["rc"] == "ok" for t in ours),
        "a_second": len(ours) * S / (ours[-1]["due"] - ours[0]["due"]),
        "failed": sum(measures.failed(h, each)["n"] for each in OURS),
        "sessions": len(kept),
        "closed": sum(not s.opened or s.closed_at is not None for s in kept),
        "before": longest(h.labels(), since=at - QUIET, until=at),
        "after": longest(h.labels(), since=at),
        "stall": measures.stall(h) / MS,
    }


def demand_harmless(lab, h):
    """No session closed, none failed, none misrouted, none slow."""
    with path.explained(lab, h, OURS, HAP):
        assert measures.invalid(h) == []
        assert crowd.stands(h)
        demand(invariants.i17_no_harm(h, CONTROL),
               invariants.i1_leader_only(h, labels=["write", "mixed"]),
               invariants.i16_reads(h, labels=["read"]))
        found = numbers(h)
        print(found)
        assert found["failed"] == found["closed"] == 0
        assert found["sessions"] == len(OURS) * (IDLE + 1)
        for label in h.labels():
            assert found["after"][label] <= DELAY + found["before"][label]


FAULTS = {
    "agent": ["agent"],
    "prober": ["prober"],
    "both": ["agent", "prober"],
}


@pytest.mark.parametrize("which", FAULTS)
def test_killed(lab, address, tmp_path, which):
    """kill -9, longer than any check needs to tell, started again."""
    def hurt():
        for program in FAULTS[which]:
            lab.kill_program(HAP, program)
    demand_harmless(lab, run(lab, address, tmp_path, hurt,
                             lambda: lab.start(HAP)))


@pytest.mark.parametrize("which", FAULTS)
def test_frozen(lab, address, tmp_path, which):
    """SIGSTOP, longer than stale_after (4 s)."""
    def hurt():
        for program in FAULTS[which]:
            lab.freeze(HAP, program)

    def mend():
        for program in FAULTS[which]:
            lab.thaw(HAP, program)
    demand_harmless(lab, run(lab, address, tmp_path, hurt, mend, (4.5, 2.0)))


@pytest.mark.parametrize("which", FAULTS)
def test_restarted(lab, address, tmp_path, which):
    """SIGTERM and a new start at once, as an upgrade does."""
    def hurt():
        for program in FAULTS[which]:
            lab.restart_program(HAP, program)
    demand_harmless(lab, run(lab, address, tmp_path, hurt,
                             seconds=(1.0, 1.0)))


@pytest.fixture
def harmful(lab):
    """A second HAProxy beside, on 5200 and 5201, in which a failed check of
    ours closes sessions: what patroute.cfg must never say."""
    text = read(lab.paths.host(lab.host(HAP), crowd.copy("patroute.cfg")))
    for port in ("5000", "5001", "5002", "7000"):
        text = text.replace(f"bind *:{port}", f"bind *:{port[0]}2{port[2:]}")
    text = text.replace("/run/haproxy/admin.sock", "/run/haproxy/harm.sock")
    text = text.replace("rise 1 fall 3", "rise 1 fall 3 on-marked-down "
                        "shutdown-sessions")
    write(lab.paths.host(lab.host(HAP), "harm.cfg"), text)
    env = [f"{key}={value}" for key, value in ours.haproxy_env().items()]
    process = subprocess.Popen(lab.command(HAP, [
        "env", *env, "haproxy", "-db", "-f", "/run/patroute-host/harm.cfg"]))
    yield
    process.terminate()
    process.wait(10)
    # It changed its user, and with that lost the signal of its parent's end.
    procs.send([p for p in lab.machine(HAP).processes()
                if p.argv[-1:] == ["/run/patroute-host/harm.cfg"]],
               signal.SIGKILL)


def test_control(lab, address, tmp_path, harmful):
    """What the tests above look for is found where it happens."""
    both = [Target(f"{name}-{kind}", port + i, kind, address, 40)
            for name, port in (("ours", 5000), ("harmful", 5200))
            for i, kind in enumerate(("write", "read"))]
    with Meter(lab, both, tmp_path / "h.jsonl", idle=10) as m:
        m.run(2)
        m.mark("event", "harm")
        lab.kill_program(HAP, "prober")
        m.run(3.5)
        lab.start(HAP)
        m.run(0.5)
    for kind in ("write", "read"):
        found = invariants.i17_no_harm(
            m.history, {f"harmful-{kind}": f"ours-{kind}"})
        assert any("was closed" in why for why, _ in found.violations)
        demand(invariants.i17_no_harm(
            m.history, {f"ours-{kind}": f"harmful-{kind}"}))
