"""What runs on which host: the table of programs.

A new program is one more line here; everything else starts, freezes, shows
and stops it by this table.
"""

import os
import shutil

from . import config, dcs, ours, pacemaker, pooler, tls, wire
from .machine import LAB_DIR
from .state import read, write

TOP = os.path.dirname(os.path.dirname(LAB_DIR))


class Program:
    """A program of a host: how to run it and when it serves."""

    def __init__(self, name, user, argv, env=None, prepare=None,
                 ready=None, managed=False):
        self.name = name
        self.user = user
        self.argv = argv
        self.env = env or {}
        self.prepare = prepare or (lambda: None)    # writes its files
        self.ready = ready or (lambda: True)
        self.managed = managed      # Pacemaker starts it


def table(lab, host):
    """The programs of a host, in the order in which they start."""
    if host.role == "etcd":
        return [_zookeeper(lab, host) if dcs.is_zookeeper(lab.settings)
                else _etcd(lab, host)]
    if host.role == "node":
        return [_patroni(lab, host)] + (
            [_pgbouncer(lab, host)] if pooler.is_on(lab.settings) else [])
    if host.role == "hap" and ours.is_on(lab.settings):
        found = [_prober(lab, host), _agent(lab, host),
                 _haproxy_of_ours(lab, host)]
        for program in found:
            program.managed = pacemaker.manages(lab, host)
        return _cluster(lab) + found
    if host.role == "hap":
        return [_haproxy(lab, host)]
    return []


def names(lab, host):
    """What can be frozen or asked for its log on a host."""
    found = [program.name for program in table(lab, host)]
    return found + ["postgres"] if host.role == "node" else found


def _cluster(lab):
    """Corosync and Pacemaker. The latter gives up without the former."""
    if not pacemaker.is_on(lab.settings):
        return []
    wait = "until corosync-cfgtool -s; do sleep 0.1; done >/dev/null 2>&1"
    return [Program("corosync", "root", ["corosync", "-f"]),
            Program("pacemaker", "root",
                    ["sh", "-c", f"{wait}; exec pacemakerd -f"],
                    {"PCMK_logfile": "none",
                     "PCMK_logfacility": "none"})]


def _etcd(lab, host):
    argv = config.etcd_argv(lab.settings, lab.hosts, host)
    if lab.settings["etcd_api"] == "2":
        argv.append("--enable-v2=true")
    machine = lab.machine(host)
    return Program("etcd", "etcd", argv,
                   ready=lambda: wire.etcd_healthy(machine.namespace,
                                                   tls.context(lab, host)))


def _zookeeper(lab, host):
    machine = lab.machine(host)
    return Program("zookeeper", "etcd", dcs.zoo_argv() + [str(host.number)],
                   {"PATH": "/usr/bin:/bin"},
                   lambda: write(lab.paths.host(host, "etc/zoo.cfg"),
                                 dcs.zoo_cfg(lab.hosts)),
                   lambda: dcs.zoo_serves(machine.namespace))


def _patroni(lab, host):
    machine = lab.machine(host)

    def prepare():
        folder = lab.paths.host(host, "etc/patroni")
        path = os.path.join(folder, "config.yml")
        write(path, config.patroni(
            lab.settings, host, dcs.patroni(lab.settings, lab.hosts)), 0o640)
        shutil.chown(path, "root", "postgres")
        write(os.path.join(folder, "post_bootstrap"),
              config.post_bootstrap())

    def ready():
        answer = wire.get_json(machine.namespace, 8008, "/patroni",
                               tls=tls.context(lab, host))
        return answer is not None
    env = {"HOME": "/var/lib/postgresql",
           "PATH": config.pg_bin(lab.settings) + ":/usr/bin:/bin"}
    return Program("patroni", "postgres",
                   ["patroni", "/etc/patroni/config.yml"], env,
                   prepare, ready)


def _pgbouncer(lab, host):
    machine = lab.machine(host)

    def prepare():
        pooler.prepare(lab, host)
        pooler.replicate_past_it(machine.namespace)
    return Program("pgbouncer", "postgres", pooler.ARGV, prepare=prepare,
                   ready=lambda: wire.listens(machine.namespace,
                                              pooler.PORT))


# As in the field: master and worker, root at first, haproxy then.
def _haproxy_argv(lab, files):
    argv = [lab.settings["haproxy"], "-W", "-S",
            "/run/haproxy-master.sock,mode,660,group,haproxy"]
    return argv + [word for path in files for word in ("-f", path)]


def _haproxy(lab, host):
    path, text = config.classic_cfg(TOP, lab.hosts)

    def prepare():
        if text is not None:
            write(lab.paths.host(host, "classic.cfg"), text)
    machine = lab.machine(host)
    return Program("haproxy", "root", _haproxy_argv(lab, [path]),
                   config.haproxy_env(lab.settings), prepare,
                   lambda: _has_admin_socket(machine))


def _has_admin_socket(machine):
    return os.path.exists(f"/proc/{machine.init}/root/run/haproxy/admin.sock")


def _prober(lab, host):
    machine = lab.machine(host)
    return Program("prober", "root", ours.prober_argv(),
                   prepare=lambda: ours.prepare(lab, host),
                   ready=lambda: ours.is_healthy(machine.namespace))


def _agent(lab, host):
    machine = lab.machine(host)
    return Program("agent", "root", ours.agent_argv(),
                   ready=lambda: ours.is_listening(machine))


def _haproxy_of_ours(lab, host):
    machine = lab.machine(host)
    argv = _haproxy_argv(lab, ours.haproxy_files())
    env = {**ours.haproxy_env(), "CLASSIC_CHECKS": lab.settings["checks"]}
    return Program("haproxy", "root", argv, env,
                   ready=lambda: _has_admin_socket(machine))


def start(lab, host):
    """Starts those of a host's programs that do not run; their names."""
    machine = lab.machine(host)
    started = []
    for program in table(lab, host):
        if machine.program(program.name):
            continue
        program.prepare()
        if program.managed:
            continue
        machine.spawn(program.name, program.user, program.argv,
                      program.env)
        started.append(program.name)
    return started


def version_missing(settings):
    """Where PostgreSQL of the chosen version should be but is not."""
    path = config.pg_bin(settings)
    return "" if os.path.exists(f"{path}/postgres") else path


def log_end(lab, host):
    """The ends of all logs of a host, for a message."""
    machine = lab.machine(host)
    parts = [f"--- {machine.log_file(name)}\n{machine.log_end(name, 12)}"
             for name in names(lab, host)
             if read(machine.log_file(name))]
    return "\n".join(parts)
