"""How rounds.py judges: on lines made by hand."""

import collections
import json
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e"),
                str(HERE.parent / "meter"), str(HERE.parent / "lab")]

# pylint: disable=wrong-import-position
import rounds  # noqa: E402
import rounds_bounds  # noqa: E402
import rounds_held  # noqa: E402
import rounds_sessions  # noqa: E402
from history import MS  # noqa: E402


def port(**more):
    """What one port went through."""
    return {"attempts": 100, "served": 100, "failed": 0, "misrouted": 0,
            "unfinished": 0, "longest_wait_ms": 9.0, **more}


def line(**more):
    """A switchover in which all went well."""
    return {"invalid": [], "key_to_feed_ms": [["nobody", 1.0], ["b", -0.5]],
            "writable_to_feed_most_ms": 20.0, "first_right_write_ms": 30.0,
            "stall_ms": 1.0, "agent_descriptors": 400,
            "writable_ms": 1500.0, "write": port(), "read": port(), **more}


@pytest.fixture
def judged(tmp_path, capsys):
    """judged(lines, n): (exit status, {what: met})."""
    def judge(lines, n):
        path = tmp_path / "rounds.jsonl"
        path.write_text("".join(json.dumps(each) + "\n" for each in lines))
        status = rounds.main(["switchovers", "--judge", "-n", str(n), "-o",
                              str(path)])
        said = [json.loads(each) for each
                in capsys.readouterr().out.splitlines()]
        return status, {each["what"]: each["met"] for each in said
                        if "what" in each}
    return judge


def test_all_is_well(judged):
    status, met = judged([line()] * 40, 40)
    assert status == 0
    assert met["key to feed, p99 ms"] is True


@pytest.mark.parametrize("what, broken", [
    ("key to feed, p99 ms", {"key_to_feed_ms": [["b", 5.1]]}),
    ("key to feed, p99 ms", {"key_to_feed_ms": [["b", None]]}),
    ("writable to feed, most ms", {"writable_to_feed_most_ms": 40.1}),
    ("writable to feed, most ms", {"writable_to_feed_most_ms": None}),
    ("first right write after writable, most ms",
     {"first_right_write_ms": 51.0}),
    ("descriptors of the agent, most", {"agent_descriptors": 7300}),
    ("write: failed", {"write": port(failed=1)}),
    ("write: unfinished", {"write": port(unfinished=1)}),
    ("read: misrouted", {"read": port(misrouted=1)})])
def test_one_round_breaks_a_bound(judged, what, broken):
    status, met = judged([line()] * 39 + [line(**broken)], 40)
    assert status == 1
    assert met[what] is False


def test_rounds_that_prove_nothing_are_missing(judged):
    lines = [line()] * 39 + [line(invalid=["the machine stood still"])]
    assert judged(lines, 40)[0] == 3
    assert judged([], 40)[0] == 3


def test_quantile():
    assert rounds_bounds.quantile(range(1, 101), 0.99) == 99
    assert rounds_bounds.quantile(range(1, 51), 0.99) == 50
    assert rounds_bounds.quantile([7], 0.5) == 7


def test_order_of_the_held():
    def client(came, served):
        return (0, came * MS, served * MS, "R")
    served = [client(10, 50), client(20, 60), client(30, 70)]
    assert rounds_held.order(served) == 0
    assert rounds_held.order([client(10, 74)] + served[1:]) == 20 * MS
    # Let go in one turn.
    assert rounds_held.order([client(10, 72)] + served[1:]) == 10 * MS
    assert rounds_held.order([client(10, 61)] + served[1:]) == 0


def way(**more):
    """One way's sessions on a former leader."""
    return {"n": 2, "closed_ms": [-9000.0, 3.5], "statements": 40, "late": 0,
            "latest_ms": None, **more}


def death(**more):
    """A death of the leader's host; the classic way is as it may be."""
    return {"invalid": [], "event": "kill", "reloaded": True, "stall_ms": 1.0,
            "write": way(), "mixed": way(),
            "classic-write": way(closed_ms=[700.0, None], late=3), **more}


def met_of(lines):
    """{what: met} of the bounds on sessions."""
    return {what: met for what, _, _, met in rounds_sessions.bounds(lines)}


def test_sessions_that_end_in_time():
    assert False not in met_of([death()] * 5).values()
    said = {what: value for what, value, *_
            in rounds_sessions.bounds([death()] * 5)}
    assert said["kill after reloads: classic: left open"] == 5
    assert said["kill after reloads: ours: closed after the key, most ms"] \
        == 3.5


@pytest.mark.parametrize("what, broken", [
    ("ours: closed after the key, most ms", way(closed_ms=[1.0, 100.1])),
    ("ours: left open", way(closed_ms=[1.0, None])),
    ("ours: statements executed too late", way(late=1))])
def test_one_session_breaks_a_bound(what, broken):
    assert met_of([death()] * 4 + [death(mixed=broken)])[what] is False


def test_sessions_go_on_with_what_is_least_done(tmp_path):
    path = tmp_path / "rounds.jsonl"
    plan = collections.Counter()
    for _ in range(rounds_sessions.SESSIONS.n):
        event, reloaded = rounds_sessions.wanted(path)
        plan[event, reloaded] += 1
        with open(path, "a", encoding="utf-8") as file:
            for why in (["the machine stood still"], []):
                file.write(json.dumps(death(event=event, reloaded=reloaded,
                                            invalid=why)) + "\n")
    assert plan == {(event, reloaded): n for event, n
                    in rounds_sessions.WANTED.items()
                    for reloaded in (False, True)}
