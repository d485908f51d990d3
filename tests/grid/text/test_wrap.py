from __future__ import annotations

import pytest
from clip_grid.grid.text.wrap import Breaker, break_rank


def wrapped(text: str, width: int) -> list[str]:
    """The lines when each character is one wide and a space at the end of a line counts nothing."""
    breaker = Breaker(list(text))
    lines, start = [], 0
    while start < len(text):
        end = breaker.line_end(start, lambda a, b: len(text[a:b].strip()) <= width)
        assert end is not None
        lines.append(text[start:end].strip())
        start = end
    return lines


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("the quick brown fox", 9, ["the quick", "brown fox"]),
        ("a  b", 1, ["a", "b"]),
        ("sd_xl_base-1.0.safetensors", 11, ["sd_xl_base-", "1.", "0.", "safetensors"]),
        ("models/sd/v1.ckpt", 10, ["models/sd/", "v1.ckpt"]),
        ("abcdefgh", 3, ["abc", "def", "gh"]),
        ("my abcdefgh", 3, ["my", "abc", "def", "gh"]),
        ("模型梦幻森林", 4, ["模型梦幻", "森林"]),
        ("ab 模型cd", 5, ["ab 模型", "cd"]),
        ("模型。幻", 2, ["模", "型。", "幻"]),
        ("（模型）幻", 3, ["（模", "型）幻"]),
    ],
)
def test_lines_end_at_the_farthest_best_place(text, width, expected):
    assert wrapped(text, width) == expected


def test_a_space_ranks_before_a_file_names_sign_before_anything():
    assert [break_rank(*pair) for pair in (" a", "_a", "ab", "猫a", "a ", "サウ", "a,")] == [0, 1, 2, 0, 2, 0, 2]


def test_a_no_break_space_is_no_place_to_break():
    assert break_rank("\u00a0", "a") == 2


def test_a_line_for_not_even_one_character_has_no_end():
    assert Breaker(["a", "b"]).line_end(0, lambda a, b: False) is None


def test_a_long_line_is_measured_few_times():
    asked = []

    def fits(start: int, end: int) -> bool:
        asked.append(end)
        return end <= 3000

    assert Breaker(["a"] * 4000).line_end(0, fits) == 3000
    assert len(asked) < 30
