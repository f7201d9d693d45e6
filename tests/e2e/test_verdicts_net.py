"""
The verdict and its reason when the network lies: a leader that vanishes
without a FIN, one of its ports alone, a REST API that is slow while all is
well. By hand: they take their time.
"""

import contextlib
import os
import threading
import time

import path
import pytest
from patroute_lab import hosts
from sessions import ask, session
from slow_rest import slow_rest
from verdicts import story  # noqa: F401 (a fixture)
from verdicts import HAP, local, roles

pytestmark = pytest.mark.slow

WRITE = "SELECT NOT pg_is_in_recovery()"
READ = "SELECT pg_is_in_recovery()"
NODES = ("node1", "node2", "node3")


def descriptors(lab):
    """How many the prober of hap1 has open."""
    return max(len(os.listdir(f"/proc/{p.pid}/fd"))
               for p in lab.machine(HAP).program("prober"))


def test_leader_vanishes(lab, story, wait_until):
    """No packet either way, SQL and REST: no write route after `silence`,
    and not before. A connection waits it out, a session lives on."""
    leader, name, _, _ = roles(lab)
    before = descriptors(lab)
    kept = session(lab, hosts.VIP, 5000)
    assert ask(kept, WRITE)
    answers = []
    client = threading.Thread(target=lambda: answers.append(
        lab.psql(5000, WRITE)))
    lab.cut(leader, "db")
    cut_at = time.monotonic()
    try:
        wait_until("no write route", 10,
                   lambda: story.now() == (None, "silent"))
        after = time.monotonic() - cut_at
        client.start()
        for _ in range(6):
            assert lab.psql(5001, READ) == "t"
            time.sleep(0.3)
        assert story.now() == (None, "silent")
        assert not answers
    finally:
        lab.heal(leader)
    healed_at = time.monotonic()
    wait_until("it is back", 10, lambda: story.now() == (name, "leader"))
    back = time.monotonic() - healed_at
    client.join(20)
    assert answers == ["t"]
    assert ask(kept, WRITE)
    kept.close()
    print(f"\n  no write route {after:.2f} s after the cut, back "
          f"{back:.2f} s after its end")
    # Its last word was at most a second old.
    assert after > 1.0
    assert story.writes() == [("none", "silent"), (name, "leader")]
    assert all(story.reads(node) == [] for node in NODES)
    wait_until("no descriptor is lost", 10,
               lambda: descriptors(lab) <= before)


@contextlib.contextmanager
def from_the_routers(lab, host, port):
    """That port of the host is out of reach for the load balancers; others
    reach it."""
    rules = [(hap.name, ["OUTPUT", "-p", "tcp", "-d", lab.host(host).address,
                         "--dport", str(port), "-j", "DROP"])
             for hap in lab.hosts.values() if hap.role == "hap"]
    for hap, rule in rules:
        lab.exec(hap, ["iptables", "-w", "10", "-I", *rule])
    try:
        yield
    finally:
        for hap, rule in rules:
            lab.exec(hap, ["iptables", "-w", "10", "-D", *rule])


@pytest.mark.parametrize("port, proof", [(5432, "key+rest"),
                                         (8008, "key+sql")])
def test_one_source_is_silent(lab, story, wait_until, port, proof):
    """SQL alone, REST alone: the other and the key are proof enough."""
    leader, name, _, _ = roles(lab)
    with from_the_routers(lab, leader, port):
        wait_until("it is silent", 10, lambda: next(
            m["evidence"]["sql" if port == 5432 else "rest"]["rc"]
            for m in path.verdict(lab, HAP)["members"]
            if m["name"] == name) == "timeout")
        wait_until(proof, 10, lambda: story.proof() == proof)
        end = time.monotonic() + 5
        while time.monotonic() < end:
            assert story.now() == (name, "leader")
            assert story.proof() == proof
            time.sleep(0.2)
        assert lab.psql(5001, READ) == "t"
    wait_until("both again", 10, lambda: story.proof() == "key+sql")
    assert story.changes() == []


@contextlib.contextmanager
def refused_to(lab, leader, replicas):
    """These hosts' connections to its PostgreSQL end at once."""
    rules = [["INPUT", "-p", "tcp", "-s", lab.host(each).address, "--dport",
              "5432", "-j", "REJECT", "--reject-with", "tcp-reset"]
             for each in replicas]
    for rule in rules:
        lab.exec(leader, ["iptables", "-w", "10", "-I", *rule])
    local(lab, leader, "SELECT pg_terminate_backend(pid) "
                       "FROM pg_stat_replication")
    try:
        yield
    finally:
        for rule in rules:
            lab.exec(leader, ["iptables", "-w", "10", "-D", *rule])


def test_nobody_reaches_its_postgresql(lab, story, wait_until):
    """Neither the load balancers nor the replicas, while its Patroni answers
    and keeps the key: the replicas are read, far beyond follow_grace, and
    when it is reached again."""
    leader, name, _, _ = roles(lab)
    replicas = [m["host"] for m in lab.status()["members"]
                if m["host"] != leader]

    def streaming():
        return [local(lab, host, "SELECT count(*) FROM pg_stat_wal_receiver "
                      "WHERE status = 'streaming'") for host in replicas]
    with from_the_routers(lab, leader, 5432), \
            refused_to(lab, leader, replicas):
        wait_until("nobody streams", 20, lambda: streaming() == ["0", "0"])
        wait_until("REST alone", 10, lambda: story.proof() == "key+rest")
        end = time.monotonic() + 15
        while time.monotonic() < end:
            assert lab.psql(5001, READ) == "t"
            assert story.now() == (name, "leader")
            time.sleep(0.2)
        assert streaming() == ["0", "0"]
    wait_until("all stream", 30, lambda: streaming() == ["1", "1"])
    assert lab.psql(5001, READ) == "t"
    assert story.changes() == []


@pytest.mark.parametrize("delay, seconds, ends", [
    (0.5, 4, "ok"), (2, 6, "timeout"), (10, 14, "timeout")])
def test_slow_rest(lab, story, wait_until, delay, seconds, ends):
    """Of every member, while the key and SQL agree: no change, no line."""
    _, name, _, _ = roles(lab)
    with contextlib.ExitStack() as stack:
        proxies = [stack.enter_context(slow_rest(lab, node, delay))
                   for node in NODES]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert story.now() == (name, "leader")
            assert lab.psql(5000, WRITE) == "t"
            assert lab.psql(5001, READ) == "t"
            time.sleep(0.1)
        assert {m["evidence"]["rest"]["rc"] for m in
                path.verdict(lab, HAP)["members"]} == {ends}
        assert story.proof() == "key+sql"
        # Else nothing was slow.
        assert all(proxy.waited > 0 for proxy in proxies)
    wait_until("REST is well", 20, lambda: {
        m["evidence"]["rest"]["rc"] for m in
        path.verdict(lab, HAP)["members"]} == {"ok"})
    assert story.changes() == []
