"""
Two load balancers and a third vote: hap1 and hap2 are a cluster of their own,
and Corosync's qnetd on hap3, which runs nothing else, says which of them has
the quorum (as patroute-pacemaker(8) has it, without TLS).
"""

import os
import pathlib
import shutil
import sys
import time

import pytest
from patroute_lab import bringup, netns, pacemaker, programs
from patroute_lab.state import write

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "bench"))
import vip_setups  # noqa: E402 pylint: disable=C0413
from vip_watch import Watch, span_ms  # noqa: E402 pylint: disable=C0413

pytestmark = [pytest.mark.pacemaker, pytest.mark.slow]

PAIR, THIRD = ("hap1", "hap2"), "hap3"
DEVICE = """provider: corosync_votequorum
    device {{
        model: net
        votes: 1
        timeout: 2000
        sync_timeout: 4000
        net {{
            host: {third}
            algorithm: ffsplit
            tls: off
        }}
    }}"""
WAIT = "until corosync-cfgtool -s >/dev/null 2>&1; do sleep 0.1; done"


def end(lab):
    """The load balancers without a cluster, and without a memory of one."""
    for name in (*PAIR, THIRD):
        host = lab.host(name)
        if lab.machine(host).whole:
            lab.kill(name)
        for each in ("pacemaker", "corosync"):
            shutil.rmtree(lab.paths.host_data(host, each), True)


def start(lab, name):
    """One of the two: its machine, Corosync with the device, Pacemaker."""
    host = lab.host(name)
    two = [lab.host(each) for each in PAIR]
    with lab.locked():
        pacemaker.prepare(lab, host)
        write(lab.paths.host(host, "etc/corosync/corosync.conf"),
              pacemaker.corosync_conf(two).replace(
                  "provider: corosync_votequorum",
                  DEVICE.format(third=lab.host(THIRD).address)))
        box = lab.machine(host)
        box.up(lab.hosts)
        box.wait_ready()
        programs.start(lab, host)
        box.spawn("qdevice", "root", [
            "sh", "-c", f"mkdir -p /run/corosync-qdevice; {WAIT}; "
            "exec corosync-qdevice -f"], {})


def judge(lab):
    """The third vote's daemon."""
    lab.machine(THIRD).spawn("qnetd", "root", [
        "sh", "-c", "mkdir -p /run/corosync-qnetd; "
        "exec corosync-qnetd -f -s off"], {})


def votes(lab, name):
    """(votes there are, whether that host has the quorum), by its word."""
    said = lab.exec(name, ["corosync-quorumtool", "-s"], check=False).stdout
    words = dict(line.split(":", 1) for line in said.splitlines()
                 if line.count(":") == 1)
    return (int(words.get("Total votes", "0")),
            words.get("Quorate", "").strip() == "Yes")


def is_whole(lab):
    """Both are members, and there are three votes."""
    found = pacemaker.cib(lab)
    return found is not None and found.get("dc-uuid") and len([
        state for state in found.iter("node_state")
        if state.get("crmd") == "online" and state.get("join") == "member"
    ]) == 2 and all(votes(lab, name) == (3, True) for name in PAIR)


@pytest.fixture(scope="module")
def pair(session_lab):
    """The lab with its load balancers so."""
    lab = session_lab
    assert shutil.which("corosync-qnetd"), "tests/install lab slow"
    try:
        pacemaker.let_go(lab)
        end(lab)
        with lab.locked():
            third = lab.machine(THIRD)
            third.up(lab.hosts)
            third.wait_ready()
        judge(lab)
        for name in PAIR:
            start(lab, name)
        yield lab
    finally:
        end(lab)
        lab.up()


@pytest.fixture
def two(pair, wait_until):
    """Both serve, and one has the VIP."""
    wait_until("two members and three votes", 60, lambda: is_whole(pair))
    if pacemaker.cib(pair).find(".//primitive") is None:
        pair.exec(PAIR[0], ["env", f"HOME={pacemaker.HOST}",
                            f"{pacemaker.TOP}/pacemaker/setup"], 120.0)
    pacemaker.begin(pair)
    pacemaker.wait_placed(pair)
    for name in PAIR:
        bringup.wait_programs(pair, pair.host(name), 30)
    vip_setups.wait_write(pair)
    return pair


def cable(lab, action):
    """Between the two: -A cuts it, -D heals it."""
    one, other = (lab.host(name) for name in PAIR)
    for chain, side in (("INPUT", "-s"), ("OUTPUT", "-d")):
        netns.run(netns.within(lab.machine(one).namespace) + [
            "iptables", "-w", "10", action, chain, side, other.address,
            "-j", "DROP"])


@pytest.mark.parametrize("keeper", PAIR)
def test_cable_cut(two, wait_until, keeper):
    """Exactly one has the quorum, and the VIP, in the end."""
    if two.vip() != keeper:
        two.vip(keeper)
    with Watch(two) as watch:
        cable(two, "-A")
        began = time.monotonic()
        try:
            wait_until("one with quorum, one without", 60, lambda: sorted(
                votes(two, name)[1] for name in PAIR) == [False, True])
            [master] = [n for n in PAIR if votes(two, n)[1]]
            wait_until("the VIP there", 40,
                       lambda: pacemaker.holders(two) == [master])
            after = time.monotonic() - began
            vip_setups.wait_write(two)
        finally:
            cable(two, "-D")
        wait_until("both again", 60, lambda: is_whole(two))
        assert len(pacemaker.holders(two)) == 1
    print(f"\nVIP on {keeper}, cable cut: {master} has it, all done after "
          f"{after:.1f} s; nobody answered for "
          f"{span_ms(watch.samples, 0, 1, lambda names: not names)} ms, two "
          f"for {span_ms(watch.samples, 0, 1, lambda names: len(names) > 1)}")


def test_judge_dies(two, wait_until):
    """Two of three votes are a quorum: nothing moves."""
    host = two.vip()
    with Watch(two) as watch:
        for process in two.machine(THIRD).tops("qnetd"):
            os.kill(process.pid, 9)
        wait_until("two votes", 60,
                   lambda: votes(two, PAIR[0]) == (2, True))
        time.sleep(5)
        vip_setups.wait_write(two)
        judge(two)
        wait_until("three votes", 60, lambda: is_whole(two))
    assert {frozenset(had) for _, _, had in watch.samples} == {
        frozenset([host])}


def test_host_dies(two, wait_until):
    """The other has the quorum with the third vote, and takes the VIP."""
    host = two.vip()
    [other] = set(PAIR) - {host}
    with Watch(two) as watch:
        began = time.monotonic()
        two.kill(host)
        wait_until("the VIP on the other", 90,
                   lambda: pacemaker.holders(two) == [other])
        after = time.monotonic() - began
        vip_setups.wait_write(two)
    start(two, host)
    wait_until("both again", 60, lambda: is_whole(two))
    print(f"\n{host} killed: {other} has the VIP after {after:.1f} s; "
          "nobody answered for "
          f"{span_ms(watch.samples, 0, 1, lambda names: not names)} ms")
    assert pacemaker.holders(two) == [other]
