"""
One prober, one HAProxy, two clusters: the trouble of one is not the other's.
"""
import contextlib
import signal
import socket
import time

from prober_lib import (SLOW, Agent, Etcd, HAProxy, Prober, closed_after,
                        cluster, folder, shared_cluster, wait_until)

__all__ = ["cluster", "folder", "shared_cluster"]

CUT_S = 0.25


@contextlib.contextmanager
def in_trouble(folder):
    """Another cluster's etcd, whose members accept and say nothing."""
    etcd = Etcd(folder / "other")
    mute = [socket.create_server(("127.0.0.1", 0)) for _ in range(8)]
    try:
        etcd.put("initialize", "7000000000000000002", "other")
        for i, s in enumerate(mute):
            port = s.getsockname()[1]
            etcd.put(f"members/m{i}", '{"conn_url": "postgres://127.0.0.1:'
                     f'{port}/postgres", "api_url": "http://127.0.0.1:{port}'
                     '/patroni", "state": "running", "role": "replica"}',
                     "other")
        etcd.put("leader", "m0", "other")
        yield etcd
    finally:
        etcd.process.send_signal(signal.SIGCONT)
        etcd.stop()
        for s in mute:
            s.close()


@contextlib.contextmanager
def running(folder, cluster, etcd):
    prober = Prober(folder, cluster.etcd.port)
    text = prober.conf.read_text().replace(
        "\ttarget = primary\n", "\ttarget = primary\n\tcluster = main\n")
    prober.conf.write_text(
        text + "cluster other {\n\tetcd = {\"http://127.0.0.1:"
        f'{etcd.port}"}}\n\tprobe_user = "nobody"\n}}\n')
    with prober:
        haproxy = HAProxy(folder, prober, cluster)
        try:
            wait_until(lambda: haproxy.states("main_write") == {
                "node1": "UP", "node2": "NOLB", "node3": "NOLB"}, "states")
            yield prober, haproxy
        finally:
            haproxy.stop()


def move(haproxy, cluster, old, new):
    """Seconds from the key's move to the end of the last session."""
    wait_until(lambda: haproxy.states("main_write")[old] == "UP", old)
    sessions = [haproxy.session("write")[0] for _ in range(20)]
    began = time.monotonic()
    cluster.lead(new)
    assert all(closed_after(s, 5) is not None for s in sessions)
    return time.monotonic() - began


def test_c_anothers_trouble_delays_nothing(folder, cluster):
    with in_trouble(folder) as etcd, running(folder, cluster, etcd) as (
            prober, haproxy):
        agent = Agent(prober.feed)
        agent.snapshot_where(lambda s: s["cluster"] == "main" and
                             s["target"] == "node1")
        agent.close()
        took = [move(haproxy, cluster, "node1", "node2")]
        # Its DCS hangs, too: accepted connections that say nothing.
        etcd.process.send_signal(signal.SIGSTOP)
        time.sleep(1.5)
        took.append(move(haproxy, cluster, "node2", "node3"))
        wait_until(lambda: any(c["name"] == "other" and not c["usable"]
                               for c in prober.topology()["clusters"]),
                   "the other is lost", 10)
        took.append(move(haproxy, cluster, "node3", "node1"))
        print("sessions closed after", [round(t, 3) for t in took])
        assert max(took) < CUT_S * SLOW, took
        loop = prober.topology()["loop"]
        assert loop["longest_cpu_ms"] < 20 * SLOW, loop
