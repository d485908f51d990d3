"""Tests: the ui payload of scoring nodes is valid JSON, and not too long for the node."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from clip_grid.nodes.scores.results import MAX_LINES, json_text, json_value, shown_text


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (float("nan"), None),
        (float("-inf"), None),
        (np.float32("nan"), None),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (True, True),
        (None, None),
        ("ä", "ä"),
        (Path("a/b.png"), str(Path("a/b.png"))),
        ((1, [2.0, float("nan")]), [1, [2.0, None]]),
        ({1: {"a": np.float64(1)}}, {"1": {"a": 1.0}}),
    ],
)
def test_values_become_plain_json(value, wanted):
    made = json_value(value)

    assert made == wanted and type(made) is type(wanted)
    assert json.loads(json_text(value)) == wanted


def test_long_lists_are_shown_in_part_and_notes_always():
    text = shown_text([str(number) for number in range(MAX_LINES + 2)], ["a note"])

    assert text.splitlines()[-3:] == [str(MAX_LINES - 1), "and 2 more; the report has all of them", "a note"]
    assert shown_text(["one"]) == "one"
