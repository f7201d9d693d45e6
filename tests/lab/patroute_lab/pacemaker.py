"""Corosync and Pacemaker on the load balancers, for real (vip=pacemaker).

They run the prober, the agent and HAProxy by the product's resource agents
and place the VIP, as `pacemaker/setup` has them. Each of these hosts has the
product where a package would put it: host-init lays what stands in the
host's folder `over` over the machine's own folders.
"""

import os
import shutil
import xml.etree.ElementTree as ElementTree

from . import netns, ours
from .errors import LabError
from .hosts import VIP
from .machine import AGENTS
from .state import write
from .waiting import until

TOP = ours.TOP
HOST = "/run/patroute-host"             # its folder, as the host sees it
QUORUM_WAIT, PLACED_WAIT, STOP_WAIT = 40, 40, 60
# What a new cluster begins with. The first controller is elected when
# dc-deadtime is over (20 s by default); nothing starts before all is there.
NEW = {"dc-deadtime": "2s", "stop-all-resources": "true"}


def is_on(settings):
    """Whether Pacemaker places this lab's VIP."""
    return settings.get("vip") == "pacemaker"


def members(lab):
    """The hosts of the cluster."""
    return [host for host in lab.hosts.values() if host.role == "hap"]


def by_hand(lab):
    """Whether the cluster leaves its programs to the lab."""
    return os.path.exists(_marker(lab))


def _marker(lab):
    return os.path.join(lab.paths.state, "by-hand")


def manages(lab, host):
    """Whether that host's prober, agent and HAProxy are the cluster's."""
    return is_on(lab.settings) and host.role == "hap" and not by_hand(lab)


# --- files ------------------------------------------------------------


def corosync_conf(hosts, token_ms=1000):
    """corosync.conf, with a token of that time whatever the hosts' number;
    Corosync's own default if None."""
    nodes = "\n".join(f"""    node {{
        ring0_addr: {host.address}
        name: {host.name}
        nodeid: {host.number}
    }}""" for host in hosts)
    token = "" if token_ms is None else \
        f"    token: {token_ms}\n    token_coefficient: 0\n"
    return f"""totem {{
    version: 2
    cluster_name: lab
    transport: knet
    crypto_cipher: none
    crypto_hash: none
{token}}}
nodelist {{
{nodes}
}}
quorum {{
    provider: corosync_votequorum
}}
logging {{
    to_stderr: yes
    to_syslog: no
    timestamp: on
}}
"""


def prepare(lab, host):
    """Writes what such a host is made of, before it is made."""
    if not is_on(lab.settings) or host.role != "hap":
        return
    write(lab.paths.host(host, "etc/corosync/corosync.conf"),
          corosync_conf(members(lab)))
    _disk(lab, host)
    _programs(lab, host)
    over = lab.paths.host(host, "over")
    for path, target in (
            ("etc/patroute", f"{HOST}/etc/patroute"),
            ("etc/haproxy", f"{HOST}/etc/haproxy"),
            ("usr/lib/ocf/resource.d/patroute", f"{TOP}/pacemaker"),
            ("usr/lib/ocf/lib/patroute", f"{TOP}/pacemaker"),
            *((f"usr/sbin/{name}", f"{HOST}/bin/{name}")
              for name in sorted(os.listdir(lab.paths.host(host, "bin"))))):
        _link(os.path.join(over, path), target)
    os.makedirs(lab.paths.host(host, "log/crmsh"), exist_ok=True)
    for name, agent in AGENTS.items():
        if name != agent:               # one log, whoever starts it
            _link(lab.paths.host(host, "log", f"{agent}.log"),
                  f"{name}.log")


def _disk(lab, host):
    """What a reboot leaves: a host knows the cluster that it was in."""
    for name, folders in (("pacemaker", ("cib", "pengine", "blackbox",
                                         "cores")), ("corosync", ())):
        path = lab.paths.host_data(host, name)
        os.makedirs(path, exist_ok=True)
        for folder in folders:
            os.makedirs(os.path.join(path, folder), mode=0o750,
                        exist_ok=True)
            shutil.chown(os.path.join(path, folder), "hacluster",
                         "haclient")
    cib = lab.paths.host_data(host, "pacemaker/cib/cib.xml")
    if not os.path.exists(cib):
        empty = netns.run(["cibadmin", "--empty"])
        assert "<crm_config/>" in empty, "no place for a property"
        write(cib, empty.replace("<crm_config/>", _properties(NEW)), 0o600)
        shutil.chown(cib, "hacluster", "haclient")


def _properties(wanted):
    pairs = "".join(f'<nvpair id="cib-bootstrap-options-{name}" '
                    f'name="{name}" value="{value}"/>'
                    for name, value in wanted.items())
    return ('<crm_config><cluster_property_set id="cib-bootstrap-options">'
            f"{pairs}</cluster_property_set></crm_config>")


def _programs(lab, host):
    """Links of a host's own, so that another build is one `up` away."""
    folder = lab.paths.host(host, "bin")
    for program, path in ours.programs(lab.settings).items():
        _link(os.path.join(folder, program), path)


def _link(path, target):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.islink(path) and os.readlink(path) == target:
        return
    fresh = f"{path}.new"
    os.symlink(target, fresh)
    os.replace(fresh, path)


# --- the cluster's own word -------------------------------------------


def speaker(lab):
    """A host that can be asked, by its name; None if none can."""
    for host in members(lab):
        machine = lab.machine(host)
        found = machine.program("pacemaker") if machine.whole else []
        if found and not any(process.stopped for process in found):
            return host.name
    return None


def _ask(lab, argv, timeout=20.0, check=True):
    name = speaker(lab)
    if name is None:
        raise LabError("Pacemaker runs on no load balancer")
    return lab.exec(name, argv, timeout, check).stdout


def cib(lab):
    """The cluster's configuration and state; None while nobody knows."""
    name = speaker(lab)
    if name is None:
        return None
    done = lab.exec(name, ["cibadmin", "--query"], 20.0, check=False)
    return ElementTree.fromstring(done.stdout) if done.returncode == 0 \
        else None


def _vip_resource(found):
    """The id of the resource that holds the VIP."""
    for primitive in found.iter("primitive"):
        for pair in primitive.iter("nvpair"):
            if pair.get("name") == "ip" and \
                    pair.get("value").split("/")[0] == VIP:
                return primitive.get("id")
    raise LabError(f"the cluster has no resource for {VIP}")


def is_whole(lab):
    """Whether there is a controller, and a quorum of all hosts in it."""
    found = cib(lab)
    if found is None or found.get("have-quorum") != "1" \
            or not found.get("dc-uuid"):
        return False
    there = [state for state in found.iter("node_state")
             if state.get("crmd") == "online"
             and state.get("join") == "member"]
    return len(there) == len(members(lab))


def form(lab):
    """Has the cluster whole and set up; begin() has it run things."""
    until("the load balancers' cluster", QUORUM_WAIT,
          lambda: is_whole(lab), lambda: _log_end(lab))
    if cib(lab).find(".//primitive") is None:
        lab.exec(speaker(lab), ["env", f"HOME={HOST}",
                                f"{TOP}/pacemaker/setup"], 120.0)


def begin(lab):
    """Ends what keeps resources from a host, or the cluster from them."""
    found = cib(lab)
    for node in found.iter("node"):
        if any(pair.get("name") == "standby" for pair in node.iter("nvpair")):
            _ask(lab, ["crm_standby", "--node", node.get("uname"),
                       "--delete"], check=False)
    if any(each.get("id").startswith("cli-")
           for each in found.iter("rsc_location")):
        _ask(lab, ["crm_resource", "--clear", "--resource",
                   _vip_resource(found)], check=False)
    names = {pair.get("name") for pair in found.iter("nvpair")}
    for name in ("stop-all-resources", "maintenance-mode"):
        if name in names:
            _ask(lab, ["crm_attribute", "--type", "crm_config", "--name",
                       name, "--delete"])
    if "maintenance-mode" in names:
        # It does not look by itself what became of them meanwhile.
        _ask(lab, ["crm_resource", "--refresh"], 60.0)
        _wait_idle(lab)
    elif any(name.startswith("fail-count") for name in names):
        _ask(lab, ["crm_resource", "--cleanup"], 60.0, check=False)


def load(lab, text):
    """Adds to the cluster's configuration, in crmsh's words."""
    lab.exec(speaker(lab), ["env", f"HOME={HOST}", "crm", "configure",
                            "load", "update", "-"], 60.0, input=text)


def clear(lab):
    """Stops all that the cluster runs, and has it forget what that was."""
    _ask(lab, ["crm_attribute", "--type", "crm_config", "--name",
               "stop-all-resources", "--update", "true"])
    until("all resources stopped", STOP_WAIT,
          lambda: not holders(lab) and not any(
              lab.machine(host).program(name)
              for host in members(lab) for name in AGENTS),
          lambda: _log_end(lab))
    for scope, text in (("constraints", "<constraints/>"),
                        ("resources", "<resources/>"),
                        ("crm_config", _properties(NEW))):
        _ask(lab, ["cibadmin", "--replace", "--scope", scope, "--xml-text",
                   text])
    _ask(lab, ["crm_resource", "--refresh"], 60.0, check=False)
    _wait_idle(lab)


def _log_end(lab):
    return "\n".join(f"--- pacemaker on {host.name}\n"
                     + lab.machine(host).log_end("pacemaker", 12)
                     for host in members(lab))


# --- verbs ------------------------------------------------------------


def holders(lab):
    """The hosts that have the VIP, by their names."""
    return [host.name for host in members(lab)
            if lab.machine(host).holds(VIP)]


def wait_placed(lab):
    """Until exactly one host has the VIP; its name."""
    until(f"one host with {VIP}", PLACED_WAIT,
          lambda: len(holders(lab)) == 1, lambda: _log_end(lab))
    return holders(lab)[0]


def move(lab, to):
    """The VIP to that host; the cluster is free to move it afterwards."""
    must_be_on(lab)
    name = _vip_resource(cib(lab))
    _ask(lab, ["crm_resource", "--move", "--resource", name, "--node", to])
    try:
        until(f"the VIP on {to}", PLACED_WAIT,
              lambda: holders(lab) == [to], lambda: _log_end(lab))
    finally:
        _ask(lab, ["crm_resource", "--clear", "--resource", name],
             check=False)


def standby(lab, name, value):
    """Has a host give its resources up, or take some again."""
    must_be_on(lab)
    _ask(lab, ["crm_standby", "--node", name] + (
        ["--update", "on"] if value else ["--delete"]))
    box = lab.machine(name)

    def done():
        runs = [bool(box.program(each)) for each in AGENTS]
        return not (any(runs) or box.holds(VIP)) if value else all(runs)
    until(f"standby of {name} {'begun' if value else 'ended'}", PLACED_WAIT,
          done, lambda: _log_end(lab))


def must_be_on(lab):
    """Raises where no cluster places the VIP."""
    if not is_on(lab.settings):
        raise LabError("the VIP of this lab is fixed: "
                       "`lab up --set vip=pacemaker` places it by Pacemaker")
    if speaker(lab) is None:
        raise LabError("Pacemaker runs on no load balancer")


def take(lab):
    """From here on the cluster leaves its programs and the VIP alone: what
    is killed stays so, until let_go() or the next `up`."""
    if is_on(lab.settings) and not by_hand(lab):
        _ask(lab, ["crm_attribute", "--type", "crm_config", "--name",
                   "maintenance-mode", "--update", "true"])
        _wait_idle(lab)
        write(_marker(lab), "")


def let_go(lab):
    """Ends what take() began: what the lab started in between ends, so that
    begin() finds the cluster's programs missing."""
    if by_hand(lab):
        for host in members(lab):
            box = lab.machine(host)
            for name in AGENTS:
                if box.whole:
                    box.stop_own(name, 15)
        os.unlink(_marker(lab))


def _wait_idle(lab):
    _ask(lab, ["crm_resource", "--wait", "--timeout", "15"], 25.0,
         check=False)
