"""Names: resolved by a child process, whatever DNS does."""
import os
import pathlib
import signal
import shlex
import subprocess
import time

import pytest
from sources_lib import DRIVER, Driver, wait_for


def get(d, name):
    d.say(f"get {name}")
    return d.next(lambda x: x["kind"] == "name" and x["name"] == name)


def children(pid):
    """Process ids of the whole tree below pid."""
    found = []
    for p in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            ppid = int((p / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if ppid == pid:
            found += [int(p.name)] + children(int(p.name))
    return found


def is_gone(pid):
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def test_numeric_and_known_names():
    with Driver("resolve") as d:
        assert get(d, "192.0.2.7")["addr"] == "192.0.2.7"
        assert get(d, "::1")["addr"] == "::1"
        first = get(d, "localhost")
        assert first["known"] == 0 and first["took_us"] < 5000
        d.next(lambda x: x["kind"] == "change", what="an address")
        assert get(d, "localhost")["addr"] in ("127.0.0.1", "::1")
        assert get(d, "a%b")["known"] == 0


def test_the_child_is_followed_by_another():
    with Driver("resolve") as d:
        (child,) = wait_for(lambda: children(d.p.pid), "the child")
        os.kill(child, signal.SIGKILL)
        wait_for(lambda: get(d, "localhost")["known"], "an address", 5)
        assert children(d.p.pid) != [child]


def test_the_child_ends_with_its_parent():
    d = Driver("resolve")
    (child,) = wait_for(lambda: children(d.p.pid), "the child")
    d.p.kill()
    d.p.wait()
    wait_for(lambda: is_gone(child), "the child's end", 3)


@pytest.fixture
def dead_dns(tmp_path):
    """A network in which DNS packets vanish."""
    conf = tmp_path / "resolv.conf"
    conf.write_text("nameserver 127.0.0.2\noptions timeout:10\n")
    script = (f"ip link set lo up; mount --bind {conf} /etc/resolv.conf; "
              "iptables -A INPUT -p udp --dport 53 -j DROP; "
              "exec \"$0\" resolve")
    wrapper = tmp_path / "driver"
    wrapper.write_text(f"#!/bin/sh\nexec unshare -n -m sh -c '{script}' "
                       f"{shlex.quote(str(DRIVER))}\n")
    wrapper.chmod(0o755)
    subprocess.run([wrapper], stdin=subprocess.DEVNULL, check=True)
    return wrapper


def test_dead_dns_stops_nothing(dead_dns):
    with Driver(program=dead_dns) as d:
        assert get(d, "db1.example.com")["took_us"] < 5000
        wait_for(lambda: len(children(d.p.pid)) >= 2, "the lookup")
        # Another name is not behind it, and the loop answers meanwhile.
        began = time.monotonic()
        wait_for(lambda: get(d, "localhost")["known"], "localhost", 3)
        assert get(d, "db1.example.com")["known"] == 0
        assert time.monotonic() - began < 2
        tree = children(d.p.pid)
        began = time.monotonic()
        d.close()
        assert time.monotonic() - began < 2
        # The lookup that was under way did not outlive us.
        wait_for(lambda: all(map(is_gone, tree)), "the lookup's end", 2)
