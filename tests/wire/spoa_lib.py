"""
What the wire tests of patroute-spoa share: the program itself, a scripted
prober at the other end of the feed, and a scripted HAProxy that speaks SPOP
byte by byte.
"""
import contextlib
import os
import pathlib
import select
import signal
import socket
import struct
import subprocess
import threading
import time

from wire_lib import (BUILD, COMPLAINTS, GROUP, SLOW, USER, VALGRIND, folder,
                      free_port, wait_until)

__all__ = ["folder", "free_port"]

SPOA = BUILD / "spoa" / "patroute-spoa"

# snapshot.h's numbers.
LEADER, REPLICA, SYNC = 1, 2, 3
READ, LIVE = 1, 4
WHY_LEADER, WHY_NO_KEY, WHY_STANDBY, WHY_REPLICA = 1, 4, 13, 16
UNKNOWN64, UNKNOWN32 = 2 ** 64 - 1, 2 ** 32 - 1


# --- the program ------------------------------------------------------------

class Agent:
    """patroute-spoa with a configuration of its own."""

    LISTEN = ('listen write {\n\tport = 5000\n\ttarget = primary\n}\n'
              'listen read {\n\tport = 5001\n\ttarget = replica\n}\n'
              'listen strict {\n\tport = 5003\n\ttarget = replica\n'
              '\tfallback = none\n}\n'
              'listen mixed {\n\tport = 5002\n\ttarget = replica\n'
              '\tstartup_options = true\n}\n')

    def __init__(self, folder, **agent):
        self.folder = pathlib.Path(folder)
        self.conf = self.folder / "patroute.conf"
        self.log = self.folder / "spoa.log"
        self.socket = self.folder / "agent.sock"
        self.desk = self.folder / "desk.sock"
        self.feed = self.folder / "feed.sock"
        self.process = None
        self.prefix = []
        self.group = GROUP
        self.keys = {"listen": f"unix:{self.socket}",
                     "desk_socket": self.desk, "log_level": "debug"}
        self.keys.update(agent)
        self.write()

    def write(self, listen=LISTEN, cluster="main", **more):
        self.keys.update(more)
        lines = "\n".join(
            f"\t{k} = {v}" if isinstance(v, int) else
            "\t{} = {{{}}}".format(k, ", ".join(f'"{x}"' for x in v))
            if isinstance(v, list) else f'\t{k} = "{v}"'
            for k, v in self.keys.items())
        self.conf.write_text(
            f'user = "{USER}"\ngroup = "{self.group}"\n'
            f'cluster {cluster} {{\n\tetcd = {{"http://127.0.0.1:1"}}\n}}\n'
            f'{listen}prober {{\n\tfeed_socket = "{self.feed}"\n}}\n'
            f'agent {{\n{lines}\n}}\n')
        self.conf.chmod(0o644)

    def start(self):
        before = self.text().count("ready listeners=")
        self.process = subprocess.Popen(
            [*self.prefix, *VALGRIND, str(SPOA), "-c", str(self.conf)],
            stdin=subprocess.DEVNULL, stderr=open(self.log, "ab"))
        wait_until(lambda: self.text().count("ready listeners=") > before
                   or self.process.poll() is not None, "ready")
        assert self.process.poll() is None, self.text()
        return self

    def text(self):
        if not self.log.exists():
            return ""
        return self.log.read_text(errors="replace")

    def stop(self, sig=signal.SIGTERM):
        """Stops it; fails where it complained, hung or left with an error."""
        began = time.monotonic()
        self.process.send_signal(sig)
        try:
            rc = self.process.wait(2 * SLOW)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"still there after 2 s:\n{self.text()}")
        finally:
            self.process = None
        assert rc == 0, f"exit {rc}:\n{self.text()}"
        self.no_complaints()
        return time.monotonic() - began

    def no_complaints(self):
        for word in COMPLAINTS:
            assert word not in self.text(), self.text()

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if self.process is None:
            return
        if kind is None:
            self.stop()
        else:
            self.process.kill()
            self.process.wait()

    def status(self, key):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        for line in text.splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1])
        raise AssertionError(key)

    def fds(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def cpu_s(self):
        stat = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text()
        f = stat.rsplit(")", 1)[1].split()
        return (int(f[11]) + int(f[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def paused(agent):
    """The agent stands still; what is sent meanwhile it finds all at once."""
    stat = pathlib.Path(f"/proc/{agent.process.pid}/stat")
    os.kill(agent.process.pid, signal.SIGSTOP)
    wait_until(lambda: stat.read_text().rsplit(")", 1)[1].split()[0] == "T",
               "stopped")
    try:
        yield
    finally:
        os.kill(agent.process.pid, signal.SIGCONT)


# --- the prober's end of the feed ---------------------------------------------

def text(s):
    return bytes([len(s)]) + s.encode()


def member(name, role=REPLICA, flags=READ | LIVE, weight=100, server=None,
           addr="", port=5432, lag=0, lsn=5000, why=None):
    if why is None:
        why = WHY_LEADER if role == LEADER else WHY_REPLICA
    return (text(name) + text(name if server is None else server) +
            text(addr) + struct.pack(">BBBHHIIQQ", role, flags, why, port,
                                     weight, 1, 0, lag, lsn))


def leader(name, **more):
    return member(name, LEADER, LIVE, 0, **more)


AGE_STALE = 2 ** 32 - 1


def by_cluster(left):
    """{cluster: what was observed of it}: the end of a STATS."""
    (n,), found = struct.unpack_from(">H", left), {}
    left = left[2:]
    for _ in range(n):
        size = left[0]
        found[left[1:1 + size].decode()] = struct.unpack_from(
            ">6Q", left, 1 + size)
        left = left[1 + size + 48:]
    assert left == b""
    return found


class Prober:
    """Sends the snapshots it is told to, echoes pings, notes what comes."""

    HELLO, SNAPSHOT, SEEN, PING, ECHO, WANT, STATS = range(1, 8)

    def __init__(self, path, boot_id=7):
        self.path, self.boot_id, self.seq = str(path), boot_id, 0
        self.snapshots = {}      # cluster -> body
        self.echoes = True
        self.age_ms = 0
        self.stale = set()       # clusters for which it does not vouch
        self.seen, self.wants, self.stats = [], 0, None
        self.ping_at = []        # when each PING came
        self.peers = []
        self.lock = threading.Lock()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self.listener.bind(self.path)
        os.chmod(self.path, 0o666)
        self.listener.listen(8)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.alive = True
        self.thread.start()

    def serve(self):
        while self.alive:
            with self.lock:
                socks = [self.listener, *self.peers]
            ready, _, _ = select.select(socks, [], [], 0.05)
            for s in ready:
                with self.lock:
                    self.accept() if s is self.listener else self.read(s)

    def accept(self):
        s, _ = self.listener.accept()
        self.peers.append(s)
        for body in self.snapshots.values():
            self.push(s, body)

    def push(self, s, body):
        with contextlib.suppress(OSError):
            s.send(bytes([2, self.SNAPSHOT]) + body)

    def read(self, s):
        try:
            data = s.recv(65536)
        except OSError:
            data = b""
        if not data:
            self.peers.remove(s)
            s.close()
            return
        kind, body = data[1], data[2:]
        if kind == self.PING:
            self.ping_at.append(time.monotonic())
        if kind == self.PING and self.echoes:
            ages = [AGE_STALE if cluster in self.stale else self.age_ms
                    for cluster in self.snapshots]
            with contextlib.suppress(OSError):
                s.send(bytes([2, self.ECHO]) + body + struct.pack(
                    f">H{len(ages)}I", len(ages), *ages))
        elif kind == self.SEEN:
            self.seen.append(struct.unpack_from(">QQ", body)[1])
        elif kind == self.WANT:
            self.wants += 1
        elif kind == self.STATS:
            names = ("decisions routed_write routed_read routed_fallback held "
                     "refused undecided lsn_waited lsn_late startup_bad "
                     "startup_unread startup_chosen startup_replication "
                     "startup_cancel frames_bad connections "
                     "hello_rejected latency_sum_us").split()
            tail = "hold_now hold_max_ms lsn_now snapshot_age_ms".split()
            stats = dict(zip(names, struct.unpack_from(">18Q", body)))
            stats["latency"] = struct.unpack_from(">24Q", body, 144)
            stats.update(zip(tail, struct.unpack_from(">4I", body, 336)))
            last = "answers_lost loop_longest_us loop_turns loop_slow".split()
            stats.update(zip(last, struct.unpack_from(">4Q", body, 352)))
            stats["observed"] = struct.unpack_from(">6Q", body, 384)
            # Behind the length of the counters that came later.
            later = struct.unpack_from(">H", body, 440)[0]
            stats["split"] = by_cluster(body[442 + later:])
            self.stats = stats

    def tell(self, members, write=-1, why=None, cluster="main", planned=0,
             fallback=1, since_ms=0, observe=0):
        """A new snapshot for everybody; its sequence number."""
        if why is None:
            why = WHY_LEADER if write >= 0 else WHY_NO_KEY
        with self.lock:
            self.seq += 1
            body = (struct.pack(">BQQ", 2, self.boot_id, self.seq) +
                    text(cluster) +
                    struct.pack(">bBBBBBIB", write, why, fallback, planned, 0,
                                observe, since_ms, len(members)) + b"".join(members))
            self.snapshots[cluster] = body
            for s in self.peers:
                self.push(s, body)
            return self.seq

    def normal(self, cluster="main"):
        return self.tell([leader("a"), member("b"), member("c")], 0,
                         cluster=cluster)

    def told(self, seq):
        wait_until(lambda: seq in self.seen, f"snapshot {seq} taken")

    def stop(self):
        self.alive = False
        self.thread.join()
        for s in [self.listener, *self.peers]:
            s.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)


# --- HAProxy's end of SPOP --------------------------------------------------

HELLO, GONE, NOTIFY, AGENT_HELLO, AGENT_GONE, ACK = 1, 2, 3, 101, 102, 103


def varint(v):
    if v < 240:
        return bytes([v])
    out = [(v & 0xFF) | 240]
    v = (v - 240) >> 4
    while v >= 128:
        out.append((v & 0xFF) | 128)
        v = (v - 128) >> 7
    return bytes(out + [v])


def read_varint(b, at):
    v = b[at]
    at += 1
    if v >= 240:
        shift = 4
        while True:
            v += b[at] << shift
            shift += 7
            at += 1
            if b[at - 1] < 128:
                break
    return v, at


def string(s):
    s = s.encode() if isinstance(s, str) else s
    return varint(len(s)) + s


def typed(v):
    """None, bool, int (UINT32), str and bytes; (raw,) is taken as it is."""
    if isinstance(v, tuple):
        return v[0]
    if v is None:
        return b"\0"
    if isinstance(v, bool):
        return b"\x11" if v else b"\x01"
    if isinstance(v, int):
        return b"\x03" + varint(v)
    return (b"\x08" if isinstance(v, str) else b"\x09") + string(v)


def pairs(*kv):
    return b"".join(string(k) + typed(v) for k, v in kv)


def frame(kind, payload=b"", stream=0, number=0, flags=1):
    body = (bytes([kind]) + struct.pack(">I", flags) + varint(stream) +
            varint(number) + payload)
    return struct.pack(">I", len(body)) + body


def hello(**more):
    kv = {"supported-versions": "2.0", "max-frame-size": 16380,
          "capabilities": "pipelining"}
    kv.update({k.replace("_", "-"): v for k, v in more.items()})
    return frame(HELLO, pairs(*[(k, v) for k, v in kv.items()
                                if v is not Ellipsis]))


def startup(**kv):
    """A StartupMessage of protocol 3.0."""
    body = struct.pack(">I", 196608) + b"".join(
        k.encode() + b"\0" + v.encode() + b"\0" for k, v in kv.items()) + b"\0"
    return struct.pack(">I", len(body) + 4) + body


SSL_REQUEST = struct.pack(">II", 8, 80877103)


def message(name, listen="write", first=None, sni=None, **more):
    kv = [("listen", listen), ("src", (b"\x06\x7f\0\0\1",)), ("sport", 40000),
          ("sni", sni), ("first", first), *more.items()]
    return string(name) + bytes([len(kv)]) + pairs(*kv)


def route(stream, number=1, listen="write", **more):
    return frame(NOTIFY, message("route", listen, **more), stream, number)


def hold(stream, number=1, listen="write", **more):
    return frame(NOTIFY, message("hold", listen, **more), stream, number)


class Frame:
    """One frame of the agent, taken apart."""

    def __init__(self, body):
        self.kind = body[0]
        self.flags = struct.unpack_from(">I", body, 1)[0]
        self.stream, at = read_varint(body, 5)
        self.number, at = read_varint(body, at)
        self.payload = body[at:]
        self.vars, self.unset, self.kv = {}, [], {}
        if self.kind == ACK:
            self.read_actions()
        else:
            self.read_pairs()

    def read_string(self, at):
        n, at = read_varint(self.payload, at)
        assert at + n <= len(self.payload)
        return self.payload[at:at + n].decode(), at + n

    def read_actions(self):
        at = 0
        while at < len(self.payload):
            action, args, scope = self.payload[at:at + 3]
            assert scope == 1                        # session
            name, at = self.read_string(at + 3)
            if action == 1:
                assert args == 3 and self.payload[at] == 8
                self.vars[name], at = self.read_string(at + 1)
            else:
                assert action == 2 and args == 2
                self.unset.append(name)

    def read_pairs(self):
        at = 0
        while at < len(self.payload):
            key, at = self.read_string(at)
            kind = self.payload[at]
            at += 1
            if kind == 3:
                self.kv[key], at = read_varint(self.payload, at)
            else:
                assert kind == 8
                self.kv[key], at = self.read_string(at)


class Spop:
    """One SPOP connection."""

    def __init__(self, where, greet=True):
        if isinstance(where, tuple):
            self.s = socket.create_connection(where, 5 * SLOW)
        else:
            self.s = socket.socket(socket.AF_UNIX)
            self.s.connect(str(where))
        self.s.settimeout(5 * SLOW)
        self.buf = b""
        if greet:
            self.send(hello())
            f = self.next()
            assert f is not None and f.kind == AGENT_HELLO, f

    def send(self, data):
        self.s.sendall(data)

    def next(self):
        """The next frame; None once the agent has closed."""
        while True:
            if len(self.buf) >= 4:
                n = struct.unpack(">I", self.buf[:4])[0]
                assert n <= 4096
                if len(self.buf) >= 4 + n:
                    body, self.buf = self.buf[4:4 + n], self.buf[4 + n:]
                    return Frame(body)
            try:
                data = self.s.recv(65536)
            except ConnectionError:
                data = b""
            if not data:
                assert self.buf == b"", "half a frame at the end"
                return None
            self.buf += data

    def ask(self, data):
        """Sends one NOTIFY and gives its ACK."""
        self.send(data)
        f = self.next()
        assert f is not None and f.kind == ACK, f and f.kv
        return f

    def is_silent(self, seconds=0.1):
        if self.buf:
            return False
        return not select.select([self.s], [], [], seconds)[0]

    def status(self):
        """The status of the AGENT-DISCONNECT that must come, then the end."""
        f = self.next()
        assert f is not None and f.kind == AGENT_GONE, f and f.kind
        assert self.next() is None
        return f.kv["status-code"]

    def close(self):
        self.s.close()


# --- the desk's clients ----------------------------------------------------

def proxy2(port, command=1):
    addr = socket.inet_aton("192.168.34.50") + socket.inet_aton(
        "192.168.34.85") + struct.pack(">HH", 40000, port)
    return (b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x20 | command, 0x11]) +
            struct.pack(">H", len(addr)) + addr)


class DeskClient:
    def __init__(self, path, port=5000, header=None):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(5 * SLOW)
        self.s.connect(str(path))
        self.s.sendall(proxy2(port) if header is None else header)

    def send(self, data):
        self.s.sendall(data)

    def recv(self, n):
        out = b""
        while len(out) < n:
            data = self.s.recv(n - len(out))
            assert data, "closed"
            out += data
        return out

    def rest(self):
        out = b""
        with contextlib.suppress(ConnectionError):
            while data := self.s.recv(65536):
                out += data
        return out

    def error(self):
        """The fields of the ErrorResponse that must come, then the end."""
        data = self.rest()
        assert data[:1] == b"E", data
        assert struct.unpack(">I", data[1:5])[0] == len(data) - 1
        fields = data[5:].split(b"\0")
        assert fields[-2:] == [b"", b""]
        return {chr(f[0]): f[1:].decode() for f in fields[:-2]}
