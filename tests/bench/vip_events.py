"""What is done to the load balancers under the client's eyes, one function
an event; each ends with the lab as it was, or a function to make it so."""

import contextlib
import os
import time

from patroute_lab import bringup, netns, pacemaker
from patroute_lab.errors import LabError
from patroute_lab.machine import AGENTS
from patroute_lab.waiting import until

import vip_setups


class Event:
    """do(stage) makes it happen to stage.host, the VIP's; undo(stage) brings
    back what it broke. planned: nobody is to notice. needs: the programs
    without which the event is none. after: seconds measured behind it."""

    def __init__(self, do, undo=None, planned=False, needs=(), after=8.0):
        self.do, self.undo = do, undo or (lambda stage: None)
        self.planned, self.needs, self.after = planned, needs, after


class Stage:
    """The lab, the set-up, the host that had the VIP, and the meter."""

    def __init__(self, lab, setup, meter):
        self.lab, self.setup, self.meter = lab, setup, meter
        self.host = lab.vip()

    def ask(self, *argv, timeout=60.0):
        """Runs argv on a host whose Pacemaker answers."""
        return self.lab.exec(pacemaker.speaker(self.lab), list(argv), timeout)


def _killed(name):
    # A monitor of 10 s, a start, and the checks' rises.
    return Event(lambda stage: stage.lab.kill_program(stage.host, name),
                 needs=(name,), after=18.0)


def _frozen(name):
    def undo(stage):
        # What it was killed for is gone; what nobody noticed goes on.
        with contextlib.suppress(Exception):
            stage.lab.thaw(stage.host, name)
    return Event(lambda stage: stage.lab.freeze(stage.host, name), undo,
                 needs=(name,), after=20.0)


def _cut(what):
    return Event(lambda stage: stage.lab.cut(stage.host, what),
                 lambda stage: stage.lab.heal(stage.host), after=15.0)


def _link_cut(stage):
    host = stage.lab.host(stage.host)
    netns.link_down(stage.lab.name, host)
    stage.meter.run(10)
    stage.meter.mark("healed")
    netns.link_up(stage.lab.name, host)


def _boot(lab, name):
    """The host is there again, a member of the cluster, and serves."""
    with lab.locked():
        bringup.boot(lab, lab.host(name))
    until(f"{name} in the cluster", 60, lambda: _is_member(lab, name))
    _wait_serves(lab, name)


def _is_member(lab, name):
    found = pacemaker.cib(lab)
    return found is not None and any(
        state.get("uname") == name and state.get("crmd") == "online"
        and state.get("join") == "member"
        for state in found.iter("node_state"))


def _wait_serves(lab, name):
    """Where the programs are clones: all of them run there."""
    found = pacemaker.cib(lab)
    if any(True for _ in found.iter("clone")):
        bringup.wait_programs(lab, lab.host(name), 60)


def _rebooted(stage):
    """As `systemctl reboot`: Pacemaker is stopped and gives all up, Corosync
    takes its leave, then the machine goes; the next host's turn is when this
    one is back."""
    for host in pacemaker.members(stage.lab):
        box = stage.lab.machine(host)
        box.stop_program("pacemaker", 60)
        box.stop_program("corosync", 20)
        box.kill()
        time.sleep(1)
        _boot(stage.lab, host.name)
        stage.meter.run(3)


def _standby(stage):
    stage.ask("crm_standby", "--node", stage.host, "--update", "on")


def _unstandby(stage):
    stage.ask("crm_standby", "--node", stage.host, "--delete")


def _replace(stage, host, *names):
    """As dpkg does: another file has the program's name, and what runs goes
    on with the one that is deleted. Pacemaker looks, and lets it run."""
    before = _ids(stage, host, names)
    for name in names:
        program = f"/usr/sbin/{AGENTS[name]}"
        # Ours are links to the host's own folder, where `up` finds them.
        stage.lab.exec(host.name, ["sh", "-c", (
            f"at={program}; [ {name} = haproxy ] || at=$(readlink $at)\n"
            "cp -L $at $at.new && mv $at.new $at")])
    stage.meter.run(_monitor_s(stage) + 1)
    if _ids(stage, host, names) != before:
        raise LabError(f"{host.name}: a program was started anew because its "
                       "file is another")


def _ids(stage, host, names):
    box = stage.lab.machine(host)
    return {name: [process.pid for process in box.tops(name)]
            for name in names}


def _monitor_s(stage):
    """The longest time between two looks at a program of ours."""
    return max(int(op.get("interval").rstrip("s"))
               for op in pacemaker.cib(stage.lab).iter("op")
               if op.get("name") == "monitor"
               and not op.get("id").endswith("-deep"))


def _is_new(stage, host, name):
    """Whether it runs, by the file that is there now."""
    path = stage.lab.paths.host(host, "bin", AGENTS[name])
    found = stage.lab.machine(host).tops(name)
    return bool(found) and all(
        os.path.samefile(f"/proc/{process.pid}/exe", path)
        for process in found)


def _upgraded(stage):
    """Of our two programs: their files are others, then Pacemaker starts
    them anew, host by host."""
    for host in pacemaker.members(stage.lab):
        _replace(stage, host, "prober", "agent")
        for name in ("prober", "agent"):
            stage.ask("crm_resource", "--restart", "--resource",
                      f"{AGENTS[name]}-clone", "--node", host.name)
            until(f"the new {name} on {host.name}", 20,
                  lambda h=host, n=name: _is_new(stage, h, n))
        stage.meter.run(1)


def _upgraded_haproxy(stage):
    """Host by host: all files are others, standby, back."""
    for host in pacemaker.members(stage.lab):
        box = stage.lab.machine(host)
        there = [name for name in AGENTS if box.program(name)]
        _replace(stage, host, *there)
        stage.ask("crm_standby", "--node", host.name, "--update", "on")
        until(f"standby of {host.name}", 40,
              lambda b=box: not any(map(b.program, AGENTS)))
        stage.meter.run(1)
        stage.ask("crm_standby", "--node", host.name, "--delete")
        _wait_serves(stage.lab, host.name)
        stage.meter.run(3)


def _killed_host(stage):
    stage.lab.kill(stage.host)


EVENTS = {
    "agent killed": _killed("agent"),
    "agent frozen": _frozen("agent"),
    "prober killed": _killed("prober"),
    "prober frozen": _frozen("prober"),
    "HAProxy killed": _killed("haproxy"),
    "HAProxy frozen": _frozen("haproxy"),
    "host killed": Event(_killed_host,
                         lambda stage: _boot(stage.lab, stage.host)),
    "link cut for 10 s": Event(_link_cut, after=10.0),
    "cut from etcd": _cut("etcd"),
    "cut from the databases": _cut("db"),
    "standby": Event(_standby, _unstandby, planned=True),
    "reboot of all three": Event(_rebooted, planned=True, after=3.0),
    "prober and agent upgraded": Event(_upgraded, planned=True,
                                       needs=("prober", "agent"), after=3.0),
    "all upgraded, by standby": Event(_upgraded_haproxy, planned=True,
                                      after=3.0),
}


def settle(lab, setup):
    """Between two events: failures forgotten, all as it is to be."""
    with contextlib.suppress(Exception):
        lab.exec(pacemaker.speaker(lab), ["crm_resource", "--cleanup"], 60.0)
    vip_setups.wait_served(lab, setup)
