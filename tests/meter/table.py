"""Runs of several scenarios as one small table of distributions."""

import statistics

COLUMNS = (
    ("new leader writable", lambda t: t["writable"], "s"),
    ("first right write after", lambda t: t["first_right_write"], "s"),
    ("misrouted", lambda t: t["misrouted"]["n"], ""),
    ("over", lambda t: t["misrouted"]["span"] or None, "s"),
    ("failed", lambda t: t["failed"]["n"], ""),
    ("longest wait", lambda t: t["longest_wait"], "s"),
    ("longest gap", lambda t: t["longest_gap"], "s"),
    ("old sessions closed after event",
     lambda t: t["old_sessions"]["after_event"], "s"),
    ("… after the key named another",
     lambda t: t["old_sessions"]["after_named"], "s"),
    ("… never", lambda t: t["old_sessions"]["open"]
     if t["old_sessions"]["n"] else None, ""),
)


def _number(value, unit):
    if unit != "s":
        return str(value)
    return f"{value * 1000:.0f} ms" if abs(value) < 1 else f"{value:.1f} s"


def distribution(values, unit):
    """"median (least–most)", one value as it is, nothing as a dash."""
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    least, most = min(known), max(known)
    middle = statistics.median_low(known)
    text = _number(middle, unit)
    if least != most:
        text += f" ({_number(least, unit)}–{_number(most, unit)})"
    missing = len(values) - len(known)
    return text + (f", {missing}× none" if missing else "")


def rows(runs):
    """[[event, target, runs, …]] from the runs' summaries, in their order."""
    groups = {}
    for run in runs:
        for target in run["targets"]:
            key = (run["event"], target["label"])
            groups.setdefault(key, []).append((run, target))
    found = []
    for (event, label), members in groups.items():
        valid = [target for run, target in members if not run["invalid"]]
        bad = len(members) - len(valid)
        found.append([event, label,
                      f"{len(valid)}" + (f" (+{bad} invalid)" if bad
                                         else "")] +
                     [distribution([value(t) for t in valid], unit)
                      for _, value, unit in COLUMNS])
    return found


def markdown(runs):
    """The table, for people."""
    head = ["event", "target", "runs"] + [name for name, _, _ in COLUMNS]
    lines = [head] + [["---"] * len(head)] + rows(runs)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def plain(runs):
    """The table turned on its side, for a terminal."""
    columns = [["event", "target", "runs"] +
               [name for name, _, _ in COLUMNS]] + rows(runs)
    widths = [max(map(len, column)) for column in columns]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width
                  in zip(line, widths)).rstrip()
        for line in zip(*columns)) + "\n"
