"""
The resource agents with the real daemons: every action twice, and with what is
missing, broken, stale, foreign, frozen, or replaced under them.
"""
import functools
import os
import shutil
import signal
import socket
import subprocess
import xml.etree.ElementTree

import pytest

from ocf_lib import (AGENTS, ARGS, FAILED, INSTALLED, OK, STOPPED, UNKNOWN,
                     at_once, bystander, folder, freeze, is_there, make, root,
                     stat_of, timed)
from wire_lib import SLOW, free_port, wait_until

__all__ = ["folder", "root"]


@pytest.fixture
def three(root, folder):
    """Each in a folder of its own."""
    all_ = []
    for name in AGENTS:
        (folder / name).mkdir()
        (folder / name).chmod(0o777)
        all_.append(make(root, folder / name, name))
    yield all_
    for one in all_:
        one.end()


@pytest.fixture
def spoa(root, folder):
    one = make(root, folder, "patroute-spoa")
    yield one
    one.end()


def of_each(test):
    """The test of one agent, for all three at once."""
    def of_three(three):
        at_once(*[functools.partial(test, one) for one in three])
    of_three.__doc__ = test.__doc__
    return of_three


def served(one):
    """The process that has to answer."""
    if one.name != "haproxy":
        return one.pid()
    return next(p for p in one.family() if p != one.pid())


# --- without a daemon ---------------------------------------------------------

@of_each
def test_a1_meta_data(ra):
    """As anybody, with nothing installed or configured."""
    said = subprocess.run(
        ["setpriv", "--reuid", "65534", "--clear-groups", str(ra.path),
         "meta-data"], check=True, text=True, stdout=subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "OCF_ROOT": str(ra.root),
             "OCF_FUNCTIONS_DIR": "/usr/lib/ocf/lib/heartbeat"}).stdout
    valid = subprocess.run(["xmllint", "--noout", "--valid", "-"], input=said,
                           text=True, cwd="/usr/share/resource-agents",
                           capture_output=True)
    assert (valid.returncode, valid.stderr) == (0, "")
    page = xml.etree.ElementTree.fromstring(said)
    names = [x.get("name") for x in page.iter("parameter")]
    assert len(names) == len(set(names)) < 10
    actions = {x.get("name") for x in page.iter("action")}
    assert actions == {"start", "stop", "monitor", "reload-agent",
                       "validate-all", "meta-data"}
    assert all(x.get("timeout").endswith("s") for x in page.iter("action"))
    # What a cluster may change without a restart.
    assert [x.get("name") for x in page.iter("parameter")
            if x.get("reloadable") == "1"] == [
                n for n in names if n in ("drain", "revision")]


def test_a2_ocf_tester(three):
    for done in at_once(*[one.tester for one in three]):
        assert done.returncode == 0 and "passed all tests" in done.stdout, \
            done.stdout


@of_each
def test_a3_without_the_program(ra):
    ra.parameters["binary"] = ra.folder / "nowhere"
    assert ra.probe() == STOPPED
    assert ra("validate-all") == INSTALLED
    assert ra("start") == INSTALLED and "nowhere is not there" in ra.said
    assert ra("stop") == OK and ra("reload-agent") == STOPPED
    assert ra("promote") == UNKNOWN and ra("nonsense") == UNKNOWN


@of_each
def test_a4_with_a_broken_configuration(ra):
    ra.parameters["config"].write_text("nonsense = 1\n")
    assert ra.probe() == STOPPED
    assert ra("validate-all") == ARGS and "nonsense" in ra.said
    assert ra("start") == ARGS and "nonsense" in ra.said
    assert ra("stop") == OK and not ra.pidfile.exists()
    ra.parameters["config"].unlink()
    assert ra("start") == ARGS and ra("stop") == OK


# --- the life of a daemon -----------------------------------------------------

@of_each
def test_b1_each_action_twice(ra):
    assert ra("validate-all") == OK and ra("validate-all") == OK
    for _ in range(2):
        assert ra("monitor") == STOPPED and "does not run" in ra.said
        assert ra.probe() == STOPPED and "ocf-exit-reason" not in ra.said
    pid = ra.started()
    # Ready, not merely there: it answers with no further wait.
    assert ra("monitor") == OK and ra.deep() == OK and ra.probe() == OK
    assert ra.started() == pid
    # A cluster that kills an action's processes does not reach it; and every
    # new connection waits for ours on a busy host.
    assert stat_of(pid, "session") == pid
    assert stat_of(pid, "nice") == max(
        os.nice(0) - (0 if ra.name == "haproxy" else 10), -20)
    for _ in range(2):
        assert ra("reload-agent") == OK and ra("monitor") == OK
    assert ra.pid() == pid
    children = ra.family()
    for _ in range(2):
        assert ra("stop") == OK
    assert not [p for p in children if is_there(p)]
    assert ra("monitor") == STOPPED
    assert list(ra.state.iterdir()) == []


# --- what breaks --------------------------------------------------------------

@of_each
def test_c1_broken_while_it_runs(ra):
    """What somebody does to a file ends no daemon that runs."""
    pid = ra.started()
    good = ra.parameters["config"].read_text()
    for broken in ("nonsense = 1\n", ""):
        ra.parameters["config"].write_text(broken)
        assert ra("monitor") == OK and ra.deep() == OK
        assert ra("reload-agent") == OK
        assert "goes on as before" in ra.said and is_there(pid)
    ra.parameters["config"].unlink()
    assert ra("monitor") == OK and ra.pid() == pid
    ra.parameters["config"].write_text(good)
    assert ra("reload-agent") == OK and "as before" not in ra.said
    ra.parameters["binary"] = ra.folder / "nowhere"
    assert ra("monitor") == OK and ra("reload-agent") == OK
    assert ra("stop") == OK and not is_there(pid)


@of_each
def test_c2_an_upgrade_under_way(ra):
    """The program's file is removed, half there, and another one."""
    whole = ra.folder / "whole"
    shutil.copy(ra.parameters["binary"], whole)
    binary = ra.parameters["binary"] = ra.folder / "the program"
    shutil.copy(whole, binary)
    pid = ra.started()
    binary.unlink()
    assert ra("monitor") == OK
    binary.write_bytes(whole.read_bytes()[:5000])
    binary.chmod(0o755)
    assert ra("monitor") == OK
    binary.unlink()
    shutil.copy(whole, binary)
    assert os.readlink(f"/proc/{pid}/exe").endswith(" (deleted)")
    assert ra.deep() == OK and ra.started() == pid
    assert ra("reload-agent") == OK and ra("monitor") == OK
    assert ra("stop") == OK and not is_there(pid)


def test_c3_a_stale_pidfile(spoa):
    """It names another's process: not ours, and never touched."""
    spoa.state.mkdir()
    with bystander() as other:
        began = stat_of(other.pid, "began")
        sleep = os.path.realpath("/bin/sleep")
        for text in (f"{other.pid}\n", f"{other.pid}\n{began + 1} {sleep}\n",
                     f"{other.pid}\n{began} {spoa.parameters['binary']}\n",
                     "", "x\ny z\n", "0\n0 x\n", "-1\n1 x\n"):
            spoa.pidfile.write_text(text)
            assert spoa("monitor") == STOPPED, text
            assert spoa("stop") == OK and not spoa.pidfile.exists()
            assert other.poll() is None, text
        spoa.pidfile.write_text(f"{other.pid}\n")
        pid = spoa.started()
        assert pid != other.pid and other.poll() is None
        assert spoa("stop") == OK and other.poll() is None


def test_c4_a_pid_used_again(spoa, root):
    """The same program, but another's: begun at another time."""
    (spoa.folder / "other").mkdir()
    (spoa.folder / "other").chmod(0o777)
    other = make(root, spoa.folder / "other", spoa.name)
    pid = other.started()
    try:
        spoa.state.mkdir()
        _, rest = other.pidfile.read_text().split("\n", 1)
        began, exe = rest.split(" ", 1)
        spoa.pidfile.write_text(f"{pid}\n{int(began) - 1} {exe}")
        assert spoa("monitor") == STOPPED
        assert spoa("stop") == OK and is_there(pid)
        assert other("monitor") == OK and other("stop") == OK
    finally:
        other.end()


@of_each
def test_c5_anothers_runs_already(ra):
    """systemd's, say, by the same configuration: that is said, and left."""
    pid = ra.started()
    note = ra.pidfile.read_text()
    ra.pidfile.unlink()
    assert ra.probe() == STOPPED
    assert ra("start") == FAILED and "another" in ra.said
    assert ra("stop") == OK and is_there(pid)
    ra.pidfile.write_text(note)
    assert ra("stop") == OK and not is_there(pid)


def test_c6_a_start_that_fails_says_why(root, folder):
    one = make(root, folder, "patroute-prober")
    config = one.parameters["config"]
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        config.write_text(config.read_text().replace(
            "http_port = ", f"http_port = {port} #"))
        text = config.read_text().replace(" feed_socket", "\nfeed_socket")
        config.write_text(text)
        assert one("start") == FAILED
        assert "somebody listens there already" in one.said
    assert one("monitor") == STOPPED and one("stop") == OK


def test_c7_killed(spoa):
    pid = spoa.started()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_there(pid), "dead")
    wait_until(lambda: spoa("monitor") == STOPPED, "nothing left")
    assert spoa("stop") == OK
    assert spoa.started() != pid and spoa("monitor") == OK
    assert spoa("stop") == OK


def test_c8_frozen(three):
    """Failed, within what an answer may take; and TERM does nothing to it."""
    for one in three:
        one.started()
    families = [one.family() for one in three]
    for one in three:
        freeze(served(one))
    answers = at_once(*[lambda one=one: timed(lambda: one("monitor"))
                        for one in three])
    for one, (answer, took) in zip(three, answers):
        assert answer == FAILED and "does not answer" in one.said
        # One second, HAProxy two; the machine is shared.
        assert took < 5 * SLOW, (one.name, took)
    stops = at_once(*[lambda one=one: timed(lambda: one("stop"))
                      for one in three])
    for one, family, (answer, took) in zip(three, families, stops):
        assert answer == OK, one.said
        assert not [p for p in family if is_there(p)], one.name
        assert took < 15 * SLOW, (one.name, took)
        assert one("monitor") == STOPPED


def test_c9_started_is_the_program(spoa):
    """Not what leads to it, even where it cannot be asked."""
    slow_nice = f"""
        echo nonsense >{spoa.state}/{spoa.name}-test.conf
        sleep 0.5
        exec /usr/bin/nice "$@"
    """
    spoa.put_first("nice", slow_nice)
    pid = spoa.started()
    assert os.path.samefile(f"/proc/{pid}/exe", spoa.parameters["binary"])
    assert spoa("monitor") == OK and "cannot be asked" in spoa.said
    assert spoa("stop") == OK


# --- what the prober's monitor tells the cluster ------------------------------

@pytest.fixture
def told(root, folder):
    """The prober's agent, and what reaches the cluster's attributes."""
    one = make(root, folder, "patroute-prober")
    one.noted_by = folder / "attributes"
    one.put_first("crm_node", "echo hap1\n")
    one.put_first("attrd_updater", f"""
        echo "$*" >>{one.noted_by}
        [ ! -e {folder}/broken ] || exit 1
        [ ! -e {folder}/hangs ] || exec sleep 100
        case $* in *--query*)
            echo 'name="patroute-reach" host="hap1" value="main/x"'
            echo 'name="patroute-reach" host="hap2" value="main/y main/z"'
        esac
    """)
    yield one
    one.end()


def attributes(ra):
    """What was told since the last time, without the questions."""
    text = ra.noted_by.read_text() if ra.noted_by.exists() else ""
    ra.noted_by.unlink(missing_ok=True)
    return [line for line in text.splitlines() if "--query" not in line]


FORGOTTEN = ["--name patroute-reach --private --delete",
             "--name patroute-health --delay 5s --delete"]


def test_d1_the_health_of_a_host(told):
    """A recurring monitor tells it; no prober to ask is none."""
    pid = told.started()
    assert told.probe() == OK and attributes(told) == []
    assert told("monitor") == OK
    reach, health = attributes(told)
    assert reach == "--name patroute-reach --private --update "
    assert health.startswith("--name patroute-health --delay 5s --update ")
    assert 0 <= int(health.split()[-1]) <= 100
    os.kill(pid, signal.SIGSTOP)
    assert told("monitor") == FAILED and attributes(told) == FORGOTTEN
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_there(pid), "dead")
    assert told("monitor") == STOPPED and attributes(told) == FORGOTTEN
    assert told("stop") == OK and attributes(told) == FORGOTTEN


def test_d2_other_hosts_are_compared_with(told):
    """Their members reach the prober, ours do not; what it says goes out."""
    binary = told.parameters["binary"]
    told.parameters["binary"] = told.folder / "patroute-prober"
    told.parameters["binary"].symlink_to(binary)
    told.started()
    told.parameters["binary"] = told.folder / "says"
    told.parameters["binary"].write_text(f"""#!/bin/sh
        cat >{told.folder}/heard
        printf '0\\nmain/z is out of reach\\nmain/a b" main/*\\n'
    """)
    told.parameters["binary"].chmod(0o755)
    assert told("monitor") == OK
    assert (told.folder / "heard").read_text() == "main/y main/z\n"
    assert attributes(told) == [
        '--name patroute-reach --private --update main/a b" main/*',
        "--name patroute-health --delay 5s --update 0"]
    told.parameters["binary"] = binary


def test_d3_the_clusters_tool_fails(told):
    """Nothing else does, and nothing waits for it for long."""
    told.started()
    for how in ("broken", "hangs"):
        (told.folder / how).touch()
        answer, took = timed(lambda: told("monitor"))
        assert answer == OK and took < 10 * SLOW
        (told.folder / how).unlink()
    assert told("stop") == OK
