"""The configuration of the hosts' programs, made from the settings."""

import json
import os

from . import pooler, tls
from .settings import parameters

SCOPE = "main"                   # unless another is asked for
NAMESPACE = "/service/"
SUPERUSER, REPLICATOR, PROBER = "postgres", "replicator", "patroute"
PASSWORD = "p"                   # a lab's
NETWORK = "192.168.34.0/24"
PG_DATA = "/var/lib/postgresql/data"


def pg_bin(settings):
    """Debian's folder of that PostgreSQL."""
    return f"/usr/lib/postgresql/{settings['pg_version']}/bin"


def etcd_argv(settings, hosts, host):
    """etcd's command line; the cluster is the lab's etcd hosts."""
    scheme = tls.scheme(settings)
    peers = ",".join(f"{each.name}={scheme}://{each.address}:2380"
                     for each in hosts.values() if each.role == "etcd")
    peer = f"{scheme}://{host.address}:2380"
    client = f"{scheme}://{host.address}:2379"
    return ["etcd", "--name", host.name,
            "--data-dir", "/var/lib/etcd/data",
            "--listen-peer-urls", peer,
            "--initial-advertise-peer-urls", peer,
            "--listen-client-urls", f"{client},{scheme}://127.0.0.1:2379",
            "--advertise-client-urls", client,
            "--initial-cluster", peers,
            "--initial-cluster-state", "new",
            "--initial-cluster-token", "patroute-lab",
            "--logger", "zap"] + (
                tls.etcd_argv() if tls.is_on(settings) else [])


def _pg_parameters(settings):
    chosen = {
        # The lab kills processes, never the machine: the page cache
        # survives, and with it every write. fsync only costs time here.
        "fsync": "off",
        # SCRAM costs 3 ms of CPU a connection: on two cores the meter,
        # which connects all the time, would measure that.
        "password_encryption": "md5",
        "max_connections": "300",
        "max_wal_senders": "10",
        "max_replication_slots": "10",
        "wal_keep_size": "128MB",
        "shared_buffers": "32MB",
        "logging_collector": "on",
        "log_directory": "/var/log/postgresql",
        "log_filename": "postgresql.log",
        "log_line_prefix": "%m [%p] %q%u@%d %h ",
        "unix_socket_directories": "/run/postgresql",
        "jit": "off",
    }
    chosen.update(parameters(settings))
    return chosen


def dcs(settings):
    """Patroni's dynamic configuration, as the settings want it."""
    return {
        "ttl": settings["ttl"],
        "loop_wait": settings["loop_wait"],
        "retry_timeout": settings["retry_timeout"],
        "maximum_lag_on_failover": settings["maximum_lag_on_failover"],
        "synchronous_mode": settings["synchronous_mode"] == "on",
        "failsafe_mode": settings["failsafe_mode"] == "on",
        "postgresql": {
            "use_pg_rewind": True,
            "use_slots": True,
            "parameters": _pg_parameters(settings),
        },
    }


def hurried(wanted):
    """The same while the cluster is being made: members look for each
    other every second instead of every 10, and replicas for the slots
    that the leader makes them every 0.2 s instead of every 5."""
    parameters = {**wanted["postgresql"]["parameters"],
                  "wal_retrieve_retry_interval": "200ms"}
    return {**wanted, "loop_wait": 1, "postgresql": {
        **wanted["postgresql"], "parameters": parameters}}


def unhurried(wanted):
    """What ends it: a PATCH to Patroni's /config, where null removes."""
    name = "wal_retrieve_retry_interval"
    value = wanted["postgresql"]["parameters"].get(name)
    return {"loop_wait": wanted["loop_wait"],
            "postgresql": {"parameters": {name: value}}}


def patroni(settings, host, keys):
    """patroni.yml of a member, as JSON: YAML is a superset of it. `keys`
    says where its keys are."""
    # Patroni asks its own standby for the timeline by a replication
    # connection: without 127.0.0.1 here its REST API says null.
    hba = ["local all all trust",
           f"host replication {REPLICATOR} 127.0.0.1/32 md5",
           "host all all 127.0.0.1/32 md5",
           f"host replication {REPLICATOR} {NETWORK} md5",
           f"host all all {NETWORK} md5"]
    def role(name):
        return {"username": name, "password": PASSWORD}
    announced = host.name if settings["named"] == "on" else host.address
    whole = {
        "scope": settings["scope"],
        "namespace": NAMESPACE,
        "name": host.member,
        **keys,
        "restapi": {
            "listen": "0.0.0.0:8008",
            "connect_address": f"{announced}:8008",
        },
        "bootstrap": {
            "dcs": hurried(dcs(settings)),
            "initdb": ["data-checksums", "no-sync", {"encoding": "UTF8"},
                       {"locale": "C.UTF-8"}],
            "post_bootstrap": "sh /etc/patroni/post_bootstrap",
        },
        "postgresql": {
            "listen": "0.0.0.0:5432",
            "connect_address": f"{announced}:{pooler.port(settings)}",
            "bin_dir": pg_bin(settings),
            "data_dir": PG_DATA,
            "pgpass": "/run/postgresql/pgpass",
            "pg_hba": hba,
            "basebackup": ["no-sync", {"checkpoint": "fast"}],
            "authentication": {
                "superuser": role(SUPERUSER),
                "replication": role(REPLICATOR),
            },
        },
    }
    return json.dumps(tls.patroni(whole) if tls.is_on(settings) else whole,
                      indent=1) + "\n"


def post_bootstrap():
    """The prober's role: no right but to connect. Patroni 4 no longer
    makes users itself, a script works with every version."""
    return ("#!/bin/sh\n# called by Patroni with a connection string\n"
            f"exec psql -X -q -v ON_ERROR_STOP=1 \"$1\" -c \"CREATE ROLE "
            f"{PROBER} LOGIN PASSWORD '{PASSWORD}'\"\n")


def haproxy_env(settings):
    """What classic.cfg reads from the environment."""
    return {"CLASSIC_CHECKS": settings["checks"],
            "CLASSIC_STATS_PASSWORD": PASSWORD,
            "CLASSIC_LOG": "stdout"}    # lab logs HOST haproxy


def classic_cfg(top, hosts):
    """The product's own classic.cfg; a cluster of more members than the
    three it names needs their lines after the third's."""
    path = os.path.join(top, "haproxy", "classic.cfg")
    more = [host for host in hosts.values()
            if host.role == "node" and host.number > 3]
    if not more:
        return path, None
    lines = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            lines.append(line)
            if "server dc1-psql-node3 " in line:
                lines += [f"    server {host.name} {host.address}:5432\n"
                          for host in more]
    return "/run/patroute-host/classic.cfg", "".join(lines)
