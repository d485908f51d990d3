"""Texts inside a sheet: what each format can hold, what is left out with a warning, and our own record."""

from __future__ import annotations

import json
from io import BytesIO

import pytest
from clip_grid.grid.pictures.metadata import embedded_texts
from clip_grid.grid.text.fonts import find_faces
from clip_grid.grid.write.embed import exif_bytes, fitting_exif_texts, fitting_png_texts, sheet_record
from PIL import Image

from ..samples import flats, plan


def record(labels: list[str], **options: object) -> dict[str, object]:
    return json.loads(sheet_record(plan(flats(len(labels)), {"labels": labels}, **options), 0))


def read_back(exif: bytes) -> dict[str, str]:
    file = BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", exif=exif)
    with Image.open(file) as image:
        return embedded_texts(image)


def test_the_record_has_the_boxes_of_the_pictures_and_the_chosen_options():
    found = record(["a", "b", "ü"], rows=1, cell_width=10, cell_height=8, margin=2, label_position="over")

    assert found == {
        "format": 1,
        "page": 0,
        "pages": 1,
        "grid": "1x3",
        "options": {"rows": 1, "cell_width": 10, "cell_height": 8, "margin": 2, "label_position": "over"},
        "cells": [
            {"row": 0, "column": 0, "box": [2, 2, 10, 8], "image_box": [5, 4, 4, 4], "label": "a"},
            {"row": 0, "column": 1, "box": [14, 2, 10, 8], "image_box": [17, 4, 4, 4], "label": "b"},
            {"row": 0, "column": 2, "box": [26, 2, 10, 8], "image_box": [29, 4, 4, 4], "label": "ü"},
        ],
    }


def test_a_record_that_would_be_too_long_leaves_its_cells_to_the_sidecar():
    assert "cells" in record(["x" * 90_000] * 3)
    assert "cells" not in record(["x" * 90_000] * 5)


def test_png_readers_get_no_text_that_makes_them_refuse_the_file():
    texts = {"small": "x", "large": "ü" * 4_000_000, "fits": "y" * 7_000_000}

    fitting, warnings = fitting_png_texts(texts)

    assert list(fitting) == ["small", "fits"]
    assert warnings == ["large is not in the picture: 8000000 bytes are more than PNG readers accept"]


def test_all_texts_together_stay_below_what_pillow_reads():
    texts = {f"text {i}": "ü" * 3_900_000 for i in range(9)}

    fitting, warnings = fitting_png_texts(texts)

    assert list(fitting) == [f"text {i}" for i in range(8)]
    assert len(warnings) == 1


def test_exif_holds_prompt_workflow_and_record_as_comfyui_writes_them():
    texts = {"prompt": '{"1": {}}', "workflow": '{"nodes": []}', "clip_grid": '{"format": 1}'}

    tags, warnings = fitting_exif_texts(texts)

    assert tags[0x0110] == 'prompt:{"1": {}}'
    assert tags[0x010F] == 'clip_grid:{"format": 1}'
    assert tags[0x010E] == 'workflow:{"nodes": []}'
    assert warnings == []
    assert texts.items() <= read_back(exif_bytes(texts, None)[0]).items()


def test_letters_beyond_ascii_come_back_from_exif():
    texts = {"prompt": '{"text": "ein Größenvergleich 日本"}'}

    found = read_back(exif_bytes(texts, None)[0])

    assert json.loads(found["prompt"]) == {"text": "ein Größenvergleich 日本"}


def test_more_texts_than_exif_has_tags_are_left_out_by_name():
    texts = {"prompt": "{}", "clip_grid": "{}", **{f"k{i}": "{}" for i in range(6)}}

    tags, warnings = fitting_exif_texts(texts)

    assert len(tags) == 1 + 1 + 5
    assert [warning.split()[0] for warning in warnings] == ["k4", "k5"]
    assert "clip_grid:{}" in tags.values()


def test_a_jpeg_that_cannot_hold_all_texts_loses_the_longest_one_with_a_warning():
    texts = {"prompt": '"' + "p" * 30_000 + '"', "workflow": '"' + "w" * 60_000 + '"', "clip_grid": '{"format": 1}'}

    exif, warnings = exif_bytes(texts, 65_527)

    assert len(exif) <= 65_527
    assert warnings == ["workflow is not in the picture: 60002 characters are more than JPEG holds"]
    assert read_back(exif).keys() >= {"clip_grid"}


@pytest.mark.parametrize("size", [65_000, 70_000])
def test_the_record_is_left_out_last_and_the_sheet_is_recognised_without_it(size):
    exif, warnings = exif_bytes({"prompt": '"p"', "clip_grid": '"' + "x" * size + '"'}, 65_527)

    found = read_back(exif)
    assert found["Software"].startswith("CLIP Grid")
    assert ("clip_grid" in found) == (size == 65_000)
    assert len(warnings) == (0 if size == 65_000 else 2)


def test_the_record_holds_no_folder_of_the_font():
    file = find_faces().base.path

    assert record(["a"], font=str(file))["options"]["font"] == file.name
