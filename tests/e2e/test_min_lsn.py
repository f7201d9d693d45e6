"""Read your own write: a read that names an LSN never goes to a replica that
has not replayed it, and nearly always to one that has."""

import contextlib
import os
import time

import path
import psycopg2
import pytest
from patroute_lab import config, hosts

# A hundred in CI; min_lsn_many takes the ten thousand.
ROUNDS = int(os.environ.get("MIN_LSN_ROUNDS", "100"))


def connect(port, options=""):
    """A new connection through the VIP, from within the client's host."""
    found = psycopg2.connect(
        host=hosts.VIP, port=port, user=config.SUPERUSER, sslmode="disable",
        password=config.PASSWORD, dbname="postgres", connect_timeout=20,
        options=options)
    found.autocommit = True
    return found


def to_member(lab, name):
    """A connection to one member, not through HAProxy."""
    found = psycopg2.connect(
        host=lab.host(name).address, user=config.SUPERUSER,
        password=config.PASSWORD, dbname="postgres")
    found.autocommit = True
    return found


def on_member(lab, name, *statements):
    """Runs statements on one member; the last one's first value."""
    with lab.inside(hosts.CLIENT), \
            contextlib.closing(to_member(lab, name)) as member, \
            member.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchone()[0]


@pytest.fixture
def replicas(lab, wait_until):
    """The replicas, which know the table and are both read from."""
    found = sorted(h.name for h in lab.hosts.values()
                   if h.role == "node" and h.name != lab.leader())
    with lab.inside(hosts.CLIENT):
        writer = connect(5000)
        with contextlib.closing(writer), writer.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS mine")
            cursor.execute("CREATE TABLE mine (n int)")
            cursor.execute("INSERT INTO mine VALUES (0)")
    for name in found:
        caught_up(lab, name)
    wait_until("both are read", 20, lambda: are_read(lab, found))
    yield found
    on_member(lab, found[0], "SELECT pg_wal_replay_resume()")
    for name in found:
        delay(lab, name, None)
    for name in found:
        caught_up(lab, name)


def delay(lab, name, value):
    """That replica replays each commit that much later; None: at once."""
    on_member(lab, name,
              "ALTER SYSTEM RESET recovery_min_apply_delay"
              if value is None else
              f"ALTER SYSTEM SET recovery_min_apply_delay = '{value}'",
              "SELECT pg_reload_conf()")


def are_read(lab, names):
    """Whether each is a member to read from."""
    read = {each["server"] for each in path.verdict(lab)["members"]
            if each["read"]}
    return set(names) <= read


def caught_up(lab, name):
    """Waits until that replica has replayed what the leader has now."""
    leader = on_member(lab, lab.leader(), "SELECT pg_current_wal_lsn()")
    end = time.monotonic() + 20
    while on_member(lab, name, "SELECT pg_last_wal_replay_lsn() >= "
                         f"'{leader}'") is not True:
        assert time.monotonic() < end, f"{name} does not catch up"
        time.sleep(0.05)


def holds_back(lab, name):
    """Whether it has received a commit and does not replay it for a while."""
    with lab.inside(hosts.CLIENT), \
            contextlib.closing(connect(5000)) as writer, \
            writer.cursor() as cursor:
        cursor.execute("UPDATE mine SET n = n")
        cursor.execute("SELECT pg_current_wal_lsn()")
        lsn = cursor.fetchone()[0]
    has = f"SELECT pg_last_wal_%s_lsn() >= '{lsn}'"
    end = time.monotonic() + 20
    while on_member(lab, name, has % "receive") is not True:
        assert time.monotonic() < end, f"{name} receives nothing"
        time.sleep(0.05)
    time.sleep(0.5)
    return on_member(lab, name, has % "replay") is False


def one_round(writer, paused, i, named):
    """Writes i, reads: (seen, by a replica, seconds)."""
    # Again and again: Patroni resumes a replay that it finds paused.
    for each in paused:
        with each.cursor() as cursor:
            cursor.execute("SELECT pg_wal_replay_pause()")
    with writer.cursor() as cursor:
        cursor.execute("UPDATE mine SET n = %s", (i,))
        cursor.execute("SELECT pg_current_wal_lsn()")
        lsn = cursor.fetchone()[0]
    options = "-c patroute.target=replica"
    if named:
        options += f" -c patroute.min_lsn={lsn}"
    began = time.monotonic()
    reader = connect(5002, options)
    took = time.monotonic() - began
    with contextlib.closing(reader), reader.cursor() as cursor:
        cursor.execute("SELECT n, pg_is_in_recovery() FROM mine")
        seen, replica = cursor.fetchone()
    return seen == i, replica, took


def run(lab, rounds, named, paused):
    """(misses, share of reads by a replica, sorted seconds)."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(lab.inside(hosts.CLIENT))
        writer = stack.enter_context(contextlib.closing(connect(5000)))
        standing = [stack.enter_context(contextlib.closing(to_member(lab, n)))
                    for n in paused]
        found = [one_round(writer, standing, i, named)
                 for i in range(1, rounds + 1)]
    misses = sum(not seen for seen, _, _ in found)
    share = sum(replica for _, replica, _ in found) / rounds
    return misses, share, sorted(took for _, _, took in found)


def waits(lab):
    """What the agent at the VIP has counted: (waited, too late)."""
    agents = [each["stats"] for each in path.topology(lab)["agents"]
              if "stats" in each]
    return (sum(each["lsn_waited"] for each in agents),
            sum(each["lsn_late"] for each in agents))


def test_own_writes_are_read(lab, replicas, wait_until):
    """With the LSN never a miss, mostly by a replica; without it, misses."""
    before = waits(lab)
    misses, share, took = run(lab, ROUNDS, True, replicas[:1])
    wait_until("the waits are counted", 5, lambda: waits(lab)[0] > before[0])
    p95 = took[int(len(took) * 0.95)]
    print(f"rounds={ROUNDS} misses={misses} replica={share:.3f} "
          f"connect p50={took[len(took) // 2] * 1e3:.1f} ms "
          f"p95={p95 * 1e3:.1f} ms max={took[-1] * 1e3:.1f} ms "
          f"waited,late={waits(lab)}")
    assert misses == 0
    assert share >= 0.8
    # The control: half of the reads go to who has replayed nothing.
    misses, share, took = run(lab, 40, False, replicas[:1])
    print(f"control: misses={misses} replica={share:.3f} "
          f"connect p50={took[len(took) // 2] * 1e3:.1f} ms")
    assert misses >= 10 and share == 1


def test_a_late_replica_is_waited_for(lab, replicas):
    """One paused and one 30 ms behind: still no miss, still by a replica."""
    delay(lab, replicas[1], "30ms")
    misses, share, took = run(lab, max(40, ROUNDS // 5), True, replicas[:1])
    print(f"throttled: misses={misses} replica={share:.3f} connect "
          f"p50={took[len(took) // 2] * 1e3:.1f} ms "
          f"p95={took[int(len(took) * 0.95)] * 1e3:.1f} ms")
    assert misses == 0 and share >= 0.8


def test_nobody_has_it(lab, replicas, wait_until):
    """Both late: the primary serves, after min_lsn_wait and no later."""
    # Not paused: Patroni resumes a replay that it finds paused.
    for each in replicas:
        delay(lab, each, "5s")
    for each in replicas:
        wait_until(f"{each} holds back", 20,
                   lambda name=each: holds_back(lab, name))
    misses, share, took = run(lab, 3, True, [])
    assert misses == 0 and share == 0
    assert took[0] >= 0.2            # min_lsn_wait
