"""
patroute-prober and a real HAProxy: states, sessions, reloads. A real etcd;
Patroni and PostgreSQL are scripted, so that a role changes on the instant.
"""
import contextlib
import json
import os
import signal
import time
import types

import pytest

from prober_lib import (SLOW, Agent, HAProxy, Member, Prober, closed_after,
                        cluster, folder, is_open, own_cluster, shared_cluster,
                        unstalled, wait_until)

__all__ = ["cluster", "folder", "own_cluster", "shared_cluster"]

# Design: sessions end within 100 ms of etcd's event. Two busy cores, and the
# first second's evidence of the new leader is not even needed for it.
CUT_S = 0.25


@contextlib.contextmanager
def running(folder, cluster, extra=""):
    with Prober(folder, cluster.etcd.port, extra) as p:
        h = HAProxy(folder, p, cluster)
        try:
            wait_until(lambda: h.states("main_write") == {
                "node1": "UP", "node2": "NOLB", "node3": "NOLB"}, "states")
            yield p, h, cluster
        finally:
            h.stop()


@pytest.fixture
def site(folder, cluster):
    with running(folder, cluster) as all_three:
        yield all_three


def test_a_states_follow_the_verdict(site):
    _, haproxy, cluster = site
    wait_until(lambda: haproxy.states("main_read") == {
        "node1": "NOLB", "node2": "UP", "node3": "UP"}, "readers")
    cluster.lead("node2")
    began = time.monotonic()
    wait_until(lambda: haproxy.states("main_write") == {
        "node1": "NOLB", "node2": "UP", "node3": "NOLB"}, "writer")
    wait_until(lambda: haproxy.states("main_read") == {
        "node1": "UP", "node2": "NOLB", "node3": "UP"}, "readers", 15)
    assert time.monotonic() - began < 15 * SLOW


@pytest.mark.parametrize("port", ["write", "fallback", "classic"])
def test_b_sessions_of_a_former_leader_end(site, port):
    _, haproxy, cluster = site
    # This HAProxy balances its fallback by itself: what an agent would have
    # placed there is what reached the leader.
    opened = [haproxy.session(port) for _ in range(9)]
    mine = [s for s, name in opened if name == "node1"]
    assert mine and all(is_open(s) for s in mine)
    cluster.lead("node2")
    assert all(closed_after(s, 2) is not None for s in mine)


def test_b_they_end_soon(site):
    """From etcd's event to the end of the last of 50 sessions."""
    _, haproxy, cluster = site
    took = []
    for i in range(6):
        old, new = f"node{i % 3 + 1}", f"node{(i + 1) % 3 + 1}"
        wait_until(lambda o=old: haproxy.states("main_write")[o] == "UP",
                   old)
        sessions = [haproxy.session("write") for _ in range(50)]
        assert {name for _, name in sessions} == {old}
        began = time.monotonic()
        cluster.lead(new)
        assert all(closed_after(s, 2) is not None for s, _ in sessions)
        took.append(time.monotonic() - began)
    print("sessions closed after", sorted(round(t, 3) for t in took))
    assert max(took) < CUT_S * SLOW, took


def on_leader(haproxy, port, count):
    """That many sessions of this port on node1, which leads."""
    kept = []
    while len(kept) < count:
        s, name = haproxy.session(port)
        if name == "node1":
            kept.append(s)
        else:
            s.close()
    return kept


def test_b_observed_classic_sessions_stay(folder, cluster):
    """HAProxy's own checks end them, in an old process too."""
    with running(folder, cluster, "\tobserve = true\n") as (
            prober, haproxy, _):
        assert prober.cluster()["mode"] == "observe"
        classic, ours = [], []
        for _ in range(2):
            classic += on_leader(haproxy, "classic", 2)
            ours += on_leader(haproxy, "write", 1)
            haproxy.reload()
            wait_until(lambda: haproxy.states("main_write")["node1"] == "UP"
                       and haproxy.states("main_write")["node2"] == "NOLB",
                       "states")
        classic += on_leader(haproxy, "classic", 2)
        ours += on_leader(haproxy, "write", 1)
        cluster.lead("node2")
        assert all(closed_after(s, 3) is not None for s in ours)
        time.sleep(1.2)  # a sweep later
        assert all(is_open(s) for s in classic)


def test_b_a_report_counts_what_is_closed(site):
    """The classic way's sessions on the former leader, too."""
    prober, haproxy, cluster = site
    agent = Agent(prober.feed)
    agent.snapshot_where(lambda s: s["target"] == "node1")
    agent.stats(1, 1, 0, 0, 0, 0)
    opened = on_leader(haproxy, "classic", 3) + on_leader(haproxy, "write", 2)
    wait_until(lambda: sum(
        s["sessions"] for s in prober.topology()["haproxy"]["servers"]
        if s["server"] == "node1") == 5, "they are seen")
    cluster.lead("node2")
    agent.snapshot_where(lambda s: s["target"] == "node2")
    agent.stats(2, 2, 0, 0, 0, 0)
    assert all(closed_after(s, 3) is not None for s in opened)
    wait_until(lambda: prober.get("/reports/last")[0] == 200, "the report", 8)
    assert json.loads(prober.get("/reports/last")[1])["sessions_closed"] == 5
    agent.close()


@pytest.mark.parametrize("reloads", [1, 3])
def test_b_in_old_processes_too(site, reloads):
    _, haproxy, cluster = site
    sessions = []
    for _ in range(reloads):
        sessions += [haproxy.session("write")[0] for _ in range(5)]
        for port in ("fallback", "classic"):
            sessions += [s for s, name in (haproxy.session(port)
                                           for _ in range(3))
                         if name == "node1"]
        haproxy.reload()
        wait_until(lambda: haproxy.states("main_write")["node1"] == "UP" and
                   haproxy.states("main_write")["node2"] == "NOLB", "states")
    sessions.append(haproxy.session("write")[0])
    assert all(is_open(s) for s in sessions)
    began = time.monotonic()
    cluster.lead("node2")
    assert all(closed_after(s, 2) is not None for s in sessions)
    took = time.monotonic() - began
    print("closed after", round(took, 3))
    assert took < CUT_S * SLOW * 2, took


def test_b_a_frozen_old_process_keeps_nobody(site):
    """The one that is asked first says nothing; the others' sessions end."""
    _, haproxy, cluster = site
    session = {}
    for _ in range(2):
        session[haproxy.pid()] = haproxy.session("write")[0]
        haproxy.reload()
        wait_until(lambda: haproxy.states("main_write")["node1"] == "UP" and
                   haproxy.states("main_write")["node2"] == "NOLB", "states")
    frozen, other = haproxy.old_pids()
    os.kill(frozen, signal.SIGSTOP)
    try:
        cluster.lead("node2")
        assert closed_after(session[other], 3) is not None
    finally:
        os.kill(frozen, signal.SIGCONT)
    assert closed_after(session[frozen], 3) is not None


def test_b_a_reader_stays(site):
    """What was opened for reading on a replica outlives its promotion."""
    _, haproxy, cluster = site
    wait_until(lambda: "UP" in haproxy.states("main_read").values(), "read")
    readers = [haproxy.session("read") for _ in range(6)]
    assert {name for _, name in readers} == {"node2", "node3"}
    writer, _ = haproxy.session("write")
    cluster.lead("node2")
    assert closed_after(writer, 2) is not None
    assert all(is_open(s) for s, _ in readers)


def test_c_absence_of_the_key_closes_nothing(site):
    prober, haproxy, cluster = site
    s, name = haproxy.session("write")
    assert name == "node1"
    cluster.etcd.delete("leader")
    wait_until(lambda: prober.cluster()["write"] is None, "no target")
    wait_until(lambda: haproxy.states("main_write")["node1"] == "NOLB",
               "no new session")
    time.sleep(1.5)
    assert is_open(s)
    cluster.etcd.put("leader", "node1")
    wait_until(lambda: prober.cluster()["write"] == "node1", "back")
    assert is_open(s)


def test_c_no_dcs_closes_nothing(folder, own_cluster):
    with running(folder, own_cluster) as (prober, haproxy, cluster):
        s, _ = haproxy.session("write")
        cluster.etcd.stop()
        wait_until(lambda: prober.cluster()["why"] == "primary-200",
                   "by REST", 10)
        assert prober.cluster()["write"] == "node1"
        assert is_open(s)
        assert haproxy.states("main_write")["node1"] == "UP"


def test_c_prober_that_stops_closes_nothing(site):
    prober, haproxy, _ = site
    sessions = [haproxy.session(p)[0] for p in ("write", "read", "fallback")]
    prober.stop()
    time.sleep(4)
    assert all(is_open(s) for s in sessions)
    prober.start()
    wait_until(lambda: prober.cluster()["write"] == "node1", "leader")
    time.sleep(1)
    assert all(is_open(s) for s in sessions)


def test_c_leader_changed_while_the_prober_was_away(site):
    prober, haproxy, cluster = site
    s, _ = haproxy.session("write")
    prober.stop()
    cluster.lead("node2")
    assert closed_after(s, 0.5) is None
    prober.start()
    assert closed_after(s, 2) is not None


def test_c_reload_is_repaired_at_once(site):
    """A new process believes all its servers up until their first check."""
    prober, haproxy, _ = site
    for _ in range(3):
        haproxy.reload()
        began = time.monotonic()
        wait_until(lambda: haproxy.states("main_write") == {
            "node1": "UP", "node2": "NOLB", "node3": "NOLB"}, "states", 2,
            0.002)
        print("repaired after", round(time.monotonic() - began, 3))
    wait_until(lambda: prober.topology()["haproxy"]["pid"] == haproxy.pid(),
               "the new process is known")


def test_c_haproxy_goes_and_comes_back(folder, cluster):
    with Prober(folder, cluster.etcd.port) as p:
        wait_until(lambda: p.cluster()["write"] == "node1", "node1 leads")
        wait_until(lambda: p.get("/healthz")[0] == 200, "healthy")
        for _ in range(2):
            h = HAProxy(folder, p, cluster)
            wait_until(lambda: p.topology()["haproxy"]["reachable"], "there")
            wait_until(lambda h=h: h.states("main_write")["node2"] == "NOLB",
                       "states")
            h.stop()
            wait_until(lambda: not p.topology()["haproxy"]["reachable"],
                       "gone")
            assert p.cluster()["write"] == "node1"


def test_c_frozen_haproxy_holds_nothing_up(site):
    prober, haproxy, cluster = site
    agent = Agent(prober.feed)
    agent.snapshot_where(lambda s: s["target"] == "node1")
    pid = haproxy.pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        cluster.lead("node2")
        agent.snapshot_where(lambda s: s["target"] == "node2")
        assert prober.get("/healthz")[0] == 200
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: haproxy.states("main_write") == {
        "node1": "NOLB", "node2": "UP", "node3": "NOLB"}, "states")


def test_c_a_flood_of_pids_is_no_flood_of_lines(site):
    prober, _, _ = site
    for i in range(200):
        assert prober.get(f"/check/main_write/node1/pid-{i + 1}")[0] == 200
    assert prober.text().count("reload haproxy pid=") < 20 * SLOW


def test_c_first_members_while_haproxy_is_busy(folder, own_cluster):
    """What it said before there was anybody makes no stranger of them."""
    etcd, members = own_cluster.etcd, own_cluster.member
    for m in members.values():
        etcd.delete(f"members/{m.name}")
    etcd.delete("leader")
    with Prober(folder, etcd.port) as prober:
        haproxy = HAProxy(folder, prober, own_cluster)
        wait_until(lambda: "ready haproxy" in prober.text(), "asked")
        pid = haproxy.pid()
        os.kill(pid, signal.SIGSTOP)
        try:
            agent = Agent(prober.feed)
            for m in members.values():
                etcd.put(f"members/{m.name}", m.key())
            etcd.put("leader", "node1")
            agent.snapshot_where(lambda s: s["target"] == "node1", 2)
        finally:
            os.kill(pid, signal.SIGCONT)
            haproxy.stop()


def test_c_operators_maint_is_respected(site):
    prober, haproxy, _ = site
    agent = Agent(prober.feed)
    agent.snapshot_where(lambda s: s["target"] == "node1")
    haproxy.cli("set server main_read/node2 state maint")
    s = agent.snapshot_where(lambda s: not any(
        m["flags"] & 1 for m in s["m"] if m["name"] == "node2"))
    assert any(m["flags"] & 1 for m in s["m"] if m["name"] == "node3")
    time.sleep(2.2)
    assert haproxy.states("main_read")["node2"].startswith("MAINT")
    haproxy.cli("set server main_read/node2 state ready")
    agent.snapshot_where(lambda s: any(
        m["flags"] & 1 for m in s["m"] if m["name"] == "node2"))


def next_leader(haproxy, cluster):
    """Moves the lead, with sessions on the former: names, sessions, when."""
    wait_until(lambda: "UP" in haproxy.states("main_write").values(),
               "a writer")
    states = haproxy.states("main_write")
    old = next(name for name, state in states.items() if state == "UP")
    new = next(name for name in states if name != old)
    opened = [haproxy.session("write") for _ in range(5)]
    assert {name for _, name in opened} == {old}
    began = time.monotonic()
    cluster.lead(new)
    return types.SimpleNamespace(old=old, new=new, began=began,
                                 sessions=[s for s, _ in opened])


def test_c_slow_agent_is_not_waited_for(site):
    """An agent that never says SEEN delays the move by 50 ms at most."""
    prober, haproxy, cluster = site
    mute = Agent(prober.feed)
    mute.until(Agent.SNAPSHOT)

    def move():
        lead = next_leader(haproxy, cluster)
        assert all(closed_after(s, 5) is not None for s in lead.sessions)
        return time.monotonic() - lead.began

    def is_good(took):
        return 0.045 < took < (0.05 + CUT_S) * SLOW

    took = unstalled(move, is_good, bound=0.1)
    assert is_good(took), took


def test_c_agent_is_told_before_sessions_end(site):
    """The order of a move: snapshot, SEEN, then the sessions."""
    prober, haproxy, cluster = site
    agent = Agent(prober.feed)
    agent.snapshot_where(lambda s: s["target"] == "node1")

    def move():
        """Were they still open when the agent had the snapshot?"""
        lead = next_leader(haproxy, cluster)
        while agent.until(Agent.SNAPSHOT)["target"] == lead.old:
            pass
        lead.sessions[0].settimeout(0.02)
        was_open = False
        try:
            lead.sessions[0].recv(1)
        except TimeoutError:
            was_open = True
        agent.snapshot_where(lambda s: s["target"] == lead.new)
        assert all(closed_after(s, 5) is not None for s in lead.sessions)
        return was_open

    # SEEN is waited for 50 ms, of which the look above takes 20.
    assert unstalled(move, bool, bound=0.02)


def test_c_frozen_prober_closes_nothing(site):
    """3 s without a turn of the loop: what came back late is not "down"."""
    prober, haproxy, _ = site
    sessions = [haproxy.session(p)[0] for p in ("write", "read")]
    for _ in range(2):
        prober.process.send_signal(signal.SIGSTOP)
        time.sleep(3.5)
        prober.process.send_signal(signal.SIGCONT)
        wait_until(lambda: prober.get("/healthz")[0] == 200, "usable", 2)
        assert prober.cluster()["write"] == "node1"
    assert all(is_open(s) for s in sessions)
    wait_until(lambda: haproxy.states("main_write") == {
        "node1": "UP", "node2": "NOLB", "node3": "NOLB"}, "states")


def test_c_member_that_haproxy_does_not_know(folder, cluster):
    """HAProxy would balance a connection that names it: it is not named."""
    with running(folder, cluster, "\tdiscover = false\n") as (prober, _, _):
        stay_strange(prober, cluster)


def stay_strange(prober, cluster):
    agent = Agent(prober.feed)
    agent.snapshot_where(lambda s: s["target"] == "node1")
    stranger = Member("stranger")
    stranger.timeline = cluster.member["node1"].timeline
    try:
        cluster.etcd.put("members/stranger", stranger.key())
        s = agent.snapshot_where(
            lambda s: any(m["name"] == "stranger" for m in s["m"]))
        time.sleep(1.5)
        agent.ping(1)
        kind = None
        while kind != Agent.ECHO:
            kind, body = agent.next()
            if kind == Agent.SNAPSHOT:
                s = agent.decode(kind, body)
            m = next(m for m in s["m"] if m["name"] == "stranger")
            assert m["server"] == "" and not m["flags"] & 1
    finally:
        cluster.etcd.delete("members/stranger")
        stranger.stop()


def test_a_the_stats_page_says_why(site):
    """The reason stands beside the check's result, and nobody is red who
    only has another role."""
    _, haproxy, cluster = site
    wait_until(lambda: haproxy.states("main_fallback") == {
        "node1": "UP", "node2": "NOLB", "node3": "NOLB"}, "fallback")
    wait_until(lambda: "fit for reads" in haproxy.last_checks(
        "main_write")["node2"], "a replica's reason")
    assert haproxy.last_checks("main_write")["node1"] == \
        "leader: holds the leader key and accepts writes"
    member = cluster.member["node3"]
    member.tags = {"noloadbalance": True}
    cluster.etcd.put("members/node3", member.key())
    wait_until(lambda: haproxy.states("main_read")["node3"] == "NOLB" and
               "noloadbalance" in haproxy.last_checks("main_read")["node3"],
               "its reason")


def test_c_fallbacks_sessions_go_back(folder, cluster):
    """Not while no replica is fit; in an old process too."""
    def replicas(tags):
        for name in ("node2", "node3"):
            cluster.member[name].tags = tags
            cluster.etcd.put(f"members/{name}", cluster.member[name].key())

    with running(folder, cluster, '\tfallback_max_age = "1s"\n') as (
            _, haproxy, _):
        replicas({"noloadbalance": True})
        wait_until(lambda: list(haproxy.states("main_read").values()).count(
            "NOLB") == 3, "no reader")
        opened = [haproxy.session("fallback")[0] for _ in range(5)]
        writer, _ = haproxy.session("write")
        haproxy.reload()
        opened += [haproxy.session("fallback")[0] for _ in range(5)]
        time.sleep(4)
        assert all(is_open(s) for s in opened)
        replicas({})
        assert all(closed_after(s, 10) is not None for s in opened)
        assert is_open(writer)


def test_c_five_reloads_in_a_row(site):
    """I3 after any number of them: each old process holds one session."""
    _, haproxy, cluster = site
    sessions = []
    for _ in range(5):
        sessions.append(haproxy.session("write")[0])
        haproxy.reload()
        wait_until(lambda: haproxy.states("main_write")["node1"] == "UP" and
                   haproxy.states("main_write")["node2"] == "NOLB", "states")
    assert len(haproxy.old_pids()) == 5
    cluster.lead("node2")
    assert all(closed_after(s, 3) is not None for s in sessions)
