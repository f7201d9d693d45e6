"""
/metrics: each line as Prometheus' text format has it, and what it counts.
"""
import json
import re
import shutil
import struct
import subprocess

from prober_feed import prober
from prober_lib import Agent, cluster, folder, shared_cluster, wait_until

__all__ = ["cluster", "folder", "prober", "shared_cluster"]

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)?\}})? (\S+)")
TYPES = ("counter", "gauge", "histogram")
STALE = 2 ** 32 - 1


def parse(text):
    """{(name, labels): value}; fails on what the format does not allow."""
    found, family, seen = {}, None, set()
    assert text.endswith("\n")
    lines = iter(text[:-1].split("\n"))
    for line in lines:
        if line.startswith("# HELP "):
            family = line.split()[2]
            assert family not in seen and len(line.split()) > 3
            seen.add(family)
            kind = next(lines).split()
            assert kind[:3] == ["#", "TYPE", family] and kind[3] in TYPES
            assert (kind[3] == "counter") == family.endswith("_total")
            continue
        name, labels, value = SAMPLE.fullmatch(line).groups()
        suffix = name.removeprefix(family)
        assert suffix == "" or (kind[3] == "histogram" and suffix in (
            "_bucket", "_sum", "_count")), line
        key = name, tuple(sorted(re.findall(LABEL, labels or "")))
        assert key not in found, line
        found[key] = float(value)
    return found


def metrics(prober):
    status, body = prober.get("/metrics")
    assert status == 200
    return parse(body.decode())


def value(found, name, **labels):
    return found.get((f"patroute_{name}", tuple(sorted(
        f"{k}={json.dumps(str(v))}" for k, v in labels.items()))))


def test_a_members_and_verdict(prober):
    wait_until(lambda: prober.get("/healthz")[0] == 200, "all were heard of")
    m = metrics(prober)
    main = {"cluster": "main"}
    assert value(m, "loop_turns_total") > 0
    assert value(m, "loop_longest_seconds") > 0
    assert value(m, "loop_slow_turns_total") is not None
    assert value(m, "cluster_usable", **main) == 1
    assert value(m, "cluster_has_target", **main) == 1
    assert value(m, "cluster_verdict", why="leader", **main) == 1
    assert value(m, "cluster_verdict_changes_total", **main) >= 1
    assert 0 <= value(m, "cluster_evidence_age_seconds", **main) < 60
    assert 0 <= value(m, "cluster_dcs_age_seconds", **main) < 60
    for name, write in (("node1", 1), ("node2", 0), ("node3", 0)):
        one = {"member": name, **main}
        assert value(m, "member_write", **one) == write
        assert value(m, "member_read", **one) == 1 - write
        assert value(m, "member_live", **one) == 1
        assert value(m, "member_lag_bytes", **one) == 0
        assert value(m, "member_evidence_age_seconds", source="rest",
                     **one) < 60
        # No probe_user: SQL was never asked, and that is no age.
        assert value(m, "member_evidence_age_seconds", source="sql",
                     **one) is None


def test_b_an_agents_counters(prober):
    assert value(metrics(prober), "held_total", agent=0) is None
    agent = Agent(prober.feed)
    agent.until(Agent.SNAPSHOT)
    head = list(range(101, 119))              # decisions … latency_sum_us
    latency = [0] * 24
    latency[0], latency[5], latency[23] = 1, 2, 4
    agent.send(Agent.STATS, struct.pack(">42Q4I4Q", *head, *latency, 7, 1500,
                                        8, 250, 9, 12000, 1001, 3))
    m = wait_until(lambda: value(metrics(prober), "held_total", agent=0)
                   and metrics(prober), "counted")
    for outcome, n in (("write", 102), ("read", 103), ("fallback", 104),
                       ("desk", 106), ("undecided", 107)):
        assert value(m, "decisions_total", agent=0, outcome=outcome) == n
    assert value(m, "asked_total", agent=0) == 101
    assert value(m, "held_total", agent=0) == 105
    assert value(m, "min_lsn_waited_total", agent=0) == 108
    assert value(m, "min_lsn_late_total", agent=0) == 109
    for i, kind in enumerate(("bad", "unread", "chosen", "replication",
                              "cancel")):
        assert value(m, "startup_total", agent=0, kind=kind) == 110 + i
    assert value(m, "spop_frames_bad_total", agent=0) == 115
    assert value(m, "spop_connections_total", agent=0) == 116
    assert value(m, "spop_hello_rejected_total", agent=0) == 117
    assert value(m, "hold_connections", **{"agent": 0, "for": "server"}) == 7
    assert value(m, "hold_connections", **{"agent": 0, "for": "lsn"}) == 8
    assert value(m, "hold_longest_seconds", agent=0) == 1.5
    assert value(m, "snapshot_age_seconds", agent=0) == 0.25
    assert value(m, "answers_lost_total", agent=0) == 9
    assert value(m, "agent_loop_longest_seconds", agent=0) == 0.012
    assert value(m, "agent_loop_turns_total", agent=0) == 1001
    assert value(m, "agent_loop_slow_turns_total", agent=0) == 3
    buckets = [value(m, "decision_seconds_bucket", agent=0, le=le)
               for le in ("1e-06", "1.6e-05", "3.2e-05", "4.194304", "+Inf")]
    assert buckets == [1, 1, 3, 3, 7]
    assert value(m, "decision_seconds_count", agent=0) == 7
    assert value(m, "decision_seconds_sum", agent=0) == 118e-6
    agent.send(Agent.STATS, struct.pack(">42Q4I", *[0] * 44, 0, STALE))
    wait_until(lambda: value(metrics(prober), "snapshot_age_seconds",
                             agent=0) is None, "an age that is none")


def test_c_promtool_agrees(prober):
    """By hand: its package is large."""
    tool = shutil.which("promtool")
    agent = Agent(prober.feed)
    agent.until(Agent.SNAPSHOT)
    agent.stats(11, 5, 3)
    wait_until(lambda: value(metrics(prober), "held_total", agent=0)
               is not None, "counted")
    body = prober.get("/metrics")[1]
    assert tool is not None, "promtool is missing: tests/install slow"
    done = subprocess.run([tool, "check", "metrics"], input=body,
                          capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_d_a_hostile_name_is_escaped(prober, cluster):
    """Whoever may write member keys does not write our labels."""
    name = 'x"} 1\\'
    cluster.etcd.put(f"members/{name.replace(' ', '')}",
                     cluster.member["node2"].key())
    name = name.replace(" ", "")
    try:
        m = wait_until(lambda: [k for k in metrics(prober) if any(
            label.startswith('member="x') for label in k[1])], "its samples")
    finally:
        cluster.etcd.delete(f"members/{name}")
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    assert f'member="{escaped}"' in m[0][1]


def test_b_what_is_counted_of_a_cluster(prober, cluster):
    """Answers by result, roles, the mode; a change of leader."""
    wait_until(lambda: prober.get("/healthz")[0] == 200, "all were heard of")
    m = metrics(prober)
    assert value(m, "probes_total", cluster="main", source="rest",
                 result="ok") >= 3
    for name, role in (("node1", "leader"), ("node2", "replica")):
        assert value(m, "member_role", cluster="main", member=name,
                     role=role) == 1
    assert value(m, "cluster_mode", cluster="main", mode="live") == 1
    for kind in ("hold", "force", "drain"):
        assert value(m, "cluster_orders", cluster="main", kind=kind) == 0
    before = value(m, "cluster_transitions_total", cluster="main")
    cluster.lead("node2")
    wait_until(lambda: value(metrics(prober), "cluster_transitions_total",
                             cluster="main") == before + 1, "a transition")
    assert value(metrics(prober), "events_total") > 0
    assert value(metrics(prober), "reports_total") == 0, "not whole yet"
