"""
Without the leader key: etcd hidden from the load balancers, and (in a lab of
its own) a Patroni cluster on ZooKeeper. Members come from Patroni's /cluster,
the leader from /primary and SQL; every verdict says that it has less proof.
By hand (label slow): each brings the whole lab to another state.
"""

import invariants
import path
import pytest
from invariants import demand
from patroute_lab import Lab
from scenarios import run_once

HAPS = ("hap1", "hap2", "hap3")
# Patroni is asked twice a second at most, and its /primary is the proof.
FIRST_WRITE = 1.0


def demand_less_proof(lab, wait_until):
    """The verdict of each load balancer, and what it says of itself."""
    for hap in HAPS:
        wait_until(f"a verdict on {hap}", 15,
                   lambda h=hap: path.verdict(lab, h)["proof"] == "claim+sql")
        found = path.verdict(lab, hap)
        assert found["why"] == "primary-200" and found["usable"]
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


def test_etcd_hidden(lab, hidden_etcd, tmp_path, wait_until):
    """A switchover all the same: no write on a standby, nobody fails."""
    demand_less_proof(lab, wait_until)
    h = run_once(lab, "switchover", path.targets(), tmp_path / "h.jsonl",
                 after=8.0)
    found = path.numbers(h)
    demand(invariants.i1_leader_only(h, labels=["write"]),
           invariants.i16_reads(h, labels=["read"],
                                until=h.mark_at("undo")))
    write = found["write"]
    assert write["misrouted"]["n"] == 0
    assert write["failed"]["n"] == 0, write["failed"]
    assert write["first_right_write"] <= FIRST_WRITE
    assert found["read"]["failed"]["n"] == 0, found["read"]["failed"]
    assert found["classic-write"]["misrouted"]["n"] + \
        found["classic-write"]["failed"]["n"] > 0
    for hap in HAPS:
        assert path.verdict(lab, hap)["proof"] == "claim+sql"


@pytest.fixture
def zookeeper_lab():
    """A lab of its own, on ZooKeeper."""
    lab = Lab(f"{Lab().name[:14]}zk")
    lab.up(["dcs=zookeeper", "ttl=20"])
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
