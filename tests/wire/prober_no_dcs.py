"""
A cluster whose DCS nobody sees: members come from Patroni's /cluster, found by
one address of the configuration; the leader is who says so, alone. Against
scripted Patronis, for what a real one does seldom: two that claim, a /cluster
that fails, members that come. (On the lab: e2e, no_dcs.)
"""
import json
import threading
import time

import pytest

from prober_lib import Etcd, Member, Prober, folder, wait_until

__all__ = ["folder"]


class Patroni(Member):
    """One that knows the others, and counts how it is asked."""

    def __init__(self, name, cluster):
        self.cluster, self.asked, self.paths = cluster, [], []
        self.now, self.most = 0, 0
        self.lock = threading.Lock()
        self.broken = False
        super().__init__(name)

    def answer(self, handler):
        with self.lock:
            self.asked.append(time.monotonic())
            self.paths.append(handler.path)
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            if handler.path == "/cluster":
                self.tell(handler)
            else:
                super().answer(handler)
        finally:
            with self.lock:
                self.now -= 1

    def tell(self, handler):
        data = json.dumps({"members": [
            {"name": m.name, "state": m.state, "timeline": m.timeline,
             "role": "leader" if m.role == "master" else "replica",
             "api_url": f"http://127.0.0.1:{m.api_port}/patroni",
             "host": "127.0.0.1", "port": m.port}
            for m in self.cluster]}).encode()
        handler.send_response(500 if self.broken else 200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)


@pytest.fixture
def members():
    found = []
    for name in ("node1", "node2", "node3"):
        found.append(Patroni(name, found))
    found[0].role = "master"
    yield found
    for m in found:
        m.stop()


@pytest.fixture
def prober(folder, members):
    p = Prober(folder)
    conf = p.conf.read_text()
    assert "etcd = " in conf
    p.conf.write_text(conf.replace(
        'etcd = {"http://127.0.0.1:1"}',
        f'patroni = {{"http://127.0.0.1:{members[1].api_port}"}}'))
    with p:
        wait_until(lambda: p.cluster()["usable"], "a verdict")
        yield p


def test_members_and_leader(prober, members):
    wait_until(lambda: prober.cluster()["write"] == "node1", "the leader")
    c = prober.cluster()
    assert (c["why"], c["step"], c["proof"]) == \
        ("primary-200", 4, "claim+rest")
    assert not c["dcs"]["configured"]
    assert c["dcs"]["members_from"] == "patroni"
    assert {m["name"] for m in c["members"]} == {"node1", "node2", "node3"}
    assert prober.get("/healthz")[0] == 200
    said = [x for x in prober.text().splitlines()
            if "start cluster=main dcs=none" in x]
    assert len(said) == 1 and "no leader key" in said[0]


def test_two_that_claim_are_none(prober, members):
    wait_until(lambda: prober.cluster()["write"] == "node1", "the leader")
    members[2].role = "master"
    wait_until(lambda: prober.cluster()["why"] == "conflict", "a conflict")
    assert prober.cluster()["write"] is None
    assert prober.cluster()["proof"] == "none"
    members[0].role = "replica"
    wait_until(lambda: prober.cluster()["write"] == "node3", "the new one")


def test_nobody_is_asked_for_what_etcd_says(folder, members, tmp_path):
    """Without etcd it would be each second, for none of them answers."""
    etcd = Etcd(tmp_path / "etcd")
    for m in members:
        m.broken = True
        etcd.put(f"members/{m.name}", m.key())
    etcd.put("leader", "node1")
    p = Prober(folder, etcd.port, "\tpatroni = {\"http://127.0.0.1:"
               f"{members[1].api_port}\"}}\n")
    with p:
        wait_until(lambda: p.cluster()["write"] == "node1", "the leader")
        before = [len(m.paths) for m in members]
        wait_until(lambda: all(len(m.paths) > n + 2
                               for m, n in zip(members, before)), "asked on")
        paths = [x for m, n in zip(members, before) for x in m.paths[n:]]
        assert "/cluster" not in paths
    etcd.stop()


def test_how_often_it_asks(prober, members):
    """One in flight and two a second to each, /cluster among them; and who
    comes is found, who fails to say who there is changes nothing."""
    wait_until(lambda: prober.cluster()["write"] == "node1", "the leader")
    members.append(Patroni("node4", members))
    for m in members:
        m.cluster = members
    wait_until(lambda: len(prober.cluster()["members"]) == 4, "node4", 15)
    for m in members:
        m.broken = True
    heard = [sum(m.paths.count("/cluster") for m in members)]
    wait_until(lambda: sum(m.paths.count("/cluster") for m in members) >
               heard[0], "the next /cluster", 15)
    assert prober.cluster()["write"] == "node1"
    assert len(prober.cluster()["members"]) == 4
    for m in members:
        assert m.most == 1, m.name
        # The configured one was asked before, by itself. On the whole, for
        # a machine that stood still takes note of them too late.
        took = m.asked[-1] - m.asked[0]
        assert len(m.asked) <= 2 * took + 3, m.name
