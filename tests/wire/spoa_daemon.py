"""patroute-spoa as a daemon: its options, sockets, signals, reloads, errors."""
import grp
import os
import pathlib
import pwd
import random
import signal
import socket
import stat
import subprocess
import threading
import time

from spoa_lib import (Agent, Prober, SLOW, SPOA, Spop, USER, folder,
                      free_port, hold, member, route, wait_until)

__all__ = ["folder"]


def run(*args, timeout=5):
    return subprocess.run([str(SPOA), *map(str, args)], capture_output=True,
                          text=True, timeout=timeout * SLOW)


def test_a1_options(folder):
    assert run("--version").stdout.startswith("patroute-spoa ")
    assert run("-h").stdout.startswith("usage: ")
    for bad in (["--nonsense"], ["extra"], ["-c"]):
        done = run(*bad)
        assert done.returncode == 2 and "usage: " in done.stderr
    agent = Agent(folder)
    assert run("-c", agent.conf, "--check").returncode == 0
    assert not agent.socket.exists()
    done = run("-c", agent.conf, "--ping")
    assert done.returncode == 1 and "--ping: No such file" in done.stderr
    done = run("-c", folder / "nowhere", "--deep")
    assert done.returncode == 2 and "nowhere" in done.stderr
    assert run("-c", folder / "nowhere", "--check").returncode == 1


def test_a2_a_broken_configuration_stops_it(folder):
    agent = Agent(folder)
    good = agent.conf.read_text()
    for bad, word in ((good.replace("hold_max", "hold_mux"), "hold_mux"),
                      (good + "nonsense = 1\n", "nonsense"),
                      (good.replace('unix:', 'unix:relative/'), "listen"),
                      (good.replace("port = 5000", "port = 0"), "port"),
                      (good.replace(f'"{USER}"', '"nobody-at-all"'), "user")):
        if bad == good:
            bad = good + 'agent { hold_mux = 1 }\n'
        agent.conf.write_text(bad)
        done = run("-c", agent.conf)
        assert done.returncode == 1
        assert word in done.stderr and str(agent.conf) in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_b1_sockets_and_privileges(folder):
    port = free_port()
    agent = Agent(folder, listen=[f"unix:{folder}/agent.sock",
                                  f"tcp:127.0.0.1:{port}"])
    with agent:
        for path in (agent.socket, agent.desk):
            mode = path.stat()
            assert stat.S_IMODE(mode.st_mode) == 0o660
            assert pwd.getpwuid(mode.st_uid).pw_name == USER
            assert grp.getgrgid(mode.st_gid).gr_name == agent.group
        assert Spop(("127.0.0.1", port)).ask(route(1)).vars == {}
        status = pathlib.Path(f"/proc/{agent.process.pid}/status").read_text()
        assert "NoNewPrivs:\t1" in status
        uid = pwd.getpwnam(USER).pw_uid
        assert f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}" in status
        done = run("-c", agent.conf)
        assert done.returncode == 1
        assert "somebody listens there already" in done.stderr
    assert not agent.socket.exists() and not agent.desk.exists()


def test_b2_stale_sockets_are_replaced_files_are_not(folder):
    agent = Agent(folder)
    agent.start()
    agent.process.kill()
    agent.process.wait()
    assert agent.socket.exists()
    with agent:
        assert Spop(agent.socket).ask(route(1)).vars == {}
    agent.socket.write_text("not a socket")
    done = run("-c", agent.conf)
    assert done.returncode == 1 and "a file that is no socket" in done.stderr
    assert agent.socket.read_text() == "not a socket"


def test_b3_ready_is_said(folder):
    path = folder / "notify.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(str(path))
        path.chmod(0o666)
        s.settimeout(5 * SLOW)
        os.environ["NOTIFY_SOCKET"] = str(path)
        try:
            agent = Agent(folder)
            with agent:
                assert s.recv(100) == b"READY=1"
                assert agent.socket.exists()
            assert s.recv(100) == b"STOPPING=1"
        finally:
            del os.environ["NOTIFY_SOCKET"]


def test_c1_reload(folder):
    agent = Agent(folder, hold_timeout="20s")
    prober = Prober(agent.feed)
    prober.tell([member("b", flags=4)])
    prober.tell([member("x")], cluster="other")
    with agent:
        c = Spop(agent.socket)
        wait_until(lambda: c.ask(route(1)).vars.get("action") == "hold",
                   "fresh")
        c.send(hold(2) + hold(3, 1, "strict"))
        text = agent.text
        agent.conf.write_text(agent.conf.read_text() + "broken {\n")
        agent.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "reload kept=old" in text(), "said so")
        assert str(agent.conf) in text()
        # Another name and another order; `strict` goes, `write` stays.
        agent.write(listen=(
            'listen new {\n\tport = 5009\n\ttarget = replica\n}\n'
            'listen write {\n\tport = 5000\n\ttarget = primary\n}\n'),
            desk_socket=str(folder / "other.sock"))
        agent.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "reload clusters=1 listeners=2" in text(), "done")
        assert "needs=restart" in text()
        f = c.next()
        assert (f.stream, f.unset) == (3, ["action"])
        assert c.ask(route(4, 1, "read")).vars == {}
        assert c.ask(route(5, 1, "new")).vars["action"] == "hold"
        prober.normal()
        f = c.next()
        assert (f.stream, f.vars["server"]) == (2, "a")
        for _ in range(300):
            agent.process.send_signal(signal.SIGHUP)
        assert c.ask(route(6)).vars["server"] == "a"
    # The sockets that it made, not those of the file that came later.
    assert not agent.socket.exists() and not agent.desk.exists()
    prober.stop()


def test_d1_stopped_at_any_time(folder):
    seed = int(os.environ.get("SEED", "20240607"))
    print(f"SEED={seed}")
    r = random.Random(seed)
    agent = Agent(folder)
    prober = Prober(agent.feed)
    prober.normal()
    stop = threading.Event()

    def load():
        while not stop.is_set():
            try:
                c = Spop(agent.socket)
                for i in range(50):
                    c.send(route(i) * r.randrange(1, 20))
                    c.next()
                c.close()
            except (OSError, AssertionError):
                time.sleep(0.005)

    threads = [threading.Thread(target=load) for _ in range(3)]
    for t in threads:
        t.start()
    try:
        for _ in range(15):
            agent.start()
            time.sleep(r.random() * 0.15)
            assert agent.stop(r.choice([signal.SIGTERM, signal.SIGINT])) < 2
    finally:
        stop.set()
        for t in threads:
            t.join()
        prober.stop()


def test_e1_the_log_reader_is_stopped(folder):
    """A log that nobody reads holds up no decision."""
    agent = Agent(folder)
    out, into = os.pipe()
    agent.process = subprocess.Popen([str(SPOA), "-c", str(agent.conf)],
                                     stdin=subprocess.DEVNULL, stderr=into)
    os.close(into)
    wait_until(agent.socket.exists, "there")
    for i in range(800):
        c = Spop(agent.socket, greet=False)
        c.send(b"\xff" * 8)
        c.close()
    c = Spop(agent.socket)
    began = time.monotonic()
    assert c.ask(route(1)).vars == {}
    assert time.monotonic() - began < 0.5 * SLOW
    c.close()
    agent.process.terminate()
    assert agent.process.wait(3 * SLOW) == 0
    os.close(out)
