"""
A cluster's information base in a file: what pacemaker/setup makes of it, and
what Pacemaker's scheduler would do. Its tools read the schema anew each time
that they read the file, which is most of what they do: they are told not to,
and each outcome is held against it once.
"""
import os
import pathlib
import subprocess
import tempfile
import xml.etree.ElementTree as ET

import pytest

from wire_lib import BUILD, folder

__all__ = ["folder"]

TOP = pathlib.Path(__file__).resolve().parents[2]
PROBER = BUILD / "prober" / "patroute-prober"
HOSTS = ("hap1", "hap2", "hap3")
VIP = "patroute-vip"
HAPROXY = "patroute-haproxy"
CLONES = ("patroute-prober", "patroute-spoa", HAPROXY)
ALL = set(HOSTS)
CONF = """
cluster main { etcd = "http://10.0.0.1:2379" }
listen write { port = 5000 target = primary }
"""
SCHEMA = ("xmllint", "--noout", "--relaxng",
          "/usr/share/pacemaker/pacemaker-3.9.rng")
ADDRESS = 'vip { address = "192.168.34.85/24" nic = eth0 }'


def empty(hosts=HOSTS):
    nodes = "".join(f'<node id="{i}" uname="{h}"/>'
                    for i, h in enumerate(hosts, 1))
    states = "".join(
        f'<node_state id="{i}" uname="{h}" in_ccm="true" crmd="online"'
        f' join="member" expected="member"><transient_attributes id="{i}">'
        f'<instance_attributes id="status-{i}"/></transient_attributes>'
        '</node_state>' for i, h in enumerate(hosts, 1))
    return ET.fromstring(
        '<cib crm_feature_set="3.16.1" validate-with="none" epoch="1"'
        ' num_updates="0" admin_epoch="0" have-quorum="1" dc-uuid="1">'
        '<configuration><crm_config><cluster_property_set'
        ' id="cib-bootstrap-options"/></crm_config>'
        f'<nodes>{nodes}</nodes><resources/><constraints/></configuration>'
        f'<status>{states}</status></cib>')


class Cluster:
    """A cluster's information base, in a file."""

    def __init__(self, folder, root):
        self.folder = pathlib.Path(folder)
        self.root = root

    def write(self):
        path = self.folder / "cib.xml"
        path.write_bytes(ET.tostring(self.root))
        return path

    def tool(self, *args, ok=True):
        path = self.write()
        done = subprocess.run(
            [str(a) for a in args], text=True, capture_output=True,
            stdin=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "CIB_file": str(path),
                 "PATROUTE_PROBER": str(PROBER)})
        assert (done.returncode == 0) == ok, done.stdout + done.stderr
        self.read()
        return done.stdout + done.stderr

    def read(self):
        """What the tools have made of it."""
        path = self.folder / "cib.xml"
        self.root = ET.parse(path).getroot()
        done = subprocess.run([*SCHEMA, path], text=True, capture_output=True)
        assert done.returncode == 0, done.stderr

    def setup(self, *args, conf=ADDRESS, ok=True):
        path = self.folder / "patroute.conf"
        path.write_text(CONF + conf)
        return self.tool(TOP / "pacemaker" / "setup", "--config", path, *args,
                         ok=ok)

    def teardown(self, *args):
        return self.tool(TOP / "pacemaker" / "teardown", *args)

    def says(self, **health):
        """What each host's monitor says; nothing of those that are None."""
        for state in self.root.iter("node_state"):
            place = state.find("transient_attributes/instance_attributes")
            host = state.get("uname")
            for old in list(place):
                if old.get("name") == "patroute-health":
                    place.remove(old)
            if health.get(host) is not None:
                ET.SubElement(place, "nvpair", id=f"health-{host}",
                              name="patroute-health", value=str(health[host]))
        return self

    def does(self, *options):
        """What Pacemaker does now; its outcome becomes the cluster."""
        after, graph = self.folder / "after.xml", self.folder / "graph.xml"
        done = subprocess.run(
            ["crm_simulate", "--output-as=xml", "--xml-file", self.write(),
             "--simulate", "--save-output", after, "--save-graph", graph,
             *options], check=True, text=True, stdout=subprocess.PIPE)
        self.root = ET.parse(after).getroot()
        return Outcome(ET.fromstring(done.stdout), ET.parse(graph).getroot())


class Outcome:
    def __init__(self, said, graph):
        self.graph = graph
        self.did = [(a.get("op"), a.get("resource"), a.get("node"))
                    for a in said.iterfind("transition/rsc_action")
                    if a.get("op") != "monitor"]
        self.on = {}
        for r in said.iterfind("revised_cluster_status/resources//resource"):
            where = self.on.setdefault(r.get("id"), set())
            where.update(n.get("name") for n in r.iter("node"))

    def waits_for(self, key, other):
        """Does an action wait for another, through whatever there is
        between?"""
        inputs = {}
        for synapse in self.graph.iter("synapse"):
            for action in synapse.find("action_set"):
                inputs[action.get("operation_key") + "@" +
                       action.get("on_node", "")] = [
                           t[0].get("operation_key") + "@" +
                           t[0].get("on_node", "")
                           for t in synapse.iter("trigger")]
        assert key in inputs and other in inputs, sorted(inputs)
        seen, queue = set(), [key]
        while queue:
            for one in inputs.get(queue.pop(), ()):
                if one not in seen:
                    seen.add(one)
                    queue.append(one)
        return other in seen


@pytest.fixture
def fresh(folder):
    return Cluster(folder, empty())


@pytest.fixture(scope="module")
def settled():
    """Set up and running, all well, the address on hap1."""
    with tempfile.TemporaryDirectory(prefix="patroute-places-") as folder:
        fresh = Cluster(folder, empty())
        fresh.setup()
        now = fresh.says(hap1=100, hap2=100, hap3=100).does()
        assert now.on == {VIP: {"hap1"}, **{c: ALL for c in CLONES}}
        assert fresh.does().did == []
        return ET.tostring(fresh.root)


@pytest.fixture
def cluster(folder, settled):
    return Cluster(folder, ET.fromstring(settled))
