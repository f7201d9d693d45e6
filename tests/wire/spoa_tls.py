"""
TLS between HAProxy and the agent: who is let in and who is not, slow and odd
peers, new certificates, memory; and a real HAProxy at the other end.
"""
import contextlib
import datetime
import ipaddress
import os
import pwd
import select
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time
import warnings

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

import spoa_protocol
from spoa_lib import (AGENT_HELLO, SLOW, SPOA, Spop, USER,
                      VALGRIND, folder, free_port, hello, route, wait_until)
from spoa_protocol import NORMAL

__all__ = ["folder"]

AGAIN = ssl.SSLWantReadError, ssl.SSLWantWriteError


# --- certificates -----------------------------------------------------------

class Pki:
    """A CA and what it signs, as PEM files in a folder."""

    def __init__(self, folder, name="ca", issuer=None):
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.cert = (issuer or self).sign(self.name, self.key, ca=True)
        self.path = folder / f"{name}.pem"
        self.path.write_bytes(pem(self.cert))

    def sign(self, name, key, ca=False, days=1, usage=None):
        now = datetime.datetime.utcnow()
        end = now + datetime.timedelta(days=days)
        b = (x509.CertificateBuilder().subject_name(name)
             .issuer_name(self.name).public_key(key.public_key())
             .serial_number(x509.random_serial_number())
             .not_valid_before(min(now, end) - datetime.timedelta(days=1))
             .not_valid_after(end)
             .add_extension(x509.BasicConstraints(ca, None), True)
             .add_extension(x509.SubjectAlternativeName([
                 x509.DNSName("localhost"),
                 x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False))
        if usage is not None:
            b = b.add_extension(x509.ExtendedKeyUsage([usage]), False)
        return b.sign(self.key, hashes.SHA256())

    def issue(self, name, is_rsa=False, **more):
        """Certificate and key in one file, as HAProxy has them."""
        key = (rsa.generate_private_key(65537, 2048) if is_rsa else
               ec.generate_private_key(ec.SECP256R1()))
        cert = self.sign(x509.Name([x509.NameAttribute(
            NameOID.COMMON_NAME, name)]), key, **more)
        path = self.folder / f"{name}.pem"
        path.write_bytes(pem(cert) + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption()))
        path.chmod(0o640)
        # Root's file is of no use to whom the program becomes.
        os.chown(path, pwd.getpwnam(USER).pw_uid, -1)
        return path


def pem(cert):
    return cert.public_bytes(serialization.Encoding.PEM)


class TlsSpop(Spop):
    """An SPOP connection under TLS."""

    def __init__(self, site, cert, greet=True, **more):
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ctx.load_verify_locations(site.ca.path)
        if cert is not None:
            ctx.load_cert_chain(cert)
        for key, value in more.items():
            setattr(ctx, key, value)
        self.plain = socket.create_connection(("127.0.0.1", site.port),
                                              5 * SLOW)
        self.plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.s = ctx.wrap_socket(self.plain, server_hostname="localhost")
        self.s.settimeout(5 * SLOW)
        self.buf = b""
        if greet:
            self.send(hello())
            assert self.next().kind == AGENT_HELLO

    def send_and_read(self, data):
        """By turns: OpenSSL's connection is one thread's at a time."""
        self.s.settimeout(0)
        while data:
            assert any(select.select([self.s], [self.s], [], 5 * SLOW))
            with contextlib.suppress(*AGAIN):
                data = data[self.s.send(data[:16384]):]
            with contextlib.suppress(*AGAIN):
                self.buf += self.s.recv(65536)
        self.s.settimeout(5 * SLOW)


class Site(spoa_protocol.Site):
    """Asked over TLS, too."""

    def __init__(self, folder, **keys):
        self.folder = folder
        self.port = free_port()
        self.ca = Pki(folder)
        self.server = self.ca.issue("server")
        self.client = self.ca.issue("client")
        super().__init__(
            folder, listen=[f"tls:127.0.0.1:{self.port}",
                            f"unix:{folder}/agent.sock"],
            tls_cert=self.server, tls_key=self.server, tls_ca=self.ca.path,
            **keys)

    def decides(self):
        return Spop(self.agent.socket).ask(route(1)).vars == NORMAL

    def conn(self, **more):
        return TlsSpop(self, self.client, **more)

    def taken(self):
        """The agent's TLS connections by inode; in the listener's queue they
        have none yet. Of a list that changes one may come twice, or not."""
        with open("/proc/net/tcp", encoding="ascii") as f:
            rows = [line.split() for line in f]
        return {row[9]: row for row in rows[1:] if row[9] != "0" and
                row[3] != "0A" and row[1].endswith(f":{self.port:04X}")}

    def is_refused(self, cert, **more):
        """In TLS 1.3 a client learns of it with its first byte."""
        try:
            c = TlsSpop(self, cert, False, **more)
            c.send(hello())
            data = c.s.recv(100)
        except (ssl.SSLError, ConnectionError):
            return True
        assert data == b"", data
        return True


@pytest.fixture
def site(folder):
    warnings.simplefilter("ignore", DeprecationWarning)    # TLS 1.1
    with Site(folder) as s:
        yield s


# --- who is let in ------------------------------------------------------------

@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2,
                                     ssl.TLSVersion.TLSv1_3])
def test_a1_decides(site, version):
    c = site.conn(maximum_version=version)
    assert c.s.version() == version.name.replace("_", ".")
    assert c.ask(route(1)).vars == NORMAL
    # More than a record, a buffer and a pass hold.
    first = b"x" * 900
    data = b"".join(route(i, 1, "read", first=first) for i in range(1, 501))
    c.send_and_read(data)
    assert [c.next().stream for _ in range(500)] == list(range(1, 501))
    for byte in route(9):
        c.send(bytes([byte]))
    assert c.next().vars == NORMAL
    c.send(b"\0\0\0\0")
    assert c.status() == 4


def client_hello(minor):
    """A ClientHello of TLS 1.0 (minor 1) to 1.2 (3) in its record."""
    more = (b"\0\x0a\0\4\0\2\0\x17"          # supported_groups: P-256
            b"\0\x0b\0\2\1\0"                # ec_point_formats
            b"\0\x0d\0\4\0\2\4\3")           # signature_algorithms
    # ECDHE-ECDSA with AES128-SHA (1.0) and AES128-GCM-SHA256 (1.2).
    body = (bytes([3, minor]) + os.urandom(32) + b"\0" +
            b"\0\4\xc0\x09\xc0\x2b" + b"\1\0" +
            struct.pack(">H", len(more)) + more)
    body = b"\1" + struct.pack(">I", len(body))[1:] + body
    return b"\x16\3\1" + struct.pack(">H", len(body)) + body


def first_answer(site, data):
    """The record that comes back, or its beginning."""
    with socket.create_connection(("127.0.0.1", site.port), 5 * SLOW) as s:
        s.sendall(data)
        return s.recv(64)


def test_a2_the_others_are_not(site):
    stranger = Pki(site.folder, "stranger")
    wrong = [None, stranger.issue("foreign"),
             site.ca.issue("expired", days=-0.5),
             site.ca.issue("not-a-client",
                           usage=ExtendedKeyUsageOID.SERVER_AUTH)]
    good = site.conn()
    before = site.agent.fds()
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        for cert in wrong:
            assert site.is_refused(cert, maximum_version=version)
    # A client library of today would refuse itself.
    for minor in (1, 2):
        answer = first_answer(site, client_hello(minor))
        assert answer[:1] == b"\x15" and answer[3:] == b"\0\2\2\x46", answer
    answer = first_answer(site, client_hello(3))
    assert answer[:1] == b"\x16" and answer[9:11] == b"\3\3", answer
    wait_until(lambda: site.agent.fds() <= before, "descriptors back")
    text = site.agent.text()
    for why in ("peer did not return a certificate",
                "unable to get local issuer certificate",
                "certificate has expired", "unsuitable certificate purpose"):
        assert f'why="{why}"' in text, why
    assert good.ask(route(1)).vars == NORMAL
    assert site.conn().ask(route(2)).vars == NORMAL


def test_a3_not_tls_at_all(site):
    for data in (hello() + route(1), b"GET / HTTP/1.0\r\n\r\n", b"\x16\3\1",
                 b"\x16\3\1\xff\xff" + b"\1" * 20000):
        s = socket.create_connection(("127.0.0.1", site.port), 5 * SLOW)
        answer = b""
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            while got := s.recv(4096):
                answer += got
        except OSError:
            pass
        # An alert at most.
        assert len(answer) <= 7, answer
    assert site.conn().ask(route(1)).vars == NORMAL


def test_a4_slow_handshakes_end(site):
    """A deadline from the accept to the HELLO, TLS's part included."""
    silent = socket.create_connection(("127.0.0.1", site.port), 9 * SLOW)
    half = socket.create_connection(("127.0.0.1", site.port), 9 * SLOW)
    half.sendall(b"\x16\3\1\2\0\1\0")
    mute = site.conn(greet=False)
    began = time.monotonic()
    for s in (silent, half):
        s.settimeout(9 * SLOW)
        assert s.recv(100) == b""
    assert mute.status() == 2
    assert 1 < time.monotonic() - began < 8 * SLOW
    assert site.conn().ask(route(1)).vars == NORMAL


def test_a5_a_peer_that_never_reads(site):
    c = site.conn()
    c.s.settimeout(0.2)
    data = b"".join(route(i) for i in range(1, 200001))
    sent = 0
    try:
        while sent < len(data):
            sent += c.s.send(data[sent:sent + 16384])
    except TimeoutError:
        pass
    assert sent < len(data)
    before = site.agent.cpu_s()
    assert site.conn().ask(route(1)).vars == NORMAL
    time.sleep(0.5)
    assert site.agent.cpu_s() - before < 0.1 * SLOW   # it does not spin
    # What was sent whole is answered once it reads: nothing stays in TLS.
    c.s.settimeout(5 * SLOW)
    whole = 20000
    for i in range(1, whole):
        assert c.next().stream == i
    c.close()


def test_a6_a_host_that_died_is_noticed(site):
    """Keepalive is on, from the listener: the kernel's timer says so."""
    c = site.conn()

    def timer():
        # "timer:when" in ticks; timer 2 is keepalive.
        return next(iter(site.taken().values()), [""] * 6)[5]

    said = wait_until(lambda: timer().startswith("02:") and timer(),
                      "keepalive's timer")
    assert 0 < int(said.split(":")[1], 16) <= 30 * os.sysconf("SC_CLK_TCK")
    assert c.ask(route(1)).vars == NORMAL


# --- certificates come and go -------------------------------------------------

def test_b1_files_that_do_not_do(folder):
    site = Site(folder)
    good = site.agent.conf.read_text()

    def said(*args):
        done = subprocess.run([SPOA, "-c", site.agent.conf, *args],
                              capture_output=True, text=True,
                              timeout=5 * SLOW)
        assert done.returncode == 1
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        return done.stderr

    site.server.chmod(0o644)
    assert "agent.tls_key" in said("--check")
    site.server.chmod(0o600)
    other, rsa_one = site.ca.issue("other"), site.ca.issue("rsa", is_rsa=True)
    for old, new, word in (
            (f'tls_key = "{site.server}"', f'tls_key = "{other}"',
             "agent.tls_key"),
            # Of another type than the certificate, either way round.
            (f'tls_key = "{site.server}"', f'tls_key = "{rsa_one}"',
             "agent.tls_key"),
            (f'tls_cert = "{site.server}"', f'tls_cert = "{rsa_one}"',
             "agent.tls_key"),
            (f'tls_ca = "{site.ca.path}"', f'tls_ca = "{site.agent.conf}"',
             "agent.tls_ca"),
            (f'tls_cert = "{site.server}"', f'tls_cert = "{site.agent.conf}"',
             "agent.tls_cert")):
        assert old in good
        site.agent.conf.write_text(good.replace(old, new))
        assert word in said()
    site.agent.conf.write_text(good.replace("tls_ca = ", "# "))
    assert "agent.tls_ca" in said("--check")
    site.prober.stop()


def test_b2_reload(site):
    def shown():
        c = site.conn()
        cert = c.s.getpeercert(True)
        assert c.ask(route(1)).vars == NORMAL
        return cert

    kept, before = site.conn(), shown()
    new = site.ca.issue("renewed")
    # Under the old name, as certificates are renewed.
    new.rename(site.server)
    site.agent.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "reload clusters=" in site.agent.text(), "reloaded")
    assert shown() != before
    assert kept.ask(route(2)).vars == NORMAL
    pair = site.server.read_bytes()
    site.server.write_text("nonsense")
    site.agent.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "reload kept=old" in site.agent.text(), "kept")
    assert "agent.tls_cert" in site.agent.text()
    assert shown() != before
    # Half of a rotation from EC to RSA.
    site.server.write_bytes(pair)
    half = site.ca.issue("half", is_rsa=True)
    site.agent.write(tls_cert=half)
    site.agent.process.send_signal(signal.SIGHUP)
    wait_until(lambda: site.agent.text().count("reload kept=old") == 2,
               "kept again")
    assert "agent.tls_key" in site.agent.text()
    assert shown() != before
    site.agent.write(tls_cert=site.server)
    # Peers of another CA from now on; its root stays unknown.
    other = Pki(site.folder, "new-ca", issuer=Pki(site.folder, "root"))
    mine = other.issue("mine")
    good = site.ca.issue("again")
    good.rename(site.server)
    site.agent.write(tls_ca=other.path)
    site.agent.process.send_signal(signal.SIGHUP)
    wait_until(lambda: site.agent.text().count("reload clusters=") == 2,
               "reloaded again")
    assert site.is_refused(site.client)
    assert TlsSpop(site, mine).ask(route(3)).vars == NORMAL


# --- bounds and ends ----------------------------------------------------------

def test_c1_memory(site):
    """8 MiB of its own, besides the libraries' pages, which HAProxy uses too;
    64 KiB a connection at most, those included that have worked. Judged by
    the unit tests of a build without a sanitizer."""
    judges = not os.environ.get("PATROUTE_VALGRIND") and \
        "asan" not in str(SPOA)
    assert not judges or site.agent.status("RssAnon") < 8 * 1024
    warm = [site.conn() for _ in range(20)]
    for c in warm:
        c.ask(route(1))
    before, fds = site.agent.status("VmRSS"), site.agent.fds()
    conns = [site.conn() for _ in range(100)]
    for c in conns:
        c.send(route(1) * 40)
    for c in conns:
        assert [c.next().stream for _ in range(40)] == [1] * 40
    assert not judges or site.agent.status("VmRSS") - before < 64 * 100
    for c in conns:
        c.close()
    wait_until(lambda: site.agent.fds() <= fds, "descriptors back")


def test_c2_the_agent_stops(site):
    c, idle = site.conn(), site.conn()
    site.agent.process.send_signal(signal.SIGSTOP)
    c.send(route(1) + route(2))
    site.agent.process.send_signal(signal.SIGTERM)
    site.agent.process.send_signal(signal.SIGCONT)
    assert [c.next().vars for _ in range(2)] == [NORMAL] * 2
    assert c.status() == 0
    assert idle.status() == 0
    assert site.agent.process.wait(2 * SLOW) == 0
    site.agent.process = None
    site.agent.no_complaints()


# 95: those that valgrind takes for itself come on top.
@pytest.mark.parametrize("files, room", [
    (None, 256), (95 + (12 if VALGRIND else 0), 20)])
def test_c3_strangers_do_not_take_it_all(folder, files, room):
    """256 before their HELLO, half of the places in all; who is one more
    waits in the queue, and HAProxy on the agent's host does not notice."""
    site = Site(folder)
    if files is not None:
        site.agent.prefix = ["prlimit", f"--nofile={files}:{files}"]
    with site:
        silent = [socket.create_connection(("127.0.0.1", site.port))
                  for _ in range(room + 30)]
        wait_until(lambda: len(site.taken()) >= room, "as many as may be")
        assert len(site.taken()) <= room, site.taken()
        for c in [Spop(site.agent.socket) for _ in range(5)]:
            assert c.ask(route(1)).vars == NORMAL
        assert len(site.taken()) <= room
        # Their places are others' once they are gone.
        for s in silent:
            s.close()
        for c in [site.conn() for _ in range(15)]:
            assert c.ask(route(2)).vars == NORMAL


# --- a real HAProxy -----------------------------------------------------------

HAPROXY = """
global
    maxconn 200
defaults
    mode tcp
    timeout connect 1s
    timeout client 10s
    timeout server 10s
frontend write
    bind unix@{folder}/front.sock name write
    filter spoe engine route config {folder}/spoe.cfg
    tcp-request inspect-delay 2s
    tcp-request content send-spoe-group route route if {{ req.len gt 0 }}
    tcp-request content accept if {{ req.len gt 0 }}
    use_backend decided if {{ var(sess.patroute.server) -m str a }}
    default_backend undecided
backend decided
    server s unix@{folder}/decided.sock
backend undecided
    server s unix@{folder}/undecided.sock
backend agent
    option spop-check
    timeout server 1h
    server agent 127.0.0.1:{port} check inter 200ms fall 1 rise 1 ssl \
verify required ca-file {ca} {crt}
"""
SPOE = """
[route]
spoe-agent route
    groups route
    option var-prefix patroute
    register-var-names server action reason
    option pipelining
    timeout hello 500ms
    timeout idle 1h
    timeout processing 500ms
    use-backend agent
spoe-message route
    args listen=so_name src=src first=req.payload(0,0)
spoe-group route
    messages route
"""


class Sink:
    """Says one word to whoever comes."""

    def __init__(self, path, word):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.bind(str(path))
        path.chmod(0o666)
        self.s.listen(64)
        threading.Thread(target=self.serve, args=(word,), daemon=True).start()

    def serve(self, word):
        while True:
            try:
                c, _ = self.s.accept()
            except OSError:
                return
            with c:
                c.recv(100)
                c.sendall(word)


class Haproxy:
    def __init__(self, site, crt, ca=None):
        self.folder = site.folder
        (site.folder / "spoe.cfg").write_text(SPOE)
        cfg = site.folder / "haproxy.cfg"
        cfg.write_text(HAPROXY.format(
            folder=site.folder, port=site.port, ca=ca or site.ca.path,
            crt=f"crt {crt}" if crt else ""))
        self.front = site.folder / "front.sock"
        self.front.unlink(missing_ok=True)
        self.log = open(site.folder / "haproxy.log", "ab")
        self.process = subprocess.Popen(["haproxy", "-db", "-f", cfg],
                                        stdout=self.log, stderr=self.log)
        wait_until(self.is_up, "haproxy", 10)

    def is_up(self):
        try:
            return self.goes()
        except OSError:
            return False

    def goes(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5 * SLOW)
            s.connect(str(self.front))
            s.sendall(b"\0\0\0\10\4\322\26\57")
            return s.recv(100)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(5)
        self.log.close()


def test_d1_haproxy(site):
    site.client.chmod(0o644)
    for name in ("decided", "undecided"):
        Sink(site.folder / f"{name}.sock", name.encode())
    with Haproxy(site, site.client) as h:
        wait_until(lambda: h.goes() == b"decided", "let in", 10)
        assert [h.goes() for _ in range(50)] == [b"decided"] * 50
        # A reload in between; HAProxy's connections live on.
        site.agent.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "reload clusters=" in site.agent.text(), "reload")
        assert [h.goes() for _ in range(50)] == [b"decided"] * 50
    stranger = Pki(site.folder, "stranger")
    foreign = stranger.issue("foreign")
    for crt, ca in ((None, None), (foreign, None),
                    (site.client, stranger.path)):
        with Haproxy(site, crt, ca) as h:
            assert {h.goes() for _ in range(5)} == {b"undecided"}
    assert site.conn().ask(route(5)).vars == NORMAL
