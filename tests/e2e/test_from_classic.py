"""
The README's section "From the classic file", by its own commands, on a load
balancer that has the classic set-up: HAProxy by classic.cfg, nothing of ours.
"""
import concurrent.futures
import json
import time

import psycopg2
import pytest
from classic_site import Site, install, section, steps
from patroute_lab import config, hosts
from sessions import ask, session

STEPS = steps("From the classic file")
FROM = "http://192.168.34.137:2379"     # what the README's line asks
PATRONI = "http://192.168.34.124:8008"
PORTS = (5000, 5001, 5002)
# "Then uncomment …", of step 2.
UNCOMMENT = (r"sed -Ei 's/# (probe_(user|passfile) )/\1/' "
             "/etc/patroute/patroute.conf")
# What a port's connections go through, by the mode.
CLASSIC = {5000: "main_classic_write", 5001: "main_classic_read",
           5002: "main_classic_any"}
LIVE = {5000: "main_write", 5001: "main_read", 5002: "main_read"}


@pytest.fixture
def site(lab, wait_until):
    """A load balancer without the virtual IP, as it is before."""
    host = next(hap for hap in ("hap3", "hap2") if hap != lab.vip())
    # What was ordered stands for every load balancer, above its own file.
    forget = ["etcdctl", "del", "/patroute/main/mode"]
    lab.exec("etcd1", forget)
    try:
        with Site(lab, host, wait_until) as found:
            yield found
    finally:
        lab.exec("etcd1", forget)


class Held:
    """Sessions through every port, which must all be the same later on."""

    def __init__(self, site):
        self.site, self.all = site, []

    def open(self):
        """One more through each port; {port: in recovery?}."""
        found = {}
        for port in PORTS:
            kept = session(self.site.lab, self.site.address, port)
            self.all.append((kept, ask(kept, "SELECT pg_backend_pid()")))
            found[port] = ask(kept, "SELECT pg_is_in_recovery()")
        return found

    def same(self):
        """Whether each is served by the backend process it began with."""
        return all(ask(kept, "SELECT pg_backend_pid()") == pid
                   for kept, pid in self.all)

    def close(self):
        """Ends them all."""
        for kept, _ in self.all:
            kept.close()


def route_of(site, port):
    """The backend of HAProxy that a new connection goes through; none for one
    that failed, as those do that a new HAProxy's first checks overtake."""
    before = site.backends()
    try:
        session(site.lab, site.address, port).close()
    except psycopg2.Error:
        return []
    return [name for name, n in site.backends().items()
            if n > before.get(name, 0) and not name.endswith("_prober")
            and name not in ("agent", "prober", "7000", "stats")]


def is_right(site):
    """Whether what the ports meet has the role they are for; not yet, where a
    check that failed ends a session."""
    found = Held(site)
    try:
        rounds = [found.open() for _ in range(3)]
    except psycopg2.Error:
        return False
    finally:
        found.close()
    return all(not each[5000] and each[5001] for each in rounds)


def status(site):
    """The cluster, as patroutectl says it."""
    return json.loads(site.run("patroutectl status --json || true"))[
        "clusters"][0]


def begin(site, source, said):
    """Steps 1 to 4: to where it observes."""
    for line in install() + [word.replace(FROM, source)
                             for word in STEPS[2]] + [UNCOMMENT]:
        said.append(site.run(line))
    assert "observe  = true" in site.run("cat /etc/patroute/patroute.conf")
    for line in STEPS[3]:
        is_doctor = line == "patroutectl doctor"
        said.append(site.run(line, rc=1 if is_doctor else 0))
    assert "patroute.cfg" in said[-1], "HAProxy's new file is missing"
    for line in STEPS[4]:
        said.append(site.run(line))
    print(*said, sep="\n")


@pytest.mark.parametrize("source", [
    FROM, pytest.param(PATRONI, marks=pytest.mark.slow)])
def test_from_the_classic_file(site, wait_until, source):
    """Observed in minutes, live by one command, and back by one."""
    assert any(source in line for line in section("From the classic file"))
    began, said = time.monotonic(), []
    for port, route in zip(PORTS, ("write", "read", "any")):
        wait_until(f"{port} by the classic file", 15, lambda p=port, r=route:
                   route_of(site, p) == [f"classic_{r}"])
    begin(site, source, said)
    print(f"it observes after {time.monotonic() - began:.1f} s")
    assert status(site)["mode"] == "observe"
    wait_until("PostgreSQL's own word", 10,
               lambda: status(site)["proof"].endswith("+sql"))
    # Of a HAProxy that has just started the classic way takes all for up.
    wait_until("the classic way's checks", 15, lambda: is_right(site))
    if source == FROM:
        a_switchover(site, wait_until)
    there_and_back(site, wait_until)


def a_switchover(site, wait_until):
    """Step 5: what the classic way did otherwise is counted and listed."""
    before = status(site)["observe"]["differs"]
    argv = ["env", f"PGPASSWORD={config.PASSWORD}", "psql", "-XAtqc",
            "SELECT 1", f"host={site.address} port=5000 "
            f"user={config.SUPERUSER} connect_timeout=2"]

    def write():
        site.lab.exec(hosts.CLIENT, argv, check=False)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        change = pool.submit(site.lab.switchover)
        while not change.done():
            write()
        change.result()
    events, report = STEPS[5]
    wait_until("connections that differ are counted", 5,
               lambda: status(site)["observe"]["differs"] > before)
    wait_until("the classic way differs", 10, lambda: "the classic way sends "
               "writes to" in site.run(events))
    # It waits for the first connection that was decided for the new leader.
    wait_until("the report", 20, lambda: write() or "classic way" in site.run(
        f"{report} || true"))
    print(site.run(events), site.run(report), sep="\n")


def there_and_back(site, wait_until):
    """Step 6, with sessions held open on every port."""
    live, observe = STEPS[6]
    held = Held(site)
    for line, mode, routes in ((None, "observe", CLASSIC),
                               (live, "live", LIVE),
                               (observe, "observe", CLASSIC),
                               (live, "live", LIVE)):
        if line:
            print(site.run(line))
        wait_until(mode, 3, lambda m=mode: status(site)["mode"] == m)
        for port in PORTS:
            wait_until(f"{port} {mode}", 15, lambda p=port, r=routes:
                       route_of(site, p) == [r[p]])
        wait_until(f"its checks, {mode}", 15, lambda: is_right(site))
        recovery = held.open()
        assert recovery[5000] is False and recovery[5001] is True
        assert held.same()
    held.close()
    counted = status(site)["observe"]
    assert counted["same"] + counted["differs"] >= 9, counted
