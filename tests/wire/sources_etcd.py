"""The etcd edge: real etcd where it can show the fault, else scripted bytes."""
import base64
import contextlib
import json
import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sources_fake import HEAD, LEADER, PREFIX, STREAM_ENDS, FakeEtcd, \
    event, kv
from sources_lib import Driver, Etcd, Peer, free_port, now_us, \
    read_request, wait_for

MEMBER = ('{"conn_url":"postgres://10.0.0.%d:5432/postgres","api_url":'
          '"http://10.0.0.%d:8008/patroni","role":"replica",'
          '"state":"running","timeline":2}')


def member(n):
    return MEMBER % (n, n)


@pytest.fixture(scope="module")
def etcd():
    with Etcd() as e:
        yield e


def driver(*endpoints, prefix=PREFIX):
    return Driver("etcd", prefix, *endpoints)


# To pytest the fixture is another one in each file that imports it.
RUNNING = {}


@pytest.fixture(scope="session")
def beside(request):
    """The scenarios that were chosen, under way: they wait more than they
    work, so they run beside each other, behind what is about time. Those that
    wait longest begin first."""
    if RUNNING:
        yield RUNNING
        return
    chosen = {item.function.scenario: item.function.seconds
              for item in request.session.items
              if hasattr(item.function, "scenario")}
    with ThreadPoolExecutor(14) as pool:
        RUNNING.update((each, pool.submit(each)) for each in
                       sorted(chosen, key=chosen.get, reverse=True))
        yield RUNNING


def at_once(scenario, seconds=0):
    """seconds: roughly what it takes, where that is long."""
    def test(beside):
        beside[scenario].result()
    test.scenario, test.seconds = scenario, seconds
    return test


def at_once_for(seconds):
    """A decorator: at_once() of what takes so long."""
    return lambda scenario: at_once(scenario, seconds)


@pytest.fixture(scope="session")
def together():
    """What is about seconds, not milliseconds: a few, before the many."""
    with ThreadPoolExecutor() as pool:
        yield [pool.submit(each) for each in TIMED]


TIMED = []


def in_time(scenario):
    def test(together):
        together[TIMED.index(scenario)].result()
    TIMED.append(scenario)
    return test


class Patient(Driver):
    """Many run at once: none of it is about how long it takes."""

    def next(self, want=lambda line: True, timeout=0, what="a line"):
        return super().next(want, max(timeout, 30), what)


def patient(*args, prefix=PREFIX):
    return Patient("etcd", prefix, *args)


def test_reads_and_follows(etcd):
    etcd.put(LEADER, "node1")
    etcd.put(PREFIX + "members/node1", member(1))
    with driver(*etcd.endpoints()) as d:
        view = d.view(leader="node1")
        assert view["at"] <= view["now"]
        assert [m["name"] for m in view["members"]] == ["node1"]
        assert view["members"][0]["host"] == "10.0.0.1"
        d.alive()
        for n in range(2, 12):
            etcd.put(LEADER, f"node{n}")
            moved = d.view(leader=f"node{n}")
            # An event is true when it comes; that is when it is told.
            assert moved["now"] - moved["at"] < 20_000
        etcd.delete(LEADER)
        assert d.view(has_leader=0)["leader_rev"] == 0
        etcd.delete(PREFIX + "members/node1")
        assert d.view(members=[])


def test_event_latency(etcd):
    """From the write's answer to the sink, ten writes."""
    with driver(*etcd.endpoints()) as d:
        d.view()
        d.alive()
        sock = socket.create_connection(("127.0.0.1", etcd.client[0]))
        took = []
        for n in range(10):
            body = json.dumps({
                "key": base64.b64encode(LEADER.encode()).decode(),
                "value": base64.b64encode(b"n%d" % n).decode()})
            sock.sendall((f"POST /v3/kv/put HTTP/1.1\r\nHost: x\r\n"
                          f"Content-Length: {len(body)}\r\n\r\n{body}"
                          ).encode())
            sock.recv(4096)
            answered = now_us()
            took.append(d.view(leader=f"n{n}")["now"] - answered)
        sock.close()
        print(f"put answered to view: median {sorted(took)[5]} us, "
              f"max {max(took)} us")
        assert max(took) < 50_000


@in_time
def test_heartbeat_is_of_when_it_was_asked():
    with Etcd() as etcd:
        with driver(*etcd.endpoints()) as d:
            d.view()
            beats = [d.alive() for _ in range(3)]
            for b in beats:
                assert b["at"] <= b["now"]
            for a, b in zip(beats, beats[1:]):
                assert 800_000 < b["at"] - a["at"] < 1_300_000


@in_time
def test_our_own_pause_is_followed_by_a_new_read():
    with Etcd() as etcd:
        etcd.put(LEADER, "node1")
        with driver(*etcd.endpoints()) as d:
            d.view(leader="node1")
            d.alive()
            d.p.send_signal(signal.SIGSTOP)
            etcd.put(LEADER, "node2")
            time.sleep(1.5)
            etcd.put(LEADER, "node3")
            d.p.send_signal(signal.SIGCONT)
            resumed = now_us()
            view = d.view(timeout=3)
            assert view["leader"] == "node3"
            assert view["at"] >= resumed - 20_000
            assert view["now"] - resumed < 1_000_000


class Swallower:
    """A proxy before a real etcd: what a watch says is swallowed while it is
    `on`, and what asks for one waits while `hold` is clear."""

    def __init__(self, port, mark=b"/v3/watch"):
        self.on, self.to, self.mark = False, port, mark
        self.hold = None
        self.heard = b""
        self.peer = Peer(self.handle, parallel=True)
        self.port = self.peer.port

    def handle(self, _, conn):
        up = socket.create_connection(("127.0.0.1", self.to))
        is_watch = threading.Event()

        def forth():
            with contextlib.suppress(OSError):
                while True:
                    got = conn.recv(65536)
                    if not got:
                        break
                    self.heard += got
                    if self.mark in got:
                        is_watch.set()
                        if self.hold:
                            self.hold.wait(5)
                    up.sendall(got)
            with contextlib.suppress(OSError):
                up.shutdown(socket.SHUT_RDWR)

        threading.Thread(target=forth, daemon=True).start()
        with up:
            while True:
                got = up.recv(65536)
                if not got:
                    return
                if not (self.on and is_watch.is_set()):
                    conn.sendall(got)


def test_a_silent_stream_is_found_out(etcd):
    """Whether it keeps a new leader to itself, or that there is none."""
    changes = {"put": "/service/put/", "delete": "/service/delete/"}
    with contextlib.ExitStack() as stack:
        proxies, drivers, changed = {}, {}, {}
        for change, prefix in changes.items():
            etcd.put(prefix + "leader", "node1")
            proxies[change] = Swallower(etcd.client[0])
            stack.enter_context(proxies[change].peer)
            drivers[change] = stack.enter_context(driver(
                f"127.0.0.1:{proxies[change].port}", prefix=prefix))
        for change, d in drivers.items():
            d.view(leader="node1")
            d.alive()
            proxies[change].on = True
            if change == "put":
                etcd.put(changes[change] + "leader", "node2")
            else:
                etcd.delete(changes[change] + "leader")
            changed[change] = now_us()
        time.sleep(0.1)
        for change, d in drivers.items():
            got = d.next(lambda x, c=change: x["kind"] == "view" or
                         x["at"] > changed[c], 5)
            # No heartbeat after the change before what changed is known.
            assert got["kind"] == "view"
            assert (got["has_leader"], got["leader"]) == (
                (1, "node2") if change == "put" else (0, ""))
            print(f"swallowed {change} found out after "
                  f"{(got['now'] - changed[change]) / 1000:.0f} ms")
            assert got["now"] - changed[change] < 2_500_000


def side_by_side(fakes, stack):
    """A driver for each fake endpoint, all at once."""
    return {what: stack.enter_context(patient(stack.enter_context(e).endpoint))
            for what, e in fakes.items()}


BROKEN_READS = {
    "not json": b"hello", "empty": b"", "html": b"<html></html>",
    "no header": b'{"kvs":[]}', "array": b"[]",
    "count": b'{%s,"kvs":[],"count":"3"}' % (HEAD % 5).encode(),
    "huge": b'{"a":"' + b"x" * 400_000 + b'"}',
    "deep": b'{"a":' * 5000, "number": b'{%s,"kvs":7}' % (HEAD % 5).encode(),
}


@in_time
def test_a_broken_endpoint_is_left_for_a_good_one():
    with Etcd() as etcd:
        etcd.put(LEADER, "node1")

        def html(_, conn):
            read_request(conn)
            conn.sendall(b"HTTP/1.1 503 Unavailable\r\n"
                         b"Content-Length: 2\r\n\r\n{}")

        def silent(_, conn):
            conn.recv(65536)
            conn.recv(65536)

        def drip(_, conn):
            conn.recv(65536)
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while True:
                conn.sendall(b" ")
                time.sleep(0.1)

        with Peer(html) as a, Peer(silent) as b, Peer(drip) as c:
            ends = [f"127.0.0.1:{p}" for p in (
                free_port(), a.port, b.port, c.port)]
            began = now_us()
            with driver(*ends, *etcd.endpoints()) as d:
                view = d.view(leader="node1", timeout=8)
                # Two of them cost their whole deadline, the others nothing.
                assert 2_000_000 < view["now"] - began < 4_500_000
                d.alive()


# ---- beside each other ----

@at_once
def test_two_clusters_on_one_client():
    with Etcd() as etcd:
        other = "/service/other/"
        etcd.put(LEADER, "node1")
        etcd.put(other + "leader", "nodeX")
        with patient(*etcd.endpoints(), prefix=f"{PREFIX},{other}") as d:
            d.view(prefix=PREFIX, leader="node1")
            d.view(prefix=other, leader="nodeX")
            d.alive()
            etcd.put(other + "leader", "nodeY")
            d.view(prefix=other, leader="nodeY")
            etcd.put(LEADER, "node2")
            d.view(prefix=PREFIX, leader="node2")
            # One stream, and one connection for all that is asked.
            assert d.connections_to(etcd.client[0]) == 2
            seen = {d.alive()["prefix"], d.alive()["prefix"]}
            assert seen == {PREFIX, other}


@at_once
def test_names_are_resolved_off_the_loop():
    with Etcd() as etcd:
        etcd.put(LEADER, "node1")
        with patient(f"localhost:{etcd.client[0]}") as d:
            d.view(leader="node1")
            d.alive()


@at_once
def test_descriptors_run_out_and_come_back():
    with Etcd() as etcd:
        etcd.put(LEADER, "node1")
        with patient(*etcd.endpoints()) as d:
            d.view(leader="node1")
            d.alive()
            # What is open goes on; a dial needs what is not there.
            with d.no_descriptors():
                etcd.put(LEADER, "node2")
                d.view(leader="node2")
                d.alive()


@at_once
def test_the_watch_asks_to_be_told_of_a_lost_quorum():
    with Etcd() as etcd:
        proxy = Swallower(etcd.client[0])
        with proxy.peer, patient(f"127.0.0.1:{proxy.port}") as d:
            d.alive()
        watch = proxy.heard[proxy.heard.index(b"/v3/watch"):].lower()
        assert b"\r\ngrpc-metadata-hasleader: true\r\n" in watch
        # Else Go throws away, once it answers, what it has not read: of
        # hundreds of watches most never open.
        assert b"\r\nconnection: close\r\n" in watch

@at_once_for(8)
def test_etcd_restarts_and_is_wiped():
    with Etcd() as e:
        e.put(LEADER, "node1")
        for n in range(20):
            e.put(PREFIX + "members/node1", member(n))
        with patient(*e.endpoints()) as d:
            d.view(leader="node1")
            d.alive()
            e.p[0].kill()
            e.p[0].wait()
            e.start(0)
            e.wait()
            d.view(leader="node1")
            d.alive()
            e.wipe()
            e.put(LEADER, "node7")
            view = d.view(leader="node7")
            assert view["revision"] < 20 and view["members"] == []
            d.alive(after=view["at"])


@at_once
def test_etcd_is_not_there_yet():
    with Etcd() as e:
        e.p[0].kill()
        e.p[0].wait()
        with patient(*e.endpoints()) as d:
            assert d.drain(1.5) == []
            e.start(0)
            d.view(timeout=6)
            d.alive()


@at_once_for(12)
def test_a_frozen_endpoint_and_a_lost_quorum():
    with Etcd(3) as e:
        e.put(LEADER, "node1")
        with patient(*e.endpoints()) as d:
            d.view(leader="node1")
            d.alive()
            frozen = now_us()
            e.freeze(0)
            view = d.view(leader="node1")
            assert view["at"] > frozen
            print(f"frozen to next endpoint: "
                  f"{(view['now'] - frozen) / 1000:.0f} ms")
            e.put(LEADER, "node2", endpoint=1)
            d.view(leader="node2")
            # Two of three are away: nothing is proved any more.
            e.freeze(1)
            d.drain(1.5)
            lost = now_us()
            assert [x for x in d.drain(3) if x["at"] > lost] == []
            e.thaw(0)
            e.thaw(1)
            back = d.view(leader="node2")
            assert back["at"] > lost
            d.alive()


@at_once
def test_lines_in_pieces_and_events_in_one_line():
    whole = event(kv("nodeA", 6), kv("nodeB", 7))

    def drip(fake, conn):
        for byte in whole:
            fake.chunk(conn, bytes([byte]))
        fake.revision, fake.leader = 7, "nodeB"
        conn.recv(1)

    with FakeEtcd(then=drip) as e, patient(e.endpoint) as d:
        d.view(leader="node1")
        view = d.next(lambda x: x["kind"] == "view")
        # Both events are in one view: the one between was never shown.
        assert (view["leader"], view["revision"]) == ("nodeB", 7)
        d.alive()
        assert e.reads == 1


@at_once
def test_the_reason_of_a_lost_quorum_is_logged():
    """etcd ends the stream behind it, without a newline."""
    def end(_, conn):
        conn.sendall(b"0\r\n\r\n")

    with FakeEtcd(watch=[STREAM_ENDS["error"]], then=end) as e, \
            patient(e.endpoint) as d:
        d.view()
        d.view(timeout=3)
        assert "etcdserver: no leader" in d.log()


@at_once_for(6)
def test_a_broken_stream_leads_to_a_new_read():
    fakes = {what: FakeEtcd(watch=[end], then=lambda _, c: c.recv(1))
             for what, end in STREAM_ENDS.items() if what != "error"}
    with contextlib.ExitStack() as stack:
        drivers = side_by_side(fakes, stack)
        for what, d in drivers.items():
            d.view(leader="node1")
            d.view(leader="node1")
            assert "\x1b" not in d.log(), what
        before = {what: e.reads for what, e in fakes.items()}
        began = time.monotonic()
        for what, e in fakes.items():
            wait_for(lambda e=e, n=before[what]: e.reads > n, what, 30)
        drivers["nul"].drain(1.5)
        most = 8 + 5 * (time.monotonic() - began - 1.5)
        for what, e in fakes.items():
            # Never more than five dials a second, whatever is broken.
            assert e.reads - before[what] <= most, what


@at_once
def test_a_broken_read_shows_nothing():
    fakes = {what: FakeEtcd(ranges=body or b" ")
             for what, body in BROKEN_READS.items()}
    with contextlib.ExitStack() as stack:
        drivers = side_by_side(fakes, stack)
        for what, e in fakes.items():
            wait_for(lambda e=e: e.reads, f"a read of {what}", 30)
        drivers["html"].drain(2)
        for what, d in drivers.items():
            assert d.drain(0.01) == [] and d.lines == [], what
            assert 1 <= fakes[what].reads <= 11, what


@at_once
def test_a_watch_that_never_opens():
    class Mute(FakeEtcd):
        def stream(self, conn):
            conn.sendall(b"HTTP/1.1 200 OK\r\n"
                         b"Transfer-Encoding: chunked\r\n\r\n")
            conn.recv(1)

    with Mute() as e, patient(e.endpoint) as d:
        d.view(leader="node1")
        again = d.view(leader="node1")
        assert not [x for x in d.lines if x["kind"] == "alive"]
        assert again


@at_once
def test_another_cluster_behind_the_same_address():
    with FakeEtcd(then=lambda _, c: c.recv(1)) as e, patient(e.endpoint) as d:
        d.view(leader="node1")
        d.alive()
        e.cluster, e.leader, e.revision = 8, "stranger", 5
        d.view(leader="stranger")
        assert "cluster_id=8 was=7" in d.log()


@at_once
def test_a_revision_that_went_back():
    with FakeEtcd(then=lambda _, c: c.recv(1)) as e, patient(e.endpoint) as d:
        d.view(leader="node1")
        d.alive()
        e.revision, e.leader = 3, "restored"
        d.view(leader="restored")
        wait_for(lambda: e.watches[-1][0]["start_revision"] == "4", "the watch")


@at_once
def test_descriptors_and_watchers_do_not_grow():
    with FakeEtcd(watch=[STREAM_ENDS["canceled"]],
                  then=lambda _, c: c.recv(1)) as e, patient(e.endpoint) as d:
        d.view()
        d.view()
        before = len(os.listdir(f"/proc/{d.p.pid}/fd"))
        d.drain(2)
        wait_for(lambda: len(os.listdir(f"/proc/{d.p.pid}/fd")) <= before + 1,
                 "descriptors to return")
