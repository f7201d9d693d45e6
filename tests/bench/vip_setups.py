"""The ways in which Pacemaker can be told to run a load balancer:

ours      as pacemaker/setup has it
defaults  the same programs and resource agents, and nothing said that
          Pacemaker, Corosync and the agents have a default for
classic   the tutorials' group: the VIP, then HAProxy with the classic
          configuration, on one host; started elsewhere when that is gone
"""

import os
import time

from patroute_lab import bringup, config, hosts, pacemaker, programs
from patroute_lab.state import write
from patroute_lab.waiting import until

TOKEN_MS = {"ours": 1000, "defaults": None, "classic": None}
# As `crm configure` and `pcs resource create` do, which take the agents'
# advice: IPaddr2's monitor every 10 s, none refreshes ARP.
DEFAULTS = """
property stonith-enabled=false dc-deadtime=2s
primitive vip ocf:heartbeat:IPaddr2 params ip={vip} cidr_netmask=24 op monitor interval=10s timeout=20s
primitive patroute-prober ocf:patroute:patroute-prober op monitor interval=10s timeout=20s
primitive patroute-spoa ocf:patroute:patroute-spoa op monitor interval=10s timeout=20s
primitive haproxy ocf:patroute:haproxy op monitor interval=10s timeout=20s
clone patroute-prober-clone patroute-prober
clone patroute-spoa-clone patroute-spoa
clone haproxy-clone haproxy
colocation vip-with-haproxy inf: vip haproxy-clone
"""

CLASSIC = """
property stonith-enabled=false no-quorum-policy=ignore dc-deadtime=2s
primitive vip ocf:heartbeat:IPaddr2 params ip={vip} cidr_netmask=24 op monitor interval=10s timeout=20s
primitive haproxy ocf:heartbeat:anything params binfile=/run/patroute-host/classic/start op monitor interval=10s timeout=20s op stop interval=0 timeout=20s
group HAproxyGroup vip haproxy
"""

# In place of the unit's ExecStart, which no lab has systemd for.
START = """#!/bin/sh
export {env}
echo $$ >{pids}/haproxy
exec /usr/sbin/haproxy -W -db -f {folder}/classic.cfg >>/var/log/haproxy.log 2>&1
"""
FOLDER = f"{pacemaker.HOST}/classic"


def found(lab):
    """In which of these ways the cluster is set up, whoever ended before; None
    where it was cleared and then nothing."""
    cib = pacemaker.cib(lab)
    if cib.find(".//primitive[@type='IPaddr2']") is None:
        return None
    if cib.find(".//group") is not None:
        return "classic"
    return "ours" if cib.find(".//rsc_location") is not None else "defaults"


def use(lab, name):
    """Has the lab's cluster set up in that way, and waits until it serves."""
    _token(lab, TOKEN_MS[name])
    pacemaker.clear(lab)
    if name == "ours":
        pacemaker.form(lab)
        pacemaker.begin(lab)
    else:
        if name == "classic":
            _prepare_classic(lab)
        text = {"defaults": DEFAULTS, "classic": CLASSIC}[name]
        pacemaker.load(lab, text.format(vip=hosts.VIP))
        pacemaker.begin(lab)
    wait_served(lab, name)


def wait_served(lab, name):
    """Until every host runs what it is to, and the VIP leads to a leader."""
    pacemaker.wait_placed(lab)
    if name != "classic":
        for host in pacemaker.members(lab):
            bringup.wait_programs(lab, host, 30)
    wait_write(lab)
    # Its failures are no longer counted, its checks have their rises.
    time.sleep(3)


def wait_write(lab):
    """Until the VIP leads to the leader."""
    until("a write through the VIP", 30,
          lambda: bringup.answers(lab, hosts.VIP, 5000)
          == lab.host(lab.leader()).address)


def _prepare_classic(lab):
    text = _classic_cfg(lab)
    env = {**config.haproxy_env(lab.settings), "CLASSIC_LOG": "stdout"}
    for host in pacemaker.members(lab):
        folder = lab.paths.host(host, "classic")
        write(os.path.join(folder, "classic.cfg"), text)
        write(os.path.join(folder, "start"), START.format(
            folder=FOLDER, pids=f"{pacemaker.HOST}/pids", env=" ".join(f"{key}={word}" for key, word
                                        in env.items())), 0o755)


def _classic_cfg(lab):
    path, text = config.classic_cfg(programs.TOP, lab.hosts)
    if text is None:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    return text


def _token(lab, token_ms):
    """Corosync's token time on each host, its own default if None."""
    for host in pacemaker.members(lab):
        write(lab.paths.host(host, "etc/corosync/corosync.conf"),
              pacemaker.corosync_conf(pacemaker.members(lab), token_ms))
    lab.exec(pacemaker.speaker(lab), ["corosync-cfgtool", "-R"])
