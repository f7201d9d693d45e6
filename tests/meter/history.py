"""A history: what the meter saw, line by line, on one monotonic clock (ns).

A line is kept as the dict that it is, so that whoever judges it can show it.
Lines (`ev`), each with the instant `at` of its writing:

meta    run, targets (label, addr, port, kind, every, …), members (name, addr)
try     one attempt, written when it ended: label, n, due, start, conn, hello
        (first byte from a server), ready (logged in), row (it said who it
        is), rc, who, rec (in recovery), txid, state (SQLSTATE), msg, port
        rc: ok; sql (the query failed); fatal (a server or the desk refused);
        refused, reset, fin, unreach, timeout, local, proto; unstarted (it
        could not even begin); unfinished (under way when the meter stopped)
open    a session was opened (or not): label, tag, n, rc, start, who, rec
stmt    a busy session's statement was answered: sent, rc, who, rec, state
close   a session ended: how (fin, reset, …, kept: until the meter stopped),
        unanswered (instant of a statement whose answer never came)
member  what a member says of itself changed: state (primary, readonly,
        replica, refused, silent), tli, streaming, lsn; asked, and `before`,
        the last answer of the state before: the change lies in between
sample  the same, every 100 ms, without a change
etcd    a key's event as it arrived: key, value or deleted, rev, initial
watch   the meter's own watch of an etcd endpoint began or ended
feed    a snapshot as it reached an agent of that host (feed.py): write, why,
        planned, transition, seq, members
mark    what a test did: name, text
end     totals
"""

import bisect
import json

MS = 10**6
S = 10**9


class History:
    """Lines in the order of writing, indexed as they come."""

    def __init__(self, lines=()):
        self.lines = []
        self.meta = {}
        self.end = None
        self.tries = []
        self.marks = []
        self.etcd = []
        self.feeds = []
        self.members = {}           # name: its `member` lines
        self.samples = {}           # name: its `member` and `sample` lines
        self.sessions = {}          # (label, tag, n): Session
        self.errors = []
        self._kinds = {}
        self._names = {}
        self._leader = []           # (at, name or None)
        for line in lines:
            self.add(line)

    @classmethod
    def load(cls, path):
        """Reads a file of JSON lines."""
        with open(path, encoding="utf-8") as file:
            return cls(json.loads(line) for line in file)

    def add(self, line):
        """Takes the next line."""
        self.lines.append(line)
        take = getattr(self, f"_take_{line['ev']}", None)
        if take:
            take(line)

    def _take_meta(self, line):
        self.meta = line
        self._kinds = {t["label"]: t["kind"] for t in line["targets"]}
        self._names = {m["addr"]: m["name"] for m in line["members"]}

    def _take_try(self, line):
        self.tries.append(line)

    def _take_mark(self, line):
        self.marks.append(line)

    def _take_etcd(self, line):
        self.etcd.append(line)
        if line["key"] == "leader":
            self._leader.append((line["at"], line.get("value")))

    def _take_feed(self, line):
        self.feeds.append(line)

    def _take_member(self, line):
        self.members.setdefault(line["member"], []).append(line)
        self._take_sample(line)

    def _take_sample(self, line):
        self.samples.setdefault(line["member"], []).append(line)

    def _session(self, line):
        key = (line["label"], line["tag"], line["n"])
        return self.sessions.setdefault(key, Session(key))

    def _take_open(self, line):
        self._session(line).open = line

    def _take_stmt(self, line):
        self._session(line).statements.append(line)

    def _take_close(self, line):
        self._session(line).close = line

    def _take_error(self, line):
        self.errors.append(line)

    def _take_end(self, line):
        self.end = line

    # --- names ---------------------------------------------------------

    def labels(self, kind=None):
        """The targets' labels, in order."""
        return [label for label, each in self._kinds.items()
                if kind is None or each == kind]

    def kind(self, label):
        """write, read or any."""
        return self._kinds[label]

    def member(self, line):
        """The name of the member that answered; None if nobody did."""
        return self._names.get(line.get("who"))

    def of(self, label, since=None, until=None):
        """The label's attempts that were due in [since, until)."""
        return [t for t in self.tries if t["label"] == label
                and (since is None or t["due"] >= since)
                and (until is None or t["due"] < until)]

    def mark_at(self, name):
        """The instant of the first mark of that name."""
        for mark in self.marks:
            if mark["name"] == name:
                return mark["at"]
        raise KeyError(f"the history has no mark {name}")

    # --- the leader key ------------------------------------------------

    def leader_events(self):
        """[(instant, name or None)], in order; the first is the initial."""
        return self._leader

    def is_known(self, at):
        """Whether the watch had told by then who holds the key."""
        return bool(self._leader) and self._leader[0][0] <= at

    def leader_at(self, at):
        """Who held the key then; None if nobody did, or it is not known."""
        i = bisect.bisect_right(self._leader, at, key=lambda e: e[0])
        return self._leader[i - 1][1] if i else None

    def named_at(self, at):
        """Who was named last by the key; its absence changes nothing."""
        for when, name in reversed(self._leader):
            if when <= at and name is not None:
                return name
        return None

    def holders(self, since, until, named=False):
        """All who held the key at some instant in [since, until].

        named: the key's absence counts as still the one named before.
        """
        at = self.named_at if named else self.leader_at
        found = {at(since)}
        found |= {at(when) for when, _ in self._leader
                  if since <= when <= until}
        return found - {None}

    def held_at(self, name):
        """Instants at which that member was seen to hold the key or to lose
        it, oldest first."""
        events = self.leader_events()
        return [when for i, (when, holder) in enumerate(events)
                if name in (holder, events[i - 1][1] if i else None)]

    def held_throughout(self, name, since, until):
        """Whether that member held the key at every instant of it."""
        return self.leader_at(since) == name and all(
            holder == name for when, holder in self._leader
            if since <= when <= until)

    # --- what the members said -----------------------------------------

    def state_at(self, name, at):
        """The last line in which that member said what it is, or None."""
        lines = self.members.get(name, [])
        i = bisect.bisect_right(lines, at, key=lambda line: line["at"])
        return lines[i - 1] if i else None

    def is_throughout(self, name, state, since, until):
        """Whether every poll in [since, until] found that member so."""
        first = self.state_at(name, since)
        return first is not None and first["state"] == state and all(
            line["state"] == state for line in self.members[name]
            if since <= line["at"] <= until)

    def answered_throughout(self, name, since, until, gap=300 * MS):
        """Whether it answered polls all the time (samples are 100 ms)."""
        seen = [line["at"] for line in self.samples.get(name, [])
                if line["state"] in ("primary", "readonly", "replica")
                and since - gap <= line["at"] <= until + gap]
        edges = [since - gap] + seen + [until + gap]
        return all(b - a <= 2 * gap for a, b in zip(edges, edges[1:]))


class Session:
    """A session that was to stay; any of its lines may be missing."""

    def __init__(self, key):
        self.label, self.tag, self.n = key
        self.open = None
        self.close = None
        self.statements = []

    @property
    def lines(self):
        """Its opening and its end."""
        return [line for line in (self.open, self.close) if line]

    @property
    def opened(self):
        """Whether it ever knew its server."""
        return self.open is not None and self.open["rc"] == "ok"

    @property
    def closed_at(self):
        """When the other side ended it; None if it never did."""
        if self.close is None or self.close["how"] == "kept":
            return None
        return self.close["at"]
