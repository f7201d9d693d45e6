"""Patroni's REST API: bodies as they are, and bytes it never sends."""
import base64
import gzip
import json
import os
import signal
import socket
import ssl
import threading
import time

import pytest
from sources_lib import Authority, Crowd, Driver, Peer, read_request, reply, \
    wait_for

STATUS = json.dumps({
    "state": "running", "postmaster_start_time": "2026-01-01 00:00:00+00:00",
    "role": "master", "server_version": 150020,
    "xlog": {"location": 67109216}, "timeline": 3,
    "cluster_unlocked": True, "dcs_last_seen": 1767225600,
    "database_system_identifier": "7301234567890123456",
    "patroni": {"version": "3.0.2", "scope": "main"}})
ROLE_PRIMARY, STATE_RUNNING = 1, 1


def answers(data):
    def handler(_, conn):
        read_request(conn)
        conn.sendall(data)
    return handler


def driver(peer):
    return Driver("patroni", "127.0.0.1", peer.port)


def test_status():
    asked = []

    def handler(_, conn):
        asked.append(read_request(conn)[0])
        conn.sendall(reply(STATUS))

    with Peer(handler) as peer, driver(peer) as d:
        got = d.item("ask")
        assert got["rc"] == "ok" and got["src"] == 2 and got["member"] == 7
        assert (got["role"], got["state"]) == (ROLE_PRIMARY, STATE_RUNNING)
        assert (got["tli"], got["lsn"]) == (3, 67109216)
        assert got["sysid"] == 7301234567890123456
        assert got["primary_200"] == 0 and got["asked"] <= got["at"]
        got = d.item("primary")
        assert got["rc"] == "ok" and got["primary_200"] == 1
        assert [a.split()[1] for a in asked] == ["/patroni", "/primary"]
        assert len(peer.accepted) == 2


def test_503_has_a_body_too():
    with Peer(answers(reply(STATUS, "503 Service Unavailable"))) as peer, \
            driver(peer) as d:
        assert d.item("ask")["role"] == ROLE_PRIMARY
        got = d.item("primary")
        assert (got["rc"], got["primary_200"]) == ("ok", 0)


def test_http_1_0_without_a_length_as_patroni_answers():
    data = (b"HTTP/1.0 200 OK\r\nServer: BaseHTTP/0.6 Python/3.11.2\r\n"
            b"Content-Type: application/json\r\n\r\n" + STATUS.encode())
    with Peer(answers(data)) as peer, driver(peer) as d:
        assert d.item("ask")["rc"] == "ok"


def forever(_, conn):
    read_request(conn)
    conn.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        conn.sendall(b"400\r\n" + b" " * 1024 + b"\r\n")


def drip(_, conn):
    read_request(conn)
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        conn.sendall(b" ")
        time.sleep(0.05)


def drip_head(_, conn):
    read_request(conn)
    for byte in b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 1000:
        conn.sendall(bytes([byte]))
        time.sleep(0.01)


def silent(_, conn):
    read_request(conn)
    conn.recv(1)


def resets(_, conn):
    read_request(conn)
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    b"\x01\0\0\0\0\0\0\0")


# curl 7.88 calls it an error of receiving, 8.14 an answer too large.
TOO_MANY = ("lost", "parse")
BOMB = gzip.compress(b" " * 10_000_000)
CASES = {
    "garbage": (answers(b"\x00\xff garbage\r\n\r\n"), "parse"),
    "not json": (answers(reply("hello")), "parse"),
    "no state": (answers(reply("{}")), "parse"),
    "deep": (answers(reply("[" * 50_000)), "parse"),
    "404": (answers(reply(STATUS, "404 Not Found")), "parse"),
    "redirect": (answers(reply("", "302 Found",
                               "Location: http://169.254.169.254/\r\n")),
                 "parse"),
    "bomb": (answers(reply(BOMB, extra="Content-Encoding: gzip\r\n")),
             "parse"),
    "length lies, more": (answers(
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n" +
        STATUS.encode()), "lost"),
    "length lies, less": (answers(
        b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" +
        STATUS.encode()), "parse"),
    "one gigabyte": (answers(
        b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n" +
        b"x" * 400_000), "limit"),
    "for ever": (forever, "limit"),
    "many headers": (answers(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000 +
                             b"\r\n"), TOO_MANY),
    "drip": (drip, "timeout"), "drip head": (drip_head, "timeout"),
    "silent": (silent, "timeout"), "resets": (resets, "lost"),
    "closes": (answers(b""), "lost"),
}


@pytest.mark.parametrize("what", CASES)
def test_hostile(what):
    handler, want = CASES[what]
    with Peer(handler, parallel=True) as peer, driver(peer) as d:
        fds = None
        for _ in range(2):
            got = d.item("ask")
            assert got["rc"] in want if want is TOO_MANY else \
                got["rc"] == want
            took = got["at"] - got["asked"]
            assert took < 2_000_000
            assert want != "timeout" or took >= 800_000
            count = len(os.listdir(f"/proc/{d.p.pid}/fd"))
            assert fds in (None, count)
            fds = count
        with open(f"/proc/{d.p.pid}/status", encoding="ascii") as f:
            rss = [x for x in f if x.startswith("VmRSS")][0]
        print(what, rss.split()[1], "kB")


# ---- TLS, passwords, IPv6 ----

@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


def server_tls(ca, pair, client=False):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*pair)
    if client:
        tls.load_verify_locations(ca.pem)
        tls.verify_mode = ssl.CERT_REQUIRED
    return tls


def heard(d):
    """What came of it; a machine that stood still says nothing ("local")."""
    for _ in range(5):
        rc = d.item("ask")["rc"]
        if rc != "local":
            break
    return rc


def test_authorities_of_the_system_are_read_once(ca):
    """0.2 MB, which take 30 ms of the loop's time for each connection."""
    tls = server_tls(ca, ca.cert("db1"))
    with Peer(answers(reply(STATUS)), tls=tls) as peer, Driver(
            "patroni", "127.0.0.1", peer.port, REST_TLS=1,
            PEER_NAME="db1") as d:
        assert heard(d) == "tls"
        before = d.bytes_read()
        for _ in range(4):
            assert heard(d) == "tls"
        # A cluster with authorities of its own beside it changes nothing.
        for _ in range(2):
            d.say(f"trust {ca.pem} {peer.port}")
            assert heard(d) == "ok"
            d.say(f"trust - {peer.port}")
            assert heard(d) == "tls"
        assert d.bytes_read() - before < 100_000


def test_tls_is_verified(ca, tmp_path):
    """By the CA, the name and the time; nothing of it can be turned off."""
    other = Authority(tmp_path, "other")
    good = server_tls(ca, ca.cert("db1"))
    cases = [
        (good, {"REST_CA": ca.pem, "PEER_NAME": "db1"}, "ok"),
        (good, {"REST_CA": ca.pem, "PEER_NAME": "db2"}, "tls"),
        (good, {"REST_CA": ca.pem}, "tls"),
        (good, {"REST_CA": other.pem, "PEER_NAME": "db1"}, "tls"),
        (good, {"PEER_NAME": "db1"}, "tls"),
        (server_tls(ca, ca.cert("ip", "IP:127.0.0.1")),
         {"REST_CA": ca.pem}, "ok"),
        (server_tls(ca, ca.cert("old", days=-1)),
         {"REST_CA": ca.pem, "PEER_NAME": "db1"}, "tls"),
    ]
    for tls, env, want in cases:
        with Peer(answers(reply(STATUS)), tls=tls) as peer, Driver(
                "patroni", "127.0.0.1", peer.port, REST_TLS=1, **env) as d:
            assert heard(d) == want, env
    # Cleartext where TLS was asked for is no way out.
    def cleartext(_, conn):
        conn.recv(65536)
        conn.sendall(reply(STATUS))

    with Peer(cleartext) as peer, Driver(
            "patroni", "127.0.0.1", peer.port, REST_TLS=1, PEER_NAME="db1",
            REST_CA=ca.pem) as d:
        assert heard(d) == "tls"


def test_each_cluster_has_authorities_of_its_own(ca, tmp_path):
    """One client asks for all clusters, and curl keeps what it once read."""
    other = Authority(tmp_path, "other")
    tls = [server_tls(a, a.cert("db1")) for a in (ca, other)]
    with Peer(answers(reply(STATUS)), tls=tls[0]) as one, \
            Peer(answers(reply(STATUS)), tls=tls[1]) as two, Driver(
            "patroni", "127.0.0.1", one.port, REST_TLS=1, REST_CA=ca.pem,
            PEER_NAME="db1") as d:
        assert heard(d) == "ok"
        d.say(f"trust {other.pem} {two.port}")
        assert heard(d) == "ok"
        d.say(f"trust {other.pem} {one.port}")
        assert heard(d) == "tls"
        d.say(f"trust {ca.pem} {one.port}")
        assert heard(d) == "ok"


def test_a_broken_authority_is_not_the_end_of_the_file(ca, tmp_path):
    """The whole file is refused, else who stands behind it is not trusted,
    and nobody knows why."""
    other = Authority(tmp_path, "other")
    first, second = ca.pem.read_text(), other.pem.read_text()
    broken = second.replace("\nMII", "\nAAA", 1)
    assert broken != second
    pem = tmp_path / "both.pem"
    tls = server_tls(ca, ca.cert("db1"))
    with Peer(answers(reply(STATUS)), tls=tls) as peer:
        for text, want in ((second + first, "ok"),
                           (first + "# the end\n", "ok"),
                           (first + broken + second, "tls")):
            pem.write_text(text)
            with Driver("patroni", "127.0.0.1", peer.port, REST_TLS=1,
                        REST_CA=pem, PEER_NAME="db1") as d:
                assert heard(d) == want


def test_a_session_of_tls_is_resumed_with_whom_it_was_made(ca, tmp_path):
    """It saves half of what a request costs, and proves who answers."""
    resumed = []

    def note(_, conn):
        read_request(conn)
        resumed.append(conn.session_reused)
        conn.sendall(reply(STATUS))

    tls = server_tls(ca, ca.cert("db1"))
    with Peer(note, tls=tls) as peer, Driver(
            "patroni", "127.0.0.1", peer.port, REST_TLS=1, REST_CA=ca.pem,
            PEER_NAME="db1") as d:
        assert [heard(d) for _ in range(3)] == ["ok"] * 3
        assert resumed == [False, True, True]
        # Another server in its place has to prove itself anew.
        other = Authority(tmp_path, "other")
        peer.tls = server_tls(other, other.cert("db1"))
        assert heard(d) == "tls"
        peer.tls = server_tls(ca, ca.cert("db1"))
        assert heard(d) == "ok" and resumed[-1] is False


def test_a_client_certificate(ca):
    tls = server_tls(ca, ca.cert("db1"), client=True)
    # TLS 1.3 tells the client of a refusal only after the handshake.
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    pem, key = ca.cert("patroute")
    env = {"REST_TLS": 1, "REST_CA": ca.pem, "PEER_NAME": "db1"}
    with Peer(answers(reply(STATUS)), tls=tls) as peer:
        with Driver("patroni", "127.0.0.1", peer.port, REST_CERT=pem,
                    REST_KEY=key, **env) as d:
            assert heard(d) == "ok"
        with Driver("patroni", "127.0.0.1", peer.port, **env) as d:
            assert heard(d) == "tls"


def test_a_password_is_shown_and_not_logged(tmp_path):
    heads = []

    def handler(_, conn):
        heads.append(conn.recv(65536).decode())
        conn.sendall(reply(STATUS))

    auth = tmp_path / "auth"
    auth.write_text("patroute:not-for-logs\n")
    with Peer(handler) as peer:
        with Driver("patroni", "127.0.0.1", peer.port, REST_AUTH=auth) as d:
            assert d.item("ask")["rc"] == "ok"
            assert "not-for-logs" not in d.log()
        with driver(peer) as d:
            assert d.item("ask")["rc"] == "ok"
    line = base64.b64encode(b"patroute:not-for-logs").decode()
    assert f"Authorization: Basic {line}\r\n" in heads[0]
    assert "Authorization" not in heads[1]


def test_401_is_no_status():
    with Peer(answers(reply(STATUS, "401 Unauthorized"))) as peer, \
            driver(peer) as d:
        assert d.item("ask")["rc"] == "parse"


def test_ipv6():
    try:
        peer = Peer(answers(reply(STATUS)), host="::1")
    except OSError:
        pytest.skip("this machine has no IPv6")
    with peer, Driver("patroni", "::1", peer.port) as d:
        assert d.item("ask")["rc"] == "ok"
        assert d.item("primary")["primary_200"] == 1


# ---- GET /cluster, where no DCS is seen ----

CLUSTER = json.dumps({"members": [
    {"name": "node1", "role": "leader", "state": "running",
     "api_url": "http://10.0.0.1:8008/patroni", "host": "10.0.0.1",
     "port": 5432, "timeline": 3},
    {"name": "node2", "role": "replica", "state": "streaming",
     "api_url": "http://[fd00::2]:8008/patroni", "host": "fd00::2",
     "port": 5433, "timeline": 3, "tags": {"noloadbalance": True}}]})


def test_cluster_names_the_members():
    asked = []

    def handler(_, conn):
        asked.append(read_request(conn)[0].split()[1])
        conn.sendall(reply(CLUSTER))

    with Peer(handler) as peer, driver(peer) as d:
        d.say("cluster")
        view = d.view()
        assert asked == ["/cluster"] and not view["has_leader"]
        one, two = view["members"]
        assert (one["name"], one["host"], one["port"]) == \
            ("node1", "10.0.0.1", 5432)
        assert (two["api_host"], two["api_port"], two["port"]) == \
            ("fd00::2", 8008, 5433)
        assert (one["noloadbalance"], two["noloadbalance"]) == (0, 1)


@pytest.mark.parametrize("data", [
    reply(CLUSTER, "503 Service Unavailable"), b"", reply("{}"),
    reply('{"members": []}'), reply("<html>")],
    ids=["503", "closed", "empty", "nobody", "html"])
def test_a_failed_cluster_says_nothing(data):
    """Patroni asks its DCS first: its failure is no word on the member."""
    with Peer(answers(data)) as peer, driver(peer) as d:
        d.say("cluster")
        wait_for(lambda: peer.accepted, "the question")
        assert d.drain(0.3) == []
        assert d.item("ask")["src"] == 2


def test_refused():
    with Driver("patroni", "127.0.0.1", 1) as d:
        assert d.item("ask")["rc"] == "refused"


def test_one_in_flight_and_a_new_target_ends_it():
    with Peer(silent, parallel=True) as slow, \
            Peer(answers(reply(STATUS))) as good, driver(slow) as d:
        for _ in range(5):
            d.say("ask")
        wait_for(lambda: slow.accepted, "the question")
        time.sleep(0.3)
        assert len(slow.accepted) == 1
        d.say(f"target 127.0.0.1 {good.port}")
        assert d.item("ask")["rc"] == "ok"
        # What was in flight ended without a word.
        assert d.drain(1.2) == []


def test_a_pause_of_our_own_is_no_evidence():
    with Peer(silent, parallel=True) as peer, driver(peer) as d:
        d.say("ask")
        wait_for(lambda: peer.accepted, "the question")
        d.p.send_signal(signal.SIGSTOP)
        time.sleep(1.6)
        d.p.send_signal(signal.SIGCONT)
        assert d.item()["rc"] == "local"


def test_an_answer_that_came_in_time_is_read_before_the_deadline():
    """Both are due when we wake up: the data goes first."""
    asked = threading.Event()

    def late(_, conn):
        read_request(conn)
        asked.set()
        time.sleep(0.6)
        conn.sendall(reply(STATUS))

    with Peer(late) as peer, driver(peer) as d:
        for _ in range(3):
            asked.clear()
            d.say("ask")
            assert asked.wait(5)
            time.sleep(0.4)
            d.p.send_signal(signal.SIGSTOP)
            time.sleep(0.7)
            d.p.send_signal(signal.SIGCONT)
            got = d.item()
            assert got["rc"] == "ok"
            assert got["at"] - got["asked"] > 1_000_000


def test_forty_answers_that_came_in_time_are_read_before_the_deadline():
    """More than one turn of the loop reads: each waits for its own."""
    crowd = Crowd(40)

    def late(_, conn):
        read_request(conn)
        crowd.asked()
        conn.sendall(reply(STATUS))
        crowd.told()

    with Peer(late, parallel=True) as peer, Driver(
            "patroni", "127.0.0.1", peer.port, PROBES=crowd.n) as d:
        items = crowd.items(d)
        assert [x["rc"] for x in items] == ["ok"] * 40
        assert {x["member"] for x in items} == set(range(7, 47))


def test_descriptors_run_out():
    with Peer(answers(reply(STATUS))) as peer, driver(peer) as d:
        assert d.item("ask")["rc"] == "ok"
        with d.no_descriptors():
            assert d.item("ask")["rc"] == "local"
        assert d.item("ask")["rc"] == "ok"
