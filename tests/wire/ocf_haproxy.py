"""
HAProxy's resource agent, with connections through it: a reload closes none and
refuses none, a stop lets them end for a while.
"""
import os
import signal
import socket
import socketserver
import subprocess
import threading
import time
import urllib.request

import pytest

from ocf_lib import (FAILED, HAPROXY, OK, STOPPED, at_once, bystander, connects,
                     folder, freeze, is_there, make, root, stat_of, timed)
from wire_lib import SLOW, free_port, wait_until

__all__ = ["folder", "root"]


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(100):
            self.request.sendall(data)


@pytest.fixture
def site(root, folder):
    """The agent, started, and an echo behind the port of its HAProxy."""
    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 128

    with Server(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,),
                         daemon=True).start()
        port = free_port()
        ra = make(root, folder, "haproxy", port, server.server_address[1])
        ra.port = port
        ra.started()
        yield ra
        ra.end()
        server.shutdown()


class Client:
    def __init__(self, port):
        self.s = socket.create_connection(("127.0.0.1", port), 5 * SLOW)
        self.says()

    def says(self):
        self.s.sendall(b"x")
        assert self.s.recv(100) == b"x"
        return True

    def is_closed(self):
        try:
            return self.s.recv(100) == b""
        except ConnectionError:
            return True


class Stream:
    """Opens one connection after the other until it is told to stop."""

    def __init__(self, port):
        self.port, self.made, self.lost = port, 0, []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.over.is_set():
            try:
                Client(self.port).s.close()
                self.made += 1
            except (OSError, AssertionError) as e:
                self.lost.append(repr(e))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def workers(ra):
    return [p for p in ra.family() if p != ra.pid()]


def drains(site):
    wait_until(lambda: not connects(site.port), "no more")


def test_a1_the_environment(site):
    """Its values are values, whatever is in them."""
    with urllib.request.urlopen(site.parameters["probe"],
                                timeout=5 * SLOW) as r:
        assert r.headers["name"] == "$(touch /nothing)`x` a+b/c=="
    site.parameters["env_file"].write_text('NAME="in quotes"\nA-B=1\n=\n2=3')
    assert site("stop") == OK
    site.started()
    with urllib.request.urlopen(site.parameters["probe"],
                                timeout=5 * SLOW) as r:
        assert r.headers["name"] == "in quotes"
    site.parameters["env_file"].unlink()
    assert site("validate-all") != OK and "NAME is not set" in site.said


def test_b1_a_reload_loses_nothing(site):
    clients = [Client(site.port) for _ in range(20)]
    master = site.pid()
    with Stream(site.port) as stream:
        for _ in range(3):
            old, before = workers(site), stream.made
            assert site("reload-agent") == OK, site.said
            # Ready: who asks now is answered by the new one.
            assert set(workers(site)) - set(old)
            assert site("monitor") == OK
            wait_until(lambda before=before: stream.made > before + 50,
                       "a stream")
    assert stream.lost == []
    assert all(c.says() for c in clients)
    assert site.pid() == master
    for c in clients:
        c.s.close()
    wait_until(lambda: len(workers(site)) == 1, "the old ones are gone")


def test_b2_a_broken_reload_changes_nothing(site):
    client, before = Client(site.port), workers(site)
    config = site.parameters["config"]
    good = config.read_text()
    config.write_text(good + "nonsense\n")
    assert site("reload-agent") == OK and "nonsense" in site.said
    assert workers(site) == before and client.says()
    config.write_text(good)
    assert site("reload-agent") == OK
    assert workers(site) != before and client.says()


def test_c1_a_stop_drains(site):
    """Listeners close, connections go on until the bound, or their end."""
    site.parameters["drain"] = 10
    stays = Client(site.port)
    assert site("reload-agent") == OK       # one in an old process, one not
    ends = Client(site.port)

    def end():
        drains(site)
        assert stays.says() and ends.says()
        began = time.monotonic()
        stays.s.close()
        ends.s.close()
        return began

    family = site.family()
    stopped, began = at_once(lambda: site("stop"), end)
    assert stopped == OK and not any(map(is_there, family))
    # It did not wait for the rest of its ten seconds.
    assert time.monotonic() - began < 8 * SLOW
    assert site("monitor") == STOPPED


def test_c2_a_stop_has_an_end(site):
    client = Client(site.port)
    family = site.family()
    assert site("stop") == OK and client.is_closed()
    assert not any(map(is_there, family))
    site.parameters["drain"] = "soon"       # as good as none given
    site.started()
    assert site("stop") == OK


def test_c3_the_master_is_gone(site):
    """Its worker stands still, and so is left: that is no clean stop."""
    master, [worker] = site.pid(), workers(site)
    freeze(worker)
    os.kill(master, signal.SIGKILL)
    wait_until(lambda: not is_there(master), "dead")
    assert site("monitor") == FAILED and "children" in site.said
    assert site("start") == FAILED
    assert site("stop") == OK and not is_there(worker)
    assert site("monitor") == STOPPED


def test_c4_the_deep_probe(site):
    (site.folder / ".curlrc").write_text('proto = "=https"\n')
    nowhere = "http://127.0.0.1:1"
    assert site("monitor", OCF_CHECK_LEVEL=10, CURL_HOME=site.folder,
                http_proxy=nowhere, ALL_PROXY=nowhere) == OK, site.said
    site.parameters["probe"] = f"http://127.0.0.1:{free_port()}/"
    assert site.deep() == FAILED and "nothing within" in site.said
    assert site("monitor") == OK
    site.parameters["probe"] = ""
    assert site.deep() == OK


def test_c5_a_stop_asks_twice(site):
    """One answer that a busy host does not give in time ends no connection."""
    site.parameters["drain"] = 10
    client = Client(site.port)
    site.put_first("curl", f"""
        ! mkdir {site.folder}/missed 2>/dev/null || exit 28
        exec /usr/bin/curl "$@"
    """)

    def end():
        drains(site)
        assert client.says()
        client.s.close()

    assert at_once(lambda: site("stop"), end)[0] == OK
    assert (site.folder / "missed").exists()


def test_c6_the_pid_is_anothers_after_a_drain(site):
    site.parameters["drain"] = 10
    client, family = Client(site.port), site.family()
    with bystander() as other:
        def replace():
            drains(site)
            began = stat_of(other.pid, "began") + 1
            note = site.folder / "note"
            note.write_text(f"{other.pid}\n{began} {HAPROXY}\n")
            note.replace(site.pidfile)

        assert at_once(lambda: site("stop"), replace)[0] == OK
        assert other.poll() is None
    client.s.close()
    wait_until(lambda: not any(map(is_there, family)), "drained")


@pytest.fixture
def cut_off(site):
    """The site's host has lost the quorum; its CIB is an empty one."""
    cib = site.folder / "cib.xml"
    with cib.open("w") as f:
        subprocess.run(["cibadmin", "--empty"], stdout=f, check=True)
    site.cib = dict(os.environ, CIB_file=str(cib))
    site.put_first("crm_node", "[ $1 = --quorum ] && echo 0\n")
    return site


def policy(site, value):
    subprocess.run(["crm_attribute", "--type", "crm_config", "--name",
                    "no-quorum-policy", "--update", value],
                   env=site.cib, check=True)


def stop(site):
    return site("stop", CIB_file=site.cib["CIB_file"])


@pytest.mark.parametrize("value", [None, "suicide"])
def test_c7_without_quorum_nothing_is_waited_for(cut_off, value):
    """Nor does the listener take more until then."""
    site = cut_off
    site.parameters["drain"] = 12
    if value is not None:
        policy(site, value)
    client, family = Client(site.port), site.family()
    stopped, took = timed(lambda: stop(site))
    assert stopped == OK and client.is_closed()
    assert not any(map(is_there, family)) and took < 10 * SLOW


@pytest.mark.parametrize("value", ["ignore", "freeze"])
def test_c8_who_keeps_the_address_waits(cut_off, value):
    site = cut_off
    site.parameters["drain"] = 10
    policy(site, value)
    client = Client(site.port)

    def end():
        drains(site)
        assert client.says()
        client.s.close()

    assert at_once(lambda: stop(site), end)[0] == OK


def test_c9_what_is_asked_takes_of_the_drains_time(site):
    """Of 12 s a stop leaves 5, and 3 for what comes after the drain."""
    site.parameters["drain"] = 10
    site.put_first("curl", f"""
        ! mkdir {site.folder}/missed 2>/dev/null || {{ sleep 1; exit 28; }}
        exec /usr/bin/curl "$@"
    """)
    site.put_first("crm_node", "exec sleep 60\n")
    client = Client(site.port)
    stopped, took = timed(
        lambda: site("stop", OCF_RESKEY_CRM_meta_timeout=12000))
    assert stopped == OK and client.is_closed()
    assert (site.folder / "missed").exists()
    # 1 s and 2 s without an answer; four more would be seven.
    assert took < 5.5 * SLOW
