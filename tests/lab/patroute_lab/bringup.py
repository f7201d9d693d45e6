"""Up and down: the order of things, each step such that a lab whose
maker was killed anywhere is repaired by the next `up`."""

import glob
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import psycopg2

from . import config, dcs, faults, hosts, netns, ours, pacemaker, procs
from . import programs, settings, state, status, tls, wire
from .errors import LabError
from .machine import LAB_DIR, PATH
from .waiting import until

DAEMON = ["/usr/bin/python3", "-m", "patroute_lab.daemon"]


def up(lab, pairs):
    """Brings the lab up; the caller holds its lock."""
    chosen = settings.resolve(pairs)
    if os.path.exists(lab.paths.going):
        lab.say("a `down` was ended half-way: it goes on first")
        down(lab, keep_lock=True)
    kept = state.read_settings(lab.paths)
    if kept is not None and pairs and kept != chosen:
        if lab.complete:
            raise LabError("the lab is up with other options "
                           "(`lab status --json` shows them): "
                           "`lab down` first")
        lab.say("what is left of a lab with other options goes first")
        down(lab, keep_lock=True)
        kept = None
    lab.adopt(kept or chosen)
    dcs.install(lab.settings)
    missing = programs.version_missing(lab.settings)
    if missing:
        raise LabError(f"no PostgreSQL {lab.settings['pg_version']}: "
                       f"{missing} is missing")
    if ours.is_on(lab.settings):
        ours.build(lab.say)
    state.write(lab.paths.settings, state.json.dumps(lab.settings) + "\n")
    state.write(f"{lab.paths.shared}/inside", lab.name + "\n")
    _start_daemon(lab)
    _make_hosts(lab)
    with ThreadPoolExecutor(1) as beside:
        forming = _form(lab, beside)
        _start_cluster(lab)
        _wait_cluster(lab)
        if not lab.complete:
            _unhurry(lab)
        _start_routers(lab, forming)
    state.write(lab.paths.complete, "")
    found = status.collect(lab)
    lab.say(f"up: leader {found['leader']}, VIP {hosts.VIP} on "
            f"{found['vip']}")


def _make_hosts(lab):
    fresh = [host for host in lab.hosts.values()
             if not lab.machine(host).whole]
    if fresh:
        lab.say(f"{len(fresh)} hosts: " + " ".join(h.name for h in fresh))
    netns.make_switch(lab.name)
    for host in lab.hosts.values():
        _prepare(lab, host)
        lab.machine(host).up(lab.hosts)
    for host in lab.hosts.values():
        box = lab.machine(host)
        box.wait_ready()
        tls.prepare(lab, host)
        if host not in fresh:
            faults.heal(lab, host)
            faults.thaw(lab, host, "all")


def _prepare(lab, host):
    """What a host has before it is made."""
    _tmpfs(lab, host)
    pacemaker.prepare(lab, host)


def _tmpfs(lab, host):
    """The data directory on a tmpfs of that size, mounted outside of the
    host so that it outlives a kill, as a disk does."""
    size = lab.settings["pg_tmpfs"]
    path = lab.paths.host_data(host, "postgresql")
    if size and host.role == "node" and not netns.mounted(path):
        os.makedirs(path, exist_ok=True)
        netns.run(["mount", "-n", "-t", "tmpfs", "-o", f"size={size}", "lab",
                   path])


def _start(lab, role):
    for host in lab.hosts.values():
        if host.role == role:
            started = programs.start(lab, host)
            if started:
                lab.say(f"{host.name}: {', '.join(started)} started")


def _form(lab, beside):
    """Pacemaker's hosts find each other, and it learns what it is to run,
    while Patroni makes the database. None without it."""
    if not pacemaker.is_on(lab.settings):
        return None
    pacemaker.let_go(lab)
    _start(lab, "hap")
    return beside.submit(pacemaker.form, lab)


def _start_cluster(lab):
    _start(lab, "etcd")
    for host in lab.hosts.values():
        if host.role == "etcd":
            wait_programs(lab, host, 40)
    lab.say(f"{lab.settings['dcs']} answers")
    nodes = [host for host in lab.hosts.values() if host.role == "node"]
    fresh = not dcs.is_initialised(lab)
    for host in nodes:
        if programs.start(lab, host):
            lab.say(f"{host.name}: patroni started")
        # The first node makes the cluster: the others would only race.
        if fresh and host is nodes[0]:
            until("cluster initialised", 60,
                  lambda: dcs.is_initialised(lab),
                  lambda: programs.log_end(lab, nodes[0]))


def wait_programs(lab, host, seconds):
    """Until all that runs on the host serves."""
    for program in programs.table(lab, host):
        def ready(each=program):
            if not each.managed:
                _must_live(lab, host, each.name)
            return lab.machine(host).program(each.name) and each.ready()
        until(f"{program.name} on {host.name}", seconds, ready,
              lambda: programs.log_end(lab, host))


def _must_live(lab, host, name):
    """A program that ended will not be ready: no use in waiting."""
    if not lab.machine(host).program(name):
        raise LabError(f"{name} on {host.name} ended",
                       programs.log_end(lab, host))


def _wait_cluster(lab):
    said = []
    nodes = [host for host in lab.hosts.values() if host.role == "node"]

    def healthy():
        for host in nodes:
            _must_live(lab, host, "patroni")
        said[:] = status.trouble(status.collect(lab), routers=False)
        return not said

    def detail():
        return "\n".join(said + [programs.log_end(lab, h) for h in nodes])
    until("a leader, and replicas that stream", 120, healthy, detail)
    lab.say("members run, replicas stream")


def _unhurry(lab):
    """From here on the members have the timings that were asked for;
    each takes them over within the second of its present loop."""
    leader = lab.machine(status.collect(lab)["leader"])
    code, text = wire.request(
        leader.namespace, 8008, "/config",
        config.unhurried(config.dcs(lab.settings)), 10.0, "PATCH",
        tls.context(lab, leader.host))
    if code != 200:
        raise LabError(f"Patroni's /config: {code} {text.strip()}")


def _start_routers(lab, forming):
    """Last: what HAProxy's checks see at first is then already true, and
    no server has to rise again."""
    _start(lab, "hap")
    if forming is not None:
        forming.result()
        pacemaker.begin(lab)
        lab.say("Pacemaker has its cluster")
    routers = [host for host in lab.hosts.values() if host.role == "hap"]
    for host in routers:
        wait_programs(lab, host, 20)
    if forming is not None:
        lab.say(f"{pacemaker.wait_placed(lab)}: has the VIP")
    for host in routers:
        _wait_routed(lab, host)


def _wait_routed(lab, host):
    """Until that HAProxy's checks have seen the cluster as it is: each
    port meets every member of its kind, and no other."""
    leader = lab.host(status.collect(lab)["leader"]).address
    members = {each.address for each in lab.hosts.values()
               if each.role == "node"}
    reads = members - {leader}
    wanted = {5000: {leader}, 5001: reads,
              5002: reads if ours.is_on(lab.settings) else members}
    for port, addresses in wanted.items():
        if addresses:
            until(f"port {port} on {host.name}", 30,
                  lambda p=port, a=addresses: _met(lab, host, p) == a,
                  lambda: programs.log_end(lab, host))


def _met(lab, host, port):
    """The members that a round of connections to that port reaches."""
    return {answers(lab, host.address, port)
            for _ in range(2 * lab.settings["members"])}


def answers(lab, address, port):
    """The address of the server behind a port; None without an answer."""
    try:
        with lab.inside(hosts.CLIENT):
            connection = psycopg2.connect(
                host=address, port=port, user=config.SUPERUSER,
                password=config.PASSWORD, dbname="postgres",
                connect_timeout=3)
    except psycopg2.Error:
        return None
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT host(inet_server_addr())")
            return cursor.fetchone()[0]
    except psycopg2.Error:
        return None
    finally:
        connection.close()


def boot(lab, host):
    """One host up, its programs started."""
    _prepare(lab, host)
    box = lab.machine(host)
    box.up(lab.hosts)
    box.wait_ready()
    programs.start(lab, host)


def start_host(lab, host):
    """One host up, with its programs; they need not have joined yet."""
    boot(lab, host)
    wait_programs(lab, host, 30)


def _start_daemon(lab):
    """The door through which the hosts reach this command."""
    if procs.by_argv(*DAEMON, lab.name) and os.path.exists(lab.paths.socket):
        return
    _stop_daemon(lab)
    with open(f"{lab.paths.state}/daemon.log", "ab") as log:
        subprocess.run(
            ["setsid", "--fork"] + DAEMON + [lab.name],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
            env={"PATH": PATH, "LANG": "C.UTF-8", "PYTHONPATH": LAB_DIR,
                 "PYTHONDONTWRITEBYTECODE": "1"}, check=True)
    until("the lab's door for its hosts", 10,
          lambda: os.path.exists(lab.paths.socket),
          lambda: state.read(f"{lab.paths.state}/daemon.log"))


def _stop_daemon(lab):
    if not procs.kill_all(lambda: procs.by_argv(*DAEMON, lab.name)):
        raise LabError("the lab's daemon does not end")
    if os.path.exists(lab.paths.socket):
        os.unlink(lab.paths.socket)


def down(lab, keep_lock=False):
    """Removes all of the lab; the caller holds its lock."""
    found = netns.listed(lab.name)
    if os.path.isdir(lab.paths.state):
        state.write(lab.paths.going, "")
    _stop_daemon(lab)
    inodes = {netns.inode(each) for each in found} - {None}
    _kill_within(inodes)
    netns.drop(found)
    # Again: what a killed `up` left on its way into a host is there now,
    # and without the names nothing can follow.
    _kill_within(inodes)
    if found:
        lab.say(f"{len(found)} namespaces ended")
    _unmount_below(lab.paths.data)
    # What says that it is going goes last: half a data directory must
    # never look like a lab to repair.
    for path in [lab.paths.data] + sorted(
            glob.glob(f"{lab.paths.state}/*"),
            key=lambda path: path == lab.paths.going):
        _remove(path)
    if os.path.isdir(lab.paths.state):
        os.rmdir(lab.paths.state)
    if not keep_lock:
        os.unlink(lab.paths.lock)
        lab.say("down" if found else "there was no lab")


def _remove(path):
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.exists(path):
        os.unlink(path)


def _kill_within(inodes):
    inodes = inodes - {os.stat("/proc/self/ns/net").st_ino}

    def find():
        return procs.in_namespace("net", inodes)
    if not procs.kill_all(find):
        raise LabError("processes of the lab do not end: "
                       + " ".join(f"{p.pid} {p.comm}" for p in find()))


def _unmount_below(path):
    mounts = [line.split()[4]
              for line in state.read("/proc/self/mountinfo").splitlines()]
    for mount in reversed(mounts):
        if mount.startswith(path + "/"):
            netns.run(["umount", "-n", mount])
