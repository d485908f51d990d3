"""The table of models fits its terminal, whatever the names are."""

from __future__ import annotations

from pathlib import Path

import pytest
from clip_grid.clip_backend.checkpoints.info import CheckpointInfo, TextShape, VisionShape
from clip_grid.clip_backend.finding.catalog import FoundModel, size_name
from clip_grid.commands.models import file_size, row_of, table_lines
from clip_grid.commands.output import display_width
from clip_grid.visible_text import printable

LARGE = VisionShape(width=1024, layers=24, heads=16, mlp=4096, patch=14, tokens=257, image_size=224)
TEXT = TextShape(width=768, layers=12, heads=12, mlp=3072, context=77, vocabulary=49408)


def info(**facts: object) -> CheckpointInfo:
    usual = {"path": Path("x"), "files": (Path("x"),), "layout": "hf-clip", "family": "clip", "vision": LARGE}
    return CheckpointInfo(
        **(usual | {"projection": 768, "dtype": "float16", "parameters": 9, "size_bytes": 607_000_000} | facts)
    )


def model(name: str = "clip_vision_l.safetensors", problem: str = "", **facts: object) -> FoundModel:
    return FoundModel(name, Path(name), info(**facts), problem)


BROKEN = FoundModel("broken.safetensors", Path("broken.safetensors"), None, "cut short: 9 of 12 bytes; fetch it again")


def test_a_model_is_one_line_of_facts():
    assert table_lines([model(text=TEXT)], 100) == [
        "name                       family  towers       size          embeds  dtype  file",
        "clip_vision_l.safetensors  clip    vision+text  ViT-L/14 224  768     fp16   607 MB",
    ]


def test_what_is_assumed_and_what_is_wrong_stands_below():
    assumed = model("a.safetensors", sources={"activation": "assumed", "mean": "config", "std": "assumed"})

    lines = table_lines([assumed, BROKEN], 100)

    assert lines[2] == "    assumed: activation, std"
    assert lines[3:] == ["broken.safetensors", "    problem: cut short: 9 of 12 bytes; fetch it again"]


def test_what_a_refused_model_would_assume_is_of_no_interest():
    row = row_of(model(problem="an EVA-CLIP model", sources={"mean": "assumed"}, notes=("it is old",)))

    assert row.notes == ("problem: an EVA-CLIP model", "note: it is old")


def test_a_model_without_a_projection_says_so():
    assert row_of(model(projection=None)).cells[4] == "none"


NAMES = [
    "short.safetensors", "models/" + "very-long-" * 20 + "name.safetensors", "視覚モデル" * 12 + ".safetensors",
    "tab\tand\x1b[31mred\nline.safetensors", "é" * 70, "e\u0301" * 70, "\u202egnp.safetensors", "\ud800.safetensors",
]  # fmt: skip


@pytest.mark.parametrize("width", [72, 80, 100, 120, 10_000])
def test_no_line_is_wider_than_the_terminal_and_no_name_is_cut(width: int):
    so400m = VisionShape(width=1152, layers=27, heads=16, mlp=4304, patch=14, tokens=729, image_size=384)
    found = [model(name, problem="of a kind " * 30, vision=so400m, text=TEXT, family="longclip") for name in NAMES]

    lines = table_lines([*found, BROKEN], width)

    assert max(map(display_width, lines)) <= width
    together = "".join(lines)
    assert all(printable(name) in together for name in NAMES)
    assert all(line.isprintable() for line in lines)


def test_short_names_stay_on_their_line_beside_a_long_one():
    lines = table_lines([model("a.safetensors"), model("b" * 90)], 100)

    assert lines[1].startswith("a.safetensors  ")
    assert lines[2] == "b" * 90
    assert lines[3].split()[0] == "clip"


def test_facts_stand_under_each_other_where_the_terminal_is_narrow():
    lines = table_lines([model("a" * 30, text=TEXT), model("b" * 40)], 72)

    assert lines[:3] == ["name", lines[1], "a" * 30]
    assert [line.index("clip") for line in (lines[3], lines[5])] == [lines[1].index("family")] * 2


def test_no_models_are_no_table():
    assert table_lines([], 80) == []


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (246_144_152, "246 MB"), (999_600_000, "1 GB"),
     (1_264_153_600, "1.26 GB"), (3_689_814_528, "3.69 GB"), (13_900_000_000, "13.9 GB"),
     (2_500_000_000_000, "2500 GB")],
)  # fmt: skip
def test_sizes_have_three_digits(count: int, shown: str):
    assert file_size(count) == shown


def test_sizes_of_models_are_called_as_people_call_them():
    odd = VisionShape(width=32, layers=2, heads=4, mlp=64, patch=8, tokens=17, image_size=32)

    assert size_name(info()) == "ViT-L/14 224"
    assert size_name(info(vision=odd)) == "2x32/8 32"
    assert size_name(info(vision=None, text=TEXT)) == "12x768 text"
    assert size_name(info(vision=None)) == ""
