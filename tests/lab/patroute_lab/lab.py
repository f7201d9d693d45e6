"""The lab as an object: what the verbs and the tests call."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time

from . import (bringup, config, faults, hosts, machine, netns, procs,
               pacemaker, programs, settings, state, status, tls, wire)
from .errors import LabError
from .waiting import Deadline, until


class Lab:
    """A lab of that name (LAB_NAME, else "lab"), up or not.

    Every method ends within bounded time and raises LabError with one
    sentence if it could not do what it says. Hosts are given by name;
    node1 means dc1-psql-node1.
    """

    def __init__(self, name=None, say=None):
        if os.path.exists(f"{state.INSIDE}/inside"):
            raise LabError("within a host only the command works: the lab's"
                           " namespaces are out of reach from here")
        self.name = name or os.environ.get("LAB_NAME") or "lab"
        self.paths = state.Paths(self.name)
        self._began = time.monotonic()
        self._say = say or (lambda text: print(text, file=sys.stderr,
                                               flush=True))
        self.settings = None
        self.hosts = {}
        self.adopt(state.read_settings(self.paths) or settings.resolve([]))

    def adopt(self, chosen):
        """Takes these settings for those of the lab."""
        self.settings = chosen
        fixed = chosen["vip"] == "fixed"
        self.hosts = hosts.table(chosen["members"],
                                 "hap1" if fixed else None)

    def say(self, text):
        """Tells the user, with the seconds since the start."""
        self._say(f"{time.monotonic() - self._began:5.1f} s  {text}")

    def machine(self, host):
        """A host's life; `host` is a Host or a name."""
        if isinstance(host, str):
            host = self.host(host)
        return machine.Machine(self.paths, host)

    def host(self, name):
        """The Host of that name."""
        return hosts.find(self.hosts, name)

    @contextlib.contextmanager
    def locked(self):
        """Holds the lab against other commands that change it."""
        with state.locked(self.paths, Deadline(state.LOCK_WAIT), self.say):
            # Programs of other users read what is written here.
            mask = os.umask(0o022)
            try:
                yield
            finally:
                os.umask(mask)

    # --- up and down ---------------------------------------------------

    def up(self, pairs=()):
        """Brings the lab to its healthy state, whatever it is in now.

        `pairs` are KEY=VALUE; a whole lab with others is left alone.
        """
        self._began = time.monotonic()
        _need_root()
        with self.locked():
            bringup.up(self, list(pairs))

    def down(self):
        """Removes everything that the lab made."""
        self._began = time.monotonic()
        _need_root()
        with self.locked():
            bringup.down(self)

    @property
    def complete(self):
        """Whether an `up` came to its end since the last `down`."""
        return os.path.exists(self.paths.complete)

    # --- asking --------------------------------------------------------

    def status(self):
        """What `lab status --json` prints, as a dict."""
        return status.collect(self)

    def trouble(self):
        """What keeps the lab from being healthy: [] if nothing does."""
        return status.trouble(self.status())

    def leader(self):
        """The host whose member's name is in the leader key, or None."""
        return self.status()["leader"]

    def inside(self, host):
        """`with lab.inside(host):` opens this thread's sockets there."""
        return netns.inside(self.machine(host).namespace)

    def rest(self, host, path, body=None, timeout=5.0, method="POST"):
        """(status, text) of that member's Patroni, asked on its host."""
        return wire.request(self.machine(host).namespace, 8008, path, body,
                            timeout, method,
                            tls.context(self, self.host(host)))

    # --- running things ------------------------------------------------

    def command(self, host, argv, cwd="/"):
        """The command line that runs argv on a host, for Popen and exec.
        Who kills its process ends what runs within the host."""
        return self.machine(host).enter(argv, cwd)

    def environment(self):
        """What a command on a host finds in its environment."""
        etcds = ",".join(f"{tls.scheme(self.settings)}://{host.address}:2379"
                         for host in self.hosts.values()
                         if host.role == "etcd")
        return {**os.environ, "LAB_NAME": self.name,
                "PATRONICTL_CONFIG_FILE": "/etc/patroni/config.yml",
                "ETCDCTL_API": self.settings["etcd_api"],
                "ETCDCTL_ENDPOINTS": etcds,
                **(tls.etcdctl_env() if tls.is_on(self.settings) else {})}

    def exec(self, host, argv, timeout=60.0, check=True, **more):
        """Runs argv on a host: a CompletedProcess with text."""
        try:
            done = subprocess.run(
                self.command(host, argv), env=self.environment(),
                capture_output=True, text=True, timeout=timeout,
                check=False, **more)
        except subprocess.TimeoutExpired:
            raise LabError(f"{' '.join(argv)} on {host}: not done within "
                           f"{timeout:g} s") from None
        if check and done.returncode != 0:
            raise LabError(f"{' '.join(argv)} on {host}: exit status "
                           f"{done.returncode}",
                           (done.stdout + done.stderr).strip())
        return done

    def psql_argv(self, port, args):
        """psql as an application on app1 calls it, through the VIP."""
        environment = [f"PGPASSWORD={config.PASSWORD}",
                       f"PGCONNECT_TIMEOUT="
                       f"{os.environ.get('PGCONNECT_TIMEOUT', '30')}"]
        return ["env"] + environment + [
            "psql", "-h", hosts.VIP, "-p", str(port),
            "-U", config.SUPERUSER] + list(args)

    def psql(self, port, sql, timeout=60.0):
        """The bare answer to a query by a new connection to a port."""
        argv = self.psql_argv(port, ["-XAtqc", sql])
        return self.exec(hosts.CLIENT, argv, timeout).stdout.strip()

    # --- changing things -----------------------------------------------

    def switchover(self, to=None, timeout=90.0):
        """A planned switchover; returns Patroni's word that it is done."""
        candidate = self.host(to).member if to else None
        _, name = status.leader_name(self)
        if not name:
            raise LabError("there is no leader to switch from")
        body = {"leader": name, "candidate": candidate}
        try:
            code, text = self.rest(name, "/switchover", body, timeout)
        except (OSError, http.client.HTTPException) as why:
            raise LabError(f"Patroni on {name} did not answer the "
                           f"switchover: {why}",
                           programs.log_end(self, self.host(name))) from None
        if code != 200:
            raise LabError(f"Patroni on {name} refused the switchover: "
                           f"{text.strip()}")
        return text.strip()

    def kill(self, name):
        """Power off: its link goes down, then every process dies."""
        with self.locked():
            self.machine(name).kill()

    def start(self, name):
        """Starts a host that was killed, or what does not run on it."""
        host = self.host(name)
        with self.locked():
            self._must_be_complete()
            bringup.start_host(self, host)

    def stop_patroni(self, name, timeout=90.0):
        """TERM: Patroni stops PostgreSQL and gives up the leader key."""
        host = self.host(name)
        with self.locked():
            if not self.machine(host).stop_program("patroni", timeout):
                raise LabError(f"patroni does not run on {host.name}")

    def kill_program(self, name, program):
        """SIGKILL to a program of a host; `start` brings it back."""
        found = self.machine(name).program(program)
        if not found:
            raise LabError(f"{program} does not run on {name}")
        procs.send(found, signal.SIGKILL)

    def restart_program(self, name, program, timeout=10.0):
        """TERM, and a new start as soon as it ended."""
        host = self.host(name)
        with self.locked():
            if not self.machine(host).stop_program(program, timeout):
                raise LabError(f"{program} does not run on {host.name}")
            programs.start(self, host)
            until(f"{program} on {host.name} again", 20,
                  lambda: self.machine(host).program(program))

    def freeze(self, name, what="all"):
        """SIGSTOP to a program of a host, or to everything on it."""
        faults.freeze(self, self.host(name), what)

    def thaw(self, name, what="all"):
        """SIGCONT."""
        faults.thaw(self, self.host(name), what)

    def cut(self, name, what="all", way="both"):
        """Drops the host's traffic: etcd, db (sql and rest), or all; in,
        out or both."""
        with self.locked():
            faults.cut(self, self.host(name), what, way)

    def heal(self, name):
        """Ends every cut of the host."""
        with self.locked():
            faults.heal(self, self.host(name))

    def reload(self, name, program="haproxy", timeout=20.0):
        """HAProxy's own seamless reload; returns once a new worker is
        there. Old ones live on while they have sessions."""
        host = self.host(name)
        box = self.machine(host)
        before = {p.pid for p in box.program(program)}
        if program != "haproxy" or not before:
            raise LabError(f"no {program} runs on {host.name} to reload; "
                           "only haproxy can be reloaded")
        procs.send(box.tops(program), signal.SIGUSR2)
        until(f"new worker of haproxy on {host.name}", timeout,
              lambda: {p.pid for p in box.program(program)} - before,
              lambda: box.log_end(program))

    # --- the virtual IP --------------------------------------------------

    def vip(self, to=None):
        """The host that has the VIP, after it moved there if `to` is given;
        None if none has it, or several."""
        if to is not None:
            with self.locked():
                pacemaker.move(self, self._balancer(to).name)
        holders = pacemaker.holders(self)
        return holders[0] if len(holders) == 1 else None

    def standby(self, name):
        """Pacemaker gives up what it runs on that load balancer."""
        with self.locked():
            pacemaker.standby(self, self._balancer(name).name, True)

    def unstandby(self, name):
        """Pacemaker may use that load balancer again."""
        with self.locked():
            pacemaker.standby(self, self._balancer(name).name, False)

    def _balancer(self, name):
        host = self.host(name)
        if host.role != "hap":
            raise LabError(f"{host.name} is no load balancer, expected one "
                           "of: hap1 hap2 hap3")
        return host

    def by_hand(self):
        """Takes the load balancers' programs out of Pacemaker's hands, who
        would start again what a test kills, until the next `up`."""
        with self.locked():
            pacemaker.take(self)

    @property
    def is_by_hand(self):
        """Whether by_hand() holds."""
        return pacemaker.by_hand(self)

    def _must_be_complete(self):
        if not self.complete:
            raise LabError("the lab is not up: `lab up` first")

    def log(self, name, program=None, lines=40):
        """The ends of a host's logs, or of one program's."""
        host = self.host(name)
        known = programs.names(self, host) + ["init"]
        if program is not None and program not in known:
            raise LabError(f'{host.name} has no program "{program}", '
                           f"expected one of: {' '.join(known)}")
        box = self.machine(host)
        return "\n".join(
            f"--- {box.log_file(each)}\n{box.log_end(each, lines)}"
            for each in ([program] if program else known))

    def status_text(self):
        """What `lab status` prints."""
        return status.text(self.status())

    def status_json(self):
        """The status as text for other programs."""
        return json.dumps(self.status(), indent=1)


def _need_root():
    if os.geteuid() != 0:
        raise LabError("the lab needs root: it makes network namespaces")
    for tool in ("ip", "nsenter", "unshare", "setpriv", "iptables"):
        if not shutil.which(tool):
            raise LabError(f"{tool} is missing: tests/install lab")
