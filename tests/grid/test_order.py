"""Natural order: what people expect of a list of file names."""

from __future__ import annotations

import random
import unicodedata

from clip_grid.grid.pictures.find import natural_key


def natural(texts: list[str]) -> list[str]:
    return sorted(texts, key=natural_key)


def test_numbers_in_names_count_as_numbers():
    assert natural(["img_10.png", "img_2.png", "img_1.png"]) == ["img_1.png", "img_2.png", "img_10.png"]


def test_later_numbers_count_too():
    assert natural(["a1b10", "a1b9", "a10b1", "a2b1"]) == ["a1b9", "a1b10", "a2b1", "a10b1"]


def test_case_does_not_separate_names():
    assert natural(["Zoe", "adam", "Bea"]) == ["adam", "Bea", "Zoe"]


def test_names_equal_but_for_case_have_one_order():
    assert natural(["a.png", "A.png"]) == natural(["A.png", "a.png"]) == ["A.png", "a.png"]


def test_names_equal_but_for_leading_zeros_have_one_order():
    assert (
        natural(["img_1", "img_01", "img_2"]) == natural(["img_01", "img_2", "img_1"]) == ["img_01", "img_1", "img_2"]
    )


def test_numbers_come_before_letters_and_the_empty_text_first():
    assert natural(["b", "7", "", "a7", "a"]) == ["", "7", "a", "a7", "b"]


def test_digits_of_every_script_count():
    arabic_ten, arabic_two = "\u0661\u0660", "\u0662"
    assert natural([f"x{arabic_ten}", "x5", f"x{arabic_two}"]) == [f"x{arabic_two}", "x5", f"x{arabic_ten}"]


def test_superscripts_are_no_numbers_and_do_no_harm():
    assert natural(["m³", "m²"]) == ["m²", "m³"]


def test_very_long_runs_of_digits_are_compared():
    small, large = "x" + "1" * 100_000, "x" + "1" * 99_999 + "2"
    assert natural([large, small, "x2"]) == ["x2", small, large]


def test_composed_and_decomposed_names_are_neighbours():
    composed = unicodedata.normalize("NFC", "é1")
    decomposed = unicodedata.normalize("NFD", "é1")
    assert natural_key(composed)[0] == natural_key(decomposed)[0]


def test_the_order_does_not_depend_on_the_order_given():
    names = ["10", "9", "a", "A", "ä", "a1", "a01", "", " ", "ß", "ss", "SS", "img_2", "img-2", "img 2", "²", "日本 3"]
    expected = natural(names)
    for seed in range(20):
        shuffled = names.copy()
        random.Random(seed).shuffle(shuffled)
        assert natural(shuffled) == expected
