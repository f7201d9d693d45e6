"""Each port leads to the right member, evenly, and says why if not."""

import collections

import path
import psycopg2
import pytest
from patroute_lab import config, hosts, ours

WHO = "SELECT host(inet_server_addr()), pg_is_in_recovery()"


def ask(lab, port, sql=WHO, address=hosts.VIP, **options):
    """One new connection; its first row."""
    options.setdefault("sslmode", "disable")
    with lab.inside(hosts.CLIENT):
        connection = psycopg2.connect(
            host=address, port=port, user=config.SUPERUSER,
            password=config.PASSWORD, dbname="postgres", connect_timeout=20,
            **options)
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone()
    finally:
        connection.close()


def address_of(lab, name):
    """A host's address."""
    return lab.host(name).address


def replicas(lab):
    """The addresses of all members but the leader."""
    leader = lab.leader()
    return {h.address for h in lab.hosts.values()
            if h.role == "node" and h.name != leader}


@pytest.mark.parametrize("hap", ["hap1", "hap2", "hap3"])
def test_each_port_of_each_host(lab, hap):
    """5000 the leader, 5001 and 5002 the replicas."""
    at = address_of(lab, hap)
    leader = address_of(lab, lab.leader())
    assert ask(lab, 5000, address=at) == (leader, False)
    for port in (5001, 5002):
        found = {ask(lab, port, address=at) for _ in range(6)}
        assert found == {(each, True) for each in replicas(lab)}


def test_default_sslmode(lab):
    """libpq's own default asks for TLS first: the listener's intent."""
    leader = address_of(lab, lab.leader())
    assert ask(lab, 5000, sslmode="prefer")[0] == leader
    assert ask(lab, 5002, sslmode="prefer")[1] is True


def test_reads_are_even(lab):
    """Round-robin over the replicas: max - min <= 1 of one agent."""
    count = collections.Counter(ask(lab, 5001)[0] for _ in range(41))
    assert set(count) == replicas(lab)
    assert max(count.values()) - min(count.values()) <= 1


@pytest.mark.parametrize("how", [
    {"options": "-c patroute.target=primary"},
    {"application_name": "billing/read_primary"},
])
def test_primary_on_request(lab, how):
    """On 5002 a connection may ask for the primary, on 5001 it may not."""
    leader = address_of(lab, lab.leader())
    assert ask(lab, 5002, **how) == (leader, False)
    assert ask(lab, 5001, **how)[1] is True
    assert ask(lab, 5002)[1] is True


def test_the_prober_says_what_it_sees(lab):
    """/healthz and /topology on every load balancer."""
    for hap in ("hap1", "hap2", "hap3"):
        cluster = path.verdict(lab, hap)
        assert cluster["write"] == lab.host(lab.leader()).member
        assert len(cluster["members"]) == 3


def test_stats_page(lab):
    """Port 7000 wants the password, and shows the leader up."""
    done = lab.exec(hosts.CLIENT, [
        "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}",
        f"http://{hosts.VIP}:7000/"])
    assert done.stdout == "401"
    csv = lab.exec(hosts.CLIENT, [
        "curl", "-s", "-u", f"admin:{config.PASSWORD}",
        f"http://{hosts.VIP}:7000/;csv"]).stdout
    state = {}
    for line in csv.splitlines()[1:]:
        cells = line.split(",")
        if len(cells) > 17:
            state[cells[0], cells[1]] = cells[17]
    leader = lab.leader()
    for host in (h.name for h in lab.hosts.values() if h.role == "node"):
        wanted = ("UP", "NOLB") if host == leader else ("NOLB", "UP")
        assert state["main_write", host] == wanted[0]
        assert state["main_read", host] == wanted[1]


def test_no_leader_is_said_in_a_sentence(lab, wait_until):
    """Without a leader a client waits, and then reads why."""
    others = [h.name for h in lab.hosts.values() if h.role == "node"
              and h.name != lab.leader()]
    for name in [*others, lab.leader()]:
        lab.freeze(name, "all")
    try:
        wait_until("no write target", 10,
                   lambda: path.verdict(lab)["write"] is None)
        with pytest.raises(psycopg2.OperationalError) as failed:
            ask(lab, 5000)
    finally:
        for name in [*others, *[h.name for h in lab.hosts.values()
                                if h.role == "node"
                                and h.name not in others]]:
            lab.thaw(name, "all")
    assert "main" in str(failed.value) and "FATAL" in str(failed.value)


def test_bad_configuration_is_one_sentence(lab):
    """--check names file, line and key, and does nothing else."""
    build = ours.build_folder()
    for folder, program in (("prober", "patroute-prober"),
                            ("spoa", "patroute-spoa")):
        done = lab.exec("hap2", [
            "sh", "-c", "sed 's/probe_user/probe_usr/' "
            f"{ours.CONF} > /run/bad.conf; "
            "\"$0\" --check -c /run/bad.conf; "
            "rc=$?; rm -f /run/bad.conf; exit $rc",
            f"{build}/{folder}/{program}"], check=False)
        assert done.returncode == 1
        lines = (done.stdout + done.stderr).strip().splitlines()
        assert len(lines) == 1
        assert "/run/bad.conf:" in lines[0] and "probe_usr" in lines[0]
