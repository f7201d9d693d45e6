"""Fixtures: a running lab for every end-to-end test.

`lab` is a whole and healthy lab (LAB_NAME, default "lab"): one that is up
already is used and left up; otherwise it is brought up, with the options
in LAB_SET ("ttl=20 checks=tuned"), and taken down at the end. Pacemaker
leaves its load balancers alone, so that what a test kills stays so, but for
tests that are marked pacemaker.
"""

import os
import sys
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
LAB_DIR = os.path.join(os.path.dirname(HERE), "lab")
sys.path[:0] = [LAB_DIR, os.path.join(os.path.dirname(HERE), "meter")]

from patroute_lab import Lab  # noqa: E402 (its folder is only known now)


def pytest_configure(config):
    """The markers that these tests know."""
    config.addinivalue_line("markers", "slow: run by hand")
    config.addinivalue_line(
        "markers", "pacemaker: it watches the load balancers, and starts, "
        "stops and moves what it has to")


@pytest.fixture(scope="session")
def session_lab():
    """The lab, up for the whole session."""
    lab = Lab()
    found = lab.complete
    if not found or lab.trouble():
        lab.up([] if found else os.environ.get("LAB_SET", "").split())
    yield lab
    if not found:
        lab.down()


@pytest.fixture
def lab(session_lab, request):
    """The lab, healthy before each test; what it broke is repaired."""
    make_healthy(session_lab, request)
    return session_lab


def make_healthy(lab, request):
    """Repairs the lab, with Pacemaker in charge or not, as the test has
    it; for fixtures that begin before `lab`."""
    managed = request.node.get_closest_marker("pacemaker") is not None
    if lab.trouble() or (managed and lab.is_by_hand):
        lab.up()
    if not managed:
        lab.by_hand()


@pytest.fixture
def wait_until():
    """wait_until(what, seconds, question): polls, fails with `what`."""
    def wait(what, seconds, question):
        end = time.monotonic() + seconds
        while True:
            answer = question()
            if answer:
                return answer
            if time.monotonic() > end:
                pytest.fail(f"{what}: not within {seconds} s")
            time.sleep(0.05)
    return wait


@pytest.fixture(scope="session")
def lab_command():
    """The path of the command `lab`."""
    return os.path.join(LAB_DIR, "lab")
