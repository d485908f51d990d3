"""One engine: Python and the command line make the same bytes from the same pictures and the same template."""

from __future__ import annotations

from pathlib import Path

import pytest
from clip_grid.api import SheetInputs, export_grid
from clip_grid.cli import labeled_grid_exporter, main
from PIL import Image

from .grid.samples import generated, noise

TEMPLATE = """{"name": "mine", "columns": 3, "cell_size": [90, 70], "margin": 6, "label_position": "below",
 "title": "One engine", "background": "#203040", "label_columns": "seed, cfg"}"""


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for index in range(7):
        generated(tmp_path / "in" / f"{index}.png", noise(100 + index, 80, index), Seed=index, CFG_scale=index % 3)
    (tmp_path / "mine.json").write_text(TEMPLATE)
    return tmp_path / "in"


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "tiff", "html"])
def test_python_and_both_commands_write_the_same_bytes(tmp_path, pictures, ending):
    template = tmp_path / "mine.json"

    export_grid(pictures, tmp_path / f"a/s.{ending}", template=template, rows=2)
    main(["export", str(pictures), str(tmp_path / f"b/s.{ending}"), "--template", str(template), "--rows", "2"])
    labeled_grid_exporter([str(pictures), str(tmp_path / f"c/s.{ending}"), "--template", str(template), "--rows", "2"])

    first = (tmp_path / f"a/s.{ending}").read_bytes()
    assert first == (tmp_path / f"b/s.{ending}").read_bytes()
    assert first == (tmp_path / f"c/s.{ending}").read_bytes()


def test_files_and_the_same_pictures_from_memory_make_the_same_page(tmp_path, pictures):
    files = sorted(pictures.iterdir())
    arrays = [noise(100 + index, 80, index) for index in range(7)]
    labels = [f"seed: {index}" for index in range(7)]
    options = {"template": tmp_path / "mine.json", "label_columns": ""}
    by_hand = {"x_axis": "none", "y_axis": "none", "page_axis": "none"}

    export_grid(files, tmp_path / "a/s.png", inputs=SheetInputs(labels=labels), **options, **by_hand)
    export_grid(arrays, tmp_path / "b/s.png", inputs=SheetInputs(labels=labels), **options, **by_hand)
    export_grid(
        [Image.fromarray(array) for array in arrays],
        tmp_path / "c/s.png",
        inputs=SheetInputs(labels=labels),
        **options,
        **by_hand,
    )

    first = (tmp_path / "a/s.png").read_bytes()
    assert first == (tmp_path / "b/s.png").read_bytes()
    assert first == (tmp_path / "c/s.png").read_bytes()
