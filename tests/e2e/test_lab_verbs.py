"""Each verb of the lab does what it says, seen from its effect."""

import contextlib
import json
import socket
import subprocess

import pytest

from patroute_lab import LabError
from sessions import ask, session

APP = "app1"


def replicas(lab):
    leader = lab.leader()
    return [m["host"] for m in lab.status()["members"]
            if m["host"] != leader]


def connects(lab, source, target, port, timeout=1.0):
    """Whether a TCP connection from a host to a host's port opens."""
    with lab.inside(source):
        sock = socket.socket()
    with contextlib.closing(sock):
        sock.settimeout(timeout)
        try:
            sock.connect((lab.host(target).address, port))
        except socket.timeout:
            return False
    return True


def sql_session(lab, host, port=5432):
    return session(lab, lab.host(host).address, port, timeout=5)


def peer_says(kept, timeout):
    """What comes over an idle session: "nothing", or "end" (FIN, RST)."""
    with contextlib.closing(socket.socket(fileno=kept.fileno())) as own:
        sock = own.dup()
        own.detach()
    with contextlib.closing(sock):
        sock.settimeout(timeout)
        try:
            while True:
                if not sock.recv(4096):
                    return "end"
        except ConnectionError:
            return "end"
        except socket.timeout:
            return "nothing"


def wanted(lab, port):
    """5002 of the classic way is for either kind; ours has it for
    replicas, unless the connection asks otherwise."""
    if port == 5002 and lab.settings["route"] == "classic":
        return {"leader", "replica"}
    return {"leader"} if port == 5000 else {"replica"}


@pytest.mark.parametrize("port", [5000, 5001, 5002])
def test_psql_reaches_the_right_kind(lab, port):
    address = {lab.host(m["host"]).address: m["host"]
               for m in lab.status()["members"]}
    answers = {lab.psql(port, "SELECT host(inet_server_addr())")
               for _ in range(6)}
    leader = lab.leader()
    met = {"leader" if address[each] == leader else "replica"
           for each in answers}
    assert met == wanted(lab, port)
    # Every member of its kind is met: round-robin over all of them.
    if port == 5001:
        assert {address[each] for each in answers} == set(replicas(lab))


def test_status_tells_of_everything(lab):
    status = lab.status()
    assert status["vip"] in ("hap1", "hap2", "hap3")
    assert status["leader"] in status["hosts"]
    assert len(status["hosts"]) == 10
    assert all(host["up"] for host in status["hosts"].values())
    assert {m["name"] for m in status["members"]} == \
        {"node1", "node2", "node3"}
    for member in status["members"]:
        leads = member["host"] == status["leader"]
        assert member["role"] == ("primary" if leads else "replica")
        assert member["timeline"] >= 1
        assert (member["replication"] == "streaming") != leads


def test_switchover_moves_the_leader(lab, wait_until):
    before = lab.leader()
    assert "Successfully" in lab.switchover()
    after = lab.leader()
    assert after != before
    wait_until("members follow", 40, lambda: not lab.trouble())
    assert "Successfully" in lab.switchover(before)
    assert lab.leader() == before


def test_switchover_to_the_leader_is_refused(lab):
    with pytest.raises(LabError, match="refused"):
        lab.switchover(lab.leader())


def test_kill_lets_no_word_out_and_start_brings_it_back(lab, wait_until):
    victim, control = replicas(lab)
    cut_off, closed = sql_session(lab, victim), sql_session(lab, control)
    lab.kill(victim)
    # The control: a server that stops says so to its sessions.
    lab.stop_patroni(control)
    assert peer_says(closed, 2.0) == "end"
    assert peer_says(cut_off, 2.0) == "nothing"
    status = lab.status()
    assert not status["hosts"][victim]["up"]
    assert status["hosts"][control]["programs"] == {
        "patroni": "stopped", "postgres": "stopped"}
    lab.start(victim)
    lab.start(control)
    wait_until("both stream again", 60, lambda: not lab.trouble())
    # The old connection was the dead machine's: its word is a reset now.
    assert ask(sql_session(lab, victim), "SELECT 1") == 1


def test_freeze_stops_what_it_names_and_thaw_ends_it(lab):
    host = replicas(lab)[0]
    kept = sql_session(lab, host)
    lab.freeze(host, "patroni")
    assert lab.status()["hosts"][host]["programs"] == {
        "patroni": "frozen", "postgres": "running"}
    with pytest.raises(OSError):
        lab.rest(host, "/patroni", timeout=1.0)
    assert ask(kept, "SELECT 1") == 1
    lab.thaw(host, "patroni")
    assert lab.rest(host, "/replica")[0] == 200

    lab.freeze(host, "postgres")
    assert lab.status()["hosts"][host]["programs"] == {
        "patroni": "running", "postgres": "frozen"}
    assert answers_nothing(lab, host)
    lab.thaw(host, "postgres")
    assert ask(kept, "SELECT 1") == 1

    lab.freeze(host)
    assert set(lab.status()["hosts"][host]["programs"].values()) == \
        {"frozen"}
    lab.thaw(host)
    assert ask(kept, "SELECT 1") == 1


def answers_nothing(lab, host):
    """A frozen server's kernel still accepts; PostgreSQL says nothing."""
    with lab.inside(APP):
        sock = socket.create_connection((lab.host(host).address, 5432), 1)
    with contextlib.closing(sock):
        sock.settimeout(1.0)
        sock.sendall(bytes.fromhex("0000000804d2162f"))     # SSLRequest
        try:
            sock.recv(1)
        except socket.timeout:
            return True
    return False


@pytest.mark.parametrize("what, dead, alive", [
    ("db", [5432, 8008], []), ("etcd", [], [5432, 8008]),
    ("all", [5432, 8008], [])])
def test_cut_ends_that_traffic_and_heal_brings_it_back(lab, what, dead,
                                                       alive):
    host = replicas(lab)[0]
    lab.cut(host, what)
    try:
        assert lab.status()["hosts"][host]["cuts"] == [
            f"{what} in", f"{what} out"]
        for port in dead:
            assert not connects(lab, APP, host, port)
        for port in alive:
            assert connects(lab, APP, host, port)
        assert connects(lab, host, "etcd1", 2379) == (what == "db")
    finally:
        lab.heal(host)
    assert lab.status()["hosts"][host]["cuts"] == []
    for port in (5432, 8008):
        assert connects(lab, APP, host, port)
    assert connects(lab, host, "etcd1", 2379)


@pytest.mark.parametrize("way, hears, is_heard", [
    ("in", False, True), ("out", True, False), ("both", False, False)])
def test_cut_is_one_way_if_asked(lab, way, hears, is_heard):
    # app1 stays open to ARP's view of hap3: entries are fresh.
    assert datagram_arrives(lab, APP, "hap3")
    assert datagram_arrives(lab, "hap3", APP)
    lab.cut("hap3", "all", way)
    try:
        assert datagram_arrives(lab, APP, "hap3") == hears
        assert datagram_arrives(lab, "hap3", APP) == is_heard
    finally:
        lab.heal("hap3")
    assert datagram_arrives(lab, APP, "hap3")
    assert datagram_arrives(lab, "hap3", APP)


def datagram_arrives(lab, source, target):
    with lab.inside(target):
        ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with lab.inside(source):
        mouth = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with contextlib.closing(ear), contextlib.closing(mouth):
        ear.bind((lab.host(target).address, 0))
        ear.settimeout(0.5)
        try:
            mouth.sendto(b"x", ear.getsockname())
        except PermissionError:     # how an OUTPUT rule's DROP is told
            return False
        try:
            return ear.recv(1) == b"x"
        except socket.timeout:
            return False


def test_reload_keeps_old_sessions(lab):
    kept = sql_session(lab, "hap2", 5000)
    before = {p.pid for p in lab.machine("hap2").program("haproxy")}
    lab.reload("hap2")
    after = {p.pid for p in lab.machine("hap2").program("haproxy")}
    # The old worker lives on for the session, beside the new one.
    assert before < after
    assert ask(kept, "SELECT pg_is_in_recovery()") is False
    assert ask(sql_session(lab, "hap2", 5000), "SELECT 1") == 1


def test_exec_passes_everything_through(lab, lab_command):
    done = subprocess.run(
        [lab_command, "exec", "hap3", "sh", "-c",
         "cat; hostname; echo err >&2; exit 7"], input="in ",
        capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == \
        (7, "in hap3\n", "err\n")


def test_an_ended_exec_leaves_nothing_in_the_host(lab, wait_until):
    with subprocess.Popen(lab.command(APP, ["sleep", "4242"])) as child:
        def alive():
            # What becomes of it has the number in its command line before
            # it has asked to be told of its parent's end.
            return any(p.argv == ["sleep", "4242"]
                       for p in lab.machine(APP).processes())
        wait_until("sleep runs", 5, alive)
        child.kill()
        child.wait(5)
        wait_until("sleep is gone", 5, lambda: not alive())


def test_every_host_knows_its_place(lab):
    for name, host in lab.hosts.items():
        assert lab.exec(name, ["hostname"]).stdout.strip() == name
        others = lab.exec(name, ["getent", "hosts"] + list(lab.hosts))
        assert host.address in others.stdout
        assert len(others.stdout.splitlines()) == 10


def test_the_command_works_within_a_host(lab, lab_command):
    inside = [lab_command, "exec", "hap2", lab_command]

    def run(*args, **more):
        return subprocess.run(inside + list(args), capture_output=True,
                              text=True, timeout=60, check=False, **more)
    assert json.loads(run("status", "--json").stdout)["vip"] == lab.vip()
    assert run("psql", "5000", "-Atc", "SELECT 42").stdout == "42\n"
    through = run("exec", "app1", "sh", "-c", "cat; exit 3", input="words")
    assert (through.returncode, through.stdout) == (3, "words")
    wrong = run("frob")
    assert wrong.returncode == 1 and 'no verb "frob"' in wrong.stderr


def test_logs_show_each_program(lab):
    assert "LOG" in lab.log("node1", "postgres")
    assert "Lock owner" in lab.log("node1", "patroni") \
        or "INFO" in lab.log("node1", "patroni")
    assert "raft" in lab.log("etcd1", lines=400)


@pytest.mark.parametrize("args, words", [
    (["frob"], 'no verb "frob"'),
    (["freeze", "hap9"], 'no host "hap9"'),
    (["freeze", "hap1", "postgres"], 'no program "postgres"'),
    (["cut", "hap1", "mail"], "expected etcd, db, sql"),
    (["psql"], "expected PORT"),
    (["psql", "x"], "expected a port"),
    (["kill"], "expected HOST"),
    (["heal", "hap1", "more"], "is too much"),
    (["up", "--set", "ttl=5"], "a whole number from 20"),
    (["up", "--set", "ttl"], "expected KEY=VALUE"),
    (["up", "--set", "speed=9"], 'no option "speed"'),
    (["up", "--set", "ttl=20", "loop_wait=18"], "must not exceed ttl"),
    (["up", "--set", "pg_version=99"], "with other options"),
    (["status", "--xml"], "expected --json"),
])
def test_bad_input_gets_one_sentence(lab, lab_command, args, words):
    done = subprocess.run([lab_command] + args, capture_output=True,
                          text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("lab: ") and words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    for host in lab.status()["hosts"].values():     # nothing was done
        assert host["up"] and not host["cuts"]
        assert set(host["programs"].values()) <= {"running"}
