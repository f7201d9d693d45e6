"""
The feed: a scripted agent, a real etcd, scripted Patroni REST servers.
"""
import struct
import time

import pytest

from prober_lib import (SLOW, Agent, Etcd, Prober, cluster, folder,
                        own_cluster, shared_cluster, wait_until)

__all__ = ["cluster", "folder", "own_cluster", "shared_cluster"]


@pytest.fixture
def prober(folder, cluster):
    with Prober(folder, cluster.etcd.port) as p:
        wait_until(lambda: p.cluster()["write"] == "node1", "node1 leads")
        yield p


def test_a_hello_then_snapshot(prober):
    agent = Agent(prober.feed)
    kind, body = agent.next()
    assert kind == Agent.HELLO and body.endswith(b"patroute-prober")
    boot_id = struct.unpack_from(">Q", body)[0]
    s = agent.until(Agent.SNAPSHOT)
    assert s["boot_id"] == boot_id != 0
    assert s["cluster"] == "main" and s["target"] == "node1"
    assert {m["name"] for m in s["m"]} == {"node1", "node2", "node3"}
    wait_until(lambda: prober.get("/healthz")[0] == 200, "all were heard of")


def test_a_nothing_known_is_stale(folder):
    with Prober(folder) as p:
        agent = Agent(p.feed)
        s = agent.until(Agent.SNAPSHOT)
        assert s["target"] is None and s["seq"] > 0
        agent.ping(5)
        assert agent.until(Agent.ECHO) == (5, (Agent.STALE,))


def test_b_echo_carries_the_age(prober):
    wait_until(lambda: prober.get("/healthz")[0] == 200, "all were heard of")
    agent = Agent(prober.feed)
    for nonce in range(1, 20):
        agent.ping(nonce)
        got, ages = agent.until(Agent.ECHO)
        assert got == nonce and len(ages) == 1
        assert ages[0] < 3000
        time.sleep(0.05)


def test_b_age_grows_to_stale(folder, own_cluster):
    """With every source gone the age grows until nothing is fresh."""
    with Prober(folder, own_cluster.etcd.port) as prober:
        wait_until(lambda: prober.cluster()["write"] == "node1", "node1")
        watch_ages(prober, own_cluster)


def watch_ages(prober, cluster):
    agent = Agent(prober.feed)
    agent.until(Agent.SNAPSHOT)
    cluster.stop()
    ages = []
    began = time.monotonic()
    while not ages or ages[-1] != Agent.STALE:
        assert time.monotonic() - began < 20 * SLOW
        agent.ping(1)
        ages.append(agent.until(Agent.ECHO)[1][0])
        time.sleep(0.1)
    fresh = [a for a in ages if a != Agent.STALE]
    assert max(fresh) <= 3000 * SLOW
    assert prober.get("/healthz")[0] == 503
    assert prober.cluster()["write"] is None


def test_b_two_agents_hear_a_move(prober, cluster):
    agents = [Agent(prober.feed) for _ in range(2)]
    for a in agents:
        a.snapshot_where(lambda s: s["target"] == "node1")
    cluster.lead("node2")
    seqs = {a.snapshot_where(lambda s: s["target"] == "node2")["seq"]
            for a in agents}
    wait_until(lambda: all(
        int(a["seen"]["main"]) >= max(seqs)
        for a in prober.topology()["agents"]), "both are SEEN")


def test_b_between_leaders_there_is_none(prober, cluster):
    """The key moves; node2 says nothing yet: no target, never the old one."""
    agent = Agent(prober.feed)
    agent.snapshot_where(lambda s: s["target"] == "node1")
    cluster.etcd.put("leader", "node2")
    s = agent.snapshot_where(lambda s: s["target"] != "node1")
    assert s["target"] is None and s["transition"]
    readers = {m["name"] for m in s["m"] if m["flags"] & 1}
    assert "node2" not in readers and readers <= {"node3"}
    cluster.lead("node2")
    agent.snapshot_where(lambda s: s["target"] == "node2")


def test_c_slow_agent_gets_the_latest(prober, cluster):
    slow, quick = Agent(prober.feed), Agent(prober.feed)
    slow.snapshot_where(lambda s: s["target"] == "node1")
    quick.snapshot_where(lambda s: s["target"] == "node1")
    for _ in range(400):
        cluster.flip("node3")
        last = quick.until(Agent.SNAPSHOT)
    time.sleep(0.2 * SLOW)
    slow.ping(99)
    got = []
    while True:
        kind, body = slow.next()
        if kind == Agent.ECHO:
            break
        got.append(slow.decode(kind, body)["seq"])
    assert got == sorted(got)
    assert got[-1] >= last["seq"], "the latest is not there"
    assert len(got) < 100, "an agent that did not read has a queue"


def test_c_echo_comes_behind_its_snapshots(prober, cluster):
    agent = Agent(prober.feed)
    told = agent.snapshot_where(lambda s: s["target"] == "node1")
    for i in range(1, 101):
        cluster.flip("node3")
        before = prober.cluster()["seq"]
        agent.ping(i)
        while True:
            kind, body = agent.next()
            if kind == Agent.ECHO:
                break
            told = agent.decode(kind, body)
        assert struct.unpack_from(">Q", body)[0] == i
        assert told["seq"] >= int(before), "an echo overtook a snapshot"


@pytest.fixture
def two_clusters(folder, tmp_path):
    """A prober of two clusters of one member whom nobody can ask."""
    etcd = Etcd(tmp_path / "etcd")
    for name in ("main", "other"):
        etcd.put("members/node1", "{}", name)
    p = Prober(folder, etcd.port,
               f'}}\ncluster other {{\n\tetcd = {{"http://127.0.0.1:'
               f'{etcd.port}"}}\n')
    p.conf.write_text(p.conf.read_text().replace(
        "port = 5000", "port = 5000\n\tcluster = main"))
    with p:
        yield p, etcd
    etcd.stop()


def observed(prober):
    """{cluster: (same, differs)}, as /topology and /metrics have it."""
    text = prober.get("/metrics")[1].decode()

    def counted(name, classic):
        lines = [x for x in text.splitlines() if x.startswith(
            f'patroute_cluster_observed_total{{cluster="{name}"')
            and f'classic="{classic}"' in x]
        return sum(int(x.split()[-1]) for x in lines) if lines else None
    found = {c["name"]: (c["observe"]["same"], c["observe"]["differs"])
             for c in prober.topology()["clusters"]}
    shown = {name: (counted(name, "same"), counted(name, "differs"))
             for name in found}
    # Each by an answer of its own: one may be older.
    return found if found == shown else (found, shown)


def test_c_observed_by_cluster(two_clusters):
    """Agents' counts add up; they stay when one goes, and if it comes again
    they are in its own."""
    prober, _ = two_clusters
    one, two = (Agent(prober.feed, boot_id=n) for n in (1, 2))
    nothing = {"main": (0, 0), "other": (0, 0)}
    assert observed(prober) == nothing
    one.observed((3, 4, 5, 6, 7, 8), main=(1, 2, 3, 4, 5, 6))
    wait_until(lambda: observed(prober) == {
        "main": (6, 15), "other": (0, 0)}, "one counts")
    two.observed((9,) * 6, other=(1, 1, 1, 2, 2, 2), gone=(7,) * 6)
    one.observed((3, 4, 5, 6, 7, 8), other=(0, 0, 1, 0, 0, 1))
    wait_until(lambda: observed(prober) == {
        "main": (6, 15), "other": (4, 7)}, "both count")
    one.close()
    wait_until(lambda: len(prober.topology()["agents"]) == 1, "one is gone")
    assert observed(prober) == {"main": (6, 15), "other": (4, 7)}
    one = Agent(prober.feed, boot_id=1)
    wait_until(lambda: len(prober.topology()["agents"]) == 2, "it is back")
    assert observed(prober) == {"main": (6, 15), "other": (4, 7)}
    one.observed((9,) * 6, main=(2, 2, 3, 4, 5, 6))
    wait_until(lambda: observed(prober) == {
        "main": (7, 15), "other": (4, 7)}, "it counts on")
    again = Agent(prober.feed, boot_id=1)
    wait_until(lambda: len(prober.topology()["agents"]) == 3, "a second time")
    one.close()
    wait_until(lambda: len(prober.topology()["agents"]) == 2, "once")
    assert observed(prober) == {"main": (7, 15), "other": (4, 7)}
    again.close()


def test_c_observed_by_an_agent_of_a_later_version(two_clusters):
    """Counters that are not known here stand before what is: no bad-message."""
    prober, _ = two_clusters
    agent = Agent(prober.feed)
    agent.observed((1,) * 6, later=b"\xff" * 24, main=(1,) * 6, other=(2,) * 6)
    wait_until(lambda: observed(prober) == {
        "main": (3, 3), "other": (6, 6)}, "it counts")
    agent.ping(9)
    assert agent.until(Agent.ECHO)[0] == 9


def test_c_observed_by_an_agent_of_an_earlier_version(two_clusters):
    """It cannot say of which cluster: nobody knows."""
    prober, _ = two_clusters
    new, old = (Agent(prober.feed, boot_id=n) for n in (1, 2))
    new.observed((1,) * 6, main=(1,) * 6)
    old.observed((1,) * 6)
    wait_until(lambda: observed(prober) == {
        "main": (None, None), "other": (None, None)}, "unknown")
    old.close()
    wait_until(lambda: observed(prober) == {
        "main": (3, 3), "other": (0, 0)}, "known again")


def test_c_observed_of_one_cluster_by_both_versions(prober):
    """Where there is one it is of that."""
    new, old = (Agent(prober.feed, boot_id=n) for n in (1, 2))
    new.observed((1,) * 6, main=(1,) * 6)
    old.observed((1, 1, 1, 2, 2, 2))
    wait_until(lambda: observed(prober) == {"main": (6, 9)}, "both count")
    old.close()
    wait_until(lambda: len(prober.topology()["agents"]) == 1, "one is gone")
    assert observed(prober) == {"main": (6, 9)}


def test_c_asked_for_its_age_a_verdict_changes(two_clusters):
    """Nobody but the PING has it judged; the other agent hears of it too."""
    prober, etcd = two_clusters
    asker, idle = Agent(prober.feed), Agent(prober.feed)
    latest = {}
    for a in (asker, idle):
        for _ in range(2):
            s = a.until(Agent.SNAPSHOT)
            latest[s["cluster"]] = s["seq"]
    wait_until(lambda: prober.get("/healthz")[0] == 200, "both are known")
    etcd.stop()
    ages, nonce = (), 0
    while ages != (Agent.STALE, Agent.STALE):
        nonce += 1
        asker.ping(nonce)
        assert nonce < 200 * SLOW
        while (got := asker.next())[0] != Agent.ECHO:
            s = asker.decode(*got)
            assert s["seq"] <= latest[s["cluster"]] + 9
            latest[s["cluster"]] = s["seq"]
        echoed, ages = asker.decode(*got)
        assert echoed == nonce
        time.sleep(0.05)
    for name in ("main", "other"):
        heard = idle.snapshot_where(
            lambda s, n=name: s["seq"] == latest[n])
        assert heard["target"] is None


def test_c_place_without_members_is_no_verdict(folder, tmp_path):
    """A wrong scope, say: HAProxy's classic way has to serve, not nobody."""
    etcd = Etcd(tmp_path / "etcd")
    with Prober(folder, etcd.port) as prober:
        agent = Agent(prober.feed)
        wait_until(lambda: prober.cluster()["dcs"]["synced"], "etcd was read")
        assert prober.cluster()["why"] == "none"
        agent.ping(5)
        assert agent.until(Agent.ECHO) == (5, (Agent.STALE,))
        assert prober.get("/healthz")[0] == 503
        etcd.put("members/node1", "{}")
        wait_until(lambda: prober.get("/healthz")[0] == 200, "a member is there")
    etcd.stop()


@pytest.mark.parametrize("kind, body, version", [
    (Agent.SEEN, b"\0" * 16 + b"\4main", 2),      # before HELLO
    (Agent.PING, b"\0" * 8, 2),
    (Agent.HELLO, b"\0" * 8 + b"\1a", 1),          # another version
    (Agent.HELLO, b"\0" * 7, 2),                   # cut
    (Agent.HELLO, b"\0" * 8 + b"\1a\0", 2),        # one byte more
    (Agent.HELLO, b"\0" * 9000, 2),
    (Agent.SNAPSHOT, b"", 2), (99, b"", 2), (0, b"", 2)])
def test_c_rubbish_is_dropped(prober, kind, body, version):
    bad = Agent(prober.feed, greet=False)
    bad.send(kind, body, version)
    got = bad.next()[0]
    assert got in (0, Agent.HELLO)
    assert got == 0 or bad.next()[0] == 0
    Agent(prober.feed).until(Agent.SNAPSHOT)


def test_c_second_hello_is_dropped(prober):
    agent = Agent(prober.feed)
    agent.until(Agent.SNAPSHOT)
    agent.send(Agent.HELLO, struct.pack(">Q", 77) + agent.text("wire"))
    while agent.next()[0]:
        pass


def test_c_silence_is_dropped(prober):
    began = time.monotonic()
    silent = Agent(prober.feed, greet=False)
    while silent.next()[0]:
        pass
    assert 0.8 < time.monotonic() - began < 3 * SLOW


def test_c_eight_agents(prober):
    agents = [Agent(prober.feed) for _ in range(8)]
    for a in agents:
        a.until(Agent.SNAPSHOT)
    ninth = Agent(prober.feed)
    wait_until(lambda: "why=too-many-agents" in prober.text(), "refused")
    assert len(prober.topology()["agents"]) == 8
    agents[3].close()
    ninth.until(Agent.SNAPSHOT)
    for a in agents:
        a.close()


def test_c_foreign_words_change_nothing(prober):
    """SEEN of another prober or an unknown cluster, WANT of an unknown one."""
    agent = Agent(prober.feed)
    s = agent.until(Agent.SNAPSHOT)
    agent.send(Agent.SEEN, struct.pack(">QQ", s["boot_id"] ^ 1, 1 << 60) +
               agent.text("main"))
    agent.send(Agent.SEEN, struct.pack(">QQ", s["boot_id"], 1 << 60) +
               agent.text("other"))
    agent.send(Agent.WANT, struct.pack(">Q", 0) + agent.text("other"))
    agent.ping(3)
    agent.until(Agent.ECHO)
    assert prober.topology()["agents"][0]["seen"]["main"] == "0"


def test_c_stats_are_shown(prober):
    agent = Agent(prober.feed)
    agent.until(Agent.SNAPSHOT)
    agent.stats(11, 5, 3)
    wait_until(lambda: prober.topology()["agents"][0].get("stats", {}).get(
        "decisions") == 11, "counted")
    stats = prober.topology()["agents"][0]["stats"]
    assert stats["routed_write"] == 5 and stats["routed_read"] == 3


def test_d_twelve_changes_of_leader(prober, cluster):
    """The verdict never names two, and follows each."""
    agent = Agent(prober.feed)
    for i in range(12):
        name = f"node{i % 3 + 1}"
        cluster.lead(name)
        s = agent.snapshot_where(lambda s, n=name: s["target"] == n)
        assert [m["role"] for m in s["m"]].count(1) == 1
