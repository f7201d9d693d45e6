"""The hosts: names and addresses of the well-known tutorial."""

from .errors import LabError

PREFIX = 24
VIP = "192.168.34.85"
VIP_NAME = "cluster-vip"
CLIENT = "app1"

_NODES = ["192.168.34.124", "192.168.34.136", "192.168.34.113"]
_HAPS = ["192.168.34.132", "192.168.34.133", "192.168.34.134"]
_ETCDS = ["192.168.34.137", "192.168.34.138", "192.168.34.139"]
_APP = "192.168.34.50"
_MORE_NODES = 141               # node4 is .141: the tutorial has three
MEMBERS_MAX = 32


class Host:
    """One host. `role` is node, hap, etcd or app; `number` starts at 1.
    `more` are addresses that it has besides, whatever runs on it."""

    def __init__(self, name, address, role, number):
        self.name = name
        self.address = address
        self.role = role
        self.number = number
        self.more = []

    @property
    def member(self):
        """Patroni's own name: not the host's, as it is in the field."""
        return f"node{self.number}"

    @property
    def mac(self):
        """Kept over kill and start, as a machine keeps its card."""
        numbers = [int(part) for part in self.address.split(".")]
        return "02:00:" + ":".join(f"{number:02x}" for number in numbers)


def _node_address(number):
    if number <= len(_NODES):
        return _NODES[number - 1]
    return f"192.168.34.{_MORE_NODES + number - len(_NODES) - 1}"


def table(members, vip_on=None):
    """All hosts of a lab with that many members, by name, in order; the
    host `vip_on` has the VIP as a plain address."""
    hosts = [Host(f"dc1-psql-node{n}", _node_address(n), "node", n)
             for n in range(1, members + 1)]
    hosts += [Host(f"hap{n}", address, "hap", n)
              for n, address in enumerate(_HAPS, 1)]
    hosts += [Host(f"etcd{n}", address, "etcd", n)
              for n, address in enumerate(_ETCDS, 1)]
    hosts.append(Host(CLIENT, _APP, "app", 1))
    found = {host.name: host for host in hosts}
    if vip_on is not None:
        found[vip_on].more.append(VIP)
    return found


def find(hosts, name):
    """The host of that name; node1 means dc1-psql-node1."""
    if name in hosts:
        return hosts[name]
    for host in hosts.values():
        if host.role == "node" and host.member == name:
            return host
    raise LabError(f'no host "{name}" in this lab, expected one of: '
                   + " ".join(hosts))


def etc_hosts(hosts):
    """The content of /etc/hosts within each host."""
    lines = ["127.0.0.1 localhost", f"{VIP} {VIP_NAME}"]
    lines += [f"{host.address} {host.name}" for host in hosts.values()]
    return "\n".join(lines) + "\n"
