"""
A turn of the agent's loop is short, whoever wants what at once: those who do
not ask much are answered in between.
"""
import select
import socket

import pytest

from spoa_lib import Spop, folder, paused, route
from spoa_protocol import NORMAL
from spoa_tls import Site, client_hello
from wire_lib import unstalled, wait_until

__all__ = ["folder"]

STRANGERS = 200


@pytest.fixture
def site(folder):
    with Site(folder) as s:
        yield s


def answers_between(site):
    """How often a connection of this host is answered while strangers, who
    have all said their ClientHello at once, get the agent's certificate."""
    c = Spop(site.agent.socket)
    strangers = []
    waiting = select.epoll()
    with paused(site.agent):
        for _ in range(STRANGERS):
            s = socket.create_connection(("127.0.0.1", site.port))
            s.sendall(client_hello(3))
            waiting.register(s, select.EPOLLIN | select.EPOLLONESHOT)
            strangers.append(s)
        c.send(route(1))
    answers, left = 0, STRANGERS
    while left > 0:
        assert c.next().vars == NORMAL
        left -= len(waiting.poll(0))
        answers += left > 0
        c.send(route(1))
    for s in [c, *strangers, waiting]:
        s.close()
    print(f"answers={answers}")
    return answers


def test_handshakes_share_the_loop(site):
    """Half a millisecond each: in one turn they would be a tenth of a second.
    At eight a turn they are 25 turns."""
    answers = unstalled(lambda: answers_between(site), lambda n: n >= 10, 0.02,
                        tries=20)
    assert answers >= 10
    # By the watchdog's word, too, in processor time.
    wait_until(lambda: site.prober.stats and
               site.prober.stats["loop_turns"] > 25, "its stats")
    assert 0 < site.prober.stats["loop_longest_us"] < 20_000
    assert site.prober.stats["loop_slow"] == 0
