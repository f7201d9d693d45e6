"""What the routers themselves noted of connections that went wrong."""

import datetime
import re

from measures import event_at, is_failed, is_misrouted_read, \
    is_misrouted_write

SHOWN = 10                      # connections, and of each kind of suspect
APART = 2.0                     # s: a port comes back later than that

# HAProxy's log formats begin with client, port and the instant of accept.
LINE = re.compile(r"(\d+\.\d+\.\d+\.\d+):(\d+) "
                  r"\[(\d+/\w+/\d+:\d+:\d+:\d+\.\d+)\]")


def suspects(h, labels):
    """Of these targets: what failed, what came to the wrong role, and what
    took longest, a few of each, in the order of their starts."""
    tries = [t for label in labels for t in h.of(label) if "start" in t]
    failed = [t for t in tries if is_failed(t)]
    wrong = [t for t in tries if _is_misrouted(h, t)]
    slow = sorted((t for t in tries if t["start"] >= event_at(h)),
                  key=lambda t: t["due"] - t["at"])
    found = {id(t): t for some in (failed, wrong, slow)
             for t in some[:SHOWN]}
    return sorted(found.values(), key=lambda t: t["start"])


def _is_misrouted(h, line):
    kind = h.kind(line["label"])
    return (kind == "write" and is_misrouted_write(line)) or \
        (kind == "read" and is_misrouted_read(h, line))


def connections(lines):
    """{(port, start)}: the connections that a history's lines are about."""
    return {(line["port"], line["start"]) for line in lines
            if "port" in line and "start" in line}


def router_lines(text, address, wanted, wall_ns):
    """The lines of HAProxy's log about these connections of that client.

    wall_ns: what, added to a history's instant, is the wall clock's.
    """
    starts = {}
    for port, start in wanted:
        starts.setdefault(port, []).append((start + wall_ns) / 1e9)
    found = []
    for line in text.splitlines():
        at = LINE.search(line)
        if not at or at[1] != address or int(at[2]) not in starts:
            continue
        accepted = datetime.datetime.strptime(
            at[3], "%d/%b/%Y:%H:%M:%S.%f").timestamp()
        if any(abs(accepted - start) <= APART for start in starts[int(at[2])]):
            found.append(line)
    return found
