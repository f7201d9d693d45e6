"""
The verdict and its reason, for all that may happen to a cluster: the lines
that the prober of hap1 logs are its story, and /topology its present word.
Each test prints its story (pytest -s). The slow ones are run by hand;
ETCD_AWAY_S= says for how long etcd stands still in them.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time

import path
import pytest
from verdicts import story  # noqa: F401 (a fixture)
from verdicts import HAP, config, local, member, name_of, process, roles

ETCD = ("etcd1", "etcd2", "etcd3")
AWAY = float(os.environ.get("ETCD_AWAY_S", "45"))
FILL = ("CREATE TABLE IF NOT EXISTS fill (x text);"
        "INSERT INTO fill SELECT repeat(md5(i::text), 30) "
        "FROM generate_series(1, 40000) i; SELECT 1")


@contextlib.contextmanager
def _replay_stands(lab, host):
    """WAL comes in and is not replayed. (pg_wal_replay_pause() is taken
    back by Patroni in its next loop.)"""
    pid = process(lab, host, b"startup recovering")
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_replay_paused(lab, story, wait_until):
    """It leaves for its lag, and for that alone; resumed, it is back."""
    leader, name, replica, reader = roles(lab)
    with _replay_stands(lab, replica):
        local(lab, leader, FILL)
        wait_until("it left for its lag", 15,
                   lambda: story.why(reader) == (False, "lag-bytes"))
        assert story.now() == (name, "leader")
    wait_until("it is back", 20, lambda: story.why(reader)[0])
    assert story.reads(reader) == [("no", "lag-bytes"), ("yes", "replica")]
    assert story.writes() == []


def test_noloadbalance_and_weight(lab, story, wait_until):
    """Tags count as soon as Patroni says them, and no longer."""
    _, _, replica, reader = roles(lab)
    with member(lab, replica, tags={"noloadbalance": True}):
        wait_until("it is tagged out", 15, lambda:
                   story.why(reader) == (False, "noloadbalance"))
    wait_until("it is back", 15, lambda: story.why(reader)[0])
    assert story.reads(reader) == [("no", "noloadbalance"),
                                   ("yes", "replica")]
    assert story.writes() == []


def test_pause(lab, story, wait_until):
    """Nothing changes by it; and the key's holder stays the target."""
    _, name, _, _ = roles(lab)
    config(lab, pause=True)
    wait_until("the DCS says it", 5,
               lambda: path.verdict(lab, HAP)["dcs"]["pause"])
    config(lab, pause=None)
    wait_until("it is over", 5,
               lambda: not path.verdict(lab, HAP)["dcs"]["pause"])
    assert story.writes() == []
    assert story.now() == (name, "leader")


def test_restart(lab, story, wait_until):
    """A replica's restart takes nobody else out; the leader's holds."""
    leader, name, replica, reader = roles(lab)
    assert lab.rest(replica, "/restart", {}, 30.0)[0] == 200
    wait_until("it is read again", 20, lambda: story.why(reader)[0] and
               len(story.reads(reader)) >= 2)
    assert story.reads(reader)[0][0] == "no"
    assert story.writes() == []
    assert lab.rest(leader, "/restart", {}, 30.0)[0] == 200
    wait_until("it leads again", 20,
               lambda: story.now() == (name, "leader") and story.writes())
    # Nobody else was named, and it is said why there was nobody.
    assert {who for who, _ in story.writes()} == {name, "none"}
    assert {why for who, why in story.writes() if who == "none"} <= \
        {"stopping", "refused", "unconfirmed"}


def test_switchover(lab, story, wait_until):
    """From the one, over nobody, to the other."""
    leader, name, replica, reader = roles(lab)
    lab.switchover(replica)
    wait_until("the new leader", 20,
               lambda: story.now() == (reader, "leader"))
    wait_until("the old one is read", 30, lambda: story.why(name)[0])
    named = [who for who, _ in story.writes() if who != "none"]
    assert named == [reader]
    assert story.writes()[0][1] in ("stopping", "refused", "in-recovery",
                                    "no-key")
    assert story.reads(reader) == [("no", "takes-key")]
    other = {"node1", "node2", "node3"} - {name, reader}
    assert story.reads(other.pop()) == []
    assert leader != replica


@pytest.mark.slow
def test_failover(lab, story, wait_until):
    """The leader's host dies: silence, a key that ends, a new leader."""
    leader, name, _, _ = roles(lab)
    lab.kill(leader)
    wait_until("a new leader", 60, lambda: story.now()[1] == "leader" and
               story.now()[0] not in (None, name))
    new = story.now()[0]
    lab.start(leader)
    assert [who for who, _ in story.writes() if who != "none"] == [new]
    assert story.writes()[0][0] == "none"
    assert story.writes()[0][1] in ("silent", "refused")
    assert ("no", "takes-key") in story.reads(new)
    other = {"node1", "node2", "node3"} - {name, new}
    assert story.reads(other.pop()) == []


@pytest.mark.slow
def test_pending_restart(lab, story, wait_until):
    """A parameter waits for a restart: shown of each member, and no more."""
    def pending():
        return {m["name"]: m["evidence"]["rest"]["pending_restart"]
                for m in path.verdict(lab, HAP)["members"]}

    def connections(n):
        config(lab, postgresql={"parameters": {"max_connections": str(n)}})
    _, name, _, _ = roles(lab)
    assert not any(pending().values())
    try:
        connections(301)
        wait_until("it is shown of all", 40, lambda: all(pending().values()))
        assert story.now() == (name, "leader")
    finally:
        connections(300)
    wait_until("no more", 40, lambda: not any(pending().values()))
    assert story.changes() == []


@pytest.mark.slow
def test_etcd_quorum_lost_and_back(lab, story, wait_until):
    """Two of three stand still: the one that is left proves nothing."""
    _, name, _, _ = roles(lab)
    for host in ETCD[:2]:
        lab.freeze(host, "etcd")
    try:
        wait_until("by /primary", 15,
                   lambda: story.now() == (name, "primary-200"))
        assert lab.psql(5000, "SELECT NOT pg_is_in_recovery()") == "t"
    finally:
        for host in ETCD[:2]:
            lab.thaw(host, "etcd")
    wait_until("by the key", 20, lambda: story.now() == (name, "leader"))
    assert story.writes() == [(name, "primary-200"), (name, "leader")]


@pytest.mark.slow
def test_reinit(lab, story, wait_until):
    """A replica is made anew: not read until it runs and follows."""
    _, _, replica, reader = roles(lab)
    assert lab.rest(replica, "/reinitialize", {"force": True}, 30.0)[0] == 200
    wait_until("it left", 30, lambda: story.reads(reader))
    wait_until("it is back", 90, lambda: story.why(reader)[0])
    assert story.reads(reader)[0][0] == "no"
    assert story.writes() == []


FENCE = 30.0  # seconds, the shipped default


@pytest.mark.slow
def test_promotion_by_hand_in_pause(lab, story, wait_until):
    """It gets no writes and no reads, and takes nothing from the leader."""
    _, name, replica, reader = roles(lab)
    # Who led until a moment ago may veto the leader, and rightly: it is who
    # the last test's move of the key was from.
    time.sleep(FENCE)
    config(lab, pause=True)
    try:
        wait_until("the DCS says pause", 5,
                   lambda: path.verdict(lab, HAP)["dcs"]["pause"])
        assert local(lab, replica, "SELECT pg_promote()") == "t"
        # Patroni rewinds by the timeline of the last checkpoint: without one
        # it would have the member wait for the leader's WAL for ever.
        local(lab, replica, "CHECKPOINT")
        wait_until("it is out", 10, lambda:
                   story.why(reader) == (False, "diverged"))
        assert story.now() == (name, "leader")
        assert lab.psql(5000, "SELECT NOT pg_is_in_recovery()") == "t"
        assert {lab.psql(5001, "SELECT pg_is_in_recovery()")
                for _ in range(6)} == {"t"}
        assert story.writes() == []
    finally:
        config(lab, pause=None)
    wait_until("Patroni rewound it", 120, lambda: story.why(reader)[0])
    assert story.writes() == []


@contextlib.contextmanager
def _no_etcd(lab):
    for host in ETCD:
        lab.freeze(host, "all")
    try:
        yield
    finally:
        for host in ETCD:
            lab.thaw(host, "all")


@pytest.mark.slow
def test_etcd_away_in_failsafe_mode(lab, story, wait_until):
    """Longer than ttl: the leader leads on, and keeps its writes."""
    _, name, _, _ = roles(lab)
    config(lab, failsafe_mode=True)
    try:
        wait_until("Patroni wrote the members down", 40, lambda: lab.exec(
            "etcd1", ["etcdctl", "get", "--print-value-only",
                      "/service/main/failsafe"]).stdout.strip())
        with _no_etcd(lab):
            wait_until("by /primary", 10,
                       lambda: story.now() == (name, "primary-200"))
            _stays(lab, story, (name, "primary-200"), AWAY)
            assert {who for who, _ in story.writes()} == {name}
    finally:
        config(lab, failsafe_mode=None)
    # The key ended meanwhile. Patroni itself says no to /primary until it has
    # taken it again: for that moment there may be nobody, and never another.
    wait_until("by the key", 30, lambda: story.now() == (name, "leader"))
    assert {who for who, _ in story.writes()} <= {name, "none"}


def _stays(lab, story, word, seconds):
    """Writes and reads are served all the while, by this word."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert story.now() == word
        assert lab.psql(5000, "SELECT NOT pg_is_in_recovery()") == "t"
        assert lab.psql(5001, "SELECT pg_is_in_recovery()") == "t"
        time.sleep(0.5)


@pytest.mark.slow
def test_etcd_away_without_failsafe_mode(lab, story, wait_until):
    """Until Patroni demotes the leader, and then nobody; reads go on."""
    _, name, _, reader = roles(lab)
    with _no_etcd(lab):
        wait_until("by /primary", 10,
                   lambda: story.now() == (name, "primary-200"))
        wait_until("Patroni demoted it", 90,
                   lambda: story.now()[0] is None)
        wait_until("it says why", 10, lambda: story.now()[1] == "no-key")
        assert lab.psql(5001, "SELECT pg_is_in_recovery()") == "t"
        assert story.why(reader)[0]
        assert {who for who, _ in story.writes()} == {name, "none"}
    wait_until("the key is held again", 60,
               lambda: story.now()[1] == "leader")


@pytest.mark.slow
def test_standby_cluster(lab, story, wait_until):
    """No writes by design; the standby leader is read like the others."""
    _, name, _, reader = roles(lab)
    # It follows an archive in which nothing comes.
    config(lab, standby_cluster={"restore_command": "/bin/false"})
    try:
        wait_until("there are no writes by design", 60,
                   lambda: story.now() == (None, "standby-cluster"))
        wait_until("the standby leader is read", 90,
                   lambda: story.why(name) == (True, "replica"))
        wait_until("so is the other", 60, lambda: story.why(reader)[0])
        said = {m["name"]: m["role"]
                for m in path.verdict(lab, HAP)["members"]}
        assert said[name] == "standby-leader"
        refused = lab.exec("app1", lab.psql_argv(5000, ["-c", "SELECT 1"]),
                           check=False)
        assert "standby cluster" in refused.stderr
    finally:
        config(lab, standby_cluster=None)
    wait_until("it leads again", 90, lambda: story.now()[1] == "leader")


@pytest.mark.slow
def test_member_removed_and_added(lab, story, wait_until):
    """Its key ends, a while later it is none; and it is there again."""
    _, _, replica, reader = roles(lab)
    lab.stop_patroni(replica)
    wait_until("it is not read", 10, lambda: not story.why(reader)[0])
    wait_until("nobody knows it", 90, lambda: story.why(reader) is None)
    lab.start(replica)
    wait_until("it is read again", 60,
               lambda: (story.why(reader) or (False,))[0])
    assert story.writes() == []


@pytest.mark.slow
def test_cascade(lab, story, wait_until):
    """A replica that streams from a replica is read, by the leader's LSN."""
    leader, name, replica, reader = roles(lab)
    last = next(m["host"] for m in lab.status()["members"]
                if m["host"] not in (leader, replica))
    with member(lab, last, tags={"replicatefrom": reader}):
        wait_until("it streams from the replica", 60, lambda: local(
            lab, replica, "SELECT count(*) FROM pg_stat_replication") == "1")
        local(lab, leader, FILL)
        wait_until("it is read", 30, lambda: story.why(name_of(lab, last))[0])
        # Where its WAL comes from replays nothing: it is level itself.
        with _replay_stands(lab, replica):
            local(lab, leader, FILL)
            wait_until("the replica left", 15, lambda: story.why(reader) ==
                       (False, "lag-bytes"))
            assert story.why(name_of(lab, last))[0]
    wait_until("it streams from the leader", 60, lambda: local(
        lab, leader, "SELECT count(*) FROM pg_stat_replication") == "2")
    assert story.now() == (name, "leader")


@pytest.mark.slow
def test_slow_checkpoint_before_a_switchover(lab, story, wait_until):
    """The failover key alone holds for early_hold; while the CHECKPOINT
    before the stop takes its time, writes go on."""
    leader, name, replica, reader = roles(lab)
    env = {**lab.environment(), "PGPASSWORD": "p"}
    lab.exec("app1", ["env", "PGPASSWORD=p", "pgbench", "-h", "192.168.34.85",
                      "-p", "5000", "-U", "postgres", "-i", "-q", "-s", "8",
                      "postgres"], timeout=120)
    slow = subprocess.Popen(
        ["strace", "-f", "-q", "-o", "/dev/null", "-p",
         str(process(lab, leader, b"checkpointer")),
         "-e", "trace=pwrite64", "-e", "inject=pwrite64:delay_enter=3000"])
    bench = subprocess.Popen(
        lab.command("app1", ["env", "PGPASSWORD=p", "pgbench", "-h",
                             "192.168.34.85", "-p", "5000", "-U", "postgres",
                             "-C", "-c", "2", "-T", "60", "-n", "postgres"]),
        env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    waits = []
    try:
        time.sleep(3)
        mover = threading.Thread(target=lab.switchover, args=(replica,))
        mover.start()
        wait_until("the failover key", 10,
                   lambda: path.verdict(lab, HAP)["dcs"]["failover_due"])
        began = time.monotonic()
        while story.now() == (name, "leader") and not story.writes():
            asked = time.monotonic()
            lab.psql(5000, "CREATE TABLE IF NOT EXISTS w (x int);"
                     "INSERT INTO w VALUES (1)")
            waits.append((asked - began, time.monotonic() - asked))
        stopped = time.monotonic() - began
        mover.join(60)
    finally:
        slow.terminate()
        slow.wait(10)
        bench.terminate()
        bench.wait(10)
    wait_until("the new leader", 30,
               lambda: story.now() == (reader, "leader"))
    print(f"\n  the leader stopped {stopped:.1f} s after the failover key; "
          f"{len(waits)} writes meanwhile, the longest took "
          f"{max(took for _, took in waits):.2f} s")
    # Else the CHECKPOINT was not slow and nothing was shown.
    assert stopped > 3
    after = [took for asked, took in waits[:-1] if asked > 1]
    assert len(after) > 5 and max(after) < 1
