"""The table of distributions, from made runs."""

import copy

import measures
import table
from made import switchover


def test_distribution():
    assert table.distribution([], "s") == "–"
    assert table.distribution([None], "s") == "–"
    assert table.distribution([0.25], "s") == "250 ms"
    assert table.distribution([3.0, 1.5, 2.0], "s") == "2.0 s (1.5 s–3.0 s)"
    assert table.distribution([0, 4, 4, 9], "") == "4 (0–9)"
    assert table.distribution([1.0, None], "s") == "1.0 s, 1× none"


def runs():
    """Three runs, of which the last is invalid and would show."""
    good = measures.summary(switchover().history())
    bad = copy.deepcopy(good)
    bad["invalid"] = ["late"]
    bad["targets"][0]["writable"] = 99.0
    return [good, copy.deepcopy(good), bad]


def test_rows_leave_the_invalid_out_and_say_so():
    rows = table.rows(runs())
    assert [row[:3] for row in rows] == [
        ["switchover", "w", "2 (+1 invalid)"],
        ["switchover", "r", "2 (+1 invalid)"]]
    assert rows[0][3:5] == ["1.5 s", "4 ms"]


def test_both_shapes_hold_all_cells():
    rows = table.rows(runs())
    for text in (table.markdown(runs()), table.plain(runs())):
        assert all(cell in text for row in rows for cell in row)
