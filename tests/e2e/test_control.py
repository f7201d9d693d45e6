"""
Operators' orders on the lab: one host's order is every host's, a hold holds
and lets go without a failure, a drained replica is left within a second, a
force goes where it may; and observe mode, there and back.
"""
import concurrent.futures
import json
import time

import path
import pytest
from patroute_lab import hosts
from sessions import ask, session

HAPS = ("hap1", "hap2", "hap3")
SOCKET = "/run/patroute/http.sock"


def order(lab, hap="hap1", **keys):
    """What POST /control answers on that host."""
    return json.loads(lab.exec(hap, [
        "curl", "-sS", "--max-time", "5", "--unix-socket", SOCKET, "-d",
        json.dumps({"cluster": "main", "by": "e2e", "reason": "a test",
                    **keys}),
        "http://localhost/control"]).stdout)


def given(lab, hap="hap1", **keys):
    """The same, of one that must be taken."""
    answer = order(lab, hap, **keys)
    assert answer["ok"], answer
    return answer


@pytest.fixture
def ordered(lab, wait_until):
    """Whatever a test ordered ends with it."""
    wait_until("a leader", 30, lambda: path.verdict(lab)["why"] == "leader")
    yield lab
    for verb in ("resume", "unforce", "live"):
        order(lab, verb=verb)
    for node in ("node1", "node2", "node3"):
        order(lab, verb="undrain", member=member(lab, node))
    wait_until("as before", 10, lambda: all(
        path.verdict(lab, hap)["why"] == "leader" and
        path.verdict(lab, hap)["mode"] == "live" for hap in HAPS))


def member(lab, node):
    return lab.host(node).member


def replica(lab):
    """The name of a member that is read."""
    return next(m["name"] for m in path.verdict(lab)["members"] if m["read"])


def test_a_hold_holds_and_lets_go(ordered, wait_until):
    """Twenty writers that come meanwhile wait, and none fails."""
    lab = ordered
    assert given(lab, "hap2", verb="hold", for_s=60)["where"] == "etcd"
    for hap in HAPS:
        wait_until(f"{hap} holds", 2, lambda hap=hap:
                   path.verdict(lab, hap)["why"] == "held")
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(lab.psql, 5000, "SELECT 1") for _ in range(20)]
        wait_until("they wait", 8, lambda: sum(
            a["stats"]["hold_now"] for hap in HAPS
            for a in path.topology(lab, hap)["agents"]) == 20)
        assert not any(w.done() for w in waiting)
        assert lab.psql(5001, "SELECT pg_is_in_recovery()") == "t", "reads go"
        given(lab, "hap3", verb="resume")
        assert [w.result(10) for w in waiting] == ["1"] * 20


def test_b_drain(ordered, wait_until):
    """No new read goes there, a second later at most."""
    lab = ordered
    name = replica(lab)
    began = time.monotonic()
    given(lab, "hap3", verb="drain", member=name, for_s=60)
    for hap in HAPS:
        wait_until(f"{hap} knows", 2, lambda hap=hap: [
            m for m in path.verdict(lab, hap)["members"]
            if m["name"] == name and m["why"] == "drained"])
    assert time.monotonic() - began < 2
    address = lab.host(next(n for n in ("node1", "node2", "node3")
                            if member(lab, n) == name)).address
    for _ in range(8):
        assert lab.psql(5001, "SELECT host(inet_server_addr())") != address
    given(lab, verb="undrain", member=name)


def test_c_force(ordered):
    """Refused to a replica, taken for the leader and for classic."""
    lab = ordered
    answer = order(lab, verb="force", member=replica(lab), for_s=60)
    assert not answer["ok"] and "in recovery" in answer["text"]
    given(lab, verb="force", member=path.verdict(lab)["write"], for_s=60)
    assert path.verdict(lab)["why"] == "forced"
    assert lab.psql(5000, "SELECT NOT pg_is_in_recovery()") == "t"
    given(lab, verb="force", member="classic", for_s=60)
    assert lab.psql(5000, "SELECT NOT pg_is_in_recovery()") == "t"
    given(lab, verb="unforce")


def decided(lab):
    """(same, differs) of the agent behind the virtual address."""
    hap = lab.status()["vip"] or "hap1"
    found = path.verdict(lab, hap)["observe"]
    return found["same"], found["differs"]


def backend_of_last(lab):
    """The backend of HAProxy's last line about port 5000."""
    hap = lab.status()["vip"] or "hap1"
    lines = [x for x in lab.log(hap, "haproxy", 200).splitlines()
             if " write " in x]
    return lines[-1].split(" write ")[1].split("/")[0] if lines else ""


def test_d_observe_and_live_again(ordered, wait_until):
    """Routing is classic while it decides; an open session lives through
    both."""
    lab = ordered
    kept = session(lab, hosts.VIP, 5000)
    pid = ask(kept, "SELECT pg_backend_pid()")
    given(lab, verb="observe")
    for hap in HAPS:
        wait_until(f"{hap} observes", 2, lambda hap=hap:
                   path.verdict(lab, hap)["mode"] == "observe")
    before = decided(lab)
    assert lab.psql(5000, "SELECT NOT pg_is_in_recovery()") == "t"
    assert lab.psql(5001, "SELECT pg_is_in_recovery()") == "t"
    wait_until("counted", 5, lambda: sum(decided(lab)) >= sum(before) + 2)
    wait_until("HAProxy went the classic way", 5,
               lambda: backend_of_last(lab) == "main_classic_write")
    given(lab, verb="live")
    wait_until("live", 2, lambda: path.verdict(
        lab, lab.status()["vip"] or "hap1")["mode"] == "live")
    assert lab.psql(5000, "SELECT NOT pg_is_in_recovery()") == "t"
    assert ask(kept, "SELECT pg_backend_pid()") == pid
    kept.close()


@pytest.mark.slow
def test_e_a_switchover_observed(ordered, wait_until):
    """The classic way does otherwise for a while: counted, told, reported."""
    lab = ordered
    given(lab, verb="observe")
    hap = lab.status()["vip"] or "hap1"
    wait_until("observing", 2,
               lambda: path.verdict(lab, hap)["mode"] == "observe")
    same, differs = decided(lab)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        change = pool.submit(lab.switchover)
        end = time.monotonic() + 20
        while not change.done() or time.monotonic() < end - 10:
            lab.exec(hosts.CLIENT, lab.psql_argv(
                5000, ["-XAtqc", "SELECT 1"]), check=False)
            if time.monotonic() > end:
                break
        change.result(60)
    wait_until("differences", 5, lambda: decided(lab)[1] > differs)
    events = json.loads(path.curl(lab, hap, "/events"))["events"]
    assert [e for e in events if e["type"] == "observe"]
    wait_until("the report", 30, lambda: json.loads(
        path.curl(lab, hap, "/reports"))["reports"])
    report = json.loads(path.curl(lab, hap, "/reports/last"))
    print(json.dumps(report, indent=1))
    assert report["planned"] and report["classic"]["right_ms"] > 0
    assert report["routed_ms"] < report["classic"]["right_ms"]
