"""
What the wire tests of both programs share: where the build is, a folder, a
free port, waiting, and a machine that stands still.
"""
import os
import pathlib
import pwd
import shutil
import socket
import tempfile
import threading
import time

import pytest

BUILD = pathlib.Path(os.environ["PATROUTE_BUILD"])
VALGRIND = os.environ.get("PATROUTE_VALGRIND", "").split()
# Under valgrind everything takes longer; bounds stay, multiplied.
SLOW = 10 if VALGRIND else 1
# As root the program must be able to become somebody.
USER = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
GROUP = "nogroup" if os.geteuid() == 0 else USER
COMPLAINTS = ("assert", "Assertion", "runtime error", "AddressSanitizer",
              "LeakSanitizer", "Invalid read", "Invalid write",
              "definitely lost", "ERROR SUMMARY: 1")


@pytest.fixture
def folder():
    """A folder in which the user whom the program becomes may make files."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="patroute-wire-"))
    path.chmod(0o777)
    yield path
    shutil.rmtree(path)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(question, what, seconds=5.0, step=0.01):
    """Asks until the answer is true; gives it."""
    end = time.monotonic() + seconds * SLOW
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < end, f"not in {seconds} s: {what}"
        time.sleep(step)


class Stall:
    """Watches meanwhile how long the machine lets nobody run, in seconds."""

    STEP = 0.01

    def __init__(self):
        self.longest = 0.0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self):
        then = time.monotonic()
        while not self._end.wait(self.STEP):
            now = time.monotonic()
            self.longest = max(self.longest, now - then - self.STEP)
            then = now

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()


def unstalled(attempt, is_good, bound, tries=5):
    """What attempt() gives. What is not good is tried again where the machine
    itself stood still for longer than the bound: no program keeps its time
    then."""
    stalls = []
    for _ in range(tries):
        with Stall() as stall:
            found = attempt()
        if is_good(found) or stall.longest < bound * SLOW:
            return found
        stalls.append(round(stall.longest, 2))
    raise AssertionError(f"the machine stood still each time, s: {stalls}")
