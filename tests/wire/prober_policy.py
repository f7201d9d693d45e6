"""
patroute-prober and a real HAProxy: what takes its time, by hand. A member that
leaves is kept for 30 s first, and who lags has its grace.
"""
import time

from prober_discovery import fourth, is_served, names, running
from prober_lib import (Agent, closed_after, cluster, folder, is_open,
                        shared_cluster, wait_until)

__all__ = ["cluster", "folder", "fourth", "shared_cluster"]


def test_b_leaves_and_is_gone(folder, cluster, fourth):
    """Its key goes; 30 s later, for a wiped DCS takes nobody with it."""
    with running(folder, cluster) as (prober, (haproxy,)):
        cluster.etcd.put("members/node4", fourth.key())
        wait_until(lambda: haproxy.states("main_read").get("node4") == "UP",
                   "joined")
        session = next(s for s, name in (haproxy.session("read")
                                         for _ in range(9))
                       if name == "node4")
        cluster.etcd.delete("members/node4")
        wait_until(lambda: "node4" not in names(haproxy, "main_write"),
                   "gone where it has no session", 40)
        assert "node4" not in [haproxy.session("read")[1] for _ in range(6)]
        assert is_open(session)
        # Back before it was removed: the drain was ours, and is taken back.
        assert "node4" in names(haproxy)
        cluster.etcd.put("members/node4", fourth.key())
        wait_until(lambda: haproxy.states("main_read")["node4"] == "UP" and
                   "node4" in names(haproxy, "main_write"), "back")
        assert is_open(session)
        assert "reject haproxy" not in prober.text()


def test_c_an_operators_maint_outlives_the_member(folder, cluster, fourth):
    """Gone and back, its server is still where the operator put it."""
    with running(folder, cluster) as (prober, (haproxy,)):
        cluster.etcd.put("members/node4", fourth.key())
        agent = Agent(prober.feed)
        is_served(agent, "node4")
        haproxy.cli("set server main_read/node4 state maint")
        cluster.etcd.delete("members/node4")
        wait_until(lambda: "node4" not in names(haproxy, "main_fallback"),
                   "gone", 40)
        assert haproxy.states("main_read")["node4"] == "MAINT"
        cluster.etcd.put("members/node4", fourth.key())
        wait_until(lambda: "node4" in names(haproxy, "main_fallback"), "back")
        time.sleep(1.5)
        assert haproxy.states("main_read")["node4"] == "MAINT"


def test_c_lag_ends_sessions_where_it_shall(folder, cluster):
    """lag_kill: those of the replica over its bound, and no others."""
    with running(folder, cluster, '\tlag_kill = "1s"\n') as (
            _, (haproxy,)):
        wait_until(lambda: list(haproxy.states("main_read").values()).count(
            "UP") == 2, "readers")
        opened = [haproxy.session("read") for _ in range(8)]
        cluster.member["node1"].lsn += 64 << 20
        cluster.member["node2"].lsn += 64 << 20
        for s, name in opened:
            if name == "node3":
                assert closed_after(s, 12) is not None
        assert all(is_open(s) for s, name in opened if name == "node2")


def test_c_lag_ends_no_session_by_default(folder, cluster):
    with running(folder, cluster) as (_, (haproxy,)):
        none_ends(haproxy, cluster)


def none_ends(haproxy, cluster):
    wait_until(lambda: list(haproxy.states("main_read").values()).count(
        "UP") == 2, "readers")
    opened = [haproxy.session("read") for _ in range(4)]
    cluster.member["node1"].lsn += 64 << 20
    wait_until(lambda: list(haproxy.states("main_read").values()).count(
        "NOLB") == 3, "both lag", 10)
    time.sleep(3)
    assert all(is_open(s) for s, _ in opened)
