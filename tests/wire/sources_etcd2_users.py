"""Users of etcd's v2 API, a real one, made as the manual page says.

Each request costs etcd a bcrypt, some 70 ms: so this has an etcd and a few
seconds of its own. They are worth it, for only etcd knows which path it takes
a role for.
"""
import os
import subprocess
import tempfile

from sources_etcd import LEADER, PREFIX, member, patient
from sources_etcd_ways import Etcd2, api_of, refused, secret

# Not below the prefix, though its name begins so.
NEIGHBOUR = PREFIX[:-1] + "2/"


class EtcdUsers2(Etcd2):
    """Guests may do nothing; "prober" may read what is below PREFIX."""

    def __init__(self):
        super().__init__()
        self.user = ()
        self.ctl2("set", LEADER, "node1")
        self.ctl2("set", PREFIX + "members/node1", member(1))
        self.ctl2("set", NEIGHBOUR + "leader", "nodeX")
        self.ctl2("user", "add", "root:top")
        self.ctl2("user", "add", "prober:first")
        self.ctl2("role", "add", "patroute")
        self.ctl2("role", "grant", "--read", "--path", PREFIX + "*",
                  "patroute")
        self.ctl2("user", "grant", "--roles", "patroute", "prober")
        self.ctl2("auth", "enable")
        self.user = "-u", "root:top"
        self.ctl2("role", "revoke", "--rw", "--path", "/*", "guest")

    def ctl2(self, *args):
        # A busy machine's bcrypt may take longer than etcdctl's 2 s.
        got = subprocess.run(
            ["etcdctl", "--timeout", "20s", "--total-timeout", "20s",
             "--endpoints", f"http://{self.endpoints()[0]}", *self.user,
             *args], env={"ETCDCTL_API": "2", "PATH": os.environ["PATH"]},
            capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert got.returncode == 0, got


def test_v2_users_are_known_and_refused():
    with tempfile.TemporaryDirectory() as folder, EtcdUsers2() as e:
        auth = secret(folder, "auth", "prober:wrong\n")
        with patient(f"auth={auth}", *e.endpoints(),
                     prefix=f"{PREFIX},{NEIGHBOUR}") as d:
            # Of the v3 beside it, which is empty, nothing is shown.
            refused(d, "insufficient credentials")
            secret(folder, "auth", "prober:first\n")
            d.say("reload")
            view = d.view(leader="node1")
            assert view["members"][0]["host"] == "10.0.0.1"
            assert api_of(d) == "v2"
            # By the watch, which is asked for anew behind each change.
            for leader in "node2", "node3":
                e.ctl2("set", LEADER, leader)
                view = d.view(leader=leader)
            d.alive(after=view["at"])
            assert {x["prefix"] for x in d.lines if "prefix" in x} == {PREFIX}
            log = d.log()
            assert f"prefix={NEIGHBOUR} why=" in log
            assert "requires user authentication" not in log
            assert "wrong" not in log and "first" not in log
