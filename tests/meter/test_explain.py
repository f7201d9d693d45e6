"""Which lines of HAProxy's log belong to which lines of a history."""

import datetime

import explain
from history import MS, S
from made import Made

CLIENT = "192.168.34.50"
NOON = int(datetime.datetime(2026, 11, 21, 12).timestamp()) * S


def log(port, at, text="main_write/n1", client=CLIENT):
    """A line of HAProxy's."""
    return (f"<134>Nov 21 12:00:09 haproxy[7]: {client}:{port} "
            f"[21/Nov/2026:{at}] write {text} 0/0/4 99 -- 1/1/1\n")


def test_lines_of_the_log_by_port_and_time():
    text = (log(4000, "12:00:01.000", "found") +
            log(4000, "12:00:31.000", "the same port later") +
            log(4001, "12:00:01.000", "another port") +
            log(4000, "12:00:01.000", "another client", "192.168.34.51") +
            "<133>Nov 21 12:00:02 haproxy[7]: Server x is DOWN\n")
    got = explain.router_lines(text, CLIENT, {(4000, 1500 * MS)}, NOON)
    assert len(got) == 1 and "found" in got[0]


def test_connections_are_those_with_a_port_and_a_start():
    made = Made()
    line = made.tried(10, "w", "a", port=4000)
    close = {"ev": "close", "label": "w"}
    assert explain.connections([line, close]) == {(4000, 10 * MS)}


def test_suspects_failed_went_wrong_or_were_slow():
    made = Made()
    made.event(0)
    made.traffic(0, 3000, "w", "a")
    made.traffic(0, 3000, "r", "b")
    failed = made.tried(100, "w", rc="reset")
    wrong = [made.tried(200, "w", "b", rec=True),
             made.tried(300, "r", "a", rec=False)]
    slow = made.tried(2500, "w", "a", took=900)
    other = made.tried(2600, "cw", "a", took=1900)
    got = explain.suspects(made.history(), ["w", "r"])
    assert all(each in got for each in [failed, *wrong, slow])
    assert other not in got and len(got) < 20
    assert got == sorted(got, key=lambda t: t["start"])
