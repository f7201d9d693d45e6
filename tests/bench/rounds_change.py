"""Rounds that change the leader, or look as if they did.

All of them record the feed of the load balancer that holds the VIP, as one
more agent (tests/meter/feed.py), beside what the meter sees: its own etcd
watches, and its question to each member every 2 ms over a kept connection.
"""

import contextlib
import os
import socket
import struct
import threading
import time

import feedtimes
import measures
import scenarios
from feed import Feed
from history import S
from meter import Meter, Target, direct_psql
from patroute_lab import config
from patroute_lab.settings import parameters
from rounds_bounds import Kind, ms, most, none, said

POLL_MS = 2
DESCRIPTORS = 2000              # what 40 holds of 200 streams may leave
WRONG = 5                       # shown of a round
DRAIN_MS = 15000                # longer than a hold
NEW_LEADER_WAIT = 60.0


def patch(lab, settings):
    """Changes Patroni's dynamic configuration, and lets each loop read it."""
    scenarios.patch_config(lab, lab.leader(), settings)
    time.sleep(lab.settings["loop_wait"] + 1)


RETRY = "wal_retrieve_retry_interval"


@contextlib.contextmanager
def quick(lab):
    """A leader whose PostgreSQL is gone is followed by another within a few
    seconds, and the replicas find it soon: Patroni looks each second, and
    fails over without restarting PostgreSQL first. As it was, after."""
    scenarios.wait_healthy(lab)
    patch(lab, {"loop_wait": 1, "primary_start_timeout": 0,
                "postgresql": {"parameters": {RETRY: "200ms"}}})
    try:
        yield
    finally:
        scenarios.wait_healthy(lab)
        patch(lab, {"loop_wait": lab.settings["loop_wait"],
                    "primary_start_timeout": None, "postgresql": {
                        "parameters": {RETRY: parameters(lab.settings).get(
                            RETRY)}}})


def every(dflt_ms):
    """What a round of a change needs: a cluster that is quick, and how many
    ms lie between two connections to a port."""
    @contextlib.contextmanager
    def prepared(lab, args):
        with quick(lab):
            yield args.every or dflt_ms
    return prepared


def measured(lab, folder, targets, do, poll_ms=POLL_MS):
    """A run with the feed: begun, do(meter), ended; its history."""
    scenarios.wait_healthy(lab)
    feed = Feed(lab, lab.status()["vip"], os.path.join(folder, "feed.jsonl"))
    with feed, Meter(lab, targets, os.path.join(folder, "h.jsonl"),
                     member_every_ms=poll_ms, drain_ms=DRAIN_MS) as m:
        m.run(2.2)              # the rates before are of 2 s
        do(m)
    for line in feed.lines:
        m.history.add(line)
    return m.history


def descriptors(lab):
    """Of the agent at the VIP, after: each hold costs it some."""
    pid = lab.machine(lab.status()["vip"]).program("agent")[0].pid
    return len(os.listdir(f"/proc/{pid}/fd"))


def wrong(h, label, since):
    """A few attempts that went wrong, in ms from the event."""
    names = ("due", "start", "conn", "hello", "ready", "row", "at")
    lines = [line for line in h.of(label) if measures.is_failed(line)
             or (measures.is_misrouted_read(h, line)
                 if h.kind(label) == "read"
                 else measures.is_misrouted_write(line))]
    return [{"member": h.member(line), "rc": line["rc"],
             "state": line.get("state"),
             **{name: ms(line[name] - since) for name in names
                if name in line}} for line in lines[:WRONG]]


def changed(h, labels):
    """What each change of the leader tells."""
    since = measures.event_at(h)
    told = feedtimes.writable_to_feed(h)
    named, new = measures.key_named(h), measures.writable(h)
    found = {
        "old": measures.old_leader(h), "new": named and named[1],
        "writable_ms": ms(new and new[0] - since),
        "key_to_feed_ms": [[name or "nobody", ms(ns)] for name, ns
                           in feedtimes.key_to_feed(h, since)],
        "writable_to_feed_ms": ms(told["seen"]),
        "writable_to_feed_most_ms": ms(told["most"]),
        "stall_ms": ms(measures.stall(h))}
    for label in labels:
        lines = h.of(label)
        found[label] = {
            "attempts": len(lines),
            "served": sum(line["rc"] == "ok" for line in lines),
            "failed": measures.failed(h, label)["n"],
            "kinds": measures.failed(h, label)["kinds"],
            "misrouted": measures.misrouted(h, label)["n"],
            "unfinished": sum(line["rc"] == "unfinished" for line in lines),
            "longest_wait_ms": ms(measures.longest_wait(h, label)),
            "wrong": wrong(h, label, since)}
    hold = feedtimes.first_hold(h, since)
    found["hold_ms"] = ms(hold and hold - since)
    first = measures.first_right_write(h, "write")
    found["first_right_write_ms"] = ms(first and new and first - new[0])
    return found


def moved_bounds(rounds):
    """How soon the agents know that the key moved."""
    keys = [took for each in rounds for _, took in each["key_to_feed_ms"]]
    yield "key's changes", len(keys), None, None
    yield said("key to feed, median ms", keys, 0.5)
    yield most("key to feed, p99 ms", keys, 5, 0.99)
    yield said("key to feed, most ms", keys)


def key_bounds(rounds):
    """What a change of the leader keeps, however it came."""
    yield from moved_bounds(rounds)
    late = [each["writable_to_feed_most_ms"] for each in rounds]
    yield said("writable to feed, median ms", late, 0.5)
    yield most("writable to feed, most ms", late, 40)
    first = [each["first_right_write_ms"] for each in rounds]
    yield said("first right write after writable, median ms", first, 0.5)
    yield most("first right write after writable, most ms", first, 50)
    yield most("descriptors of the agent, most",
               [each["agent_descriptors"] for each in rounds], DESCRIPTORS)
    yield said("stall of the machine, most ms",
               [each["stall_ms"] for each in rounds])


# --- the leader's postmaster killed ----------------------------------------

class Ear:
    """What a load balancer's host hears from a member's PostgreSQL on the
    prober's connection, packet by packet: when that server itself said that
    it is over. A killed postmaster's backends go one by one, on two cores
    over some 20 ms, and which of them is the prober's is chance."""

    FIN, RST = 1, 4
    TIMESTAMPNS = 35            # socket(7): the kernel's own instant

    def __init__(self, lab, hap, leader):
        sql = ("SELECT client_port FROM pg_stat_activity WHERE usename = "
               f"'{config.PROBER}' AND client_addr = "
               f"'{lab.host(hap).address}'")
        self.source = socket.inet_aton(lab.host(leader).address)
        self.port = int(direct_psql(lab, leader, sql).split()[0])
        self.ended = None
        with lab.inside(hap):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM,
                                        socket.htons(0x0800))
        self.socket.setsockopt(socket.SOL_SOCKET, self.TIMESTAMPNS, 1)
        self.socket.settimeout(0.1)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._listen, daemon=True)

    def _is_end(self, packet):
        ip = (packet[0] & 15) * 4
        if packet[9] != socket.IPPROTO_TCP or packet[12:16] != self.source:
            return False
        ports, flags = packet[ip:ip + 4], packet[ip + 13]
        data = packet[ip + (packet[ip + 12] >> 4) * 4:]
        return ports == struct.pack(">HH", 5432, self.port) and (
            flags & (self.FIN | self.RST) or data[:1] == b"E")

    def _listen(self):
        while self.ended is None and not self.stop.is_set():
            with contextlib.suppress(TimeoutError):
                packet, more, _, _ = self.socket.recvmsg(2048, 64)
                if self._is_end(packet):
                    at, part = struct.unpack("qq", more[0][2])
                    self.ended = at * S + part - \
                        (time.time_ns() - time.monotonic_ns())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
        self.socket.close()


def failover(lab, every_ms, folder):
    """One kill -9, until there is another leader."""
    at = {}

    def kill(m):
        leader = lab.leader()
        with Ear(lab, lab.status()["vip"], leader) as ear:
            m.mark("event", "postmaster killed")
            at["killed"] = scenarios.kill_postmaster(lab, leader)
            m.wait(scenarios.has_new_leader, NEW_LEADER_WAIT, "a new leader")
        at["ended"] = ear.ended
        m.run(1.0)
    h = measured(lab, folder, [
        Target("write", 5000, "write", every_ms=every_ms),
        Target("read", 5001, "read", every_ms=every_ms)], kill)
    gone = feedtimes.no_target(h, at["killed"])
    held = feedtimes.first_hold(h, at["killed"])
    found = changed(h, ["write", "read"])
    same = found["new"] in (None, found["old"])
    return {"invalid": ["no other leader"] * same or measures.invalid(h),
            "agent_descriptors": descriptors(lab),
            "killed_to_hold_ms": ms(held and held - at["killed"]),
            "killed_to_ended_ms": ms(at["ended"] and
                                     at["ended"] - at["killed"]),
            "killed_to_no_target_ms": ms(gone and gone - at["killed"]),
            **found}


def failover_bounds(rounds):
    """What a leader's death keeps."""
    gone = [each["killed_to_no_target_ms"] for each in rounds]
    yield from key_bounds(rounds)
    yield said("killed to new writes held, median ms",
               [each["killed_to_hold_ms"] for each in rounds], 0.5)
    ended = [each["killed_to_ended_ms"] for each in rounds]
    yield said("killed to the server's own end of the probe, median ms",
               ended, 0.5)
    yield said("killed to the server's own end of the probe, most ms", ended)
    yield most("from that to no target, most ms", [
        b and a and round(a - b, 2) for a, b in zip(gone, ended)], 20)
    yield said("killed to no target, median ms", gone, 0.5)
    yield most("killed to no target, most ms", gone, 20)
    yield none("misrouted", [each[label]["misrouted"] for each in rounds
                             for label in ("write", "read")])
    yield none("reads failed", [each["read"]["failed"] for each in rounds])
    yield said("writable after, median ms",
               [each["writable_ms"] for each in rounds], 0.5)


FAILOVERS = Kind(40, every(20), failover, failover_bounds)


# --- planned switchovers ---------------------------------------------------

def switchover(lab, every_ms, folder):
    """One, by Patroni's REST API."""
    def switch(m):
        m.mark("event", "switchover")
        lab.switchover()
        m.wait(scenarios.has_new_leader, NEW_LEADER_WAIT, "a new leader")
        m.run(1.5)
    h = measured(lab, folder, [
        Target("write", 5000, "write", every_ms=every_ms),
        Target("read", 5001, "read", every_ms=every_ms)], switch)
    # That the machine bore the load is seen by what was served in the end.
    why = [each for each in measures.invalid(h) if "attempts a" not in each]
    return {"invalid": why, "every_ms": every_ms,
            "agent_descriptors": descriptors(lab),
            **changed(h, ["write", "read"])}


def switchover_bounds(rounds):
    """What nobody may see of a planned one."""
    yield from key_bounds(rounds)
    for label in ("write", "read"):
        each = [line[label] for line in rounds]
        yield (f"{label}: connections",
               sum(one["attempts"] for one in each), None, None)
        for what in ("failed", "misrouted", "unfinished"):
            yield none(f"{label}: {what}", [one[what] for one in each])
        waits = [one["longest_wait_ms"] for one in each]
        yield said(f"{label}: longest wait, median of rounds, ms", waits, 0.5)
        yield said(f"{label}: longest wait, ms", waits)
    yield said("writable after, median ms",
               [each["writable_ms"] for each in rounds], 0.5)


SWITCHOVERS = Kind(40, every(10), switchover, switchover_bounds)


# --- the key alone ---------------------------------------------------------

def key_moved(lab, poll_ms, folder):
    """A planned switchover that nobody watches closely, on a machine with
    little else to do: what it takes then is the prober's own, and etcd's."""
    def switch(m):
        m.mark("event", "switchover")
        lab.switchover()
        m.wait(scenarios.has_new_leader, NEW_LEADER_WAIT, "a new leader")
    h = measured(lab, folder, [], switch, poll_ms)
    return {"invalid": [],
            "key_to_feed_ms": [[name or "nobody", ms(ns)] for name, ns in
                               feedtimes.key_to_feed(
                                   h, measures.event_at(h))],
            "stall_ms": ms(measures.stall(h))}


KEYS = Kind(60, every(500), key_moved, moved_bounds)


# --- lost probes -----------------------------------------------------------

TERMINATE = ("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
             "WHERE usename = 'patroute' AND client_addr = '{hap}'")


def terminated(lab, hap, leader):
    """The probe's own backend is ended on the leader (57P01)."""
    done = lab.exec(leader, [
        "su", "postgres", "-c", "psql -XAtq -h /run/postgresql postgres -c "
        f"\"{TERMINATE.format(hap=lab.host(hap).address)}\""])
    return int(done.stdout)


def killed(lab, hap, leader):
    """The probe's connection is reset at its own end."""
    done = lab.exec(hap, ["ss", "-KHtn", "dst", lab.host(leader).address,
                          "dport", "=", ":5432"])
    return len(done.stdout.splitlines())


def dropped(lab, hap, leader):
    """SQL is silent for 4 s: nothing comes and nothing goes."""
    rule = ["-p", "tcp", "-d", lab.host(leader).address, "--dport", "5432",
            "-m", "comment", "--comment", "rounds", "-j", "DROP"]
    lab.exec(hap, ["iptables", "-I", "OUTPUT", *rule])
    try:
        time.sleep(4)
    finally:
        lab.exec(hap, ["iptables", "-D", "OUTPUT", *rule])
    return 1


WAYS = {each.__name__: each for each in (terminated, killed, dropped)}


def probe(lab, ready, folder):
    """One lost probe, the ways in turn; nothing else connects."""
    name = next(ready)
    hap, leader = lab.status()["vip"], lab.leader()
    at = {}

    def lose(m):
        m.mark("event", name)
        at["lost"] = time.monotonic_ns()
        at["n"] = WAYS[name](lab, hap, leader)
        m.run(1.5)
    h = measured(lab, folder, [], lose)
    told = feedtimes.targets(h, at["lost"], h.lines[-1]["at"])
    shown = [line for line in h.feeds if line["at"] >= at["lost"]]
    return {"invalid": [] if at["n"] else ["no probe was lost"], "way": name,
            "leader": lab.host(leader).member, "snapshots": len(shown),
            "targets": [name for _, name in told],
            "reasons": sorted({line["why"] for line in shown}),
            "held_ms": ms(feedtimes.held(h, at["lost"]))}


def probe_bounds(rounds):
    """What a lost probe changes: nothing."""
    for way in WAYS:
        lines = [each for each in rounds if each["way"] == way]
        yield f"{way}: probes lost", len(lines), None, None
        yield none(f"{way}: the write target changed", [
            each["targets"] != [each["leader"]] for each in lines])
        yield none(f"{way}: the reason changed", [
            len(each["reasons"]) > 1 for each in lines])
        # 57P01 may be the first word of a planned stop: what comes waits
        # until the next probe, and fails in no case.
        yield said(f"{way}: new writes waited, most ms", [
            each["held_ms"] for each in lines])


@contextlib.contextmanager
def ways(lab, _):
    """Their names, in turn."""
    scenarios.wait_healthy(lab)
    yield iter(list(WAYS) * 1000)


PROBES = Kind(60, ways, probe, probe_bounds)
