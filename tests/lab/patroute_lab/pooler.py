"""PgBouncer before each PostgreSQL (pooler=pgbouncer), where applications
and members' conn_url lead; Patroni and the prober go past it."""

import os
import shutil
import subprocess

from . import config, netns
from .state import write

PORT = 6432
ETC = "/run/patroute-host/etc/pgbouncer"
ARGV = ["pgbouncer", f"{ETC}/pgbouncer.ini"]
# By the host's own address: so the server says which one it is.
INI = f"""[databases]
* = host=%s port=5432
[pgbouncer]
listen_addr = 0.0.0.0
listen_port = {PORT}
unix_socket_dir =
auth_type = md5
auth_file = {ETC}/userlist.txt
pool_mode = transaction
max_client_conn = 1000
default_pool_size = 40
ignore_startup_parameters = extra_float_digits,options
"""


def is_on(settings):
    """Whether this lab has poolers."""
    return settings.get("pooler") == "pgbouncer"


def port(settings):
    """What members announce as theirs."""
    return PORT if is_on(settings) else 5432


def prepare(lab, host):
    """Its files on that host."""
    folder = lab.paths.host(host, "etc/pgbouncer")
    write(os.path.join(folder, "pgbouncer.ini"), INI % host.address)
    users = os.path.join(folder, "userlist.txt")
    write(users, "".join(f'"{each}" "{config.PASSWORD}"\n' for each in (
        config.SUPERUSER, config.PROBER)), 0o640)
    shutil.chown(users, "root", "postgres")


def replicate_past_it(namespace):
    """Members that follow conn_url to their leader come to PostgreSQL itself:
    PgBouncer before 1.23 does not know replication connections."""
    rule = ["OUTPUT", "-t", "nat", "-p", "tcp", "-d", config.NETWORK,
            "--dport", str(PORT), "-j", "DNAT", "--to-destination", ":5432"]
    tool = netns.within(namespace) + ["iptables", "-w", "10"]
    if subprocess.run(tool + ["-C"] + rule, capture_output=True,
                      check=False).returncode:
        netns.run(tool + ["-A"] + rule)
