"""The meter on the lab: start it, mark what is done to the cluster, read it.

    with Meter(lab, targets, path) as m:
        m.run(3)
        m.mark("event", "switchover")
        lab.switchover()
        m.run(10)
    print(measures.summary(m.history))
"""

import json
import os
import pathlib
import shlex
import subprocess
import sys
import time
import uuid

from history import History

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.path.insert(0, str(TOP / "tests" / "lab"))

# pylint: disable=wrong-import-position
from patroute_lab import config, hosts  # noqa: E402

TABLE = "patroute_meter"
STOP_WAIT = 15.0


class MeterError(Exception):
    """The meter did not do what it should; one sentence."""


class Target:
    """A port to measure. kind is write, read or any."""

    def __init__(self, label, port, kind, address=hosts.VIP, every_ms=10,
                 **more):
        self.label, self.kind = label, kind
        self.address, self.port = address, port
        self.every_ms = every_ms
        self.more = more        # options, app, user, ssl, deadline_ms, …

    def command(self):
        """The meter's command."""
        return _words("target", f"'{self.label}'", f"{self.address}:{self.port}",
                      self.kind, self.every_ms, **self.more)


def _words(*words, **pairs):
    return " ".join([str(word) for word in words] +
                    [f"{key}='{value}'" for key, value in pairs.items()])


def binary():
    """The program, in PATROUTE_BUILD or where the lab builds."""
    build = os.environ.get("PATROUTE_BUILD") or str(TOP / "build/release")
    path = os.path.join(build, "tests", "meter", "patroute-meter")
    if not os.access(path, os.X_OK):
        raise MeterError(f"{path} is missing: build patroute first, or set "
                         "PATROUTE_BUILD")
    return path


def prepare_table(lab):
    """The writers' table, empty, on the leader."""
    leader = lab.leader()
    if leader is None:
        raise MeterError("there is no leader to make the table on")
    sql = (f"CREATE TABLE IF NOT EXISTS {TABLE} (run text, label text, "
           f"seq bigint, node inet, txid bigint); TRUNCATE {TABLE}")
    direct_psql(lab, leader, sql)


def direct_psql(lab, host, sql):
    """The answer of one member, past every router."""
    argv = ["env", f"PGPASSWORD={config.PASSWORD}", "PGCONNECT_TIMEOUT=10",
            "PGOPTIONS=-c client_min_messages=warning", "psql", "-XAtq",
            "-h", lab.host(host).address, "-U", config.SUPERUSER, "-d",
            "postgres", "-c", sql]
    return lab.exec(hosts.CLIENT, argv).stdout.strip()


def rows(lab, run):
    """{(label, seq)} of a run, as the present leader has them."""
    sql = f"SELECT label, seq FROM {TABLE} WHERE run = '{run}'"
    lines = direct_psql(lab, lab.leader(), sql).splitlines()
    return {(line.split("|")[0], int(line.split("|")[1])) for line in lines}


class Meter:
    """patroute-meter on app1, from the beginning of `with` to its end.

    idle, busy: sessions held through each target from the start. drain_ms:
    what is under way at the end is waited for so long, at most. `history`
    grows while it runs (`follow`) and is whole after the end.
    """

    def __init__(self, lab, targets, path, *, idle=2, busy=1,
                 busy_every_ms=20, member_every_ms=5, drain_ms=2000,
                 notes=()):
        self.lab, self.targets, self.path = lab, list(targets), str(path)
        self.idle, self.busy = idle, busy
        self.busy_every_ms = busy_every_ms
        self.member_every_ms = member_every_ms
        self.drain_ms = drain_ms
        self.notes = list(notes)
        self.run_id = uuid.uuid4().hex[:12]
        self.history = History()
        self._process = None
        self._file = None
        self._part = ""

    def __enter__(self):
        prepare_table(self.lab)
        with open(self.path, "w", encoding="utf-8") as out:
            self._process = subprocess.Popen(
                self.lab.command(hosts.CLIENT, [binary()]),
                stdin=subprocess.PIPE, stdout=out, text=True)
        self._file = open(self.path, encoding="utf-8")
        try:
            self._start()
        except BaseException:
            self._end(0)
            raise
        return self

    def __exit__(self, *exception):
        self._end(0 if exception[0] else self.drain_ms)

    def _start(self):
        self.send(_words("login", user=config.SUPERUSER, table=TABLE,
                         password=config.PASSWORD, run=self.run_id))
        for target in self.targets:
            self.send(target.command())
        etcds = []
        for host in self.lab.hosts.values():
            if host.role == "node":
                self.send(_words("member", host.member,
                                 f"{host.address}:5432",
                                 every_ms=self.member_every_ms))
            elif host.role == "etcd":
                etcds.append(f"{host.address}:2379")
        if self.lab.settings["etcd_api"] == "3":
            self.send(_words("etcd", f"{config.NAMESPACE}{config.SCOPE}/",
                             *etcds))
        self.send(_words("start", *map(shlex.quote, self.notes)))
        for target in self.targets:
            if self.idle:
                self.hold(target.label, self.idle, "idle")
            if self.busy:
                self.hold(target.label, self.busy, "busy",
                          self.busy_every_ms)
        self.wait(self._is_ready, 15, "all members polled and sessions open")

    def _is_ready(self, h):
        """Everybody answered once; from here on the run counts."""
        nodes = [x for x in self.lab.hosts.values() if x.role == "node"]
        held = len(self.targets) * (self.idle + self.busy)
        return len(h.members) == len(nodes) and \
            len(h.sessions) >= held and \
            (h.etcd or self.lab.settings["etcd_api"] != "3")

    def send(self, command):
        """One command to the program."""
        try:
            self._process.stdin.write(command + "\n")
            self._process.stdin.flush()
        except OSError as why:
            raise MeterError(f"patroute-meter is gone: {why}") from None

    def mark(self, name, text=""):
        """Notes in the history what happens now."""
        self.send(f"mark {name} '{text}'")

    def hold(self, label, n, tag, every_ms=0):
        """Opens n more sessions through a target; busy ones with every_ms."""
        self.send(f"hold '{label}' {n} {tag}" +
                  (f" every_ms={every_ms}" if every_ms else ""))

    def follow(self):
        """Takes what was written meanwhile; the history so far."""
        text = self._part + self._file.read()
        *whole, self._part = text.split("\n")
        for line in whole:
            self.history.add(json.loads(line))
        return self.history

    def wait(self, there, seconds, what):
        """Until there(history) is true; its value."""
        end = time.monotonic() + seconds
        while True:
            if self._process.poll() is not None:
                raise MeterError("patroute-meter ended with status "
                                 f"{self._process.returncode}")
            found = there(self.follow())
            if found:
                return found
            if time.monotonic() > end:
                raise MeterError(f"not within {seconds:g} s: {what}")
            time.sleep(0.1)

    def run(self, seconds):
        """Lets it measure for that long."""
        end = time.monotonic() + seconds
        self.wait(lambda h: time.monotonic() >= end, seconds + 5,
                  "time passes")

    def _end(self, drain_ms):
        process = self._process
        try:
            if process.poll() is None:
                self.send(f"stop {drain_ms}")
                process.stdin.close()
            process.wait(STOP_WAIT + drain_ms / 1000)
        except (OSError, MeterError, subprocess.TimeoutExpired):
            process.kill()
            process.wait()
        self.follow()
        self._file.close()
        if self._part:
            raise MeterError(f"{self.path} ends within a line")
