"""
spop_bench.py [PAIRS] [MILLISECONDS]: the agent on one core, spop_load on the
other, a scripted prober feeding it. Every measurement is one of a pair with a
bare socket's ping-pong of the same kind, the two by turns, and what counts is
the median over the pairs: a machine that others use too slows both. JSON lines
on standard output: each pair, then a summary with each target.

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

from spoa_lib import (Agent, Prober, Spop, USER, free_port,  # noqa: E402
                      route, wait_until)
from spoa_tls import Pki  # noqa: E402

LOAD = pathlib.Path(os.environ["PATROUTE_BUILD"]) / "tests/bench/spop_load"
WARM_MS = 200       # spop_load's own
# Connections, depth, rate (0: closed loop).
SHAPES = [(1, 1, 0), (1, 16, 0), (1, 128, 0), (8, 16, 0), (64, 4, 0),
          (8, 256, 50000)]


def load(ms, where, *args):
    out = subprocess.run(
        ["taskset", "-c", "1", LOAD, "-m", str(ms), *map(str, args), *where],
        check=True, capture_output=True, text=True).stdout
    return json.loads(out)


def on_cpu_ns(agent):
    path = pathlib.Path(f"/proc/{agent.process.pid}/schedstat")
    return int(path.read_text().split()[0])


def pair(agent, ms, where, shape):
    """A bare ping-pong, then the agent; with the agent's share of its core."""
    conns, depth, rate = shape
    args = ["-c", conns, "-d", depth] + (["-r", rate] if rate else [])
    plain = [w for w in where if not w.startswith("--")][-2:] \
        if "--cert" in where else where
    bare = load(ms, plain, "--pingpong")
    cpu = on_cpu_ns(agent)
    row = load(ms, where, *args)
    cpu = on_cpu_ns(agent) - cpu
    # The warm-up's decisions took their part of it.
    row["agent_cpu_share"] = round(cpu / 1e6 / (ms + WARM_MS), 2)
    row["per_cpu_second"] = round(
        row["per_second"] * (ms + WARM_MS) * 1e6 / cpu)
    row["pingpong_p50_us"] = bare["p50_us"]
    row["pingpong_mean_us"] = round(1e6 / bare["per_second"], 2)
    row["load_average"] = round(os.getloadavg()[0], 2)
    print(json.dumps(row), flush=True)
    return row


def median(rows, question):
    return round(statistics.median(map(question, rows)), 3)


def targets(shape, rows):
    """(what, value, limit, met) of each target that this shape has."""
    conns, depth, rate = shape
    per_s = median(rows, lambda r: r["per_second"])
    cpu_s = median(rows, lambda r: r["per_cpu_second"])
    # What a second of the agent's core is worth, whoever else wants it.
    yield "decisions/CPU second", cpu_s, None, None
    if (conns, depth) in ((1, 128), (8, 16)):
        yield "decisions/s", per_s, 1_000_000, per_s >= 1_000_000
    if (conns, depth) == (1, 16):
        v = median(rows, lambda r: r["per_second"] *
                   r["pingpong_mean_us"] / 16e6)
        yield "of 16 a ping-pong's round trip", v, 0.8, v >= 0.8
    if (conns, depth) == (1, 1):
        v = median(rows, lambda r: r["p50_us"] / r["pingpong_p50_us"])
        yield "median over the ping-pong's", v, 1.25, v <= 1.25
    if rate:
        v = median(rows, lambda r: r["p999_us"])
        yield "p99.9 at 50 k/s, us", v, 200, v <= 200


def measure(agent, folder, port, tls_port, pairs, ms):
    client = folder / "client.pem"
    places = {"unix": [f"unix:{agent.socket}"],
              "tcp": ["127.0.0.1", str(port)],
              "tls": ["--cert", client, "--ca", folder / "ca.pem",
                      "127.0.0.1", str(tls_port)]}
    for name, where in places.items():
        where = list(map(str, where))
        for shape in SHAPES:
            rows = [pair(agent, ms, where, shape) for _ in range(pairs)]
            for what, value, limit, met in targets(shape, rows):
                if name == "tls" and limit is not None:
                    continue        # the ping-pong has no TLS
                yield {"transport": name, "conns": shape[0],
                       "depth": shape[1], "target": what, "median": value,
                       "limit": limit, "met": met}


def main(pairs=10, ms=300):
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
        agent.prefix = ["taskset", "-c", "0"]
        prober = Prober(agent.feed)
        prober.normal()
        with agent:
            c = Spop(agent.socket)
            wait_until(lambda: c.ask(route(1)).vars, "fresh")
            rows = list(measure(agent, folder, port, tls_port, pairs, ms))
            for row in rows:
                print(json.dumps(row))
            print(json.dumps({"agent_rss_kib": agent.status("VmRSS"),
                              "at": time.strftime("%F %T")}))
        prober.stop()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
