#!/usr/bin/python3
"""
rounds.py KIND [-n ROUNDS] [-o FILE] [--seconds S]: one kind of measurement,
many rounds of it, on a lab that is up, judged by the bounds it is to keep.
Each round is one JSON line in FILE, appended as it ends, so that a run that
was ended after S seconds goes on where it stopped. On standard output: one
JSON line for each bound, over all rounds in FILE, with the value found.

    PATROUTE_BUILD=BUILD LAB_NAME=lab tests/bench/rounds.py failovers -n 40

Exit status: 0 all rounds are there and no bound is broken, 1 one is, 2 it did
not work, 3 rounds are missing. Kinds, each described where it is made:

failovers    the leader's postmaster killed, again and again
switchovers  planned, with new connections on 5000 and 5001 all the time
keys         planned, without them: how soon the agents know of the key
probes       a lost probe, the server alive
pool         50 clients that stay, the leader killed; the classic way beside
sessions     on a former leader: when they end, with and without reloads;
             the classic way beside
held         1,000 clients at once, while there is no leader for 5 s
own-writes, own-writes-healthy  a read that names the LSN of a write before it
"""

import argparse
import json
import os
import pathlib
import signal
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / each) for each in ("e2e", "meter", "lab")]

# pylint: disable=wrong-import-position
import rounds_change  # noqa: E402 (its folders are only known now)
import rounds_held  # noqa: E402
import rounds_lsn  # noqa: E402
import rounds_pool  # noqa: E402
import rounds_sessions  # noqa: E402
from meter import MeterError  # noqa: E402
from patroute_lab.errors import LabError  # noqa: E402
from patroute_lab.lab import Lab  # noqa: E402

KINDS = {"failovers": rounds_change.FAILOVERS,
         "switchovers": rounds_change.SWITCHOVERS,
         "keys": rounds_change.KEYS,
         "probes": rounds_change.PROBES,
         "pool": rounds_pool.POOL,
         "sessions": rounds_sessions.SESSIONS,
         "held": rounds_held.HELD_KIND,
         "own-writes": rounds_lsn.OWN_WRITES,
         "own-writes-healthy": rounds_lsn.HEALTHY}


def options():
    """The command line's grammar."""
    top = argparse.ArgumentParser(
        prog="rounds.py", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    top.add_argument("kind", choices=KINDS)
    top.add_argument("-n", type=int, help="rounds in all; default: what the "
                     "bound is said of")
    top.add_argument("-o", "--out", help="default: KIND.jsonl")
    top.add_argument("--seconds", type=float, default=780.0,
                     help="no new round after these (780)")
    top.add_argument("--every", type=int, metavar="MS",
                     help="between connections to a port")
    top.add_argument("--judge", action="store_true",
                     help="no rounds: only judge those in FILE")
    return top


def lines(path):
    """The rounds so far."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def valid(rounds):
    """Those that prove something."""
    return [each for each in rounds if not each["invalid"]]


def run(kind, args, path):
    """Makes rounds until there are enough or the time is over."""
    end = time.monotonic() + args.seconds
    lab = Lab()
    with tempfile.TemporaryDirectory() as folder, \
            kind.prepared(lab, args) as ready:
        while len(valid(lines(path))) < args.n and time.monotonic() < end:
            found = {"at": time.strftime("%F %T"),
                     "load": round(os.getloadavg()[0], 1),
                     **kind.round(lab, ready, folder)}
            print(json.dumps({key: value for key, value in found.items()
                              if key != "histogram"}),
                  file=sys.stderr, flush=True)
            with open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps(found) + "\n")


def dropped(rounds):
    """What befell clients in those that prove nothing, by label."""
    found = {}
    for each in rounds:
        for label, part in [("clients", each), *each.items()]:
            for what in ("failed", "misrouted", "unfinished"):
                if each["invalid"] and isinstance(part, dict) and what in part:
                    key = f"invalid rounds: {label}: {what}"
                    found[key] = found.get(key, 0) + part[what]
    return found


def judge(kind, args, rounds):
    """Prints each bound; the exit status."""
    good = valid(rounds)
    broken = False
    for what, value, limit, met in kind.bounds(good) if good else ():
        broken |= met is False
        print(json.dumps({"kind": args.kind, "what": what, "value": value,
                          "limit": limit, "met": met}))
    for what, value in dropped(rounds).items():
        print(json.dumps({"kind": args.kind, "what": what, "value": value,
                          "limit": None, "met": None}))
    missing = max(0, args.n - len(good))
    print(json.dumps({"kind": args.kind, "rounds": len(good),
                      "invalid": len(rounds) - len(good),
                      "missing": missing}))
    return 1 if broken else 3 if missing else 0


def main(argv):
    """Runs one kind; the exit status."""
    args = options().parse_args(argv)
    # Ended by TERM as by ^C: what was changed of the lab is undone.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    kind = KINDS[args.kind]
    args.n = args.n or kind.n
    path = args.out = args.out or f"{args.kind}.jsonl"
    try:
        if not args.judge:
            run(kind, args, path)
        return judge(kind, args, lines(path))
    except (MeterError, LabError, OSError) as why:
        print(f"rounds.py: {why}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
