"""SQL over a kept connection, against a real PostgreSQL."""
import contextlib
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import time

import psycopg2
import pytest
from sources_lib import Authority, Crowd, Driver, Peer, Postgres, wait_for
from wire_lib import Stall


@pytest.fixture(scope="module")
def pg():
    with Postgres("max_connections=12\nsuperuser_reserved_connections=3\n"
                  "max_wal_senders=2\n") as server:
        yield server


def test_a_primary_answers(pg):
    with pg.driver() as d:
        first = d.item("ask")
        assert first["rc"] == "ok" and first["asked"] <= first["at"]
        assert first["in_recovery"] == 0 and first["read_only"] == 0
        assert first["tli"] == 1 and first["lsn"] > 0
        assert first["src"] == 3 and first["member"] == 7
        pg.sql("CREATE TABLE IF NOT EXISTS t(a int)")
        second = d.item("ask")
        assert second["lsn"] > first["lsn"]
        # One kept connection, and no right but CONNECT.
        assert pg.sql("SELECT count(*) FROM pg_stat_activity "
                      "WHERE application_name = 'patroute-prober'") == [(1,)]
        assert pg.sql("SELECT rolsuper FROM pg_roles "
                      f"WHERE rolname = '{pg.PROBER}'") == [(False,)]


def test_the_environment_says_nothing(pg):
    """libpq would fail by each of them, or ask another server's role."""
    with pg.driver(PGSERVICE="nowhere", PGOPTIONS="--nonsense=1", PGX="",
                   PGREQUIREPEER="nobody", PGCHANNELBINDING="require") as d:
        assert d.item("ask")["rc"] == "ok"


def test_read_only_is_a_flag(pg):
    pg.sql(f"ALTER ROLE {pg.PROBER} SET default_transaction_read_only = on")
    try:
        with pg.driver() as d:
            got = d.item("ask")
            assert (got["rc"], got["read_only"]) == ("ok", 1)
    finally:
        pg.sql(f"ALTER ROLE {pg.PROBER} RESET ALL")


def test_wrong_password(pg, tmp_path):
    bad = tmp_path / "pgpass"
    bad.write_text(f"*:*:*:{pg.PROBER}:wrong-password\n")
    bad.chmod(0o600)
    with pg.driver(passfile=bad) as d:
        assert d.item("ask")["rc"] == "auth"
        assert "wrong-password" not in d.log()
    empty = tmp_path / "none"
    empty.write_text("")
    empty.chmod(0o600)
    with pg.driver(passfile=empty) as d:
        assert d.item("ask")["rc"] == "auth"


def test_no_such_role_or_database(pg):
    with pg.driver(user="nobody") as d:
        assert d.item("ask")["rc"] == "auth"
    with pg.driver(dbname="nowhere") as d:
        assert d.item("ask")["rc"] == "auth"


def test_too_many_connections(pg):
    with contextlib.ExitStack() as stack, pg.driver() as d:
        with pytest.raises(psycopg2.OperationalError):
            for _ in range(20):
                c = pg.connect(pg.PROBER, pg.SECRET)
                stack.callback(c.close)
        assert d.item("ask")["rc"] == "busy"


def test_a_terminated_backend_is_a_question(pg):
    with pg.driver() as d:
        assert d.item("ask")["rc"] == "ok"
        pg.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
               "WHERE application_name = 'patroute-prober'")
        # Unasked, at once; then the answer.
        got = d.item()
        assert got["rc"] == "stopping" and got["asked"] == got["at"]
        assert d.item("ask")["rc"] == "ok"


def test_a_fast_stop_then_refused(pg):
    with pg.driver() as d:
        assert d.item("ask")["rc"] == "ok"
        pg.stop()
        try:
            assert d.item()["rc"] == "stopping"
            assert d.item("ask")["rc"] == "refused"
        finally:
            pg.start()
        assert d.item("ask")["rc"] == "ok"


def test_postmaster_killed_is_known_at_once(pg):
    with pg.driver() as d, contextlib.ExitStack() as stack:
        assert d.item("ask")["rc"] == "ok"
        backends = pg.sql("SELECT pid FROM pg_stat_activity")
        d.say("every 0")
        d.item()
        # Ours and PostgreSQL's share two cores with whatever else runs here.
        stall = stack.enter_context(Stall())
        killed = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        for pid in [pg.pid(), *(p for p, in backends)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            bad = d.next(lambda x: x["rc"] != "ok", 2)
            assert bad["rc"] in ("lost", "stopping", "starting", "refused")
            gone = bad if bad["rc"] == "refused" else d.next(
                lambda x: x["rc"] == "refused", 2, "refusal")
            took_ms = (gone["at"] - killed) / 1000
            print(f"killed to refused: {took_ms:.1f} ms")
            time.sleep(0.1)  # a stall that is not over yet is not counted
            assert took_ms < 20 + 2000 * stall.longest
        finally:
            d.p.kill()
            wait_for(lambda: not any(
                os.path.exists(f"/proc/{p}") for p, in backends), "the end")
            pg.start()
        d.p.wait()
        d.close = lambda: None


def test_starting_and_shutting_down(pg):
    pg.stop()
    pg.configure("hot_standby=off\nrestore_command='sleep 0.2; false'\n")
    signal_file = os.path.join(pg.data, "standby.signal")
    open(signal_file, "w", encoding="ascii").close()
    try:
        pg.start(wait=False)
        with pg.driver() as d:
            def starting():
                return d.item("ask")["rc"] == "starting"
            wait_for(starting, "57P03")
    finally:
        os.unlink(signal_file)
        pg.stop("immediate")
        pg.configure("hot_standby=on\n")
        pg.start()
    # A smart shutdown waits for the open session and says 57P03 to new ones.
    with contextlib.closing(pg.connect()), pg.driver() as d:
        pg.stop("smart", wait=False)
        wait_for(lambda: d.item("ask")["rc"] == "stopping", "57P03")
        with pg.driver() as fresh:
            assert fresh.item("ask")["rc"] == "stopping"
    wait_for(lambda: not os.path.exists(f"{pg.data}/postmaster.pid"),
             "the end of the smart shutdown")
    pg.start()


def test_tls_and_the_way_back_from_it():
    """libpq closes its socket and opens another; the watcher follows."""
    with Postgres() as pg:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
             "-days", "2", "-subj", "/CN=lab", "-keyout",
             f"{pg.data}/server.key", "-out", f"{pg.data}/server.crt"],
            check=True, user="postgres", cwd="/", capture_output=True)
        os.chmod(f"{pg.data}/server.key", 0o600)
        pg.configure("ssl=on\n")
        pg.sql("SELECT pg_reload_conf()")
        wait_for(lambda: pg.sql("SHOW ssl") == [("on",)], "TLS")
        ours = ("SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity "
                "USING (pid) WHERE application_name = 'patroute-prober'")
        with pg.driver() as d:
            assert d.item("ask")["rc"] == "ok"
            assert pg.sql(ours) == [(True,)]
        hba = pathlib.Path(pg.data, "pg_hba.conf")
        hba.write_text("hostssl all prober all reject\n" + hba.read_text())
        pg.sql("SELECT pg_reload_conf()")
        with pg.driver() as d:
            wait_for(lambda: d.item("ask")["rc"] == "ok" and
                     pg.sql(ours) == [(False,)], "a plain connection")
            d.say("target 127.0.0.1 1")
            assert d.item("ask")["rc"] == "refused"
        hba.write_text("host all prober all reject\n" + hba.read_text())
        pg.sql("SELECT pg_reload_conf()")
        with pg.driver() as d:
            wait_for(lambda: d.item("ask")["rc"] == "auth", "a refusal")


def test_tls_verified(tmp_path):
    """verify-full wants the CA, the name and the server's own certificate;
    the other modes what libpq says of them."""
    ca, other = Authority(tmp_path), Authority(tmp_path, "other")
    with Postgres() as pg:
        for file, to in zip(ca.cert("db1"), ("server.crt", "server.key")):
            shutil.copy(file, f"{pg.data}/{to}")
            shutil.chown(f"{pg.data}/{to}", "postgres")
            os.chmod(f"{pg.data}/{to}", 0o600)
        shutil.copy(ca.pem, f"{pg.data}/ca.pem")
        os.chmod(f"{pg.data}/ca.pem", 0o644)
        pg.configure("ssl=on\nssl_ca_file='ca.pem'\n")
        hba = pathlib.Path(pg.data, "pg_hba.conf")
        hba.write_text("hostssl all certified all cert\n" + hba.read_text())
        pg.sql("CREATE ROLE certified LOGIN")
        pg.sql("SELECT pg_reload_conf()")
        wait_for(lambda: pg.sql("SHOW ssl") == [("on",)], "TLS")
        full = {"SQL_VERIFY": "full", "SQL_CA": ca.pem, "PEER_NAME": "db1"}
        cases = [(full, "ok"), ({**full, "PEER_NAME": "db2"}, "tls"),
                 ({**full, "SQL_CA": other.pem}, "tls"),
                 ({**full, "SQL_VERIFY": "ca", "PEER_NAME": "db2"}, "ok")]
        for env, want in cases:
            with pg.driver(**env) as d:
                assert d.item("ask")["rc"] == want, env
        # A certificate in the password's place.
        pem, key = ca.cert("certified")
        with pg.driver(user="certified", SQL_CERT=pem, SQL_KEY=key,
                       **full) as d:
            assert d.item("ask")["rc"] == "ok"
        with pg.driver(user="certified", **full) as d:
            assert d.item("ask")["rc"] in ("auth", "tls")


def test_terminated_every_second_and_full(pg):
    """Whatever ends the connection, the next answer is there at once; while
    the server is full it says that it lives."""
    with pg.driver() as d, contextlib.ExitStack() as stack:
        d.say("every 50")
        for _ in range(5):
            d.next(lambda x: x["rc"] == "ok")
            pg.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                   "WHERE application_name = 'patroute-prober'")
            d.next(lambda x: x["rc"] in ("stopping", "lost"))
        d.next(lambda x: x["rc"] == "ok")
        with pytest.raises(psycopg2.OperationalError):
            for _ in range(20):
                c = pg.connect(pg.PROBER, pg.SECRET)
                stack.callback(c.close)
        # The connection that stands goes on while all others are refused.
        before = len(d.lines)
        for _ in range(5):
            d.next(lambda x: x["kind"] == "item")
        assert all(x["rc"] == "ok" for x in d.lines[before:]
                   if x["kind"] == "item")
        pg.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
               "WHERE application_name = 'patroute-prober'")


def test_a_frozen_server_is_silence(pg):
    with pg.driver() as d:
        assert d.item("ask")["rc"] == "ok"
        (pid,), = pg.sql("SELECT pid FROM pg_stat_activity "
                         "WHERE application_name = 'patroute-prober'")
        os.kill(pid, signal.SIGSTOP)
        try:
            got = d.item("ask")
            assert got["rc"] == "timeout"
            assert 800_000 <= got["at"] - got["asked"] < 2_000_000
        finally:
            os.kill(pid, signal.SIGCONT)
        # The connection was given up; a new one is made.
        assert d.item("ask")["rc"] == "ok"


def test_a_pause_of_our_own_is_no_evidence(pg):
    with pg.driver() as d:
        assert d.item("ask")["rc"] == "ok"
        (pid,), = pg.sql("SELECT pid FROM pg_stat_activity "
                         "WHERE application_name = 'patroute-prober'")
        os.kill(pid, signal.SIGSTOP)
        d.say("ask")
        time.sleep(0.2)  # the question is under way
        d.p.send_signal(signal.SIGSTOP)
        time.sleep(1.6)
        d.p.send_signal(signal.SIGCONT)
        got = d.item()
        os.kill(pid, signal.SIGCONT)
        assert got["rc"] == "local"
        assert d.item("ask")["rc"] == "ok"


def test_an_answer_that_came_in_time_is_read_before_the_deadline(pg):
    """Both are due when we wake up: the data goes first."""
    with pg.driver() as d:
        assert d.item("ask")["rc"] == "ok"
        (pid,), = pg.sql("SELECT pid FROM pg_stat_activity "
                         "WHERE application_name = 'patroute-prober'")
        for _ in range(3):
            os.kill(pid, signal.SIGSTOP)
            d.say("ask")
            time.sleep(0.4)
            d.p.send_signal(signal.SIGSTOP)
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.7)
            d.p.send_signal(signal.SIGCONT)
            got = d.item()
            assert got["rc"] == "ok"
            assert got["at"] - got["asked"] > 1_000_000


def test_descriptors_run_out(pg):
    with pg.driver() as d:
        assert d.item("ask")["rc"] == "ok"
        # A connection that stands needs none.
        with d.no_descriptors():
            assert d.item("ask")["rc"] == "ok"
        d.say("target 127.0.0.1 1")
        assert d.item("ask")["rc"] == "refused"
        d.say(f"target 127.0.0.1 {pg.port}")
        with d.no_descriptors():
            assert d.item("ask")["rc"] == "local"
        assert d.item("ask")["rc"] == "ok"


# ---- bytes that a real server never sends ----

def wait_end(conn):
    while conn.recv(4096):
        pass


def silent(_, conn):
    wait_end(conn)


def garbage(_, conn):
    conn.recv(4096)
    conn.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 20)
    wait_end(conn)


def closes(_, conn):
    conn.recv(4096)


def fatal(state, text):
    def handler(_, conn):
        while True:
            got = conn.recv(4096)
            if not got:
                return
            if got[4:8] == b"\x04\xd2\x16\x2f":  # SSLRequest
                conn.sendall(b"N")
                continue
            body = (b"S" + "FATAL".encode() + b"\0V" + b"FATAL\0C" +
                    state.encode() + b"\0M" + text.encode() + b"\0\0")
            conn.sendall(b"E" + struct.pack(">I", len(body) + 4) + body)
            return
    return handler


def test_forty_refusals_that_came_in_time_are_read_before_the_deadline():
    """More than one turn of the loop reads: each waits for its own."""
    crowd = Crowd(40)
    refuse = fatal("57P03", "the database system is starting up")

    class Late:
        def __init__(self, conn):
            self.recv, self.conn = conn.recv, conn

        def sendall(self, data):
            if data != b"N":
                crowd.asked()
            self.conn.sendall(data)

    def late(peer, conn):
        refuse(peer, Late(conn))
        crowd.told()
        wait_end(conn)

    with Peer(late, parallel=True) as peer, Driver(
            "sql", "127.0.0.1", peer.port, "u", "d", "/none",
            PROBES=crowd.n) as d:
        items = crowd.items(d)
        assert [x["rc"] for x in items] == ["starting"] * 40


def notices(_, conn):
    if conn.recv(4096)[4:8] == b"\x04\xd2\x16\x2f":
        conn.sendall(b"N")
        conn.recv(4096)
    conn.sendall(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I")
    conn.recv(4096)
    body = b"SNOTICE\0C00000\0M" + b"x" * 9000 + b"\0\0"
    message = b"N" + struct.pack(">I", len(body) + 4) + body
    while True:
        conn.sendall(message)


@pytest.mark.parametrize("handler,want", [
    (silent, "timeout"), (garbage, "parse"), (closes, "lost"),
    (notices, "limit"),
    (fatal("57P03", "le système de base de données se lance"), "starting"),
    (fatal("57P03", "the database system is shutting down"), "stopping"),
    (fatal("28000", "kein Eintrag in pg_hba.conf"), "auth"),
    (fatal("53300", "trop de clients"), "busy"),
    (fatal("XX000", "ouch"), "parse")],
    ids=["silent", "garbage", "closes", "notices", "starting-fr",
         "shutting-down", "hba-de", "full-fr", "internal"])
def test_scripted(handler, want):
    with Peer(handler) as peer, Driver(
            "sql", "127.0.0.1", peer.port, "u", "d", "/none") as d:
        got = d.item("ask")
        assert got["rc"] == want
        assert got["at"] - got["asked"] < 2_000_000
        fds = len(os.listdir(f"/proc/{d.p.pid}/fd"))
        assert d.item("ask")["rc"] == want
        assert len(os.listdir(f"/proc/{d.p.pid}/fd")) == fds


def test_refused():
    with Driver("sql", "127.0.0.1", 1, "u", "d", "/none") as d:
        assert d.item("ask")["rc"] == "refused"
