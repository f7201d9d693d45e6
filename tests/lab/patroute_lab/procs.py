"""Processes, found by the namespaces they live in and killed by id.

Nothing here trusts a file of ours: /proc alone says what lives, so that
a lab whose maker was killed half-way is found as well.
"""

import contextlib
import os
import signal
import time

from .state import read


class Process:
    """One process: `pid` as we see it, `inner` as its host sees it."""

    def __init__(self, pid, inner, depth, parent):
        self.pid = pid
        self.inner = inner
        self.depth = depth      # pid namespaces between us and it
        self.parent = parent

    @property
    def comm(self):
        """Its short name."""
        return read(f"/proc/{self.pid}/comm").strip()

    @property
    def argv(self):
        """Its command line."""
        return read(f"/proc/{self.pid}/cmdline").split("\0")[:-1]

    @property
    def began(self):
        """When it began, in the kernel's ticks since boot, as text; "" of
        one that is gone."""
        words = read(f"/proc/{self.pid}/stat").rpartition(")")[2].split()
        return words[19] if words else ""

    @property
    def stopped(self):
        """Whether SIGSTOP holds it."""
        return _status(self.pid).get("State", "")[:1] in ("T", "t")


def _status(pid):
    pairs = (line.split(":", 1)
             for line in read(f"/proc/{pid}/status").splitlines())
    return {key: value.strip() for key, value in pairs}


def _namespace(pid, kind):
    try:
        return os.stat(f"/proc/{pid}/ns/{kind}").st_ino
    except OSError:         # it ended, or is a zombie
        return None


def in_namespace(kind, inodes):
    """All live processes in one of those namespaces of that kind."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or _namespace(entry, kind) not in inodes:
            continue
        status = _status(entry)
        if not status or status.get("State", "Z")[:1] in ("Z", "X"):
            continue
        chain = status["NSpid"].split()
        found.append(Process(int(entry), int(chain[-1]), len(chain) - 1,
                             int(status["PPid"])))
    return found


def in_netns(inode):
    """All live processes of a host, what only its own link sees too."""
    return in_namespace("net", {inode})


def init_of(inode):
    """The pid 1 of the host whose network namespace that is, or None."""
    for process in in_netns(inode):
        if process.inner == 1 and process.depth == 1:
            return process
    return None


def is_init(pid, inode):
    """Whether pid still is the pid 1 of that host: ids are used again."""
    if _namespace(pid, "net") != inode:
        return False
    chain = _status(pid).get("NSpid", "").split()
    return len(chain) == 2 and chain[1] == "1"


def below(processes, top):
    """`top` (an inner id) and its descendants among the processes."""
    ids = {process.pid for process in processes if process.inner == top}
    grown = True
    while grown:
        more = {p.pid for p in processes if p.parent in ids}
        grown = not more <= ids
        ids |= more
    return [process for process in processes if process.pid in ids]


def send(processes, number):
    """Signals each by its id; one that is gone already is no error."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


def kill_all(find, seconds=10.0):
    """Kills what find() returns until it returns nothing; False if some
    are left after that time (they hang in the kernel)."""
    end = time.monotonic() + seconds
    while True:
        processes = find()
        if not processes:
            return True
        send(processes, signal.SIGKILL)
        if time.monotonic() > end:
            return False
        time.sleep(0.005)


def by_argv(*words):
    """Processes whose command line ends in these words, ours excepted.
    One with another root is of another machine: a chroot beside us."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        argv = read(f"/proc/{entry}/cmdline").split("\0")[:-1]
        if tuple(argv[-len(words):]) == words and _same_root(entry):
            status = _status(entry)
            if status and status.get("State", "Z")[:1] not in ("Z", "X"):
                found.append(Process(int(entry), 0, 0, 0))
    return found


def _same_root(pid):
    try:
        return os.path.samefile(f"/proc/{pid}/root", "/")
    except OSError:
        return False
