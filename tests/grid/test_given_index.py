"""Tests: a report says which of the given pictures each cell shows, so that a label can be corrected."""

from __future__ import annotations

import json

from clip_grid.api import SheetInputs, export_grid
from PIL import Image


def pictures(*shades):
    return [Image.new("RGB", (20, 20), (shade,) * 3) for shade in shades]


def test_cells_name_the_place_of_their_picture_in_whatever_order_they_stand(tmp_path):
    inputs = SheetInputs(labels=["a", "b", "c"])

    report = export_grid(pictures(10, 20, 30), tmp_path / "s.png", inputs=inputs, sort_by="given", reverse=True)

    assert [(cell.label, cell.index) for cell in report.cells] == [("c", 2), ("b", 1), ("a", 0)]
    saved = json.loads((tmp_path / "s.json").read_text("utf-8"))
    assert [cell["index"] for cell in saved["cells"]] == [2, 1, 0]


def test_labels_written_by_these_places_come_back_in_the_same_cells(tmp_path):
    first = export_grid(pictures(1, 2, 3, 4), tmp_path / "a.png", columns=2, reverse=True, sort_by="given")
    lines = ["", "", "", ""]
    for cell in first.cells:
        lines[cell.index] = f"row {cell.row} column {cell.column}"

    inputs = SheetInputs(labels=lines)
    second = export_grid(
        pictures(1, 2, 3, 4), tmp_path / "b.png", columns=2, reverse=True, sort_by="given", inputs=inputs
    )

    assert [cell.label for cell in second.cells] == [f"row {cell.row} column {cell.column}" for cell in second.cells]
