"""The command `meter`: run scenarios on the lab by hand, show histories."""

import argparse
import json
import os
import sys

import invariants
import measures
import table
from history import History
from meter import MeterError, Target
from scenarios import SCENARIOS, classic_beside, run_once

# pylint: disable=wrong-import-order
from patroute_lab.errors import LabError
from patroute_lab.hosts import VIP
from patroute_lab.lab import Lab

CHECKS = (invariants.i1_leader_only, invariants.i3_no_lingering,
          invariants.i16_reads)


def target(text):
    """LABEL=PORT:KIND[:EVERY_MS]"""
    try:
        label, where = text.split("=")
        port, kind, *every = where.split(":")
        return Target(label, int(port), kind, VIP,
                      int(every[0]) if every else 10)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f'"{text}": expected LABEL=PORT:KIND[:EVERY_MS], KIND write, '
            "read or any") from None


def options():
    """The command line's grammar."""
    top = argparse.ArgumentParser(prog="meter", description=__doc__)
    verbs = top.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="a scenario, some times, on the lab")
    run.add_argument("scenario", choices=SCENARIOS, metavar="SCENARIO",
                     help="; ".join(f"{name}: {s.text}"
                                    for name, s in SCENARIOS.items()))
    run.add_argument("-n", type=int, default=1, help="how often")
    run.add_argument("-t", "--target", type=target, action="append",
                     help="LABEL=PORT:KIND[:EVERY_MS], more than once; "
                     "default: write=5000:write read=5001:read")
    run.add_argument("-o", "--out", default=".", metavar="FOLDER",
                     help="for the histories and SCENARIO.json")
    run.add_argument("--after", type=float, default=12.0, metavar="S",
                     help="measured behind the new leader (12)")
    run.add_argument("--through", type=float, default=0.0, metavar="S",
                     help="measured behind the undoing (0)")
    run.add_argument("--classic", choices=("stock", "tuned"),
                     help="start a second HAProxy with these timings beside "
                     "on the VIP's host, ports 5200 to 5202, and measure it "
                     "too")
    show = verbs.add_parser("show", help="a history's numbers, as JSON")
    show.add_argument("history", nargs="+")
    judge = verbs.add_parser("judge", help="the invariants on a history")
    judge.add_argument("history", nargs="+")
    join = verbs.add_parser("table", help="one table of several SCENARIO.json")
    join.add_argument("runs", nargs="+")
    join.add_argument("--markdown", action="store_true")
    return top


def run_all(args):
    """The verb run."""
    lab = Lab()
    targets = args.target or [Target("write", 5000, "write"),
                              Target("read", 5001, "read")]
    os.makedirs(args.out, exist_ok=True)
    runs = []
    if args.classic:
        targets = targets + [
            Target(f"{args.classic}-write", 5200, "write",
                   every_ms=targets[0].every_ms),
            Target(f"{args.classic}-read", 5201, "read",
                   every_ms=targets[0].every_ms)]
        with classic_beside(lab, lab.status()["vip"], args.classic):
            _repeat(lab, args, targets, runs)
    else:
        _repeat(lab, args, targets, runs)
    print(table.plain(runs), end="")
    return 1 if any(run["invalid"] for run in runs) else 0


def _repeat(lab, args, targets, runs):
    for i in range(1, args.n + 1):
        path = os.path.join(args.out, f"{args.scenario}-{i}.jsonl")
        print(f"{args.scenario} {i}/{args.n}: {path}", file=sys.stderr,
              flush=True)
        h = run_once(lab, args.scenario, targets, path, after=args.after,
                     through=args.through)
        runs.append(measures.summary(h))
        for why in runs[-1]["invalid"]:
            print(f"invalid: {why}", file=sys.stderr)
        with open(os.path.join(args.out, f"{args.scenario}.json"), "w",
                  encoding="utf-8") as file:
            json.dump(runs, file, indent=1)


def show_all(args):
    """The verb show."""
    print(json.dumps([measures.summary(History.load(path))
                      for path in args.history], indent=1))
    return 0


def judge_all(args):
    """The verb judge; 1 if an invariant is broken."""
    rc = 0
    for path in args.history:
        h = History.load(path)
        for check in CHECKS:
            found = check(h)
            print(f"{path}: {found!r}")
            for why, lines in found.violations[:3]:
                print(f"  {why}")
                for line in lines:
                    print(f"    {json.dumps(line)}")
            rc |= bool(found.violations)
    return rc


def join_all(args):
    """The verb table."""
    runs = []
    for path in args.runs:
        with open(path, encoding="utf-8") as file:
            runs += json.load(file)
    print(table.markdown(runs) if args.markdown else table.plain(runs),
          end="")
    return 0


def main(argv):
    """Runs one verb; the exit status."""
    args = options().parse_args(argv)
    verbs = {"run": run_all, "show": show_all, "judge": judge_all,
             "table": join_all}
    try:
        return verbs[args.verb](args)
    except (MeterError, LabError, OSError) as why:
        print(f"meter: {why}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
