"""patroute-responder, asked by the meter: it stands for a server."""

import socket
import struct
import subprocess
import time

import pytest

from test_program import PROGRAM, outcomes, run

RESPONDER = PROGRAM.with_name("patroute-responder")
ADDRESS = "127.0.0.1"


@pytest.fixture(name="responder")
def responder_fixture():
    """responder(role): one that listens; its port."""
    running = []

    def start(role):
        with socket.create_server((ADDRESS, 0)) as free:
            port = free.getsockname()[1]
        running.append(subprocess.Popen([RESPONDER, ADDRESS, str(port), role]))
        end = time.monotonic() + 10
        while True:
            try:
                socket.create_connection((ADDRESS, port), 1).close()
                return port
            except ConnectionRefusedError:
                assert time.monotonic() < end and running[-1].poll() is None
                time.sleep(0.02)
    yield start
    for each in running:
        assert each.poll() is None
        each.terminate()
        each.wait(10)


def targets(port):
    """A write that asks for TLS first, and a read."""
    return [f"target w {ADDRESS}:{port} write 5 ssl=ask",
            f"target r {ADDRESS}:{port} read 5", "start",
            "hold r 3 idle", "hold w 1 busy every_ms=20"]


@pytest.mark.parametrize("role, wrote", [
    ("primary", ("ok", None)), ("replica", ("sql", "25006"))])
def test_it_is_a_server_to_the_meter(responder, role, wrote):
    h = run(targets(responder(role)), 0.5, drain=1000)
    assert outcomes(h) == {("ok", None), wrote}
    assert {(t["who"], t["rec"]) for t in h.tries} == \
        {(ADDRESS, role == "replica")}
    assert len(h.sessions) == 4
    assert all(s.opened and s.closed_at is None
               for s in h.sessions.values())
    busy = next(s for s in h.sessions.values() if s.tag == "busy")
    assert busy.statements


@pytest.mark.parametrize("first", [
    b"\0\0\0\x04junk", b"\xff" * 64, struct.pack("!IIII", 16, 80877102, 1, 2),
    struct.pack("!II", 8, 3 << 16) + b"p\0\0\0\x05\0"])
def test_it_closes_on_what_it_does_not_know(responder, first):
    with socket.create_connection((ADDRESS, responder("primary")), 5) as c:
        c.sendall(first)
        try:
            while c.recv(4096):
                pass
        except ConnectionResetError:
            pass


def test_it_says_how_it_is_used():
    done = subprocess.run([RESPONDER, ADDRESS, "1", "both"],
                          capture_output=True, text=True, timeout=10)
    assert done.returncode == 2 and "usage" in done.stderr
