"""
The VIP under Pacemaker, as it is for a client that opens connections and
writes all the time: it moves when it is told to, comes back when HAProxy or a
link dies, and stays when a part of ours does. Durations are measured by
tests/bench/vip_gaps.py; here only what must not happen at all, and the end.
"""

import contextlib
import pathlib
import sys
import time

import invariants
import measures
import pytest
from invariants import demand
from meter import Meter, Target
from patroute_lab import hosts, netns, pacemaker

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "bench"))
from vip_watch import Watch, span_ms  # noqa: E402 pylint: disable=C0413

pytestmark = pytest.mark.pacemaker

EVERY_MS = 25
LABEL = "write"


@pytest.fixture
def client(lab, tmp_path):
    """A client that has begun to write: the meter."""
    with Meter(lab, [Target(LABEL, 5000, "write", every_ms=EVERY_MS)],
               tmp_path / "h.jsonl", member_every_ms=50) as m:
        m.run(1)
        m.mark("event", "vip")
        yield m


@pytest.fixture
def watch(lab):
    """Who answers for the VIP."""
    with Watch(lab) as found:
        yield found


def writes_again(client, wait_until):
    """Waits for a write that began from now on."""
    now = time.monotonic_ns()
    wait_until("a write", 20, lambda: any(
        map(measures.is_right_write, client.follow().of(LABEL, now))))


def demand_one(lab, client, watch):
    """No two hosts ever answered, and no write went wrong."""
    assert span_ms(watch.samples, 0, 1, lambda names: len(names) > 1) == 0
    assert len(pacemaker.holders(lab)) == 1
    demand(invariants.i1_leader_only(client.history, labels=[LABEL]))
    assert measures.misrouted(client.history, LABEL)["n"] == 0


def pid(lab, host, name):
    """Of a program's first process, from outside; None without one."""
    return next((p.pid for p in lab.machine(host).tops(name)), None)


@contextlib.contextmanager
def doubled(lab):
    """The VIP on every load balancer at once, as after a partition under
    no-quorum-policy=ignore; each says in turn that it is the one."""
    lab.by_hand()
    mine = lab.vip()
    others = [h.name for h in pacemaker.members(lab) if h.name != mine]
    address = f"{hosts.VIP}/{hosts.PREFIX}"
    for name in others:
        lab.exec(name, ["ip", "address", "add", address, "dev", "eth0"])
    try:
        yield [mine, *others]
    finally:
        for name in others:
            lab.exec(name, ["ip", "address", "del", address, "dev", "eth0"])


def claim(lab, name):
    """The host says to all that the VIP is there."""
    lab.exec(name, ["/usr/libexec/heartbeat/send_arp", "-i", "100", "-r", "2",
                    "-p", "/run/claim.pid", "eth0", hosts.VIP, "auto",
                    hosts.VIP, "ffffffffffff"])


def served(lab, name):
    """How many writers that host's HAProxy has had, by its log."""
    client = f"{lab.host(hosts.CLIENT).address}:"
    with open(lab.machine(name).log_file("haproxy"), encoding="utf-8",
              errors="replace") as log:
        return sum(client in line and "] write " in line for line in log)


@pytest.mark.slow
def test_doubled(lab, client, watch, wait_until):
    """Every router decides by the leader key: with the VIP everywhere, and
    the leader moving, no write goes to another than the leader."""
    with doubled(lab) as names:
        before = {name: served(lab, name) for name in names}
        for _ in range(4):
            # Whoever is wrong after a switchover is so for seconds.
            for name in names:
                claim(lab, name)
                client.run(0.4)
            lab.switchover()
        writes_again(client, wait_until)
        had = {name: served(lab, name) - before[name] for name in names}
    assert min(had.values()) > 10, f"not all had connections: {had}"
    assert span_ms(watch.samples, 0, 1, lambda found: len(found) > 1) > 1000
    demand(invariants.i1_leader_only(client.history, labels=[LABEL]))
    assert measures.misrouted(client.history, LABEL)["n"] == 0


def test_standby(lab, client, watch, wait_until):
    """The VIP leaves the host, and the client notices for a moment."""
    host = lab.vip()
    lab.standby(host)
    moved = pacemaker.wait_placed(lab)
    assert moved != host
    writes_again(client, wait_until)
    lab.unstandby(host)
    writes_again(client, wait_until)
    assert lab.vip() == moved               # it cuts sessions to go back
    demand_one(lab, client, watch)


@pytest.mark.parametrize("name", ["agent", "prober"])
def test_ours_killed(lab, client, watch, wait_until, name):
    """Pacemaker starts it again, and nobody else learns of it."""
    host = lab.vip()
    before = pid(lab, host, name)
    lab.kill_program(host, name)
    wait_until(f"{name} again", 20,
               lambda: pid(lab, host, name) not in (None, before))
    writes_again(client, wait_until)
    assert lab.vip() == host
    h = client.follow()
    assert measures.failed(h, LABEL)["n"] == 0
    assert all(s.closed_at is None for s in h.sessions.values())
    demand_one(lab, client, watch)


def test_haproxy_killed(lab, client, watch, wait_until):
    """The VIP goes where one runs, or another runs where it is."""
    host = lab.vip()
    before = pid(lab, host, "haproxy")
    lab.kill_program(host, "haproxy")
    writes_again(client, wait_until)
    wait_until("HAProxy again", 30,
               lambda: pid(lab, host, "haproxy") not in (None, before))
    demand_one(lab, client, watch)


def test_link_flap(lab, client, watch, wait_until):
    """A host that is cut off gives the VIP up, as another takes it; when its
    link is back it has no address that it should not have."""
    host = lab.vip()
    netns.link_down(lab.name, lab.host(host))
    wait_until("the VIP given up and taken", 30,
               lambda: lab.vip() not in (None, host))
    writes_again(client, wait_until)
    netns.link_up(lab.name, lab.host(host))
    wait_until("the cluster whole, and all as it is to be", 40,
               lambda: pacemaker.is_whole(lab) and not lab.trouble())
    writes_again(client, wait_until)
    demand_one(lab, client, watch)
