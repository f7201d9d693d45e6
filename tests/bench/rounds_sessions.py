"""Rounds that measure when sessions on a former leader end: after planned
switchovers, deaths and freezes of its host, every other one after reloads of
HAProxy that left sessions in old processes; the classic way beside, through
the same HAProxy processes. Last a freeze of Patroni alone: its PostgreSQL runs
on, and would execute what a session left open sends.

Each process has one session that is idle and one that writes, through each
target. Instants are counted from the event of the leader key that names
another, as the meter's own watch has it: a PostgreSQL that stops in a planned
switchover ends its sessions before that, hence negative ones.
"""

import collections
import contextlib
import json
import os

import invariants
import measures
import path
import scenarios
from meter import MeterError
from rounds_bounds import Kind, ms, most, none, quantile

OURS, CLASSIC = ("write", "mixed"), ("classic-write",)
# How often, without reloads and as often after them.
WANTED = {"switchover": 10, "kill": 5, "freeze": 5, "freeze-patroni": 2}
RELOADS = 2
AFTER_NAMED_MS = 100
EVERY_MS = 50                   # new connections: what makes a round valid
BUSY_EVERY_MS = 50
SETTLE_S = 25.0


@contextlib.contextmanager
def resumed(lab, args):
    """The file with the rounds so far; Pacemaker leaves the VIP where it
    is."""
    lab.by_hand()
    yield args.out


def wanted(file):
    """(event, after reloads?) of which the least part is done."""
    plan = [(event, reloaded) for event in WANTED
            for reloaded in (False, True)]
    done = collections.Counter()
    if os.path.exists(file):
        with open(file, encoding="utf-8") as lines:
            done.update((each["event"], each["reloaded"])
                        for each in map(json.loads, lines)
                        if not each["invalid"])
    return min(plan, key=lambda each: done[each] / WANTED[each[0]])


def _sessions(reloads):
    """Sessions in this process, and in each that a reload makes, opened where
    traffic is steady: HAProxy takes every server for fit until it was checked,
    so that the classic way leads to standbys for seconds after a reload."""
    def prepare(lab, meter):
        vip = lab.status()["vip"]
        for n in range(1 + reloads):
            if n:
                lab.reload(vip)
                meter.run(2.2)  # what is steady is so for 2 s
            meter.wait(measures.is_steady, 60, "steady traffic")
            for label in (*OURS, *CLASSIC):
                meter.hold(label, 1, f"idle-{n}")
                meter.hold(label, 1, f"busy-{n}", BUSY_EVERY_MS)
            meter.wait(lambda h, n=n: _are_open(h, n), 15, "open sessions")
    return prepare


def _are_open(h, n):
    return all((label, f"{each}-{n}", 0) in h.sessions
               for label in (*OURS, *CLASSIC) for each in ("idle", "busy"))


def settle(lab):
    """Healthy again. A thawed leader may take the key back on its older
    timeline: who has followed the newer one then finds no way back alone."""
    try:
        scenarios.wait_healthy(lab, SETTLE_S)
    except MeterError as why:
        for host in lab.hosts.values():
            if f"{host.name} does not stream" in str(why):
                lab.rest(host.name, "/reinitialize", {"force": True}, 30)
        scenarios.wait_healthy(lab)


def _found(h, label):
    """Each session of the old leader: when it ended, None if it did not; and
    how many statements were executed there later than they may be."""
    named, there = measures.key_named(h), measures.on_old_leader(h, label)
    check = invariants.i3_no_lingering(h, labels=[label])
    late = [lines[0]["sent"] - named[0] for _, lines in check.violations]
    return {"n": len(there),
            "closed_ms": [s.closed_at and ms(s.closed_at - named[0])
                          for s in there],
            "statements": check.checked, "late": len(late),
            "latest_ms": ms(max(late, default=None))}


def _targets():
    return [each for each in path.targets(EVERY_MS, mixed=True)
            if each.label in (*OURS, *CLASSIC)]


def one(lab, file, folder):
    """One event; when the old leader's sessions ended."""
    event, reloaded = wanted(file)
    h = scenarios.run_once(
        lab, event, _targets(),
        os.path.join(folder, "h.jsonl"), after=1.5, before=0.5,
        idle=0, busy=0, settle=settle,
        prepare=_sessions(RELOADS if reloaded else 0),
        through=3.0 if event.startswith("freeze") else 0.0)
    found = {"event": event, "reloaded": reloaded,
             "invalid": measures.invalid(h),
             "stall_ms": ms(measures.stall(h))}
    if measures.key_named(h) is None:
        return {**found, "invalid": ["the key named nobody else"]}
    return {**found, **_judged(h, reloaded)}


def _judged(h, reloaded):
    each = {label: _found(h, label) for label in (*OURS, *CLASSIC)}
    expected = 2 * (1 + RELOADS if reloaded else 1)
    why = [f"{label}: {found['n']} of {expected} sessions were on the old "
           "leader" for label, found in each.items()
           if found["n"] != expected]
    return {"invalid": measures.invalid(h) + why, **each}


def _some(rounds, labels, key):
    return [each[label][key] for each in rounds for label in labels]


def _spread(what, rounds, labels):
    """Least, median, p95 and most of what ended, and what did not."""
    took = [each for some in _some(rounds, labels, "closed_ms")
            for each in some]
    known = [each for each in took if each is not None]
    yield f"{what}: sessions", len(took), None, None
    for q, word in ((0.0, "least"), (0.5, "median"), (0.95, "p95"),
                    (1.0, "most")):
        yield (f"{what}: closed after the key, {word} ms",
               quantile(known, q) if known else None, None, None)
    yield f"{what}: left open", len(took) - len(known), None, None
    yield (f"{what}: statements executed too late",
           sum(_some(rounds, labels, "late")), None, None)


def _of_event(rounds, event):
    """Each way's distribution, without reloads and after them."""
    for reloaded, word in ((False, event), (True, f"{event} after reloads")):
        some = [each for each in rounds if each["event"] == event
                and each["reloaded"] == reloaded]
        if not some:
            continue
        yield f"{word}: rounds", len(some), None, None
        yield from _spread(f"{word}: ours", some, OURS)
        yield from _spread(f"{word}: classic", some, CLASSIC)


def bounds(rounds):
    """By kind of event, and over all what is asked of ours."""
    for event in WANTED:
        yield from _of_event(rounds, event)
    took = [each for some in _some(rounds, OURS, "closed_ms")
            for each in some]
    yield most("ours: closed after the key, most ms", took, AFTER_NAMED_MS)
    yield none("ours: left open", [each is None for each in took])
    yield none("ours: statements executed too late",
               _some(rounds, OURS, "late"))
    yield ("ours: statements looked at",
           sum(_some(rounds, OURS, "statements")), None, None)


SESSIONS = Kind(2 * sum(WANTED.values()), resumed, one, bounds)
