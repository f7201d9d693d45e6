"""The lab comes and goes: whole, repairable, and without a trace.

These tests use a lab of their own beside the session's, so they show as
well that two labs do not disturb each other.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import time

import pytest

from patroute_lab import Lab, procs

# These see what `lab up` makes of a lab, Pacemaker's part of it too.
pytestmark = pytest.mark.pacemaker

# The life of a lab is the same without our programs, but quicker.
QUICK = ("route=classic", "checks=tuned")
KINDS = ("net", "pid", "mnt", "uts", "ipc")
FOLDERS = ("/run", "/var/lib", "/etc", "/var/log", "/dev/shm", "/tmp")


@pytest.fixture
def own_name():
    """The name of the second lab; it is gone after the test."""
    name = "life"
    Lab(name, say=lambda text: None).down()
    yield name
    Lab(name, say=lambda text: None).down()


def must_be_healthy(lab):
    """Patroni may have a replica connect anew at any time, for 5 s."""
    end = time.monotonic() + 20
    while lab.trouble():
        assert time.monotonic() < end, lab.trouble()
        time.sleep(0.2)


def run(command, name, *args, timeout=120):
    """Runs the command `lab` for that lab."""
    return subprocess.run(
        [command] + list(args), capture_output=True, text=True,
        env={**os.environ, "LAB_NAME": name}, timeout=timeout, check=False)


def must(command, name, *args):
    done = run(command, name, *args)
    assert done.returncode == 0, done.stderr
    return done


def output(*argv):
    return subprocess.run(argv, capture_output=True, text=True,
                          check=True).stdout


class Machine:
    """What a lab could leave on the machine, at one moment."""

    def __init__(self):
        with open("/proc/self/mountinfo", encoding="utf-8") as file:
            # Without the ids, which count on.
            self.mounts = {line.split(" ", 2)[2] for line in file}
        self.links = set(json_names("link"))
        self.addresses = output("ip", "-o", "addr", "show")
        self.routes = output("ip", "route", "show", "table", "all")
        self.rules = re.sub("#.*", "", output("iptables", "-S"))
        self.files = {os.path.join(folder, name) for folder in FOLDERS
                      for name in os.listdir(folder)}
        self.names = set(os.listdir("/run/netns")) \
            if os.path.isdir("/run/netns") else set()


def json_names(kind):
    return [entry["ifname"]
            for entry in json.loads(output("ip", "-j", kind, "show"))]


def namespaces_of(lab):
    """The inodes of every namespace that the lab's processes live in,
    the machine's own excepted."""
    found = set()
    for host in lab.hosts.values():
        box = lab.machine(host)
        for process in [box.init] + [p.pid for p in box.processes()]:
            for kind in KINDS:
                with contextlib.suppress(OSError):
                    found.add((kind, os.stat(
                        f"/proc/{process}/ns/{kind}").st_ino))
    return found - {(kind, os.stat(f"/proc/self/ns/{kind}").st_ino)
                    for kind in KINDS}


def alive_in(spaces):
    """The processes in any of these namespaces."""
    return [process for kind in KINDS for process in procs.in_namespace(
        kind, {inode for each, inode in spaces if each == kind})]


def naming(text):
    """The processes whose command line names the lab's folders."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            with contextlib.suppress(OSError), \
                    open(f"/proc/{entry}/cmdline", "rb") as file:
                if text.encode() in file.read():
                    found.append(entry)
    return found


def assert_no_trace(before, after, name):
    """`after` has nothing of the lab that `before` had not. Other labs
    may come and go meanwhile; theirs is told by their names."""
    def foreign(text):
        return re.search(rf"/patroute-(?!{name}\b)[a-z]", text) or \
            re.search(rf"/run/netns/(?!{name}-)[a-z]", text)
    assert after.links == before.links
    assert after.addresses == before.addresses
    assert after.routes == before.routes
    assert after.rules == before.rules
    assert not {each for each in after.names if each.startswith(name)}
    mine = {each for each in after.mounts - before.mounts
            if not foreign(each)}
    if after.names:             # /run/netns itself: another lab's by now
        mine = {each for each in mine if " /run/netns " not in each}
    assert mine == set()
    left = {path for path in after.files - before.files
            if name in os.path.basename(path)
            or ("patroute" in path and not foreign(path))}
    if after.names:
        left -= {"/run/patroute-netns"}
    assert left == set()
    assert naming(f"/patroute-{name}") == []


def test_down_leaves_nothing_and_disturbs_no_other_lab(
        lab, lab_command, own_name):
    pids = {p.pid for host in lab.hosts
            for p in lab.machine(host).program("patroni")}
    before = Machine()
    must(lab_command, own_name, "up", "--set", "checks=tuned")
    own = Lab(own_name)
    spaces = namespaces_of(own)
    assert len(spaces) == 10 * len(KINDS)
    assert len(alive_in(spaces)) > 40
    # While it is up the machine's own network knows nothing of it.
    during = Machine()
    assert during.links == before.links
    assert during.addresses == before.addresses
    assert during.routes == before.routes
    assert during.rules == before.rules
    # Faults of the worst kind first: they must not hide anything.
    own.freeze("node2")
    own.freeze("etcd1", "etcd")
    own.cut("node3")
    own.kill("hap1")
    must(lab_command, own_name, "down")
    assert alive_in(spaces) == []
    assert_no_trace(before, Machine(), own_name)
    must_be_healthy(lab)
    assert pids == {p.pid for host in lab.hosts
                    for p in lab.machine(host).program("patroni")}


def of_programs(lab):
    """By their notes: Pacemaker's monitor of HAProxy has its name, too."""
    return {p.pid for host in lab.hosts
            for name in ("etcd", "patroni", "haproxy")
            for p in lab.machine(host).program(name)}


def test_up_twice_changes_nothing(lab, lab_command):
    before = of_programs(lab)
    assert len(before) > 9
    done = must(lab_command, lab.name, "up")
    assert "started" not in done.stderr
    assert before == of_programs(lab)


def test_up_repairs_every_fault(lab, lab_command):
    # First: by what follows this host has no quorum, and stops it itself.
    lab.exec("hap3", ["pkill", "-9", "haproxy"])
    lab.kill("hap2")
    lab.kill("etcd2")
    lab.freeze("node2")
    lab.cut("hap1")
    lab.stop_patroni("node3")
    assert len(lab.trouble()) >= 6
    must(lab_command, lab.name, "up")
    must_be_healthy(lab)
    assert lab.psql(5000, "SELECT pg_is_in_recovery()") == "f"


# Where `up` is when it is killed: hosts half made, etcd starting, Patroni
# making its cluster, replicas copying, HAProxy's checks. Every day some of
# these moments, all of them by hand (LAB_LIFE=all).
IS_ALL = os.environ.get("LAB_LIFE") == "all"
UP_MOMENTS = [0.15, 0.3, 0.6, 1.0, 2.0, 4.0] if IS_ALL else [0.3, 1.0, 4.0]
DOWN_MOMENTS = [0.15, 0.25, 0.35] if IS_ALL else [0.25]


@pytest.mark.parametrize("seconds", UP_MOMENTS)
def test_up_killed_half_way_is_repaired(lab_command, own_name, seconds):
    before = Machine()
    options = ["up", "--set", *QUICK, "loop_wait=2"]
    kill_after(seconds, lab_command, own_name, *options)
    must(lab_command, own_name, *options)
    own = Lab(own_name)
    must_be_healthy(own)
    assert own.psql(5000, "SELECT pg_is_in_recovery()") == "f"
    kill_after(seconds / 15, lab_command, own_name, "down")
    must(lab_command, own_name, "down")
    assert_no_trace(before, Machine(), own_name)


@pytest.mark.parametrize("seconds", DOWN_MOMENTS)
def test_up_after_a_down_that_was_killed(lab_command, own_name, seconds):
    options = ["up", "--set", *QUICK, "loop_wait=2"]
    must(lab_command, own_name, *options)
    kill_after(seconds, lab_command, own_name, "down")
    must(lab_command, own_name, *options)
    must_be_healthy(Lab(own_name))


def kill_after(seconds, command, name, *args):
    """Starts the command and kills it, its helpers too, after a while."""
    with subprocess.Popen([command] + list(args),
                          env={**os.environ, "LAB_NAME": name},
                          stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL,
                          start_new_session=True) as child:
        time.sleep(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)


def test_down_without_a_lab_is_no_error(lab_command, own_name):
    before = Machine()
    assert "no lab" in must(lab_command, own_name, "down").stderr
    assert_no_trace(before, Machine(), own_name)


def test_options_are_real_and_calls_queue(lab_command, own_name):
    chosen = ["ttl=20", "loop_wait=5", "retry_timeout=5", "members=2",
              "etcd_api=2", "synchronous_mode=on", "failsafe_mode=on",
              "maximum_lag_on_failover=2000000", "pg_tmpfs=300m",
              "pg.max_connections=77", *QUICK]
    with subprocess.Popen([lab_command, "up", "--set"] + chosen,
                          env={**os.environ, "LAB_NAME": own_name},
                          stderr=subprocess.DEVNULL) as first:
        own = Lab(own_name, say=lambda text: None)
        while not os.path.exists(own.paths.settings):
            assert first.poll() is None
            time.sleep(0.01)
        # The second waits for the first and finds nothing to do.
        assert "waiting" in must(lab_command, own_name, "up").stderr
        assert first.wait(60) == 0
    own = Lab(own_name)
    assert [m["host"] for m in own.status()["members"]] == [
        "dc1-psql-node1", "dc1-psql-node2"]
    config = json.loads(own.rest("node1", "/config")[1])
    assert (config["ttl"], config["loop_wait"], config["retry_timeout"],
            config["synchronous_mode"], config["failsafe_mode"],
            config["maximum_lag_on_failover"]) == (20, 5, 5, True, True,
                                                   2000000)
    assert own.psql(5000, "SHOW max_connections") == "77"
    disk = own.exec("node1", ["df", "-BM", "--output=fstype,size",
                              "/var/lib/postgresql/data"]).stdout
    assert disk.split()[-2:] == ["tmpfs", "300M"]
    keys = own.exec("etcd1", ["curl", "-s", "http://127.0.0.1:2379"
                              "/v2/keys/service/main/leader"]).stdout
    assert json.loads(keys)["node"]["value"] == "node1"
    # A machine that loses power keeps its disk, a tmpfs too.
    mark = own.exec("node2", ["stat", "-c", "%i",
                              "/var/lib/postgresql/data/PG_VERSION"])
    own.kill("node2")
    own.start("node2")
    again = own.exec("node2", ["stat", "-c", "%i",
                               "/var/lib/postgresql/data/PG_VERSION"])
    assert mark.stdout == again.stdout
    # Other options are refused, none means those that it has.
    refused = run(lab_command, own_name, "up", "--set", "ttl=40")
    assert refused.returncode == 1 and "other options" in refused.stderr


CHROOT = """
set -eu
root=$1 lab=$2
# Shared, as systemd has it: what leaks out of the chroot shows.
mount --make-rshared /
for dir in usr etc var/lib/dpkg proc sys dev "$lab/../.." ; do
    mkdir -p "$root/$dir"
    mount --rbind "/$dir" "$root/$dir"
done
mkdir -p "$root/run" "$root/tmp" "$root/var/log" \\
    "$root/var/lib/postgresql" "$root/var/lib/etcd"
chmod 1777 "$root/tmp"
for name in bin sbin lib lib64; do ln -s "usr/$name" "$root/$name"; done
mounts() { grep -v /run/netns /proc/self/mountinfo | cut -d" " -f5; }
mounts >"$root/before"
code=0
chroot "$root" sh -eu -c '
    lab=$1/lab
    ! grep -q " / / " /proc/self/mountinfo
    "$lab" up --set route=classic checks=tuned
    "$lab" psql 5000 -Atc "SELECT 6 * 7"
    "$lab" exec hap1 "$lab" exec app1 hostname' sh "$lab" || code=$?
mounts | diff "$root/before" -
chroot "$root" "$lab/lab" down
! grep /run/netns/life- /proc/self/mountinfo
ls "$root/run" "$root/var/lib"
exit $code
"""


def test_works_in_a_chroot_that_is_no_mount(tmp_path, lab_command,
                                            own_name):
    tmp_path.chmod(0o755)       # it is the / of other users there
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c",
         CHROOT, "sh", str(tmp_path), os.path.dirname(lab_command)],
        env={**os.environ, "LAB_NAME": own_name}, capture_output=True,
        text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.split()
    assert lines[:2] == ["42", "app1"]
    assert not [line for line in lines if own_name in line]


def test_nothing_leaves_the_namespaces(lab):
    machine = [address["local"]
               for link in json.loads(output("ip", "-j", "addr", "show"))
               for address in link["addr_info"]
               if address["family"] == "inet"
               and not address["local"].startswith("127.")]
    assert "192.168.34." not in output("ip", "addr", "show")
    assert "192.168.34." not in output("ip", "route", "show", "table",
                                       "all")
    for host in lab.hosts:
        routes = lab.exec(host, ["ip", "route"]).stdout.splitlines()
        assert all(line.startswith("192.168.34.0/24 dev eth0")
                   for line in routes)
        links = lab.exec(host, ["ip", "-o", "link"]).stdout
        assert sorted(line.split()[1].split("@")[0].rstrip(":")
                      for line in links.splitlines()) == ["eth0", "lo"]
        for address in machine + ["1.1.1.1"]:
            ping = lab.exec(host, ["curl", "-s", "-m", "1", "-o",
                                   "/dev/null", f"http://{address}"],
                            check=False)
            assert ping.returncode == 7     # no route: at once
