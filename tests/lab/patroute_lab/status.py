"""What the lab looks like now, asked from its parts themselves."""

from concurrent.futures import ThreadPoolExecutor

from . import dcs, faults, netns, programs, tls, wire
from .hosts import VIP

STATS = 7000          # HAProxy's own page, in each of its configurations


def _lsn(text):
    """PostgreSQL's X/Y as a number; Patroni's REST gives numbers."""
    if isinstance(text, int):
        return text
    return None


def _role(word):
    """Patroni says master up to 3.x and primary from 4.0."""
    return "primary" if word == "master" else word


def _ask_members(lab, pool):
    nodes = [host for host in lab.hosts.values() if host.role == "node"]
    answers = pool.map(
        lambda host: wire.get_json(netns.of_host(lab.name, host), 8008,
                                   "/patroni", tls=tls.context(lab, host)),
        nodes)
    return list(zip(nodes, answers))


def leader_name(lab, pool=None):
    """(the DCS answered, the name in the leader key or None)."""
    def ask(host):
        return dcs.key(lab, host, "leader")
    etcds = [host for host in lab.hosts.values() if host.role == "etcd"]
    if pool is None:
        with ThreadPoolExecutor(len(etcds)) as own:
            answers = list(own.map(ask, etcds))
    else:
        answers = list(pool.map(ask, etcds))
    for answered, value in answers:
        if answered:
            return True, value
    return False, None


def _member(host, answer, streams, ahead):
    if answer is None:
        return {"host": host.name, "name": host.member, "role": None,
                "state": "no answer", "timeline": None, "lag": None,
                "replication": None}
    xlog = answer.get("xlog") or {}
    replayed = _lsn(xlog.get("replayed_location"))
    lag = max(0, ahead - replayed) if ahead and replayed else None
    return {
        "host": host.name,
        "name": host.member,
        "role": _role(answer.get("role")),
        "state": answer.get("state"),
        "timeline": answer.get("timeline"),
        "lag": lag,
        "replication": streams.get(host.member),
    }


def _state(machine, name):
    processes = machine.program(name)
    if not processes:
        return "stopped"
    if any(process.stopped for process in processes):
        return "frozen"
    # While it waits for its sessions to end it takes no new ones.
    if name == "haproxy" and not wire.listens(machine.namespace, STATS):
        return "stopping"
    return "running"


def _hosts(lab):
    found = {}
    for host in lab.hosts.values():
        machine = lab.machine(host)
        up = machine.whole
        states = {}
        for name in programs.names(lab, host):
            states[name] = _state(machine, name) if up else "stopped"
        found[host.name] = {"address": host.address, "up": up,
                            "programs": states,
                            "cuts": faults.cuts(lab, host) if up else []}
    return found


def collect(lab):
    """The status as `lab status --json` gives it."""
    with ThreadPoolExecutor(16) as pool:
        answers = _ask_members(lab, pool)
        answered, leader = leader_name(lab, pool)
    by_name = {host.member: (host, answer) for host, answer in answers}
    host, answer = by_name.get(leader, (None, None))
    xlog = (answer or {}).get("xlog") or {}
    ahead = _lsn(xlog.get("location"))
    streams = {row.get("application_name"): row.get("state")
               for row in (answer or {}).get("replication") or []}
    holders = [each.name for each in lab.hosts.values()
               if each.role == "hap" and lab.machine(each).holds(VIP)]
    return {
        "lab": lab.name,
        "leader": host.name if host else None,
        "dcs": answered,
        "vip": holders[0] if len(holders) == 1 else None,
        "vip_holders": holders,
        "members": [_member(each, said, streams, ahead)
                    for each, said in answers],
        "hosts": _hosts(lab),
        "settings": lab.settings,
    }


def trouble(status, routers=True):
    """What keeps the lab from being healthy: a list of sentences.
    Without `routers` what runs on the hap hosts does not matter."""
    found = []
    if not status["leader"]:
        found.append("no leader")
    if routers and not status["vip"]:
        found.append("the VIP is on "
                     + (" and ".join(status["vip_holders"]) or "no host"))
    for name, host in status["hosts"].items():
        if not host["up"]:
            found.append(f"{name} is down")
        found += [f"{program} on {name} is {state}"
                  for program, state in host["programs"].items()
                  if host["up"] and state != "running"
                  and (routers or not name.startswith("hap"))]
        found += [f"{name} is cut ({cut})" for cut in host["cuts"]]
    for member in status["members"]:
        leads = member["host"] == status["leader"]
        if member["state"] != "running":
            found.append(f"{member['host']}: {member['state']}")
        elif leads and member["role"] != "primary":
            found.append(f"{member['host']} leads as {member['role']}")
        elif not leads and (member["role"] != "replica"
                            or member["replication"] != "streaming"):
            found.append(f"{member['host']} does not stream")
    return found


def text(status):
    """The status as `lab status` prints it."""
    lines = [f"lab {status['lab']}: leader {status['leader'] or 'none'}, "
             f"VIP {VIP} on "
             + (" and ".join(status["vip_holders"]) or "no host")
             + ("" if status["dcs"] else ", the DCS does not answer")]
    form = "{:16}{:8}{:9}{:27}{:>9}{:>10}  {}"
    lines.append(form.format("member", "name", "role", "state", "timeline",
                             "lag", "replication").rstrip())
    for member in status["members"]:
        lines.append(form.format(*[
            "-" if value is None else value for value in (
                member["host"], member["name"], member["role"],
                member["state"], member["timeline"], member["lag"],
                member["replication"])]))
    for name, host in status["hosts"].items():
        states = [f"{program} {state}" for program, state
                  in host["programs"].items()] if host["up"] else ["down"]
        states += [f"cut {cut}" for cut in host["cuts"]]
        lines.append(f"{name:16}{host['address']:16}{', '.join(states)}")
    return "\n".join(lines)
