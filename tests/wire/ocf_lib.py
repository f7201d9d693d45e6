"""
What the tests of the resource agents share: the agents as installed, called
the way Pacemaker calls them, with the real programs.
"""
import concurrent.futures
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

from wire_lib import BUILD, GROUP, SLOW, USER, folder, free_port, wait_until

__all__ = ["folder", "root"]

OK, FAILED, ARGS, UNKNOWN, INSTALLED, STOPPED = 0, 1, 2, 3, 5, 7
PROBER = BUILD / "prober" / "patroute-prober"
SPOA = BUILD / "spoa" / "patroute-spoa"
HAPROXY = "/usr/sbin/haproxy"
AGENTS = ("patroute-prober", "patroute-spoa", "haproxy")


@pytest.fixture(scope="module")
def root():
    """Where the install step puts them, readable by anybody."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="patroute-ocf-"))
    path.chmod(0o755)
    subprocess.run(["cmake", "--install", str(BUILD), "--prefix", str(path)],
                   check=True, stdout=subprocess.DEVNULL)
    yield path / "lib" / "ocf"
    shutil.rmtree(path)


class Ra:
    """One resource agent with its parameters, and the daemon it keeps."""

    def __init__(self, root, folder, name, **parameters):
        self.name = name
        self.path = root / "resource.d" / "patroute" / name
        self.folder = pathlib.Path(folder)
        self.log = self.folder / f"{name}.log"
        self.state = self.folder / "state"
        self.pidfile = self.state / f"{name}-test.pid"
        self.parameters = {"log": self.log, **parameters}
        self.said = ""
        self.root = root
        self.first = self.folder / "first"
        self.noted = {}

    def __repr__(self):
        return self.name

    def environment(self, **more):
        keys = {**self.parameters, "CRM_meta_timeout": 20000,
                "CRM_meta_interval": 2000}
        env = {k: v for k, v in os.environ.items()
               if not k.startswith(("OCF_", "HA_"))}
        env.update({f"OCF_RESKEY_{k}": str(v) for k, v in keys.items()},
                   PATH=f"{self.first}:{env['PATH']}",
                   OCF_ROOT=str(self.root), HA_RSCTMP=str(self.state),
                   OCF_FUNCTIONS_DIR="/usr/lib/ocf/lib/heartbeat",
                   OCF_RESOURCE_INSTANCE="test", PCMK_logfile="none")
        env.update({k: str(v) for k, v in more.items()})
        return env

    def __call__(self, action, **more):
        """The action's answer; what it said is in self.said."""
        done = subprocess.run([str(self.path), action], text=True,
                              env=self.environment(**more), timeout=30 * SLOW,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.said = done.stdout + done.stderr
        if action == "start":
            self.note()
        return done.returncode

    def deep(self):
        return self("monitor", OCF_CHECK_LEVEL=10)

    def probe(self):
        return self("monitor", OCF_RESKEY_CRM_meta_interval=0)

    def pid(self):
        return int(self.pidfile.read_text().split()[0])

    def put_first(self, name, text):
        """A script that the agent finds before the program of that name."""
        self.first.mkdir(exist_ok=True)
        (self.first / name).write_text("#!/bin/sh\n" + text)
        (self.first / name).chmod(0o755)

    def started(self):
        assert self("start") == OK, self.said + self.text()
        return self.pid()

    def text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def family(self):
        """The daemon and all that it started: those of its session."""
        return [p for p in processes() if stat_of(p, "session") == self.pid()]

    def tester(self):
        given = [x for k, v in self.parameters.items()
                 for x in ("-o", f"{k}={v}")]
        done = subprocess.run(
            ["/usr/sbin/ocf-tester", "-n", "test", *given, str(self.path)],
            env=self.environment(), text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        self.note()
        return done

    def note(self):
        with contextlib.suppress(OSError):
            self.noted[self.pid()] = stat_of(self.pid(), "began")

    def end(self):
        """Whatever a failed test left, its pidfile or none. A session's number
        is no other process's while somebody is in it."""
        ours = [s for s, began in self.noted.items()
                if stat_of(s, "began") in (None, began)]
        for pid in processes():
            if stat_of(pid, "session") in ours:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def bystander():
    """A process that is none of ours."""
    with subprocess.Popen(["sleep", "1000"]) as other:
        try:
            yield other
        finally:
            other.kill()


def processes():
    return [int(x) for x in os.listdir("/proc") if x.isdigit()]


def stat_of(pid, what):
    """A field of /proc/PID/stat; None if there is no such process."""
    place = {"state": 0, "session": 3, "nice": 16, "began": 19}[what]
    with contextlib.suppress(OSError):
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace")
        field = text.rsplit(")", 1)[1].split()[place]
        return field if what == "state" else int(field)
    return None


def is_there(pid):
    return stat_of(pid, "state") not in (None, "Z")


def freeze(pid):
    """Until then a thread that has not heard of it goes on."""
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: stat_of(pid, "state") == "T", "stands still")


def write_conf(folder):
    """A patroute.conf for both programs. Gives: its path."""
    run = folder / "run"
    path = folder / "patroute.conf"
    path.write_text(
        f'user = "{USER}"\ngroup = "{GROUP}"\n'
        'cluster main { etcd = {"http://127.0.0.1:1"} }\n'
        'listen write { port = 5000 target = primary }\n'
        f'prober {{ http_port = {free_port()} feed_socket = "{run}/feed.sock"'
        f' http_socket = "{run}/http.sock"'
        f' haproxy_socket = "{run}/admin.sock"'
        f' haproxy_master_socket = "{run}/master.sock" }}\n'
        f'agent {{ listen = "unix:{run}/agent.sock"'
        f' desk_socket = "{run}/desk.sock" }}\n')
    return path


def write_haproxy(folder, port, behind):
    """HAProxy's: `port` leads to `behind`; NAME in its environment is wanted.
    Gives: its path, and the port of the stats page."""
    stats = free_port()
    path = folder / "haproxy.cfg"
    path.write_text(
        '.if !defined(NAME)\n    .alert "NAME is not set"\n.endif\n'
        f'global\n    stats socket {folder}/admin.sock level admin\n'
        'defaults\n    timeout connect 1s\n    timeout client 1m\n'
        '    timeout server 1m\n'
        f'listen tcp\n    mode tcp\n    bind 127.0.0.1:{port}\n'
        f'    server behind 127.0.0.1:{behind}\n'
        f'frontend page\n    mode http\n    bind 127.0.0.1:{stats}\n'
        '    stats enable\n    stats uri /\n'
        '    http-after-response set-header name "${NAME}"\n')
    return path, stats


def make(root, folder, name, port=None, behind=1):
    """The agent of that name with parameters for `folder`."""
    if name != "haproxy":
        return Ra(root, folder, name, config=write_conf(folder),
                  binary=PROBER if name == "patroute-prober" else SPOA)
    config, stats = write_haproxy(folder, port or free_port(), behind)
    env = folder / "haproxy.env"
    env.write_text("# a comment\nNAME=$(touch /nothing)`x` a+b/c==\n")
    return Ra(root, folder, name, binary=HAPROXY, config=config, env_file=env,
              socket=folder / "admin.sock", master=folder / "master.sock",
              probe=f"http://127.0.0.1:{stats}/", drain=1)


def at_once(*calls):
    """Runs them beside each other: most of their time is waiting."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return [f.result() for f in [pool.submit(c) for c in calls]]


def timed(call):
    began = time.monotonic()
    answer = call()
    return answer, time.monotonic() - began


def connects(port):
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 5 * SLOW).close()
        return True
    return False
