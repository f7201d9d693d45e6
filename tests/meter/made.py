"""Histories made by hand, in milliseconds, for the tests of the judge.

The cluster has a (leader), b and c. Its write target is `w`, its read target
`r`, their classic controls are `cw` and `cr`.
"""

from history import MS, History

ADDRESSES = {"a": "10.0.0.1", "b": "10.0.0.2", "c": "10.0.0.3"}
KINDS = {"w": "write", "r": "read", "cw": "write", "cr": "read", "x": "any"}


class Made:
    """Lines in any order; `history()` sorts them by their instants."""

    def __init__(self):
        self.lines = []
        self.n = 0
        self.key(0, "a")
        self.says(0, "a", "primary", lsn="0/1000")
        self.says(0, "b", "replica", streaming=True, lsn="0/1000")
        self.says(0, "c", "replica", streaming=True, lsn="0/1000")

    def add(self, at, ev, **more):
        """A line; `at` in ms."""
        line = {"at": int(at * MS), "ev": ev, **more}
        self.lines.append(line)
        return line

    def key(self, at, name):
        """The leader key's event; None deletes it."""
        value = {"deleted": True} if name is None else {"value": name}
        self.add(at, "etcd", key="leader", rev=len(self.lines), **value)

    def says(self, at, member, state, ev="member", **more):
        """What a member says of itself."""
        if state == "replica":
            more.setdefault("streaming", True)
        self.add(at, ev, member=member, state=state, **more)

    def sampled(self, since, until, member, state, lsn, step=100, **more):
        """Samples of a member in a time without a change."""
        for at in range(since, until, step):
            self.says(at, member, state, ev="sample", lsn=lsn, **more)

    def event(self, at, text="made"):
        """The mark from which all is measured."""
        self.add(at, "mark", name="event", text=text)

    def tried(self, due, label, who=None, rec=None, **more):
        """One attempt; rec None with a `who`: as that label wants it."""
        self.n += 1
        took = more.pop("took", 4)
        late = more.pop("late", 0)
        line = {"label": label, "n": self.n, "due": int(due * MS),
                "start": int((due + late) * MS), "rc": "ok"}
        if who:
            rec = KINDS[label] != "write" if rec is None else rec
            line.update(who=ADDRESSES[who], rec=rec,
                        hello=int((due + took - 1) * MS))
            if KINDS[label] == "write" and rec:
                line.update(rc="sql", state="25006")
            elif KINDS[label] == "write":
                line.update(txid=700 + self.n)
        line.update(more)
        return self.add(due + took, "try", **line)

    def traffic(self, since, until, label, *who, step=10, **more):
        """Attempts every `step` ms, answered by these in turn."""
        for i, due in enumerate(range(since, until, step)):
            self.tried(due, label, who[i % len(who)], **more)

    def session(self, label, who, at=10, tag="idle", n=0, rec=None):
        """A session opened."""
        rec = KINDS[label] != "write" if rec is None else rec
        self.add(at, "open", label=label, tag=tag, n=n, rc="ok",
                 start=int(at * MS), who=ADDRESSES[who], rec=rec)

    def closed(self, at, label, who, tag="idle", n=0, how="fin", **more):
        """A session ended by the other side."""
        self.add(at, "close", label=label, tag=tag, n=n, how=how,
                 who=ADDRESSES[who], **more)

    def statement(self, sent, label, who, tag="idle", n=0, rc="ok",
                  rec=False):
        """A statement of a session, answered 1 ms later."""
        self.add(sent + 1, "stmt", label=label, tag=tag, n=n,
                 sent=int(sent * MS), rc=rc, who=ADDRESSES[who], rec=rec)

    def history(self, end=True):
        """All of it, between `meta` and `end`."""
        meta = {"at": 0, "ev": "meta", "run": "made",
                "targets": [{"label": label, "kind": kind, "every": 10 * MS}
                            for label, kind in KINDS.items()
                            if any(line.get("label") == label
                                   for line in self.lines)],
                "members": [{"name": name, "addr": addr}
                            for name, addr in ADDRESSES.items()]}
        lines = sorted(self.lines, key=lambda line: line["at"])
        if end:
            lines.append({"at": lines[-1]["at"] + 1, "ev": "end"})
        return History([meta] + lines)


def switchover(at=3000, **times):
    """a gives its key up and b takes it, with traffic that is all right.

    a stops at +300, the key is free at +1300, b's at +1400, b is writable
    at +1500, a is back as a replica at +1600. `w` fails in between.
    """
    made = Made()
    end = at + times.get("after", 15000)
    made.event(at, "switchover")
    made.says(at + 300, "a", "refused", sqlstate="57P03")
    made.key(at + 1300, None)
    made.key(at + 1400, "b")
    made.says(at + 1500, "b", "primary", lsn="0/2000")
    made.says(at + 1600, "a", "replica", lsn="0/2000")
    made.traffic(0, at + 290, "w", "a")
    for due in range(at + 290, at + 1500, 10):
        made.tried(due, "w", rc="fin")
    made.traffic(at + 1500, end, "w", "b")
    made.traffic(0, at + 1300, "r", "b", "c")
    made.traffic(at + 1300, at + 2000, "r", "c")
    made.traffic(at + 2000, end, "r", "a", "c")
    return made
