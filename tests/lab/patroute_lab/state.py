"""Where a lab keeps its things, and who may change them: one at a time."""

import contextlib
import fcntl
import json
import os
import re

from . import settings
from .errors import LabError

INSIDE = "/run/patroute-lab"     # the lab's folder as seen within a host
LOCK_WAIT = 300.0


class Paths:
    """The files of the lab of that name."""

    def __init__(self, name):
        # Part of device names' and namespaces' names: keep it short.
        if not re.fullmatch(r"[a-z][a-z0-9]{0,15}", name):
            raise LabError(f'LAB_NAME "{name}": expected at most 16 small '
                           "letters and digits, a letter first")
        self.name = name
        self.state = f"/run/patroute-{name}"
        self.data = f"/var/lib/patroute-{name}"
        self.lock = f"/run/patroute-{name}.lock"
        self.settings = f"{self.state}/settings.json"
        self.complete = f"{self.state}/complete"
        self.going = f"{self.state}/going"      # a `down` began
        self.shared = f"{self.state}/shared"    # seen by hosts at INSIDE
        self.socket = f"{self.shared}/socket"

    def host(self, host, *parts):
        """A path in the host's own part of the state."""
        return os.path.join(self.state, "hosts", host.name, *parts)

    def host_data(self, host, *parts):
        """A path in the host's part of the data: its disk."""
        return os.path.join(self.data, host.name, *parts)


def write(path, text, mode=0o644):
    """Writes a whole file or none: a killed writer leaves no half one."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    fresh = f"{path}.new"
    with open(fresh, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
    os.replace(fresh, path)


def read(path):
    """A file's text, "" if there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def read_settings(paths):
    """The settings that the lab was brought up with, or None. A lab that
    an older checkout made has none of the newer options."""
    text = read(paths.settings)
    return {**settings.resolve([]), **json.loads(text)} if text else None


@contextlib.contextmanager
def locked(paths, wait, say):
    """Holds the lab's lock. `down` removes the file while it holds it,
    so whoever waited for it looks whether it is still the one."""
    fd = _lock(paths, wait, say)
    try:
        yield
    finally:
        os.close(fd)


def _lock(paths, wait, say):
    said = False
    while True:
        fd = os.open(paths.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC,
                     0o600)
        if not _try_lock(fd):
            if not said:
                say("another command is at work on this lab: waiting")
                said = True
            if not wait.wait_step():
                os.close(fd)
                raise LabError(f"the lab is busy: {paths.lock} is held")
            os.close(fd)
            continue
        with contextlib.suppress(FileNotFoundError):
            if os.stat(paths.lock).st_ino == os.fstat(fd).st_ino:
                return fd
        os.close(fd)


def _try_lock(fd):
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
