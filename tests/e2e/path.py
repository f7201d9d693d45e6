"""What the tests of the path share: targets, runs, what is demanded."""

import json

import measures
from meter import Target

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


def numbers(history):
    """{label: numbers} of a run that may be judged."""
    found = measures.summary(history)
    assert found["invalid"] == []
    return {each["label"]: each for each in found["targets"]}


def curl(lab, host, path):
    """What the prober of that host answers over HTTP."""
    return lab.exec(host, ["curl", "-sS", "--max-time", "2",
                           f"http://127.0.0.1:7100{path}"]).stdout


def topology(lab, hap="hap1"):
    """All that that host's prober says."""
    return json.loads(curl(lab, hap, "/topology"))


def verdict(lab, hap="hap1"):
    """The cluster, as that host's prober has it."""
    return topology(lab, hap)["clusters"][0]
