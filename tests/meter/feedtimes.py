"""How long what happened took to reach the agents, as the feed was recorded.

Definitions. Instants are the history's; a snapshot's is its arrival at an
agent's end of the feed on one load balancer.

shown       a snapshot shows a leader key if the member it gives the role of
            the leader is the key's holder (nobody's, where there is none).
key to feed from the key's event at the first of our own watches, one at each
            endpoint, to the first snapshot that shows it; negative where the
            prober was told first. What was not shown before the key's next
            event has no time.
writable    the member's own word by our polls. It became so between the last
            answer that denied it and the first that says it: `most` counts
            from the former, `seen` from the latter.
no target   the first snapshot without a write target.
hold        a snapshot by which new writes wait: without a write target, or
            with word of a planned change.
"""

import math

import measures


def leader_of(line):
    """Whom that snapshot gives the role of the leader, or None."""
    return next((name for name, m in line["members"].items()
                 if m["role"] in ("leader", "standby-leader")), None)


def key_to_feed(h, since):
    """[(name or None, ns or None)] of each change of the key's holder."""
    events = h.leader_events()
    found, floor = [], 0
    for i, (at, name) in enumerate(events):
        until = events[i + 1][0] if i + 1 < len(events) else math.inf
        shown = next((line["at"] for line in h.feeds
                      if floor < line["at"] < until
                      and leader_of(line) == name), None)
        floor = shown or at
        if at >= since and name != events[i - 1][1]:
            found.append((name, None if shown is None else shown - at))
    return found


def denied(h, name, at):
    """The last answer before `at` by which that member was not writable."""
    return next((line.get("before") for line in h.members[name]
                 if line["at"] == at), None)


def writable_to_feed(h):
    """{"seen", "most"} in ns, None where there was no new leader, or the feed
    never named it."""
    new = measures.writable(h)
    if new is None:
        return {"seen": None, "most": None}
    since = measures.key_named(h)
    since = since[0] if since else measures.event_at(h)
    told = next((line["at"] for line in h.feeds
                 if line["at"] >= since and line["write"] == new[1]), None)
    first = denied(h, new[1], new[0])
    return {"seen": None if told is None else told - new[0],
            "most": None if told is None or first is None else told - first}


def no_target(h, since):
    """The instant from which the feed names no write target, or None."""
    return next((line["at"] for line in h.feeds
                 if line["at"] >= since and line["write"] is None), None)


def is_holding(line):
    """Whether new writes wait by that snapshot."""
    return line["write"] is None or line["planned"]


def first_hold(h, since):
    """The instant from which new writes wait, or None."""
    return next((line["at"] for line in h.feeds
                 if line["at"] >= since and is_holding(line)), None)


def held(h, since):
    """How long new writes were to wait in all, by the snapshots from `since`
    to the last."""
    lines = [line for line in h.feeds if line["at"] >= since]
    return sum(b["at"] - a["at"] for a, b in zip(lines, lines[1:])
               if is_holding(a))


def targets(h, since, until):
    """[(instant, name or None)]: each change of the write target that the
    feed told in [since, until]; the first is the one that stood at `since`."""
    found = []
    for line in h.feeds:
        if line["at"] > until:
            break
        if line["at"] < since:
            found = [(line["at"], line["write"])]
        elif not found or found[-1][1] != line["write"]:
            found.append((line["at"], line["write"]))
    return found
