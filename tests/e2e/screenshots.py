"""
screenshots.py: what an operator sees on port 7000 in each state of a cluster.

    tests/install build check lab slow
    PATROUTE_BUILD=BUILD /usr/bin/python3 tests/e2e/screenshots.py \
        [-o FOLDER] [STATE …]

On the lab (LAB_NAME), which is brought up if it is not, through HAProxy's port
7000 with its password: FOLDER/STATE-stats.png is HAProxy's page, and
STATE-light.png, -dark.png and -phone.png are /topology. What each state does to
the cluster is undone before the next.
"""
import argparse
import base64
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "lab"), str(HERE.parent / "meter")]

from browser import DESKTOP, PHONE, Browser, Tunnel  # noqa: E402
from patroute_lab import Lab, config, hosts  # noqa: E402
from verdicts import process  # noqa: E402

HAP, STATS = "hap1", 7000
VIEWS = [("light", DESKTOP, "light"), ("dark", DESKTOP, "dark"),
         ("phone", PHONE, "light")]


def wait_until(what, seconds, question):
    end = time.monotonic() + seconds
    while not (answer := question()):
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not within {seconds} s")
        time.sleep(0.05)
    return answer


class Site:
    """The lab, what may be done to it, and who looks at it."""

    def __init__(self, lab, browser, folder):
        self.lab, self.browser, self.folder = lab, browser, folder
        self.tunnel = Tunnel(lab, HAP, STATS)
        self.sessions = []

    def cluster(self):
        text = self.lab.exec(HAP, ["curl", "-s", "-m", "2",
                                   "http://127.0.0.1:7100/topology"]).stdout
        return json.loads(text)["clusters"][0]

    def member(self, name):
        return next(m for m in self.cluster()["members"] if m["name"] == name)

    def replica(self):
        c = self.cluster()
        return next(m["name"] for m in c["members"] if m["name"] != c["write"])

    def control(self, verb, **more):
        body = json.dumps({"cluster": self.cluster()["name"], "verb": verb,
                           "by": "ops@hap1", **more})
        done = self.lab.exec(HAP, [
            "curl", "-s", "-m", "5", "--unix-socket", "/run/patroute/http.sock",
            "-d", body, "http://prober/control"])
        if not json.loads(done.stdout or "{}").get("ok"):
            raise RuntimeError(f"{verb}: {done.stdout}")

    def sql(self, host, text):
        return self.lab.exec(host, [
            "env", f"PGPASSWORD={config.PASSWORD}", "psql", "-XAtq",
            "-h", "127.0.0.1", "-U", config.SUPERUSER, "-c", text]).stdout

    def session(self, port):
        """A client that stays, so that there is one to count."""
        self.sessions.append(subprocess.Popen(
            self.lab.command(hosts.CLIENT, self.lab.psql_argv(port, [
                "-c", "select pg_sleep(600)"])),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL))

    def look(self, state):
        """One picture of each view, as fast as they come: some states are
        short."""
        for view, size, scheme in VIEWS:
            self.browser.size(*size)
            self.browser.media(scheme)
            wait_until("the window's size", 10, lambda: self.browser.js(
                "return innerWidth") == size[0])
            self.browser.js("""
                dispatchEvent(new Event('resize'));
                return new Promise(done => new MutationObserver(done).observe(
                    document.documentElement,
                    {attributeFilter: ['data-draw-ms']}))""")
            self.browser.shot(self.folder / f"{state}-{view}.png")

    def look_at_stats(self, state):
        self.browser.size(*DESKTOP)
        self.browser.media("light")
        self.browser.open(f"http://127.0.0.1:{self.tunnel.port}/")
        self.browser.shot(self.folder / f"{state}-stats.png")

    def open(self):
        """/topology, with some seconds behind it."""
        self.browser.open(f"http://127.0.0.1:{self.tunnel.port}/topology")
        wait_until("the page draws", 20, lambda: self.browser.js(
            "return document.querySelector('.member') !== null"))
        time.sleep(4)

    def healthy(self):
        wait_until("the lab is healthy", 120,
                   lambda: not self.lab.trouble() and self.cluster()["write"])


def steady(site):
    yield


def switchover(site):
    done = threading.Thread(target=site.lab.switchover)
    done.start()
    wait_until("writes go nowhere", 20,
               lambda: site.cluster()["write"] is None)
    time.sleep(0.3)
    yield
    done.join()


def changed(site):
    """A change of leader is over: its report, and the time line."""
    drawn = "return document.querySelectorAll('.reports > li').length"
    were = site.browser.js(drawn)
    site.lab.switchover()
    wait_until("there is a report", 30,
               lambda: site.browser.js(drawn) > were)
    site.healthy()
    time.sleep(3)
    yield


def leader_dead(site):
    leader = site.lab.leader()
    site.lab.kill(leader)
    wait_until("writes go nowhere", 20,
               lambda: site.cluster()["write"] is None)
    time.sleep(3)
    yield
    wait_until("there is a leader", 90, lambda: site.cluster()["write"])
    site.lab.start(leader)


def lagging(site):
    """WAL comes in and is not replayed. (Patroni takes a pause back.)"""
    leader = site.cluster()["write"]
    name = site.replica()
    replay = process(site.lab, site.lab.host(name).name,
                     b"startup recovering")
    site.sql(leader, "create table if not exists filler (t text)")
    os.kill(replay, signal.SIGSTOP)
    try:
        for _ in range(4):
            site.sql(leader, "insert into filler select repeat('x', 1000) "
                             "from generate_series(1, 12000)")
            time.sleep(1)
        wait_until("it is out", 30, lambda: not site.member(name)["read"])
        time.sleep(3)
        yield
    finally:
        os.kill(replay, signal.SIGCONT)
    site.sql(leader, "drop table filler")
    wait_until("it is back", 60, lambda: site.member(name)["read"])


def dcs_lost(site):
    etcds = [h for h in site.lab.hosts if h.startswith("etcd")]
    for host in etcds:
        site.lab.freeze(host)
    time.sleep(6)
    yield
    for host in etcds:
        site.lab.thaw(host)


def drained(site):
    name = site.replica()
    site.control("drain", member=name, for_s=600, reason="kernel upgrade")
    wait_until("it is drained", 10, lambda: not site.member(name)["read"])
    time.sleep(2)
    yield
    site.control("undrain", member=name)


def observe(site):
    site.control("observe", reason="first day")
    wait_until("it observes", 10,
               lambda: site.cluster().get("mode") == "observe")
    for port in (5000, 5001, 5001):
        site.session(port)
    time.sleep(3)
    yield
    site.control("live")


STATES = {f.__name__.replace("_", "-"): f for f in (
    steady, switchover, changed, leader_dead, lagging, dcs_lost, drained,
    observe)}


def take(site, state):
    """Both pages of one state: HAProxy's is asked for once more."""
    site.open()
    steps = STATES[state](site)
    next(steps)
    site.look(state)
    site.look_at_stats(state)
    for _ in steps:
        pass
    site.healthy()
    print(state, *site.browser.complaints(), sep="\n  ", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("-o", "--folder", type=pathlib.Path,
                   default=pathlib.Path("screenshots"))
    p.add_argument("states", nargs="*", metavar="STATE",
                   help=f"of {', '.join(STATES)}; default: all")
    o = p.parse_args()
    if unknown := set(o.states) - set(STATES):
        p.error(f"{', '.join(sorted(unknown))}: expected {', '.join(STATES)}")
    o.folder.mkdir(parents=True, exist_ok=True)
    lab = Lab()
    if not lab.complete:
        lab.up([])
    with tempfile.TemporaryDirectory() as folder, Browser(folder) as browser:
        browser.cdp("Network.enable")
        browser.cdp("Network.setExtraHTTPHeaders", headers={
            "Authorization": "Basic " + base64.b64encode(
                f"admin:{config.PASSWORD}".encode()).decode()})
        site = Site(lab, browser, o.folder)
        for port in (5000, 5000, 5001, 5001, 5001):
            site.session(port)
        try:
            for state in o.states or STATES:
                take(site, state)
        finally:
            site.tunnel.close()
            for each in site.sessions:
                each.kill()
                each.wait()


if __name__ == "__main__":
    main()
