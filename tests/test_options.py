from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import pytest
from clip_grid.errors import InputError
from clip_grid.options import Option, add_flags, check, option, options_of, widgets


@dataclass(frozen=True)
class Cake:
    eggs: int = option(3, "Eggs in it; 100% fresh", low=0, high=12)
    sugar: float = option(0.5, "In kg", low=0, high=2, advanced=True)
    topping: str = option("cream", "What is on it", choices=("cream", "cherry", "none"))
    note: str = option("50% off", "Words", multiline=True)
    baked: bool = option(True, "Whether it was in the oven")
    weight: float = option(1.0, "Any number")
    plain_field: int = 7


OPTIONS = options_of(Cake)


def test_options_are_found_in_their_order_under_their_names():
    assert list(OPTIONS) == ["eggs", "sugar", "topping", "note", "baked", "weight"]
    assert OPTIONS["eggs"] == Option("eggs", 3, "Eggs in it; 100% fresh", 0, 12)


@pytest.mark.parametrize(
    ("name", "raw", "expected"),
    [
        ("eggs", "4", 4),
        ("eggs", " 4 ", 4),
        ("eggs", 4.0, 4),
        ("eggs", "4.0", 4),
        ("eggs", np.int64(4), 4),
        ("eggs", 0, 0),
        ("eggs", 12, 12),
        ("sugar", "1", 1.0),
        ("sugar", np.float32(0.25), 0.25),
        ("sugar", "2e-1", 0.2),
        ("weight", float("inf"), float("inf")),
        ("topping", "none", "none"),
        ("note", None, ""),
        ("note", 2024, "2024"),
        ("baked", "Yes", True),
        ("baked", " off ", False),
        ("baked", 0, False),
        ("baked", np.True_, True),
    ],
)
def test_a_value_becomes_the_type_of_its_default(name, raw, expected):
    value = check(Cake, {name: raw})[name]

    assert value == expected and type(value) is type(OPTIONS[name].default)


@pytest.mark.parametrize(
    ("name", "raw", "message"),
    [
        ("eggs", -1, "eggs is -1; it must be in the range 0 to 12"),
        ("eggs", 13, "in the range 0 to 12"),
        ("eggs", 10**400, "eggs is 1000.*; it must be a whole number"),
        ("eggs", 1.5, "eggs is 1.5; it must be a whole number"),
        ("eggs", "inf", "eggs is 'inf'; it must be a whole number"),
        ("eggs", "nan", "eggs is 'nan'; it must be a number"),
        ("eggs", True, "eggs is True; it must be a number"),
        ("eggs", None, "eggs is None; it must be a number"),
        ("eggs", "", "eggs is ''; it must be a number"),
        ("eggs", [3], "it must be a number"),
        ("sugar", float("nan"), "sugar is nan; it must be a number"),
        ("weight", float("nan"), "weight is nan; it must be a number"),
        ("sugar", 2.01, "sugar is 2.01; it must be in the range 0 to 2"),
        ("sugar", 10**400, "sugar is inf; it must be in the range 0 to 2"),
        ("topping", "chery", "topping is 'chery'; it must be one of cream, cherry, none; did you mean 'cherry'"),
        ("topping", "xyz", "must be one of cream, cherry, none$"),
        ("note", ["a"], "note is .*; it must be a text"),
        ("note", {"a": 1}, "must be a text"),
        ("baked", "maybe", "baked is 'maybe'; it must be true or false"),
        ("baked", None, "must be true or false"),
        ("egs", 3, "there is no option 'egs'; did you mean 'eggs'"),
        ("plain_field", 3, "there is no option 'plain_field'"),
    ],
)
def test_a_bad_value_is_refused_by_name_with_what_it_may_be(name, raw, message):
    with pytest.raises(InputError, match=message):
        check(Cake, {name: raw})


def test_large_whole_numbers_are_exact():
    seed = Option("seed", 0, "")

    assert seed.parse("9007199254740993") == seed.parse(9007199254740993) == 9007199254740993


def test_an_open_bound_is_called_any():
    with pytest.raises(InputError, match="in the range 1 to any"):
        Option("seed", 1, "", low=1).parse(0)


def test_widgets_are_what_comfyui_expects():
    assert widgets(list(OPTIONS.values())) == {
        "eggs": ("INT", {"default": 3, "tooltip": "Eggs in it; 100% fresh", "min": 0, "max": 12}),
        "sugar": (
            "FLOAT",
            {"default": 0.5, "tooltip": "In kg", "advanced": True, "min": 0, "max": 2, "step": 0.01},
        ),
        "topping": (["cream", "cherry", "none"], {"default": "cream", "tooltip": "What is on it"}),
        "note": ("STRING", {"default": "50% off", "tooltip": "Words", "multiline": True}),
        "baked": ("BOOLEAN", {"default": True, "tooltip": "Whether it was in the oven"}),
        "weight": ("FLOAT", {"default": 1.0, "tooltip": "Any number", "step": 0.01}),
    }


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cake")
    add_flags(parser, list(OPTIONS.values()))
    return parser


def test_flags_that_are_not_given_stay_absent():
    assert vars(make_parser().parse_args([])) == {}


def test_flags_give_values_that_check_accepts():
    given = vars(make_parser().parse_args(["--eggs", "4", "--no-baked", "--topping", "cherry", "--note", "-"]))

    assert check(Cake, given) == {"eggs": 4, "baked": False, "topping": "cherry", "note": "-"}


def test_the_help_shows_percent_signs_choices_and_defaults():
    text = " ".join(make_parser().format_help().split())

    assert "100% fresh (default: 3)" in text
    assert "(default: 50% off)" in text
    assert "{cream,cherry,none}" in text
    assert "--no-baked" in text
