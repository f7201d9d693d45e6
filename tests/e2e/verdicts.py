"""
What the tests of verdicts share: the story that a prober's log tells from now
on, its present word in /topology, and what is done to a cluster.
"""

import contextlib
import json
import os
import re

import path
import pytest
from patroute_lab import Lab

HAP = "hap1"


class Story:
    """What the prober says of the cluster from now on."""

    def __init__(self, lab):
        self.lab = lab
        self.file = lab.machine(HAP).log_file("prober")
        self.begin = os.path.getsize(self.file)

    def lines(self, pattern):
        """What the pattern's groups are, line by line."""
        with open(self.file, encoding="utf-8") as file:
            file.seek(self.begin)
            return re.findall(pattern, file.read(), re.M)

    def writes(self):
        """[(member or "none", why)], in order."""
        return self.lines(r"change cluster=\S+ write=(\S+) was=\S+ "
                           r"why=(\S+) ")

    def reads(self, member):
        """[("yes" or "no", why)] of one member, in order."""
        return self.lines(rf"change cluster=\S+ member={member} "
                           r"read=(\S+) why=(\S+) ")

    def why(self, member):
        """(read, why) of one member at present; None: nobody knows it."""
        for each in path.verdict(self.lab, HAP)["members"]:
            if each["name"] == member:
                return each["read"], each["why"]
        return None

    def sources(self, member_name):
        """[(source, rc, was)] of one member, in order."""
        return self.lines(rf"change cluster=\S+ member={member_name} "
                          r"source=(\S+) rc=(\S+) was=(\S+)")

    def proof(self):
        """What the verdict rests on at present."""
        return path.verdict(self.lab, HAP)["proof"]

    def changes(self):
        """Every line of a change, whatever of."""
        return self.lines(r"change cluster=.*")

    def now(self):
        """(target, why) at present."""
        found = path.verdict(self.lab, HAP)
        return found["write"], found["why"]


@contextlib.contextmanager
def own_lab(*options):
    """A lab of its own with these options, and its story from then on."""
    lab = Lab(f"{Lab().name[:14]}vd")
    lab.down()
    lab.up(["vip=fixed", *options])
    try:
        yield lab, Story(lab)
    finally:
        lab.down()


@pytest.fixture
def story(lab, request, wait_until):
    """A story of its own for each test, which ends as well as it began."""
    lab.exec(HAP, ["true"])
    wait_until("all is well", 60, lambda: is_well(lab))
    told = Story(lab)
    yield told
    print(f"\n{request.node.name}")
    for each in told.writes():
        print("  write", *each)
    for member in ("node1", "node2", "node3"):
        for each in told.reads(member):
            print("  read", member, *each)
    wait_until("all is well again", 90, lambda: is_well(lab))


def is_well(lab):
    """A leader, two replicas, and all of them serve."""
    found = path.verdict(lab, HAP)
    return found["why"] == "leader" and len(found["members"]) == 3 and \
        all(m["read"] for m in found["members"] if m["role"] != "leader")


def name_of(lab, host):
    """Patroni's name of that host's member."""
    return lab.host(host).member


def roles(lab):
    """(the leader's host, its name, a replica's host, its name)."""
    status = lab.status()
    leader = status["leader"]
    replica = next(m["host"] for m in status["members"]
                   if m["host"] != leader)
    return leader, name_of(lab, leader), replica, name_of(lab, replica)


def config(lab, **change):
    """Patroni's dynamic configuration, changed (None removes)."""
    body = json.dumps(change)
    for member in lab.status()["members"]:
        done = lab.exec(member["host"], [
            "curl", "-s", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}",
            "-X", "PATCH", "-d", body, "http://127.0.0.1:8008/config"],
            check=False)
        if done.stdout == "200":
            return
    pytest.fail(f"no Patroni took {body}")


@contextlib.contextmanager
def member(lab, host, **sections):
    """A member's own configuration with these sections changed, as an
    operator does it; as before at the end."""
    file = lab.paths.host(lab.host(host), "etc/patroni/config.yml")
    with open(file, encoding="utf-8") as old:
        before = old.read()

    def put(text):
        with open(file, "w", encoding="utf-8") as new:
            new.write(text)
        assert lab.rest(host, "/reload", {})[0] in (200, 202)
    whole = json.loads(before)
    for key, value in sections.items():
        both = isinstance(value, dict) and isinstance(whole.get(key), dict)
        whole[key] = {**whole[key], **value} if both else value
    try:
        put(json.dumps(whole))
        yield
    finally:
        put(before)


def process(lab, host, word):
    """A PostgreSQL process of that host, by this machine's number."""
    for each in lab.machine(host).processes():
        with contextlib.suppress(OSError), \
                open(f"/proc/{each.pid}/cmdline", "rb") as file:
            if word in file.read():
                return each.pid
    return pytest.fail(f"no {word.decode()} on {host}")


def local(lab, host, sql):
    """A superuser's query on that member."""
    return lab.exec(host, ["psql", "-h", "/run/postgresql", "-U", "postgres",
                           "-XAtqc", sql]).stdout.strip()
