"""Makes every mount private in a chroot, then runs a command.

usage: python3 -m patroute_lab.private_root CMD...
Must run in a fresh mount namespace that is a copy of the machine's.

In a chroot whose root is no mount point `mount --make-rprivate /` fails,
and what a host mounts would show in the machine outside. The mount that
holds the chroot is out of reach by any path, so this process leaves the
chroot (in its own copy of the mounts only), does it there, and returns.
"""

import ctypes
import os
import sys
import tempfile

MS_REC = 0x4000
MS_PRIVATE = 1 << 18
DEEPER_THAN_ANY_PATH = 1024


def main():
    """Leaves, makes private, returns, and becomes the command."""
    libc = ctypes.CDLL(None, use_errno=True)
    here = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    step = tempfile.mkdtemp(dir="/run")
    os.chroot(step)
    os.fchdir(here)
    os.rmdir(step.lstrip("/"))
    for _ in range(DEEPER_THAN_ANY_PATH):
        os.chdir("..")
    os.chroot(".")
    failed = libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    number = ctypes.get_errno()
    os.fchdir(here)
    os.chroot(".")
    os.close(here)
    if failed:
        sys.exit(f"private_root: {os.strerror(number)}")
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
