"""Tests: the match node on a fake host, with the bundled model and images that it recognises."""

from __future__ import annotations

import json
import math

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("tokenizers")

from clip_grid.errors import InputError
from clip_grid.nodes.clip_nodes import CLIPModelLoader
from clip_grid.nodes.host.fake import Interrupted
from clip_grid.nodes.score_nodes import CLIPMatchScore

from ..demo_images import broken, image, run

pytestmark = pytest.mark.usefixtures("host")


def match(images, text, **inputs):
    return run(CLIPMatchScore, images, text=text, **inputs)


def test_a_true_text_matches_and_a_false_one_does_not():
    scores, verdicts, states, pictures, _ = match(
        [image("red circle"), image("blue star")], ["a red circle", "a red circle"]
    )["result"]

    assert verdicts == [True, False]
    assert scores[0] > scores[1]
    assert states[0] == f"Match (score: {scores[0]:.3f})"
    assert [tuple(picture.shape) for picture in pictures] == [(1, 64, 64, 3)] * 2


def test_each_picture_of_a_batch_is_matched_with_a_single_text():
    batch = image("red circle", "blue star", "red circle")

    scores, verdicts, _, pictures, report = match(batch, "a red circle")["result"]

    assert verdicts == [True, False, True] and len(scores) == 3
    assert torch.equal(torch.cat(pictures), batch)
    matches = json.loads(report)
    assert matches["mode"] == "broadcast"
    assert matches["model"] == matches["matches"][0]["model"] == "shapes-demo"


def test_pictures_of_different_sizes_go_together():
    assert match([image("red circle"), image("red circle", side=96)], "a red circle")["result"][1] == [True, True]


def test_a_matrix_has_a_score_for_each_text_of_each_picture():
    texts = ["a red circle", "a blue star", "a green heart"]

    answer = match(image("red circle", "blue star"), texts, mode="matrix")

    assert answer["result"][1] == [True, False, False, False, True, False]
    assert len(answer["result"][3]) == 2
    assert [one["text"] for one in answer["ui"]["clip_match"]] == 2 * texts


def test_the_lines_of_a_text_are_one_text():
    assert len(match(image("red circle"), "a red circle\non a white background")["result"][0]) == 1


def test_the_ui_is_lists_of_json_with_the_three_fields_and_the_names_of_scales():
    ui = match([image("red circle"), broken()], "a red circle")["ui"]

    assert all(isinstance(value, list) for value in ui.values())
    json.dumps(ui, allow_nan=False)
    first, second = ui["clip_match"]
    assert first["clip_is_match"] is True
    assert first["clip_match_status"] == f"Match (score: {first['clip_similarity_score']:.3f})"
    assert (second["clip_similarity_score"], second["clip_is_match"]) == (None, False)
    assert "NaN" in second["clip_match_status"]
    assert first["reason"] and first["reason"] in ui["text"][0]
    assert [name in ui["text"][0] for name in ("z ", "cosine", "percentile")] == 3 * [True]


def test_the_missing_part_of_a_text_is_named():
    ui = match(image("red circle"), "a red circle, a blue star")["ui"]

    assert [phrase["status"] for phrase in ui["clip_match"][0]["phrases"]] == ["shown", "missing"]
    assert "missing: 'a blue star'" in ui["text"][0]


@pytest.mark.parametrize("mode", ["pairs", "matrix"])
def test_a_broken_picture_in_the_middle_has_its_place_in_every_list(mode):
    pictures = [image("red circle"), broken(), image("blue star")]
    texts = ["a red circle", "a green heart", "a blue star"]

    scores, verdicts, states, handed_on, report = match(pictures, texts, mode=mode)["result"]

    size = 3 if mode == "pairs" else 9
    assert len(scores) == len(verdicts) == len(states) == size
    assert [place for place, score in enumerate(scores) if math.isnan(score)] == ([1] if size == 3 else [3, 4, 5])
    assert [place for place, yes in enumerate(verdicts) if yes] == ([0, 2] if size == 3 else [0, 8])
    assert len(handed_on) == 3
    assert json.loads(report)["status"] == "partial"


def test_without_any_readable_picture_there_is_an_error():
    with pytest.raises(InputError, match=r"the picture cannot be read; picture 1: holds NaN"):
        match(broken(), "a heart")


@pytest.mark.parametrize(
    ("texts", "mode", "message"),
    [
        ([""], "auto", "text is empty"),
        (["a heart", " \n"], "auto", "text 2 of 2 is empty"),
        ([], "auto", "no texts were given"),
        (["a", "b", "c"], "pairs", "2 pictures and 3 texts"),
        (["a", "b", "c"], "auto", "2 pictures and 3 texts"),
        (["a", "b", "c"], "broadcast", "2 pictures and 3 texts"),
        (["a heart"], "each", "mode is 'each'"),
    ],
)
def test_wrong_texts_and_modes_are_refused(texts, mode, message):
    with pytest.raises(InputError, match=message):
        match(image("red circle", "blue star"), texts, mode=mode)


@pytest.mark.parametrize(
    ("inputs", "limit"),
    [
        ({}, (2.0, "z")),
        ({"preset": "z 2.5"}, (2.5, "z")),
        ({"threshold": 0.9}, (0.9, "cosine")),
        ({"threshold": 0.9, "preset": "threshold"}, (0.9, "cosine")),
        ({"preset": "strict"}, (0.30, "cosine")),
        ({"preset": "percentile 95"}, (95.0, "percentile")),
    ],
)
def test_the_verdict_is_automatic_by_a_preset_or_by_a_cosine_that_is_typed(inputs, limit):
    (one,) = match(image("red circle"), "a red circle", **inputs)["ui"]["clip_match"]

    assert (one["threshold"], one["threshold_scale"]) == limit
    assert one["clip_is_match"] == (one[limit[1]] >= limit[0])


@pytest.mark.parametrize(
    ("kind", "reason"), [("blank", "the picture is blank"), ("noise", "the picture shows noise only")]
)
def test_blank_pictures_and_noise_are_undecided_and_the_reason_says_so(kind, reason):
    noise = torch.rand(1, 64, 64, 3, generator=torch.Generator().manual_seed(0))
    picture = noise if kind == "noise" else torch.full((1, 64, 64, 3), 0.5)

    answer = match(picture, "a red circle")

    assert answer["result"][1] == [False]
    assert answer["ui"]["clip_match"][0]["verdict"] == "undecided"
    assert reason in answer["ui"]["text"][0]


def test_the_user_can_stop_it(host):
    loaded = CLIPModelLoader().execute(model="shapes-demo")["result"][0]
    host.steps.append((1, 1))
    host.interrupt_after = 1

    with pytest.raises(Interrupted):
        run(CLIPMatchScore, image("green heart", "red star"), model=loaded, text="a green heart")
