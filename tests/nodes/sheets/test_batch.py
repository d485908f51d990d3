"""Tests: the batch node makes one sheet per folder, and a folder that fails does not stop the others."""

from __future__ import annotations

import json
import os

import pytest
from clip_grid.errors import InputError
from clip_grid.nodes.grid_nodes import BatchLabeledGridExporterNode
from clip_grid.nodes.host.fake import Interrupted
from PIL import Image


def run_batch(directories, **inputs):
    """What the batch node returns."""
    lists = {name: value if isinstance(value, list) else [value] for name, value in inputs.items()}
    return BatchLabeledGridExporterNode().execute(directories=[directories], **lists)


def sheets_in(host):
    """The saved PNG files, below the output folder."""
    return sorted(path.relative_to(host.folders.output).as_posix() for path in host.folders.output.rglob("*.png"))


def report_of(answer):
    return json.loads(answer["result"][2])


def test_the_batch_makes_a_sheet_per_folder(host, folder):
    folder("cats", "1.png", "2.png", "10.png")
    folder("dogs", "a.png")

    answer = run_batch("cats\n\ndogs", label_columns="stem")

    assert sheets_in(host) == [
        "ClipGrid_cats_00001_.png", "ClipGrid_dogs_00001_.png"
    ]  # fmt: skip
    grids = report_of(answer)["grids"]
    assert [cell["label"] for cell in grids[0]["cells"]] == ["stem: 1", "stem: 2", "stem: 10"]
    assert (len(answer["result"][0]), len(answer["result"][1]), len(answer["ui"]["images"])) == (2, 2, 2)


def test_two_folders_of_one_name_get_two_files(host, folder):
    folder("a/cats", "1.png")
    folder("b/cats", "1.png")

    run_batch("*/cats", filename_prefix="x/y")

    assert sheets_in(host) == ["x/y_cats_00001_.png", "x/y_cats_00002_.png"]


def test_the_label_line_of_a_broken_picture_is_not_used_for_another(host, folder):
    (folder("cats", "1.png", "3.png") / "2.png").write_bytes(b"no picture")

    grid = report_of(run_batch("cats", labels="one\ntwo\nthree"))["grids"][0]

    assert [cell["label"] for cell in grid["cells"]] == ["one", "three"]


def test_a_folder_that_is_named_twice_makes_one_sheet(host, folder):
    folder("cats", "1.png")

    run_batch("cats\n*", sidecar=False)

    assert len(sheets_in(host)) == 1


def test_a_broken_folder_does_not_stop_the_others(host, folder):
    folder("empty")
    (folder("broken") / "x.png").write_bytes(b"no picture")
    folder("good", "1.png")

    report = report_of(run_batch("empty\nbroken\nmissing\ngood"))

    assert report["status"] == "partial" and len(report["grids"]) == 1
    assert [os.path.basename(failure["directory"]) for failure in report["failed"]] == ["missing", "empty", "broken"]


def test_a_batch_without_any_sheet_is_an_error_with_every_reason(host, folder):
    folder("empty")

    with pytest.raises(InputError, match=r"missing.*empty"):
        run_batch("empty\nmissing")


def test_an_interrupted_batch_keeps_the_sheets_that_are_done(host, folder):
    folder("a", "1.png")
    folder("b", "1.png", "2.png")
    host.interrupt_after = 1500

    with pytest.raises(Interrupted):
        run_batch("a\nb")

    assert sheets_in(host) == ["ClipGrid_a_00001_.png"]


def test_a_link_out_of_the_allowed_folders_is_skipped_with_the_reason(host, folder, tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "secret.png")
    (folder("cats", "1.png") / "2.png").symlink_to(tmp_path / "secret.png")

    grid = report_of(run_batch("cats"))["grids"][0]

    assert grid["images_processed"] == 1 and "link" in grid["skipped"][0]["reason"]
