"""Patroni's REST API of a host answers late: a proxy before it that lets
every connection wait, for the load balancers alone."""

import contextlib
import socket
import threading

PORT = 18008


class _Proxy:
    def __init__(self, lab, host, delay):
        self.lab, self.host, self.delay = lab, host, delay
        self.waited = 0
        self.over = threading.Event()
        with lab.inside(host):
            self.server = socket.create_server(("0.0.0.0", PORT))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.server.accept()
                threading.Thread(target=self._relay, args=[client],
                                 daemon=True).start()

    def _relay(self, client):
        with contextlib.suppress(OSError), client:
            if self.over.wait(self.delay):
                return
            self.waited += 1
            with self.lab.inside(self.host):
                patroni = socket.create_connection(("127.0.0.1", 8008), 5)
            with patroni:
                patroni.sendall(client.recv(65536))
                while piece := patroni.recv(65536):
                    client.sendall(piece)

    def close(self):
        """No more; shutdown() ends the accept() under way."""
        self.over.set()
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()


@contextlib.contextmanager
def slow_rest(lab, host, delay):
    """Gives the proxy, whose `waited` counts."""
    rules = [["PREROUTING", "-t", "nat", "-p", "tcp", "--dport", "8008",
              "-s", hap.address, "-j", "REDIRECT", "--to-ports", str(PORT)]
             for hap in lab.hosts.values() if hap.role == "hap"]
    proxy = _Proxy(lab, host, delay)
    for rule in rules:
        lab.exec(host, ["iptables", "-w", "10", "-A", *rule])
    try:
        yield proxy
    finally:
        for rule in rules:
            lab.exec(host, ["iptables", "-w", "10", "-D", *rule])
        proxy.close()
