"""etcd and the prober go and come back; routing goes on."""

import path
import pytest
from patroute_lab import hosts

ETCD = ("etcd1", "etcd2", "etcd3")


@pytest.fixture
def no_etcd(lab):
    """Every etcd stands still, for less than Patroni bears."""
    for host in ETCD:
        lab.freeze(host, "all")
    yield
    for host in ETCD:
        lab.thaw(host, "all")


def test_without_etcd(lab, no_etcd, wait_until):
    """Writes go on to the one member whose Patroni says primary."""
    leader = path.verdict(lab)["write"]
    wait_until("the verdict rests on REST", 6,
               lambda: path.verdict(lab)["why"] == "primary-200")
    assert path.verdict(lab)["write"] == leader
    assert lab.psql(5000, "SELECT NOT pg_is_in_recovery()") == "t"
    assert lab.psql(5001, "SELECT pg_is_in_recovery()") == "t"


def test_etcd_came_back(lab, wait_until):
    """The key is proof again."""
    wait_until("the verdict rests on the key", 10,
               lambda: path.verdict(lab)["why"] == "leader")


def test_prober_starts_without_etcd(lab, wait_until):
    """It says so, HAProxy serves; and it finds etcd once it is there."""
    for host in ETCD:
        lab.freeze(host, "all")
    try:
        lab.restart_program("hap2", "prober")
        assert lab.exec("hap2", [
            "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}",
            "http://127.0.0.1:7100/healthz"]).stdout == "503"
        assert lab.exec(hosts.CLIENT, lab.psql_argv(
            5000, ["-XAtqc", "SELECT 1"])).stdout.strip() == "1"
    finally:
        for host in ETCD:
            lab.thaw(host, "all")
    wait_until("a verdict", 10, lambda: path.verdict(lab, "hap2")["write"])
