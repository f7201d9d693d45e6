"""patroutectl says what is, and what is done, on a whole lab."""

import contextlib
import os
import socket

import ctl
import psycopg2
import pytest
from patroute_lab import config, hosts, ours

HAP = "hap1"


@contextlib.contextmanager
def session(lab, port, address, **options):
    """A connection from the applications' host; gives it, its backend's pid
    and its own end."""
    with lab.inside(hosts.CLIENT):
        connection = psycopg2.connect(
            host=address, port=port, user=config.SUPERUSER,
            password=config.PASSWORD, dbname="postgres", connect_timeout=20,
            sslmode="disable", **options)
    try:
        with socket.socket(fileno=os.dup(connection.fileno())) as end:
            own = end.getsockname()
        yield connection, connection.info.backend_pid, own
    finally:
        connection.close()


def server_of(connection):
    """The address of the server that was reached."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT host(inet_server_addr())")
        return cursor.fetchone()[0]


def test_status(lab):
    """Who leads and who is read, for people and for programs."""
    leader = lab.host(lab.leader()).member
    rc, out, _ = ctl.run(lab, HAP, "status")
    assert rc == 0
    line = next(x for x in out.splitlines() if f"│ {leader} " in x)
    assert " leader " in line and " write " in line
    assert out.count(" read ") == 2 and "HAProxy: process" in out
    assert ctl.cluster(lab, HAP)["write"] == leader


def test_explain_member(lab):
    """Each member by its rules; one that is not there."""
    leader = lab.host(lab.leader()).member
    found = ctl.ask(lab, HAP, "explain", leader)
    assert found["serves"]
    for rule in found["rules"]:
        assert rule["holds"] is not False or rule["of"] == "reads", rule
    rc, _, err = ctl.run(lab, HAP, "explain", "nobody")
    assert rc == 2 and leader in err


ASKS = [
    (5000, [], {}),
    (5001, [], {}),
    (5002, ["--options", "-c patroute.target=primary"],
     {"options": "-c patroute.target=primary"}),
    (5002, ["--application-name", "x/read_primary"],
     {"application_name": "x/read_primary"}),
]


def test_explain_connect_is_what_happens(lab):
    """What it says of a connection is where such a one goes."""
    at = {m["name"]: m["address"]
          for m in ctl.cluster(lab, HAP)["members"]}
    leader = lab.host(lab.leader()).address
    for port, words, options in ASKS:
        found = ctl.ask(lab, HAP, "explain", "connect", "--port", str(port),
                        *words)
        with session(lab, port, lab.host(HAP).address, **options) as s:
            reached = server_of(s[0])
        if port == 5001:  # the agent's turn is not ours to know
            assert found["action"] == "read" and reached != leader
            assert at[found["member"]] != leader
        else:
            assert at[found["member"]] == reached == leader


def test_who(lab):
    """A backend's process leads to the application, after a reload too."""
    with session(lab, 5000, lab.host(HAP).address) as (_, pid, own):
        rc, out, _ = ctl.run(lab, HAP, "who", str(pid))
        assert rc == 1 and "pg_monitor" in out
        words = ("who", str(pid), "--conninfo", ctl.CONNINFO)
        rc, out, _ = ctl.run(lab, HAP, *words)
        assert rc == 0 and f"{own[0]}:{own[1]}" in out
        found, = ctl.ask(lab, HAP, *words, "--member",
                         lab.host(lab.leader()).member)
        assert found["application"] == {"address": own[0], "port": own[1]}
        assert found["listener"] == "write" and not found["old_process"]
        rc, out, _ = ctl.run(lab, "hap2", *words)
        assert rc == 1 and "ask there" in out
        assert lab.host(HAP).address in out
        lab.reload(HAP)
        found, = [x for x in ctl.ask(lab, HAP, *words)
                  if x["found"] == "client"]
        assert found["application"] == {"address": own[0], "port": own[1]}
        assert found["old_process"]
    rc, out, _ = ctl.run(lab, HAP, "who", "2147483647", "--conninfo",
                         ctl.CONNINFO)
    assert rc == 1 and "No member" in out


def test_doctor(lab):
    """Nothing is bad on a healthy lab; a shortened timeout is."""
    files = ("--haproxy-file", f"{ours.ETC}/patroute.cfg", "--spoe-file",
             ours.haproxy_env()["PATROUTE_SPOE"])
    found = ctl.ask(lab, HAP, "doctor", *files)
    text = {area: " ".join(f["text"] for f in found if f["area"] == area)
            for area in {f["area"] for f in found}}
    assert [f for f in found if f["level"] == "bad"] == []
    for area in ("sockets", "ports", "haproxy", "timeouts", "etcd",
                 "patroni", "postgresql", "maxconn", "clocks", "failover"):
        assert area in text, found
    assert "timeouts are longer than the longest hold" in text["timeouts"]
    assert "would take over" in text["failover"]
    lab.exec(HAP, ["sh", "-c", "sed 's/inspect-delay 13s/inspect-delay 3s/' "
                   f"{ours.ETC}/patroute.cfg >/run/short.cfg"])
    rc, out, _ = ctl.run(lab, HAP, "doctor", "--quiet", "--haproxy-file",
                         "/run/short.cfg", *files[2:])
    assert rc == 1 and "inspect-delay (3.0 s) is not longer" in out
    lab.kill_program(HAP, "agent")  # its sockets' files stay
    rc, out, _ = ctl.run(lab, HAP, "doctor", "--quiet", *files)
    assert rc == 1 and out.count("and nobody listens") == 2, out
    lab.start(HAP)


def make_conf(lab, url):
    """init's file, for a prober beside the one that runs."""
    rc, out, err = ctl.run(lab, HAP, "init", "--from", url, "-o",
                           "/run/made/patroute.conf", "--force")
    assert rc == 0, out + err
    program = os.path.join(ours.build_folder(), "prober", "patroute-prober")
    lab.exec(HAP, [program, "--check", "-c", "/run/made/patroute.conf"])
    lab.exec(HAP, ["sh", "-c", "cat >>/run/made/patroute.conf <<'EOF'\n"
                   "prober {\n\tfeed_socket = \"/run/made/feed.sock\"\n"
                   "\thttp_socket = \"/run/made/http.sock\"\n"
                   "\thttp_port = 7199\n}\nEOF\n"])
    return [program, "-c", "/run/made/patroute.conf"]


@pytest.mark.parametrize("of,port,proof", [
    ("etcd1", 2379, "key+rest"),
    pytest.param("node2", 8008, "claim+rest", marks=pytest.mark.slow)])
def test_init(lab, wait_until, of, port, proof):
    """One address is enough for a prober that judges, and observes."""
    lab.exec(HAP, ["mkdir", "-p", "/run/made"])
    # What the site was told before stands above a file's word.
    lab.exec("etcd1", ["etcdctl", "del", "/patroute/main/mode"])
    argv = make_conf(lab, f"http://{lab.host(of).address}:{port}")
    leader = lab.host(lab.leader()).member
    lab.exec(HAP, ["sh", "-c", "\"$@\" >/run/made/log 2>&1 </dev/null & "
                   "echo $! >/run/made/pid", "sh", *argv])

    def judged():
        rc, out, _ = ctl.run(lab, HAP, "status", "--json",
                             conf="/run/made/patroute.conf")
        return rc == 0 and out
    try:
        wait_until("the new prober's verdict", 15, judged)
        found = ctl.json.loads(judged())["clusters"][0]
    finally:
        lab.exec(HAP, ["sh", "-c", "kill $(cat /run/made/pid)"])
    assert (found["write"], found["proof"]) == (leader, proof)
    assert found["mode"] == "observe" and len(found["members"]) == 3
    wait_until("the new prober's end", 10, lambda: lab.exec(
        HAP, ["sh", "-c", "kill -0 $(cat /run/made/pid)"],
        check=False).returncode != 0)


def test_orders(lab, wait_until):
    """Given on one load balancer, followed on another, and taken back."""
    leader = lab.host(lab.leader()).member
    replica = next(m["name"] for m in ctl.cluster(lab, HAP)["members"]
                   if m["name"] != leader)

    def reads(hap):
        return {m["name"] for m in ctl.cluster(lab, hap)["members"]
                if m["read"]}
    answer = ctl.ask(lab, HAP, "drain", replica, "--for", "5m", "--reason",
                     "new\ndisk")
    assert answer["ok"] and answer["where"] == "etcd"
    wait_until("hap2 follows", 5, lambda: replica not in reads("hap2"))
    rc, out, _ = ctl.run(lab, "hap2", "status")
    assert rc == 0 and f"drain {replica} by root@hap1" in out
    assert ctl.ask(lab, "hap3", "undrain", replica)["ok"]
    wait_until("hap2 follows", 5, lambda: replica in reads("hap2"))
    rc, _, err = ctl.run(lab, HAP, "force", replica)
    assert rc == 1 and "in recovery" in err
    assert ctl.ask(lab, HAP, "hold", "--for", "30s")["ok"]
    wait_until("hap2 holds", 5,
               lambda: ctl.cluster_why(lab, "hap2") == "held")
    assert ctl.ask(lab, "hap2", "resume")["ok"]
    wait_until("hap1 resumes", 5,
               lambda: ctl.cluster_why(lab, HAP) == "leader")
    rc, out, _ = ctl.run(lab, HAP, "events", "--since", "1min")
    assert rc == 0 and "control" in out
