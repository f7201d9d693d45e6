"""
Without the leader key: etcd hidden from the load balancers, and (in a lab of
its own) a Patroni cluster on ZooKeeper. Members come from Patroni's /cluster,
the leader from /primary and SQL; every verdict says that it has less proof.
By hand (label slow): each brings the whole lab to another state.
"""

import path
import pytest
from clients import Client
from patroute_lab import Lab
from scenarios import run_once

HAPS = ("hap1", "hap2", "hap3")


def demand_less_proof(lab, wait_until):
    """The verdict of each load balancer, and what it says of itself."""
    for hap in HAPS:
        def usable(host=hap):
            found = path.verdict(lab, host)
            return found["usable"] and found["proof"] == "claim+sql"
        wait_until(f"a verdict on {hap}", 15, usable)
        found = path.verdict(lab, hap)
        assert found["why"] == "primary-200"
        assert found["dcs"]["members_from"] == "patroni"
        assert not found["dcs"]["configured"]
        assert len(found["members"]) == 3
        log = lab.log(hap, "prober", 4000)
        assert log.count("start cluster=main dcs=none") >= 1
    assert lab.psql(5000, "SELECT NOT pg_is_in_recovery()") == "t"
    assert lab.psql(5001, "SELECT pg_is_in_recovery()") == "t"


@pytest.fixture
def hidden_etcd(lab):
    """A firewall between the load balancers and etcd."""
    def restart(found_by):
        lab.settings["found_by"] = found_by
        for hap in HAPS:
            lab.restart_program(hap, "prober")
    def firewall(verb):
        for hap in HAPS:
            lab.exec(hap, ["iptables", verb, "OUTPUT", "-p", "tcp",
                           "--dport", "2379", "-j", "DROP"])
    firewall("-I")
    restart("patroni")
    yield
    firewall("-D")
    restart("etcd")


def test_etcd_hidden(lab, hidden_etcd, wait_until):
    """A switchover all the same: nobody fails, nobody is led astray."""
    demand_less_proof(lab, wait_until)
    clients = [Client(lab, 5000, "SELECT NOT pg_is_in_recovery()"),
               Client(lab, 5001, "SELECT pg_is_in_recovery()")]
    def all_served(more):
        """Each was, that often from now on."""
        goal = [len(client.answers) + more for client in clients]
        wait_until("answers", 30, lambda: all(
            len(client.answers) >= n for client, n in zip(clients, goal)))
    all_served(3)
    lab.switchover()
    new = lab.host(lab.leader()).member
    for hap in HAPS:
        wait_until(f"the new leader on {hap}", 10,
                   lambda h=hap: path.verdict(lab, h)["write"] == new)
        assert path.verdict(lab, hap)["proof"] == "claim+sql"
    all_served(3)
    for client in clients:
        client.end()


@pytest.fixture
def zookeeper_lab():
    """A lab of its own, on ZooKeeper."""
    lab = Lab(f"{Lab().name[:14]}zk")
    lab.up(["dcs=zookeeper", "ttl=20", "vip=fixed"])
    yield lab
    lab.down()


def test_zookeeper(zookeeper_lab, wait_until):
    """Switchover, and a leader's death: followed each time."""
    lab = zookeeper_lab
    demand_less_proof(lab, wait_until)
    lab.switchover()
    new = lab.leader()

    def leads(host):
        found = path.verdict(lab)
        return found["write"] == lab.host(host).member
    wait_until("the new leader", 5, lambda: leads(new))
    assert lab.psql(5000, "SELECT NOT pg_is_in_recovery()") == "t"
    lab.kill(new)
    wait_until("no target, or the next", 10, lambda: not leads(new))
    wait_until("the next leader", 60, lambda: path.verdict(lab)["write"])
    assert not leads(new)
    assert lab.psql(5000, "SELECT NOT pg_is_in_recovery()") == "t"


@pytest.mark.parametrize("event", ["switchover", "kill"])
def test_delay_beside_the_classic_way(lab, hidden_etcd, tmp_path, event,
                                      wait_until):
    """How late a new leader is seen without its key, and never later than
    by the stock classic configuration in the same HAProxy."""
    demand_less_proof(lab, wait_until)
    h = path.measured(lambda: run_once(
        lab, event, path.targets(), tmp_path / "h.jsonl", after=8.0))
    found = path.numbers(h)
    for label in ("write", "classic-write", "read", "classic-read"):
        each = found[label]
        print(f"\n  {event} {label}: first right write "
              f"{each['first_right_write']}, misrouted "
              f"{each['misrouted']['n']}, failed {each['failed']['n']}, "
              f"longest wait {each['longest_wait']}")
    with path.explained(lab, h, path.OURS):
        for ours, classic in path.CONTROL.items():
            for count in ("misrouted", "failed"):
                assert found[ours][count]["n"] <= found[classic][count]["n"]
        assert found["write"]["first_right_write"] <= \
            found["classic-write"]["first_right_write"]
        assert found["write"]["misrouted"]["n"] == 0
    for hap in HAPS:
        wait_until("all is told as before", 30, lambda h=hap: path.verdict(
            lab, h)["proof"] == "claim+sql")
