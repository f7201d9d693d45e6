"""
spop_bench.py [SECONDS]: the agent on one core, spop_load on another, a
scripted prober feeding it; each row paired with a bare socket's ping-pong in
the same run. JSON lines on standard output.

    PATROUTE_BUILD=BUILD-FOLDER python3 tests/bench/spop_bench.py 3
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "wire"))

from spoa_lib import Agent, Prober, Spop, free_port, route, wait_until  # noqa

LOAD = pathlib.Path(os.environ["PATROUTE_BUILD"]) / "tests/bench/spop_load"
SHAPES = [(1, 1), (1, 16), (1, 128), (8, 16), (64, 4)]     # conns, depth


def load(*args):
    out = subprocess.run(["taskset", "-c", "1", LOAD, *map(str, args)],
                         check=True, capture_output=True, text=True).stdout
    return json.loads(out)


def main(seconds):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o777)
        port = free_port()
        agent = Agent(folder, log_level="info", listen=[
            f"unix:{folder}/agent.sock", f"tcp:127.0.0.1:{port}"])
        agent.prefix = ["taskset", "-c", "0"]
        prober = Prober(agent.feed)
        prober.normal()
        with agent:
            c = Spop(agent.socket)
            wait_until(lambda: c.ask(route(1)).vars, "fresh")
            for where in ([f"unix:{agent.socket}"], ["127.0.0.1", port]):
                for conns, depth in SHAPES:
                    bare = load("-s", 1, "--pingpong")
                    cpu = agent.cpu_s()
                    row = load("-c", conns, "-d", depth, "-s", seconds, *where)
                    row["agent_cpu"] = round(
                        (agent.cpu_s() - cpu) / (seconds + 0.3), 2)
                    row["pingpong_p50_us"] = bare["p50_us"]
                    row["load_average"] = os.getloadavg()[0]
                    print(json.dumps(row), flush=True)
            print(json.dumps({"agent_rss_kib": agent.status("VmRSS"),
                              "at": time.strftime("%F %T")}))
        prober.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
