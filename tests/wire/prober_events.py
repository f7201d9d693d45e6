"""
/events, as a list and as a stream; what one cluster's health and snapshot
are; and that nobody who only connects takes the place of HAProxy's checks.
"""
import contextlib
import json
import socket
import time

from prober_feed import prober
from prober_lib import (Agent, Snapshot, cluster, folder, shared_cluster,
                        wait_until)

__all__ = ["cluster", "folder", "prober", "shared_cluster"]


def events(prober, query=""):
    status, body = prober.get("/events" + query)
    assert status == 200
    return json.loads(body)


def ready(prober):
    wait_until(lambda: prober.get("/healthz")[0] == 200, "all were heard of")


class Stream:
    """An open text/event-stream, read line by line."""

    def __init__(self, prober, query="", headers=""):
        self.s = socket.create_connection(("127.0.0.1", prober.port), 5)
        self.s.settimeout(15)
        self.s.sendall(f"GET /events{query} HTTP/1.0\r\n"
                       "Accept: text/event-stream\r\n"
                       f"{headers}\r\n".encode())
        self.f = self.s.makefile("rb")
        self.status = int(self.f.readline().split()[1])
        self.headers = iter(self.f.readline, b"\r\n")
        self.headers = [h.decode().strip().lower() for h in self.headers]

    def block(self):
        """{field: value} up to an empty line; a comment's field is ""."""
        found = {}
        while line := self.f.readline().decode().rstrip("\n"):
            key, _, v = line.partition(": ")
            found[key.rstrip(":")] = v
        return found

    def until(self, kind):
        while True:
            b = self.block()
            assert b, "the stream ended"
            if b.get("event") == kind:
                return json.loads(b["data"])

    def close(self):
        self.f.close()
        self.s.close()


def test_a_list(prober, cluster):
    ready(prober)
    cluster.lead("node2")
    wait_until(lambda: [e for e in events(prober)["events"]
                        if e["type"] == "write" and e.get("to") == "node2"],
               "the event of the change")
    all_of_it = events(prober)
    ids = [e["id"] for e in all_of_it["events"]]
    assert ids == sorted(ids) and ids[-1] == all_of_it["last"]
    change = [e for e in all_of_it["events"] if e.get("to") == "node2"][0]
    assert change["why"] == "leader" and change["cluster"] == "main"
    assert change["step"] == 2 and change["proof"]
    assert 0 <= change["evidence"]["dcs_ms"] < 3000
    assert "node2 takes the writes" in change["text"]
    assert not [e for e in all_of_it["events"] if "before: none" in e["text"]]
    assert prober.text().count("write=node2") == len(
        [e for e in all_of_it["events"]
         if e["type"] == "write" and e.get("to") == "node2"]), \
        "one line and one event a change"
    assert not [e for e in events(prober, "?cluster=other")["events"]
                if e.get("cluster")]
    later = events(prober, f"?after={change['id']}")["events"]
    assert all(e["id"] > change["id"] for e in later)


def test_a_stream(prober, cluster):
    ready(prober)
    old = events(prober)["last"]
    s = Stream(prober, headers=f"Last-Event-ID: {old}\r\n")
    assert s.status == 200
    assert "content-type: text/event-stream" in s.headers
    assert "" in s.block(), "a comment at once: it is open"
    cluster.lead("node3")
    e = s.until("write")
    while e.get("to") != "node3":
        e = s.until("write")
    assert e["id"] > old
    s.close()
    again = Stream(prober, f"?after={e['id'] - 1}")
    assert again.until("write")["id"] == e["id"]
    again.close()


def test_a_one_cluster(prober):
    ready(prober)
    assert prober.get("/healthz/main")[0] == 200
    assert prober.get("/healthz/other")[0] == 404
    status, body = prober.get("/snapshot/main")
    assert status == 200
    s = Snapshot(body).value
    assert s["cluster"] == "main" and s["target"] == "node1"
    assert prober.get("/snapshot/other")[0] == 404
    assert prober.get("/control", "POST")[0] == 405


def test_b_a_report_of_each_change(prober, cluster):
    """What the agents' counters and SEENs add to it."""
    ready(prober)
    assert prober.get("/reports/last")[0] == 404
    agent = Agent(prober.feed)
    agent.snapshot_where(lambda s: s["target"] == "node1")
    agent.stats(10, 10, 0, 0, 3, 1)
    wait_until(lambda: prober.topology()["agents"][0]["stats"]["held"] == 3,
               "its counters")
    cluster.lead("node2")
    agent.snapshot_where(lambda s: s["target"] == "node2")
    agent.stats(20, 20, 0, 0, 8, 1)
    wait_until(lambda: prober.get("/reports/last")[0] == 200, "the report", 8)
    r = json.loads(prober.get("/reports/last")[1])
    assert (r["from"], r["to"], r["cluster"]) == ("node1", "node2", "main")
    assert r["timeline"][1] == r["timeline"][0] + 1
    assert 0 <= r["writable_ms"] <= r["routed_ms"] <= r["seen_ms"] < 3000
    assert r["first_connection_ms"] is not None
    assert r["held"]["count"] == 5 and r["refused"] == 0
    assert r["classic"] is None and r["sessions_closed"] is None
    assert json.loads(prober.get("/reports/1")[1]) == r
    assert prober.get("/reports/2")[0] == 404
    assert prober.get("/reports/x")[0] == 404
    assert json.loads(prober.get("/reports")[1])["reports"] == [r]
    assert [e for e in events(prober)["events"] if e["type"] == "report"]
    assert prober.text().count("report=1 from=node1 to=node2") == 1
    agent.close()


def test_c_idle_connections_starve_nobody(prober):
    """600 that ask nothing, and streams that are not read: checks go on."""
    ready(prober)
    fds = prober.fds()
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            s = socket.create_connection(("127.0.0.1", prober.port), 5)
            stack.callback(s.close)
            s.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n"
                      b"Accept: text/event-stream\r\n\r\n")
        for i in range(600):
            s = socket.create_connection(("127.0.0.1", prober.port), 5)
            stack.callback(s.close)
            if i % 3 == 0:
                s.sendall(b"GET /heal")
            if i % 50 == 0:
                began = time.monotonic()
                assert prober.get("/check/main_write/node1/pid-1")[0] == 200
                assert time.monotonic() - began < 2
        assert prober.get("/healthz/main")[0] == 200
    wait_until(lambda: prober.fds() <= fds + 2, "their descriptors are back",
               15)


def test_c_streams_are_bounded_and_their_places_come_back(prober):
    ready(prober)
    streams = [Stream(prober) for _ in range(33)]
    assert [s.status for s in streams].count(503) == 1
    for s in streams:
        s.close()
    wait_until(lambda: Stream(prober).status == 200, "a place again", 5)
