"""
What pacemaker/setup and teardown make of a cluster, of what is there already
and of what they left when they were interrupted.
"""
import os
import shlex
import shutil
import subprocess
import xml.etree.ElementTree as ET

import pytest

from ocf_cluster import (ADDRESS, ALL, CLONES, CONF, HAPROXY, PROBER, SCHEMA,
                         TOP, VIP, cluster, folder, fresh, settled)

__all__ = ["cluster", "folder", "fresh", "settled"]
# Its HAProxy has whatever name and agent: the first by its agent's name, the
# second by its own.
GROUP = """
<group id="HAproxyGroup">
<primitive id="VIP" class="ocf" provider="heartbeat" type="IPaddr2">
<instance_attributes id="VIP-a"><nvpair id="VIP-a-ip" name="ip"
 value="192.168.34.85"/><nvpair id="VIP-a-label" name="iflabel" value="vip"/>
</instance_attributes><operations><op id="VIP-monitor-10s" name="monitor"
 interval="10s"/></operations></primitive>
{haproxy}</group>"""
OLD = ('<primitive id="lb" class="systemd" type="haproxy"/>',
       '<primitive id="haproxy" class="lsb" type="balancer"/>')
PREFERS = """
<rsc_location id="prefers" rsc="HAproxyGroup" node="hap2" score="5"/>"""


# --- setup itself -------------------------------------------------------------

def configuration(cluster):
    return ET.tostring(cluster.root.find("configuration"))


def test_d1_once_and_again(fresh):
    before = configuration(fresh)
    assert VIP in fresh.setup("--dry-run")
    assert configuration(fresh) == before
    fresh.setup()
    made = configuration(fresh)
    assert made != before
    assert "nothing to change" in fresh.setup()
    assert configuration(fresh) == made
    # What somebody added stays, what they changed does not.
    for nv in fresh.root.iter("nvpair"):
        if nv.get("name") == "arp_count_refresh":
            nv.set("value", "7")
    fresh.tool("crm_resource", "--resource", HAPROXY, "--set-parameter",
               "drain", "--parameter-value", "9")
    fresh.setup()
    values = {nv.get("name"): nv.get("value")
              for nv in fresh.root.iter("nvpair")}
    assert values["arp_count_refresh"] == "1" and values["drain"] == "9"
    assert values["no-quorum-policy"] == "stop"
    assert values["stonith-enabled"] == "false"
    fresh.setup("--set", f"{HAPROXY}.socket=/run/a&b.sock")
    assert '"/run/a&amp;b.sock"' in configuration(fresh).decode()


def test_d2_fencing_stays_as_it_is(fresh):
    ET.SubElement(fresh.root.find(".//resources"), "primitive", id="fence",
                  type="fence_ipmilan", **{"class": "stonith"})
    fresh.setup()
    assert "stonith-enabled" not in configuration(fresh).decode()


@pytest.mark.parametrize("site,set_by_us,said", [
    ({"have-watchdog": "true"}, {"no-quorum-policy": "stop"}, None),
    ({"stonith-watchdog-timeout": "10s"}, {"no-quorum-policy": "stop"}, None),
    ({"stonith-watchdog-timeout": "0", "have-watchdog": "false",
      "no-quorum-policy": "ignore"}, {"stonith-enabled": "false"},
     "no-quorum-policy=ignore is left as it is"),
    ({"stonith-enabled": "true", "no-quorum-policy": "stop"}, {},
     "stonith-enabled is left as it is, and nothing fences here"),
])
def test_d7_what_a_site_has_set(fresh, site, set_by_us, said):
    """Fencing by the watchdog alone is fencing; a policy is theirs."""
    properties = fresh.root.find(".//cluster_property_set")
    for name, value in site.items():
        ET.SubElement(properties, "nvpair", id=name, name=name, value=value)
    answer = fresh.setup()
    assert {nv.get("name"): nv.get("value") for nv in
            fresh.root.find(".//crm_config").iter("nvpair")} == {
                **site, **set_by_us}
    assert said in answer if said else "left as it is" not in answer


def test_d8_an_address_of_others_is_not_torn_down(fresh):
    has(fresh, ALONE)
    fresh.setup()
    made = ET.tostring(fresh.root)
    assert "VIP is left" in fresh.teardown()
    assert fresh.does().on == {"VIP": {"hap1"}}
    fresh.root = ET.fromstring(made)
    fresh.teardown("--remove-address")
    assert fresh.does().on == {}


def test_d9_blanks(fresh):
    for option in ("--config", "--set"):
        assert "has a blank in it" in fresh.setup(option, "/a file", ok=False)


@pytest.mark.parametrize("old", OLD)
def test_d3_a_classic_group(fresh, old):
    """Its address keeps its name and what it had; all else of it goes."""
    fresh.root.find(".//resources").append(
        ET.fromstring(GROUP.format(haproxy=old)))
    fresh.root.find(".//constraints").append(ET.fromstring(PREFERS))
    fresh.setup()
    now = fresh.does()
    assert now.on == {"VIP": {"hap1"}, **{c: ALL for c in CLONES}}
    text = configuration(fresh).decode()
    assert "HAproxyGroup" not in text and "prefers" not in text
    assert 'id="lb"' not in text and 'id="haproxy"' not in text
    assert 'name="iflabel"' in text and text.count('name="nic"') == 1
    assert 'id="VIP-monitor-10s"' not in text
    assert "nothing to change" in fresh.setup()


def test_d4_a_group_of_more(fresh):
    group = ET.fromstring(GROUP.format(haproxy=OLD[0]))
    ET.SubElement(group, "primitive", id="mail", provider="heartbeat",
                  type="MailTo", **{"class": "ocf"})
    fresh.root.find(".//resources").append(group)
    before = configuration(fresh)
    assert "holds mail besides" in fresh.setup(ok=False)
    assert configuration(fresh) == before


def test_d5_torn_down(cluster):
    before = configuration(cluster)
    cluster.teardown("--dry-run")
    assert configuration(cluster) == before
    cluster.teardown("--keep-address")
    assert cluster.does().on == {VIP: {"hap1"}}
    cluster.setup()
    cluster.teardown()
    assert cluster.does().on == {}
    assert "patroute" not in configuration(cluster).decode()
    assert "nothing to change" in cluster.teardown()


def test_d6_without_pacemakers_tools(folder):
    path = folder / "bin"
    path.mkdir()
    for tool in ("sh", "readlink", "dirname", "mktemp"):
        (path / tool).symlink_to(shutil.which(tool))
    for program in ("setup", "teardown"):
        done = subprocess.run([TOP / "pacemaker" / program], text=True,
                              capture_output=True, env={"PATH": str(path)})
        assert done.returncode == 1
        assert "no cibadmin here, expected Pacemaker's" in done.stderr


# --- what setup leaves alone --------------------------------------------------

WEB = """
<group id="WEB"><primitive id="vip-web" class="ocf" provider="heartbeat"
 type="IPaddr2"><instance_attributes id="w"><nvpair id="w-ip" name="ip"
 value="192.168.34.99"/></instance_attributes></primitive>
<primitive id="web" class="ocf" provider="heartbeat" type="haproxy"/></group>"""
LONE = """<clone id="lb-clone">
<primitive id="lb" class="ocf" provider="heartbeat" type="haproxy"/></clone>"""
ALONE = """
<primitive id="VIP" class="ocf" provider="heartbeat" type="IPaddr2">
<instance_attributes id="VIP-a"><nvpair id="VIP-a-ip" name="ip"
 value="192.168.34.85"/></instance_attributes></primitive>"""
TIE = ('<rsc_colocation id="tie" score="INFINITY" rsc="VIP"'
       ' with-rsc="lb-clone"/>')


def has(cluster, *texts):
    """Puts each in its place of the configuration."""
    for text in texts:
        where = "constraints" if "<rsc_" in text else "resources"
        cluster.root.find(f".//{where}").append(ET.fromstring(text))
    return cluster


def names(cluster):
    return {each.get("id") for each in cluster.root.find("configuration").iter()
            if each.get("id")}


@pytest.mark.parametrize("conf", ["", ADDRESS])
def test_e1_a_foreign_group(fresh, conf):
    """Another address's HAProxy stays, and that is said."""
    has(fresh, WEB, GROUP.format(haproxy=OLD[0]))
    if not conf:
        fresh.root.find(".//resources").remove(
            fresh.root.find(".//group[@id='HAproxyGroup']"))
    assert "web is left alone" in fresh.setup(conf=conf)
    now = fresh.does()
    assert now.on["web"] == now.on["vip-web"] != set()
    assert now.on[HAPROXY] == ALL and "lb" not in names(fresh)
    assert "nothing to change" in fresh.setup(conf=conf)
    if conf:
        assert "web is in group WEB" in fresh.setup("--replace", "web",
                                                    ok=False)


def test_e2_a_lone_haproxy(fresh):
    """Nobody knows what it is for: somebody has to say."""
    before = configuration(has(fresh, LONE))
    assert "--replace lb-clone or --keep lb-clone" in fresh.setup(ok=False)
    assert "no resource nobody of" in fresh.setup("--keep", "nobody", ok=False)
    assert configuration(fresh) == before
    kept = ET.tostring(fresh.root)
    assert "lb-clone is left alone" in fresh.setup("--keep", "lb")
    assert fresh.does().on["lb"] == ALL
    assert "nothing to change" in fresh.setup()
    fresh.root = ET.fromstring(kept)
    fresh.setup("--replace", "lb")
    assert not names(fresh) & {"lb", "lb-clone"}


def test_e3_one_that_a_constraint_ties(fresh):
    """A clone, named by a constraint, as its address is."""
    has(fresh, ALONE, LONE, TIE, WEB)
    assert "web is left alone" in fresh.setup()
    assert not names(fresh) & {"lb", "lb-clone", "tie"}
    assert fresh.does().on["VIP"] == {"hap1"}


def test_e4_sets_of_others(fresh):
    """What a set says of others stays."""
    def order(name, *members):
        refs = "".join(f'<resource_ref id="{m}"/>' for m in members)
        return (f'<rsc_order id="{name}"><resource_set id="{name}-set">{refs}'
                '</resource_set></rsc_order>')

    has(fresh, ALONE, LONE, TIE, WEB.replace("web", "site"),
        '<primitive id="mail" class="ocf" provider="heartbeat" type="Dummy"/>',
        order("three", "lb-clone", "WEB", "mail"),
        order("two", "lb-clone", "mail"))
    fresh.setup()
    refs = [ref.get("id") for ref in fresh.root.iterfind(
        ".//rsc_order[@id='three']//resource_ref")]
    assert refs == ["WEB", "mail"]
    assert "two" not in names(fresh)


# --- setup, interrupted -------------------------------------------------------

def left(cluster):
    """What a run that ended early has stopped or let go of."""
    return {(nv.get("name"), nv.get("value"))
            for nv in cluster.root.iter("nvpair")
            if nv.get("name") in ("is-managed", "target-role")}


def on_a_file(cluster, **answers):
    """A folder for the PATH: Pacemaker's own tools, on this file as on the
    cluster; what only a cluster can do has the answers given, as shell."""
    path = cluster.folder / "bin"
    path.mkdir(exist_ok=True)
    cib = cluster.write()
    check = shlex.join([*SCHEMA, str(cib)])
    for tool in ("cibadmin", "crm_resource"):
        cases = "".join(f"*--{option}*) {answer} ;;\n"
                        for option, answer in answers.items()
                        if tool == "crm_resource")
        (path / tool).write_text(
            f'#!/bin/sh\nexport CIB_file="${{CIB_file:-{cib}}}"\n'
            f'case "$*" in\n{cases}esac\n{shutil.which(tool)} "$@" || exit\n'
            f'case "$*" in\n*--patch*) {check} ;;\nesac\n')
        (path / tool).chmod(0o755)
    return path


def take_over(cluster, conf=ADDRESS, **answers):
    path = on_a_file(cluster, **answers)
    (cluster.folder / "patroute.conf").write_text(CONF + conf)
    done = subprocess.run(
        [TOP / "pacemaker" / "setup", "--config",
         cluster.folder / "patroute.conf"], text=True, capture_output=True,
        env={"PATH": f"{path}:{os.environ['PATH']}",
             "PATROUTE_PROBER": str(PROBER)})
    cluster.read()
    return done


HERE = "echo hap1; exit 0"


@pytest.mark.parametrize("wait", [1, 2])
def test_f1_it_does_not_settle(fresh, wait):
    """Wherever it ends, the next run makes all of it run."""
    has(fresh, GROUP.format(haproxy=OLD[1]))
    count = fresh.folder / "count"
    done = take_over(
        fresh, locate=HERE, refresh="exit 0",
        wait=f'echo >>{count}; [ $(wc -l <{count}) != {wait} ]; exit')
    assert done.returncode == 1 and "not done after 90 s" in done.stderr
    assert left(fresh)
    done = take_over(fresh, locate=HERE, refresh="exit 0", wait="exit 0")
    assert done.returncode == 0, done.stderr
    assert left(fresh) == set() and "haproxy" not in names(fresh)
    assert fresh.does().on == {"VIP": {"hap1"}, **{c: ALL for c in CLONES}}


def test_f2_it_is_not_looked_up(fresh):
    has(fresh, ALONE)
    done = take_over(fresh, locate=HERE, wait="exit 0",
                     refresh="echo no permission; exit 4")
    assert done.returncode == 1 and "no permission" in done.stderr
    assert left(fresh) == {("is-managed", "false")}
    done = take_over(fresh, locate=HERE, refresh="exit 0", wait="exit 0")
    assert done.returncode == 0 and left(fresh) == set()


def test_f3_another_address_of_ours(cluster):
    """It goes down and up, where it is; nothing is left unmanaged."""
    conf = ADDRESS.replace("34.85", "34.86")
    done = take_over(cluster, conf, locate="exit 1", refresh="exit 1",
                     wait="exit 0")
    assert done.returncode == 0, done.stderr
    assert left(cluster) == set() and VIP in names(cluster)
    assert "192.168.34.86" in configuration(cluster).decode()
    assert "192.168.34.85" not in configuration(cluster).decode()


def test_f4_a_teardown_that_was_interrupted(cluster):
    for clone in CLONES:
        cluster.tool("crm_resource", "--resource", f"{clone}-clone", "--meta",
                     "--set-parameter", "target-role", "--parameter-value",
                     "Stopped")
    cluster.tool("crm_resource", "--resource", VIP, "--meta",
                 "--set-parameter", "is-managed", "--parameter-value", "false")
    assert cluster.does().on[HAPROXY] == set()
    cluster.setup()
    assert left(cluster) == set()
    assert cluster.does().on == {VIP: {"hap1"}, **{c: ALL for c in CLONES}}
