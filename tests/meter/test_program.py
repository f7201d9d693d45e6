"""patroute-meter itself against scripted peers on this machine's loopback.

The peers speak just enough of PostgreSQL and of etcd's gateway to do what
real ones do only when they are broken: never answer, close, reset, say that
they are in recovery.
"""

import base64
import json
import os
import pathlib
import socket
import struct
import subprocess
import threading
import time

import pytest

from history import MS, S, History

PROGRAM = pathlib.Path(os.environ.get("PATROUTE_BUILD", "build")) / \
    "tests" / "meter" / "patroute-meter"


def message(kind, body=b""):
    """One message of the server."""
    return kind + struct.pack("!I", len(body) + 4) + body


def error(severity, state, text):
    """An ErrorResponse."""
    fields = f"S{severity}\0V{severity}\0C{state}\0M{text}\0\0"
    return message(b"E", fields.encode())


def row(*values):
    """A DataRow."""
    body = struct.pack("!H", len(values))
    for value in values:
        body += struct.pack("!I", len(value)) + value.encode()
    return message(b"D", body)


LOGGED_IN = (message(b"R", struct.pack("!I", 0)) +
             message(b"K", struct.pack("!II", 4242, 7)) +
             message(b"Z", b"I"))
IDLE = message(b"Z", b"I")


class Peer:
    """A listener on loopback; `serve(connection, peer)` is its script."""

    def __init__(self, serve, backlog=512):
        self.serve = serve
        self.seen = []
        self.kept = []
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(connection,),
                             daemon=True).start()

    def _one(self, connection):
        try:
            self.serve(connection, self)
        except OSError:
            pass

    def close(self):
        """No more connections."""
        self.socket.shutdown(socket.SHUT_RDWR)      # wakes the accept
        self.socket.close()
        for connection in self.kept:
            connection.close()


def startup(connection):
    """The bytes of the startup packet."""
    head = connection.recv(4, socket.MSG_WAITALL)
    if len(head) < 4:
        raise OSError("the client went away")
    return connection.recv(struct.unpack("!I", head)[0] - 4,
                           socket.MSG_WAITALL)


def asked(connection):
    """The next query, or None at the end."""
    head = connection.recv(5, socket.MSG_WAITALL)
    if len(head) < 5 or head[:1] != b"Q":
        return None
    return connection.recv(struct.unpack("!I", head[1:])[0] - 4,
                           socket.MSG_WAITALL)


def server(recovery, address="10.0.0.9"):
    """A PostgreSQL that says who it is, and takes writes if it may."""
    def serve(connection, peer):
        peer.seen.append(startup(connection))
        connection.sendall(LOGGED_IN)
        while (query := asked(connection)) is not None:
            peer.seen.append(query)
            answer = row(address, "t" if recovery else "f")
            if b"INSERT" in query:
                answer += error("ERROR", "25006", "read-only") if recovery \
                    else row("777")
            connection.sendall(answer + IDLE)
        connection.close()
    return serve


def silent(connection, peer):
    """Accepts, and never says a word."""
    peer.kept.append(connection)


def closes(connection, _):
    """Takes the startup packet and goes."""
    startup(connection)
    connection.close()


def resets(connection, _):
    """The same, without the courtesy."""
    startup(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                          struct.pack("ii", 1, 0))
    connection.close()


def refuses(connection, _):
    """As the desk does, and a server that starts up."""
    startup(connection)
    connection.sendall(error("FATAL", "57P03", "there is no leader"))
    connection.close()


def wants_no_tls(connection, peer):
    """Answers the SSLRequest, then goes on as a server."""
    head = connection.recv(8, socket.MSG_WAITALL)
    peer.seen.append(head)
    connection.sendall(b"N")
    server(True)(connection, peer)


@pytest.fixture(name="peer")
def peer_fixture():
    """Makes peers and ends them."""
    made = []

    def make(serve, **options):
        made.append(Peer(serve, **options))
        return made[-1]
    yield make
    for each in made:
        if each.socket.fileno() != -1:
            each.close()


def run(commands, seconds, then=(), drain=0):
    """The history of a run: commands, a time, commands, the end."""
    done = []

    def feed(process):
        for line in commands:
            process.stdin.write(line + "\n")
        process.stdin.flush()
        time.sleep(seconds)
        for line in then:
            process.stdin.write(line + "\n")
        process.stdin.write(f"stop {drain}\n")
        process.stdin.close()
    with subprocess.Popen([PROGRAM], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as process:
        thread = threading.Thread(target=feed, args=(process,))
        thread.start()
        done = [json.loads(line) for line in process.stdout]
        thread.join()
        assert process.wait(5) == 0, process.stderr.read()
    return History(done)


def one_target(port, kind="write", every=10, more=""):
    """The commands for one target."""
    return [f"target t 127.0.0.1:{port} {kind} {every} {more}", "start"]


def outcomes(h):
    """{(rc, state)} of all attempts but those cut off by the end."""
    return {(t["rc"], t.get("state")) for t in h.tries
            if t["rc"] != "unfinished"}


def test_a_write_that_is_accepted(peer):
    p = peer(server(recovery=False))
    h = run(one_target(p.port, more="app=probe options='-c a.b=c'"), 0.5)
    assert outcomes(h) == {("ok", None)}
    first = h.tries[0]
    assert (first["who"], first["rec"], first["txid"]) == ("10.0.0.9", False,
                                                           777)
    assert first["due"] <= first["start"] <= first["conn"] <= \
        first["hello"] <= first["ready"] <= first["row"] <= first["at"]
    assert b"application_name\0probe\0options\0-c a.b=c\0" in p.seen[0]


def test_a_write_on_a_standby_still_says_who(peer):
    h = run(one_target(peer(server(recovery=True)).port), 0.3)
    assert outcomes(h) == {("sql", "25006")}
    assert all(t["rec"] and t["who"] == "10.0.0.9" for t in h.tries
               if t["rc"] == "sql")


@pytest.mark.parametrize("serve, outcome", [
    (closes, ("fin", None)), (resets, ("reset", None)),
    (refuses, ("fatal", "57P03"))])
def test_endings_are_told_apart(peer, serve, outcome):
    assert outcomes(run(one_target(peer(serve).port), 0.3)) == {outcome}


def test_nobody_listens(peer):
    p = peer(closes)
    p.close()
    assert outcomes(run(one_target(p.port), 0.3)) == {("refused", None)}


def test_the_loop_is_open(peer):
    """Nobody answers, and attempts begin on time all the same."""
    h = run(one_target(peer(silent).port), 1.5)
    assert 100 <= len(h.tries) <= 152
    assert {t["rc"] for t in h.tries} == {"unfinished"}
    late = sorted(t["start"] - t["due"] for t in h.tries)
    assert late[len(late) // 2] < 5 * MS
    gaps = {b["due"] - a["due"] for a, b in zip(h.tries, h.tries[1:])}
    assert gaps == {10 * MS}


def test_an_attempt_has_a_deadline(peer):
    h = run(one_target(peer(silent).port, more="deadline_ms=200"), 0.8)
    over = [t for t in h.tries if t["rc"] == "timeout"]
    assert len(over) > 30
    assert all(200 * MS < t["at"] - t["start"] < 300 * MS for t in over)


def test_what_cannot_start_leaves_a_line(peer):
    h = run(one_target(peer(silent).port, more="inflight=10"), 0.5)
    assert sum(t["rc"] == "unfinished" for t in h.tries) == 10
    unstarted = sum(t["rc"] == "unstarted" for t in h.tries)
    assert unstarted > 10
    assert h.end["targets"][0]["unstarted"] == unstarted
    assert [t["n"] for t in sorted(h.tries, key=lambda t: t["n"])] == \
        list(range(1, len(h.tries) + 1))


def test_draining_waits_for_what_is_under_way(peer):
    def slow(connection, peer):
        startup(connection)
        time.sleep(0.4)
        connection.sendall(LOGGED_IN)
        asked(connection)
        connection.sendall(row("10.0.0.9", "t") + IDLE)
        peer.kept.append(connection)
    h = run(one_target(peer(slow).port, "read"), 0.3, drain=3000)
    assert outcomes(h) == {("ok", None)}
    assert all(t["rc"] == "ok" for t in h.tries)


def test_the_ssl_request_comes_first(peer):
    p = peer(wants_no_tls)
    h = run(one_target(p.port, "read", more="ssl=ask"), 0.3)
    assert outcomes(h) == {("ok", None)}
    assert p.seen[0] == struct.pack("!II", 8, 80877103)


def test_sessions_tell_who_closed_them(peer):
    def closes_later(connection, _):
        startup(connection)
        connection.sendall(LOGGED_IN)
        asked(connection)
        connection.sendall(row("10.0.0.9", "f") + IDLE)
        time.sleep(0.3)
        connection.sendall(error("FATAL", "57P01", "admin"))
        connection.close()
    p = peer(closes_later)
    h = run([f"target t 127.0.0.1:{p.port} any 60000", "start",
             "hold t 2 idle"], 0.6)
    sessions = [s for s in h.sessions.values() if s.tag == "idle"]
    assert len(sessions) == 2
    assert all(s.close["how"] == "fin" and s.close["state"] == "57P01"
               and s.open["pid"] == 4242 for s in sessions)
    assert all(0.2 * S < s.closed_at - s.open["at"] < 0.5 * S
               for s in sessions)


def test_busy_sessions_record_each_statement(peer):
    p = peer(server(recovery=False))
    h = run([f"target 'two words' 127.0.0.1:{p.port} write 60000", "start",
             "hold 'two words' 1 busy every_ms=20", "mark event text"], 0.5)
    (session,) = h.sessions.values()
    assert 15 < len(session.statements) < 27
    assert all(line["rc"] == "ok" and line["txid"] == 777
               for line in session.statements)
    assert session.close["how"] == "kept" and session.closed_at is None
    assert h.marks[0]["text"] == "text"


def test_a_statement_without_an_answer_is_noted(peer):
    def dies(connection, _):
        startup(connection)
        connection.sendall(LOGGED_IN)
        asked(connection)
        connection.sendall(row("10.0.0.9", "f") + IDLE)
        asked(connection)
        connection.close()
    p = peer(dies)
    h = run([f"target t 127.0.0.1:{p.port} write 60000", "start",
             "hold t 1 busy every_ms=50"], 0.4)
    (session,) = h.sessions.values()
    assert session.close["how"] == "fin"
    assert session.open["at"] < session.close["unanswered"] < \
        session.close["at"]


def test_members_are_polled(peer):
    state = {"rec": "t", "tli": ""}

    def member(connection, peer):
        peer.kept.append(connection)
        startup(connection)
        connection.sendall(LOGGED_IN)
        while asked(connection) is not None:
            connection.sendall(row(state["rec"], "off", "0/15", state["tli"],
                                   "streaming") + IDLE)
    p = peer(member)

    def promote():
        time.sleep(0.4)
        state.update(rec="f", tli="00000002")
    threading.Thread(target=promote).start()
    h = run([f"member m 127.0.0.1:{p.port} every_ms=5", "start"], 0.8)
    assert [line["state"] for line in h.members["m"]] == ["replica",
                                                          "primary"]
    change = h.members["m"][1]
    assert change["tli"] == "00000002"
    assert 0 < change["at"] - change["before"] < 100 * MS
    assert 4 <= len(h.samples["m"]) <= 12


def test_a_member_that_falls_silent(peer):
    def stops(connection, peer):
        peer.kept.append(connection)
        startup(connection)
        connection.sendall(LOGGED_IN)
        asked(connection)
        connection.sendall(row("f", "off", "0/15") + IDLE)
        time.sleep(60)
    h = run([f"member m 127.0.0.1:{peer(stops).port}", "start"], 1.6)
    assert [line["state"] for line in h.members["m"]][:2] == ["primary",
                                                              "silent"]


def b64(text):
    """As the gateway has bytes."""
    return base64.b64encode(text.encode()).decode()


def gateway(lines):
    """etcd's JSON gateway: a range, then a watch of these lines. Serving
    gives the request."""
    def serve(connection, peer):
        request = connection.recv(65536)
        peer.seen.append(request)
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
        if b"/v3/kv/range" in request:
            kvs = [{"key": b64("/s/leader"), "value": b64("n1"),
                    "mod_revision": "5"}]
            connection.sendall(json.dumps(
                {"header": {"cluster_id": "7", "revision": "9"},
                 "kvs": kvs}).encode())
            connection.close()
            return request
        peer.kept.append(connection)
        for line in lines:
            text = (json.dumps(line) + "\n").encode()
            connection.sendall(text[:10])
            time.sleep(0.05)
            connection.sendall(text[10:])
        return request
    return serve


def event(revision, key, value=None):
    """One line of a watch."""
    kv = {"key": b64(key), "mod_revision": str(revision)}
    if value is not None:
        return {"result": {"events": [{"kv": {**kv, "value": b64(value)}}]}}
    return {"result": {"events": [{"type": "DELETE", "kv": kv}]}}


def test_etcd_is_followed_at_every_endpoint_once(peer):
    lines = [{"result": {"created": True}},
             event(10, "/s/members/n1", "{}"), event(11, "/s/leader"),
             event(12, "/s/leader", "n2")]
    peers = [peer(gateway(lines)) for _ in range(3)]
    where = " ".join(f"127.0.0.1:{p.port}" for p in peers)
    h = run([f"etcd /s/ {where}", "start"], 0.8)
    assert [name for _, name in h.leader_events()] == ["n1", None, "n2"]
    assert [e.get("initial", False) for e in h.etcd] == [True, False, False]
    watch = [r for p in peers for r in p.seen if b"/v3/watch" in r]
    assert len(watch) == 3
    assert all(b"Grpc-Metadata-hasleader: true" in r and
               b'"start_revision":"10"' in r for r in watch)


def test_no_leader_is_told_too(peer):
    def empty(connection, p):
        request = connection.recv(65536)
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
        if b"/v3/kv/range" in request:
            connection.sendall(b'{"header":{"cluster_id":"7",'
                               b'"revision":"9"}}')
            connection.close()
        else:
            p.kept.append(connection)
    h = run([f"etcd /s/ 127.0.0.1:{peer(empty).port}", "start"], 0.3)
    assert [name for _, name in h.leader_events()] == [None]


def test_etcd_comes_back_where_it_was_left(peer):
    served = []

    def breaks(connection, p):
        first = not served
        lines = [{"result": {"created": True}}, event(11, "/s/leader")] \
            if first else [event(12, "/s/leader", "n2")]
        request = gateway(lines)(connection, p)
        if b"/v3/watch" in request:
            served.append(request)
            if first:
                connection.close()
    h = run([f"etcd /s/ 127.0.0.1:{peer(breaks).port}", "start"], 1.2)
    assert [name for _, name in h.leader_events()] == ["n1", None, "n2"]
    assert b'"start_revision":"12"' in served[1]
    assert [x["up"] for x in h.lines if x["ev"] == "watch"] == \
        [True, False, True]


@pytest.mark.parametrize("commands, word", [
    (["target t nowhere:5 write 10"], "target: expected"),
    (["target t 1.2.3.4:5 sideways 10"], "target: expected"),
    (["frobnicate"], "unknown command"),
    (["hold t 1 x"], "not before start"),
    (["mark 'open"], "open quote")])
def test_nonsense_ends_it_before_it_starts(commands, word):
    done = subprocess.run([PROGRAM], input="\n".join(commands) + "\nstart\n",
                          capture_output=True, text=True, timeout=10)
    assert done.returncode == 2
    assert word in done.stderr and done.stdout == ""


def test_nonsense_later_is_noted(peer):
    p = peer(server(recovery=False))
    process = subprocess.run(
        [PROGRAM], input="\n".join(one_target(p.port) + ["hold no 1 x\n"]),
        capture_output=True, text=True, timeout=10)
    h = History(map(json.loads, process.stdout.splitlines()))
    assert process.returncode == 1 and "hold" in h.errors[0]["msg"]
