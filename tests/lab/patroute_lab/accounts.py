"""The user patroute, which the machine need not have: a load balancer's own
/etc/passwd has it, and no other host's."""

import os

from .state import write

USER, GROUP = "patroute", "haproxy"
USER_ID = 64099                  # outside of Debian's own ranges


def prepare(folder):
    """Writes the host's passwd below its folder `etc`."""
    rows = [line for line in _lines("/etc/passwd")
            if not line.startswith(USER + ":")]
    rows.append(f"{USER}:x:{USER_ID}:{_group()}::/nonexistent:"
                "/usr/sbin/nologin")
    write(os.path.join(folder, "passwd"), "\n".join(rows) + "\n")


def _group():
    """HAProxy's group, which its package made."""
    return next(line.split(":")[2] for line in _lines("/etc/group")
                if line.startswith(GROUP + ":"))


def _lines(path):
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()
