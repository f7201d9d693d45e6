"""Faults that leave the host alive: frozen processes, cut traffic."""

import signal
import subprocess

from . import netns, procs, programs
from .errors import LabError
from .waiting import until

# By port in both directions of a connection, so that one word fits the
# host that asks and the host that answers.
PORTS = {"etcd": (2379, 2380), "db": (5432, 8008), "sql": (5432,),
         "rest": (8008,), "all": None}
WAYS = {"in": ("in",), "out": ("out",), "both": ("in", "out")}
CHAINS = {"in": ("INPUT", "-i", "LAB_IN"), "out": ("OUTPUT", "-o", "LAB_OUT")}


def _iptables(namespace, *argv, check=True):
    command = netns.within(namespace) + ["iptables", "-w", "10", *argv]
    if check:
        return netns.run(command)
    return subprocess.run(command, capture_output=True, text=True,
                          timeout=60, check=False).stdout


def _chain(namespace, way):
    """The lab's own chain for that way, made on first use."""
    base, _, chain = CHAINS[way]
    if f"-N {chain}" not in _iptables(namespace, "-S"):
        _iptables(namespace, "-N", chain)
    if f"-j {chain}" not in _iptables(namespace, "-S", base):
        _iptables(namespace, "-I", base, "-j", chain)
    return chain


def cut(lab, host, what, way):
    """Drops that traffic of the host, silently: no RST, no ICMP."""
    if what not in PORTS or way not in WAYS:
        raise LabError(f'cut "{what} {way}": expected '
                       f"{', '.join(PORTS)}, then in, out or both")
    namespace = lab.machine(host).namespace
    if not lab.machine(host).whole:
        raise LabError(f"{host.name} is not up")
    for each in WAYS[way]:
        chain = _chain(namespace, each)
        link = [CHAINS[each][1], "eth0"]
        mark = ["-m", "comment", "--comment", f"{what} {each}", "-j", "DROP"]
        if f'"{what} {each}"' in _iptables(namespace, "-S", chain):
            continue
        if PORTS[what] is None:
            _iptables(namespace, "-A", chain, *link, *mark)
            continue
        for port in PORTS[what]:
            for side in ("--sport", "--dport"):
                _iptables(namespace, "-A", chain, *link, "-p", "tcp",
                          side, str(port), *mark)


def heal(lab, host):
    """Ends every cut of the host."""
    namespace = lab.machine(host).namespace
    for _, _, chain in CHAINS.values():
        if f"-N {chain}" in _iptables(namespace, "-S"):
            _iptables(namespace, "-F", chain)


def cuts(lab, host):
    """The host's cuts, as ["etcd in", …]."""
    namespace = lab.machine(host).namespace
    rules = _iptables(namespace, "-S", check=False)
    return [f"{what} {way}" for what in PORTS for way in CHAINS
            if f'"{what} {way}"' in rules]


def _chosen(lab, host, what):
    machine = lab.machine(host)
    known = programs.names(lab, host)
    if what != "all" and what not in known:
        raise LabError(f'{host.name} has no program "{what}", expected '
                       f"one of: {' '.join(known + ['all'])}")
    if not machine.whole:
        raise LabError(f"{host.name} is not up")
    return machine.processes() if what == "all" else machine.program(what)


def freeze(lab, host, what):
    """SIGSTOP, again until no process that was started meanwhile runs."""
    if not _chosen(lab, host, what) and what != "all":
        raise LabError(f"{what} does not run on {host.name}")

    def all_stopped():
        running = [p for p in _chosen(lab, host, what) if not p.stopped]
        procs.send(running, signal.SIGSTOP)
        return not running
    until(f"{what} on {host.name} frozen", 10, all_stopped)


def thaw(lab, host, what):
    """SIGCONT."""
    procs.send(_chosen(lab, host, what), signal.SIGCONT)
