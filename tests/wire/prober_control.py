"""
Operators' orders: two probers on one real etcd, their leases, what is refused
and in which words, and orders of one host alone.
"""
import contextlib
import http.client
import json
import os
import pwd
import socket
import subprocess
import time
import urllib.parse

import pytest

from prober_lib import (Agent, Prober, cluster, folder, own_cluster,
                        shared_cluster, wait_until)
from wire_lib import USER, free_port

__all__ = ["cluster", "folder", "own_cluster", "shared_cluster"]


class UnixHTTP(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def order(prober, **keys):
    """(status, answer) of POST /control."""
    c = UnixHTTP(prober.keys["http_socket"])
    with contextlib.closing(c):
        c.request("POST", "/control", json.dumps(
            {"cluster": "main", "by": "ann@host", "reason": "a test",
             **keys}))
        r = c.getresponse()
        return r.status, json.loads(r.read())


def started(folder, port, name="", **keys):
    where = folder / f"p{name}"
    where.mkdir()
    where.chmod(0o755)
    return Prober(where, port, state_dir=where / "state", **keys)


def ready(p, leader="node1"):
    wait_until(lambda: p.get("/healthz")[0] == 200 and
               p.cluster()["write"] == leader, f"{leader} leads")


@pytest.fixture
def pair(folder, cluster):
    """Two hosts' probers on one etcd."""
    with started(folder, cluster.etcd.port, "a") as a, \
            started(folder, cluster.etcd.port, "b") as b:
        ready(a)
        ready(b)
        yield a, b
        for verb in ("resume", "unforce", "live"):
            order(a, verb=verb)


def member(p, name):
    """What /topology says of one; all unknown until it is there."""
    found = [m for m in p.cluster()["members"] if m["name"] == name]
    return found[0] if found else {"why": None, "read": None}


def test_a_a_hold_is_seen_by_all(pair):
    a, b = pair
    status, answer = order(a, verb="hold", for_s=60)
    assert (status, answer["ok"], answer["where"]) == (200, True, "etcd")
    assert answer["until"].endswith("Z") and "on every host" in answer["text"]
    c = a.cluster()
    assert (c["write"], c["why"]) == (None, "held"), "before the answer"
    wait_until(lambda: b.cluster()["why"] == "held", "b holds too", 1.5)
    seen = b.cluster()["control"]["hold"]
    assert seen["by"] == "ann@host" and seen["reason"] == "a test"
    assert seen["where"] == "etcd" and 50000 < seen["left_ms"] <= 60000
    assert b.get("/healthz")[0] == 200, "a hold is a verdict"
    assert order(b, verb="resume")[0] == 200
    assert b.cluster()["write"] == "node1"
    wait_until(lambda: a.cluster()["write"] == "node1", "a lets go", 1.5)
    status, answer = order(a, verb="resume")
    assert status == 409 and "there is no hold" in answer["text"]
    for p in pair:
        events = json.loads(p.get("/events")[1])["events"]
        control = [e for e in events if e["type"] == "control"]
        assert [e["to"] for e in control] == ["given", "taken-back"]
        assert "ann@host" in control[0]["text"]
        assert p.text().count("order=hold given where=etcd by=\"ann@host\""
                              ) == 1 or "by=ann@host" in p.text()


def test_a_a_lease_ends_it(pair):
    a, b = pair
    began = time.monotonic()
    assert order(a, verb="drain", member="node2", for_s=2)[0] == 200
    wait_until(lambda: member(b, "node2")["why"] == "drained", "drained", 1.5)
    assert member(b, "node2")["read"] is False
    for p in pair:
        wait_until(lambda p=p: member(p, "node2")["read"], "it is over", 8)
    assert time.monotonic() - began > 1.9


def test_a_restart_and_precedence(folder, pair, cluster):
    a, b = pair
    assert order(a, verb="drain", member="node2", for_s=60)[0] == 200
    assert order(a, verb="force", member="node1", for_s=60)[0] == 200
    assert a.cluster()["why"] == "forced"
    a.stop()
    a.start()
    wait_until(lambda: a.cluster()["why"] == "forced", "read again")
    assert order(a, verb="hold", for_s=60)[0] == 200
    assert a.cluster()["why"] == "held"
    assert order(b, verb="resume")[0] == 200
    wait_until(lambda: a.cluster()["why"] == "forced", "the force stands", 2)
    assert order(b, verb="unforce")[0] == 200
    assert order(b, verb="undrain", member="node2")[0] == 200
    wait_until(lambda: a.cluster()["why"] == "leader" and
               member(a, "node2")["read"], "the verdict stands", 2)


def test_a_classic(pair):
    a, _ = pair
    agent = Agent(a.feed)
    agent.until(Agent.SNAPSHOT)
    assert order(a, verb="force", member="classic", for_s=60)[0] == 200
    assert a.get("/healthz/main")[0] == 503
    assert a.cluster()["mode"] == "classic"
    assert a.get("/snapshot/main")[0] == 503
    agent.snapshot_where(lambda s: s["observe"])
    agent.ping(1)
    assert agent.until(Agent.ECHO)[1][0] != Agent.STALE, "the agent answers"
    assert order(a, verb="unforce")[0] == 200
    assert a.get("/healthz/main")[0] == 200
    agent.close()


def test_a_drain_of_the_leader(pair):
    a, _ = pair
    assert order(a, verb="drain", member="node1", for_s=60)[0] == 200
    c = a.cluster()
    assert c["write"] == "node1" and c["why"] == "leader"
    assert order(a, verb="undrain", member="node1")[0] == 200


REFUSED = [
    ({"verb": "shoot"}, 400, "verb: expected one of drain"),
    ({"verb": "drain", "for_s": 60}, 400, "member: missing"),
    ({"verb": "drain", "member": "node9", "for_s": 60}, 404,
     "has no member \"node9\"; it has: node1, node2, node3"),
    ({"verb": "drain", "member": "a\n\x01" * 99, "for_s": 60}, 404,
     "has no member"),
    ({"verb": "drain", "member": "node2"}, 400, "1 to 604800 seconds"),
    ({"verb": "hold", "for_s": 0}, 400, "1 to 604800 seconds"),
    ({"verb": "hold", "for_s": 604801}, 400, "1 to 604800 seconds"),
    ({"verb": "hold", "for_s": "x"}, 400, "1 to 604800 seconds"),
    ({"verb": "observe", "for_s": 5}, 400, "until it is taken back"),
    ({"verb": "force", "member": "node2", "for_s": 60}, 409,
     "node2 is in recovery"),
    ({"verb": "hold", "for_s": 60, "cluster": "x"}, 404, "no cluster \"x\""),
    ({"verb": "hold", "for_s": 60, "where": "moon"}, 400, "etcd or host"),
    ({"verb": "unforce"}, 409, "there is no force"),
    ({"verb": "undrain", "member": "../../../service/main/leader"}, 400,
     "is no member's name"),
    ({"verb": "undrain", "member": ".."}, 400, "is no member's name"),
    ({"verb": "undrain", "member": "a\n"}, 400, "is no member's name"),
    ({"verb": "undrain", "member": "node2"}, 409,
     "there is no drain of node2"),
]


def test_b_refusals(pair):
    a, _ = pair
    for keys, status, words in REFUSED:
        got, answer = order(a, **keys)
        assert got == status and not answer["ok"], (keys, got, answer)
        assert words in answer["text"], (keys, answer)
    assert a.get("/control", "POST")[0] == 405, "by TCP never"
    c = UnixHTTP(a.keys["http_socket"])
    for body, status in ((b"", 400), (b"[]", 400), (b"{", 400),
                         (b"x" * 4097, 413), (b"[" * 4000, 400)):
        c.request("POST", "/control", body)
        r = c.getresponse()
        r.read()
        assert r.status == status, body[:9]
    c.close()


def test_b_keys_by_hand(pair, cluster):
    """Whoever writes what to etcd: orders or nothing, never a crash."""
    a, _ = pair
    etcd = cluster.etcd

    def put(key, value):
        etcd.call("kv/put", {"key": etcd.b64(f"/patroute/main/{key}"),
                             "value": etcd.b64(value)})

    for key, value in (("hold", ""), ("hold", "{}"), ("hold", '{"v":0}'),
                       ("force", '{"v":1}'), ("force", '{"v":1,"member":7}'),
                       ("drain/", '{"v":1}'), ("drain/a b", '{"v":1}'),
                       ("nonsense", '{"v":1}'), ("mode", "sideways"),
                       ("drain/node3", "[" * 999)):
        put(key, value)
    put("drain/node2", '{"v":1,"reason":"\\u0001<b>\\n","by":"x"}')
    wait_until(lambda: member(a, "node2")["why"] == "drained", "the good one")
    control = a.cluster()["control"]
    assert control["hold"] is None and control["force"] is None
    assert [d["member"] for d in control["drains"]] == ["node2"]
    assert control["drains"][0]["reason"] == "?<b>?"
    put("mode", "observe")
    wait_until(lambda: a.cluster()["mode"] == "observe", "by hand")
    etcd.call("kv/deleterange", {"key": etcd.b64("/patroute/main/"),
                                 "range_end": etcd.b64("/patroute/main0")})
    wait_until(lambda: a.cluster()["mode"] == "live" and
               member(a, "node2")["read"], "all gone")


def test_b_a_key_outlives_its_order(pair, cluster):
    """No lease ends a key by hand: its order is given once, and ends once."""
    etcd = cluster.etcd
    now = int(time.time() * 1000)
    last = [json.loads(p.get("/events")[1])["last"] for p in pair]
    for key, value in (
            ("drain/node2", {"v": 1, "at_ms": now, "until_ms": now + 1500}),
            ("drain/node3", {"v": 1})):
        etcd.call("kv/put", {"key": etcd.b64(f"/patroute/main/{key}"),
                             "value": etcd.b64(json.dumps(value))})
    for p in pair:
        for name in ("node2", "node3"):
            wait_until(lambda p=p, n=name: member(p, n)["why"] == "drained",
                       f"{name} is drained")
    for p in pair:
        wait_until(lambda p=p: member(p, "node2")["read"], "it is over", 8)
    time.sleep(2.5)  # its key is read twice more
    etcd.call("kv/deleterange", {"key": etcd.b64("/patroute/main/"),
                                 "range_end": etcd.b64("/patroute/main0")})
    for p, after in zip(pair, last):
        wait_until(lambda p=p: member(p, "node3")["read"], "taken back")
        assert member(p, "node2")["read"]
        events = json.loads(p.get(f"/events?after={after}")[1])["events"]
        assert sorted((e["member"], e["to"]) for e in events
                      if e["type"] == "control" and e.get("member")) == [
            ("node2", "given"), ("node2", "over"),
            ("node3", "given"), ("node3", "taken-back")]


def test_b_this_host_alone(folder, pair):
    a, b = pair
    status, answer = order(a, verb="drain", member="node3", for_s=60,
                           where="host")
    assert status == 200 and answer["where"] == "host"
    assert "on this host alone" in answer["text"]
    assert member(a, "node3")["why"] == "drained"
    time.sleep(1.2)
    assert member(b, "node3")["read"], "b knows nothing of it"
    a.stop()
    a.start()
    wait_until(lambda: member(a, "node3")["why"] == "drained",
               "it outlives a restart")
    left = a.cluster()["control"]["drains"][0]["left_ms"]
    assert 0 < left < 60000 - 1200
    assert order(a, verb="undrain", member="node3")[0] == 200
    wait_until(lambda: member(a, "node3")["read"], "taken back")
    kept = json.loads((a.folder / "state" / "orders.json").read_text())
    assert kept["orders"] == []


def test_b_a_kept_order_after_a_boot(folder, cluster):
    """Another boot's monotonic clock says nothing: the wall clock does."""
    p = started(folder, cluster.etcd.port)
    (folder / "p" / "state").mkdir()
    (folder / "p" / "state").chmod(0o777)
    now = int(time.time() * 1000)
    values = {"node1": (now - 10_000, now + 20_000),
              "node2": (now - 20_000, now - 10_000),
              "node3": (now - 10_000, now + 10 ** 12)}
    (folder / "p" / "state" / "orders.json").write_text(json.dumps({
        "boot": "another", "orders": [
            {"cluster": "main", "key": f"drain/{n}", "until_us": "1",
             "value": json.dumps({"v": 1, "at_ms": at, "until_ms": until})}
            for n, (at, until) in values.items()]
        + [{"cluster": 7}, None, {"cluster": "main", "key": "x"}]}))
    with p:
        drains = {d["member"]: d["left_ms"]
                  for d in p.cluster()["control"]["drains"]}
    assert set(drains) == {"node1", "node3"}
    assert 10_000 < drains["node1"] <= 20_000
    assert drains["node3"] <= 7 * 24 * 3600 * 1000


def test_b_a_broken_file_is_said(folder, cluster):
    p = started(folder, cluster.etcd.port)
    (folder / "p" / "state").mkdir()
    (folder / "p" / "state" / "orders.json").write_text("{")
    with p:
        assert "orders of this host alone are forgotten" in p.text()


def test_c_etcd_gone(folder, own_cluster):
    with started(folder, own_cluster.etcd.port) as p:
        ready(p)
        assert order(p, verb="drain", member="node2", for_s=2)[0] == 200
        own_cluster.etcd.process.kill()
        own_cluster.etcd.process.wait()
        wait_until(lambda: order(p, verb="hold", for_s=60)[0] == 503,
                   "no etcd")
        _, answer = order(p, verb="hold", for_s=60)
        assert "out of reach" in answer["text"]
        assert "\"host\"" in answer["text"]
        assert p.cluster()["control"]["hold"] is None, "nothing silently"
        wait_until(lambda: not p.cluster()["control"]["drains"],
                   "our own clock ends it, too", 8)
        assert order(p, verb="hold", for_s=60, where="host")[0] == 200


def test_c_a_user_who_may_not(folder, own_cluster):
    """etcd's role has Patroni's keys, and ours not at all, then to read."""
    etcd = own_cluster.etcd

    def ctl(*args):
        subprocess.run(
            ["etcdctl", "--endpoints", f"http://127.0.0.1:{etcd.port}", *args],
            env={"ETCDCTL_API": "3", "PATH": "/usr/bin:/bin"}, check=True,
            capture_output=True)

    root = ("--user", "root:secret")
    ctl("user", "add", "root:secret")
    ctl("user", "grant-role", "root", "root")
    ctl("role", "add", "watch")
    ctl("role", "grant-permission", "watch", "--prefix=true", "read",
        "/service/main/")
    ctl("user", "add", "prober:pw")
    ctl("user", "grant-role", "prober", "watch")
    ctl("auth", "enable")
    secret = folder / "etcd.auth"
    secret.write_text("prober:pw")
    secret.chmod(0o644)
    os.chown(secret, pwd.getpwnam(USER).pw_uid, -1)
    secret.chmod(0o400)
    with started(folder, etcd.port,
                 extra=f'\tetcd_auth = "{secret}"\n') as p:
        ready(p)
        status, answer = order(p, verb="hold", for_s=60)
        assert status == 503 and "permission denied" in answer["text"]
        assert "readwrite" in answer["text"]
        assert p.cluster()["write"] == "node1"
        wait_until(lambda: "no orders by etcd" in p.text(), "it is said")
        ctl(*root, "role", "grant-permission", "watch", "--prefix=true",
            "readwrite", "/patroute/main/")
        wait_until(lambda: order(p, verb="hold", for_s=60)[0] == 200,
                   "now it may", 10)
        assert p.cluster()["why"] == "held"


def v2_etcd(folder):
    port, peer = free_port(), free_port()
    url, peers = (f"http://127.0.0.1:{p}" for p in (port, peer))
    process = subprocess.Popen(
        ["etcd", "--enable-v2", "--data-dir", str(folder),
         "--listen-client-urls", url, "--advertise-client-urls", url,
         "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers,
         "--initial-cluster", f"default={peers}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return process, port


def test_d_v2(folder, cluster, tmp_path):
    """By the old API: ttl in place of a lease."""
    process, port = v2_etcd(tmp_path / "v2")

    def put(key, value):
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
        with contextlib.closing(c):
            c.request("PUT", f"/v2/keys/service/main/{key}",
                      "value=" + urllib.parse.quote(value),
                      {"Content-Type": "application/x-www-form-urlencoded"})
            return c.getresponse().status

    def is_put(*kv):
        with contextlib.suppress(OSError):
            return put(*kv) in (200, 201)
        return False

    try:
        wait_until(lambda: is_put("initialize", "7000000000000000001"),
                   "etcd", 20)
        for m in cluster.member.values():
            put(f"members/{m.name}", m.key())
        put("leader", "node1")
        api = '\tetcd_api = "v2"\n'
        with started(folder, port, "a", extra=api) as a, \
                started(folder, port, "b", extra=api) as b:
            ready(a)
            ready(b)
            assert order(a, verb="hold", for_s=60)[1]["where"] == "etcd"
            assert a.cluster()["why"] == "held"
            wait_until(lambda: b.cluster()["why"] == "held", "b", 3)
            assert order(b, verb="resume")[0] == 200
            wait_until(lambda: a.cluster()["why"] == "leader", "a", 3)
            assert order(a, verb="drain", member="node2", for_s=2)[0] == 200
            wait_until(lambda: member(b, "node2")["why"] == "drained", "b", 3)
            wait_until(lambda: member(b, "node2")["read"], "its ttl", 8)
    finally:
        process.kill()
        process.wait()


def test_a_observe_and_live(pair):
    """The snapshot tells the agents; every host follows."""
    a, b = pair
    agent = Agent(b.feed)
    agent.snapshot_where(lambda s: not s["observe"])
    assert order(a, verb="observe")[0] == 200
    assert a.cluster()["mode"] == "observe"
    agent.snapshot_where(lambda s: s["observe"])
    for path in ("/healthz/main", "/healthz"):
        assert b.get(path)[0] == 503, "without an agent: the classic way"
    server = b.get("/check/main_write/node1/pid-1")
    assert server[0] == 200, "checks tell what is decided"
    assert b.cluster()["usable"] and b.get("/snapshot/main")[0] == 200
    assert b.cluster()["control"]["observe"]["by"] == "ann@host"
    assert b.cluster()["control"]["observe"].get("until") is None
    assert order(b, verb="live")[0] == 200
    agent.snapshot_where(lambda s: not s["observe"])
    wait_until(lambda: a.cluster()["mode"] == "live", "a too", 2)
    assert b.get("/healthz/main")[0] == 200
    agent.close()


def test_a_no_observing_without_a_classic_way(folder, cluster):
    """Where the loss of the agent is a refusal it would refuse everybody."""
    p = started(folder, cluster.etcd.port)
    with open(p.conf, "a") as conf:
        conf.write("haproxy { on_prober_loss = refuse }\n")
    with p:
        status, answer = order(p, verb="observe")
        assert status == 409 and "on_prober_loss" in answer["text"]
        assert p.cluster()["mode"] == "live"
