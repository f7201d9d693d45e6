"""
Operators' orders while something ends: etcd, or the prober, in the midst of
writing one; and a hold that stands over the prober's restart and stall.
"""
import base64
import concurrent.futures
import contextlib
import json
import signal
import time

import pytest

from prober_control import order, pair, ready, started
from prober_lib import (Agent, cluster, folder, own_cluster, shared_cluster,
                        wait_until)

__all__ = ["cluster", "folder", "own_cluster", "pair", "shared_cluster"]


@contextlib.contextmanager
def frozen(process):
    """It stands still; what it is sent waits in its sockets."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def asked(prober, **keys):
    """An order that is on its way while the block runs: its future."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        future = pool.submit(order, prober, **keys)
        time.sleep(0.3)
        assert not future.done(), future.result()
        yield future


def mode_in(etcd):
    """The mode that etcd has an order for."""
    found = etcd.call("kv/range",
                      {"key": etcd.b64("/patroute/main/mode")}).get("kvs")
    return json.loads(base64.b64decode(found[0]["value"]))["mode"] \
        if found else "live"


def test_a_etcd_falls_silent(folder, own_cluster):
    """What went out may be carried out later: nobody says that it was not.
    A lease that never came is no order."""
    etcd = own_cluster.etcd
    with started(folder, etcd.port) as p:
        ready(p)
        with frozen(etcd.process), asked(p, verb="observe") as future:
            status, answer = future.result(10)
        assert status == 503 and not answer["ok"], answer
        assert "not known whether etcd did it" in answer["text"], answer
        assert "patroutectl status" in answer["text"]
        # And then it shows which of the two it was.
        wait_until(lambda: p.cluster()["mode"] == mode_in(etcd),
                   "as etcd has it", 10)
        wait_until(lambda: order(p, verb="live")[0] == 200, "it is live", 10)
        ready(p)
        with frozen(etcd.process), asked(p, verb="hold",
                                         for_s=60) as future:
            status, answer = future.result(10)
        assert status == 503 and "not done: " in answer["text"], answer
        ready(p)
        assert p.cluster()["control"]["hold"] is None


def test_a_etcd_dies_between(folder, own_cluster):
    """It had the question, and nobody has its answer."""
    with started(folder, own_cluster.etcd.port) as p:
        ready(p)
        process = own_cluster.etcd.process
        process.send_signal(signal.SIGSTOP)
        with asked(p, verb="observe") as future:
            process.kill()
            status, answer = future.result(10)
        process.wait()
        assert status == 503 and not answer["ok"], answer
        assert "not known whether etcd did it" in answer["text"], answer
        assert p.cluster()["mode"] == "live"
        status, answer = order(p, verb="observe")
        assert status == 503 and "not done" in answer["text"], answer


@pytest.mark.parametrize("keys", [
    {"verb": "observe"}, {"verb": "hold", "for_s": 60}])
def test_b_the_prober_ends_meanwhile(folder, own_cluster, keys):
    """SIGTERM while etcd has an order: it ends at once and in order, and
    says no word that is not true."""
    with started(folder, own_cluster.etcd.port) as p:
        ready(p)
        with frozen(own_cluster.etcd.process), asked(p, **keys) as future:
            p.stop()  # fails on an exit status, a leak, a hang
            try:
                status, answer = future.result(10)
                assert status == 503 and not answer["ok"], answer
            except OSError:
                pass  # the connection ended with it


def heard(agent, nonces):
    """ECHO by ECHO the snapshot that it vouched for, None if for none."""
    latest = None
    while True:
        agent.ping(next(nonces))
        while (got := agent.next())[0] not in (Agent.ECHO, 0):
            if got[0] == Agent.SNAPSHOT:
                latest = agent.decode(*got)
        assert got[0], "the prober closed the connection"
        yield latest if agent.decode(*got)[1] != (Agent.STALE,) else None
        time.sleep(0.02)


def first_second(agent, nonces):
    """The targets of a second of fresh words, from the first of them on, which
    has 10 s."""
    found, end = set(), time.monotonic() + 10
    for snapshot in heard(agent, nonces):
        if snapshot and not found:
            end = time.monotonic() + 1
        if snapshot:
            found.add(snapshot["target"])
        if time.monotonic() > end:
            return found


def test_b_a_hold_over_a_restart(pair):
    """From its first fresh word on it holds: no write slips through between
    the leader's confirmation and the reading of the orders."""
    a, b = pair
    assert order(a, verb="hold", for_s=60)[0] == 200
    for _ in range(2):
        a.stop()
        a.start()
        agent = Agent(a.feed)
        assert first_second(agent, iter(range(1, 9999))) == {None}
        agent.close()
        assert a.cluster()["why"] == "held"
    assert order(b, verb="resume")[0] == 200
    ready(a)


def test_b_a_hold_over_a_stall(pair):
    """One given before is kept by who stood still, one given meanwhile is
    followed when it wakes, and one taken back meanwhile is forgotten."""
    a, b = pair
    agent, nonces = Agent(a.feed), iter(range(1, 9999))
    assert order(a, verb="hold", for_s=60)[0] == 200
    wait_until(lambda: first_second(agent, nonces) == {None}, "it holds", 10)
    with frozen(a.process):
        time.sleep(2)
    assert first_second(agent, nonces) == {None}
    with frozen(a.process):
        assert order(b, verb="resume")[0] == 200
        time.sleep(2)
    wait_until(lambda: a.cluster()["write"] == "node1", "taken back", 5)
    with frozen(a.process):
        assert order(b, verb="hold", for_s=60)[0] == 200
        time.sleep(2)
    wait_until(lambda: a.cluster()["why"] == "held", "it holds, too", 5)
    agent.close()
