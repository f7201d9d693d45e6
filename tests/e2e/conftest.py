"""Fixtures: a running lab for every end-to-end test.

`lab` is a whole and healthy lab (LAB_NAME, default "lab"): one that is up
already is used and left up; otherwise it is brought up, with the options
in LAB_SET ("ttl=20 checks=tuned"), and taken down at the end.
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


@pytest.fixture(scope="session")
def session_lab():
    """The lab, up for the whole session."""
    lab = Lab()
    found = lab.complete
    lab.up([] if found else os.environ.get("LAB_SET", "").split())
    yield lab
    if not found:
        lab.down()


@pytest.fixture
def lab(session_lab):
    """The lab, healthy before each test; what it broke is repaired."""
    if session_lab.trouble():
        session_lab.up()
    return session_lab


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
