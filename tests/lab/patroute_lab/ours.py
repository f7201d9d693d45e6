"""patroute's own programs on a hap host: built, configured, started.

A lab with the option route=patroute (the default) runs the prober, the
agent and HAProxy with our configuration and, on 5100 to 5102, the stock
classic one; with route=classic it has the classic way alone, on 5000.
"""

import http.client
import os
import re
import subprocess

from . import accounts, config, pooler, tls, wire
from .errors import LabError
from .hosts import PREFIX, VIP
from .machine import LAB_DIR
from .state import write

TOP = os.path.dirname(os.path.dirname(LAB_DIR))
ETC = "/run/patroute-host/etc/patroute"
CONF = f"{ETC}/patroute.conf"
# As their units have it: both use little, and connections wait for them.
NICE = ["nice", "-n", "-10"]


def is_on(settings):
    """Whether this lab routes by patroute."""
    return settings.get("route") == "patroute"


def build_folder():
    """Where the programs are: PATROUTE_BUILD, or this checkout's own."""
    return os.environ.get("PATROUTE_BUILD") or os.path.join(TOP, "build",
                                                            "release")


def build(say):
    """Builds this checkout, unless PATROUTE_BUILD names what is built."""
    if not os.environ.get("PATROUTE_BUILD"):
        _build(say)
    for path in (_binary("prober"), _binary("spoa")):
        if not os.access(path, os.X_OK):
            raise LabError(f"{path} is missing: unset PATROUTE_BUILD, or "
                           "build there first")


def _build(say):
    folder = build_folder()
    subprocess.run([os.path.join(TOP, "tests", "install"), "build", "check"],
                   check=True)
    say(f"build {os.path.relpath(folder, TOP)}")
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    commands = [["cmake", "-S", TOP, "-B", folder, "-G", "Ninja",
                 "-DCMAKE_BUILD_TYPE=RelWithDebInfo"],
                ["cmake", "--build", folder]]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise LabError("the build failed:\n"
                           + (done.stdout + done.stderr)[-4000:])


def _binary(part):
    return os.path.join(build_folder(), part, f"patroute-{part}")


def programs(settings):
    """{name: path}: what a package would put into /usr/sbin."""
    found = {"patroute-prober": _binary("prober"),
             "patroute-spoa": _binary("spoa")}
    if settings["haproxy"] != "haproxy":
        found["haproxy"] = settings["haproxy"]
    return found


def prober_argv():
    """The prober's command line within a host."""
    return NICE + [_binary("prober"), "-c", CONF]


def agent_argv():
    """The agent's command line within a host."""
    return NICE + [_binary("spoa"), "-c", CONF]


def prepare(lab, host):
    """Writes what our programs and HAProxy read on that host."""
    etc = lab.paths.host(host, "etc/patroute")
    write(os.path.join(etc, "patroute.conf"), conf(lab.settings, lab.hosts))
    passfile = os.path.join(etc, "pgpass")
    write(passfile, f"*:*:*:{config.PROBER}:{config.PASSWORD}\n", 0o600)
    os.chown(passfile, accounts.USER_ID, -1)
    for name in ("patroute.cfg", "classic.cfg"):
        write(os.path.join(etc, name), _fitted(lab, _product(name)))
    # As one file and its environment: where the resource agent looks.
    write(lab.paths.host(host, "etc/haproxy/patroute.cfg"),
          "".join(_fitted(lab, _product(name))
                  for name in ("patroute.cfg", "classic.cfg")))
    env = {**haproxy_env(), "CLASSIC_CHECKS": lab.settings["checks"]}
    write(os.path.join(etc, "haproxy.env"),
          "".join(f"{key}={word}\n" for key, word in env.items()), 0o600)


def _product(name):
    with open(os.path.join(TOP, "haproxy", name), encoding="utf-8") as file:
        return file.read()


def _fitted(lab, text):
    """A product's file as this lab needs it."""
    text = _more_members(text, lab.hosts)
    if lab.settings["in_haproxy"]:
        text = _fewer_members(text, lab)
    if pooler.is_on(lab.settings):
        assert ":5432\n" in text, "no server to fit"
        text = text.replace(":5432\n", f":{pooler.PORT}\n")
    return tls.haproxy(text) if tls.is_on(lab.settings) else text


def _more_members(text, hosts):
    """The product's file names three members; further ones follow them."""
    more = "".join(f"    server {host.name} {host.address}:5432\n"
                   for host in hosts.values()
                   if host.role == "node" and host.number > 3)
    return re.sub(r"(    server dc1-psql-node3 [^\n]*\n)",
                  lambda found: found.group(1) + more, text)


def _fewer_members(text, lab):
    """The others are for the prober to find."""
    for host in lab.hosts.values():
        if host.role == "node" and host.number > lab.settings["in_haproxy"]:
            text = re.sub(rf"    server {host.name} [^\n]*\n", "", text)
    return text


def haproxy_files():
    """The configuration files of a load balancer's HAProxy, ours first."""
    return [f"{ETC}/patroute.cfg", f"{ETC}/classic.cfg"]


def haproxy_env():
    """What those files read from the environment."""
    return {"PATROUTE_STATS_PASSWORD": config.PASSWORD,
            "PATROUTE_SPOE": os.path.join(TOP, "haproxy",
                                          "patroute-spoe.cfg"),
            "PATROUTE_LOG": "stdout",
            "CLASSIC_BESIDE": "1", "CLASSIC_WRITE_PORT": "5100",
            "CLASSIC_READ_PORT": "5101", "CLASSIC_ANY_PORT": "5102"}


def is_healthy(namespace):
    """Whether the prober has a usable verdict on every cluster."""
    try:
        return wire.request(namespace, 7100, "/healthz")[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def is_listening(machine):
    """Whether the agent has made its socket."""
    return os.path.exists(
        f"/proc/{machine.init}/root/run/patroute/agent.sock")


def _cluster(settings, hosts):
    """The keys of the cluster, as words of the file."""
    by_etcd = settings["found_by"] == "etcd"
    role, port = ("etcd", 2379) if by_etcd else ("node", 8008)

    def words(each):
        return "{ " + ", ".join(f'"{word}"' for word in each) + " }"
    keys = {
        "etcd" if by_etcd else "patroni": words(
            f"{tls.scheme(settings)}://"
            f"{h.name if settings['named'] == 'on' else h.address}:{port}"
            for h in hosts.values() if h.role == role),
        "server_map": words(f"{h.member}={h.name}" for h in hosts.values()
                            if h.role == "node"),
        "probe_user": f'"{config.PROBER}"',
        "probe_passfile": f'"{ETC}/pgpass"'}
    if settings["scope"] != config.SCOPE:
        keys["scope"] = f'"{settings["scope"]}"'
    if pooler.is_on(settings):
        keys["probe_address"] = '":5432"'
    if tls.is_on(settings):
        keys.update((key, f'"{word}"') for key, word
                    in tls.patroute().items()
                    if by_etcd or not key.startswith("etcd"))
    return keys


def conf(settings, hosts):
    """patroute.conf of the lab: what differs from the defaults."""
    cluster = "\n".join(f"    {key:17} = {word}" for key, word
                        in _cluster(settings, hosts).items())
    return f"""# patroute.conf of a lab's load balancer, written by `lab up`.
cluster {config.SCOPE} {{
{cluster}
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
vip {{
    address = "{VIP}/{PREFIX}"
    nic     = "eth0"
}}
prober {{
    haproxy_socket        = "/run/haproxy/admin.sock"
    haproxy_master_socket = "/run/haproxy-master.sock"
    state_dir             = "/run/patroute/state"
}}
"""
