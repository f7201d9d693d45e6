"""
A classic group, the VIP and then HAProxy, becomes what pacemaker/setup makes
of it, on a real cluster that is looked at every 20 ms: the address never
leaves its host, however often setup is killed on the way.
"""

import os
import pathlib
import shutil
import sys

import pytest
from patroute_lab import bringup, pacemaker
from patroute_lab.machine import AGENTS

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "bench"))
import vip_setups  # noqa: E402 pylint: disable=C0413
from vip_watch import Watch  # noqa: E402 pylint: disable=C0413

pytestmark = [pytest.mark.pacemaker, pytest.mark.slow]

SETUP = f"{pacemaker.TOP}/pacemaker/setup"
TEARDOWN = f"{pacemaker.TOP}/pacemaker/teardown"
CLONES = ("patroute-prober", "patroute-spoa", "patroute-haproxy")
# What setup does to the cluster, each a moment at which it may end: four
# changes, three of them with the other HAProxy's end, each waited for, and
# once the address is looked up anew.
MOMENTS = range(1, 10)
# The shell that called it ends there, once the tool has done its work.
DEADLY = """#!/bin/sh
{tool} "$@"
rc=$?
case "$*" in
*--patch*|*--wait*|*--refresh*)
	echo >>{count}
	[ "$(wc -l <{count})" != {moment} ] || kill -KILL "$PPID"
	;;
esac
exit $rc
"""


@pytest.fixture(scope="module", autouse=True)
def ours_again(session_lab):
    """At the end the lab is as it was."""
    yield
    vip_setups.use(session_lab, "ours")


@pytest.fixture
def classic(lab):
    """The tutorials' group in the place of ours; its address's host."""
    vip_setups.use(lab, "classic")
    yield pacemaker.wait_placed(lab)
    if lab.trouble():
        vip_setups.use(lab, "ours")


def run(lab, program, *options, first=None, path=None, ok=True):
    """setup or teardown on the cluster; what it said."""
    path = path or os.environ["PATH"]
    done = lab.exec(pacemaker.speaker(lab), [
        "env", f"HOME={pacemaker.HOST}", "TMPDIR=/run",
        f"PATH={first}:{path}" if first else f"PATH={path}",
        program, *options], 200.0, check=ok)
    assert (done.returncode == 0) == ok, done.stdout + done.stderr
    return done.stdout + done.stderr


def resources(lab):
    """The ids of the cluster's groups, clones and primitives."""
    return {each.get("id") for kind in ("group", "clone", "primitive")
            for each in pacemaker.cib(lab).iter(kind)}


def unfinished(lab):
    """What Pacemaker is to leave alone, or to leave stopped."""
    return {pair.get("name") for pair in pacemaker.cib(lab).iter("nvpair")
            } & {"is-managed", "target-role"}


def demand_still(watch, host):
    """That host had the address and answered for it, all the time."""
    assert len(watch.samples) > 20
    assert {frozenset(had) for _, _, had in watch.samples} == {
        frozenset([host])}
    # An answer may be late on a busy machine, but never another's.
    assert set().union(*(names for _, names, _ in watch.samples)) == {host}


def demand_ours(lab, host):
    """All of it runs, and Pacemaker has nothing more to do."""
    assert resources(lab) == {"vip", *CLONES, *(f"{c}-clone" for c in CLONES)}
    assert not unfinished(lab)
    assert "nothing to change" in run(lab, SETUP)
    for each in pacemaker.members(lab):
        bringup.wait_programs(lab, each, 30)
    assert pacemaker.holders(lab) == [host]
    vip_setups.wait_write(lab)


def tools(folder, moment):
    """A folder for the PATH with tools that are deadly at that moment, or at
    none; and the file whose length is the number of moments."""
    for name in ("cibadmin", "crm_resource"):
        (folder / name).write_text(DEADLY.format(
            tool=shutil.which(name), count=folder / "count", moment=moment))
        (folder / name).chmod(0o755)
    return folder, folder / "count"


def without_crm(folder):
    """A folder for the PATH with all but crm's shell."""
    folder.mkdir()
    for place in ("/usr/local/bin", "/usr/sbin", "/usr/bin"):
        for name in os.listdir(place):
            if name != "crm" and not (folder / name).is_symlink():
                (folder / name).symlink_to(f"{place}/{name}")
    for name in ("patroute-prober", "patroute-spoa"):
        (folder / name).symlink_to(f"/usr/sbin/{name}")
    return str(folder)


@pytest.mark.parametrize("shell", ["crm", "pcs"])
def test_taken_over(lab, classic, tmp_path, shell):
    """And again, which changes nothing; torn down it is as documented: the
    address stays, as it was there before, unless it is told to go."""
    assert shutil.which(shell), "tests/install lab slow"
    path = without_crm(tmp_path / "bin") if shell == "pcs" else None
    shown = run(lab, SETUP, "--dry-run", path=path)
    assert {"crm": "-group HAproxyGroup vip haproxy",
            "pcs": "-  Group: HAproxyGroup"}[shell] in shown, shown
    assert resources(lab) == {"HAproxyGroup", "vip", "haproxy"}
    first, count = tools(tmp_path, 0)
    with Watch(lab) as watch:
        run(lab, SETUP, first=first, path=path)
    assert len(count.read_text()) == max(MOMENTS), "it has other moments"
    demand_still(watch, classic)
    demand_ours(lab, classic)
    with Watch(lab) as watch:
        assert "vip is left" in run(lab, TEARDOWN, path=path)
    demand_still(watch, classic)
    assert resources(lab) == {"vip"}
    assert not any(lab.machine(h).program(name)
                   for h in pacemaker.members(lab)
                   for name in AGENTS)
    assert "nothing to change" in run(lab, TEARDOWN, path=path)
    with Watch(lab) as watch:
        run(lab, SETUP, path=path)
    demand_still(watch, classic)
    demand_ours(lab, classic)
    run(lab, TEARDOWN, "--remove-address", path=path)
    assert not resources(lab) and not pacemaker.holders(lab)


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed(lab, classic, tmp_path, moment):
    """Wherever it is killed, the next run makes all of it whole."""
    first, count = tools(tmp_path, moment)
    with Watch(lab) as watch:
        run(lab, SETUP, first=first, ok=False)
        assert len(count.read_text()) == moment
        run(lab, SETUP)
    demand_still(watch, classic)
    demand_ours(lab, classic)
