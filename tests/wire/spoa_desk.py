"""
The agent's desk: the sentence, HTTP, rubbish, cancel requests.
"""
import socket
import struct
import time

from spoa_lib import (DeskClient, SLOW, SSL_REQUEST, folder, leader, member,
                      proxy2, startup, wait_until)
from spoa_protocol import site

__all__ = ["folder", "site"]


def test_a1_the_sentence(site):
    site.tell_nobody(since_ms=90000)
    d = DeskClient(site.agent.desk)
    d.send(startup(user="x"))
    e = d.error()
    assert e["S"] == e["V"] == "FATAL" and e["C"] == "57P03"
    assert e["M"] == ('cluster "main" has no server for writes: nobody holds '
                      'the leader key (for 90 s)')
    d = DeskClient(site.agent.desk)
    gss = struct.pack(">II", 8, 80877104)
    for request in (gss, SSL_REQUEST):
        d.send(request)
        assert d.recv(1) == b"N"
    d.send(startup(user="x")[:9])
    time.sleep(0.05)
    d.send(startup(user="x")[9:])
    assert d.error()["C"] == "57P03"
    d = DeskClient(site.agent.desk, 9999)
    d.send(startup(user="x"))
    assert "no such port" in d.error()["M"]
    d = DeskClient(site.agent.desk)
    d.send(b"\x16\x03\x01\x02\x00\x01")
    assert d.rest() == b"\x15\x03\x03\0\2\2\x50"


def test_a2_http(site):
    def get(path, port=5002):
        d = DeskClient(site.agent.desk, port)
        d.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return d.rest().decode()

    assert '"server":"a"' in get("/read_primary")
    assert '"action":"read"' in get("/read_replica")
    assert '"action":"write"' in get("/health", 5000)
    assert get("/etc/passwd").startswith("HTTP/1.0 404 ")
    site.tell_nobody()
    assert get("/read_primary").startswith("HTTP/1.0 503 ")


def test_a3_rubbish(site):
    before = site.agent.fds()
    for data in (b"x", b"GET / HTTP/1.0\r\n", b"\0" * 2000, proxy2(5000)[:20],
                 proxy2(5000, 0), b""):
        d = DeskClient(site.agent.desk, header=data)
        d.s.shutdown(socket.SHUT_WR)
        d.rest()
        d.s.close()
    d = DeskClient(site.agent.desk)
    d.send(b"\0\0\xff\xff" + b"\xff" * 4000)
    d.rest()
    d.s.close()
    wait_until(lambda: site.agent.fds() <= before, "descriptors back")
    silent = [DeskClient(site.agent.desk) for _ in range(300)]
    assert silent[0].rest() == b""       # its deadline
    for d in silent:
        d.s.close()
    wait_until(lambda: site.agent.fds() <= before, "descriptors back", 10)


def test_a4_cancel(site):
    members = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    ports = [m.getsockname()[1] for m in members]
    rows = [(leader if n == "a" else member)(n, addr="127.0.0.1", port=p)
            for n, p in zip("abc", ports)]
    rows.append(member("d", addr="127.0.0.1", port=1))       # refuses
    rows.append(member("e"))                                 # no address
    site.prober.told(site.prober.tell(rows, 0))
    packet = struct.pack(">IIII", 16, 80877102, 4711, 42)
    d = DeskClient(site.agent.desk, 5001)
    d.send(packet[:6])
    time.sleep(0.02)
    d.send(packet[6:])
    for m in members:
        s, _ = m.accept()
        s.settimeout(5)
        assert s.recv(100) == packet
        s.close()
    assert d.rest() == b""
    # A member that accepts and says nothing: a second, no more.
    began = time.monotonic()
    d = DeskClient(site.agent.desk, 5000)
    d.send(packet)
    assert d.rest() == b""
    assert 0.9 < time.monotonic() - began < 3 * SLOW
    for m in members:
        m.close()
    before = site.agent.fds()
    for length in (0, 1, 8, 15, 5000):
        d = DeskClient(site.agent.desk, 5000)
        d.send(struct.pack(">II", length, 80877102) + b"x" * 500)
        assert d.rest() == b""
    wait_until(lambda: site.agent.fds() <= before, "descriptors back")
