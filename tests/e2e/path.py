"""What the tests of the path share: targets, runs, what is demanded."""

import contextlib
import json
import time
import warnings

import explain
import measures
import pytest
from meter import Target
from patroute_lab import hosts
from patroute_lab.state import read

OURS = ("write", "read")
CLASSIC = ("classic-write", "classic-read")
CONTROL = dict(zip(OURS, CLASSIC))


def targets(every_ms=40, mixed=False):
    """patroute's ports and, for the control, the stock classic ones."""
    found = [Target("write", 5000, "write", every_ms=every_ms),
             Target("read", 5001, "read", every_ms=every_ms),
             Target("classic-write", 5100, "write", every_ms=every_ms),
             Target("classic-read", 5101, "read", every_ms=every_ms)]
    if mixed:
        found.append(Target("mixed", 5002, "write", every_ms=every_ms,
                            ssl="disable", options="-c patroute.target="
                            "primary"))
    return found


RUNS = 3


def measured(run):
    """run()'s history; made again, at most twice, while the machine stood
    still in it: what a router does then proves nothing."""
    for n in range(1, RUNS + 1):
        h = run()
        why = measures.invalid(h)
        if not measures.is_only_stalled(why):
            return h
        # A warning: pytest shows it on stdout after a test that passed, too.
        warnings.warn(f"run {n} of at most {RUNS} proves nothing: {why[0]}")
    pytest.fail(f"the machine stood still in each of {RUNS} runs")


@contextlib.contextmanager
def explained(lab, h, labels, host=None):
    """What is asserted within is explained if it fails: by what the routers
    of that host (the VIP's) logged of the connections in question."""
    try:
        yield
    except AssertionError as why:
        host = host or lab.status()["vip"] or "hap1"
        lines = getattr(why, "lines", None) or explain.suspects(h, labels)
        wall_ns = time.time_ns() - time.monotonic_ns()
        text = read(lab.machine(host).log_file("haproxy"))
        print("the connections in question, as the meter saw them:",
              *lines, f"and as haproxy on {host} did:",
              *explain.router_lines(text, lab.host(hosts.CLIENT).address,
                                    explain.connections(lines), wall_ns),
              *(lab.log(host, name) for name in ("prober", "agent")),
              sep="\n")
        raise


def numbers(history):
    """{label: numbers} of a run that may be judged."""
    found = measures.summary(history)
    assert found["invalid"] == []
    return {each["label"]: each for each in found["targets"]}


def curl(lab, host, path):
    """What the prober of that host answers over HTTP."""
    return lab.exec(host, ["curl", "-sS", "--max-time", "2",
                           f"http://127.0.0.1:7100{path}"]).stdout


def topology(lab, hap=None):
    """All that that host's prober says; the VIP's, if none is named."""
    return json.loads(curl(lab, hap or lab.vip(), "/topology"))


def verdict(lab, hap=None):
    """The cluster, as that host's prober (the VIP's) has it."""
    return topology(lab, hap)["clusters"][0]
