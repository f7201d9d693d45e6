"""What the prober says to its agents, recorded as one more of them.

    with Feed(lab, "hap1", path) as feed:
        …
    for line in feed.lines:
        history.add(line)

A process of its own joins the prober's feed on that host, says SEEN and asks
by PING as an agent does (a mute one would be waited for), and writes one line
for each snapshot, with the instant of its arrival on the history's clock. It
runs before all others, as the meter does. The encoding is read here anew, from
its description in snapshot.h: what is measured is not decoded by its own code.
"""

import contextlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time

VERSION = 2
HELLO, SNAPSHOT, SEEN, PING = 1, 2, 3, 4
SOCKET = "run/patroute/feed.sock"
PING_S = 0.5
READ = 1                        # a member's flag
ROLES = ("none", "leader", "replica", "sync", "standby-leader")
START_S = 5.0


class Bytes:
    """A message, taken field by field."""

    def __init__(self, data):
        self._left = data

    def take(self, form):
        """The values of these fields, integers big-endian."""
        size = struct.calcsize(form)
        found = struct.unpack(form, self._left[:size])
        self._left = self._left[size:]
        return found

    def text(self):
        """A length byte and as many bytes."""
        n = self.take(">B")[0]
        found, self._left = self._left[:n], self._left[n:]
        return found.decode()


def _member(data):
    name, server, _ = data.text(), data.text(), data.text()
    role, flags, why, _, weight, tli, lag_ms, _, lsn = \
        data.take(">BBBHHIIQQ")
    return {"name": name, "server": server, "role": ROLES[role],
            "read": bool(flags & READ), "why": why, "weight": weight,
            "tli": tli, "lag_ms": lag_ms, "lsn": lsn}


def decode(body):
    """A snapshot as the history has it, without its instant."""
    data = Bytes(body)
    _, boot, seq = data.take(">BQQ")
    cluster = data.text()
    write, why, _, planned, transition, _, since_ms, n = \
        data.take(">bBBBBBIB")
    members = [_member(data) for _ in range(n)]
    return {"cluster": cluster, "boot": boot, "seq": seq,
            "write": members[write]["name"] if write >= 0 else None,
            "why": why, "planned": bool(planned),
            "transition": bool(transition), "since_ms": since_ms,
            "members": {m.pop("name"): m for m in members}}


def _text(word):
    return bytes([len(word)]) + word.encode()


def _send(feed, kind, body):
    feed.send(bytes([VERSION, kind]) + body)


def _take(feed, out):
    """One message; False once the prober has closed."""
    data = feed.recv(65536)
    at = time.monotonic_ns()
    if not data:
        return False
    if data[1] == SNAPSHOT:
        found = decode(data[2:])
        _send(feed, SEEN, struct.pack(">QQ", found["boot"], found["seq"]) +
              _text(found["cluster"]))
        out.write(json.dumps({"at": at, "ev": "feed", **found}) + "\n")
    return True


def record(path, out):
    """Records until standard input ends, or the prober closes."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(2))
    feed = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    feed.connect(path)
    _send(feed, HELLO, struct.pack(">Q", os.getpid()) + _text("recorder"))
    nonce, due = 0, time.monotonic()
    while True:
        wait = max(0.0, due - time.monotonic())
        ready, _, _ = select.select([feed, sys.stdin], [], [], wait)
        if feed in ready and not _take(feed, out):
            return 1
        if sys.stdin in ready:
            return 0
        if time.monotonic() >= due:
            nonce, due = nonce + 1, due + PING_S
            _send(feed, PING, struct.pack(">Q", nonce))
            out.flush()


class Feed:
    """The recorder of one host, from the beginning of `with` to its end."""

    def __init__(self, lab, host, path):
        self.path = str(path)
        self.lines = []
        self._socket = f"/proc/{lab.machine(host).init}/root/{SOCKET}"
        self._process = None

    def __enter__(self):
        self._process = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), self._socket,
             self.path], stdin=subprocess.PIPE)
        end = time.monotonic() + START_S
        while not self._has_begun():
            if time.monotonic() > end or self._process.poll() is not None:
                self.__exit__()
                raise OSError(f"no snapshot came by {self._socket}")
            time.sleep(0.05)
        return self

    def _has_begun(self):
        return os.path.exists(self.path) and os.path.getsize(self.path) > 0

    def __exit__(self, *_):
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if os.path.exists(self.path):
            with open(self.path, encoding="utf-8") as file:
                self.lines = [json.loads(line) for line in file]


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with open(sys.argv[2], "w", encoding="utf-8") as file_:
        sys.exit(record(sys.argv[1], file_))
