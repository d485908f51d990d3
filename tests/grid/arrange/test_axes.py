"""The axes of a table are those that a person would choose."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from itertools import product

import pytest
from clip_grid.errors import InputError
from clip_grid.grid.arrange.axes import Axes, Axis, find_axes
from clip_grid.grid.arrange.tables import arrange_by_axes
from hypothesis import given, settings
from hypothesis import strategies as st

from .axis_pictures import CFGS, SAMPLERS, Pictures, every, picture_rows, shuffled


def names(axes: Axes) -> tuple[str | None, str | None, str | None]:
    return tuple(axis.name if axis else None for axis in (axes.x, axes.y, axes.page))


def test_constants_and_what_varies_beside_the_axes_are_listed():
    pictures = [
        {"model": "sdxl", "seed": str(number), **cell, "steps": "20"}
        for number, cell in enumerate(every(sampler=("a", "b"), cfg=("1", "2", "3")))
    ]

    axes = find_axes(pictures)

    assert axes.constant == {"model": "sdxl", "steps": "20"}
    assert axes.varying == ("seed",)
    assert names(axes) == ("cfg", "sampler", None)


def test_a_column_that_some_pictures_lack_is_no_constant():
    axes = find_axes([{"a": "1", "lora": "x"}, {"a": "1"}, {"a": "1", "lora": " "}])

    assert axes.constant == {"a": "1"}
    assert axes.varying == ("lora",)


def test_the_longer_axis_runs_across_up_to_twelve_values_and_down_beyond():
    def numbers(count: int) -> tuple[str, ...]:
        return tuple(str(number) for number in range(count))

    assert names(find_axes(every(a=("p", "q"), b=numbers(12)))) == ("b", "a", None)
    assert names(find_axes(every(a=("p", "q"), b=numbers(13)))) == ("a", "b", None)


def test_of_equal_axes_the_numeric_one_runs_across_then_the_first():
    assert names(find_axes(every(sampler=("a", "b"), cfg=("1", "2")))) == ("cfg", "sampler", None)
    assert names(find_axes(every(sampler=("a", "b"), scheduler=("k", "l")))) == ("sampler", "scheduler", None)


def test_a_third_column_makes_pages():
    pictures = every(model=("m", "n"), sampler=("a", "b", "c"), cfg=("1", "2", "3", "4"))

    axes = find_axes(pictures)
    sheets = arrange_by_axes(axes, pictures)

    assert names(axes) == ("cfg", "sampler", "model")
    assert [sheet.page_value for sheet in sheets] == ["m", "n"]
    assert [(sheet.rows, sheet.columns) for sheet in sheets] == [(3, 4), (3, 4)]
    assert picture_rows(sheets[1])[0] == [12, 13, 14, 15]


def test_pages_survive_some_missing_files():
    pictures = shuffled(every(model=("m", "n"), sampler=("a", "b", "c"), cfg=("1", "2", "3", "4")))[4:]

    assert names(find_axes(pictures)) == ("cfg", "sampler", "model")


def test_prompts_make_the_pages_rather_than_an_axis():
    pictures = every(prompt=("a cat", "a dog", "a fox"), sampler=("a", "b"), cfg=("1", "2"))

    assert names(find_axes(pictures)) == ("cfg", "sampler", "prompt")


def test_a_fourth_column_is_left_to_the_captions():
    pictures = every(model=("m", "n"), sampler=("a", "b", "c"), cfg=("1", "2", "3", "4"), steps=("10", "20"))

    axes = find_axes(pictures)

    assert len(axes.varying) == 1
    assert sum(len(sheet.cells) for sheet in arrange_by_axes(axes, pictures)) == 48


def test_prompts_are_axes_when_they_are_what_varies():
    assert names(find_axes(every(prompt=("a cat", "a dog"), seed=("1", "2", "3")))) == ("seed", "prompt", None)
    assert names(find_axes(every(prompt=("a cat", "a dog"), seed=("1",)))) == ("prompt", None, None)


def test_a_model_is_preferred_to_its_hash_and_a_parameter_to_a_size_that_follows_it():
    twins = {
        "x": {"model_hash": "ff", "width": "512", "model": "sd"},
        "y": {"model_hash": "0a", "width": "1024", "model": "xl"},
    }
    pictures = [{**twins[key], "cfg": cfg} for key, cfg in product("xy", ("1", "2", "3"))]

    axes = find_axes(pictures)

    assert names(axes) == ("cfg", "model", None)
    assert axes.varying == ("model_hash", "width")


def test_of_twin_columns_the_first_is_the_axis():
    pictures = [{"a": v, "b": v.upper(), "cfg": cfg} for v, cfg in product("xy", ("1", "2", "3"))]

    assert names(find_axes(pictures)) == ("cfg", "a", None)
    assert find_axes(pictures).varying == ("b",)


def test_a_coarser_column_does_not_win_over_an_axis_with_a_hole():
    family = {"euler": "first", "heun": "second", "dpm_2": "second", "dpm_10": "first"}
    pictures = [{**picture, "order": family[picture["sampler"]]} for picture in every(sampler=SAMPLERS, cfg=CFGS)][1:]

    assert names(find_axes(pictures)) == ("cfg", "sampler", None)


def test_seeds_of_their_own_make_a_plain_grid():
    axes = find_axes([{"model": "m", "seed": str(seed)} for seed in (3, 1, 2)])

    assert names(axes) == (None, None, None)
    assert axes.varying == ("seed",)


def test_dates_and_file_names_are_no_axes():
    assert names(find_axes(every(date=("1", "2"), filename=("a", "b")))) == (None, None, None)


def test_one_varying_column_is_a_row():
    pictures = [{"cfg": cfg, "seed": "1"} for cfg in ("10", "9", "1")]

    (sheet,) = arrange_by_axes(find_axes(pictures), pictures, columns=2)

    assert sheet.column_headers == ("1", "9", "10")
    assert sheet.row_headers == ("",)
    assert picture_rows(sheet) == [[2, 1, 0]]


def test_repetitions_of_one_varying_column_fill_rows():
    pictures = [{"cfg": cfg, "seed": str(seed)} for seed, cfg in enumerate(("7", "4", "7", "4"))]

    (sheet,) = arrange_by_axes(find_axes(pictures), pictures)

    assert (sheet.column_headers, sheet.row_headers) == (("4", "7"), ("", ""))
    assert picture_rows(sheet) == [[1, 0], [3, 2]]


def test_one_varying_column_with_uneven_or_many_values_is_no_axis():
    assert names(find_axes([{"cfg": cfg} for cfg in ("1", "1", "2")])) == (None, None, None)
    assert names(find_axes([{"cfg": str(cfg)} for cfg in range(13)])) == (None, None, None)


def test_values_that_are_hardly_ever_combined_are_no_axes():
    diagonal = [{"a": str(n), "b": str((n * 3 + k) % 7), "seed": str(n * 7 + k)} for n in range(7) for k in (0, 1)]

    assert names(find_axes(diagonal)) == (None, None, None)


def test_hundreds_of_pictures_to_a_cell_are_no_table():
    pictures = [{**cell, "seed": str(n)} for n, cell in enumerate(every(a=("1", "2"), b=("1", "2")) * 100)]

    assert names(find_axes(pictures)) == (None, None, None)


def test_one_number_in_two_spellings_is_one_value():
    pictures = [{"cfg": "7"}, {"cfg": "7.0"}, {"cfg": "7.50"}, {"cfg": "7.5"}]

    axes = find_axes(pictures)

    assert axes.x == Axis("cfg", ("7", "7.5"))
    assert picture_rows(arrange_by_axes(axes, pictures)[0]) == [[0, 2], [1, 3]]


def test_names_that_only_look_like_numbers_stay_apart():
    assert find_axes([{"id2": "007"}, {"id2": "7"}]).x == Axis("id2", ("007", "7"))


def test_large_and_small_numbers_sort_exactly():
    values = ("9007199254740993", "9007199254740992", "-1", "1e-3", "0.5", "2E2")

    axes = find_axes([{"v": value} for value in values])

    assert axes.x == Axis("v", ("-1", "1e-3", "0.5", "2E2", "9007199254740992", "9007199254740993"))


def test_axes_can_be_given_in_any_spelling_and_switched_off():
    pictures = every(sampler=("a", "b"), cfg_scale=("1", "2", "3"), steps=("10", "20"))

    assert names(find_axes(pictures, x="Sampler", y="CFG scale", page="steps")) == ("sampler", "cfg_scale", "steps")
    assert names(find_axes(pictures, x="sampler")) == ("sampler", "cfg_scale", "steps")
    assert names(find_axes(pictures, y="cfg_scale", page="none")) == ("sampler", "cfg_scale", None)
    assert names(find_axes(pictures, page="sampler")) == ("cfg_scale", "steps", "sampler")
    assert names(find_axes(pictures, x="", y="None", page="")) == (None, None, None)
    assert names(find_axes(pictures, x="none", y="cfg_scale")) == (None, "cfg_scale", None)
    assert names(find_axes(pictures, x="sampler", y="steps")) == ("sampler", "steps", "cfg_scale")


def test_a_single_column_goes_down_when_x_is_switched_off():
    pictures = [{"cfg": cfg} for cfg in ("1", "2", "2", "1", "3", "3")]

    axes = find_axes(pictures, x="none")
    (sheet,) = arrange_by_axes(axes, pictures)

    assert names(axes) == (None, "cfg", None)
    assert (sheet.row_headers, sheet.column_headers) == (("1", "2", "3"), ("", ""))
    assert picture_rows(sheet) == [[0, 3], [1, 2], [4, 5]]


def test_a_constant_column_can_be_an_axis_when_asked_for():
    pictures = [{"model": "m", "cfg": cfg} for cfg in ("1", "2")]

    axes = find_axes(pictures, y="model")

    assert names(axes) == ("cfg", "model", None)
    assert axes.constant == {}


def test_an_unknown_column_is_refused_with_a_hint():
    with pytest.raises(InputError, match=r"x axis 'samplr' is not among the columns \(sampler, cfg\); .*'sampler'"):
        find_axes(every(sampler=("a", "b"), cfg=("1", "2")), x="samplr")


def test_a_column_cannot_be_two_axes():
    with pytest.raises(InputError, match="'cfg' is asked for as x and page axis"):
        find_axes([{"cfg": "1"}], x="cfg", page="CFG")


CELLS = st.dictionaries(
    st.sampled_from(["sampler", "cfg", "seed", "prompt"]), st.sampled_from(["", "1", "2", "1.0", "a", "B", "b"])
)


@settings(max_examples=100, deadline=None, database=None)
@given(st.lists(CELLS, max_size=16), st.randoms(use_true_random=False))
def test_the_axes_do_not_depend_on_the_order_of_the_pictures(pictures: Pictures, rng: random.Random):
    other = pictures.copy()
    rng.shuffle(other)

    assert find_axes(other) == find_axes(pictures)


class Counted(Mapping[str, str]):
    """A picture's values that count how often one is read."""

    reads = 0

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> str:
        Counted.reads += 1
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def test_each_value_is_read_once_to_find_the_axes_and_once_per_axis_to_arrange():
    columns = {f"c{number}": ("1", "2", "3") for number in range(16)}
    rng = random.Random(1)
    cells = every(sampler=tuple("abcdefghij"), cfg=tuple("0123456789"), model=tuple("0123456789")) * 10
    pictures = [Counted({**cell, **{name: rng.choice(v) for name, v in columns.items()}}) for cell in cells]
    Counted.reads = 0

    axes = find_axes(pictures)
    assert Counted.reads == 10_000 * 19

    sheets = arrange_by_axes(axes, pictures)
    assert Counted.reads == 10_000 * (19 + 3)
    assert names(axes) == ("cfg", "sampler", "model")
    assert len(sheets) == 10


def test_hashes_are_never_an_axis_unless_asked_for():
    pictures = every(model_hash=("ff", "0a"), lora_hashes=("x: 1f", "y: 2e"), vae_hash=("1", "2"))

    assert names(find_axes(pictures)) == (None, None, None)
    assert names(find_axes(pictures, x="model_hash")) == ("model_hash", None, None)
    assert names(find_axes(every(model_hash=("ff", "0a"), cfg=("1", "2")))) == ("cfg", None, None)
