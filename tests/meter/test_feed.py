"""The recorder of the feed on a scripted prober."""

import json
import os
import socket
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def test_recorder(tmp_path):
    """It greets, says what it has seen, pings, and writes what came."""
    path, out = str(tmp_path / "feed.sock"), tmp_path / "feed.jsonl"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen()
        process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "feed.py"), path, str(out)],
            stdin=subprocess.PIPE)
        agent, _ = listener.accept()
        agent.settimeout(10)
        assert agent.recv(4096)[:2] == bytes([2, 1])
        members = b"".join(
            bytes([2]) + name + bytes([4]) + b"dc1" + name[-1:] + bytes([0]) +
            struct.pack(">BBBHHIIQQ", role, flags, why, 5432, 100, 7, 3, 9, 99)
            for name, role, flags, why in ((b"n1", 1, 4, 1),
                                           (b"n2", 2, 5, 16)))
        body = struct.pack(">BQQ", 2, 5, 6) + bytes([4]) + b"main" + \
            struct.pack(">bBBBBBIB", 0, 1, 0, 0, 1, 0, 20, 2) + members
        before = time.monotonic_ns()
        agent.send(bytes([2, 2]) + body)
        kinds = {}
        while {3, 4} - set(kinds):
            data = agent.recv(4096)
            kinds[data[1]] = data[2:]
        assert kinds[3] == struct.pack(">QQ", 5, 6) + bytes([4]) + b"main"
        process.stdin.close()
        assert process.wait(10) == 0
        agent.close()
    line = json.loads(out.read_text())
    assert before <= line["at"] <= time.monotonic_ns()
    assert (line["write"], line["why"], line["transition"]) == ("n1", 1, True)
    assert line["members"]["n2"] == {
        "server": "dc12", "role": "replica", "read": True, "why": 16,
        "weight": 100, "tli": 7, "lag_ms": 3, "lsn": 99}
