"""What is done to the cluster under the meter, one function a scenario.

    run_once(lab, "switchover", targets, "h.jsonl") -> History

begins with a healthy lab, measures steady traffic, injects the event, waits
for the new leader if there is to be one, measures on, undoes the event and
waits until the lab is healthy again. Used by the command `meter`, by the demo
and by tests.
"""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import tempfile
import time

import measures
from meter import TOP, Meter, MeterError

# pylint: disable=wrong-import-order
from patroute_lab import hosts, pacemaker, procs

HEALTHY_WAIT = 150.0
LEADER_WAIT = 120.0
STEADY_WAIT = 60.0


class Scenario:
    """do(lab, leader) injects it; undo(lab, leader) makes good again.
    same_leader: it is none of the database's business."""

    def __init__(self, text, do, undo=None, same_leader=False):
        self.text, self.do, self.undo = text, do, undo
        self.same_leader = same_leader


SCENARIOS = {
    "switchover": Scenario(
        "planned, by Patroni",
        lambda lab, leader: lab.switchover()),
    "kill": Scenario(
        "the leader's host dies",
        lambda lab, leader: lab.kill(leader),
        lambda lab, leader: lab.start(leader)),
    "freeze": Scenario(
        "the leader's host stops (SIGSTOP to all on it)",
        lambda lab, leader: lab.freeze(leader, "all"),
        lambda lab, leader: lab.thaw(leader, "all")),
    "freeze-patroni": Scenario(
        "Patroni alone stops on the leader (SIGSTOP), PostgreSQL runs on",
        lambda lab, leader: lab.freeze(leader, "patroni"),
        lambda lab, leader: lab.thaw(leader, "patroni")),
    "stop-patroni": Scenario(
        "Patroni is stopped on the leader (TERM)",
        lambda lab, leader: lab.stop_patroni(leader),
        lambda lab, leader: lab.start(leader)),
    "crash": Scenario(
        "the leader's postmaster is killed (-9)",
        lambda lab, leader: kill_postmaster(lab, leader)),
    "vip": Scenario(
        "Pacemaker moves the virtual IP, planned",
        lambda lab, leader: move_vip(lab), same_leader=True),
}


def kill_postmaster(lab, leader):
    """As the kernel's OOM killer would; the instant (ns)."""
    for process in lab.machine(leader).program("postgres"):
        # The others' command lines say what they do.
        if process.argv[:1] and process.argv[0].endswith("/postgres"):
            at = time.monotonic_ns()
            procs.send([process], signal.SIGKILL)
            return at
    raise MeterError(f"no postmaster runs on {leader}")


def move_vip(lab):
    """To the next load balancer."""
    names = [host.name for host in pacemaker.members(lab)]
    lab.vip(names[(names.index(lab.vip()) + 1) % len(names)])


def patch_config(lab, name, settings):
    """Changes Patroni's dynamic configuration at that member, whose loop
    runs at once then, also where nothing is another."""
    with lab.inside(hosts.CLIENT):
        client = http.client.HTTPConnection(lab.host(name).address, 8008,
                                            timeout=10)
        with contextlib.closing(client):
            client.request("PATCH", "/config", json.dumps(settings))
            answer = client.getresponse()
            if answer.status != 200:
                raise MeterError(f"Patroni on {name} refuses {settings}: "
                                 f"{answer.status}")


def wait_healthy(lab, seconds=HEALTHY_WAIT):
    """Until the lab has nothing to complain of."""
    end = time.monotonic() + seconds
    while True:
        trouble = lab.trouble()
        if not trouble:
            return
        if time.monotonic() > end:
            raise MeterError(f"the lab is not healthy within {seconds:g} s: "
                             + "; ".join(trouble))
        time.sleep(0.5)


def run_once(lab, name, targets, path, *, before=3.0, after=12.0,
             through=0.0, prepare=None, settle=wait_healthy, **options):
    """One run; its History.

    after: seconds measured behind the new leader's becoming writable.
    through: seconds measured on behind the undoing (a thaw is an event of
    its own); the measures end at the mark `undo`, the invariants do not.
    prepare(lab, meter): called before the steady traffic is counted.
    settle(lab): makes sure that the lab is healthy, before and after.
    options: Meter's.
    """
    scenario = SCENARIOS[name]
    settle(lab)
    leader = lab.leader()
    undone = scenario.undo is None
    try:
        with Meter(lab, targets, path, **options) as m:
            if prepare:
                prepare(lab, m)
            m.run(before)
            _wait_steady(m)
            m.mark("event", name)
            undone = False
            scenario.do(lab, leader)
            m.mark("injected")
            if not scenario.same_leader:
                m.wait(has_new_leader, LEADER_WAIT, "a new leader")
            m.run(after)
            m.mark("undo")
            _undo(scenario, lab, leader)
            undone = True
            m.run(through)
    finally:
        if not undone:
            _undo(scenario, lab, leader)
    settle(lab)
    return m.history


def _wait_steady(m):
    try:
        m.wait(measures.is_steady, STEADY_WAIT, "steady traffic")
    except MeterError as why:
        h = m.history
        last = h.lines[-1]["at"]
        rates = [f"{label} {measures.rate_before(h, label, last):.0f}"
                 for label in h.labels()]
        other = [t for t in h.tries if t["rc"] != "ok"][-1:]
        raise MeterError(f"{why}; served a second: {', '.join(rates)} (is "
                         "the machine too busy for this rate?); the last "
                         f"that was not: {other}") from None


def _undo(scenario, lab, leader):
    if scenario.undo:
        scenario.undo(lab, leader)


def has_new_leader(h):
    if not any(mark["name"] == "event" for mark in h.marks):
        return False
    new, named = measures.writable(h), measures.key_named(h)
    if new is None:
        return False
    return named is not None or new[1] == measures.old_leader(h)


@contextlib.contextmanager
def classic_beside(lab, host, checks, first_port=5200):
    """A second HAProxy on a host, with the classic configuration alone, on
    first_port, +1 and +2: another set of timings under the same event."""
    run = tempfile.mkdtemp(prefix="patroute-meter-")
    other = os.path.join(run, "global.cfg")
    with open(other, "w", encoding="utf-8") as file:
        file.write("global\n    maxconn 4000\n")
    env = {**lab.environment(), "CLASSIC_BESIDE": "1",
           "CLASSIC_CHECKS": checks,
           "CLASSIC_WRITE_PORT": str(first_port),
           "CLASSIC_READ_PORT": str(first_port + 1),
           "CLASSIC_ANY_PORT": str(first_port + 2)}
    classic = str(TOP / "haproxy" / "classic.cfg")
    process = subprocess.Popen(
        lab.command(host, ["haproxy", "-db", "-f", other, "-f", classic]),
        env=env, stderr=subprocess.DEVNULL)
    try:
        # Its checks need their rises before the first event.
        time.sleep(7)
        if process.poll() is not None:
            raise MeterError("the second HAProxy ended with status "
                             f"{process.returncode}")
        yield process
    finally:
        process.terminate()
        process.wait(10)
        os.unlink(other)
        os.rmdir(run)
