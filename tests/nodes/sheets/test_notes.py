"""Tests: what the user should know of a sheet is in its node and once in the server's log."""

from __future__ import annotations

import json

import numpy as np
import pytest
from clip_grid.nodes.grid_nodes import BatchLabeledGridExporterNode, LabeledGridExporterNode
from clip_grid.nodes.sheets.inputs import is_writable
from PIL import Image


def logged(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "clip_grid"]


def test_a_warning_stands_in_the_node_and_once_in_the_log(export, batch, caplog):
    answer = export(batch(0.1, 0.2, 0.3), labels=["a", "b"])

    note = "2 labels were given for 3 pictures; the other pictures take the next source"
    assert answer["ui"]["clip_notes"] == [note] == json.loads(answer["result"][2])["warnings"]
    assert logged(caplog) == [f"CLIP Grid: {note}"]
    assert note in answer["ui"]["text"][0]


def test_a_sheet_without_anything_to_tell_has_no_notes(export, batch, caplog):
    assert export(batch(0.1))["ui"]["clip_notes"] == [] == logged(caplog)


def test_skipped_files_and_failed_folders_are_told(host, folder, caplog):
    (folder("cats", "1.png") / "2.png").write_bytes(b"no picture")
    folder("empty")

    notes = BatchLabeledGridExporterNode().execute(directories=["cats\nempty\ngone"])["ui"]["clip_notes"]

    assert [note.split(":")[0] for note in notes] == ["failed", "failed", "left out"]
    assert notes[2].startswith("left out: input/cats/2.png: ") or notes[2].startswith("left out: 2.png: ")
    assert logged(caplog) == [f"CLIP Grid: {note}" for note in notes]


@pytest.mark.parametrize("option", [{"heatmap": "on"}, {"winner": "highest"}])
def test_a_heat_map_or_a_winner_without_scores_is_a_note(export, batch, option):
    ((name, value),) = option.items()

    answer = export(batch(0.1, 0.2), **option)

    assert answer["ui"]["clip_notes"] == [
        f"{name} is {value}, but the pictures have no score: link scores, write score_text, or name a column of "
        "numbers in badge"
    ]


def test_a_heat_map_and_a_winner_of_linked_scores_need_no_note(export, batch):
    answer = export(batch(0.1, 0.2), heatmap="on", winner="highest", scores=[0.1, 0.9], metadata='{"cfg": [4, 7]}')

    assert answer["ui"]["clip_notes"] == []


def test_only_the_csv_file_is_blamed_for_a_bad_csv_file(host):
    import inspect

    # ComfyUI blames each input that this function names
    assert [*inspect.signature(LabeledGridExporterNode.VALIDATE_INPUTS).parameters] == ["csv"]
    assert [*inspect.signature(BatchLabeledGridExporterNode.VALIDATE_INPUTS).parameters] == ["directories"]


@pytest.mark.parametrize("node", [LabeledGridExporterNode, BatchLabeledGridExporterNode])
def test_only_formats_that_can_be_written_are_offered(node, host, monkeypatch):
    def offered():
        is_writable.cache_clear()
        return node.INPUT_TYPES()["optional"]["format"][0]

    with monkeypatch.context() as patch:
        patch.setattr("clip_grid.nodes.sheets.inputs.find_spec", lambda name: None)
        assert offered() == ["png", "jpeg", "webp", "avif", "tiff", "html"]
        patch.setattr("clip_grid.nodes.sheets.inputs.find_spec", lambda name: object())
        patch.setattr("PIL.features.check", lambda name: name != "avif")
        assert offered() == ["png", "jpeg", "webp", "tiff", "pdf", "html"]
    is_writable.cache_clear()


def test_a_point_as_the_folder_says_what_it_means(host):
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(host.folders.input / "a.png")

    answer = BatchLabeledGridExporterNode().execute(directories=["."])

    assert answer["ui"]["clip_notes"] == ["'.' is ComfyUI's input folder; write output for the output folder"]
