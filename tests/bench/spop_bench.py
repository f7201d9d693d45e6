"""
spop_bench.py [PAIRS [MILLISECONDS [unix|tcp|tls]]]: the agent on one core,
spop_load on the other, a scripted prober feeding it. Every measurement is one
of a group: a bare socket's ping-pong of the same kind; the same load on bare
sockets, answered with as many bytes by a process that reads none of them
("echo"); the agent. They take turns, every second group in reverse order, and
what counts is the median over the groups: a machine that others use too slows
all three. Where the latency is judged both ends are real-time processes, in
all three: no pause is another process's then. JSON lines on standard output:
each measurement, then a summary with each target. As root.

    PATROUTE_BUILD=BUILD-FOLDER python3 tests/bench/spop_bench.py
"""
import json
import os
import pathlib
import pwd
import statistics
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "wire"))

from load_ahead import on_core, session_first, set_realtime  # noqa: E402
from spoa_lib import (Agent, Prober, Spop, USER, free_port,  # noqa: E402
                      route, wait_until)
from spoa_tls import Pki  # noqa: E402

LOAD = pathlib.Path(os.environ["PATROUTE_BUILD"]) / "tests/bench/spop_load"
WARM_MS = 200       # spop_load's own
# Connections, depth, rate (0: closed loop).
SHAPES = [(1, 1, 0), (1, 16, 0), (1, 128, 0), (8, 16, 0), (64, 4, 0),
          (8, 256, 50000)]
# A real-time process that never sleeps has the kernel take its core away for
# 50 ms; after a rest of this long it does not.
REST_S = 0.6


def load(ms, where, realtime, *args):
    out = subprocess.run(
        [*on_core(1, realtime), LOAD, "-m", str(ms), *map(str, args), *where],
        check=True, capture_output=True, text=True).stdout
    return json.loads(out)


def on_cpu_ns(agent):
    path = pathlib.Path(f"/proc/{agent.process.pid}/schedstat")
    return int(path.read_text().split()[0])


def is_about_latency(shape):
    conns, depth, rate = shape
    return rate > 0 or (conns == 1 and depth <= 16)


def stolen_ms():
    """What the machine's host took of it."""
    first = pathlib.Path("/proc/stat").read_text().splitlines()[0]
    return int(first.split()[8]) * 1000 // os.sysconf("SC_CLK_TCK")


def asked(agent, ms, where, realtime, args):
    """The agent's turn, with its share of its core."""
    set_realtime([agent.process.pid], realtime)
    stolen, cpu = stolen_ms(), on_cpu_ns(agent)
    row = load(ms, where, realtime, *args)
    cpu = on_cpu_ns(agent) - cpu
    row["stolen_ms"] = stolen_ms() - stolen
    set_realtime([agent.process.pid], False)
    # The warm-up's decisions took their part of it.
    row["agent_cpu_share"] = round(cpu / 1e6 / (ms + WARM_MS), 2)
    row["per_cpu_second"] = round(
        row["per_second"] * (ms + WARM_MS) * 1e6 / cpu)
    return row


def group(agent, ms, where, shape, is_reverse):
    """Ping-pong, echo, agent, or the other way round."""
    conns, depth, rate = shape
    realtime = is_about_latency(shape)
    args = ["-c", conns, "-d", depth] + (["-r", rate] if rate else [])
    plain = [w for w in where if not w.startswith("--")][-2:] \
        if "--cert" in where else where
    turns = [lambda: load(ms, plain, realtime, "--pingpong"),
             lambda: load(ms, plain, realtime, *args, "--echo"),
             lambda: asked(agent, ms, where, realtime, args)]
    found = []
    for turn in reversed(turns) if is_reverse else turns:
        time.sleep(REST_S if rate and found else 0)
        found.append(turn())
    bare, echo, row = reversed(found) if is_reverse else found
    row["pingpong_p50_us"] = bare["p50_us"]
    row["pingpong_mean_us"] = round(1e6 / bare["per_second"], 2)
    for key in ("per_second", "p50_us", "p99_us", "p999_us"):
        row["echo_" + key] = echo[key]
    row["realtime"] = realtime
    row["load_average"] = round(os.getloadavg()[0], 2)
    print(json.dumps(row), flush=True)
    return row


def median(rows, question):
    return round(statistics.median(map(question, rows)), 3)


def round_trips(rows, key):
    """Of 16, answered in the time of one bare round trip."""
    return median(rows, lambda r: r[key] * r["pingpong_mean_us"] / 16e6)


def targets(shape, rows):
    """(what, value, limit, met, the echo's) of each that this shape has."""
    conns, depth, rate = shape
    per_s = median(rows, lambda r: r["per_second"])
    echo_s = median(rows, lambda r: r["echo_per_second"])
    # What a second of the agent's core is worth, whoever else wants it.
    yield ("decisions/CPU second", median(rows, lambda r: r["per_cpu_second"]),
           None, None, None)
    if (conns, depth) in ((1, 128), (8, 16)):
        yield "decisions/s", per_s, 1_000_000, per_s >= 1_000_000, echo_s
    if (conns, depth) == (1, 16):
        v = round_trips(rows, "per_second")
        yield ("of 16 a ping-pong's round trip", v, 0.8, v >= 0.8,
               round_trips(rows, "echo_per_second"))
    if (conns, depth) == (1, 1):
        v, e = (median(rows, lambda r: r[k] / r["pingpong_p50_us"])
                for k in ("p50_us", "echo_p50_us"))
        yield "median over the ping-pong's", v, 1.25, v <= 1.25, e
    if rate:
        v, e = (median(rows, lambda r: r[k])
                for k in ("p999_us", "echo_p999_us"))
        yield "p99.9 at 50 k/s, us", v, 200, v <= 200, e


def measure(agent, folder, port, tls_port, pairs, ms, only):
    client = folder / "client.pem"
    places = {"unix": [f"unix:{agent.socket}"],
              "tcp": ["127.0.0.1", str(port)],
              "tls": ["--cert", client, "--ca", folder / "ca.pem",
                      "127.0.0.1", str(tls_port)]}
    for name, where in places.items():
        if only not in (None, name):
            continue
        where = list(map(str, where))
        for shape in SHAPES:
            rows = [group(agent, ms, where, shape, i % 2 == 1)
                    for i in range(pairs)]
            for what, value, limit, met, echo in targets(shape, rows):
                if name == "tls" and limit is not None:
                    continue        # the bare sockets have no TLS
                yield {"transport": name, "conns": shape[0],
                       "depth": shape[1], "target": what, "median": value,
                       "limit": limit, "met": met, "echo": echo}


def main(pairs=10, ms=300, only=None):
    session_first()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o777)
        pki = Pki(folder)
        server = pki.issue("server")
        os.chown(server, pwd.getpwnam(USER).pw_uid, -1)
        pki.issue("client")
        port, tls_port = free_port(), free_port()
        agent = Agent(folder, log_level="info", listen=[
            f"unix:{folder}/agent.sock", f"tcp:127.0.0.1:{port}",
            f"tls:127.0.0.1:{tls_port}"], tls_cert=server, tls_key=server,
            tls_ca=pki.path)
        agent.prefix = on_core(0)
        prober = Prober(agent.feed)
        prober.normal()
        with agent:
            c = Spop(agent.socket)
            wait_until(lambda: c.ask(route(1)).vars, "fresh")
            rows = list(measure(agent, folder, port, tls_port, pairs, ms,
                                only))
            for row in rows:
                print(json.dumps(row))
            print(json.dumps({"agent_rss_kib": agent.status("VmRSS"),
                              "at": time.strftime("%F %T")}))
        prober.stop()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]), *sys.argv[3:4])
