"""The driver of one source, scripted peers, and real etcd and PostgreSQL."""
import contextlib
import json
import os
import pathlib
import queue
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

BUILD = pathlib.Path(os.environ["PATROUTE_BUILD"])
DRIVER = BUILD / "tests/wire/sources_driver"
COMPLAINTS = re.compile(r"Assertion|runtime error|Sanitizer|leak", re.I)
PG_BIN = pathlib.Path("/usr/lib/postgresql")


def now_us():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


class Driver:
    """Runs sources_driver; its lines are dicts in the order they came."""

    def __init__(self, *args, program=DRIVER, **env):
        self.err = tempfile.TemporaryFile("w+")
        self.p = subprocess.Popen(
            [str(program), *map(str, args)], stdin=subprocess.PIPE,
            env={**os.environ, **{k: str(v) for k, v in env.items()}},
            stdout=subprocess.PIPE, stderr=self.err, text=True)
        self.lines = []
        self._queue = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.p.stdout:
            self._queue.put(json.loads(line))
        self._queue.put(None)

    def say(self, text):
        self.p.stdin.write(text + "\n")
        self.p.stdin.flush()

    def next(self, want=lambda line: True, timeout=5.0, what="a line"):
        """The next line that `want` accepts."""
        end = time.monotonic() + timeout
        while True:
            try:
                line = self._queue.get(timeout=end - time.monotonic())
            except (queue.Empty, ValueError):
                raise AssertionError(
                    f"no {what} in {timeout} s; had {self.lines[-5:]}; "
                    f"log: {self.log()[-800:]}") from None
            assert line is not None, f"the driver ended: {self.log()}"
            self.lines.append(line)
            if want(line):
                return line

    def drain(self, seconds):
        """All lines of the next seconds."""
        got, end = [], time.monotonic() + seconds
        while True:
            try:
                line = self._queue.get(timeout=max(
                    0, end - time.monotonic()))
            except queue.Empty:
                return got
            assert line is not None, f"the driver ended: {self.log()}"
            self.lines.append(line)
            got.append(line)

    def item(self, command=None, timeout=5.0):
        if command:
            self.say(command)
        return self.next(lambda x: x["kind"] == "item", timeout, "item")

    def view(self, timeout=5.0, **want):
        return self.next(lambda x: x["kind"] == "view" and all(
            x[k] == v for k, v in want.items()), timeout, f"view {want}")

    def alive(self, timeout=5.0, after=0):
        return self.next(lambda x: x["kind"] == "alive" and x["at"] > after,
                         timeout, "heartbeat")

    @contextlib.contextmanager
    def no_descriptors(self):
        """Every descriptor that could be opened is one too many."""
        soft, hard = resource.prlimit(self.p.pid, resource.RLIMIT_NOFILE)
        used = sorted(map(int, os.listdir(f"/proc/{self.p.pid}/fd")))
        free = next(n for n in range(len(used) + 1) if n not in used)
        resource.prlimit(self.p.pid, resource.RLIMIT_NOFILE, (free, hard))
        try:
            yield
        finally:
            resource.prlimit(self.p.pid, resource.RLIMIT_NOFILE,
                             (soft, hard))

    def connections_to(self, port):
        """Established ones that are this process's own."""
        fds = f"/proc/{self.p.pid}/fd"
        mine = set()
        for fd in os.listdir(fds):
            with contextlib.suppress(OSError):
                mine.add(os.readlink(f"{fds}/{fd}"))
        with open("/proc/net/tcp", encoding="ascii") as f:
            rows = [line.split() for line in f]
        return sum(r[2].endswith(f":{port:04X}") and r[3] == "01" and
                   f"socket:[{r[9]}]" in mine for r in rows)

    def bytes_read(self):
        """By this process, from files and sockets alike."""
        with open(f"/proc/{self.p.pid}/io", encoding="ascii") as f:
            return int(f.readline().split()[1])

    def log(self):
        self.err.seek(0)
        return self.err.read()

    def close(self):
        with contextlib.suppress(OSError):
            self.p.stdin.close()
        try:
            rc = self.p.wait(5)
        except subprocess.TimeoutExpired:
            self.p.kill()
            raise
        log = self.log()
        assert rc == 0 and not COMPLAINTS.search(log), f"rc={rc}: {log}"

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.close()
        else:
            self.p.kill()


class Crowd:
    """n questions that are answered while the driver stands still for 0.7 s,
    in which their time runs out. The peer's handlers call `asked()` when each has
    heard its question, and `told()` when it has answered."""

    def __init__(self, n):
        self.n, self.heard, self.answered = n, 0, 0
        self.lock, self.say = threading.Lock(), threading.Event()

    def asked(self):
        with self.lock:
            self.heard += 1
        self.say.wait(10)

    def told(self):
        with self.lock:
            self.answered += 1

    def items(self, d):
        """A machine that itself stands still says nothing: once more."""
        d.say("get 127.0.0.1")
        d.next(lambda x: x["kind"] == "name", what="start")
        for _ in range(5):
            items, in_time = self._once(d)
            if in_time:
                return items
        raise AssertionError("this machine stands still")

    def _once(self, d):
        self.heard = self.answered = 0
        self.say.clear()
        began = time.monotonic()
        d.say("ask")
        wait_for(lambda: self.heard == self.n, "the questions")
        time.sleep(max(0, began + 0.4 - time.monotonic()))
        d.p.send_signal(signal.SIGSTOP)
        in_time = time.monotonic() < began + 0.8
        self.say.set()
        wait_for(lambda: self.answered == self.n, "the answers")
        time.sleep(max(0, began + 1.1 - time.monotonic()))
        d.p.send_signal(signal.SIGCONT)
        items = [d.item() for _ in range(self.n)]
        return items, in_time and all(
            x["at"] - x["asked"] > 1_000_000 and x["rc"] != "local"
            for x in items)


class Authority:
    """A CA of the test's own; cert() gives (certificate, key) files."""

    NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")

    def __init__(self, folder, name="ca"):
        self.folder, self.name = pathlib.Path(folder), name
        self.pem = self.folder / f"{name}.pem"
        self._openssl("req", "-x509", *self.NEW_KEY, "-nodes",
                      "-days", "2", "-subj", f"/CN={name}", "-keyout",
                      self.folder / f"{name}.key", "-out", self.pem)

    @staticmethod
    def _openssl(*args):
        subprocess.run(["openssl", *map(str, args)], check=True, cwd="/",
                       capture_output=True)

    def cert(self, name, names="DNS:db1", days=2):
        base = self.folder / f"{self.name}-{name}"
        key, request, pem = (base.with_suffix(f".{end}")
                             for end in ("key", "csr", "crt"))
        self._openssl("req", *self.NEW_KEY, "-nodes", "-subj",
                      f"/CN={name}", "-keyout", key, "-out", request)
        extra = base.with_suffix(".ext")
        extra.write_text(f"subjectAltName={names}\n")
        self._openssl("x509", "-req", "-in", request, "-CA", self.pem,
                      "-CAkey", self.folder / f"{self.name}.key",
                      "-CAcreateserial", "-days", days, "-out", pem,
                      "-extfile", extra)
        key.chmod(0o600)
        return pem, key


class Peer:
    """A scripted peer on loopback: one handler a connection, one at a time
    unless it says otherwise."""

    def __init__(self, handler, parallel=False, tls=None, host="127.0.0.1"):
        self.sock = socket.create_server(
            (host, 0), backlog=64,
            family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.tls = tls
        self.port = self.sock.getsockname()[1]
        self.accepted = []
        self.handler, self.parallel = handler, parallel
        self.is_open = True
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            self.accepted.append(time.monotonic())
            if self.parallel:
                threading.Thread(target=self._one, args=(conn,),
                                 daemon=True).start()
            else:
                self._one(conn)

    def _one(self, conn):
        with contextlib.suppress(OSError):
            if self.tls is not None:
                conn = self.tls.wrap_socket(conn, server_side=True)
            with conn:
                self.handler(self, conn)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.is_open = False
        self.sock.close()


def read_request(conn):
    """One HTTP request: (first line, body), None at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        got = conn.recv(65536)
        if not got:
            return None
        data += got
    head, _, body = data.partition(b"\r\n\r\n")
    m = re.search(rb"(?i)content-length: *(\d+)", head)
    while m and len(body) < int(m.group(1)):
        body += conn.recv(65536)
    return head.split(b"\r\n")[0].decode(), body


def reply(body, status="200 OK", extra=""):
    if isinstance(body, str):
        body = body.encode()
    return (f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
            ).encode() + body


_given = set()


def free_port():
    """Never the same one twice: scenarios run beside each other."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = s.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port


def wait_for(test, what, timeout=60.0):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        got = test()
        if got:
            return got
        time.sleep(0.02)
    raise AssertionError(f"waited {timeout} s for {what}")


def _loopback():
    """What "localhost" may mean on this machine, which may lack an
    /etc/hosts."""
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return ["127.0.0.1"]
    return ["127.0.0.1", "[::1]"]


LOOPBACK = _loopback()


class Etcd:
    """Real etcd members on loopback, one cluster. `extra`: more of etcd's
    options; `scheme`, `ctl_args`: how clients reach it."""

    def __init__(self, n=1, extra=(), scheme="http", ctl_args=()):
        self.extra, self.scheme, self.ctl_args = extra, scheme, ctl_args
        self.dir = tempfile.mkdtemp(prefix="patroute-etcd-")
        self.client = [free_port() for _ in range(n)]
        self.peer = [free_port() for _ in range(n)]
        self.p = [None] * n
        for i in range(n):
            self.start(i)
        self.wait()

    def start(self, i, token="t"):
        self.p[i] = subprocess.Popen(
            ["etcd", "--name", f"m{i}", "--data-dir", f"{self.dir}/m{i}",
             "--listen-client-urls", ",".join(
                 f"{self.scheme}://{each}:{self.client[i]}"
                 for each in LOOPBACK),
             "--advertise-client-urls",
             f"{self.scheme}://127.0.0.1:{self.client[i]}",
             "--listen-peer-urls", f"http://127.0.0.1:{self.peer[i]}",
             "--initial-advertise-peer-urls",
             f"http://127.0.0.1:{self.peer[i]}",
             "--initial-cluster-token", token,
             "--initial-cluster", ",".join(
                 f"m{k}=http://127.0.0.1:{p}"
                 for k, p in enumerate(self.peer)), *self.extra],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ctl(self, *args, endpoint=0):
        return subprocess.run(
            ["etcdctl", "--command-timeout=3s", "--endpoints",
             f"{self.scheme}://127.0.0.1:{self.client[endpoint]}",
             *self.ctl_args, *args],
            env={"ETCDCTL_API": "3", "PATH": os.environ["PATH"]},
            capture_output=True, text=True)

    def wait(self):
        for i in range(len(self.p)):
            wait_for(lambda i=i: self.ctl("endpoint", "health",
                                          endpoint=i).returncode == 0,
                     "etcd")

    def put(self, key, value, endpoint=0):
        assert self.ctl("put", key, value,
                        endpoint=endpoint).returncode == 0

    def delete(self, key, endpoint=0):
        assert self.ctl("del", key, endpoint=endpoint).returncode == 0

    def wipe(self):
        """Another cluster on the same address."""
        self.p[0].kill()
        self.p[0].wait()
        shutil.rmtree(f"{self.dir}/m0")
        self.start(0, "other")
        self.wait()

    def freeze(self, i):
        self.p[i].send_signal(signal.SIGSTOP)

    def thaw(self, i):
        self.p[i].send_signal(signal.SIGCONT)

    def endpoints(self):
        return [f"127.0.0.1:{c}" for c in self.client]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for p in self.p:
            p.kill()
            p.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


class Postgres:
    """A real PostgreSQL on loopback, owned by user postgres."""

    PROBER = "prober"
    SECRET = "s3cret"

    def __init__(self, settings=""):
        self.bin = sorted(PG_BIN.glob("*/bin"))[-1]
        self.dir = tempfile.mkdtemp(prefix="patroute-pg-")
        shutil.chown(self.dir, "postgres")
        self.data = f"{self.dir}/data"
        self.port = free_port()
        pw = pathlib.Path(self.dir, "pw")
        pw.write_text("p\n")
        pw.chmod(0o644)
        self.run("initdb", "-D", self.data, "-A", "scram-sha-256", "-N",
                 f"--pwfile={pw}", "-U", "postgres", "--locale=C.UTF-8")
        self.configure(f"port={self.port}\nlisten_addresses='127.0.0.1'\n"
                       f"unix_socket_directories='{self.dir}'\nfsync=off\n"
                       + settings)
        self.passfile = pathlib.Path(self.dir, "pgpass")
        self.passfile.write_text(f"*:*:*:{self.PROBER}:{self.SECRET}\n")
        self.passfile.chmod(0o600)
        self.start()
        self.sql(f"CREATE ROLE {self.PROBER} LOGIN PASSWORD '{self.SECRET}'")

    def run(self, program, *args, check=True):
        return subprocess.run([str(self.bin / program), *args], cwd="/",
                              user="postgres", check=check,
                              capture_output=True, text=True)

    def configure(self, text):
        with open(f"{self.data}/postgresql.conf", "a",
                  encoding="utf-8") as f:
            f.write(text)

    def start(self, wait=True):
        # pg_ctl's child would keep a captured pipe open.
        subprocess.run(
            [str(self.bin / "pg_ctl"), "-D", self.data, "-l",
             f"{self.dir}/log", "-w" if wait else "-W", "-t", "30", "start"],
            cwd="/", user="postgres", check=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self, mode="fast", wait=True):
        self.run("pg_ctl", "-D", self.data, "-m", mode,
                 "-w" if wait else "-W", "stop", check=False)

    def pid(self):
        return int(pathlib.Path(self.data, "postmaster.pid").read_text()
                   .split()[0])

    def connect(self, user="postgres", password="p"):
        import psycopg2
        c = psycopg2.connect(host="127.0.0.1", port=self.port, user=user,
                             password=password, dbname="postgres",
                             connect_timeout=5)
        c.autocommit = True
        return c

    def sql(self, text):
        with contextlib.closing(self.connect()) as c, c.cursor() as cur:
            cur.execute(text)
            return cur.fetchall() if cur.description else None

    def driver(self, user=None, dbname="postgres", passfile=None, **env):
        return Driver("sql", "127.0.0.1", self.port, user or self.PROBER,
                      dbname, passfile or self.passfile, **env)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop("immediate")
        shutil.rmtree(self.dir, ignore_errors=True)
