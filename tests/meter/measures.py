"""What a history amounts to: one pure function for each number.

Definitions. Instants are the history's (ns of one monotonic clock).

event       the mark `event`: the instant before the fault was injected.
old leader  who was named by the leader key at the event.
writable    the first poll after the event in which another member than the
            old leader is out of recovery and writable; known to one poll
            interval. (If nobody else becomes it: the old leader's return.)
key lost    the first event of the leader key after it by which the old
            leader no longer holds it; key named: the first that names another.
right write an attempt on a write target whose INSERT was accepted by a
            server out of recovery.
misrouted   a write answered by a server in recovery; a read answered by one
            out of recovery while another member ran as a replica. That is
            the server's own word, given in the same connection: no clock is
            compared.
failed      an attempt on which nobody answered what was asked: refused,
            reset, closed, refused by a FATAL, timed out, or never started.
            A misrouted attempt is not also a failed one. One that was under
            way when the meter stopped counts neither way.
wait        from the instant an attempt was due to the end of its answer.
late        started more than 5 ms after it was due.
stall       so late that the machine itself must have stood still: the meter
            runs before all others, so that nothing else makes it late.
delay       an attempt's wait without what the machine stood still meanwhile:
            the longest that the meter was late with any attempt.

What began after the mark `undo` (the host is started again, thawed, …) is no
longer counted.
"""

import bisect

from history import MS, S

RATE_MIN = 50                   # served attempts a second, on all targets
SERVED_MIN = 0.75               # of what each target was asked
LATE = 5 * MS
STALL = 400 * MS
STOOD_STILL = "the machine stood still"
DEPOSED = 60 * S


def tries(h, label):
    """The label's attempts, up to the mark `undo` if there is one."""
    until = next((m["at"] for m in h.marks if m["name"] == "undo"), None)
    return h.of(label, until=until)


def event_at(h):
    """The instant of the event."""
    return h.mark_at("event")


def old_leader(h):
    """The leader at the event."""
    return h.named_at(event_at(h))


def is_right_write(line):
    """An accepted write, on a server out of recovery."""
    return line["rc"] == "ok" and line.get("rec") is False


def is_misrouted_write(line):
    """A write that reached a server in recovery."""
    return line.get("rec") is True


def is_misrouted_read(h, line):
    """A read that reached a primary while a replica ran that was fit.

    A member that held the key a short while ago and has not streamed since
    is none: what it has may be what the cluster has thrown away.
    """
    if line.get("rec") is not False:
        return False
    return any(name != h.member(line) and
               h.is_throughout(name, "replica", line["start"], line["at"])
               and not _is_deposed(h, name, line["at"])
               for name in h.members)


def _is_deposed(h, name, at):
    held = [when for when in h.held_at(name) if at - DEPOSED <= when <= at]
    return bool(held) and not any(
        said.get("streaming") for said in h.samples.get(name, [])
        if held[-1] < said["at"] <= at)


def is_failed(line):
    """Nobody answered what was asked, wherever it was routed."""
    return line["rc"] not in ("ok", "unfinished") and \
        line.get("rec") is not True


def writable(h):
    """(instant, member) of the new leader's becoming writable, or None."""
    at, old = event_at(h), old_leader(h)
    found = sorted((line["at"], name)
                   for name, lines in h.members.items() for line in lines
                   if line["state"] == "primary" and line["at"] > at)
    others = [each for each in found if each[1] != old]
    return (others or found or [None])[0]


def key_lost(h):
    """The instant from which the old leader did not hold the key, or None."""
    at, old = event_at(h), old_leader(h)
    return next((when for when, name in h.leader_events()
                 if when > at and name != old), None)


def key_named(h):
    """(instant, member) of the key naming another, or None."""
    at, old = event_at(h), old_leader(h)
    return next(((when, name) for when, name in h.leader_events()
                 if when > at and name not in (None, old)), None)


def first_right_write(h, label):
    """The first accepted write on the new leader after it is writable.

    A negative difference to `writable` is the polls' own interval.
    """
    new = writable(h)
    if new is None:
        return None
    return min((t["at"] for t in tries(h, label)
                if is_right_write(t) and h.member(t) == new[1]
                and t["at"] > event_at(h)), default=None)


def _span(lines):
    """How many, and from the first's to the last's end."""
    if not lines:
        return {"n": 0, "span": 0}
    ends = [line["at"] for line in lines]
    return {"n": len(lines), "span": max(ends) - min(ends)}


def misrouted(h, label):
    """Count and span of what came to the wrong role, over all the run."""
    if h.kind(label) == "any":
        return _span([])
    wrong = is_misrouted_write if h.kind(label) == "write" else \
        lambda line: is_misrouted_read(h, line)
    return _span([t for t in tries(h, label) if wrong(t)])


def failed(h, label):
    """Count, span and kinds of the attempts that failed."""
    lines = [t for t in tries(h, label) if is_failed(t)]
    kinds = {}
    for line in lines:
        kind = line["rc"] + (f" {line['state']}" if "state" in line else "")
        kinds[kind] = kinds.get(kind, 0) + 1
    return {**_span(lines), "kinds": kinds}


def longest_wait(h, label):
    """The longest that an attempt waited that was served in the end."""
    return max((t["at"] - t["due"] for t in tries(h, label)
                if t["rc"] == "ok"), default=None)


def delay(h, label, since=None, until=None):
    """The longest delay of attempts that were due in [since, until) and were
    served; None without any."""
    waits = sorted((t["at"] - t["due"], t["due"], t["at"])
                   for t in h.of(label, since, until) if t["rc"] == "ok")
    late = sorted((t["due"], t["start"]) for t in h.tries if "start" in t)
    reach = max((start - due for due, start in late), default=0)
    worst = None
    for wait, due, at in reversed(waits):
        if worst is not None and wait <= worst:
            break               # no delay is longer than its wait
        meanwhile = late[bisect.bisect_left(late, (due - reach, 0)):
                         bisect.bisect_right(late, (at, 0))]
        stood = max(start - begin for begin, start in meanwhile
                    if start >= due)
        worst = max(wait - stood, worst or 0)
    return worst


def longest_gap(h, label):
    """The longest time after the event without a rightly served attempt."""
    since = event_at(h)
    kind = h.kind(label)
    right = [t["at"] for t in tries(h, label) if t["rc"] == "ok"
             and not (kind == "write" and is_misrouted_write(t))
             and not (kind == "read" and is_misrouted_read(h, t))]
    points = [since] + sorted(at for at in right if at > since)
    return max((b - a for a, b in zip(points, points[1:])), default=None)


def on_old_leader(h, label):
    """The sessions that sat on the old leader at the event."""
    at, old = event_at(h), old_leader(h)
    return [s for s in h.sessions.values()
            if s.label == label and s.opened and s.open["at"] <= at
            and h.member(s.open) == old
            and (s.closed_at is None or s.closed_at > at)]


def old_sessions(h, label):
    """When sessions that sat on the old leader at the event were closed.

    Gives {"n", "open" (never closed), "after_event" (last one),
    "after_lost", "after_named" (last one, behind the key's events)}.
    """
    at, there = event_at(h), on_old_leader(h, label)
    closed = [s.closed_at for s in there if s.closed_at is not None]
    last, named = max(closed, default=None), key_named(h)
    return {"n": len(there), "open": len(there) - len(closed),
            "after_event": _after(last, at),
            "after_lost": _after(last, key_lost(h)),
            "after_named": _after(last, named and named[0])}


def _after(at, since):
    return None if at is None or since is None else at - since


def late_starts(h, label):
    """Attempts that the meter itself began late, or not at all."""
    return sum(1 for t in tries(h, label) if t["rc"] == "unstarted"
               or t["start"] - t["due"] > LATE)


def stall(h):
    """The longest time by which the meter was late after the event."""
    since = event_at(h)
    return max((t["start"] - t["due"] for t in h.tries
                if t.get("start", since) > since), default=0)


def is_only_stalled(why):
    """Whether these sentences, of invalid(), say no more than a stall."""
    return bool(why) and all(each.startswith(STOOD_STILL) for each in why)


def rate_before(h, label, at, window=2 * S):
    """Rightly served attempts a second in the window before an instant."""
    good = {"write": is_right_write, "read": lambda t: t["rc"] == "ok",
            "any": lambda t: t["rc"] == "ok"}[h.kind(label)]
    return sum(1 for t in h.of(label, at - window, at)
               if good(t)) * S / window


def is_steady(h, window=2 * S):
    """Whether of late every target served nearly all that it was asked."""
    last = h.lines[-1]["at"] if h.lines else 0
    # What was due a moment ago may still be under way.
    return all(rate_before(h, t["label"], last - S // 5, window) >=
               0.9 * S / t["every"] for t in h.meta["targets"])


def invalid(h):
    """Why this run proves nothing: sentences, [] if it may be judged."""
    why = []
    if h.end is None:
        why.append("the history has no end: the meter did not finish")
    if not any(mark["name"] == "event" for mark in h.marks):
        return why + ["the history has no event"]
    rates = {label: rate_before(h, label, event_at(h))
             for label in h.labels()}
    if sum(rates.values()) < RATE_MIN:
        why.append(f"{sum(rates.values()):.0f} served attempts a second "
                   f"before the event, expected {RATE_MIN}")
    asked = {t["label"]: S / t["every"] for t in h.meta["targets"]}
    for label, rate in rates.items():
        if rate < SERVED_MIN * asked[label]:
            why.append(f"{label}: {rate:.0f} of {asked[label]:.0f} attempts "
                       "a second served before the event")
    if stall(h) > STALL:
        # What it was late by then needs no other sentence.
        why.append(f"{STOOD_STILL} for {stall(h) // MS} ms")
    else:
        why += _late(h, rates)
    why += [f"meter: {line['msg']}" for line in h.errors]
    return why


def _late(h, labels):
    found = ((label, late_starts(h, label), len(tries(h, label)))
             for label in labels)
    return [f"{label}: the meter started {late} of {n} late"
            for label, late, n in found if late * 20 > n]


def of_label(h, label):
    """All numbers of one target, times in seconds."""
    at, new = event_at(h), writable(h)
    old = old_sessions(h, label)
    return {
        "label": label,
        "kind": h.kind(label),
        "attempts": len(tries(h, label)),
        "late": late_starts(h, label),
        "rate_before": rate_before(h, label, at),
        "writable": _s(_after(new and new[0], at)),
        "first_right_write": _s(_after(first_right_write(h, label),
                                       new and new[0]))
        if h.kind(label) == "write" else None,
        "misrouted": _span_s(misrouted(h, label)),
        "failed": _span_s(failed(h, label)),
        "longest_wait": _s(longest_wait(h, label)),
        "longest_gap": _s(longest_gap(h, label)),
        "old_sessions": {key: value if key in ("n", "open") else _s(value)
                         for key, value in old.items()},
    }


def summary(h):
    """All numbers of a run, ready for JSON."""
    why = invalid(h)
    if "the history has no event" in why:
        return {"run": h.meta.get("run"), "invalid": why, "targets": []}
    at, named = event_at(h), key_named(h)
    return {
        "run": h.meta.get("run"),
        "event": next(m.get("text") for m in h.marks
                      if m["name"] == "event"),
        "invalid": why,
        "old_leader": old_leader(h),
        "new_leader": named and named[1],
        "key_lost": _s(_after(key_lost(h), at)),
        "key_named": _s(_after(named and named[0], at)),
        "targets": [of_label(h, label) for label in h.labels()],
    }


def _s(ns):
    return None if ns is None else round(ns / S, 4)


def _span_s(span):
    return {**span, "span": _s(span["span"])}
