"""
patroute-prober by itself: start, refusal to start, HTTP, signals, stop. None
of etcd, Patroni, PostgreSQL and HAProxy is there.
"""
import os
import random
import signal
import socket
import subprocess
import time

import pytest

from prober_lib import (PROBER, SLOW, Agent, Prober, folder, free_port,
                        wait_until)

__all__ = ["folder"]


@pytest.fixture
def prober(folder):
    with Prober(folder) as p:
        yield p


def run(*args):
    return subprocess.run([str(PROBER), *args], capture_output=True,
                          text=True, timeout=10)


def refusal(prober):
    """The one sentence with which it does not start."""
    out = run("-c", str(prober.conf))
    assert out.returncode == 1 and out.stdout == ""
    lines = out.stderr.strip().splitlines()
    assert len(lines) == 1, out.stderr
    return lines[0]


def test_a_options(folder):
    assert run("--version").stdout.startswith("patroute-prober ")
    assert run("--help").stdout.startswith("usage: patroute-prober")
    assert run("--no-such").returncode == 2
    assert run("surplus").returncode == 2
    example = run("--print-example")
    assert example.returncode == 0
    (folder / "example.conf").write_text(example.stdout)
    assert run("--print-man").stdout.startswith(".SS")


def test_a_check(folder):
    p = Prober(folder)
    out = run("-c", str(p.conf), "--check")
    assert (out.returncode, out.stdout, out.stderr) == (0, "", "")
    assert not p.feed.exists(), "--check has side effects"
    p.conf.write_text(p.conf.read_text() + "nonsense = 1\n")
    out = run("-c", str(p.conf), "--check")
    assert out.returncode == 1
    assert str(p.conf) in out.stderr and "nonsense" in out.stderr
    out = run("-c", str(folder / "absent.conf"), "--check")
    assert out.returncode == 1 and "absent.conf" in out.stderr


def test_a_ping(folder):
    p = Prober(folder)
    out = run("-c", str(p.conf), "--ping")
    assert out.returncode == 1 and "--ping: Connection refused" in out.stderr
    with p:
        # Without a verdict; that is not what is asked.
        assert p.get("/healthz")[0] == 503
        assert run("-c", str(p.conf), "--ping").returncode == 0
        p.process.send_signal(signal.SIGSTOP)
        out = run("-c", str(p.conf), "--ping")
        p.process.send_signal(signal.SIGCONT)
        assert out.returncode == 1 and "no answer in time" in out.stderr
    p.conf.write_text("nonsense = 1\n")
    assert run("-c", str(p.conf), "--ping").returncode == 2


def test_b_port_in_use(folder):
    p = Prober(folder)
    with socket.create_server(("127.0.0.1", p.port)):
        said = refusal(p)
    for word in (str(p.conf), "prober.http_port", "127.0.0.1", str(p.port)):
        assert word in said, said


def test_b_address_not_here(folder):
    said = refusal(Prober(folder, http_address="192.0.2.1"))
    assert "prober.http_address" in said and "192.0.2.1" in said


def test_b_feed_socket_in_use(folder):
    with Prober(folder) as first:
        text = first.conf.read_text()
        first.conf.write_text(
            text.replace(str(first.port), str(free_port())))
        said = refusal(first)
        assert "prober.feed_socket" in said and str(first.feed) in said


def test_b_no_socket_in_the_way(folder):
    p = Prober(folder)
    p.feed.parent.mkdir()
    p.feed.write_text("a file")
    assert "prober.feed_socket" in refusal(p)
    assert p.feed.read_text() == "a file"


def test_b_stale_socket_is_replaced(folder):
    p = Prober(folder)
    p.start()
    p.process.kill()
    p.process.wait()
    assert p.feed.exists()
    with p:
        Agent(p.feed).until(Agent.SNAPSHOT)


def test_b_unknown_user(folder):
    p = Prober(folder)
    text = p.conf.read_text()
    user = text.splitlines()[0].replace("user = ", "").strip('"')
    p.conf.write_text(text.replace(f'user = "{user}"',
                                   'user = "nosuchuser"'))
    if os.geteuid() == 0:
        assert "nosuchuser" in refusal(p)


def test_b_against_nothing(prober):
    """No verdict: nothing is usable, and everything is still answered."""
    assert prober.get("/healthz")[0] == 503
    assert prober.get("/check/main_write/node1/pid-1")[0] == 503
    c = prober.cluster()
    assert c["write"] is None and not c["usable"]
    assert c["evidence_age_ms"] is None and c["members"] == []
    assert not prober.topology()["haproxy"]["reachable"]
    wait_until(lambda: "drop haproxy socket=" in prober.text(), "said")
    time.sleep(1.5)
    assert prober.text().count("drop haproxy socket=") == 1, "said twice"


def test_b_privileges_are_gone(prober):
    if os.geteuid() != 0:
        pytest.skip("not started as root")
    with open(f"/proc/{prober.process.pid}/status", encoding="ascii") as f:
        status = dict(x.split(":", 1) for x in f.read().splitlines())
    assert "0" not in status["Uid"].split()
    assert "0" not in status["Gid"].split()
    assert int(status["CapEff"], 16) == 0
    assert status["NoNewPrivs"].strip() == "1"
    for name in ("feed.sock", "http.sock"):
        mode = os.stat(prober.feed.parent / name).st_mode
        assert mode & 0o777 == 0o660
    assert os.stat(prober.feed.parent).st_mode & 0o777 == 0o750


def test_c_http(prober):
    assert prober.get("/healthz", "HEAD") == (503, b"")
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert prober.get("/topology", method)[0] == 405
    assert prober.get("/nothing")[0] == 404
    assert prober.get("/check/x")[0] == 400
    assert prober.get("/check/main_write/a/pid-0")[0] == 400
    assert prober.get("/check/other_write/a/pid-1")[0] == 503
    assert prober.get("/check/main_write/" + "a" * 64 + "/pid-1")[0] == 400


@pytest.mark.parametrize("request_bytes", [
    b"\0\xff\r\n\r\n", b"GET " + b"/" * 100000, b"GET / HTTP/1.1\r\n" +
    b"X: y\r\n" * 5000, b"POST /topology HTTP/1.1\r\nContent-Length: "
    b"99999999999\r\n\r\n" + b"x" * 50000, b"GET /topology HTTP/9.9\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"])
def test_c_http_rubbish(prober, request_bytes):
    with socket.create_connection(("127.0.0.1", prober.port), 5) as s:
        try:
            s.sendall(request_bytes)
            s.shutdown(socket.SHUT_WR)
            while s.recv(65536):
                pass
        except OSError:
            pass
    assert prober.get("/healthz")[0] == 503


def test_c_unix_http(prober):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5 * SLOW)
        s.connect(str(prober.keys["http_socket"]))
        s.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert b" 503 " in s.recv(1000)


def test_c_no_descriptor_stays(prober):
    prober.get("/healthz")
    before = prober.fds()
    for _ in range(100):
        prober.get("/healthz")
        with socket.create_connection(("127.0.0.1", prober.port), 5):
            pass
        Agent(prober.feed).close()
    wait_until(lambda: prober.fds() <= before, f"{before} descriptors")


def test_c_broken_configuration_on_reload(prober):
    good = prober.conf.read_text()
    prober.conf.write_text(good + "nonsense = 1\n")
    prober.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "reject reload" in prober.text(), "refused")
    assert "nonsense" in prober.text()
    prober.conf.unlink()
    prober.process.send_signal(signal.SIGHUP)
    wait_until(lambda: prober.text().count("reject reload") == 2, "refused")
    prober.conf.write_text(good)
    assert prober.get("/healthz")[0] == 503


def test_c_reload(prober):
    good = prober.conf.read_text()
    prober.conf.write_text(good.replace(str(prober.port), str(free_port()))
                           .replace("etcd =", "max_age_dcs = 5s\n\tetcd =") +
                           "agent {\n\tearly_hold = 1s\n\thold_max = 9\n}\n")
    prober.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "restart_needed=3" in prober.text(), "restart needed")
    assert "agent.early_hold" in prober.text()
    assert "prober.http_port" in prober.text()
    assert "cluster.max_age_dcs" in prober.text()
    prober.conf.write_text(good.replace("prober {",
                                        "prober {\n\tlog_level = warn"))
    prober.process.send_signal(signal.SIGHUP)
    time.sleep(0.3 * SLOW)
    prober.conf.write_text(good)
    prober.process.send_signal(signal.SIGHUP)
    wait_until(lambda: f"reload file={prober.conf}\n" in prober.text(),
               "level back at info")


def test_c_two_hundred_reloads(prober):
    before = prober.fds()
    for _ in range(200):
        prober.process.send_signal(signal.SIGHUP)
        prober.get("/healthz")
    wait_until(lambda: prober.fds() <= before, f"{before} descriptors")


def test_c_terminated_at_any_time(folder):
    seed = int(os.environ.get("SEED", "0")) or random.randrange(1 << 30)
    print(f"SEED={seed}")
    dice = random.Random(seed)
    p = Prober(folder)
    for i in range(20):
        p.start()
        time.sleep(dice.random() * 0.3)
        assert p.stop(signal.SIGINT if i % 2 else signal.SIGTERM) < 2 * SLOW
        p.log.unlink()


def test_c_notifies_when_ready(folder, monkeypatch):
    path = folder / "notify.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(str(path))
        path.chmod(0o777)
        s.settimeout(5 * SLOW)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        with Prober(folder):
            assert s.recv(100) == b"READY=1"
        assert s.recv(100) == b"STOPPING=1"
