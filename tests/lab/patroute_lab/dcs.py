"""Where Patroni keeps its keys: etcd, or ZooKeeper on the same hosts."""

import os
import socket
import subprocess

from . import config, netns, tls, wire
from .machine import LAB_DIR

ZOO_CFG = "/run/patroute-host/etc/zoo.cfg"
ZOO_DATA = "/var/lib/etcd/zookeeper"


def is_zookeeper(settings):
    """Whether this lab's DCS is ZooKeeper."""
    return settings["dcs"] == "zookeeper"


def install(settings):
    """ZooKeeper and its Java are dear to fetch: for who asks for them."""
    if is_zookeeper(settings):
        subprocess.run([os.path.join(os.path.dirname(LAB_DIR), "install"),
                        "zookeeper"], check=True)


def zoo_cfg(hosts):
    """zoo.cfg of the ensemble."""
    servers = "".join(f"server.{host.number}={host.address}:2888:3888\n"
                      for host in hosts.values() if host.role == "etcd")
    return ("tickTime=500\ninitLimit=20\nsyncLimit=10\n"
            f"dataDir={ZOO_DATA}\nclientPort=2181\n"
            "4lw.commands.whitelist=srvr\nadmin.enableServer=false\n"
            + servers)


def zoo_argv():
    """ZooKeeper's command line; its id is written before it starts."""
    return ["sh", "-c", f"mkdir -p {ZOO_DATA} && echo \"$0\" >{ZOO_DATA}/myid"
            " && exec java -Xmx96m -XX:+UseSerialGC"
            " -XX:TieredStopAtLevel=1"
            " -cp /etc/zookeeper/conf:/usr/share/java/zookeeper.jar"
            " -Dzookeeper.log.dir=/var/log"
            " -Dzookeeper.root.logger=WARN,CONSOLE"
            " org.apache.zookeeper.server.quorum.QuorumPeerMain "
            + ZOO_CFG]


def zoo_serves(namespace):
    """Whether that ZooKeeper is part of a quorum."""
    try:
        with netns.inside(namespace):
            connection = socket.create_connection(("127.0.0.1", 2181), 1.0)
        with connection:
            connection.sendall(b"srvr")
            return b"Mode: " in connection.recv(4096)
    except OSError:
        return False


def patroni(settings, hosts):
    """What Patroni's configuration says of its DCS."""
    if is_zookeeper(settings):
        return {"zookeeper": {"hosts": [
            f"{host.address}:2181" for host in hosts.values()
            if host.role == "etcd"]}}
    known = [f"{host.address}:2379" for host in hosts.values()
             if host.role == "etcd"]
    few = known[-settings["patroni_etcds"]:]
    return {"etcd3" if settings["etcd_api"] == "3" else "etcd": {
        "hosts": few,
        # Else it asks these for the others.
        **({"use_proxies": True} if few != known else {}),
        **(tls.patroni_dcs() if tls.is_on(settings) else {})}}


def _leader_by_patroni(lab):
    """The same as Patroni reads it, from whichever member answers."""
    for host in lab.hosts.values():
        if host.role != "node":
            continue
        answer = wire.get_json(netns.of_host(lab.name, host), 8008,
                               "/cluster", tls=tls.context(lab, host))
        if answer is not None:
            return True, next((member["name"] for member in answer["members"]
                               if member["role"] == "leader"), None)
    return False, None


def key(lab, host, name):
    """(it answered, a key of the cluster or None), asked of that host."""
    if is_zookeeper(lab.settings):
        return _leader_by_patroni(lab)
    return wire.etcd_get(netns.of_host(lab.name, host),
                         lab.settings["etcd_api"],
                         f"{config.NAMESPACE}{lab.settings['scope']}/{name}",
                         tls.context(lab, host))


def is_initialised(lab):
    """Whether the first member has made the cluster."""
    return any(key(lab, host, "initialize")[1] is not None
               for host in lab.hosts.values() if host.role == "etcd")
