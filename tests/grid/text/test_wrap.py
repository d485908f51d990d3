from __future__ import annotations

from itertools import pairwise

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


def balanced(text: str, width: int) -> list[str]:
    """The lines of ``wrapped``, balanced."""
    breaker = Breaker(list(text))
    ends = breaker.balanced(len(wrapped(text, width)), list(range(len(text) + 1)), width)
    return [text[start:end].strip() for start, end in pairwise([0, *ends])]


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("a cup of espresso on a wooden table", 30, ["a cup of espresso", "on a wooden table"]),
        ("Hubble deep field", 11, ["Hubble", "deep field"]),
        ("one two three four five six", 12, ["one two", "three four", "five six"]),
        ("dpmpp_2m Karras", 9, ["dpmpp_2m", "Karras"]),
        # a last line of one short word is made longer from a file's name
        ("portrait-of-an-astronaut_final_v2 (1).jpg", 36, ["portrait-of-an-astronaut_", "final_v2 (1).jpg"]),
        ("模型梦幻森林", 4, ["模型梦", "幻森林"]),
        ("short", 10, ["short"]),
        # between the parts of a text rather than within one
        ("4079353790 · DPM++ 2M SDE Karras · 21 steps", 31, ["4079353790 ·", "DPM++ 2M SDE Karras · 21 steps"]),
        ("DPM++ 2M SDE Karras | 21 steps", 24, ["DPM++ 2M SDE Karras |", "21 steps"]),
        ("DPM++ 2M SDE Karras · 21", 22, ["DPM++ 2M SDE", "Karras · 21"]),
        ("one two three four five six · 7", 12, ["one two", "three four", "five six · 7"]),
    ],
)
def test_balanced_lines_are_about_equally_long_and_do_not_end_with_one_word(text, width, expected):
    assert balanced(text, width) == expected


def test_lines_that_break_within_a_word_are_not_balanced():
    assert Breaker(list("abcdefgh")).balanced(3, list(range(9)), 3) == []


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("abcdefgh.png", 10, ["abcdefg", "h.png"]),
        ("my picture.jpeg", 11, ["my", "pictur", "e.jpeg"]),
        ("photo (1).jpg", 9, ["photo", "(1).jpg"]),
        ("scale 12.50 and more", 9, ["scale", "12.50 and", "more"]),
        ("model.final.safetensors", 18, ["model.", "final.safetensors"]),
    ],
)
def test_an_ending_is_not_split_from_its_name(text, width, expected):
    assert wrapped(text, width) == expected
