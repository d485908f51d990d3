"""The order of the pictures: natural, by time, by a column or by a score."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from clip_grid.errors import InputError
from clip_grid.grid.arrange.sorting import sort_pictures
from clip_grid.grid.labels.sources import PictureRecord
from clip_grid.grid.pictures.survey import Picture
from clip_grid.grid.table.table import parse_table
from PIL import Image

from ..samples import colour, export, flat, flats, generated, plan, save, survey


def named(*names: str, times: tuple[float, ...] = (), cfg: tuple[str | None, ...] = ()) -> list[PictureRecord]:
    pictures = [
        Picture(
            name,
            (1, 1),
            lambda shown: Image.new("RGB", (1, 1)),
            time=times[i] if times else 0,
            values={"cfg": cfg[i]} if cfg and cfg[i] is not None else {},
        )
        for i, name in enumerate(names)
    ]
    return [PictureRecord(picture, i, i) for i, picture in enumerate(pictures)]


def order_of(records: list[PictureRecord], by: str, *, reverse: bool = False) -> list[str]:
    order, _ = sort_pictures(records, [{}] * len(records), by, reverse=reverse)
    return [records[i].picture.name for i in order]


def test_names_are_sorted_naturally_and_backwards():
    pictures = named("img_10", "img_2", "img_1")

    assert order_of(pictures, "name") == ["img_1", "img_2", "img_10"]
    assert order_of(pictures, "name", reverse=True) == ["img_10", "img_2", "img_1"]


def test_the_given_order_is_kept_and_reversed():
    pictures = named("c", "a", "b")

    assert order_of(pictures, "given") == ["c", "a", "b"]
    assert order_of(pictures, "given", reverse=True) == ["b", "a", "c"]


@pytest.mark.parametrize("reverse", [False, True])
def test_pictures_of_one_time_keep_the_order_of_their_names(reverse):
    pictures = named("late", "b10", "b2", times=(9, 5, 5))

    expected = ["late", "b2", "b10"] if reverse else ["b2", "b10", "late"]
    assert order_of(pictures, "time", reverse=reverse) == expected


@pytest.mark.parametrize("reverse", [False, True])
def test_pictures_of_one_value_keep_the_order_of_their_names_and_unknown_ones_come_last(reverse):
    pictures = named("none", "b10", "b2", "big", cfg=(None, "7", "7.0", "12"))

    expected = ["big", "b2", "b10", "none"] if reverse else ["b2", "b10", "big", "none"]
    assert order_of(pictures, "cfg", reverse=reverse) == expected


def test_values_are_sorted_as_numbers_then_as_texts():
    cfg = ("10", "9", "euler 10", "-1.5", "euler 9", "nan", "2.0")

    assert order_of(named(*"abcdefg", cfg=cfg), "cfg") == ["d", "g", "b", "a", "e", "c", "f"]


def test_seeds_beyond_the_precision_of_floats_are_told_apart():
    seeds = ("9007199254740993", "9007199254740992", "1e400", "9" * 5000)

    assert order_of(named(*"abcd", cfg=seeds), "cfg") == ["b", "a", "c", "d"]


def test_the_order_is_natural_and_does_not_depend_on_the_folders_listing(tmp_path, monkeypatch):
    names = ["img_10.png", "img_2.png", "IMG_1.png", "b.png", "A.png"]
    for index, name in enumerate(names):
        save(tmp_path / "in" / name, flat(colour(index)))
    straight = export(survey(tmp_path / "in"), tmp_path / "1.png")
    listdir = os.listdir

    def shuffled(folder):
        names = listdir(folder)
        random.Random(1).shuffle(names)
        return names

    monkeypatch.setattr(os, "listdir", shuffled)
    again = export(survey(tmp_path / "in"), tmp_path / "2.png")

    assert [Path(cell.path).name for cell in straight.cells] == [
        "A.png",
        "b.png",
        "IMG_1.png",
        "img_2.png",
        "img_10.png",
    ]
    assert [cell.path for cell in again.cells] == [cell.path for cell in straight.cells]
    assert (tmp_path / "1.png").read_bytes() == (tmp_path / "2.png").read_bytes()


def test_pictures_are_sorted_by_a_column_as_numbers(tmp_path):
    for seed in (10, 9, 100):
        generated(tmp_path / f"{seed}.png", Seed=seed)

    planned = plan(survey(tmp_path), sort_by="Seed", x_axis="none", y_axis="none")

    assert [values["seed"] for values in planned.values] == ["9", "10", "100"]


@pytest.mark.parametrize(("by", "message"), [("csv", "there is no table"), ("colour", "which no picture has")])
def test_an_order_that_cannot_be_is_refused(by, message):
    with pytest.raises(InputError, match=message):
        plan(flats(2), sort_by=by)


NAN = float("nan")


def scorer(*values):
    return lambda pictures: [{"cosine": value} for value in values]


@pytest.mark.parametrize(("reverse", "order"), [(False, [1, 3, 0]), (True, [0, 3, 1])])
def test_pictures_are_sorted_by_a_score_and_those_without_a_number_come_last(reverse, order):
    planned = plan(flats(4), {"scorer": scorer(0.9, -1.5, NAN, 0.1)}, sort_by="Cosine", reverse=reverse)

    names = [f"image {index + 1}" for index in [*order, 2]]
    assert [picture.name for picture in planned.pictures] == names


def test_a_column_is_sorted_by_before_a_score_of_its_name():
    table = parse_table('[{"cosine": 2}, {"cosine": 1}]', name="t")

    planned = plan(flats(2), {"table": table, "scorer": scorer(0.1, 0.2)}, sort_by="cosine", x_axis="none")

    assert [picture.name for picture in planned.pictures] == ["image 2", "image 1"]
