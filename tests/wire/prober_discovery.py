"""
patroute-prober and a real HAProxy: members that join, leave and move, without
a reload. A real etcd; Patroni and PostgreSQL are scripted.
"""
import contextlib
import json
import subprocess
import time

import pytest

from prober_lib import (Agent, HAProxy, Member, Prober, cluster, folder,
                        shared_cluster, wait_until)

__all__ = ["cluster", "folder", "shared_cluster"]

PLACES = ("main_write", "main_read", "main_fallback", "main_classic_write")


@pytest.fixture
def fourth(cluster):
    """A member that HAProxy's file does not name; its key is not there yet."""
    m = Member("node4")
    m.timeline = cluster.member["node1"].timeline
    yield m
    cluster.etcd.delete("members/node4")
    m.stop()


@contextlib.contextmanager
def running(folder, cluster, extra="", count=1, **keys):
    """The prober, and as many HAProxies as wanted, each in its folder."""
    places = [folder] + [folder / f"h{i}" for i in range(1, count)]
    for p in places[1:]:
        p.mkdir()
    if count > 1:
        keys["haproxy_socket"] = [str(p / "admin.sock") for p in places]
        keys["haproxy_master_socket"] = [str(p / "master.sock")
                                         for p in places]
    with Prober(folder, cluster.etcd.port, extra, **keys) as prober:
        all_of_them = [HAProxy(p, prober, cluster) for p in places]
        try:
            for h in all_of_them:
                wait_until(lambda h=h: h.states("main_write") == {
                    "node1": "UP", "node2": "NOLB", "node3": "NOLB"},
                    "states")
            yield prober, all_of_them
        finally:
            for h in all_of_them:
                h.stop()


def names(haproxy, place="main_read"):
    return set(haproxy.states(place))


def is_served(agent, name):
    """Waits for a snapshot in which `name` is read."""
    return agent.snapshot_where(lambda s: any(
        m["name"] == name and m["server"] and m["flags"] & 1
        for m in s["m"]))


def test_a_joins_and_is_read(folder, cluster, fourth):
    with running(folder, cluster) as (prober, (haproxy,)):
        agent = Agent(prober.feed)
        agent.snapshot_where(lambda s: s["target"] == "node1")
        pid = haproxy.pid()
        began = time.monotonic()
        cluster.etcd.put("members/node4", fourth.key())
        is_served(agent, "node4")
        print("read after", round(time.monotonic() - began, 3))
        assert all("node4" in names(haproxy, p) for p in PLACES)
        wait_until(lambda: haproxy.states("main_read")["node4"] == "UP" and
                   haproxy.states("main_write")["node4"] == "NOLB", "states")
        # The third way asks Patroni itself; here it finds none to say so.
        assert haproxy.states("main_classic_write")["node4"] != "MAINT"
        wait_until(lambda: "node4" in {haproxy.session("read")[1]
                                       for _ in range(6)}, "a session")
        assert haproxy.pid() == pid
        seen = {(s["backend"], s["server"]): s for s in
                prober.topology()["haproxy"]["servers"]}
        assert seen[("main_read", "node4")]["dynamic"]
        assert not seen[("main_read", "node2")]["dynamic"]
        assert seen[("main_write", "node1")]["status"] == "UP"
        assert "leader key" in seen[("main_write", "node1")]["why"]
        # It may lead, too.
        cluster.member["node4"] = fourth
        try:
            cluster.lead("node4")
            agent.snapshot_where(lambda s: s["target"] == "node4")
            wait_until(lambda: haproxy.states("main_write")["node4"] == "UP",
                       "leads")
            assert haproxy.session("write")[1] == "node4"
        finally:
            del cluster.member["node4"]
            cluster.lead("node1")


def test_b_a_reload_forgets_nobody(folder, cluster, fourth):
    with running(folder, cluster) as (prober, (haproxy,)):
        cluster.etcd.put("members/node4", fourth.key())
        wait_until(lambda: "node4" in names(haproxy), "joined")
        for _ in range(2):
            haproxy.reload()
            began = time.monotonic()
            wait_until(lambda: haproxy.states("main_read").get(
                "node4") == "UP", "again", 2, 0.005)
            print("back after", round(time.monotonic() - began, 3))


def test_b_an_address_is_followed(folder, cluster, fourth):
    """Of one that joined, and of one of the file that had the member's."""
    with running(folder, cluster) as (_, (haproxy,)):
        cluster.etcd.put("members/node4", fourth.key())
        wait_until(lambda: haproxy.states("main_read").get("node4") == "UP",
                   "joined")
        for old in (fourth, cluster.member["node3"]):
            new = Member(old.name)
            new.timeline = old.timeline
            try:
                cluster.etcd.put(f"members/{old.name}", new.key())
                wait_until(lambda n=new: f":{n.port}" in next(
                    line for line in haproxy.cli(
                        "show servers state main_read").splitlines()
                    if f" {n.name} " in line).replace(" ", ":"), "followed")
            finally:
                cluster.etcd.put(f"members/{old.name}", old.key())
                new.stop()


def test_b_the_dead_are_red_and_come_back(folder, cluster, fourth):
    """In each backend that asks the prober; and who has only another role
    is red in none of them."""
    ours = PLACES[:3]
    with running(folder, cluster) as (_, (haproxy,)):
        cluster.etcd.put("members/node4", fourth.key())
        wait_until(lambda: haproxy.states("main_read").get("node4") == "UP",
                   "joined")
        fourth.http.shutdown()
        fourth.http.server_close()
        wait_until(lambda: all(haproxy.states(p)["node4"].startswith("DOWN")
                               for p in ours), "dead", 12)
        assert haproxy.last_checks("main_read")["node4"] != ""
        assert {haproxy.states(p)[n] for p in ours for n in (
            "node1", "node2", "node3")} == {"UP", "NOLB"}
        again = Member("node4")
        again.timeline = fourth.timeline
        try:
            cluster.etcd.put("members/node4", again.key())
            wait_until(lambda: [haproxy.states(p)["node4"] for p in ours] ==
                       ["NOLB", "UP", "NOLB"], "back", 12)
        finally:
            cluster.etcd.delete("members/node4")
            again.stop()


def test_c_an_operators_maint_is_respected(folder, cluster, fourth):
    with running(folder, cluster) as (prober, (haproxy,)):
        cluster.etcd.put("members/node4", fourth.key())
        agent = Agent(prober.feed)
        is_served(agent, "node4")
        haproxy.cli("set server main_read/node4 state maint")
        agent.snapshot_where(lambda s: not any(
            m["flags"] & 1 for m in s["m"] if m["name"] == "node4"))
        prober.stop()
        prober.start()
        wait_until(lambda: prober.get("/healthz")[0] == 200, "usable")
        time.sleep(1.5)
        assert haproxy.states("main_read")["node4"] == "MAINT"
        haproxy.cli("set server main_read/node4 state ready")
        wait_until(lambda: haproxy.states("main_read")["node4"] == "UP", "up")


def test_c_our_maint_is_taken_back_after_a_crash(folder, cluster, fourth):
    """Killed between drain, maint and removal: what HAProxy has tells."""
    with running(folder, cluster) as (prober, (haproxy,)):
        cluster.etcd.put("members/node4", fourth.key())
        wait_until(lambda: haproxy.states("main_read").get("node4") == "UP",
                   "joined")
        prober.process.kill()
        prober.process.wait()
        haproxy.cli("set server main_read/node4 weight 251; "
                    "set server main_read/node4 state maint")
        prober.start()
        wait_until(lambda: haproxy.states("main_read")["node4"] == "UP",
                   "taken back")


def test_c_refused_is_said_once(folder, cluster, fourth):
    """A name that HAProxy takes, but no port: not tried for ever."""
    authority = folder / "authority.pem"  # which HAProxy has not read
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                    "-subj", "/CN=x", "-keyout", "/dev/null", "-out",
                    str(authority)], check=True, capture_output=True)
    authority.chmod(0o644)
    with running(folder, cluster, f'\trest_ca = "{authority}"\n') as (
            prober, (haproxy,)):
        key = json.loads(fourth.key())
        key["api_url"] = key["api_url"].replace("http:", "https:")
        cluster.etcd.put("members/node4", json.dumps(key))
        wait_until(lambda: "node4" in names(haproxy), "joined")
        time.sleep(3)
        assert "node4" not in names(haproxy, "main_classic_write")
        text = prober.text()
        assert 1 <= text.count("reject haproxy answer=") <= 4, text


def test_c_many_join_at_once(folder, cluster, fourth):
    """More than one line of commands takes: what had no room was not refused,
    and is not waited with (it was, for 2 and 4 s and so on)."""
    new = {f"node{i}" for i in range(4, 32)}
    with running(folder, cluster) as (_, (haproxy,)):
        try:
            for name in sorted(new):
                cluster.etcd.put(f"members/{name}", fourth.key())
            wait_until(lambda: all(new <= names(haproxy, p) for p in PLACES),
                       "all joined", 5)
        finally:
            for name in new:
                cluster.etcd.delete(f"members/{name}")


def test_c_two_haproxies(folder, cluster, fourth):
    """Both have it before it is named; one that goes forbids nothing."""
    with running(folder, cluster, count=2) as (prober, (one, two)):
        agent = Agent(prober.feed)
        agent.snapshot_where(lambda s: s["target"] == "node1")
        cluster.etcd.put("members/node4", fourth.key())
        is_served(agent, "node4")
        assert "node4" in names(one) and "node4" in names(two)
        sessions = [h.session("write")[0] for h in (one, two)]
        cluster.lead("node2")
        for s in sessions:
            s.settimeout(3)
            while s.recv(100):
                pass
        two.cli("set server main_read/node3 state maint")
        agent.snapshot_where(lambda s: not any(
            m["flags"] & 1 for m in s["m"] if m["name"] == "node3"))
        two.stop()
        is_served(agent, "node3")
