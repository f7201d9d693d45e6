"""usage: python3 -m patroute_lab.daemon LAB_NAME

Runs outside of the hosts, from `up` to `down`, and serves door.py: one
thread and one child a request. The child is the command `lab` itself, in
a session of its own, so that `down` outlives the daemon that it ends.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading

from . import state
from .door import MESSAGE_MAX
from .machine import LAB_DIR


def _start(request, fds, name):
    cwd = request["cwd"] if os.path.isdir(request["cwd"]) else "/"
    env = {**request["env"], "LAB_NAME": name, "PYTHONPATH": LAB_DIR,
           "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(
        ["/usr/bin/python3", "-m", "patroute_lab"] + request["args"],
        stdin=fds[0], stdout=fds[1], stderr=fds[2], cwd=cwd, env=env,
        start_new_session=True)


def _follow(client, child):
    """Passes signals on; a client that is gone ends its command."""
    while True:
        try:
            message = client.recv(MESSAGE_MAX)
        except OSError:
            message = b""
        number = json.loads(message)["signal"] if message else signal.SIGTERM
        if child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, number)
        if not message:
            return


def _serve(client, name):
    with client:
        try:
            data, fds, _, _ = socket.recv_fds(client, MESSAGE_MAX, 3)
        except OSError:
            return
        if not data or len(fds) != 3:
            return
        child = _start(json.loads(data), fds, name)
        for fd in fds:
            os.close(fd)
        threading.Thread(target=_follow, args=(client, child),
                         daemon=True).start()
        status = child.wait()
        with contextlib.suppress(OSError):
            client.send(json.dumps(
                {"status": status if status >= 0 else 128 - status}
            ).encode())


def main():
    """Listens until it is killed."""
    paths = state.Paths(sys.argv[1])
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    fresh = f"{paths.socket}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(fresh)
    listener.bind(fresh)
    os.chmod(fresh, 0o600)
    listener.listen(64)
    os.rename(fresh, paths.socket)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=_serve, args=(client, paths.name),
                         daemon=True).start()


if __name__ == "__main__":
    main()
