"""Writes on 5000 that are read back on 5002: what the tests of it share.

Each client has a row of its own. A replica is kept back by a pause of its
replay, made anew in each round because Patroni resumes a replay that it finds
paused, or by a delay of each commit that it replays.
"""

import contextlib
import json
import signal
import threading
import time

import path
import psycopg2
import scenarios
from patroute_lab import config, hosts, procs
from patroute_lab.state import read

CLIENTS = 16                    # rows
DELAY = "recovery_min_apply_delay"


def connect(port, options=""):
    """A new connection through the VIP, from within the client's host."""
    found = psycopg2.connect(
        host=hosts.VIP, port=port, user=config.SUPERUSER, sslmode="disable",
        password=config.PASSWORD, dbname="postgres", connect_timeout=20,
        options=options)
    found.autocommit = True
    return found


def to_member(lab, name):
    """A connection to one member, not through HAProxy."""
    found = psycopg2.connect(
        host=lab.host(name).address, user=config.SUPERUSER,
        password=config.PASSWORD, dbname="postgres")
    found.autocommit = True
    return found


def on_member(lab, name, *statements):
    """Runs statements on one member; the last one's first value."""
    with lab.inside(hosts.CLIENT), \
            contextlib.closing(to_member(lab, name)) as member, \
            member.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchone()[0]


def delay(lab, name, value):
    """That replica replays each commit that much later; None: at once.

    By Patroni: what ALTER SYSTEM says of it Patroni removes in its next loop.
    """
    path_ = lab.paths.host(lab.host(name), "etc/patroni/config.yml")
    config_ = json.loads(read(path_))
    wanted = {DELAY: value} if value else {}
    if config_["postgresql"].get("recovery_conf", {}) != wanted:
        config_["postgresql"]["recovery_conf"] = wanted
        with open(path_, "w", encoding="utf-8") as file:
            json.dump(config_, file, indent=1)
        procs.send(lab.machine(name).program("patroni"), signal.SIGHUP)
        scenarios.patch_config(lab, name, {"ttl": lab.settings["ttl"]})
    end = time.monotonic() + 30
    while on_member(lab, name, f"SELECT current_setting('{DELAY}')") != \
            (value or "0"):
        assert time.monotonic() < end, f"{name}: {DELAY} is not {value}"
        time.sleep(0.1)


def are_read(lab, names):
    """Whether each is a member to read from."""
    found = {each["server"] for each in path.verdict(lab)["members"]
             if each["read"]}
    return set(names) <= found


def caught_up(lab, name):
    """Waits until that replica has replayed what the leader has now."""
    leader = on_member(lab, lab.leader(), "SELECT pg_current_wal_lsn()")
    end = time.monotonic() + 20
    while on_member(lab, name, "SELECT pg_last_wal_replay_lsn() >= "
                         f"'{leader}'") is not True:
        assert time.monotonic() < end, f"{name} does not catch up"
        time.sleep(0.05)


@contextlib.contextmanager
def ready_replicas(lab):
    """The replicas' names: they know the table and are both read from; what
    keeps them back is ended after."""
    found = sorted(h.name for h in lab.hosts.values()
                   if h.role == "node" and h.name != lab.leader())
    with lab.inside(hosts.CLIENT):
        writer = connect(5000)
        with contextlib.closing(writer), writer.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS mine")
            cursor.execute("CREATE TABLE mine (id int PRIMARY KEY, n int)")
            cursor.execute("INSERT INTO mine SELECT i, 0 FROM "
                           f"generate_series(0, {CLIENTS - 1}) i")
    for name in found:
        caught_up(lab, name)
    end = time.monotonic() + 20
    while not are_read(lab, found):
        assert time.monotonic() < end, "both are read: not within 20 s"
        time.sleep(0.05)
    try:
        yield found
    finally:
        for name in found:
            on_member(lab, name, "SELECT pg_wal_replay_resume()")
            delay(lab, name, None)
        for name in found:
            caught_up(lab, name)


class Round:
    """One: seen (its own write), replica (who served it was one), address,
    seconds that the connection took."""

    def __init__(self, seen, replica, address, seconds):
        self.seen, self.replica = seen, replica
        self.address, self.seconds = address, seconds


def one_round(writer, paused, client, i, named):
    """Writes i, reads it."""
    for each in paused:
        with each.cursor() as cursor:
            cursor.execute("SELECT pg_wal_replay_pause()")
    with writer.cursor() as cursor:
        cursor.execute("UPDATE mine SET n = %s WHERE id = %s", (i, client))
        cursor.execute("SELECT pg_current_wal_lsn()")
        lsn = cursor.fetchone()[0]
    options = "-c patroute.target=replica"
    if named:
        options += f" -c patroute.min_lsn={lsn}"
    began = time.monotonic()
    reader = connect(5002, options)
    took = time.monotonic() - began
    with contextlib.closing(reader), reader.cursor() as cursor:
        cursor.execute("SELECT n, pg_is_in_recovery(), "
                       "host(inet_server_addr()) FROM mine WHERE id = %s",
                       (client,))
        seen, replica, address = cursor.fetchone()
    return Round(seen == i, replica, address, took)


def run(lab, rounds, named, paused, client=0):
    """[Round]: one client's."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(lab.inside(hosts.CLIENT))
        writer = stack.enter_context(contextlib.closing(connect(5000)))
        standing = [stack.enter_context(contextlib.closing(to_member(lab, n)))
                    for n in paused]
        return [one_round(writer, standing, client, i, named)
                for i in range(1, rounds + 1)]


def run_beside(lab, clients, rounds, named, paused):
    """[Round]: of several clients at once, each so many."""
    found, errors = [], []

    def work(client):
        try:
            found.extend(run(lab, rounds, named, paused, client))
        except (AssertionError, psycopg2.Error, OSError) as why:
            errors.append(why)
    threads = [threading.Thread(target=work, args=(n,))
               for n in range(clients)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    if errors:
        raise errors[0]
    return found


def numbers(rounds):
    """(misses, share by a replica, sorted seconds)."""
    return (sum(not each.seen for each in rounds),
            sum(each.replica for each in rounds) / len(rounds),
            sorted(each.seconds for each in rounds))
