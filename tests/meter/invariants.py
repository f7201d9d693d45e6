"""The invariants, as functions over a history. Each gives a Check.

What an outside observer can know of a routing decision is an interval: it
was made after the attempt started and before the server's first byte came
back (`hello`). An invariant is broken only if it is broken at every instant
of that interval; what holds at one of them and not at another is given the
benefit of the doubt. The interval is made short from below, too: where the
member answered the meter's own polls all the time, a connection that HAProxy
made was greeted within SETUP, so that the decision on a connection that was
held for seconds lies within SETUP before its first byte.

The leader key's events are the meter's own watch's. They reach the routers
within SLACK of reaching the meter, one way or the other. What was decided before
the watch first told who holds the key is not examined.

A Check that examined nothing proves nothing: `demand` refuses it.
"""

from history import MS, S
from measures import is_failed, is_misrouted_read

SETUP = 250 * MS
SLACK = 20 * MS

MAX_AGE = 3 * S                 # evidence's age, at most
WATCH = 50 * MS                 # with the watch alive
T_CUT = 100 * MS
FOLLOW_GRACE = 10 * S
LAG_ENTER = 2 * S               # how long a replica is unfit before it counts
RUNNING = 2 * S                 # how long a replica ran before it is relied on


class Check:
    """What one invariant found."""

    def __init__(self, name):
        self.name = name
        self.checked = 0        # sessions, statements or attempts looked at
        self.violations = []    # (sentence, [lines])
        self.ambiguous = []     # the same: may or may not be one

    def broken(self, why, *lines):
        """Notes a violation with the lines that show it."""
        self.violations.append((why, list(lines)))

    def unclear(self, why, *lines):
        """Notes what the history cannot decide."""
        self.ambiguous.append((why, list(lines)))

    def __repr__(self):
        return (f"{self.name}: {len(self.violations)} violations, "
                f"{len(self.ambiguous)} ambiguous, {self.checked} checked")


class Broken(AssertionError):
    """An invariant does not hold; `lines` are those that show it."""

    def __init__(self, check):
        found = check.violations[:5]
        shown = "\n".join(f"{why}\n  " + "\n  ".join(map(str, lines))
                          for why, lines in found)
        super().__init__(f"{check!r}\n{shown}")
        self.lines = [line for _, lines in found for line in lines]


def demand(*checks):
    """AssertionError unless each examined something and found nothing."""
    for check in checks:
        assert check.checked > 0, f"{check.name}: nothing was examined"
        if check.violations:
            raise Broken(check)


def decided(h, line):
    """[from, until] in which the route of this attempt was decided."""
    until = line.get("hello", line.get("row", line["at"]))
    since = line["start"]
    name = h.member(line)
    if until - SETUP > since and \
            h.answered_throughout(name, until - SETUP, until):
        since = until - SETUP
    return since, until


def _routed(h, label):
    """What reached a member through this target: attempts and sessions."""
    for line in h.of(label):
        if h.member(line):
            yield line
    for session in h.sessions.values():
        if session.label == label and session.opened:
            yield session.open


def i1_leader_only(h, max_age=MAX_AGE, watch=WATCH, keyless=False,
                   labels=None):
    """I1: what is given the write route goes to the holder of the key.

    watch: how long after the key's event at most (the watch is alive);
    None: it may be dead, then only max_age binds.
    keyless: failsafe mode, pause without a key, no DCS: while nobody holds
    the key, who held it last may be used as long as it is out of recovery.
    """
    check = Check("I1")
    window = max_age if watch is None else min(watch + SLACK, max_age)
    for label in h.labels("write") if labels is None else labels:
        for line in _routed(h, label):
            name, (since, until) = h.member(line), decided(h, line)
            if not h.is_known(since):
                continue
            check.checked += 1
            if line["rec"]:
                check.broken(f"{label}: a write on {name}, in recovery",
                             line)
                continue
            holders = h.holders(since - window, until, named=keyless)
            if name not in holders:
                check.broken(
                    f"{label}: a write on {name} while the key was held by "
                    f"{' '.join(sorted(holders)) or 'nobody'}",
                    line, *_key_lines(h, since - window, until))
    return check


def _key_lines(h, since, until):
    """The events of the leader key that bear on that time."""
    lines = [e for e in h.etcd if e["key"] == "leader"]
    before = [e for e in lines if e["at"] < since][-1:]
    return before + [e for e in lines if since <= e["at"] <= until]


def i3_no_lingering(h, t_cut=T_CUT, labels=None):
    """I3: nothing sent T_cut after the key named another is executed.

    Concerns sessions that were placed on a member as on the leader: all of
    the write targets', and others whose server was out of recovery when they
    were opened. The key's mere absence closes nothing. A statement that was
    sent too late and never answered is ambiguous.
    """
    check = Check("I3")
    for session in h.sessions.values():
        if not session.opened or \
                (labels is not None and session.label not in labels):
            continue
        if h.kind(session.label) != "write" and session.open["rec"]:
            continue
        name = h.member(session.open)
        for line in session.statements:
            if not h.is_known(line["sent"]):
                continue
            check.checked += 1
            if line["rc"] == "ok" and not _led(h, name, line["sent"],
                                               t_cut):
                check.broken(f"{session.label}: executed on {name} "
                             "which had stopped being the leader",
                             line, session.open,
                             *_key_lines(h, line["sent"], line["sent"]))
        _check_unanswered(h, check, session, t_cut)
    return check


def _led(h, name, sent, t_cut):
    return name in h.holders(sent - t_cut - SLACK, sent, named=True)


def _check_unanswered(h, check, session, t_cut):
    sent = (session.close or {}).get("unanswered")
    if sent is None or not h.is_known(sent):
        return
    check.checked += 1
    name = h.member(session.open)
    if not _led(h, name, sent, t_cut):
        check.unclear(f"{session.label}: sent to {name}, which had stopped "
                      "being the leader, and never answered",
                      session.open, session.close)


def i16_reads(h, max_lag=16 << 20, follow_grace=FOLLOW_GRACE, labels=None,
              until=None):
    """I16: reads reach running, streaming replicas within the bound; never
    the member that took the leader key; and none fails while a replica runs.

    until: what starts later is not looked at. A thawed leader that takes the
    key back leaves replicas of a timeline that is thrown away: none is fit.
    """
    check = Check("I16")
    for label in h.labels("read") if labels is None else labels:
        for line in _routed(h, label):
            if until is not None and line["start"] >= until:
                continue
            check.checked += 1
            if is_misrouted_read(h, line):
                check.broken(f"{label}: a read on the primary "
                             f"{h.member(line)} while a replica ran", line)
            elif line["rec"]:
                _check_replica(h, check, line, decided(h, line),
                               (max_lag, follow_grace))
        for line in h.of(label, until=until):
            _check_read_failed(h, check, line)
    return check


def _check_replica(h, check, line, when, bounds):
    """A read that a server in recovery answered."""
    name, (since, until) = h.member(line), when
    others = [m for m in h.members if m != name and
              h.is_throughout(m, "replica", since - RUNNING, until)]
    if others and h.held_throughout(name, since - SLACK, until):
        check.broken(f"{line['label']}: a read on {name}, which had taken "
                     "the leader key", line,
                     *_key_lines(h, since - SLACK, until))
        return
    max_lag, follow_grace = bounds
    leader = _confirmed(h, since - LAG_ENTER - follow_grace, until)
    fit = [m for m in others if m != leader]
    if leader and fit:
        _check_fit(h, check, line, (since - LAG_ENTER, until, leader,
                                    max_lag))


def _confirmed(h, since, until):
    """Who held the key and was primary all that time, or None."""
    name = h.leader_at(since)
    held = name and h.held_throughout(name, since, until)
    return name if held and h.is_throughout(name, "primary", since,
                                            until) else None


def _check_fit(h, check, line, during):
    """Unfit in every sample of a time in which the routers could know it."""
    since, until, leader, max_lag = during
    name = h.member(line)
    seen = [s for s in h.samples.get(name, []) if since <= s["at"] <= until]
    if not seen:
        return
    if not any(s.get("streaming") for s in seen):
        check.broken(f"{line['label']}: a read on {name}, not streaming",
                     line, seen[0], seen[-1])
    elif all(_lag(h, leader, s) > max_lag for s in seen):
        check.broken(f"{line['label']}: a read on {name}, "
                     f"{_lag(h, leader, seen[-1])} bytes behind",
                     line, seen[0], seen[-1])


def lsn(text):
    """PostgreSQL's X/Y as a number."""
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


def _lag(h, leader, sample):
    """How far a replica's sample was behind the leader's one before it."""
    ahead = [s for s in h.samples.get(leader, [])
             if s["at"] <= sample["at"] and "lsn" in s]
    if not ahead or "lsn" not in sample:
        return 0
    return lsn(ahead[-1]["lsn"]) - lsn(sample["lsn"])


def _check_read_failed(h, check, line):
    """A read that nobody answered, though a replica ran all the time."""
    if not is_failed(line) or line["rc"] in ("local", "unstarted"):
        return
    check.checked += 1
    since, until = line["start"] - RUNNING, line["at"]
    ran = [m for m in h.members
           if h.is_throughout(m, "replica", since, until)
           and h.answered_throughout(m, since, until)
           and m not in h.holders(since, until)]
    if ran:
        check.broken(f"{line['label']}: a read failed ({line['rc']}) while "
                     f"{' '.join(ran)} ran", line)


def i17_no_harm(h, pairs, since=None, until=None, near=50 * MS,
                outlive=1 * S):
    """I17: nothing fails or is closed that the classic control served.

    pairs: {our label: the control's}, both measured in this same history.
    A failed or misrouted attempt of ours is harm if every attempt of the
    control that was under way at its time (started within `near` of it) was
    served rightly, and there was one. A session of ours that was closed is
    harm if a control's session on the same member, opened before, lived
    `outlive` longer, and the member was not deposed (then I3 wants it
    closed). Looks at what began in [since, until).
    """
    check = Check("I17")
    for ours, control in pairs.items():
        others = h.of(control)
        for line in h.of(ours, since, until):
            if line["rc"] in ("local", "unstarted", "unfinished"):
                continue
            check.checked += 1
            if not _served(h, line):
                _check_attempt(h, check, line, others, near)
        for session in h.sessions.values():
            if session.label == ours and session.opened:
                check.checked += 1
                _check_session(h, check, session, control,
                               (since, until, outlive))
    return check


def _served(h, line):
    """Answered, by the right role."""
    # A misrouted write was refused by the standby: that is no ok either.
    return line["rc"] == "ok" and not (
        h.kind(line["label"]) == "read" and is_misrouted_read(h, line))


def _check_attempt(h, check, line, others, near):
    same = [t for t in others if t["rc"] not in ("unstarted", "local",
                                                 "unfinished")
            and abs(t["start"] - line["start"]) <= near]
    if same and all(_served(h, t) for t in same):
        check.broken(f"{line['label']}: {line['rc']} where "
                     f"{same[0]['label']} served", line, same[0], same[-1])


def _check_session(h, check, session, control, bounds):
    since, until, outlive = bounds
    at = session.closed_at
    if at is None or (since is not None and at < since) or \
            (until is not None and at >= until):
        return
    name = h.member(session.open)
    placed_as_leader = h.kind(session.label) == "write" or \
        not session.open["rec"]
    if placed_as_leader and h.named_at(at) != name:
        return
    last = h.lines[-1]["at"]
    for other in h.sessions.values():
        if other.label == control and other.opened and \
                h.member(other.open) == name and other.open["at"] < at and \
                (other.closed_at or last) >= at + outlive:
            check.broken(f"{session.label}: a session on {name} was closed "
                         f"({session.close['how']}), {control}'s was not",
                         *session.lines, *other.lines)
            return


def lost_writes(h, rows, labels=None):
    """Acknowledged writes that are not there in the end.

    rows: {(label, seq)} as the leader has them. Gives the offending lines.
    A write may be lost only with a timeline that Patroni itself discarded.
    """
    check = Check("acknowledged writes")
    for label in h.labels("write") if labels is None else labels:
        for line in h.of(label):
            if line["rc"] != "ok" or "txid" not in line:
                continue
            check.checked += 1
            if (label, line["n"]) not in rows:
                check.broken(f"{label}: acknowledged by {h.member(line)} and "
                             "lost", line)
    return check
