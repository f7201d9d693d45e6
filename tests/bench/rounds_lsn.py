"""
Clients that write on 5000 and read on 5002 by a new connection that names the
LSN of their write, four at once.

own-writes          one replica's replay is paused, anew in each round of each
                    client, and the other replays each commit 30 ms late: it
                    alone can serve, and only who waits for it. Beside it reads
                    without an LSN, which must miss, or nothing was kept back.
own-writes-healthy  nothing keeps the replicas back: what waiting costs then.

A line is 250 reads. The wait is the time that the connection took, PostgreSQL's
own 5 ms of it included.
"""

import collections
import contextlib

import own_writes
import scenarios
from rounds_bounds import Kind, most, none, quantile, said

CLIENTS = 4
READS = 250                     # a line
CONTROL = 24
LATE = "30ms"


@contextlib.contextmanager
def kept_back(lab, _):
    """(names of the paused)."""
    scenarios.wait_healthy(lab)
    with own_writes.ready_replicas(lab) as replicas:
        own_writes.delay(lab, replicas[1], LATE)
        yield replicas[:1]


@contextlib.contextmanager
def healthy(lab, _):
    """Nobody is paused."""
    scenarios.wait_healthy(lab)
    with own_writes.ready_replicas(lab):
        yield []


def batch(lab, paused, _):
    """So many reads with their LSN, and some without."""
    made = own_writes.run_beside(lab, CLIENTS, READS // CLIENTS, True, paused)
    control = own_writes.run_beside(lab, CLIENTS, CONTROL // CLIENTS, False,
                                    paused) if paused else []
    misses, share, seconds = own_writes.numbers(made)
    names = {host.address: host.member for host in lab.hosts.values()}
    by = collections.Counter(names[each.address] for each in made)
    return {"invalid": [], "reads": len(made), "misses": misses,
            "replica": sum(each.replica for each in made),
            "share": round(share, 4), "by": dict(by),
            "paused": [lab.host(name).member for name in paused],
            "control": len(control),
            "control_misses": sum(not each.seen for each in control),
            "p95_ms": round(quantile(seconds, 0.95) * 1e3, 1),
            "histogram": [round(each * 1e3, 1) for each in seconds]}


def all_bounds(rounds):
    """What holds of both kinds."""
    reads = sum(each["reads"] for each in rounds)
    yield "reads", reads, None, None
    yield none("reads that missed their own write",
               [each["misses"] for each in rounds])
    share = round(sum(each["replica"] for each in rounds) / reads, 4)
    yield "share served by a replica", share, 0.8, share >= 0.8
    by = collections.Counter()
    for each in rounds:
        by.update(each["by"])
    yield "served by", dict(by), None, None


def took(rounds):
    """Of all reads, in ms."""
    return [each for line in rounds for each in line["histogram"]]


def kept_back_bounds(rounds):
    """What holds while both are kept back."""
    yield from all_bounds(rounds)
    for name, q in (("median", 0.5), ("p95", 0.95), ("most", 1.0)):
        yield said(f"connection took, {name} ms", took(rounds), q)
    control = sum(each["control"] for each in rounds)
    missed = sum(each["control_misses"] for each in rounds)
    yield "control: reads without an LSN", control, None, None
    yield "control: missed", missed, control // 4, missed >= control // 4


def healthy_bounds(rounds):
    """What holds where nobody is."""
    yield from all_bounds(rounds)
    yield said("connection took, median ms", took(rounds), 0.5)
    yield most("connection took, p95 ms", took(rounds), 40, 0.95)
    yield said("connection took, most ms", took(rounds))


OWN_WRITES = Kind(41, kept_back, batch, kept_back_bounds)
HEALTHY = Kind(8, healthy, batch, healthy_bounds)
