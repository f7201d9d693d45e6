"""Who answers for the VIP, and who has it, every 20 ms.

From the lab's bridge, which has no address, goes an ARP probe of the kind
that `arping -D` sends: its sender's address is 0.0.0.0, so that nobody learns
anything by it, and every host that has the VIP and hears the question says
so. Beside that the kernels of the load balancers are asked, by /proc, whether
they have the address: one that is cut off has it still.
"""

import socket
import struct
import threading
import time

from patroute_lab import hosts, netns, pacemaker

EVERY = 0.02
# A host answers within a millisecond; a busy machine takes longer.
PATIENCE = 0.015
ETH_ARP = 0x0806
BROADCAST = b"\xff" * 6


def _probe(mac):
    return (BROADCAST + mac + struct.pack("!HHHBBH", ETH_ARP, 1, 0x0800, 6,
                                          4, 1)
            + mac + bytes(4) + bytes(6) + socket.inet_aton(hosts.VIP))


def _answer(frame, mac):
    """The MAC of whoever says that it has the VIP; None: something else."""
    if frame[:6] != mac or frame[20:22] != b"\x00\x02" \
            or frame[28:32] != socket.inet_aton(hosts.VIP):
        return None
    return frame[22:28]


class Watch:
    """with Watch(lab) as w: …; then `samples`: (instant in ns, names that
    answered, names that had it)."""

    def __init__(self, lab):
        self.lab = lab
        self.samples = []
        self._names = {bytes.fromhex(host.mac.replace(":", "")): host.name
                       for host in pacemaker.members(lab)}
        with netns.inside(netns.switch(lab.name)):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                         socket.htons(ETH_ARP))
            self._socket.bind(("br0", ETH_ARP))
        self._mac = self._socket.getsockname()[4]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._over.set()
        self._thread.join(5)
        self._socket.close()

    def _run(self):
        while not self._over.is_set():
            begin = time.monotonic()
            answered = self._ask(begin + PATIENCE)
            self.samples.append((time.monotonic_ns(), answered,
                                 set(pacemaker.holders(self.lab))))
            time.sleep(max(0.0, begin + EVERY - time.monotonic()))

    def _ask(self, until):
        self._socket.send(_probe(self._mac))
        found = set()
        while (left := until - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                mac = _answer(self._socket.recv(2048), self._mac)
            except socket.timeout:
                break
            if mac is not None:
                found.add(self._names.get(mac, mac.hex()))
        return found


def span_ms(samples, since, which, true):
    """For how long true(names) held, after the instant `since`: each sample
    stands for the time up to the next. which: 1 answered, 2 had it."""
    found = sum(b[0] - max(a[0], since)
                for a, b in zip(samples, samples[1:])
                if b[0] > since and true(a[which]))
    return round(found / 1e6, 1)
