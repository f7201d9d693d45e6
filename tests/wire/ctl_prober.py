"""
patroutectl: with a real prober, etcd and scripted members; and with peers
that answer what no prober would.
"""
import http.server
import json
import os
import pathlib
import pty
import socketserver
import subprocess
import threading
import time

import pytest

from prober_lib import (PROBER, Prober, cluster, folder, own_cluster,
                        shared_cluster, wait_until)
from wire_lib import BUILD, VALGRIND

__all__ = ["cluster", "folder", "own_cluster", "shared_cluster"]

CTL = BUILD / "prober" / "ctl" / "patroutectl"
COMPLETION = (pathlib.Path(__file__).parents[2] / "prober" / "ctl"
              / "patroutectl.bash-completion")
ENV = {**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm"}


def argv(conf, *words):
    return [*VALGRIND, str(CTL), "-c", str(conf), *words]


def ctl(conf, *words):
    """(exit status, standard output, standard error)"""
    done = subprocess.run(argv(conf, *words), capture_output=True, env=ENV,
                          timeout=60)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.fixture
def prober(folder, cluster):
    """One that has heard of everybody: its exit statuses are what they are."""
    with Prober(folder, cluster.etcd.port) as p:
        wait_until(lambda: ctl(p.conf, "status")[0] == 0, "healthy")
        yield p


def ask(conf, *words):
    rc, out, err = ctl(conf, *words, "--json")
    assert rc == 0, (words, rc, out, err)
    return json.loads(out)


def test_a_status_and_its_exit(folder, own_cluster):
    with Prober(folder, own_cluster.etcd.port) as p:
        wait_until(lambda: ctl(p.conf, "status")[0] == 0, "healthy")
        rc, out, _ = ctl(p.conf, "status")
        assert "writes  node1" in out and out.count(" read ") == 2
        assert "Agent: none" in out
        own_cluster.etcd.delete("leader")
        wait_until(lambda: ctl(p.conf, "status")[0] == 1, "no leader")
        assert "writes  nobody" in ctl(p.conf, "status")[1]
        rc, out, err = ctl(p.conf, "status", "--cluster", "other")
        assert (rc, out) == (2, "") and "no such cluster" in err
    rc, out, err = ctl(p.conf, "status")
    assert (rc, out) == (2, "") and "is patroute-prober running" in err


def test_a_explain(prober):
    assert ask(prober.conf, "explain", "node1")["serves"]
    rc, out, _ = ctl(prober.conf, "explain", "node2")
    assert rc == 0 and "So it gets no writes" in out
    found = ask(prober.conf, "explain", "connect", "--port", "5000")
    assert found["outcome"] == "route" and found["server"] == "node1"
    rc, _, err = ctl(prober.conf, "explain", "connect", "--port", "5009")
    assert rc == 2 and "no listener" in err


def test_a_watch(prober):
    rc, out, _ = ctl(prober.conf, "watch", "--json", "--count", "2",
                     "--interval", "100ms")
    assert rc == 0
    assert [json.loads(x)["clusters"][0]["write"]
            for x in out.splitlines()] == ["node1", "node1"]


def test_b_events_are_followed_over_a_restart(prober, cluster):
    listed = ctl(prober.conf, "events", "--json")[1].splitlines()
    assert any(json.loads(x)["type"] == "write" for x in listed)
    one = ctl(prober.conf, "events", "--json", "--lines", "1")[1]
    assert one.splitlines() == listed[-1:]
    rc, out, _ = ctl(prober.conf, "events", "--since", "2001-01-01T00:00:00Z")
    assert rc == 0 and len(out.splitlines()) >= len(listed)
    with subprocess.Popen(argv(prober.conf, "events", "-f", "--json", "-n",
                               "0"), stdout=subprocess.PIPE, env=ENV) as f:
        def until(text):
            while True:
                e = json.loads(f.stdout.readline())
                if e["type"] == "write" and text in e["text"]:
                    return
        watchdog = threading.Timer(60, f.kill)
        watchdog.start()
        try:
            time.sleep(0.5)  # it follows by now, or reads the list later
            cluster.lead("node2")
            until("node2")
            prober.stop()
            prober.start()
            until("node2 takes")
        finally:
            watchdog.cancel()
            f.kill()


def test_b_orders(prober):
    answer = ask(prober.conf, "drain", "node2", "--for", "1h", "--reason",
                 "a\n\033[31mb")
    assert answer["ok"] and answer["where"] == "etcd"
    wait_until(lambda: [m["read"] for m in prober.cluster()["members"]
                        if m["name"] == "node2"] == [False], "drained")
    rc, out, _ = ctl(prober.conf, "status")
    assert rc == 0 and "drain node2 by " in out and "\033" not in out
    assert ask(prober.conf, "undrain", "node2")["ok"]
    rc, _, err = ctl(prober.conf, "drain", "nobody")
    assert rc == 1 and "node1" in err
    rc, _, err = ctl(prober.conf, "drain", "node2", "--for", "9d")
    assert rc == 2 and "--for" in err


def test_c_init(folder, own_cluster):
    etcd = own_cluster.etcd
    url = f"http://127.0.0.1:{etcd.port}"
    etcd.put("initialize", "1", scope="a\"b")
    made = folder / "made.conf"
    rc, out, err = ctl(made, "init", "--from", url, "-o", str(made))
    assert rc == 0 and "1 cluster, 3 members" in out and "left out" in err
    subprocess.run([*VALGRIND, str(PROBER), "--check", "-c", str(made)],
                   check=True)
    before = made.read_text()
    assert 'observe  = true' in before and "node1 (replica)" in before
    rc, _, err = ctl(made, "init", "--from", url, "-o", str(made))
    assert rc == 2 and "--force" in err and made.read_text() == before
    api = own_cluster.member["node3"].api_port
    rc, _, _ = ctl(made, "init", "--from", f"127.0.0.1:{api}/", "-o",
                   str(made), "--force")
    assert rc == 0 and f'"http://127.0.0.1:{api}"' in made.read_text()
    for bad in ("127.0.0.1:1", f"127.0.0.1:{api}/nothing", "http://a\"b", ""):
        rc, out, err = ctl(made, "init", "--from", bad)
        assert (rc, out) == (2, "") and err.startswith("patroutectl: init: ")


HOSTILE = "\033]0;x\007\u009b31m\u202e\nroot#"


class Peer(socketserver.ThreadingUnixStreamServer):
    """Answers everything with `body`."""

    daemon_threads = True

    def __init__(self, path, body, status=200):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:
                    pass

            do_POST = do_GET

            def address_string(self):
                return "peer"

            def log_message(self, *_):
                pass
        super().__init__(str(path), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


COMMANDS = (["status"], ["explain", HOSTILE], ["explain", "x"], ["events"],
            ["report"], ["report", "1"], ["drain", HOSTILE], ["watch", "-C1"],
            ["explain", "x", "--json"], ["status", "--json"])


def hostile(of):
    """A document that has such a text everywhere a text may stand."""
    member = {"name": of, "server": of, "address": of, "role": of, "why": of,
              "port": 1e300, "timeline": -1e300, "weight": 1e9,
              "lag_bytes": 1e300, "lag_ms": 1e300,
              "evidence": {"rest": {"rc": of, "role": of},
                           "sql": {"rc": "ok", "ok_age_ms": 1e300}}}
    order = {"member": of, "reason": of, "by": of, "until": of, "left_ms": -1}
    report = {"id": 1, "cluster": of, "at": of, "from": of, "to": of,
              "text": of, "timeline": [of, of], "classic": {of: of}}
    return {"clusters": [{"name": of, "scope": of, "write": of, "why": of,
                          "why_text": of, "mode": of, "proof": of,
                          "dcs": {"configured": True, "api": of,
                                  "leader": of}, "members": [member],
                          "control": {"hold": order, "force": order,
                                      "drains": [order]}}],
            "agents": [{"program": of, "stats": {}}], "haproxy": {},
            "boot_id": of, "events": [{"id": 1, "at": of, "type": of,
                                       "cluster": of, "text": of}],
            "reports": [report], "ok": False, "text": of, "where": of}


@pytest.mark.parametrize("words", COMMANDS)
def test_d_a_terminal_obeys_nothing(folder, words):
    body = json.dumps(hostile(HOSTILE), ensure_ascii=False).encode()
    with Peer(folder / "p.sock", body):
        rc, out, err = ctl("/nowhere", "-s", str(folder / "p.sock"), *words)
    assert rc in (0, 1, 2)
    for c in out + err:
        assert c == "\n" or (ord(c) >= 0x20 and c not in "\x7f\x9b\u202e")
    assert "\nroot#" not in out + err


@pytest.mark.parametrize("body,status", [
    (b"", 200), (b"<html>", 200), (b"[]", 200), (b"null", 200),
    (b"{}", 500), (b'{"text":"gone"}', 503), (b"[" * 100000, 200),
    (b'{"clusters":7,"events":{},"reports":"x"}', 200),
    (b'{"clusters":[7,null,{}],"events":[7],"reports":[[]]}', 200),
    (b" " * (17 << 20), 200),
])
def test_d_other_answers(folder, body, status):
    with Peer(folder / "p.sock", body, status):
        for words in COMMANDS:
            rc, _, err = ctl("/nowhere", "-s", str(folder / "p.sock"), *words)
            assert rc in (0, 1, 2), (words, rc)
            assert "patroutectl: " in err or rc != 2


def on_terminal(prober, **env):
    """What `status` writes where standard output is a terminal."""
    master, slave = pty.openpty()
    subprocess.run(argv(prober.conf, "status"), stdout=slave,
                   env={**ENV, **env}, check=True)
    os.close(slave)
    out = b""
    try:
        while data := os.read(master, 65536):
            out += data
    except OSError:
        pass
    os.close(master)
    return out


def test_e_colours(prober):
    assert b"\033[32m" in on_terminal(prober)
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert b"\033" not in on_terminal(prober, **env)
    assert "\033" not in ctl(prober.conf, "status")[1]
    done = subprocess.run(argv(prober.conf, "status"), capture_output=True,
                          env={**ENV, "LC_ALL": "C"}, check=True)
    assert b"| node1 " in done.stdout and done.stdout.isascii()


def test_e_words_are_names(folder):
    doc = hostile("$(id)")
    doc["clusters"][0]["members"] += [
        {"name": n} for n in (HOSTILE, "--x y", "node;2", "", 7, "node2")]
    with Peer(folder / "p.sock", json.dumps(doc).encode()):
        rc, out, _ = ctl("/nowhere", "-s", str(folder / "p.sock"),
                         "--print-words", "drain")
    assert rc == 0
    assert [w for w in out.splitlines() if not w.startswith("--")] == ["node2"]


def complete(patroutectl, *words):
    """What bash offers in place of the last word."""
    script = (f'source "$0"; patroutectl() {{ {patroutectl}; }}\n'
              'COMP_WORDS=(patroutectl "$@"); COMP_CWORD=$#; _patroutectl\n'
              'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-c", script, COMPLETION, *words],
                          env=ENV, capture_output=True, check=True,
                          timeout=60, text=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_e_completion_runs_nothing(folder):
    """Whoever writes a member's name has no shell of whoever presses TAB."""
    ran = folder / "ran"
    words = (f"$(touch${{IFS}}{ran})", f"`touch${{IFS}}{ran}`",
             f"node1;touch {ran}", "node2")
    said = "printf '%s\\n' " + " ".join(f"'{w}'" for w in words)
    got = complete(said, "drain", "")
    assert not ran.exists()
    assert got[0].startswith("\\$\\(") and got[3] == "node2"
    # What a completion stands for is one word, itself.
    again = subprocess.run(["bash", "-c", f"printf '%s\\n' {' '.join(got)}"],
                           capture_output=True, check=True, text=True)
    assert again.stdout.splitlines() == list(words) and not ran.exists()
    assert complete(said, "drain", "no") == [r"node1\;touch\ " + str(ran),
                                             "node2"]


def test_e_usage_and_words(prober):
    names = ctl("/x", "--print-words")[1].split()
    assert "status" in names and "doctor" in names
    for name in names:
        rc, out, _ = ctl("/x", "help", *([name] if name != "help" else []))
        assert rc == 0 and out.startswith("usage: patroutectl")
        for option in ctl("/x", "--print-words", name)[1].split():
            if option.startswith("--"):
                assert option in out
    assert "node2" in ctl(prober.conf, "--print-words", "drain")[1].split()
    assert complete(f'command "{CTL}" -c {prober.conf} "$@"', "drain",
                    "no") \
        == ["node1", "node2", "node3"]
    page = (BUILD / "prober" / "ctl" / "patroutectl.1").read_text()
    for name in names[1:]:
        assert f".SS {name} " in page
    assert ctl("/x")[0] == 2 and ctl("/x", "--version")[0] == 0
    for bad in (["stats"], ["status", "--x"], ["status", "y"], ["drain"],
                ["drain", "a", "b"], ["observe", "maybe"], ["who", "x"]):
        rc, out, err = ctl(prober.conf, *bad)
        assert (rc, out) == (2, "") and err.count("\n") == 1, bad
