"""
SIGTERM at any time, two hundred times, and a thousand SIGHUPs, of either
program while it is busy. Minutes: by hand.
"""
import http.client
import os
import random
import signal
import threading
import time

import pytest

import prober_lib
import spoa_lib
from prober_lib import SLOW, folder, own_cluster, wait_until

__all__ = ["folder", "own_cluster"]

STOPS = 200
RELOADS = 1000
# What asking a program that is gone, or goes, ends in.
DEAD = OSError, AssertionError, http.client.HTTPException


@pytest.fixture
def dice():
    seed = int(os.environ.get("SEED", "0")) or random.randrange(1 << 30)
    print(f"SEED={seed}")
    return random.Random(seed)


class Busy:
    """Does something over and over in threads, whatever becomes of it."""

    def __init__(self, *what):
        self.end = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(w,))
                        for w in what]

    def run(self, what):
        while not self.end.is_set():
            try:
                what()
            except DEAD:
                time.sleep(0.002)

    def __enter__(self):
        for t in self.threads:
            t.start()

    def __exit__(self, *_):
        self.end.set()
        for t in self.threads:
            t.join()


def stops(program, dice):
    """It starts, is stopped at some time, and leaves at once with 0."""
    longest = 0.0
    for _ in range(STOPS):
        program.start()
        time.sleep(dice.random() * 0.3)
        took = program.stop(dice.choice([signal.SIGTERM, signal.SIGINT]))
        longest = max(longest, took)
        program.log.unlink()
    print(f"{STOPS} stops, the longest {longest * 1000:.0f} ms")
    assert longest < 2 * SLOW


def decide(agent, dice):
    def run():
        c = spoa_lib.Spop(agent.socket)
        for i in range(50):
            c.send(spoa_lib.route(i) * dice.randrange(1, 20))
            c.send(spoa_lib.hold(i, 2))
            c.next()
        c.close()
    return run


def be_refused(agent):
    def run():
        d = spoa_lib.DeskClient(agent.desk)
        d.send(spoa_lib.startup(user="x"))
        d.rest()
    return run


def read_all(prober):
    def run():
        for path in ("/topology", "/metrics", "/check/main_write/node1/pid-1"):
            prober.get(path)
    return run


def be_fed(prober):
    def run():
        agent = prober_lib.Agent(prober.feed)
        agent.s.settimeout(0.5)
        for _ in range(5):
            agent.until(agent.SNAPSHOT)
        agent.close()
    return run


def leaders(cluster, dice):
    def run():
        cluster.lead(dice.choice(["node1", "node2", "node3"]))
        time.sleep(dice.random() * 0.1)
    return run


def test_agent_stopped_at_any_time(folder, dice):
    agent = spoa_lib.Agent(folder)
    prober = spoa_lib.Prober(agent.feed)
    prober.normal()
    with Busy(decide(agent, dice), be_refused(agent)):
        stops(agent, dice)
    prober.stop()


def test_prober_stopped_at_any_time(folder, own_cluster, dice):
    prober = prober_lib.Prober(folder, own_cluster.etcd.port)
    with Busy(read_all(prober), be_fed(prober), leaders(own_cluster, dice)):
        stops(prober, dice)


def reloads(program, last, is_taken):
    """A broken one in between changes nothing; the last one counts."""
    good = program.conf.read_text()
    fds = program.fds()
    for i in range(RELOADS):
        if i % 100 == 50:
            program.conf.write_text(good + "nonsense = 1\n")
        elif i % 100 == 60:
            program.conf.write_text(good)
        program.process.send_signal(signal.SIGHUP)
        time.sleep(0.001)
    wait_until(lambda: "nonsense" in program.text(), "refused")
    program.conf.write_text(last(good))
    program.process.send_signal(signal.SIGHUP)
    wait_until(is_taken, "the last one")
    wait_until(lambda: program.fds() <= fds + 4, f"{fds} descriptors")


def test_agent_thousand_reloads(folder, dice):
    agent = spoa_lib.Agent(folder)
    prober = spoa_lib.Prober(agent.feed)
    prober.normal()
    with agent:
        c = spoa_lib.Spop(agent.socket)
        wait_until(lambda: c.ask(spoa_lib.route(1)).vars.get("server") == "a",
                   "fresh")
        reloads(agent, lambda good: good +
                "listen more {\n\tport = 5009\n\ttarget = primary\n}\n",
                lambda: c.ask(spoa_lib.route(3, listen="more")).vars.get(
                    "server") == "a")
        assert c.ask(spoa_lib.route(2)).vars["server"] == "a"
    prober.stop()


def test_prober_thousand_reloads(folder, own_cluster, dice):
    with prober_lib.Prober(folder, own_cluster.etcd.port) as prober:
        wait_until(lambda: prober.get("/healthz")[0] == 200, "a verdict")
        reloads(prober, lambda good: good.replace(
            "etcd =", "max_age_dcs = 5s\n\tetcd ="),
            lambda: "cluster.max_age_dcs" in prober.text())
        assert prober.get("/healthz")[0] == 200
