from __future__ import annotations

import pytest
from clip_grid.grid.text.bidi import base_level, levels, visual_order


def shown(text: str) -> str:
    """The characters from left to right, brackets not yet turned."""
    return "".join(text[i] for i in visual_order(levels(text, base_level(text))))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("abc 1.5", "abc 1.5"),
        ("אבג", "גבא"),
        ("abc אבג דהו xyz", "abc והד גבא xyz"),
        ("אבג abc xyz דהו", "והד abc xyz גבא"),
        ("אבג 123 דהו", "והד 123 גבא"),
        ("abc אבג 123 xyz", "abc 123 גבא xyz"),
        ("سعر 12.5", "12.5 رعس"),
        ("אבג 50%", "50% גבא"),
        ("אבג, seed 42", "seed 42 ,גבא"),
        ("a (אב) b", "a (בא) b"),
        ("אב (cd) גד", "דג )cd( בא"),
        ("אב (גד)", ")דג( בא"),
        ("(אב) cd", "cd )בא("),
        ("אב!", "!בא"),
        ("ab אב!", "ab בא!"),
        ("א\u0301ב", "ב\u0301א"),
        ("123", "123"),
    ],
)
def test_mixed_text_has_the_order_of_uax_9(text, expected):
    assert shown(text) == expected


def test_the_first_strong_character_sets_the_direction():
    assert [base_level(text) for text in ("1 (אב", "a אב", "12", "", "عرب")] == [1, 0, 0, 0, 1]


def test_runs_are_reversed_level_by_level():
    assert visual_order([0, 1, 2, 1, 0]) == [0, 3, 2, 1, 4]
    assert visual_order([1, 2, 2, 1]) == [3, 1, 2, 0]
    assert visual_order([0, 0]) == [0, 1]
    assert visual_order([]) == []
