"""patroute's own programs on a hap host: built, configured, started.

A lab with the option route=patroute (the default) runs the prober, the
agent and HAProxy with our configuration and, on 5100 to 5102, the stock
classic one; with route=classic it has the classic way alone, on 5000.
"""

import os
import subprocess

from . import config
from .errors import LabError
from .machine import LAB_DIR
from .state import write

TOP = os.path.dirname(os.path.dirname(LAB_DIR))
USER, GROUP = "patroute", "haproxy"
USER_ID = 64099                  # in no Debian range; the lab's hosts only
CONF = "/etc/patroute/patroute.conf"
CLASSIC_PORTS = {"CLASSIC_BESIDE": "1", "CLASSIC_WRITE_PORT": "5100",
                 "CLASSIC_READ_PORT": "5101", "CLASSIC_ANY_PORT": "5102"}


def is_on(settings):
    """Whether this lab routes by patroute."""
    return settings["route"] == "patroute"


def build_folder():
    """Where the programs are: PATROUTE_BUILD, or this checkout's own."""
    return os.environ.get("PATROUTE_BUILD") or os.path.join(TOP, "build",
                                                            "release")


def build(say):
    """Builds this checkout, unless PATROUTE_BUILD names what is built."""
    if os.environ.get("PATROUTE_BUILD"):
        return
    folder = build_folder()
    subprocess.run([os.path.join(TOP, "tests", "install"), "build"],
                   check=True)
    say(f"build {os.path.relpath(folder, TOP)}")
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    commands = [["cmake", "-S", TOP, "-B", folder, "-G", "Ninja",
                 "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
                 "-DPATROUTE_TESTS=ON"],
                ["cmake", "--build", folder]]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise LabError("the build failed:\n"
                           + (done.stdout + done.stderr)[-4000:])


def _binary(name):
    path = os.path.join(build_folder(),
                        "prober" if name == "patroute-prober" else "spoa",
                        name)
    if not os.access(path, os.X_OK):
        raise LabError(f"{path} is missing: unset PATROUTE_BUILD, or build "
                       "there first")
    return path


def prober_argv():
    """The prober's command line within a host."""
    return [_binary("patroute-prober"), "-c", CONF]


def agent_argv():
    """The agent's command line within a host."""
    return [_binary("patroute-spoa"), "-c", CONF]


def prepare(lab, host):
    """Writes what our programs read on that host; the host is up."""
    etc = lab.paths.host(host, "etc/patroute")
    write(os.path.join(etc, "patroute.conf"), conf(lab.settings, lab.hosts))
    passfile = os.path.join(etc, "pgpass")
    write(passfile, f"*:*:*:{config.PROBER}:{config.PASSWORD}\n", 0o600)
    os.chown(passfile, USER_ID, -1)


def prepare_accounts(lab, host):
    """The host's own passwd: the machine's, and the user patroute."""
    group = next((line.split(":")[2] for line in _lines("/etc/group")
                  if line.startswith(GROUP + ":")), "65534")
    rows = [line for line in _lines("/etc/passwd")
            if not line.startswith(USER + ":")]
    rows.append(f"{USER}:x:{USER_ID}:{group}::/nonexistent:"
                "/usr/sbin/nologin")
    write(lab.paths.host(host, "etc/passwd"), "\n".join(rows) + "\n")


def _lines(path):
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


def conf(settings, hosts):
    """patroute.conf of the lab: what differs from the defaults."""
    etcds = ", ".join(f'"http://{h.address}:2379"' for h in hosts.values()
                      if h.role == "etcd")
    names = ", ".join(f'"{h.member}={h.name}"' for h in hosts.values()
                      if h.role == "node")
    return f"""# patroute.conf of a lab's load balancer, written by `lab up`.
cluster {config.SCOPE} {{
    etcd           = {{ {etcds} }}
    server_map     = {{ {names} }}
    probe_user     = "{config.PROBER}"
    probe_passfile = "/etc/patroute/pgpass"
}}
listen write {{
    port   = 5000
    target = "primary"
}}
listen read {{
    port   = 5001
    target = "replica"
}}
listen mixed {{
    port            = 5002
    target          = "replica"
    startup_options = true
}}
prober {{
    haproxy_socket        = "/run/haproxy/admin.sock"
    haproxy_master_socket = "/run/haproxy/master.sock"
}}
"""
