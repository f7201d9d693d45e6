"""Network namespaces, the bridge between them, and working within one.

The bridge stands in a namespace of its own, LAB-net: the machine's own
namespace gets no address, route or link of the lab.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import re
import subprocess

from . import hosts
from .errors import LabError
from .state import read

RUN = "/run/netns"               # where `ip netns` keeps its names
MADE = "/run/patroute-netns"     # says that its mount is a lab's doing
CLONE_NEWNET = 0x40000000
MNT_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)


def run(argv, text=None):
    """Runs a tool that must succeed; its own words if it does not."""
    done = subprocess.run(argv, input=text, capture_output=True, text=True,
                          timeout=60, check=False)
    if done.returncode != 0:
        raise LabError(f"{' '.join(argv)}: failed",
                       (done.stdout + done.stderr).strip())
    return done.stdout


def within(namespace):
    """What to put before a command so that it runs in that namespace.
    `ip -n` changes mounts for it, which fails in a chroot."""
    return ["nsenter", f"--net={RUN}/{namespace}", "--"]


def _ip(namespace, *argv, text=None):
    return run(within(namespace) + ["ip"] + list(argv), text)


def switch(name):
    """The name of the namespace with the bridge."""
    return f"{name}-net"


def of_host(name, host):
    """The name of a host's namespace."""
    return f"{name}-{host.name}"


def inode(namespace):
    """What tells a namespace from every other; None if there is none."""
    try:
        return os.stat(f"{RUN}/{namespace}").st_ino
    except OSError:
        return None


def listed(name):
    """The lab's namespaces that have a name: only such as it makes."""
    ours = re.compile(re.escape(name) + r"-(net|dc1-psql-node[0-9]+"
                      r"|hap[0-9]|etcd[0-9]|app1)")
    return sorted(entry for entry in _names() if ours.fullmatch(entry))


def mounted(path):
    """Whether something is mounted there."""
    return any(line.split()[4] == path
               for line in read("/proc/self/mountinfo").splitlines())


@contextlib.contextmanager
def _names_locked():
    """Several labs share /run/netns; its mount comes and goes with them."""
    fd = os.open("/run", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def add(namespace):
    """Makes a namespace unless it is there, whole."""
    with _names_locked():
        if not mounted(RUN) and not os.path.exists(MADE):
            with open(MADE, "w", encoding="utf-8") as file:
                file.write("folder\n" if not os.path.isdir(RUN) else "")
        if mounted(f"{RUN}/{namespace}"):
            return
        # A name without a mount: its maker was killed in between.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{RUN}/{namespace}")
        run(["ip", "netns", "add", namespace])


def drop(namespaces):
    """Removes them, and with the last one what the first one made."""
    with _names_locked():
        for namespace in namespaces:
            path = f"{RUN}/{namespace}"
            while mounted(path):
                _umount(path)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        if os.path.exists(MADE) and not _names():
            folder = read(MADE)
            while mounted(RUN):
                _umount(RUN)
            if folder and os.path.isdir(RUN):
                os.rmdir(RUN)
            os.unlink(MADE)


def _names():
    try:
        return os.listdir(RUN)
    except FileNotFoundError:
        return []


def _umount(path):
    if _libc.umount2(path.encode(), MNT_DETACH) != 0 \
            and ctypes.get_errno() != errno.EINVAL:
        raise LabError(f"umount {path}: {os.strerror(ctypes.get_errno())}")


def make_switch(name):
    """The bridge, in its own namespace, without an address."""
    namespace = switch(name)
    add(namespace)
    if not link_exists(namespace, "br0"):
        _ip(namespace, "link", "add", "br0", "type", "bridge",
            "forward_delay", "0")
    _ip(namespace, "link", "set", "br0", "up")


def link_exists(namespace, link):
    """Whether that namespace has such a link."""
    done = subprocess.run(
        within(namespace) + ["ip", "link", "show", link],
        capture_output=True, timeout=60, check=False)
    return done.returncode == 0


def _port(host):
    return f"p-{host.member}" if host.role == "node" else f"p-{host.name}"


def plug_in(name, host):
    """Connects a host's namespace, with its addresses."""
    namespace = of_host(name, host)
    add(namespace)
    if not link_exists(namespace, "eth0"):
        unplug(name, host)
        _ip(switch(name), "link", "add", _port(host),
            "type", "veth", "peer", "name", "eth0", "address", host.mac,
            "netns", namespace)
    lines = ["link set lo up", "link set eth0 up"]
    lines += [f"addr replace {address}/{hosts.PREFIX} dev eth0"
              for address in [host.address] + host.more]
    _ip(namespace, "-batch", "-", text="\n".join(lines) + "\n")
    _ip(switch(name), "-batch", "-", text=(
        f"link set {_port(host)} master br0\nlink set {_port(host)} up\n"))


def link_down(name, host):
    """From here on no packet of the host reaches another."""
    if link_exists(switch(name), _port(host)):
        _ip(switch(name), "link", "set", _port(host), "down")


def link_up(name, host):
    """Ends link_down()."""
    _ip(switch(name), "link", "set", _port(host), "up")


def unplug(name, host):
    """Removes the host's link, both ends."""
    if link_exists(switch(name), _port(host)):
        _ip(switch(name), "link", "del", _port(host))


def holds(pid, address):
    """Whether the network namespace of that process has the address."""
    return f"|-- {address}\n" in read(f"/proc/{pid}/net/fib_trie")


@contextlib.contextmanager
def inside(namespace):
    """This thread works in that namespace: sockets that it opens belong
    there, and stay there."""
    back = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            there = os.open(f"{RUN}/{namespace}", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise LabError(f"{namespace}: this host is not up") from None
        _setns(there)
        os.close(there)
        try:
            yield
        finally:
            _setns(back)
    finally:
        os.close(back)


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        raise LabError(f"setns: {os.strerror(ctypes.get_errno())}")
