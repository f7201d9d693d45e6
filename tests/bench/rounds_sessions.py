"""Rounds that measure when sessions on a former leader end: after planned
switchovers, deaths and freezes of its host, every other one after reloads of
HAProxy that left sessions in old processes; the classic way beside."""

import contextlib
import os

import measures
import path
import scenarios
from rounds_bounds import Kind, ms, most, none, said

OURS, CLASSIC = ("write", "mixed"), ("classic-write",)
# As often as the whole is said of: 20, 10 and 10 of 40.
EVENTS = ("switchover", "kill", "switchover", "freeze")
RELOADS = 2
AFTER_NAMED_MS = 100


@contextlib.contextmanager
def counted(_lab, _args):
    """Which round it is, for the kind of event."""
    yield {"n": 0}


def _reloads(lab, meter):
    vip = lab.status()["vip"]
    for n in range(RELOADS):
        for label in (*OURS, *CLASSIC):
            meter.hold(label, 2, f"before-reload-{n}")
        meter.run(0.5)
        lab.reload(vip)
    meter.run(1)


def _found(h, label):
    old = measures.old_sessions(h, label)
    return {"n": old["n"], "open": old["open"],
            "after_event_ms": ms(old["after_event"]),
            "after_named_ms": ms(old["after_named"])}


def one(lab, ready, folder):
    """One event; when the last of the old leader's sessions ended."""
    n, ready["n"] = ready["n"], ready["n"] + 1
    event, reloaded = EVENTS[n % len(EVENTS)], n // len(EVENTS) % 2 == 1
    h = scenarios.run_once(
        lab, event, path.targets(mixed=True),
        os.path.join(folder, "h.jsonl"), after=3.0, before=1.0,
        through=3.0 if event == "freeze" else 0.0,
        prepare=_reloads if reloaded else None)
    return {"event": event, "reloaded": reloaded,
            "invalid": measures.invalid(h),
            **{label: _found(h, label) for label in (*OURS, *CLASSIC)}}


def _of(rounds, label, key):
    return [each[label][key] for each in rounds]


def bounds(rounds):
    """Each way's distribution, by kind of event."""
    for event in dict.fromkeys(EVENTS):
        some = [each for each in rounds if each["event"] == event]
        if not some:
            continue
        yield f"{event}: rounds", len(some), None, None
        yield (f"{event}: after reloads",
               sum(each["reloaded"] for each in some), None, None)
        ours = [took for label in OURS
                for took in _of(some, label, "after_named_ms")]
        yield said(f"{event}: after the key, median ms", ours, 0.5)
        yield most(f"{event}: after the key, most ms", ours, AFTER_NAMED_MS)
        yield none(f"{event}: left open", [
            left for label in OURS for left in _of(some, label, "open")])
        for q, word in ((0.5, "median"), (1.0, "most")):
            yield said(f"{event}: classic, after the key, {word} ms",
                       _of(some, "classic-write", "after_named_ms"), q)
        yield (f"{event}: classic, left open",
               sum(_of(some, "classic-write", "open")), None, None)


SESSIONS = Kind(40, counted, one, bounds)
