"""
How well a host routes, by the prober itself: with a real HAProxy and a real
etcd that go, scripted members, and what other hosts say that they reach.
"""
import subprocess
import threading

from prober_lib import (PROBER, Agent, HAProxy, Prober, folder, own_cluster,
                        wait_until)

__all__ = ["folder", "own_cluster"]


def asked(prober, others=""):
    """Its three lines, as a monitor gets them."""
    done = subprocess.run([PROBER, "-c", prober.conf, "--health"],
                          input=others, text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")
    score, why, reach = done.stdout.splitlines()
    return int(score), why, reach


def pinging(agent, over):
    agent.seen(agent.until(Agent.SNAPSHOT))
    while not over.wait(0.3):
        agent.ping(1)


def test_a1_one_after_the_other_goes(folder, own_cluster):
    with Prober(folder, own_cluster.etcd.port) as p:
        h = HAProxy(folder, p, own_cluster)
        over = threading.Event()
        agent = Agent(p.feed)
        thread = threading.Thread(target=pinging, args=(agent, over))
        thread.start()

        def is_(score, why, reach="main/node1 main/node2 main/node3", **more):
            wait_until(lambda: asked(p, **more) == (score, why, reach),
                       f"{score}, {why}", 15)

        # The first seconds say nothing bad of what has not been heard.
        assert asked(p)[0] == 100
        is_(100, "")
        wait_until(lambda: p.topology()["uptime_ms"] > 4000,
                   "no grace")
        assert asked(p)[0] == 100
        # A member that nobody reaches, and one that others do.
        own_cluster.member["node3"].stop()
        two = "main/node1 main/node2"
        is_(100, "", two)
        is_(100, "", two, others=two + "\n" + two)
        is_(0, "main/node3 is out of reach, and other hosts reach it", two,
            others=two + "\n" + "main/node3 main/node1")
        # That nobody leads costs nothing.
        own_cluster.member["node1"].role = "replica"
        own_cluster.etcd.delete("leader")
        wait_until(lambda: p.cluster()["write"] is None, "no leader")
        is_(100, "", two)
        # One that is there and says nothing more.
        over.set()
        thread.join()
        is_(80, "no agent has the verdict", two)
        own_cluster.etcd.stop()
        is_(60, "no agent has the verdict; the DCS is out of reach", two)
        h.stop()
        is_(0, "HAProxy does not answer at its stats socket; "
            "no agent has the verdict; the DCS is out of reach", two)
        agent.close()


def test_b1_none_to_ask(folder):
    prober = Prober(folder)
    done = subprocess.run([PROBER, "-c", prober.conf, "--health"], input="",
                          text=True, capture_output=True)
    assert done.returncode == 1 and done.stdout == ""
    assert "--health: Connection refused" in done.stderr
    prober.conf.write_text("nonsense = 1\n")
    done = subprocess.run([PROBER, "-c", prober.conf, "--health"], input="",
                          text=True, capture_output=True)
    assert done.returncode == 2 and "nonsense" in done.stderr
