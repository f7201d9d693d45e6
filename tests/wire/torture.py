"""
Each call to the heap, a socket, a file or epoll fails once: at start, over a
decision and a refusal, a feed and a verdict. The program ends cleanly while it
starts, with a sentence, or goes on and mends itself; it never crashes, leaks
or routes wrongly. Minutes: by hand.
"""
import contextlib
import http.client
import os
import random
import shutil
import signal
import struct
import subprocess
import time

import prober_lib
import spoa_lib
from prober_lib import BUILD, wait_until

CALLS = ("heap", "open", "socket", "connect", "accept", "read", "write",
         "epoll", "fork")
SIZE = 32 + 16384 * 16
# What libraries keep in reserve differs by what met what: connections kept,
# tables grown.
LEAK = 40
# Where it is they who are refused, these libraries end the process: libev and
# libmicrohttpd by abort(), libconfuse, OpenSSL while it sets itself up and
# glibc's name service by a NULL that they do not look for; and libev goes on
# without the pipe that signals come by. Counted apart, and nothing but that.
# libcurl (7.88) goes on with a table of sockets that it could not make, and
# divides by its size: that is theirs only if it crashes there.
THEIR_CRASHES = ("libcurl.so",)
THEIRS = ("libev.so", "libmicrohttpd.so", "libconfuse.so", "libcrypto.so",
          "(__nss_", "(__libc_allocate_once_slow")


class Torture:
    """The file that libtorture.so and this program share."""

    def __init__(self, folder):
        self.library = shutil.copy(
            BUILD / "tests" / "wire" / "libtorture.so", folder)
        self.file = folder / "torture"
        self.report = folder / "report"
        self.stacks = {}                 # id -> kind of call

    def prefix(self):
        return ["setarch", "-R", "env", f"LD_PRELOAD={self.library}",
                f"TORTURE={self.file}", f"TORTURE_REPORT={self.report}"]

    def arm(self, wanted=0):
        self.file.write_bytes(struct.pack("=Q", wanted) + bytes(SIZE - 8))
        self.file.chmod(0o666)
        self.report.write_bytes(b"")
        self.report.chmod(0o666)

    def number(self, index):
        with self.file.open("rb") as f:
            f.seek(index * 8)
            return struct.unpack("=q", f.read(8))[0]

    def failed(self):
        return self.number(1)

    def live(self):
        return self.number(2)

    def collect(self):
        data = self.file.read_bytes()
        n = self.number(3)
        for i in range(n):
            stack, call = struct.unpack_from("=QQ", data, 32 + 16 * i)
            self.stacks[stack] = CALLS[call]


    def is_theirs(self):
        """It was a library's own call that failed, and if there was a crash,
        that was in the library too."""
        call, _, crash = self.report.read_text().partition("crash\n")
        above = crash.partition("/patroute-")[0]
        names = THEIRS + THEIR_CRASHES if crash else THEIRS
        return any(t in line for t in names
                   for line in call.splitlines()[:3]) and (
            not crash or any(t in above for t in names))


class Died(AssertionError):
    """By a signal, with an exit code that it has not, or not when asked."""


def is_late(e):
    """wait_until()'s own."""
    return not isinstance(e, Died) and str(e).startswith("not in ")


def left(process):
    """How the program ended, None if it did not."""
    return process.poll()


def is_serving(p):
    if left(p.process) is not None:
        raise Died(f"exit {left(p.process)} while it served")


def has_started(p, ready):
    """Waits for it; the exit code of one that ended instead."""
    wait_until(lambda: ready in p.text() or left(p.process) is not None,
               "ready or gone", 10)
    return left(p.process)


def launch(p, program, torture):
    with contextlib.suppress(FileNotFoundError):
        p.log.unlink()
    p.process = subprocess.Popen(
        [*torture.prefix(), str(program), "-c", str(p.conf)],
        stdin=subprocess.DEVNULL, stderr=open(p.log, "ab"))


def refused(p, rc):
    """It did not start: it said why, and left as it should."""
    if rc != 1:
        raise Died(f"exit {rc} at start")
    assert p.text().strip(), "not a word"


def finish(p):
    is_serving(p)
    p.process.send_signal(signal.SIGTERM)
    try:
        rc = p.process.wait(3)
    except subprocess.TimeoutExpired as e:
        raise Died("still there after SIGTERM") from e
    if rc != 0:
        raise Died(f"exit {rc} at SIGTERM")


def choose(stacks):
    """All of them, or TORTURE_MOST: then of the heap's a part."""
    most = int(os.environ.get("TORTURE_MOST", len(stacks)))
    dice = random.Random(int(os.environ.get("SEED", "1")))
    heap = [s for s, call in stacks.items() if call == "heap"]
    rest = [s for s, call in stacks.items() if call != "heap"][:most]
    return rest + dice.sample(heap, min(len(heap), most - len(rest)))


class Notes:
    """What became of each stack. In the file that TORTURE_NOTES names they
    outlive the run: one that TORTURE_S seconds ended goes on where it was, as
    long as the programs are the same."""

    def __init__(self, name):
        self.path = os.environ.get("TORTURE_NOTES")
        self.path = self.path and f"{self.path}.{name}"
        self.of = {}
        if self.path and os.path.exists(self.path):
            with open(self.path, encoding="utf-8") as f:
                lines = [line.split() for line in f]
            self.of = {int(stack, 16): what for stack, what in lines}

    def put(self, stack, what):
        self.of[stack] = what
        if self.path:
            with open(self.path, "a", encoding="utf-8") as f:
                f.write(f"{stack:x} {what}\n")

    def count(self, what):
        return sum(each == what for each in self.of.values())


def once(torture, scenario, stack, base):
    """That stack's call fails. Gives: ok, missed (it did not come to pass),
    theirs (a library ended the program) or wrong, and then why."""
    torture.arm(stack)
    try:
        whole = scenario()
        if torture.failed() == 0:
            return "missed", ""
        if whole and torture.live() > base + LEAK:
            raise AssertionError(f"{torture.live() - base} blocks more")
        return "ok", ""
    except (AssertionError, OSError) as e:
        # Nothing failed, and it was waited for in vain: the machine stood
        # still. An end or a wrong route is none the less one.
        if torture.failed() == 0 and is_late(e):
            return "missed", ""
        if isinstance(e, Died) and torture.is_theirs():
            return "theirs", ""
        return "wrong", (f"{torture.stacks[stack]} {stack:x}: "
                         f"{type(e).__name__} {str(e)[:1500]}\n"
                         f"{torture.report.read_text()}")


def known(torture, scenario):
    """Notes every stack. Gives: the blocks that a life leaves behind."""
    base, lives = 0, 0
    for _ in range(3 * 5):      # a machine that stands still is forgiven
        torture.arm()
        try:
            scenario()
        except AssertionError as e:
            if not is_late(e):
                raise
            continue
        torture.collect()
        base = max(base, torture.live())
        lives += 1
        if lives == 3:
            return base
    raise AssertionError(f"{lives} of 15 lives went well")


def each(torture, scenario, name):
    """Every stack once; what went wrong is printed with its stacks."""
    base, notes, began = known(torture, scenario), Notes(name), time.monotonic()
    chosen = choose(torture.stacks)
    end = began + float(os.environ.get("TORTURE_S", "inf"))
    for stack in chosen:
        if stack in notes.of or time.monotonic() > end:
            continue
        what, why = once(torture, scenario, stack, base)
        notes.put(stack, what)
        if why:
            print(why, flush=True)
    left = sum(stack not in notes.of for stack in chosen)
    kinds = {c: sum(torture.stacks[s] == c for s in chosen) for c in CALLS}
    print(f"{name}: {len(notes.of)} stacks, of {len(torture.stacks)} now "
          f"{kinds}, {notes.count('missed')} not met again, "
          f"{notes.count('theirs')} ended by a library, "
          f"{notes.count('wrong')} wrong, {left} left, "
          f"{time.monotonic() - began:.0f} s")
    assert left == 0, f"{left} stacks are left: go on"
    assert len(notes.of) > 50
    assert notes.count("missed") < len(notes.of) // 4
    assert not notes.count("wrong"), "see above"


# --- the agent ----------------------------------------------------------------

class AgentRun:
    """One life of the agent: decisions, a refusal, another leader."""

    def __init__(self, folder, torture):
        self.agent = spoa_lib.Agent(folder, hold_timeout="300ms")
        self.prober = spoa_lib.Prober(self.agent.feed)
        self.torture = torture

    def routed(self, leader, others=()):
        """Writes go to this member, in the end; never to anybody else."""
        def ask():
            with contextlib.suppress(OSError, AssertionError):
                c = spoa_lib.Spop(self.agent.socket)
                with contextlib.closing(c):
                    got = c.ask(spoa_lib.route(1)).vars
                    reads = c.ask(spoa_lib.route(2, listen="read")).vars
                return got, reads
            return None

        def is_right():
            is_serving(self.agent)
            answer = ask()
            if answer is None:
                return False
            got, reads = answer
            if got.get("action") != "write":
                return False
            assert got["server"] in (leader, *others), got
            assert reads.get("action") in (None, "read", "fallback", "hold",
                                           "desk")
            if got["server"] != leader:
                return False
            # Asked after it: by the same snapshot, or a later one.
            assert reads.get("server") != leader, reads
            return True

        wait_until(is_right, f"writes to {leader}", 8)

    def refused(self):
        """The desk says its sentence."""
        def sentence():
            is_serving(self.agent)
            with contextlib.suppress(OSError, AssertionError, KeyError,
                                     IndexError, struct.error):
                d = spoa_lib.DeskClient(self.agent.desk)
                with contextlib.closing(d.s):
                    d.send(spoa_lib.startup(user="x"))
                    return d.error()["C"] == "57P03"
            return False

        wait_until(sentence, "the sentence", 8)

    def __call__(self):
        self.prober.tell([spoa_lib.leader("a"), spoa_lib.member("b"),
                          spoa_lib.member("c")], 0)
        launch(self.agent, spoa_lib.SPOA, self.torture)
        try:
            rc = has_started(self.agent, "ready listeners=")
            if rc is not None:
                refused(self.agent, rc)
                return False
            self.routed("a")
            self.refused()
            self.prober.tell([spoa_lib.member("a"), spoa_lib.leader("b"),
                              spoa_lib.member("c")], 1)
            self.routed("b", "a")
            self.agent.process.send_signal(signal.SIGHUP)
            self.routed("b")
            finish(self.agent)
            return True
        finally:
            if left(self.agent.process) is None:
                self.agent.process.kill()
            self.agent.process.wait()


def test_agent(tmp_path_factory):
    folder = tmp_path_factory.mktemp("agent")
    for f in (folder, folder.parent, folder.parent.parent):
        f.chmod(0o777)
    torture = Torture(folder)
    run = AgentRun(folder, torture)
    try:
        each(torture, run, "agent")
    finally:
        run.prober.stop()


# --- the prober ---------------------------------------------------------------

class ProberRun:
    """One life of the prober: a verdict, a feed, answers, another leader."""

    def __init__(self, folder, torture):
        self.cluster = prober_lib.Cluster(folder / "etcd")
        self.cluster.reset()
        self.prober = prober_lib.Prober(folder, self.cluster.etcd.port)
        self.torture = torture

    def fed(self, leader, others=()):
        """A snapshot that names this leader, in the end; never another."""
        def is_fed():
            is_serving(self.prober)
            with contextlib.suppress(OSError):
                agent = prober_lib.Agent(self.prober.feed)
                agent.s.settimeout(2)
                with contextlib.closing(agent):
                    return self.hear(agent, leader, others)
            return False

        wait_until(is_fed, f"a verdict for {leader}", 12)

    def hear(self, agent, leader, others):
        while True:
            kind, body = agent.next()
            if not kind:
                return False
            if kind != agent.SNAPSHOT:
                continue
            s = agent.decode(kind, body)
            agent.seen(s)
            assert s["target"] in (None, leader, *others), s
            if s["target"] == leader:
                return True

    def answered(self, path, good):
        def is_good():
            is_serving(self.prober)
            with contextlib.suppress(OSError, http.client.HTTPException):
                return self.prober.get(path)[0] in good
            return False

        wait_until(is_good, path, 12)

    def __call__(self):
        self.cluster.lead("node1")
        launch(self.prober, prober_lib.PROBER, self.torture)
        try:
            rc = has_started(self.prober, "ready version=")
            if rc is not None:
                refused(self.prober, rc)
                return False
            self.fed("node1")
            self.answered("/check/main_write/node1/pid-1", (200,))
            self.answered("/check/main_write/node2/pid-1", (404,))
            self.answered("/topology", (200,))
            self.answered("/metrics", (200,))
            self.cluster.lead("node2")
            self.fed("node2", ("node1",))
            self.prober.process.send_signal(signal.SIGHUP)
            self.answered("/healthz", (200,))
            finish(self.prober)
            return True
        finally:
            if left(self.prober.process) is None:
                self.prober.process.kill()
            self.prober.process.wait()


def test_prober(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prober")
    for f in (folder, folder.parent, folder.parent.parent):
        f.chmod(0o777)
    torture = Torture(folder)
    run = ProberRun(folder, torture)
    try:
        each(torture, run, "prober")
    finally:
        run.cluster.stop()
