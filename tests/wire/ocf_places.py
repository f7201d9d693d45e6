"""
Where the cluster puts the address, by crm_simulate: Pacemaker's own scheduler
on the cluster that pacemaker/setup makes of a patroute.conf. What is expected
stands in each test, written by hand.
"""
import xml.etree.ElementTree as ET

import pytest

from ocf_cluster import (ADDRESS, ALL, CLONES, Cluster, HAPROXY, HOSTS, VIP,
                         cluster, empty, folder, fresh, settled)

__all__ = ["cluster", "folder", "fresh", "settled"]


def move(start, end):
    return [("stop", VIP, start), ("start", VIP, end)]


# --- the host that has it -----------------------------------------------------

@pytest.mark.parametrize("how", ["--node-down", "--node-fail"])
def test_a1_a_host_is_lost(cluster, how):
    """The address goes, and nothing else is touched anywhere."""
    now = cluster.does(how, "hap1")
    assert now.did == [("start", VIP, "hap2")]
    assert all(now.on[c] == {"hap2", "hap3"} for c in CLONES)


@pytest.mark.parametrize("daemon", ["patroute-prober", "patroute-spoa"])
@pytest.mark.parametrize("rc", [1, 7])
def test_a2_a_daemon_of_ours_fails(cluster, daemon, rc):
    """It is started again where it was, however often: once, the fifth time."""
    for _ in range(5):
        now = cluster.does("--op-inject", f"{daemon}_monitor_2000@hap1={rc}")
        assert now.did == [("stop", daemon, "hap1"),
                           ("start", daemon, "hap1")]
        assert now.on[VIP] == {"hap1"}


def test_a3_a_daemon_of_ours_cannot_start(cluster):
    """The address stays without both: the third way serves."""
    for daemon in ("patroute-prober", "patroute-spoa"):
        for state in cluster.root.iter("node_state"):
            if state.get("uname") == "hap1":
                place = state.find("transient_attributes/instance_attributes")
                ET.SubElement(place, "nvpair", id=f"fail-{daemon}",
                              name=f"fail-count-{daemon}#start_0",
                              value="INFINITY")
        now = cluster.does()
        assert now.did == [("stop", daemon, "hap1")]
    assert cluster.says(hap2=100, hap3=100).does().did == []
    assert now.on[VIP] == {"hap1"}


@pytest.mark.parametrize("rc", [1, 7])
def test_a4_haproxy_fails(cluster, rc):
    """The address goes where one runs, and waits for no stop of the old."""
    now = cluster.does("--op-inject", f"{HAPROXY}_monitor_1000@hap1={rc}")
    assert now.on == {VIP: {"hap2"}, HAPROXY: ALL - {"hap1"},
                      "patroute-prober": ALL, "patroute-spoa": ALL}
    assert not now.waits_for("patroute-vip_start_0@hap2",
                             f"{HAPROXY}_stop_0@hap1")
    assert now.waits_for(f"{HAPROXY}_stop_0@hap1", "patroute-vip_stop_0@hap1")


def test_a5_haproxy_fails_elsewhere(cluster):
    now = cluster.does("--op-inject", f"{HAPROXY}_monitor_1000@hap2=7")
    assert now.did == [("stop", HAPROXY, "hap2")]


def test_a6_haproxy_fails_everywhere(cluster):
    """Nowhere is better: it stays, and is there when one comes back."""
    inject = [x for h in HOSTS
              for x in ("--op-inject", f"{HAPROXY}_monitor_1000@{h}=7")]
    now = cluster.does(*inject)
    assert now.on[VIP] == {"hap1"} and now.on[HAPROXY] == set()


# --- what the monitors say ----------------------------------------------------

@pytest.mark.parametrize("said", [
    (60, 100, 100),         # no agent, nor the DCS
    (80, 100, 100),
    (None, 100, 100),       # no prober
    (0, 0, 0),              # whatever it is, all have it
    (60, 60, 60),
    (None, None, None),
    (100, 100, 0),
    (0, 0, None),           # one that says nothing is not known to be better
    (100, 100, 100),        # so says each where no database leads
])
def test_b1_it_stays(cluster, said):
    now = cluster.says(**dict(zip(HOSTS, said))).does()
    if said == (0, 0, None):
        assert now.did == move("hap1", "hap3")
    else:
        assert now.did == []


@pytest.mark.parametrize("said,to", [
    ((0, 100, 100), "hap2"),
    ((0, 60, 100), "hap3"),
    ((0, 60, 60), "hap2"),
    ((0, 0, 60), "hap3"),
    ((0, None, 0), "hap2"),
])
def test_b2_a_host_has_fallen(cluster, said, to):
    """The address alone moves, to the best of the others; and stays there."""
    now = cluster.says(**dict(zip(HOSTS, said))).does()
    assert now.did == move("hap1", to)
    assert cluster.says(hap1=100, hap2=100, hap3=100).does().did == []


def test_b3_if_it_has_to_move_then_to_a_better_host(cluster):
    cluster.says(hap1=100, hap2=60, hap3=100)
    assert cluster.does("--node-down", "hap1").on[VIP] == {"hap3"}


def test_b4_health_is_less_than_a_haproxy(cluster):
    """A host that runs one and has fallen is better than one without."""
    cluster.says(hap1=0, hap2=100, hap3=0)
    now = cluster.does("--op-inject", f"{HAPROXY}_monitor_1000@hap2=7")
    assert now.on[VIP] == {"hap1"}


# --- what people do -----------------------------------------------------------

def standby(cluster, host):
    for node in cluster.root.iter("node"):
        if node.get("uname") == host:
            at = ET.SubElement(node, "instance_attributes", id=f"nodes-{host}")
            ET.SubElement(at, "nvpair", id=f"standby-{host}", name="standby",
                          value="on")


def test_c1_standby(cluster):
    """The address leaves first; HAProxy's connections may end after that, and
    the address does not wait for it on the other host."""
    standby(cluster, "hap1")
    now = cluster.does()
    assert now.on == {VIP: {"hap2"}, **{c: ALL - {"hap1"} for c in CLONES}}
    for clone in CLONES:
        assert not now.waits_for("patroute-vip_start_0@hap2",
                                 f"{clone}_stop_0@hap1")
    assert now.waits_for(f"{HAPROXY}_stop_0@hap1", "patroute-vip_stop_0@hap1")


def test_c2_quorum_is_lost(cluster):
    """A host that is cut off serves nobody's address."""
    now = cluster.does("--quorum", "false", "--node-down", "hap2",
                       "--node-down", "hap3")
    assert now.on[VIP] == set()


def test_c3_other_hosts(folder):
    """A cluster may have hosts that are no load balancers."""
    cluster = Cluster(folder, empty((*HOSTS, "other")))
    hosts = ADDRESS.replace("}", "hosts = { hap1, hap2, hap3 } }")
    cluster.setup(conf=hosts)
    now = cluster.does()
    assert now.on == {VIP: {"hap1"}, **{c: ALL for c in CLONES}}
    assert "nothing to change" in cluster.setup(conf=hosts)
    said = cluster.setup(conf=hosts.replace("hap3", "hap4"), ok=False)
    assert "vip.hosts: hap4 is not in the cluster" in said


def test_c4_no_address(fresh):
    fresh.setup(conf="")
    assert fresh.does().on == {c: ALL for c in CLONES}
