"""How a command within a host reaches the machine outside of it.

A process cannot leave its pid namespace, so the command in the host
passes its words and its stdin, stdout and stderr to the lab's daemon
(daemon.py) over a unix socket, and the daemon runs the command outside.
One message goes in, {"args", "cwd", "env"} with three descriptors; then
{"signal": N} for each signal; one comes out, {"status": N}.
"""

import json
import os
import signal
import socket
import sys

from . import state

MESSAGE_MAX = 1 << 18
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def knock(args):
    """Has the daemon run these words; the exit status."""
    door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MESSAGE_MAX)
    try:
        door.connect(f"{state.INSIDE}/socket")
    except OSError as why:
        print(f"lab: the lab's daemon does not answer ({why.strerror}): "
              "`lab up` outside of the hosts", file=sys.stderr)
        return 1
    request = {"args": args, "cwd": os.getcwd(), "env": dict(os.environ)}
    socket.send_fds(door, [json.dumps(request).encode()], [0, 1, 2])
    for number in SIGNALS:
        signal.signal(number, lambda number, _: door.send(
            json.dumps({"signal": number}).encode()))
    answer = door.recv(MESSAGE_MAX)
    if not answer:
        print("lab: the lab's daemon went away", file=sys.stderr)
        return 1
    return json.loads(answer)["status"]
