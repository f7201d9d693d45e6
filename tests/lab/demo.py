"""lab demo: the whole thing on this machine, and what it is good for.

Brings the lab up, shows the topology, writes and reads through each port,
then measures a switchover and the leader's death for patroute and, on 5100
to 5102 of the same HAProxy, for the stock classic configuration: the same
cluster, the same instant, the same clients. At last Pacemaker moves the
virtual IP, through which all of them come.
"""

import json
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "meter"))

# pylint: disable=wrong-import-position
import invariants  # noqa: E402
import measures  # noqa: E402
from meter import MeterError, Target  # noqa: E402
from patroute_lab import Lab, hosts, pacemaker  # noqa: E402
from patroute_lab.errors import LabError  # noqa: E402
from scenarios import run_once  # noqa: E402

VIP_MOVES = "the virtual IP moves, planned"
EVENTS = (("switchover", "planned switchover", 8.0),
          ("kill", "the leader's host dies", 12.0),
          ("vip", VIP_MOVES, 3.0))
WAYS = (("patroute", 5000, 5001), ("classic", 5100, 5101))
EVERY_MS = 30                   # a PostgreSQL connection costs 3 ms of CPU or more


def targets():
    """A write and a read target for each of the two ways."""
    found = []
    for way, write, read in WAYS:
        found += [Target(f"{way}-write", write, "write", every_ms=EVERY_MS),
                  Target(f"{way}-read", read, "read", every_ms=EVERY_MS)]
    return found


def show_topology(lab):
    """Who is there, as the prober on the VIP's host sees it."""
    vip = lab.status()["vip"]
    if vip is None:
        raise LabError("no host holds the virtual IP")
    text = lab.exec(vip,
                    ["curl", "-sS", "--max-time", "3",
                     "http://127.0.0.1:7100/topology"]).stdout
    for cluster in json.loads(text)["clusters"]:
        print(f"cluster {cluster['name']}: writes go to "
              f"{cluster['write'] or 'nobody'} ({cluster['why_text']})")
        for member in cluster["members"]:
            print("  {name:8} {role:8} on server {server:16} "
                  "timeline {timeline}".format(**member))


def through_the_ports(lab):
    """A write and reads, as an application would: psql on app1."""
    who = "SELECT inet_server_addr(), CASE WHEN pg_is_in_recovery() " \
          "THEN 'replica' ELSE 'primary' END"
    names = {h.address: h.name for h in lab.hosts.values()}

    def ask(port, sql, **env):
        done = lab.exec(hosts.CLIENT, ["env", *[f"{k}={v}" for k, v
                                                in env.items()],
                                       *lab.psql_argv(port, ["-XAtqc", sql])])
        return done.stdout.strip()

    def shown(answer):
        address, role = answer.split("|")
        return f"{names[address.split('/')[0]]}, {role}"
    ask(5000, "CREATE TABLE IF NOT EXISTS demo(at timestamptz)")
    wrote = ask(5000, "INSERT INTO demo VALUES (now()) RETURNING "
                      "host(inet_server_addr()), 'primary'")
    print(f"  5000  INSERT          {shown(wrote)}")
    for _ in range(2):
        print(f"  5001  SELECT          {shown(ask(5001, who))}")
    print(f"  5002  SELECT          {shown(ask(5002, who))}")
    asked = ask(5002, who, PGSSLMODE="disable",
                PGOPTIONS="-c patroute.target=primary")
    print(f"  5002  target=primary  {shown(asked)}")


def measure(lab, folder):
    """{event: (history, {label: numbers})}"""
    found = {}
    for name, text, after in EVENTS:
        if text == VIP_MOVES and not pacemaker.is_on(lab.settings):
            print("\nthe virtual IP of this lab is fixed: it does not move")
            continue
        print(f"\n{text}: a new connection to each port every {EVERY_MS} ms",
              flush=True)
        path = os.path.join(folder, f"{name}.jsonl")
        h = run_once(lab, name, targets(), path, after=after)
        numbers = measures.summary(h)
        for why in numbers["invalid"]:
            raise MeterError(f"this run proves nothing: {why}")
        found[text] = (h, {t["label"]: t for t in numbers["targets"]})
    return found


def _seconds(value):
    if value is None:
        return "-"
    return f"{value * 1000:.0f} ms" if abs(value) < 1 else f"{value:.1f} s"


def _ended(old):
    return f"{old['n'] - old['open']} of {old['n']}"


def _closed(old):
    if not old["n"]:
        return "-"
    if old["open"]:
        return f"{old['open']} never"
    return _seconds(old["after_named"] if old["after_named"] is not None
                    and old["after_named"] > 0 else 0)


ROWS = (
    ("first right write after the new leader was writable",
     "write", lambda t: _seconds(t["first_right_write"])),
    ("longest time without a right write", "write",
     lambda t: _seconds(t["longest_gap"])),
    ("writes sent to a standby", "write",
     lambda t: str(t["misrouted"]["n"])),
    ("writes failed", "write", lambda t: str(t["failed"]["n"])),
    ("reads sent to the primary", "read",
     lambda t: str(t["misrouted"]["n"])),
    ("reads failed", "read", lambda t: str(t["failed"]["n"])),
    ("old sessions closed after etcd named another", "write",
     lambda t: _closed(t["old_sessions"])),
)
# No leader is new then. An idle session learns of it when it is used next.
VIP_ROWS = (*ROWS[1:-1], ("open sessions that ended", "write",
                          lambda t: _ended(t["old_sessions"])))


def table(found):
    """The numbers, one line each, patroute beside classic."""
    lines = []
    for text, (_, numbers) in found.items():
        rows, head = ROWS, text
        if text == VIP_MOVES:
            rows = VIP_ROWS
        else:
            new = numbers["patroute-write"]["writable"]
            head += f" (new leader writable after {_seconds(new)})"
        lines.append((head, *[way for way, _, _ in WAYS]))
        for row, kind, value in rows:
            lines.append((f"  {row}", *[value(numbers[f"{way}-{kind}"])
                                        for way, _, _ in WAYS]))
        lines.append(("", "", ""))
    width = max(len(line[0]) for line in lines)
    return "\n".join(f"{a:{width}}  {b:>10}  {c:>10}".rstrip()
                     for a, b, c in lines)


def verdict(found):
    """The invariants on patroute's own labels; sentences, [] if all hold."""
    broken = []
    for text, (h, numbers) in found.items():
        for check in (invariants.i1_leader_only(h, labels=["patroute-write"]),
                      invariants.i3_no_lingering(h,
                                                 labels=["patroute-write"]),
                      invariants.i16_reads(h, labels=["patroute-read"])):
            broken += [f"{text}: {check.name}: {why}"
                       for why, _ in check.violations]
        broken += [f"{text}: {why}" for why in _promised(text, numbers)]
    return broken


def _promised(text, numbers):
    """What the README promises of the event, and was not so."""
    write, read = numbers["patroute-write"], numbers["patroute-read"]
    for each in (write, read):
        if each["misrouted"]["n"]:
            yield f"{each['label']}: misrouted connections"
    if text == VIP_MOVES:
        return
    if write["first_right_write"] is None or write["first_right_write"] > 0.2:
        yield "no right write within 200 ms of the new leader being writable"
    if read["failed"]["n"]:
        yield "reads failed"
    if text.startswith("planned") and write["failed"]["n"]:
        yield "new connections failed"
    if write["old_sessions"]["open"]:
        yield "sessions on the old leader were left open"


AFTERWARDS = """
The lab stays up.
  tests/lab/lab status                        who leads, what runs
  tests/lab/lab psql 5000                     psql through the write port
  tests/lab/lab switchover                    another one
  tests/lab/lab standby hap1                  Pacemaker takes all of it off hap1
  tests/lab/lab exec hap1 curl -s http://127.0.0.1:7100/topology
  tests/lab/lab logs hap1 prober              why each verdict changed
  tests/lab/lab --help                        the other verbs
  tests/lab/lab down                          removes every trace of it"""


def main():
    """Runs the demo; 1 if patroute broke an invariant."""
    lab = Lab()
    try:
        lab.up()
        print()
        show_topology(lab)
        print("\nthrough the ports, from app1 by the virtual IP:")
        through_the_ports(lab)
        with tempfile.TemporaryDirectory() as folder:
            found = measure(lab, folder)
        print("\n" + table(found))
    except (LabError, MeterError) as why:
        print(f"lab demo: {why}", file=sys.stderr)
        return 1
    broken = verdict(found)
    for sentence in broken[:10]:
        print(f"BROKEN: {sentence}")
    print(AFTERWARDS)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
