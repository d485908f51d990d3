"""Messages say 1 picture and 2 pictures."""

from __future__ import annotations

import pytest
from clip_grid.plurals import counted


@pytest.mark.parametrize(
    ("number", "things", "told"),
    [(0, "0 files", "0 files are"), (1, "1 file", "1 file is"), (2, "2 files", "2 files are")],
)
def test_a_thing_and_its_verb_follow_their_number(number, things, told):
    assert counted(number, "file") == things
    assert counted(number, "file", "is/are") == told
