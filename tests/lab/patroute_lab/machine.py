"""A host's life: made, entered, its programs started, killed."""

import glob
import os
import shutil
import signal
import subprocess

from . import accounts, netns, procs
from .errors import LabError
from .hosts import etc_hosts
from .state import read, write
from .waiting import until

HERE = os.path.dirname(os.path.abspath(__file__))
LAB_DIR = os.path.dirname(HERE)
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Names of programs, and of the resource agents that may run them.
AGENTS = {"prober": "patroute-prober", "agent": "patroute-spoa",
          "haproxy": "haproxy"}


class Machine:
    """One host of one lab: the namespaces and what runs in them."""

    def __init__(self, paths, host):
        self.paths = paths
        self.host = host

    @property
    def namespace(self):
        """The name of its network namespace."""
        return netns.of_host(self.paths.name, self.host)

    @property
    def init(self):
        """Its pid 1 as we see it, or None: it is not up."""
        inode = netns.inode(self.namespace)
        if inode is None:
            return None
        noted = read(self._file("init"))
        if noted and procs.is_init(int(noted), inode):
            return int(noted)
        found = procs.init_of(inode)
        return found.pid if found else None

    def _file(self, *parts):
        return self.paths.host(self.host, *parts)

    @property
    def whole(self):
        """Whether it is up, and its maker came to the end."""
        return os.path.exists(self._file("ready")) and self.init is not None

    def up(self, hosts):
        """Makes the host unless it is whole; wait_ready() waits for it."""
        netns.add(self.namespace)
        if not self.whole:
            self._clear()
            self._prepare(hosts)
            self._launch()
        netns.plug_in(self.paths.name, self.host)

    def wait_ready(self):
        """Waits until the host's own view of the machine stands."""
        def ready():
            return os.path.exists(self._file("ready")) and self.init
        pid = until(f"{self.host.name} itself", 20, ready,
                    lambda: read(self._file("log", "init.log")))
        write(self._file("init"), f"{pid}\n")

    def _clear(self):
        """Ends what a killed maker may have left of it."""
        inode = netns.inode(self.namespace)
        if not procs.kill_all(lambda: procs.in_netns(inode)):
            raise LabError(f"{self.host.name}: its processes do not end")
        for name in ("ready", "init"):
            if os.path.exists(self._file(name)):
                os.unlink(self._file(name))

    def _prepare(self, hosts):
        for folder in ("etc/patroni", "log/postgresql", "pids", "ocf"):
            os.makedirs(self._file(folder), exist_ok=True)
        for folder in ("pids", "ocf"):
            for name in os.listdir(self._file(folder)):
                os.unlink(self._file(folder, name))
        shutil.chown(self._file("log/postgresql"), "postgres", "postgres")
        write(self._file("etc/hosts"), etc_hosts(hosts))
        write(self._file("etc/hostname"), self.host.name + "\n")
        # No name server: a lookup fails at once instead of after 10 s.
        write(self._file("etc/resolv.conf"), "")
        if self.host.role == "hap":
            accounts.prepare(self._file("etc"))
        if self.host.role == "node":
            self._folder("postgresql", "postgres")
        if self.host.role == "etcd":
            self._folder("etcd", "etcd")

    def _folder(self, name, user):
        path = self.paths.host_data(self.host, name)
        os.makedirs(path, exist_ok=True)
        shutil.chown(path, user, user)

    def _launch(self):
        inner = ["--uts", "--ipc", "--pid", "--fork", "--kill-child", "--",
                 f"{LAB_DIR}/host-init", self._file(),
                 self.paths.host_data(self.host), self.paths.shared,
                 self.host.name]
        if netns.mounted("/"):
            command = ["unshare", "--mount"] + inner
        else:
            command = ["unshare", "--mount", "--propagation", "unchanged",
                       "/usr/bin/python3", "-m", "patroute_lab.private_root",
                       "unshare"] + inner
        with open(self._file("log/init.log"), "ab") as log:
            subprocess.run(
                ["setsid", "--fork", "nsenter",
                 f"--net={netns.RUN}/{self.namespace}", "--"] + command,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                env={"PATH": PATH, "LANG": "C.UTF-8",
                     "PYTHONDONTWRITEBYTECODE": "1",
                     "PYTHONPATH": LAB_DIR}, check=True)

    def enter(self, argv, cwd="/"):
        """The command line that runs argv within the host.

        It ends with its nsenter: who kills that leaves nothing behind.
        """
        pid = self.init
        if pid is None:
            raise LabError(f"{self.host.name} is not up")
        if not os.path.isdir(f"/proc/{pid}/root{cwd}"):
            cwd = "/"
        return ["nsenter", f"--target={pid}", "--mount", "--uts", "--ipc",
                "--net", "--pid", "--root", f"--wdns={cwd}", "--",
                "setpriv", "--pdeathsig", "TERM", "--"] + list(argv)

    def spawn(self, name, user, argv, env):
        """Starts a program that lives on in the host."""
        words = [f"{key}={value}" for key, value in env.items()]
        pid = self.init
        if pid is None:
            raise LabError(f"{self.host.name} is not up")
        netns.run(["nsenter", f"--target={pid}", "--mount", "--uts",
                   "--ipc", "--net", "--pid", "--root", "--wdns=/", "--",
                   "env", "-i", f"PATH={PATH}", "LANG=C.UTF-8"] + words
                  + [f"{LAB_DIR}/host-spawn", name, user] + list(argv))

    def processes(self):
        """What runs in the host, its pid 1 excepted."""
        inode = netns.inode(self.namespace)
        if inode is None:
            return []
        return [process for process in procs.in_netns(inode)
                if process.depth > 0 and process.inner != 1]

    def program(self, name):
        """The processes of one of its programs: [] if it does not run."""
        everything = self.processes()
        if name == "postgres":
            return [p for p in everything if p.comm == "postgres"]
        tops = self._noted(name) + self._noted_by_agent(name, everything)
        # Patroni starts PostgreSQL, but each is a program of its own.
        return [p for top in tops for p in procs.below(everything, top)
                if p.comm != "postgres"]

    def tops(self, name):
        """The first processes of a program: who takes its signals."""
        everything = self.processes()
        ids = self._noted(name) + self._noted_by_agent(name, everything)
        return [p for p in everything if p.inner in ids]

    def _noted(self, name):
        """The inner id that host-spawn noted, in a list."""
        text = read(self._file("pids", name)).strip()
        return [int(text)] if text else []

    def _noted_by_agent(self, name, everything):
        """The inner id that Pacemaker's resource agent noted, with the
        instant at which that process began: ids are used again."""
        ids = []
        for path in glob.glob(self._file("ocf", f"{AGENTS.get(name)}-*.pid")):
            words = read(path).split()
            ids += [p.inner for p in everything if len(words) > 1
                    and str(p.inner) == words[0] and p.began == words[1]]
        return ids

    def holds(self, address):
        """Whether it is up and has that address."""
        pid = self.init
        return pid is not None and netns.holds(pid, address)

    def kill(self):
        """Power off: the link first, so that no FIN or RST gets out,
        then every process; the network stack with its sockets last."""
        netns.link_down(self.paths.name, self.host)
        inode = netns.inode(self.namespace)
        if inode is not None and not procs.kill_all(
                lambda: procs.in_netns(inode)):
            raise LabError(f"{self.host.name}: its processes do not end")
        netns.unplug(self.paths.name, self.host)
        netns.drop([self.namespace])
        for name in ("ready", "init"):
            if os.path.exists(self._file(name)):
                os.unlink(self._file(name))

    def stop_program(self, name, seconds):
        """TERM to the program's first process, until all of it ended."""
        if not self.program(name):
            return False
        procs.send(self.tops(name), signal.SIGTERM)
        until(f"{name} on {self.host.name} stopped", seconds,
              lambda: not self.program(name),
              lambda: self.log_end(name))
        return True

    def stop_own(self, name, seconds):
        """The same, for a program that the lab started and Pacemaker, who
        is to have it, did not."""
        if self._noted(name):
            self.stop_program(name, seconds)
            os.unlink(self._file("pids", name))

    def log_file(self, name):
        """The path of a program's log."""
        if name == "postgres":
            return self._file("log/postgresql/postgresql.log")
        return self._file("log", f"{name}.log")

    def log_end(self, name, lines=20):
        """The end of a program's log."""
        return "\n".join(read(self.log_file(name)).splitlines()[-lines:])
