"""
path_bench.py [--haproxy PATH]... [--pairs N] [--ms MS] [--plot FILE.svg]

What patroute costs a new connection: the shipped haproxy/patroute.cfg with the
agent and a fixed snapshot, against the same HAProxy process by a second
frontend, the shipped one without its `filter spoe` and `send-spoe-group` lines.
A trivial server stands in PostgreSQL's place. The two are measured by turns,
and what counts is the median over the pairs. HAProxy (one thread) and the
agent have one core together, the load and the server the other: what a
connection costs the agent, HAProxy lacks. At 2,000/s all four are real-time
processes, so that no tail is another's. JSON lines on standard output: each
measurement, then a summary with each target. As root, in a network namespace
of its own; the machine should have nothing else to do.

    PATROUTE_BUILD=BUILD-FOLDER /usr/bin/python3 tests/bench/path_bench.py
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "wire"))

from load_ahead import on_core, session_first, set_realtime
import spoa_haproxy  # noqa: E402
from spoa_haproxy import N1, connect, own_network  # noqa: E402
from spoa_lib import wait_until  # noqa: E402

BUILD = pathlib.Path(os.environ["PATROUTE_BUILD"])
LOAD = BUILD / "tests/bench/path_load"
RESPONDER = BUILD / "tests/meter/patroute-responder"
OURS, BESIDE = 5000, 5010
# Closed loop with 32 clients; open loop at 2,000 a second.
SATURATE, STEADY = ["-c", "32"], ["-r", "2000"]
WITH, WITHOUT = "with", "without"


class Responder:
    """patroute-responder in a member's place, on the load's core."""

    def __init__(self, name, address):
        self.process = subprocess.Popen(
            [*on_core(1), RESPONDER, address, "5432",
             "primary" if name == N1 else "replica"])

    def stop(self):
        self.process.kill()
        self.process.wait()


class Site(spoa_haproxy.Site):
    """The shipped files, and beside their frontend the one without SPOE."""

    make_member = Responder
    log_name = "/dev/null"

    def __init__(self, folder, haproxy):
        super().__init__(folder)
        # It starts as many threads as it has cores.
        self.haproxy_command = [*on_core(0), haproxy]
        self.agent.write(log_level="info")
        self.agent.prefix = on_core(0)

    def text_of(self, name):
        text = super().text_of(name)
        if name != "patroute.cfg":
            return text
        begin = text.index("frontend patroute from")
        end = text.index("\nbackend ", begin)
        beside = "\n".join(
            x for x in text[begin:end].splitlines()
            if not re.match(r"\s+(filter spoe |.* send-spoe-group )", x))
        beside = beside.replace("frontend patroute ", "frontend beside ")
        beside = re.sub(r"bind \*:500(\d)", r"bind *:501\1", beside)
        return text[:end] + "\n\n" + beside + "\n" + text[end:]

    def worker(self):
        """The process that serves: the master's child."""
        pid = self.haproxy.pid
        path = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
        return int(path.read_text().split()[0])

    def serving(self):
        return [self.worker(), self.agent.process.pid,
                *(m.process.pid for m in self.members.values())]


def on_cpu_us(pid):
    path = pathlib.Path(f"/proc/{pid}/schedstat")
    return int(path.read_text().split()[0]) / 1e3


def idle_s():
    """Of each of the two cores, since the machine's start."""
    lines = pathlib.Path("/proc/stat").read_text().splitlines()
    return [int(x.split()[4]) / os.sysconf("SC_CLK_TCK")
            for x in lines if re.match("cpu[01] ", x)]


def measure(site, version, way, shape, ms):
    realtime = shape is STEADY
    port = OURS if way == WITH else BESIDE
    pids = {"haproxy": site.worker(), "agent": site.agent.process.pid}
    before = {k: on_cpu_us(p) for k, p in pids.items()}
    idle = idle_s()
    out = subprocess.run(
        [*on_core(1, realtime), LOAD, "-m", str(ms), *shape, "127.0.0.1",
         str(port)], check=True, capture_output=True, text=True).stdout
    row = {"haproxy": version, "way": way} | json.loads(out)
    assert row["refused"] == 0 and row["late"] == 0, row
    # Of its warm-up, too: the shares are of all connections.
    n = row["per_second"] * (ms + 200) / 1e3
    for k, p in pids.items():
        row[f"{k}_us_each"] = round((on_cpu_us(p) - before[k]) / n, 1)
    row["cores_idle"] = [round((now - then) * 1e3 / (ms + 200), 2)
                         for now, then in zip(idle_s(), idle)]
    row["load_average"] = round(os.getloadavg()[0], 2)
    print(json.dumps(row), flush=True)
    return row


def pairs_of(site, version, shape, n, ms):
    """n pairs; who goes first changes."""
    pairs = []
    set_realtime(site.serving(), shape is STEADY)
    for i in range(n):
        ways = (WITH, WITHOUT) if i % 2 else (WITHOUT, WITH)
        pairs.append({w: measure(site, version, w, shape, ms) for w in ways})
    return pairs


def median(pairs, question):
    return round(statistics.median(question(p[WITH], p[WITHOUT])
                                   for p in pairs), 3)


def targets(version, saturated, steady):
    """Rows of the summary."""
    least = 0.75 if version >= (3, 1) else 0.80

    def row(what, value, limit, met):
        return {"haproxy": ".".join(map(str, version)), "target": what,
                "median": value, "limit": limit, "met": met}

    def both(pairs, key):
        return [median(pairs, lambda a, b: a[key]),
                median(pairs, lambda a, b: b[key])]

    share = median(saturated, lambda a, b: a["per_second"] / b["per_second"])
    yield row("connections/s of those without", share, least, share >= least)
    # The load may be what is saturated, too: then the processor time tells.
    share = median(saturated, lambda a, b: b["haproxy_us_each"] /
                   (a["haproxy_us_each"] + a["agent_us_each"]))
    yield row("connections a second of HAProxy's and the agent's processor "
              "time, of those without", share, least, share >= least)
    for q, limit in (("p50_us", 80), ("p99_us", 300)):
        added = median(steady, lambda a, b: a[q] - b[q])
        yield row(f"{q} added at 2,000/s", added, limit, added <= limit)
    for key in ("per_second", "haproxy_us_each", "agent_us_each"):
        yield row(f"saturated: {key}, with and without",
                  both(saturated, key), None, None)
    for key in ("p50_us", "p99_us", "p999_us"):
        yield row(f"2,000/s: {key}, with and without",
                  both(steady, key), None, None)


def version_of(haproxy):
    text = subprocess.run([haproxy, "-v"], check=True, capture_output=True,
                          text=True).stdout
    return tuple(map(int, re.search(r"version (\d+)\.(\d+)\.(\d+)",
                                    text).groups()))


def bench(haproxy, n, ms):
    """(version, pairs saturated, pairs steady)."""
    version = version_of(haproxy)
    name = ".".join(map(str, version))
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o777)
        with Site(folder, haproxy) as site:
            for port in (OURS, BESIDE):
                wait_until(lambda: connect(port)[0].startswith("R"), port)
            found = (version, pairs_of(site, name, SATURATE, n, ms),
                     pairs_of(site, name, STEADY, n, ms))
            asked = sum(p[WITH]["connections"] for p in found[1] + found[2])
            wait_until(lambda: site.prober.stats["routed_write"] >= asked,
                       "each was decided")
            return found


def plot(path, results):
    """Processor time a connection, and its latency: two bars a version."""
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams |= {"svg.hashsalt": "path", "svg.fonttype": "none"}
    import matplotlib.pyplot as plt

    def bar(ax, x, pairs, way, key, over=0, **more):
        value = statistics.median(p[way][key] for p in pairs)
        ax.bar(x, value, 0.38, over, **more)
        return value

    names = ["HAProxy " + ".".join(map(str, r[0])) for r in results]
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
    for i, (_, saturated, steady) in enumerate(results):
        for way, colour, shift in ((WITHOUT, "#9aa5b1", -0.2),
                                   (WITH, "#2f6f9f", 0.2)):
            label = f"{way} patroute" if i == 0 else None
            of = bar(left, i + shift, saturated, way, "haproxy_us_each",
                     color=colour, label=label)
            if way == WITH:
                bar(left, i + shift, saturated, way, "agent_us_each", of,
                    color="#d98c3f", label="its agent" if i == 0 else None)
            for key, alpha in (("p99_us", 0.45), ("p50_us", 1)):
                bar(right, i + shift, steady, way, key, color=colour,
                    alpha=alpha)
    left.set_title("µs of processor a connection, 32 clients", fontsize=10)
    right.set_title("µs to the first byte at 2,000/s: median, p99 (pale)",
                    fontsize=10)
    for ax in (left, right):
        ax.set_xticks(range(len(names)), names)
        ax.spines[["top", "right"]].set_visible(False)
    left.set_ylim(top=left.get_ylim()[1] * 1.2)
    left.legend(frameon=False, loc="upper left", ncols=3, fontsize=8)
    fig.tight_layout()
    fig.savefig(path, metadata={"Date": None})


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--haproxy", action="append", metavar="PATH")
    p.add_argument("--pairs", type=int, default=10)
    p.add_argument("--ms", type=int, default=700)
    p.add_argument("--plot", metavar="FILE.svg")
    args = p.parse_args()
    own_network()
    session_first()
    # The scripted prober and Patroni are this process: it never makes anybody
    # else wait.
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    os.sched_setaffinity(0, {1})
    results = [bench(h, args.pairs, args.ms)
               for h in args.haproxy or ["/usr/sbin/haproxy"]]
    for r in results:
        for row in targets(*r):
            print(json.dumps(row))
    print(json.dumps({"at": time.strftime("%F %T")}))
    if args.plot:
        plot(args.plot, results)


if __name__ == "__main__":
    main()
