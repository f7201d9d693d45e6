"""
1,000 clients that come while there is no leader, and wait for it.

The leader's PostgreSQL and Patroni are cut off, without a word, until the
prober has no write target; then the clients come, one a millisecond, each with
a StartupMessage, and after 5 s of holding the cut is healed. No PostgreSQL
could take them all on such a machine: behind that HAProxy responders stand in
its place for the data (crowd.py), the verdict is of the real one. Beside them
new connections come to 5001 every 10 ms all the time: before and meanwhile.
"""

import contextlib
import json
import os
import selectors
import socket
import struct
import subprocess
import sys
import time

HELD = 1000
APART_S = 0.001
HOLD_S = 5.0
GIVE_UP_S = 30.0


# --- the clients: a process of its own, on the clients' host ---------------

def startup():
    """A StartupMessage, as libpq sends it with sslmode=disable."""
    words = b"user\0postgres\0database\0postgres\0\0"
    return struct.pack(">II", 8 + len(words), 196608) + words


class Client:
    """One that connects, asks, and keeps the instants."""

    def __init__(self, n, address):
        self.n, self.start, self.answered = n, time.monotonic_ns(), 0
        self.first = b""
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.connect_ex(address)

    def step(self, events):
        """True once it is over."""
        if events & selectors.EVENT_WRITE:
            with contextlib.suppress(OSError):
                self.socket.send(startup())
            return False
        try:
            self.first = self.socket.recv(256)
        except OSError:
            self.first = b""
        self.answered = time.monotonic_ns()
        self.socket.close()
        return True


def crowd_of_clients(host, port):
    """All of them; one JSON line each."""
    loop, done, began = selectors.DefaultSelector(), [], time.monotonic()
    n = 0
    while len(done) < HELD and time.monotonic() < began + GIVE_UP_S:
        while n < HELD and time.monotonic() >= began + n * APART_S:
            client = Client(n, (host, port))
            loop.register(client.socket, selectors.EVENT_WRITE, client)
            n += 1
        for key, events in loop.select(APART_S if n < HELD else 1.0):
            client = key.data
            if events & selectors.EVENT_WRITE:
                client.step(events)
                loop.modify(client.socket, selectors.EVENT_READ, client)
                continue
            loop.unregister(client.socket)
            client.step(events)
            done.append(client)
    for client in done:
        print(json.dumps([client.n, client.start, client.answered,
                          client.first[:1].decode("latin-1")]))


if __name__ == "__main__":
    crowd_of_clients(sys.argv[1], int(sys.argv[2]))
    sys.exit(0)

# pylint: disable=wrong-import-position
import crowd  # noqa: E402 (the clients' process knows no such folder)
import feedtimes  # noqa: E402
import measures  # noqa: E402
import scenarios  # noqa: E402
from feed import Feed  # noqa: E402
from history import MS, S  # noqa: E402
from meter import Meter, MeterError, Target  # noqa: E402
from patroute_lab import hosts  # noqa: E402
from rounds_bounds import Kind, ms, most, none, quantile, said  # noqa: E402

HAP = "hap2"
READ_EVERY_MS = 10
TOGETHER = 3 * MS


@contextlib.contextmanager
def prepared(lab, _):
    """Responders behind that host's HAProxy."""
    scenarios.wait_healthy(lab)
    with crowd.behind(lab, HAP):
        yield lab.host(HAP).address


def until(what, seconds, question):
    """Polls."""
    end = time.monotonic() + seconds
    while not question():
        if time.monotonic() > end:
            raise MeterError(f"not within {seconds:g} s: {what}")
        time.sleep(0.02)


def has_no_target(path):
    """Whether the feed's last snapshot names none."""
    with open(path, encoding="utf-8") as file:
        whole = [line for line in file if line.endswith("\n")]
    return bool(whole) and json.loads(whole[-1])["write"] is None


def order(clients):
    """How much later than one whom it overtook somebody came, at most. The
    agent answers in order, but those that it lets go in one turn of its loop
    (two at 500 a second) connection by connection: who was served within
    TOGETHER of each other was served at once."""
    served = sorted(clients, key=lambda c: c[2])
    worst, latest, n = 0, 0, 0
    for _, start, answered, _ in served:
        while served[n][2] < answered - TOGETHER:
            latest = max(latest, served[n][1])
            n += 1
        worst = max(worst, latest - start)
    return worst


def waits(h, since, until_):
    """Of 5001's connections that were due then, in ms."""
    found = [t["at"] - t["due"] for t in h.of("read", since, until_)
             if t["rc"] == "ok"]
    failed = sum(t["rc"] != "ok" for t in h.of("read", since, until_))
    return {"n": len(found), "failed": failed,
            "median_ms": ms(quantile(found, 0.5)),
            "p99_ms": ms(quantile(found, 0.99)), "most_ms": ms(max(found))}


def hold(lab, address, folder):
    """One crowd held: (history, its clients, the instants)."""
    at = {}
    leader = lab.leader()
    feed = Feed(lab, HAP, os.path.join(folder, "feed.jsonl"))
    with feed, Meter(lab, [Target("read", 5001, "read", address,
                                  READ_EVERY_MS)],
                     os.path.join(folder, "h.jsonl"), idle=0, busy=0,
                     member_every_ms=50) as m:
        m.run(3)
        m.mark("event", "held")
        lab.cut(leader, "db")
        try:
            until("no write target", 10, lambda: has_no_target(feed.path))
            at["came"] = time.monotonic_ns()
            clients = subprocess.Popen(
                lab.command(hosts.CLIENT, [sys.executable, __file__, address,
                                           "5000"]),
                stdout=subprocess.PIPE, text=True)
            m.run(HELD * APART_S + HOLD_S)
        finally:
            # From here on the leader may be there at any moment.
            at["healed"] = time.monotonic_ns()
            lab.heal(leader)
        said_ = clients.communicate(timeout=GIVE_UP_S + 10)[0]
        at["over"] = time.monotonic_ns()
        m.run(1)
    for line in feed.lines:
        m.history.add(line)
    found = [json.loads(line) for line in said_.splitlines()]
    return m.history, found, at


def one(lab, address, folder):
    """A round."""
    scenarios.wait_healthy(lab)
    h, clients, at = hold(lab, address, folder)
    told = [when for when, name
            in feedtimes.targets(h, at["healed"], at["over"]) if name]
    served = [c for c in clients if c[3] == "R"]
    first, last = min(c[2] for c in clients), max(c[2] for c in clients)
    event = measures.event_at(h)
    why = [] if crowd.stands(h) else ["the leader changed"]
    return {
        "invalid": why, "clients": len(clients), "served": len(served),
        "early": sum(c[2] < at["healed"] for c in clients),
        "held_least_ms": ms(min(c[2] - c[1] for c in clients)),
        "held_most_ms": ms(max(c[2] - c[1] for c in clients)),
        "first_after_target_ms": ms(first - told[0]) if told else None,
        "released_over_ms": ms(last - first),
        "out_of_order_ms": ms(order(clients)),
        "before": waits(h, event - 3 * S, event),
        "held": waits(h, at["came"], at["healed"]),
        "release": waits(h, at["healed"], last + 100 * MS)}


def bounds(rounds):
    """What those who wait get, and the others meanwhile."""
    yield none("not served", [HELD - each["served"] for each in rounds])
    yield none("served before there was a leader",
               [each["early"] for each in rounds])
    # Two threads of HAProxy, each with many connections to the agent, ask in
    # an order of their own: by so much, of 1,000 that came within 1 s.
    yield most("out of order by, ms", [each["out_of_order_ms"]
                                       for each in rounds], 20)
    yield ("held least, ms", min(each["held_least_ms"] for each in rounds),
           None, None)
    yield said("held most, ms", [each["held_most_ms"] for each in rounds])
    yield said("first served after the target is told, most ms",
               [each["first_after_target_ms"] for each in rounds])
    yield said("released over, most ms",
               [each["released_over_ms"] for each in rounds])
    for part in ("before", "held", "release"):
        lines = [each[part] for each in rounds]
        yield none(f"5001 {part}: failed", [one_["failed"] for one_ in lines])
        for what in ("median_ms", "p99_ms", "most_ms"):
            yield said(f"5001 {part}: {what}, median of rounds",
                       [one_[what] for one_ in lines], 0.5)
    yield most("5001 while 1,000 are held: p99 above that before, ms, median",
               [each["held"]["p99_ms"] - each["before"]["p99_ms"]
                for each in rounds], 5, 0.5)


HELD_KIND = Kind(5, prepared, one, bounds)
