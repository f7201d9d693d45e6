"""
The verdict and its reason in clusters that are set up otherwise: TLS
everywhere, PgBouncer before PostgreSQL, names instead of addresses (and a
resolver that is dead), a Citus group's scope, a small disk. A lab of its own
for each, by hand.
"""

import contextlib
import json
import re
import time

import path
import pytest
from clients import Client
from patroute_lab import pooler as pgbouncer
from verdicts import HAP, local, name_of, own_lab, roles

pytestmark = pytest.mark.slow

WRITE = "SELECT NOT pg_is_in_recovery()"
READ = "SELECT pg_is_in_recovery()"


def members(lab):
    """What /topology says of each member, by name."""
    return {m["name"]: m for m in path.verdict(lab, HAP)["members"]}


def switch(lab, story, wait_until):
    """A planned switchover under clients: followed, and nobody fails."""
    _, name, replica, reader = roles(lab)
    clients = [Client(lab, 5000, WRITE), Client(lab, 5001, READ)]
    for each in clients:
        wait_until("answers", 30, lambda e=each: len(e.answers) > 5)
    lab.switchover(replica)
    wait_until("the new leader", 20,
               lambda: story.now() == (reader, "leader"))
    seen = [len(each.answers) for each in clients]
    for each, n in zip(clients, seen):
        wait_until("answers again", 30, lambda e=each, n=n:
                   len(e.answers) > n + 5)
    for each in clients:
        each.end()
    wait_until("the old one is read", 40, lambda: story.why(name)[0])
    assert [who for who, _ in story.writes() if who != "none"] == [reader]
    assert {why for who, why in story.writes() if who == "none"} <= \
        {"stopping", "refused", "in-recovery", "no-key", "unconfirmed"}
    assert story.reads(reader) == [("no", "takes-key")]


def test_one_etcd_of_three_is_frozen(wait_until):
    """The one that patroute follows, and Patroni does not know: it is left for
    another within its deadline, no verdict changes, and a switchover is
    followed as ever."""
    away = r"etcd=(\S+):2379 state=away"
    with own_lab("patroni_etcds=2", "ttl=20") as (lab, story):
        assert story.lines(away) == []
        frozen = lab.host("etcd1").address
        lab.freeze("etcd1", "etcd")
        began = time.monotonic()
        wait_until("it is left", 10,
                   lambda: story.lines(away)[:1] == [frozen])
        print(f"\n  left after {time.monotonic() - began:.2f} s")
        # It may have led the other two.
        wait_until("etcd answers", 20, lab.leader)
        wait_until("the key is proof again", 10,
                   lambda: story.proof() == "key+sql")
        assert story.changes() == []
        left = story.lines(away)
        switch(lab, story, wait_until)
        assert story.lines(away) == left
        assert story.proof() == "key+sql"
        lab.thaw("etcd1", "etcd")


def no_failed_handshake(story):
    """Nothing was refused for its certificate, nowhere."""
    assert story.lines(r"rc=tls|rc=auth") == []


def test_tls_everywhere(wait_until):
    """etcd (clients and peers), REST and PostgreSQL, each verified, client
    certificates wanted: a switchover as in cleartext. Another authority's
    certificates are not believed, and the log says of whom."""
    with own_lab("tls=on", "ttl=20") as (lab, story):
        assert story.now()[1] == "leader" and story.proof() == "key+sql"
        encrypted = local(lab, lab.leader(), "SELECT bool_and(ssl) FROM "
                          "pg_stat_ssl JOIN pg_stat_activity USING (pid) "
                          "WHERE usename = 'patroute'")
        assert encrypted == "t"
        for port in (8008, 2379):
            host = lab.leader() if port == 8008 else "etcd1"
            plain = lab.exec(HAP, ["curl", "-s", "-m", "2", "-k",
                                   f"https://{lab.host(host).address}:{port}"
                                   "/health"], check=False)
            assert plain.returncode != 0, "served without a certificate"
        switch(lab, story, wait_until)
        # HAProxy's own checks of Patroni show the certificate, too: all
        # servers were down by now, did they not.
        wait_until("the classic way", 10, lambda: lab.psql(5100, WRITE) ==
                   lab.psql(5101, READ) == "t")
        no_failed_handshake(story)
        _distrust_rest(lab, story, wait_until)
        assert path.topology(lab, HAP)["loop"]["slow"] == 0


def _distrust_rest(lab, story, wait_until):
    """The leader's Patroni shows what another authority signed."""
    leader, name, _, _ = roles(lab)
    etc = lab.paths.host(lab.host(leader), "etc/tls")
    lab.exec(leader, ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                      "ec_paramgen_curve:P-256", "-nodes", "-subj", "/O=x",
                      "-addext", "subjectAltName=IP:"
                      + lab.host(leader).address, "-keyout",
                      "/run/patroute-host/etc/tls/other.key", "-out",
                      "/run/patroute-host/etc/tls/other.pem"])
    with open(f"{etc}/other.key", encoding="utf-8") as key, \
            open(f"{etc}/other.pem", "a", encoding="utf-8") as cert:
        cert.write(key.read())
    file = lab.paths.host(lab.host(leader), "etc/patroni/config.yml")
    with open(file, encoding="utf-8") as old:
        conf = json.load(old)
    conf["restapi"].update(certfile="/run/patroute-host/etc/tls/other.pem")
    del conf["restapi"]["keyfile"]
    with open(file, "w", encoding="utf-8") as new:
        json.dump(conf, new)
    for each in lab.machine(leader).program("patroni"):
        if each.depth == min(p.depth for p in
                             lab.machine(leader).program("patroni")):
            lab.exec(leader, ["kill", "-HUP", str(each.inner)])
    wait_until("REST is not believed", 20, lambda: members(lab)[name]
               ["evidence"]["rest"]["rc"] == "tls")
    assert story.now() == (name, "leader") and story.proof() == "key+sql"
    assert lab.psql(5000, WRITE) == "t"
    assert story.lines(rf"member={name} source=rest rc=(\S+) was=(\S+)") == \
        [("tls", "ok")]


def test_names_and_a_dead_resolver(wait_until):
    """Members and etcd by name. The resolver dies: what is known serves on;
    a prober that begins then knows nobody, waits for nobody, and HAProxy
    serves by itself; the resolver is back: so is the verdict."""
    with own_lab("named=on") as (lab, story):
        _, name, _, _ = roles(lab)
        assert story.now() == (name, "leader")
        key = lab.exec("etcd1", ["etcdctl", "get", "--print-value-only",
                                 "/service/main/members/node1"]).stdout
        assert "//dc1-psql-node1:5432/" in key
        with dead_resolver(lab):
            # Longer than a name is kept without being looked up again.
            wait_until("names were asked for again", 90,
                       lambda: dropped(lab) > 0)
            assert story.now() == (name, "leader")
            assert story.proof() == "key+sql"
            assert story.writes() == []
            loop_is_quick(lab)
            lab.restart_program(HAP, "prober")
            wait_until("it asks for them", 30,
                       lambda: dropped(lab) > 1)
            assert path.curl(lab, HAP, "/healthz") != "ok\n"
            assert not path.verdict(lab, HAP)["usable"]
            assert lab.psql(5000, WRITE) == "t"
            assert lab.psql(5001, READ) == "t"
            loop_is_quick(lab)
        wait_until("a verdict again", 60,
                   lambda: story.now() == (name, "leader"))
        assert story.proof() == "key+sql"
        loop_is_quick(lab)


def loop_is_quick(lab):
    """The prober's loop waited for no name, and answers at once."""
    loop = path.topology(lab, HAP)["loop"]
    assert loop["slow"] == 0 and loop["longest_cpu_ms"] <= 20, loop


def dropped(lab):
    """Questions to the dead resolver so far."""
    rules = lab.exec("app1", ["iptables", "-nvxL", "INPUT"]).stdout
    return int(re.search(r"^\s*(\d+) .*dpt:53", rules, re.M).group(1))


@contextlib.contextmanager
def dead_resolver(lab):
    """hap1 knows no names but by a resolver that says nothing."""
    folder = lab.paths.host(lab.host(HAP), "etc")
    files = {name: open(f"{folder}/{name}", encoding="utf-8").read()
             for name in ("hosts", "resolv.conf")}

    def put(texts):
        for name, text in texts.items():
            with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
                file.write(text)
    lab.exec("app1", ["iptables", "-I", "INPUT", "-p", "udp", "--dport",
                      "53", "-j", "DROP"])
    put({"hosts": "127.0.0.1 localhost\n", "resolv.conf":
         f"nameserver {lab.host('app1').address}\n"})
    try:
        yield
    finally:
        put(files)
        lab.exec("app1", ["iptables", "-D", "INPUT", "-p", "udp", "--dport",
                          "53", "-j", "DROP"])


def test_pgbouncer(wait_until):
    """conn_url leads to PgBouncer; the prober asks PostgreSQL behind it, by
    probe_address: what PgBouncer does is no word on the leader."""
    with own_lab("pooler=pgbouncer", "ttl=20") as (lab, story):
        leader, name, _, _ = roles(lab)
        assert {m["port"] for m in members(lab).values()} == {pgbouncer.PORT}
        by = ("SELECT DISTINCT client_addr FROM pg_stat_activity "
              "WHERE usename = '%s' ORDER BY 1")
        asked_by = local(lab, leader, by % "patroute").splitlines()
        assert asked_by == [lab.host(f"hap{n}").address for n in (1, 2, 3)]
        # Applications come through PgBouncer, from its own host.
        assert lab.psql(5000, "SELECT inet_client_addr()") == \
            lab.host(leader).address
        lab.freeze(leader, "pgbouncer")
        try:
            # Twice as long as silence may last.
            stays_for(story, (name, "leader"), 4)
            assert story.proof() == "key+sql"
        finally:
            lab.thaw(leader, "pgbouncer")
        assert story.changes() == []
        switch(lab, story, wait_until)


def stays_for(story, word, seconds):
    """The verdict is this word, looked at all the while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert story.now() == word
        time.sleep(0.2)


def test_citus_group(wait_until):
    """A group's keys stand one level deeper. Another group's leader, and one
    at the scope itself, put there by hand, are none of this cluster's."""
    with own_lab("scope=main/0", "ttl=20") as (lab, story):
        leader, name, _, _ = roles(lab)
        assert path.verdict(lab, HAP)["scope"] == "main/0"
        assert story.now() == (name, "leader")
        other = next(n for n in members(lab) if n != name)
        for key in ("main/1/leader", "main/leader", "main/01/leader"):
            put(lab, key, other)
        stranger = json.dumps({"conn_url": "postgres://192.0.2.1:5432/x",
                               "api_url": "http://192.0.2.1:8008/patroni",
                               "role": "master", "state": "running"})
        put(lab, "main/1/members/worker1", stranger)
        put(lab, "main/members/coordinator1", stranger)
        stays_for(story, (name, "leader"), 3)
        assert set(members(lab)) == {"node1", "node2", "node3"}
        assert story.changes() == []
        switch(lab, story, wait_until)
        assert set(members(lab)) == {"node1", "node2", "node3"}
        assert leader != lab.leader()


def put(lab, key, value):
    """A key below Patroni's namespace, by hand."""
    lab.exec("etcd1", ["etcdctl", "put", f"/service/{key}", value])


def test_disk_full(wait_until):
    """A leader without room for tables refuses writes by itself: the route
    stays. Without room for WAL it falls, and is no target while it does."""
    with own_lab("pg_tmpfs=320m", "ttl=20") as (lab, story):
        leader, name, _, _ = roles(lab)
        lab.psql(5000, "CREATE TABLE t (x text)")
        lab.exec(leader, ["sh", "-c", "head -c 1G /dev/zero "
                          ">/var/lib/postgresql/fill || :"])
        refused = lab.exec("app1", lab.psql_argv(5000, [
            "-XAtqc", "INSERT INTO t SELECT repeat('x', 1000) "
            "FROM generate_series(1, 3000)"]), check=False)
        assert "No space left on device" in refused.stderr, refused.stderr
        assert lab.psql(5000, WRITE) == "t"
        assert story.now() == (name, "leader") and story.writes() == []
        fill_wal(lab, story)
        wait_until("it fell", 30, story.writes)
        lab.exec(leader, ["rm", "/var/lib/postgresql/fill"])
        wait_until("somebody leads", 120,
                   lambda: story.now()[1] == "leader")
        print("\n ", *story.writes(), sep="\n  ")
        # For as long as it falls again and again: nobody, and why.
        assert {who for who, _ in story.writes()[:-1]} == {"none"}
        assert {why for _, why in story.writes()[:-1]} <= \
            {"refused", "in-recovery", "no-key", "unconfirmed"}


def fill_wal(lab, story):
    """WAL and no tables, until there is no room for it."""
    for _ in range(40):
        if story.writes():
            return
        lab.exec("app1", lab.psql_argv(5000, ["-XAtqc", (
            "SELECT count(pg_logical_emit_message(false, 'x', "
            "repeat('x', 1000000))) FROM generate_series(1, 20)")]),
            check=False)
