"""
Direct TLS (sslnegotiation=direct) by libpq 17 to PostgreSQL 17, each with its
real counterpart: the host name's first label routes. A lab of its own, with TLS
everywhere. Skipped, and said so, where the system has older ones.
"""

import os

import ctl
import psycopg2
import pytest
from hello import Splitter
from patroute_lab import config, hosts
from patroute_lab.settings import resolve
from verdicts import HAP, own_lab

LIBPQ = psycopg2.extensions.libpq_version() // 10000
SERVER = resolve([])["pg_version"]

pytestmark = pytest.mark.skipif(
    min(LIBPQ, SERVER) < 17, reason="sslnegotiation=direct needs libpq and "
    f"PostgreSQL 17; this system has {LIBPQ} and {SERVER}")

WHO = ("SELECT pg_is_in_recovery(), host(inet_server_addr()), ssl "
       "FROM pg_stat_ssl WHERE pid = pg_backend_pid()")


@pytest.fixture(scope="module")
def tls_lab():
    with own_lab("tls=on", "ttl=20") as (lab, _):
        yield lab


def ask(lab, port, name, hostaddr=hosts.VIP, **more):
    """(is in recovery, its address, by TLS) of who serves it."""
    connection = psycopg2.connect(
        host=name, hostaddr=hostaddr, port=port, dbname="postgres",
        user=config.SUPERUSER, password=config.PASSWORD, sslmode="verify-ca",
        sslrootcert=os.path.join(lab.paths.state, "ca.pem"),
        **{"sslnegotiation": "direct", **more})
    try:
        with connection.cursor() as cursor:
            cursor.execute(WHO)
            return cursor.fetchone()
    finally:
        connection.close()


def outside(lab, *args, **more):
    with lab.inside(hosts.CLIENT):
        return ask(lab, *args, **more)


@pytest.mark.parametrize("port, name, standby", [
    (5002, "primary.main.example", False),
    (5002, "PRIMARY.main.example", False),
    (5002, "replica.main.example", True),
    (5002, "db.main.example", True),        # the port's own target
    (5000, "replica.main.example", False),  # which others leave to nobody
    (5001, "primary.main.example", True)])
def test_name_routes(tls_lab, port, name, standby):
    leader = tls_lab.host(tls_lab.leader()).address
    for _ in range(4):                      # each replica's turn
        in_recovery, address, ssl = outside(tls_lab, port, name)
        assert ssl and in_recovery is standby
        assert (address == leader) is not standby


def test_asked_first(tls_lab):
    """The usual way begins with a request for TLS, without a name."""
    assert outside(tls_lab, 5002, "primary.main.example",
                   sslnegotiation="postgres")[0] is True


@pytest.mark.parametrize("label, standby", [("primary", False),
                                            ("replica", True)])
def test_hello_in_two_segments(tls_lab, label, standby):
    for _ in range(4):
        with tls_lab.inside(hosts.CLIENT):
            with Splitter((hosts.VIP, 5002)) as relay:
                found = ask(tls_lab, relay.port, f"{label}.main.example",
                            "127.0.0.1")
        assert found[0] is standby and found[2]


def test_nobody_to_write_to(tls_lab):
    """Refused by a TLS alert: no reset, and nobody else serves it."""
    assert ctl.run(tls_lab, HAP, "hold", "--for", "60s")[0] == 0
    try:
        with pytest.raises(psycopg2.OperationalError, match="alert internal"):
            outside(tls_lab, 5002, "primary.main.example")
    finally:
        assert ctl.run(tls_lab, HAP, "resume")[0] == 0
    assert outside(tls_lab, 5002, "primary.main.example")[0] is False
