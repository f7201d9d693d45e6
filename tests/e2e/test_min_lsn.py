"""Read your own write: a read that names an LSN never goes to a replica that
has not replayed it, and nearly always to one that has."""

import contextlib
import os
import time

import path
import pytest
from own_writes import (connect, delay, numbers, on_member, ready_replicas,
                        run)
from patroute_lab import hosts

# A hundred in CI; min_lsn_many takes the ten thousand.
ROUNDS = int(os.environ.get("MIN_LSN_ROUNDS", "100"))


@pytest.fixture
def replicas(lab):
    """The replicas, which know the table and are both read from."""
    with ready_replicas(lab) as found:
        yield found


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


def waits(lab):
    """What the agent at the VIP has counted: (waited, too late)."""
    agents = [each["stats"] for each in path.topology(lab)["agents"]
              if "stats" in each]
    return (sum(each["lsn_waited"] for each in agents),
            sum(each["lsn_late"] for each in agents))


def test_own_writes_are_read(lab, replicas, wait_until):
    """With the LSN never a miss, mostly by a replica; without it, misses."""
    before = waits(lab)
    misses, share, took = numbers(run(lab, ROUNDS, True, replicas[:1]))
    wait_until("the waits are counted", 5, lambda: waits(lab)[0] > before[0])
    p95 = took[int(len(took) * 0.95)]
    print(f"rounds={ROUNDS} misses={misses} replica={share:.3f} "
          f"connect p50={took[len(took) // 2] * 1e3:.1f} ms "
          f"p95={p95 * 1e3:.1f} ms max={took[-1] * 1e3:.1f} ms "
          f"waited,late={waits(lab)}")
    assert misses == 0
    assert share >= 0.8
    # The control: half of the reads go to who has replayed nothing.
    misses, share, took = numbers(run(lab, 40, False, replicas[:1]))
    print(f"control: misses={misses} replica={share:.3f} "
          f"connect p50={took[len(took) // 2] * 1e3:.1f} ms")
    assert misses >= 10 and share == 1


def test_a_late_replica_is_waited_for(lab, replicas):
    """One paused and one 30 ms behind: still no miss, still by a replica."""
    delay(lab, replicas[1], "30ms")
    misses, share, took = numbers(run(lab, max(40, ROUNDS // 5), True,
                                      replicas[:1]))
    print(f"throttled: misses={misses} replica={share:.3f} connect "
          f"p50={took[len(took) // 2] * 1e3:.1f} ms "
          f"p95={took[int(len(took) * 0.95)] * 1e3:.1f} ms")
    assert misses == 0 and share >= 0.8
    # Or nobody was late.
    assert took[len(took) // 2] >= 0.02


def test_nobody_has_it(lab, replicas, wait_until):
    """Both late: the primary serves, after min_lsn_wait and no later."""
    # Not paused: Patroni resumes a replay that it finds paused.
    for each in replicas:
        delay(lab, each, "5s")
    for each in replicas:
        wait_until(f"{each} holds back", 20,
                   lambda name=each: holds_back(lab, name))
    misses, share, took = numbers(run(lab, 3, True, []))
    assert misses == 0 and share == 0
    assert took[0] >= 0.2            # min_lsn_wait
