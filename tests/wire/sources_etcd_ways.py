"""The ways of reaching etcd: v2, which API is found, users, TLS, large keys.

Each scenario waits more than it works, so all of them run beside each other.
"""
import base64
import contextlib
import json
import os
import pathlib
import re
import ssl
import subprocess
import tempfile
import threading
import urllib.error
import urllib.parse
import urllib.request

from sources_ca import Ca
from sources_etcd import Swallower, at_once, beside, member, patient
from sources_fake import LEADER, PREFIX, FakeEtcd, b64
from sources_lib import Etcd, Peer, now_us, read_request, reply, \
    wait_for

OTHER = "/service/other/"
__all__ = ["beside"]  # pytest finds its fixture here


def whys(d):
    """Why an endpoint was left, each time that the log said so."""
    return re.findall(r'state=away .*why="?([^" ]*)', d.log())


def refused(d, why):
    """The log says so, and nothing is shown."""
    wait_for(lambda: why in d.log(), why)
    assert d.drain(0.05) == [] and d.lines == []


def gateway(e, path, body):
    urllib.request.urlopen(urllib.request.Request(
        f"http://{e.endpoints()[0]}/v3/{path}", json.dumps(body).encode()),
        timeout=5).close()


def secret(folder, name, text):
    path = pathlib.Path(folder, name)
    path.write_text(text)
    path.chmod(0o600)
    return path


# ---- v2 ----

class Etcd2(Etcd):
    """A real one, as old tutorials have it."""

    def __init__(self, extra=()):
        super().__init__(extra=["--enable-v2", *extra])

    def set(self, key, value=None, method="PUT", **options):
        """One request of the v2 API; gives its body."""
        if value is not None:
            options["value"] = value
        body = urllib.parse.urlencode(options).encode() or None
        with urllib.request.urlopen(urllib.request.Request(
                f"http://127.0.0.1:{self.client[0]}/v2/keys{key}", body,
                {"Content-Type": "application/x-www-form-urlencoded"},
                method=method), timeout=5) as got:
            return json.load(got)

    def remove(self, key):
        return self.set(key, method="DELETE")


def api_of(d, nth=0):
    d.say(f"api {nth}")
    return d.next(lambda x: x["kind"] == "api")["api"]


@at_once
def test_v2_is_found_and_followed():
    with Etcd2() as e:
        e.set(LEADER, "node1", ttl=30)
        e.set(PREFIX + "members/node1", member(1))
        e.set(PREFIX + "history", "[]")
        with patient(*e.endpoints()) as d:
            first = d.view(leader="node1")
            assert first["members"][0]["host"] == "10.0.0.1"
            d.alive()
            assert api_of(d) == "v2"
            # A renewal is an event, and no move.
            e.set(LEADER, "node1", prevValue="node1", ttl=30)
            again = d.view(leader="node1")
            assert again["leader_rev"] == first["leader_rev"]
            assert again["revision"] > first["revision"]
            d.alive(after=again["at"])
            e.remove(LEADER + "?prevValue=node1")
            d.view(has_leader=0)
            e.set(LEADER, "node2", prevExist="false", ttl=1)
            moved = d.view(leader="node2")
            assert moved["leader_rev"] > first["leader_rev"]
            d.view(has_leader=0)  # it expires
            e.set(PREFIX + "failover", '{"leader":"node2"}')
            d.view(has_failover=1)
            e.remove(PREFIX + "?recursive=true&dir=true")
            assert d.view(members=[])["has_failover"] == 0
            d.alive()
            assert d.log().count("api=v2") == 1


@at_once
def test_v2_a_silent_watch_is_found_out():
    with Etcd2() as e:
        e.set(LEADER, "node1")
        proxy = Swallower(e.client[0], b"wait=true")
        with proxy.peer, patient("api=v2", f"127.0.0.1:{proxy.port}") as d:
            d.view(leader="node1")
            d.alive()
            for change in (lambda: e.set(LEADER, "node2"),
                           lambda: e.remove(LEADER)):
                proxy.on = True
                changed = now_us()
                change()
                got = d.next(lambda x: x["kind"] == "view" or
                             x["at"] > changed + 100_000)
                # No heartbeat after the change before what changed is known.
                assert got["kind"] == "view", got
                proxy.on = False
            assert got["has_leader"] == 0
            assert "the watch is silent" in d.log()


class FakeEtcd2:
    """Answers reads from its keys; a watch gets the next of `waits`."""

    def __init__(self, waits):
        self.waits, self.index, self.asked = list(waits), 5, []
        self.keys = {"leader": "node1"}
        self.peer = Peer(self.handle, parallel=True)
        self.endpoint = f"127.0.0.1:{self.peer.port}"

    def read(self, name):
        if name not in self.keys:
            return {"errorCode": 100, "message": "Key not found",
                    "cause": PREFIX + name}, "404 Not Found"
        return {"action": "get", "node": {
            "key": PREFIX + name, "value": self.keys[name],
            "modifiedIndex": 4, "createdIndex": 4}}, "200 OK"

    def handle(self, _, conn):
        while True:
            got = read_request(conn)
            if got is None:
                return
            path = got[0].split()[1]
            if path == "/version":
                body, status = {"etcdserver": "2.3.8"}, "200 OK"
            elif "wait=true" in path:
                self.asked.append(int(re.search(r"waitIndex=(\d+)", path)[1]))
                if not self.waits:
                    conn.recv(1)
                    return
                body, status = self.waits.pop(0)
            else:
                body, status = self.read(
                    path.partition("?")[0].rpartition("/")[2])
            conn.sendall(reply(
                body if isinstance(body, bytes) else json.dumps(body), status,
                f"X-Etcd-Index: {self.index}\r\nX-Etcd-Cluster-Id: 7a\r\n"))


CLEARED = ({"errorCode": 401, "message": "outdated and cleared",
            "cause": "history [9/6]", "index": 20}, "400 Bad Request")


@at_once
def test_v2_broken_watches_lead_to_a_new_read():
    old = {"action": "set", "node": {"key": LEADER, "value": "x",
                                     "modifiedIndex": 2, "createdIndex": 2}}
    breaks = {"cleared": CLEARED, "empty": (b"", "200 OK"),
              "html": (b"<html>", "200 OK"), "old": (old, "200 OK"),
              "deep": (b"[" * 100_000, "200 OK"),
              "huge": (b'{"a":"' + b"x" * 300_000 + b'"}', "200 OK"),
              "503": (b"{}", "503 Unavailable")}
    with contextlib.ExitStack() as stack:
        fakes = {what: FakeEtcd2([end]) for what, end in breaks.items()}
        drivers = {}
        for what, e in fakes.items():
            stack.enter_context(e.peer)
            drivers[what] = stack.enter_context(patient(e.endpoint))
        for what, d in drivers.items():
            d.view(leader="node1")
            fakes[what].index = 20
            d.view(leader="node1")
            d.alive()
            assert "state=following" in d.log(), what
        # Behind what the new read said, whatever was asked before.
        assert fakes["cleared"].asked[0] == 6
        assert fakes["cleared"].asked[-1] in (6, 21)


# ---- which API, which prefix ----

@at_once
def test_a_cluster_that_moves_from_v2_to_v3_is_followed():
    with Etcd2() as e:
        e.set(LEADER, "old")
        e.set(PREFIX + "initialize", "1")
        with patient(*e.endpoints()) as d:
            d.view(leader="old")
            # What stays behind has no leader key.
            e.remove(LEADER)
            d.view(has_leader=0)
            e.put(LEADER, "new")
            d.view(leader="new")
            d.alive()
            assert api_of(d) == "v3"
            assert re.findall(r"api=(v\d)", d.log()) == ["v2", "v3"]


def beats_of_both(d):
    seen, began = set(), now_us()
    while seen != {PREFIX, OTHER}:
        seen.add(d.alive(after=began)["prefix"])


@at_once
def test_clusters_that_moved_to_v3_beside_one_that_did_not():
    with Etcd2() as e:
        e.set(LEADER, "old")
        e.set(PREFIX + "initialize", "1")
        e.set(OTHER + "initialize", "2")  # left behind
        e.put(OTHER + "leader", "new")
        with patient(*e.endpoints(), prefix=f"{PREFIX},{OTHER}") as d:
            beats_of_both(d)
            views = [x for x in d.lines if x["kind"] == "view"]
            # Never what is empty in the other API.
            assert sorted((x["prefix"], x["leader"]) for x in views) == [
                (PREFIX, "old"), (OTHER, "new")]
            assert [api_of(d, n) for n in (0, 1)] == ["v2", "v3"]
            e.set(LEADER, "old2")
            d.view(prefix=PREFIX, leader="old2")
            e.put(OTHER + "leader", "new2")
            d.view(prefix=OTHER, leader="new2")
            # The last one moves, too.
            e.remove(LEADER)
            d.view(prefix=PREFIX, has_leader=0)
            e.put(LEADER, "moved")
            d.view(prefix=PREFIX, leader="moved")
            assert api_of(d, 0) == "v3"
            beats_of_both(d)
            d.say("reload")


@at_once
def test_one_of_two_clusters_moves_to_v3():
    with Etcd2() as e:
        e.set(LEADER, "node1")
        e.set(OTHER + "leader", "nodeX")
        with patient(*e.endpoints(), prefix=f"{PREFIX},{OTHER}") as d:
            beats_of_both(d)
            e.remove(OTHER + "leader")
            d.view(prefix=OTHER, has_leader=0)
            e.put(OTHER + "leader", "nodeY")
            d.view(prefix=OTHER, leader="nodeY")
            assert [api_of(d, n) for n in (0, 1)] == ["v2", "v3"]
            e.set(LEADER, "node2")
            d.view(prefix=PREFIX, leader="node2")
            beats_of_both(d)


@at_once
def test_what_was_configured_is_what_is_spoken():
    with Etcd2() as e:
        e.set(LEADER, "by v2")
        e.put(LEADER, "by v3")
        with patient("api=v2", *e.endpoints()) as two, \
                patient("api=v3", *e.endpoints()) as three, \
                patient("api=auto", *e.endpoints()) as auto:
            two.view(leader="by v2")
            three.view(leader="by v3")
            auto.view(leader="by v3")


@at_once
def test_the_gateways_prefix_is_found():
    for version, root in (("3.2.26", "/v3alpha"), ("3.3.27", "/v3beta"),
                          ("3.6.1", "/v3")):
        with FakeEtcd(version=version) as e:
            e.root = root
            with patient(e.endpoint) as d:
                d.view(leader="node1")
                assert f"root={root} " in d.log()
    # One that does not speak what is asked for.
    with FakeEtcd(version="2.3.8") as e, patient("api=v3", e.endpoint) as d:
        refused(d, "does not speak v3")


# ---- sizes ----

def put_file(e, key, size):
    """More than an argument list takes."""
    with tempfile.NamedTemporaryFile("w") as f:
        f.write('{"pause":true,"x":"' + "x" * size + '"}')
        f.flush()
        f.seek(0)
        subprocess.run(
            ["etcdctl", "--endpoints", e.endpoints()[0], "put", key],
            stdin=f, check=True, capture_output=True,
            env={"ETCDCTL_API": "3", "PATH": os.environ["PATH"]})


@at_once
def test_a_key_that_is_too_large_concerns_its_own_cluster():
    with Etcd() as e:
        e.put(LEADER, "node1")
        e.put(OTHER + "leader", "nodeX")
        put_file(e, PREFIX + "history", 300_000)
        with patient(*e.endpoints(), prefix=f"{PREFIX},{OTHER}") as d:
            # Only who led before our start is not known.
            d.view(prefix=PREFIX, leader="node1")
            d.view(prefix=OTHER, leader="nodeX")
            e.put(LEADER, "node2")
            d.view(prefix=PREFIX, leader="node2")
            # It grows while it is watched: nobody hears of it.
            put_file(e, PREFIX + "history", 400_000)
            seen = {d.alive()["prefix"] for _ in range(4)}
            assert seen == {PREFIX, OTHER}
            log = d.log()  # once with each dial, if the machine stands still
            assert log.count("key=history") <= 1 + log.count("away"), log
            # A key that we need: its cluster is left out, the other is not.
            put_file(e, PREFIX + "config", 300_000)
            d.view(prefix=OTHER, leader="nodeX")
            e.put(OTHER + "leader", "nodeY")
            moved = d.view(prefix=OTHER, leader="nodeY")
            assert d.alive(after=moved["at"])["prefix"] == OTHER
            assert d.log().count(f"prefix={PREFIX} why=") == 1, d.log()
            e.put(PREFIX + "config", "{}")
            d.view(prefix=PREFIX, leader="node2")
            d.view(prefix=OTHER, leader="nodeY")


class Refuser(FakeEtcd):
    """OTHER is denied, and then each further read of it fails in its way."""

    def __init__(self, end):
        super().__init__(then=lambda _, c: c.recv(1))
        self.end, self.tried = end, 0

    def answer(self, line, body):
        if b64(OTHER + "history").encode() not in body:
            return super().answer(line, body)
        self.tried += 1
        return self.end if self.tried > 1 else (403, b'{"code":7}')


@at_once
def test_what_is_tried_beside_the_watch_ends_nothing():
    """Ten seconds, beside others: that is how often it is tried."""
    with contextlib.ExitStack() as stack:
        fakes = [stack.enter_context(Refuser(end)) for end in (
            (200, b"<html>"), (503, b"{}"), (401, b'{"code":16}'))]
        drivers = [stack.enter_context(patient(
            "api=v3", e.endpoint, prefix=f"{PREFIX},{OTHER}")) for e in fakes]
        for e, d in zip(fakes, drivers):
            d.view(prefix=PREFIX, leader="node1")
            wait_for(lambda e=e: e.tried == 2, "another try", 30)
            d.alive(after=d.alive()["at"])
            assert len(e.watches) == 1, d.log()


def is_compacted_first(e, revision):
    """Whether the watch asked for what was gone: one that does not open in a
    second is given up."""
    e.put(LEADER, "node1")
    proxy = Swallower(e.client[0])
    proxy.hold = threading.Event()
    with proxy.peer, patient(f"127.0.0.1:{proxy.port}") as d:
        d.view(leader="node1")
        for n in range(2, 5):
            gateway(e, "kv/put", {"key": b64(LEADER),
                                  "value": b64(f"node{n}")})
        gateway(e, "kv/compaction", {"revision": str(revision)})
        proxy.hold.set()
        d.view(leader="node4")
        d.alive()
        return "compacted" in whys(d)


@at_once
def test_compacted_before_the_watch_is_open():
    """A busy machine may need more than that second: once more, then."""
    with Etcd() as e:
        assert any(is_compacted_first(e, 5 + 4 * n) for n in range(5))


# ---- TLS and users ----

def tls_server(cert, key):
    """A peer whose handshake must not end well."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    def handle(_, conn):
        with contextlib.suppress(ssl.SSLError):
            context.wrap_socket(conn, server_side=True).recv(1)
    return Peer(handle, parallel=True)


@at_once
def test_tls():
    with tempfile.TemporaryDirectory() as folder:
        ca, wrong = Ca(folder), Ca(folder, "wrong")
        here = "IP:127.0.0.1,DNS:localhost"
        cert, key = ca.issue("server", here)
        # Without a common name: etcd's gateway would take it for a user.
        mine, my_key = ca.issue("client", "DNS:prober")
        trusted = pathlib.Path(folder, "trusted.pem")
        trusted.write_bytes(pathlib.Path(wrong.path).read_bytes())
        with Etcd(scheme="https", extra=[
                "--cert-file", cert, "--key-file", key, "--client-cert-auth",
                "--trusted-ca-file", ca.path],
                ctl_args=["--cacert", ca.path, "--cert", mine,
                          "--key", my_key]) as e, \
                contextlib.ExitStack() as stack:
            e.put(LEADER, "node1")
            bad = [stack.enter_context(tls_server(*each)).port for each in (
                ca.expired("expired", here),
                ca.issue("elsewhere", "IP:127.0.0.2"),
                wrong.issue("foreign", here))]
            shown = [f"cert={mine}", f"key={my_key}"]
            # What is wrong is refused; what is right is used.
            with patient(f"ca={ca.path}", *shown,
                        *[f"127.0.0.1:{p}" for p in bad],
                        *e.endpoints()) as d:
                d.view(leader="node1")
                d.alive()
                assert whys(d).count("tls") == len(bad)
            with patient(f"ca={trusted}", *shown, *e.endpoints()) as d:
                refused(d, "tls")
                trusted.write_bytes(pathlib.Path(ca.path).read_bytes())
                d.say("reload")
                d.view(leader="node1")
            with patient(f"ca={ca.path}", *e.endpoints()) as d:
                # etcd wants to see a certificate.
                refused(d, "state=away was=finding")


class EtcdUsers(Etcd2):
    """A real one with users, whose tokens end after three seconds."""

    def __init__(self, folder):
        subprocess.run(["openssl", "genrsa", "-out", f"{folder}/jwt.key",
                        "2048"], check=True, capture_output=True)
        subprocess.run(["openssl", "rsa", "-in", f"{folder}/jwt.key",
                        "-pubout", "-out", f"{folder}/jwt.pub"], check=True,
                       capture_output=True)
        super().__init__(extra=[
            "--auth-token", f"jwt,pub-key={folder}/jwt.pub,priv-key="
            f"{folder}/jwt.key,sign-method=RS256,ttl=3s", "--bcrypt-cost",
            "4"])
        self.put(LEADER, "node1")
        self.put(OTHER + "leader", "nodeX")
        for args in (["user", "add", "root:top"],
                     ["user", "grant-role", "root", "root"],
                     ["user", "add", "prober:first"],
                     ["role", "add", "reader"],
                     ["role", "grant-permission", "--prefix=true", "reader",
                      "read", PREFIX],
                     ["user", "grant-role", "prober", "reader"],
                     ["auth", "enable"]):
            got = self.ctl(*args)
            assert got.returncode == 0, got
        self.ctl_args = ["--user", "root:top"]


@at_once
def test_users_and_tokens():
    with tempfile.TemporaryDirectory() as folder, EtcdUsers(folder) as e:
        auth = secret(folder, "auth", "prober:wrong\n")
        with patient(f"auth={auth}", *e.endpoints()) as d, \
                patient(*e.endpoints()) as nobody:
            refused(nobody, "user name is empty")
            refused(d, "authentication failed")
            secret(folder, "auth", "prober:first\n")
            d.say("reload")
            view = d.view(leader="node1")
            # Beyond the token's end: a new one, and the same watch.
            while d.alive()["at"] < view["at"] + 5_500_000:
                pass
            assert [x["kind"] for x in d.lines].count("view") == 1
            e.put(LEADER, "node2")
            d.view(leader="node2")
            assert "first" not in d.log() and "wrong" not in d.log()
        # Another's keys are not for us: our own are followed all the same,
        # and not what was left behind by v2, where nobody asks who we are.
        e.set(PREFIX + "initialize", "7")
        with patient(f"auth={auth}", *e.endpoints(),
                    prefix=f"{OTHER},{PREFIX}") as d:
            d.view(prefix=PREFIX, leader="node2")
            d.alive()
            assert f"prefix={OTHER} why=" in d.log()
            assert "permission denied" in d.log()


@at_once
def test_v2_users():
    """A real one refuses who is nobody. Whom it knows costs it a bcrypt with
    each request, too slow to wait for here: the header is looked at."""
    with tempfile.TemporaryDirectory() as folder, Etcd2() as e:
        e.set(LEADER, "node1")
        auth = secret(folder, "auth", "root:top\n")
        basic = base64.b64encode(b"root:top").decode()
        proxy = Swallower(e.client[0])
        with proxy.peer, patient("api=v2", f"auth={auth}",
                                f"127.0.0.1:{proxy.port}") as d:
            d.view(leader="node1")
            d.alive()
        asked = proxy.heard.count(b"GET /v2/keys")
        assert asked >= 9  # seven keys, a watch, a heartbeat
        assert proxy.heard.count(
            f"Authorization: Basic {basic}\r\n".encode()) == asked

        def admin(path, body):
            urllib.request.urlopen(urllib.request.Request(
                f"http://127.0.0.1:{e.client[0]}/v2/auth{path}",
                json.dumps(body).encode(),
                {"Content-Type": "application/json",
                 "Authorization": f"Basic {basic}"}, method="PUT"),
                timeout=20).close()

        admin("/users/root", {"user": "root", "password": "top"})
        admin("/enable", {})
        admin("/roles/guest", {"role": "guest", "revoke": {
            "kv": {"read": ["/*"], "write": ["/*"]}}})
        with patient("api=v2", *e.endpoints()) as nobody:
            refused(nobody, "insufficient credentials")


@at_once
def test_a_gateway_that_drips():
    """The deadline is of the whole answer, not of each byte."""
    def drip(_, conn):
        read_request(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        with contextlib.suppress(OSError):
            while True:
                conn.sendall(b" ")
                threading.Event().wait(0.3)

    with Peer(drip, parallel=True) as peer, FakeEtcd() as good, \
            patient("api=v2", f"127.0.0.1:{peer.port}") as two, \
            patient(f"127.0.0.1:{peer.port}", good.endpoint) as d:
        d.view(leader="node1")
        refused(two, "timeout")


