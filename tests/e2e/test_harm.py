"""
I17: prober and agent killed, frozen, restarted under load close no session
and fail no connection. HARM_ROUNDS rounds of each (1; ten by hand).
"""

import os
import pathlib
import subprocess

import invariants
import measures
import path
import pytest
from history import MS
from invariants import demand
from meter import Meter, Target
from patroute_lab import ours
from patroute_lab.state import write

ROUNDS = int(os.environ.get("HARM_ROUNDS", "1"))
# 100 connections a second of ours and 40 of the control are what PostgreSQL on
# two busy cores serves; the delay is that of one question, and the machine's.
EVERY_MS = int(os.environ.get("HARM_EVERY_MS", "20"))
DELAY = 105 * MS + 50 * MS


def run(lab, tmp_path, hurt, mend, seconds=(3.0, 4.0)):
    """Rounds of hurt and mend under load: the history."""
    targets = [each for each in path.targets(EVERY_MS)
               if each.label in path.OURS] + \
              [each for each in path.targets(50, mixed=True)
               if each.label not in path.OURS]
    with Meter(lab, targets, tmp_path / "h.jsonl", idle=10) as m:
        m.run(2)
        m.mark("event", "harm")
        for _ in range(ROUNDS):
            hurt()
            m.run(seconds[0])
            mend()
            m.run(seconds[1])
    return m.history


def demand_harmless(h):
    """No session closed, none failed, none misrouted, none slow."""
    demand(invariants.i17_no_harm(h, path.CONTROL),
           invariants.i1_leader_only(h, labels=["write", "mixed"]),
           invariants.i16_reads(h, labels=["read"]))
    assert measures.invalid(h) == []
    for label in (*path.OURS, "mixed"):
        assert measures.failed(h, label)["n"] == 0, measures.failed(h, label)
    slowest = max(measures.longest_wait(h, each) for each in path.CLASSIC)
    for label in path.OURS:
        assert measures.longest_wait(h, label) <= slowest + DELAY
    closed = [s for s in h.sessions.values()
              if s.label in path.OURS and s.closed_at is not None
              and s.close["how"] != "stop"]
    assert closed == []


FAULTS = {
    "agent": ["agent"],
    "prober": ["prober"],
    "both": ["agent", "prober"],
}


@pytest.mark.parametrize("which", FAULTS)
def test_killed(lab, tmp_path, which):
    """kill -9, three seconds without, started again."""
    vip = lab.status()["vip"]

    def hurt():
        for program in FAULTS[which]:
            lab.kill_program(vip, program)
    demand_harmless(run(lab, tmp_path, hurt, lambda: lab.start(vip)))


@pytest.mark.parametrize("which", FAULTS)
def test_frozen(lab, tmp_path, which):
    """SIGSTOP for six seconds, longer than stale_after."""
    vip = lab.status()["vip"]

    def hurt():
        for program in FAULTS[which]:
            lab.freeze(vip, program)

    def mend():
        for program in FAULTS[which]:
            lab.thaw(vip, program)
    demand_harmless(run(lab, tmp_path, hurt, mend, (6.0, 4.0)))


def test_restarted(lab, tmp_path):
    """SIGTERM and a new start at once, as an upgrade does."""
    vip = lab.status()["vip"]

    def hurt():
        for program in ("prober", "agent"):
            lab.restart_program(vip, program)
    demand_harmless(run(lab, tmp_path, hurt, lambda: None, (2.0, 2.0)))


@pytest.fixture
def harmful(lab):
    """A second HAProxy on hap2, on 5200 and 5201, in which a failed check of
    ours closes sessions: what patroute.cfg must never say."""
    text = (pathlib.Path(ours.TOP) / "haproxy" / "patroute.cfg").read_text()
    for port in ("5000", "5001", "5002", "7000"):
        text = text.replace(f"bind *:{port}", f"bind *:{port[0]}2{port[2:]}")
    text = text.replace("/run/haproxy/admin.sock", "/run/haproxy/harm.sock")
    text = text.replace("rise 1 fall 3", "rise 1 fall 3 on-marked-down "
                        "shutdown-sessions")
    write(lab.paths.host(lab.host("hap2"), "harm.cfg"), text)
    env = [f"{key}={value}" for key, value in ours.haproxy_env().items()]
    process = subprocess.Popen(lab.command("hap2", [
        "env", *env, "haproxy", "-db", "-f", "/run/patroute-host/harm.cfg"]))
    yield
    process.terminate()
    process.wait(10)


def test_control(lab, tmp_path, harmful):
    """What the tests above look for is found where it happens."""
    address = lab.host("hap2").address
    targets = [Target(f"{name}-{kind}", port + i, kind, address, 40)
               for name, port in (("ours", 5000), ("harmful", 5200))
               for i, kind in enumerate(("write", "read"))]
    with Meter(lab, targets, tmp_path / "h.jsonl", idle=10) as m:
        m.run(2)
        m.mark("event", "harm")
        lab.kill_program("hap2", "prober")
        m.run(4)
        lab.start("hap2")
        m.run(2)
    for kind in ("write", "read"):
        found = invariants.i17_no_harm(
            m.history, {f"harmful-{kind}": f"ours-{kind}"})
        assert any("was closed" in why for why, _ in found.violations)
        demand(invariants.i17_no_harm(
            m.history, {f"ours-{kind}": f"harmful-{kind}"}))
