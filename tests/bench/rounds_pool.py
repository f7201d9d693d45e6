"""
A pool of 50 clients that keep their connections and run pgbench's transaction
(TPC-B, on tables that `pgbench -i` made), twice a second each: one pool
through 5000, one through the classic way on 5100 of the same HAProxy, at the
same time on the same cluster. The leader's host is killed. A client whose
statement fails connects anew at once, as pools do, and after a failed attempt
200 ms later; pgbench's own clients give up at the first error. What is counted
is each pool's own: the failed statements and connections, and from when on all
of its 50 commit again.
"""

import contextlib
import random
import threading
import time

import measures
import psycopg2
import scenarios
from meter import Meter, MeterError, Target
from patroute_lab import config, hosts
from rounds_bounds import Kind, most, none, said

CLIENTS = 50
EVERY_S = 0.5
RETRY_S = 0.2
SCALE = 5
AFTER_S = 4.0
GIVE_UP_S = 90.0
POOLS = {"ours": 5000, "classic": 5100}

TRANSACTION = """BEGIN;
UPDATE pgbench_accounts SET abalance = abalance + {d} WHERE aid = {a};
SELECT abalance FROM pgbench_accounts WHERE aid = {a};
UPDATE pgbench_tellers SET tbalance = tbalance + {d} WHERE tid = {t};
UPDATE pgbench_branches SET bbalance = bbalance + {d} WHERE bid = {b};
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime)
 VALUES ({t}, {b}, {a}, {d}, CURRENT_TIMESTAMP);
END"""


class Client(threading.Thread):
    """One of a pool. commits: instants; errors: (instant, what, why)."""

    def __init__(self, lab, port, stop):
        super().__init__(daemon=True)
        self.lab, self.port, self.stop = lab, port, stop
        self.commits, self.errors = [], []
        self.connection = None

    def run(self):
        with self.lab.inside(hosts.CLIENT):
            time.sleep(random.uniform(0, EVERY_S))
            while not self.stop.is_set():
                self.step()
            if self.connection:
                self.connection.close()

    def step(self):
        """One transaction, on a connection."""
        due = time.monotonic()
        what = "statement" if self.connection else "connection"
        try:
            if self.connection is None:
                self.connect()
                what = "statement"
            self.transact()
        except psycopg2.Error as why:
            self.errors.append((time.monotonic(), what, str(why).strip()))
            self.connection = None
            if what == "connection":
                self.stop.wait(RETRY_S)
            return
        self.commits.append(time.monotonic())
        self.stop.wait(max(0.0, due + EVERY_S - time.monotonic()))

    def connect(self):
        """A new connection, as an application makes it."""
        self.connection = psycopg2.connect(
            host=hosts.VIP, port=self.port, user=config.SUPERUSER,
            password=config.PASSWORD, dbname="postgres",
            application_name="pool", connect_timeout=30)
        self.connection.autocommit = True

    def transact(self):
        """pgbench's."""
        with self.connection.cursor() as cursor:
            cursor.execute(TRANSACTION.format(
                d=random.randint(-5000, 5000),
                a=random.randint(1, 100000 * SCALE),
                t=random.randint(1, 10 * SCALE),
                b=random.randint(1, SCALE)))


@contextlib.contextmanager
def prepared(lab, _):
    """pgbench's tables."""
    scenarios.wait_healthy(lab)
    lab.exec(lab.leader(), [
        "su", "postgres", "-c", f"{config.pg_bin(lab.settings)}/pgbench -i -q "
        f"-s {SCALE} -h /run/postgresql postgres"], timeout=120)
    yield None


def back(clients, since):
    """The instant from which each of them committed again; None if one has
    not."""
    first = [next((at for at in client.commits if at > since), None)
             for client in clients]
    return None if None in first else max(first)


def told(clients, event, writable):
    """What befell a pool."""
    errors = [error for client in clients for error in client.errors
              if error[0] >= event]
    whole = back(clients, writable)
    kinds = {}
    for _, what, why in errors:
        word = what + ": " + " ".join(why.split()[:14])
        kinds[word] = kinds.get(word, 0) + 1
    return {"clients": len(clients),
            "before": sum(event - 2 <= at < event for client in clients
                          for at in client.commits) / 2,
            "statements_failed": sum(e[1] == "statement" for e in errors),
            "connections_failed": sum(e[1] == "connection" for e in errors),
            "refused_as_standby": sum("read-only" in e[2] for e in errors),
            "back_s": whole and round(whole - event, 3),
            "back_after_writable_s": whole and round(whole - writable, 3),
            "kinds": kinds}


def round_(lab, _, folder):
    """One kill."""
    scenarios.wait_healthy(lab)
    stop, leader = threading.Event(), lab.leader()
    pools = {name: [Client(lab, port, stop) for _ in range(CLIENTS)]
             for name, port in POOLS.items()}
    everybody = [client for pool in pools.values() for client in pool]
    try:
        with Meter(lab, [Target("probe", 5001, "read", every_ms=100)],
                   f"{folder}/h.jsonl") as m:
            for client in everybody:
                client.start()
            wait(15, lambda: all(c.commits for c in everybody))
            m.run(3)
            event = time.monotonic()
            m.mark("event", "kill")
            lab.kill(leader)
            m.wait(scenarios.has_new_leader, GIVE_UP_S, "a new leader")
            writable = measures.writable(m.history)[0] / 1e9
            wait(GIVE_UP_S, lambda: back(everybody, writable))
            m.run(AFTER_S)
    finally:
        stop.set()
        for client in everybody:
            if client.ident:    # it was started
                client.join(35)
        lab.start(leader)
    return {"invalid": [], "writable_s": round(writable - event, 3),
            **{name: told(pool, event, writable)
               for name, pool in pools.items()}}


def wait(seconds, question):
    """Until it is true."""
    end = time.monotonic() + seconds
    while not question():
        if time.monotonic() > end:
            raise MeterError(f"a pool is not back within {seconds:g} s")
        time.sleep(0.1)


def bounds(rounds):
    """What a pool goes through, ours and the classic way's."""
    yield said("writable after, median s",
               [each["writable_s"] for each in rounds], 0.5)
    for name in POOLS:
        pool = [each[name] for each in rounds]
        for what in ("statements_failed", "connections_failed", "back_s",
                     "back_after_writable_s"):
            values = [each[what] for each in pool]
            yield said(f"{name}: {what}, median", values, 0.5)
            yield said(f"{name}: {what}, most", values)
    yield none("ours: writes on a standby",
               [each["ours"]["refused_as_standby"] for each in rounds])
    yield most("ours: all are back after writable, of what the classic way "
               "took", [each["ours"]["back_after_writable_s"] /
                        each["classic"]["back_after_writable_s"]
                        for each in rounds], 1)


POOL = Kind(3, prepared, round_, bounds)
