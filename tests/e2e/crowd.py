"""
A load that PostgreSQL would not bear here: a new connection costs it 3-9 ms
of processor, so that two cores end at some 200 a second.

    with crowd.behind(lab, "hap2"):
        … 500 connections a second to hap2's ports …

Everything that gives the verdict stays real: etcd, Patroni, PostgreSQL, the
prober and the agent of that host, HAProxy with the product's configuration
and with the classic one, its checks of the prober and of Patroni's 8008. Only
the port of the server lines is another, on which a patroute-responder on each
node says what that node's PostgreSQL says: who it is and whether it is in
recovery, asked from it at the start; `stands` tells whether that held.

HAProxy and the responders run before all others, as the meter does: what else
the machine has to do is no delay of the routers'. Prober and agent do not.
"""

import contextlib
import os
import socket
import subprocess

import meter
from patroute_lab import programs
from patroute_lab.state import read, write
from patroute_lab.waiting import until

PORT = 15432
FIRST = ["chrt", "--fifo", "1"]
INSIDE = "/run/patroute-host"
# By then each server was checked at least once, whatever the timings.
SETTLE = 20.0
# How many servers are up where the verdict or Patroni has been heard.
UP = {"main_write": 1, "main_read": 2, "main_classic_write": 1,
      "main_classic_read": 2, "classic_write": 1, "classic_read": 2}


def moved(text):
    """A configuration whose servers are the responders."""
    found = text.replace(":5432", f":{PORT}")
    assert found != text
    return found


def copy(name):
    """The name of a file's moved copy among the host's own."""
    return f"crowd-{name}"


def _program(lab, host):
    return next(p for p in programs.table(lab, host) if p.name == "haproxy")


def _argv(lab, host):
    """The host's HAProxy on copies of its files, moved."""
    found = list(FIRST)
    for word in _program(lab, host).argv:
        if word.endswith(".cfg"):
            name = copy(os.path.basename(word))
            path = lab.paths.host(host) + word[len(INSIDE):] \
                if word.startswith(INSIDE + "/") else word
            write(lab.paths.host(host, name), moved(read(path)))
            word = f"{INSIDE}/{name}"
        found.append(word)
    return found


def _haproxy(lab, host, argv):
    """Ends the host's HAProxy and starts it with another command line."""
    machine = lab.machine(host)
    mine = _program(lab, host)
    with lab.locked():
        machine.stop_program("haproxy", 10)
        mine.prepare()
        machine.spawn("haproxy", mine.user, argv, mine.env)
        until(f"haproxy on {host.name}", 10, mine.ready,
              lambda: machine.log_end("haproxy"))


def servers(lab, name):
    """[{column: value}]: what `show stat` says of that HAProxy's servers."""
    path = f"/proc/{lab.machine(name).init}/root/run/haproxy/admin.sock"
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(path)
        client.sendall(b"show stat -1 4 -1\n")
        text = b"".join(iter(lambda: client.recv(65536), b"")).decode()
    head, *lines = [line for line in text.splitlines() if line]
    columns = head.lstrip("# ").split(",")
    return [dict(zip(columns, line.split(","))) for line in lines]


def _has_settled(lab, name):
    try:
        found = servers(lab, name)
    except OSError:             # the socket of the one before is still there
        return False
    up = {backend: sum(1 for s in found if s["pxname"] == backend
                       and s["status"].startswith("UP"))
          for backend in UP}
    return up == UP and all(s["check_status"] not in ("", "INI")
                            for s in found if s["pxname"] in UP)


def is_there(lab, name):
    """Whether that host's HAProxy is the one that leads to responders."""
    return all(s["addr"].endswith(f":{PORT}") for s in servers(lab, name)
               if s["pxname"] in UP)


def _responder(lab, host):
    build = os.path.dirname(meter.binary())
    role = "replica" if meter.direct_psql(
        lab, host.name, "SELECT pg_is_in_recovery()") == "t" else "primary"
    return subprocess.Popen(lab.command(host.name, [
        *FIRST, os.path.join(build, "patroute-responder"), host.address,
        str(PORT), role]))


@contextlib.contextmanager
def behind(lab, name):
    """From here on `name`'s HAProxy leads to responders; real again after."""
    host = lab.host(name)
    nodes = [each for each in lab.hosts.values() if each.role == "node"]
    running = []
    try:
        for node in nodes:
            running.append(_responder(lab, node))
        _haproxy(lab, host, _argv(lab, host))
        until(f"the checks of haproxy on {name}", SETTLE,
              lambda: _has_settled(lab, name),
              lambda: lab.machine(host).log_end("haproxy"))
        assert all(each.poll() is None for each in running)
        yield
    finally:
        for each in running:
            each.terminate()
            each.wait(10)
        _haproxy(lab, host, _program(lab, host).argv)


def stands(h):
    """Whether nobody's role changed, as the members themselves say: what
    the responders were told at the start was true to the end."""
    roles = ({said["state"] for said in lines} - {"silent"}
             for lines in h.members.values())
    return len({name for _, name in h.leader_events()}) == 1 and \
        all(len(each) == 1 for each in roles)
