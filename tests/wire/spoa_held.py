"""
A burst of held connections whose HAProxy asks the agent by TLS: HAProxy 3.2
opens an SPOP connection, and so makes a handshake, for about each of them. By
hand (label slow): on a machine that does other things too 200 handshakes take
longer than HAProxy waits, and who is not asked for is not held.
PATROUTE_HAPROXY is another HAProxy to try it with.
"""
import os
import time

import pytest

import spoa_haproxy
from spoa_haproxy import N1, N2, N3, connect, namespace, several
from spoa_lib import folder, free_port, wait_until
from spoa_tls import Pki

__all__ = ["folder", "namespace"]

BURST = 200


class Site(spoa_haproxy.Site):
    """The shipped files with what patroute-spoa(8) has for another host."""

    haproxy_command = [os.environ.get("PATROUTE_HAPROXY", "haproxy")]

    def __init__(self, folder):
        super().__init__(folder)
        self.ca = Pki(folder)
        self.port = free_port()
        server = self.ca.issue("server")
        self.client = self.ca.issue("client")
        self.client.chmod(0o644)
        self.agent.keys["listen"] = [f"unix:{self.agent.socket}",
                                     f"tls:127.0.0.1:{self.port}"]
        self.agent.write(hold_timeout="9s", tls_cert=server, tls_key=server,
                         tls_ca=self.ca.path)

    def text_of(self, name):
        text = super().text_of(name)
        for old, new in [
                (f"server agent unix@{self.agent.socket} check",
                 f"server agent 127.0.0.1:{self.port} check ssl verify "
                 f"required verifyhost localhost ca-file {self.ca.path} "
                 f"crt {self.client}"),
                ("timeout connect 100ms", "timeout connect 1s"),
                ("timeout processing 100ms", "timeout processing 500ms")]:
            text = text.replace(old, new)
        return text

    def asked(self):
        return self.prober.stats and self.prober.stats["decisions"] > 0

    def held(self):
        stats = self.prober.stats
        return stats["hold_now"] if stats else 0


@pytest.fixture
def site(folder):
    with Site(folder) as s:
        yield s


def test_held_by_tls_and_released(site):
    """All are held, all are served, and others are answered meanwhile."""
    wait_until(lambda: connect(5000)[0] == N1 and site.asked(), "TLS", 5)
    site.tell_nobody()
    fds = site.agent.fds()
    threads, out = several(5000, BURST)
    wait_until(lambda: site.held() == BURST, "all are held", 5)
    print(f"{site.agent.fds() - fds} SPOP connections more")
    assert connect(5001)[0] in (N2, N3)
    began = time.monotonic()
    site.tell(N2)
    for t in threads:
        t.join()
    print(f"released in {time.monotonic() - began:.2f} s")
    assert [who for who, _ in out] == [N2] * BURST
