#!/usr/bin/python3
"""
vip_gaps.py [--setup NAME]… [--event TEXT]… [-n ROUNDS] [-o FILE]: what a
client at the VIP sees when something happens to the load balancers, on a lab
that is up (vip=pacemaker) and a machine that does nothing else.

The client opens a connection and writes every 10 ms. Each round is one JSON
line in FILE, appended as it ends, so that a run that was ended (--seconds)
goes on where it stopped; --table prints what FILE has as Markdown.

    PATROUTE_BUILD=BUILD LAB_NAME=lab tests/bench/vip_gaps.py --seconds 280

gap_ms       the longest time without a write that was accepted
failed       connections on which none was; misrouted: on a standby
cut          of four sessions held open through the VIP, how many ended
two_ms       for how long two hosts answered for the VIP; held_two_ms: had it
left         hosts that have it at the end, besides the one that is to

Set-ups and events: --help. Exit status: 0 all rounds are there and no bound is
broken, 1 one is, 2 it did not work, 3 rounds are missing.
"""

import argparse
import json
import os
import pathlib
import signal
import statistics
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / each) for each in ("meter", "lab")]

# pylint: disable=wrong-import-position
import invariants  # noqa: E402 (its folders are only known now)
import measures  # noqa: E402
import vip_events  # noqa: E402
import vip_setups  # noqa: E402
from meter import Meter, MeterError, Target  # noqa: E402
from patroute_lab import pacemaker  # noqa: E402
from patroute_lab.errors import LabError  # noqa: E402
from patroute_lab.lab import Lab  # noqa: E402
from vip_watch import Watch, span_ms  # noqa: E402

SETUPS = tuple(vip_setups.TOKEN_MS)
BEFORE = 3.0
IDLE = 3                                # and one that is busy
LABEL = "write"
# What ours is to keep; None: nothing is demanded but that no write goes wrong.
NOTHING = 105                           # ms: what an agent's absence may cost
LIMIT_MS = {"agent killed": NOTHING, "agent frozen": NOTHING,
            "prober killed": NOTHING, "prober frozen": NOTHING,
            "HAProxy killed": 2000, "HAProxy frozen": 5000,
            "host killed": 3000, "standby": 150, "reboot of all three": 150,
            "prober and agent upgraded": NOTHING,
            "all upgraded, by standby": 150}


def options():
    """The command line's grammar."""
    top = argparse.ArgumentParser(
        prog="vip_gaps.py", formatter_class=argparse.
        RawDescriptionHelpFormatter, description=__doc__
        + "\n" + vip_setups.__doc__ + "\nEvents: "
        + ", ".join(vip_events.EVENTS))
    top.add_argument("--setup", action="append", choices=SETUPS)
    top.add_argument("--event", action="append",
                     choices=tuple(vip_events.EVENTS), metavar="TEXT")
    top.add_argument("-n", type=int, default=1, help="rounds of each (1)")
    top.add_argument("-o", "--out", default="vip_gaps.jsonl")
    top.add_argument("--seconds", type=float, default=3600.0,
                     help="no new round after these")
    top.add_argument("--every", type=int, default=10, metavar="MS",
                     help="between connections (10)")
    top.add_argument("--table", action="store_true",
                     help="no rounds: print those in FILE as a table")
    top.add_argument("--judge", action="store_true",
                     help="no rounds: judge those in FILE")
    return top


def lines(path):
    """The rounds so far."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _missing(args):
    """(set-up, event) of each round that is not there yet."""
    rounds = [(each["setup"], each["event"]) for each in lines(args.out)
              if not each["invalid"]]
    return [(setup, name) for setup in args.setup for name in args.event
            if makes_sense(setup, name)
            for _ in range(args.n - rounds.count((setup, name)))]


def makes_sense(setup, name):
    """The classic group has neither prober nor agent."""
    return setup != "classic" or not (
        {"prober", "agent"} & set(vip_events.EVENTS[name].needs))


def run(args):
    """Makes rounds until there are enough or the time is over."""
    end = time.monotonic() + args.seconds
    lab = Lab()
    pacemaker.must_be_on(lab)
    used = vip_setups.found(lab)
    try:
        for setup, name in _missing(args):
            if time.monotonic() > end:
                break
            if setup != used:
                vip_setups.use(lab, setup)
                used = setup
            try:
                found = one(lab, args, setup, name)
            except (MeterError, LabError) as why:
                # The next run makes it again; this one goes on.
                found = {"setup": setup, "event": name, "invalid": [str(why)]}
                vip_setups.use(lab, setup)
            print(json.dumps(found), file=sys.stderr, flush=True)
            with open(args.out, "a", encoding="utf-8") as file:
                file.write(json.dumps(found) + "\n")
    finally:
        if used != "ours":
            vip_setups.use(lab, "ours")


def one(lab, args, setup, name):
    """One round; its numbers."""
    event = vip_events.EVENTS[name]
    vip_events.settle(lab, setup)
    with tempfile.TemporaryDirectory() as folder, Watch(lab) as watch:
        with Meter(lab, [Target(LABEL, 5000, "write", every_ms=args.every)],
                   os.path.join(folder, "h.jsonl"), idle=IDLE) as m:
            stage = vip_events.Stage(lab, setup, m)
            m.run(BEFORE)
            m.mark("event", name)
            try:
                event.do(stage)
                m.run(event.after)
            finally:
                event.undo(stage)
            m.run(1)
        vip_events.settle(lab, setup)
        return {"at": time.strftime("%F %T"), "setup": setup, "event": name,
                "load": round(os.getloadavg()[0], 1),
                **numbers(m.history, watch.samples, stage.host, lab.vip()),
                "left": len(pacemaker.holders(lab)) - 1}


def numbers(h, samples, before, after):
    """What a round comes to."""
    at = measures.event_at(h)
    kept = [s for s in h.sessions.values() if s.label == LABEL and s.opened
            and s.open["at"] < at]
    return {
        "from": before, "to": after,
        "gap_ms": round(gap(h, at) / 1e6, 1),
        "gap_before_ms": round(quiet_gap(h, at) / 1e6, 1),
        "failed": measures.failed(h, LABEL)["n"],
        "misrouted": measures.misrouted(h, LABEL)["n"],
        "not_the_leader": len(invariants.i1_leader_only(
            h, labels=[LABEL]).violations),
        "cut": sum(s.closed_at is not None for s in kept),
        "sessions": len(kept),
        "two_ms": span_ms(samples, at, 1, lambda names: len(names) > 1),
        "held_two_ms": span_ms(samples, at, 2,
                               lambda names: len(names) > 1),
        "nobody_ms": span_ms(samples, at, 1, lambda names: not names),
        "stall_ms": round(measures.stall(h) / 1e6, 1),
        "invalid": [why for why in measures.invalid(h)],
    }


def gap(h, at):
    """The longest time after the event without an accepted write, the end
    of what was measured included: it may never have come back."""
    right = sorted(t["at"] for t in h.of(LABEL) if t["at"] > at
                   and measures.is_right_write(t))
    last = max(t["due"] for t in h.of(LABEL))
    points = [at, *right, max(last, at)]
    return max(b - a for a, b in zip(points, points[1:]))


def quiet_gap(h, at):
    """The longest gap before the event: what the machine itself costs."""
    right = sorted(t["at"] for t in h.of(LABEL, at - 2 * 10**9, at)
                   if measures.is_right_write(t))
    return max((b - a for a, b in zip(right, right[1:])), default=0)


def judge(args):
    """Prints each bound; the exit status."""
    broken = False
    for each in lines(args.out):
        if each["invalid"] or each["setup"] not in args.setup:
            continue
        why = list(_broken(each))
        broken |= bool(why)
        for sentence in why:
            print(f"{each['setup']}: {each['event']}: {sentence}")
    missing = len(_missing(args))
    print(f"{missing} rounds are missing")
    return 1 if broken else 3 if missing else 0


def _broken(each):
    if each["misrouted"] or each["not_the_leader"]:
        yield "a write went to another than the leader"
    if each["setup"] != "ours":
        return
    limit = LIMIT_MS.get(each["event"])
    # Beside what the machine itself costs, which the seconds before show.
    if limit is not None and each["gap_ms"] > limit + each["gap_before_ms"] \
            + each["stall_ms"]:
        yield f"{each['gap_ms']} ms without a write, expected {limit}"
    if limit == NOTHING and (each["failed"] or each["cut"]):
        yield f"{each['failed']} failed, {each['cut']} sessions cut"
    if each["two_ms"]:
        yield f"two hosts answered for {each['two_ms']} ms"
    if each["left"]:
        yield f"{each['left']} hosts kept the VIP besides its own"


def table(rounds):
    """Markdown: an event a line, a set-up a column."""
    head = ["event", *SETUPS]
    out = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for name in vip_events.EVENTS:
        cells = []
        for setup in SETUPS:
            mine = [each for each in rounds if not each["invalid"]
                    and (each["setup"], each["event"]) == (setup, name)]
            cells.append(_cell(mine) if mine else "–")
        out.append("| " + " | ".join([name, *cells]) + " |")
    return "\n".join(out)


def _cell(rounds):
    gap = statistics.median(each["gap_ms"] for each in rounds)
    most = max(each["gap_ms"] for each in rounds)
    text = _ms(gap) if len(rounds) == 1 else f"{_ms(gap)} (most {_ms(most)})"
    text += f"; {statistics.median(e['failed'] for e in rounds):.0f} failed"
    for key, words in (("two_ms", "two answer for"),
                       ("held_two_ms", "two have it for")):
        worst = max(each[key] for each in rounds)
        if worst:
            text += f"; {words} {_ms(worst)}"
    return text


def _ms(value):
    return f"{value:.0f} ms" if value < 1000 else f"{value / 1000:.1f} s"


def main(argv):
    """Runs it; the exit status."""
    args = options().parse_args(argv)
    args.setup = args.setup or list(SETUPS)
    args.event = args.event or list(vip_events.EVENTS)
    # Ended by TERM as by ^C: what was changed of the lab is undone.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if args.table:
            print(table(lines(args.out)))
            return 0
        if not args.judge:
            run(args)
        return judge(args)
    except (MeterError, LabError, OSError) as why:
        print(f"vip_gaps.py: {why}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
