"""
The verdict and its reason while PostgreSQL lives and the prober may not ask
it, or is answered by a server that takes no writes: the route stays, the
proof and the log say what is missing.
"""

import contextlib
import os
import time

import path
import psycopg2
import pytest
from patroute_lab import config as made
from sessions import session
from verdicts import story  # noqa: F401 (a fixture)
from verdicts import HAP, local, name_of, roles

HAPS = ("hap1", "hap2", "hap3")
END_PROBES = ("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
              f" WHERE usename = '{made.PROBER}'")
NODES = ("node1", "node2", "node3")


def sql_of(lab, name):
    """How the last question to that member's PostgreSQL ended."""
    return next(m["evidence"]["sql"]["rc"]
                for m in path.verdict(lab, HAP)["members"]
                if m["name"] == name)


def write_passfiles(lab, password):
    """As an operator's tool does it: the content anew, the file the same."""
    for hap in HAPS:
        file = lab.paths.host(lab.host(hap), "etc/patroute/pgpass")
        with open(file, "w", encoding="utf-8") as out:
            out.write(f"*:*:*:{made.PROBER}:{password}\n")


@contextlib.contextmanager
def rotated(lab, password):
    """The role has another password; at the end the old one again."""
    def alter(word):
        local(lab, lab.leader(),
              f"ALTER ROLE {made.PROBER} PASSWORD '{word}'")
    alter(password)
    try:
        yield
    finally:
        alter(made.PASSWORD)
        write_passfiles(lab, made.PASSWORD)


def test_password_rotated(lab, story, wait_until):
    """Refused, it goes on by key and REST and says so; the new passfile is
    read at the next connection, by itself."""
    _, name, _, _ = roles(lab)
    secret = "a-new-secret"
    with rotated(lab, secret):
        # A session that stands is not asked again: those end first.
        for node in NODES:
            wait_until("the new password arrived", 10, lambda n=node: local(
                lab, n, "SELECT rolpassword = 'md5' || md5("
                f"'{secret}{made.PROBER}') FROM pg_authid "
                f"WHERE rolname = '{made.PROBER}'") == "t")
            local(lab, node, END_PROBES)
        wait_until("SQL is refused everywhere", 10, lambda: all(
            sql_of(lab, node) == "auth" for node in NODES))
        wait_until("by key and REST", 10,
                   lambda: story.proof() == "key+rest")
        assert story.now() == (name, "leader")
        assert lab.psql(5000, "SELECT NOT pg_is_in_recovery()") == "t"
        assert lab.psql(5001, "SELECT pg_is_in_recovery()") == "t"
        write_passfiles(lab, secret)
        wait_until("SQL again", 10, lambda: story.proof() == "key+sql" and
                   all(sql_of(lab, node) == "ok" for node in NODES))
    wait_until("said", 5, lambda: all(
        story.sources(node) == [("sql", "auth", "ok"), ("sql", "ok", "auth")]
        for node in NODES))
    assert story.writes() == []
    assert all(story.reads(node) == [] for node in NODES)
    assert not story.lines(secret)


def _take_all(lab, host, taken):
    """Connects until it is refused: without rights, a few are left to
    superusers."""
    with contextlib.suppress(psycopg2.OperationalError):
        while True:
            taken.append(session(lab, lab.host(host).address,
                                 user=made.PROBER))


@contextlib.contextmanager
def full(lab, host, who, wait_until):
    """Every connection that is not a superuser's is taken, the places of
    the probes too: they are back at once, so it may need another try."""
    # It stays: one that went would leave a place, and not to us.
    superuser = session(lab, lab.host(host).address)
    taken = [superuser]

    def take_theirs():
        superuser.cursor().execute(END_PROBES + " AND client_addr <> %s",
                                   (lab.host("app1").address,))
        _take_all(lab, host, taken)
        return sql_of(lab, who) == "busy"

    try:
        _take_all(lab, host, taken)
        assert len(taken) > 100
        wait_until(f"{who} is full", 10, take_theirs)
        yield
    finally:
        for each in taken:
            each.close()


def refused_with(lab, port):
    """What a client without rights is told there."""
    done = lab.exec("app1", ["env", f"PGPASSWORD={made.PASSWORD}", "psql",
                             "-h", "192.168.34.85", "-p", str(port), "-U",
                             made.PROBER, "-XAtqc", "SELECT 1", "postgres"],
                    check=False)
    return done.stderr


@pytest.mark.slow
def test_connections_full(lab, story, wait_until):
    """A full leader and a full replica keep their routes: who is refused is
    refused by PostgreSQL, not by us. By hand: on a machine that is busy with
    other things a probe may be back before its place is taken."""
    leader, name, replica, reader = roles(lab)
    for host, who in ((leader, name), (replica, reader)):
        with full(lab, host, who, wait_until):
            port = 5000 if host == leader else 5001
            wait_until("it says so itself", 10, lambda p=port:
                       "remaining connection slots" in refused_with(lab, p))
            # A superuser's place is left, and the route leads to it.
            assert lab.psql(5000, "SELECT NOT pg_is_in_recovery()") == "t"
            assert story.now() == (name, "leader")
            proof = "key+rest" if host == leader else "key+sql"
            wait_until(proof, 5, lambda p=proof: story.proof() == p)
            assert story.why(reader) == (True, "replica")
        wait_until(f"{who} is asked again", 10,
                   lambda w=who: sql_of(lab, w) == "ok")
        assert story.sources(who) == [("sql", "busy", "ok"),
                                      ("sql", "ok", "busy")]
    assert story.writes() == []
    assert all(story.reads(node) == [] for node in NODES)


def test_read_only_leader(lab, story, wait_until):
    """A flag, not a veto: PostgreSQL itself refuses the write."""
    leader, name, _, _ = roles(lab)

    def is_flagged():
        return next(m["read_only"] for m in path.verdict(lab, HAP)["members"]
                    if m["name"] == name)

    def alter(what):
        local(lab, leader, f"ALTER SYSTEM {what}")
        local(lab, leader, "SELECT pg_reload_conf()")
    alter("SET default_transaction_read_only = on")
    try:
        wait_until("it is flagged", 10, is_flagged)
        refused = lab.exec("app1", lab.psql_argv(
            5000, ["-XAtqc", "CREATE TABLE never (x int)"]), check=False)
        assert "read-only transaction" in refused.stderr
        assert lab.psql(5000, "SELECT NOT pg_is_in_recovery()") == "t"
        assert story.now() == (name, "leader")
    finally:
        alter("RESET default_transaction_read_only")
    wait_until("no more", 10, lambda: not is_flagged())
    assert story.lines(rf"change cluster=\S+ member={name} "
                       r"read_only=(\S+)") == ["yes", "no"]
    assert story.writes() == []


@pytest.mark.slow
def test_backend_terminated_each_second(lab, story):
    """Each end is a question; the answer is a connection away. No line."""
    _, name, _, _ = roles(lab)
    before = path.verdict(lab, HAP)["changes"]
    longest = 0.0
    ended = 0
    end = time.monotonic() + float(os.environ.get("TERMINATE_S", "16"))
    while time.monotonic() < end:
        second = time.monotonic() + 1.0
        for node in NODES:
            ended += int(local(lab, node, END_PROBES))
        while time.monotonic() < second:
            asked = time.monotonic()
            assert lab.psql(5000, "SELECT NOT pg_is_in_recovery()") == "t"
            longest = max(longest, time.monotonic() - asked)
            assert story.now() == (name, "leader")
    print(f"\n  {ended} backends ended; a write waited {longest:.2f} s at most")
    assert ended >= 3 * 10
    assert path.verdict(lab, HAP)["changes"] == before
    assert story.changes() == []
    assert name_of(lab, lab.leader()) == name
