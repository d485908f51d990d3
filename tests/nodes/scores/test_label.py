"""Tests: the label node on a fake host, with the bundled model and images that it recognises."""

from __future__ import annotations

import json
import math

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("tokenizers")

from clip_grid.errors import ForbiddenPath, InputError
from clip_grid.nodes.score_nodes import CLIPLabel

from ..demo_images import broken, image, run

pytestmark = pytest.mark.usefixtures("host")


def label(images, **inputs):
    return run(CLIPLabel, images, **inputs)


def test_pictures_get_the_label_that_fits():
    labels, scores, pictures, report = label(
        [image("red circle", "blue star"), image("green heart")], labels="a red circle\na blue star\na green heart"
    )["result"]

    assert labels == ["a red circle", "a blue star", "a green heart"]
    assert min(scores) > 0.5 and len(pictures) == 3
    assert "softmax" in json.loads(report)["images"][0]["scale"]


@pytest.mark.parametrize("labels", [["a red circle, a blue star"], ["a red circle", "a blue star"]])
def test_labels_are_separated_by_commas_or_come_as_a_list(labels):
    assert label(image("blue star"), labels=labels)["result"][0] == ["a blue star"]


def test_lines_may_hold_commas():
    report = json.loads(label(image("red circle"), labels="a circle, red\na star, blue")["result"][3])

    assert {one["label"] for one in report["images"][0]["top"]} == {"a circle, red", "a star, blue"}


def test_a_broken_picture_is_unlabeled_and_the_others_are_labelled():
    answer = label([image("red circle"), broken(), image("blue star")], labels="a red circle\na blue star")

    labels, scores, _, _ = answer["result"]
    assert labels == ["a red circle", "unlabeled", "a blue star"] and math.isnan(scores[1])
    json.dumps(answer["ui"], allow_nan=False)
    assert [one["label"] for one in answer["ui"]["clip_labels"]] == labels
    assert "picture 2: not read, holds NaN" in answer["ui"]["text"][0]


def test_without_any_readable_picture_there_is_an_error():
    with pytest.raises(InputError, match=r"the picture cannot be read; picture 1: holds NaN"):
        label(broken(), labels="a\nb")


def test_a_picture_that_fits_no_label_does_not_get_the_nearest():
    assert label(image("yellow ring"), labels="a blue star\na red cross")["result"][0] != ["a blue star"]


def test_without_labels_the_words_of_the_pack_are_used():
    report = json.loads(label(image("red circle"))["result"][3])

    assert len(report["images"][0]["top"]) >= 3


def test_a_vocabulary_can_be_a_file_in_the_input_folder(host):
    (host.folders.input / "wörter.txt").write_text("a red circle\na blue star\n", "utf-8")

    for name in ("wörter.txt", '"wörter.txt"', "wörter.txt [input]"):
        assert label(image("blue star"), vocabulary=name)["result"][0] == ["a blue star"]


def test_a_vocabulary_may_be_added_to_the_words_of_the_pack(host):
    (host.folders.input / "more.csv").write_text("label\na blue star\n", "utf-8")

    alone = json.loads(label(image("blue star"), vocabulary="more.csv")["result"][3])
    added = json.loads(label(image("blue star"), vocabulary="+more.csv", top_k=1000)["result"][3])

    count = [len(report["images"][0]["top"]) for report in (alone, added)]
    assert count[0] == 1 and count[1] > 100


def test_a_vocabulary_outside_the_folders_is_refused_before_and_in_a_run(host, tmp_path):
    (tmp_path / "secret.txt").write_text("a\nb\n")

    with pytest.raises(ForbiddenPath):
        label(image("red circle"), vocabulary="../secret.txt")
    with pytest.raises(ForbiddenPath):
        label(image("red circle"), vocabulary=f"+{tmp_path}/secret.txt")
    assert "outside" in CLIPLabel.VALIDATE_INPUTS(vocabulary=["../secret.txt"])
    assert "no file" in CLIPLabel.VALIDATE_INPUTS(vocabulary=["gone.txt"])
    assert CLIPLabel.VALIDATE_INPUTS(vocabulary=(None,)) is True
    assert CLIPLabel.VALIDATE_INPUTS() is True


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"labels": "a\nb", "vocabulary": "c, d"}, "both labels and vocabulary"),
        ({"labels": "cats.txt"}, "write the name of a file into vocabulary"),
        ({"labels": ["a", ""]}, "label 2 of 2 is empty"),
        ({"labels": ",,"}, "no labels were given"),
        ({"labels": "a\nb", "templates": "a photo"}, "must hold {}"),
        ({"labels": "a\nb", "top_k": 0}, "top_k is 0"),
    ],
)
def test_wrong_labels_are_refused(inputs, message):
    with pytest.raises(InputError, match=message):
        label(image("red circle"), **inputs)
