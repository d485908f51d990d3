"""Tests: wrong inputs are refused before a run, and a node runs again when one of its files changed."""

from __future__ import annotations

import os

import pytest
from clip_grid.nodes.grid_nodes import BatchLabeledGridExporterNode, GridTemplateNode, LabeledGridExporterNode
from clip_grid.nodes.score_nodes import CLIPLabel


@pytest.mark.parametrize(
    ("directories", "problem"),
    [
        (["cats"], True),
        (["cats\nmissing"], "missing"),
        (["/etc"], "outside"),
        ([""], "empty"),
        ((None,), True),
        (["*"], True),
    ],
)
def test_folders_that_are_not_linked_are_checked_before_a_run(host, folder, directories, problem):
    folder("cats", "1.png")

    result = BatchLabeledGridExporterNode.VALIDATE_INPUTS(directories=directories)

    assert result is True if problem is True else problem in result


def test_a_model_that_is_gone_is_no_error_before_the_run(host):
    assert LabeledGridExporterNode.VALIDATE_INPUTS() is True
    kind, declared = LabeledGridExporterNode.INPUT_TYPES()["optional"]["clip_model"]
    assert kind == "CLIP_GRID_MODEL" and declared["widgetType"] == "COMBO"
    assert declared["options"] == ["auto", "shapes-demo"]


def test_the_exporter_runs_again_if_its_csv_file_or_saved_template_changes(host):
    def key():
        return LabeledGridExporterNode.IS_CHANGED(images=(None,), csv=["a.csv"], template=["mine"])

    keys = [key(), key()]
    (host.folders.input / "a.csv").write_text("seed\n1\n")
    keys.append(key())
    said = GridTemplateNode().execute(name=["mine"], save=[True])["ui"]["text"]
    keys.append(key())

    assert keys[0] == keys[1] and len(set(keys)) == 3
    assert said == ["saved as user/clip_grid/templates/mine.json"]


def test_the_batch_runs_again_if_any_file_in_its_folders_changes(host, folder):
    def key(text):
        return BatchLabeledGridExporterNode.IS_CHANGED(directories=[text])

    cats = folder("cats", "1.png")
    keys = [key("cats"), key("cats")]
    os.utime(cats / "1.png", ns=(1, 1))
    keys.append(key("cats"))
    (cats / "2.png").write_bytes(b"x")
    keys.append(key("cats"))

    assert keys[0] == keys[1] and len(set(keys)) == 3


def test_the_exporter_runs_again_if_its_vocabulary_changes(host):
    def key():
        return LabeledGridExporterNode.IS_CHANGED(
            images=(None,), use_clip=[True], vocabulary=["words.txt"], clip_model=["shapes-demo"]
        )

    keys = [key(), key()]
    (host.folders.input / "words.txt").write_text("a\nb\n")
    keys.append(key())
    os.utime(host.folders.input / "words.txt", ns=(1, 1))
    keys.append(key())

    assert keys[0] == keys[1] and len(set(keys)) == 3
    assert isinstance(LabeledGridExporterNode.IS_CHANGED(clip_model=["gone"]), str)
    assert isinstance(LabeledGridExporterNode.IS_CHANGED(clip_model=(None,)), str)


def test_the_label_node_runs_again_if_its_vocabulary_changes(host):
    def key(name="words.txt"):
        return CLIPLabel.IS_CHANGED(vocabulary=[name])

    keys = [key(), key()]
    (host.folders.input / "words.txt").write_text("a\nb\n")
    keys.append(key())
    os.utime(host.folders.input / "words.txt", ns=(1, 1))
    keys.append(key())

    assert keys[0] == keys[1] and len(set(keys)) == 3
    assert isinstance(key("\0.txt"), str) and isinstance(CLIPLabel.IS_CHANGED(vocabulary=(None,)), str)


@pytest.mark.parametrize("directories", [["missing"], ["/etc"], ["a\0b"], [""], (None,)])
def test_is_changed_never_raises(host, directories):
    assert isinstance(BatchLabeledGridExporterNode.IS_CHANGED(directories=directories, csv=(None,), font=["\0"]), str)
