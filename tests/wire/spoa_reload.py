"""
A new HAProxy process behind the agent, before its checks of the servers have
answered: every server counts as up then.
"""
import signal
import time

import pytest

from spoa_haproxy import (N1, N2, N3, Site, connect, folder, namespace,
                          several)
from spoa_lib import wait_until

__all__ = ["folder", "namespace"]


class SlowToCheck(Site):
    """A new process stays for seconds as it is before the servers' checks,
    and no stall of the machine is a check that failed."""

    def text_of(self, name):
        text = super().text_of(name)
        if name == "patroute.cfg":
            for old in ("timeout check 500ms", "timeout check 200ms"):
                assert text.count(old) == 1
                text = text.replace(old, "timeout check 30s")
        return text

    def pid(self):
        return next(line for line in self.cli("show info").splitlines()
                    if line.startswith("Pid:"))

    def reload_unchecked(self):
        """A new process; the prober has yet to answer for the servers."""
        old = self.pid()
        self.checked.clear()
        self.haproxy.send_signal(signal.SIGUSR2)
        wait_until(lambda: self.pid() != old, "the new process", 10)

    def is_unchecked(self):
        return all(state.startswith("UP")
                   for state in self.servers("main_write").values())


@pytest.fixture
def slow_to_check(folder):
    site = SlowToCheck(folder)
    site.agent.write(hold_timeout="9s")
    with site:
        yield site


def test_a1_before_the_first_checks_nobody_guesses(slow_to_check):
    """Whom a slow agent has told nothing within 100 ms waits for it, writers
    and readers."""
    site = slow_to_check
    site.reload_unchecked()
    site.agent.process.send_signal(signal.SIGSTOP)
    waiting = [several(port, 6) for port in (5000, 5001)]
    time.sleep(0.3)
    site.agent.process.send_signal(signal.SIGCONT)
    for threads, _ in waiting:
        for t in threads:
            t.join()
    assert site.is_unchecked()
    site.checked.set()
    writes, reads = [{who for who, _ in out} for _, out in waiting]
    assert writes == {N1}
    assert reads <= {N2, N3}


def test_a2_a_reload_without_the_prober(slow_to_check):
    """Nobody waits for an agent that knows nothing: the third way at once,
    though the servers count as up."""
    site = slow_to_check
    site.usable = False
    site.prober.stop()
    wait_until(lambda: "fresh=no" in site.agent.text(), "stale", 8)
    site.reload_unchecked()
    wait_until(lambda: site.servers("main_prober")["prober"] == "DOWN",
               "the prober's check")
    wait_until(lambda: [site.servers(f"main_classic_{kind}")[server]
                        for kind, server in (("write", N2), ("write", N3),
                                             ("read", N1))] == ["DOWN"] * 3,
               "Patroni's checks")
    for port, right in ((5000, {N1}), (5001, {N2, N3})):
        took = [connect(port) for _ in range(4)]
        assert {who for who, _ in took} <= right
        assert max(s for _, s in took) < 1      # who waits, waits for 2 s
    assert site.is_unchecked()
    site.checked.set()
