"""Tests: the rank node on a fake host, with the bundled model and images that it recognises."""

from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("tokenizers")

from clip_grid.errors import InputError
from clip_grid.nodes.host.fake import Blocker
from clip_grid.nodes.score_nodes import RankImages

from ..demo_images import broken, image, run
from ..toy_comfyui import ToyClipVision

pytestmark = pytest.mark.usefixtures("host")


def rank(images, **inputs):
    return run(RankImages, images, **inputs)


def is_blocked(output):
    return len(output) == 1 and isinstance(output[0], Blocker)


def test_the_picture_that_fits_a_text_best_is_kept():
    batch = image("blue star", "red circle", "green heart")

    pictures, scores, places, text, rejected, others = rank(batch, text="a red circle")["result"]

    assert places == [1] and sorted(others) == [0, 2]
    assert torch.equal(pictures[0], batch[1:2]) and len(rejected) == 2
    report = json.loads(text)
    assert scores == [max(one["score"] for one in report["images"])]
    assert (report["scale"], report["model"]) == ("cosine to 'a red circle'", "shapes-demo")


def test_scores_of_another_node_rank_and_need_no_model():
    answer = rank(image("blue star", "red circle", "green heart"), model=None, scores=[1, 3.5, 2], k=2)

    assert answer["result"][1:3] == ([3.5, 2.0], [1, 2])
    assert "2 of 3 kept, by given" in answer["ui"]["text"][0]


def test_verdicts_as_scores_keep_the_pictures_that_match():
    pictures = image("blue star", "red circle", "green heart")

    answer = rank(pictures, model=None, scores=[False, True, True], keep="above threshold", threshold=0.5)

    assert answer["result"][2] == [1, 2] and answer["result"][5] == [0]


def test_a_constant_list_of_scores_comes_from_the_api():
    assert rank(image("blue star", "red circle"), model=None, scores=[[1, 2]])["result"][2] == [1]


def test_a_picture_without_a_score_is_last_and_its_score_is_null():
    answer = rank(
        image("blue star", "red circle", "green heart"), model=None, scores=[float("nan"), 1.0, 2.0], keep="all"
    )

    assert answer["result"][2] == [2, 1] and answer["result"][5] == [0]
    json.dumps(answer["ui"], allow_nan=False)
    assert answer["ui"]["clip_rank"][2]["score"] is None


def test_pictures_like_the_references_come_first():
    batch = image("blue star", "red circle", "green heart")

    assert rank(batch, references=image("green heart", side=80))["result"][2] == [2]


def test_references_need_only_a_clip_vision():
    toy = ToyClipVision()
    pictures = torch.rand(3, 40, 40, 3, generator=torch.Generator().manual_seed(1))

    assert rank(pictures, model=None, clip_vision=toy, references=pictures[1:2])["result"][2] == [1]


def test_only_the_best_of_near_duplicates_is_kept():
    batch = torch.cat([image("red circle"), image("red circle"), image("blue star")])

    answer = rank(batch, scores=[1.0, 2.0, 0.5], keep="all", duplicates=0.99)

    assert answer["result"][2] == [1, 2]
    assert "near-duplicate of picture 2" in answer["ui"]["text"][0]


def test_near_duplicates_are_found_beside_a_broken_picture():
    pictures = [image("red circle"), broken(), image("red circle")]

    answer = rank(pictures, scores=[1.0, 5.0, 2.0], keep="all", duplicates=0.99)

    assert answer["result"][2] == [2] and answer["result"][5] == [0, 1]
    assert "picture 2: –, not kept: holds NaN" in answer["ui"]["text"][0]


def test_an_empty_rejected_output_is_blocked():
    result = rank(image("red circle"), text="a red circle")["result"]

    assert is_blocked(result[4]) and is_blocked(result[5])


def test_if_nothing_is_kept_the_best_picture_is_kept_with_a_note():
    answer = rank(image("blue star", "red circle"), model=None, scores=[0.1, 0.2], keep="above threshold")

    assert answer["result"][2] == [1] and answer["result"][5] == [0]
    assert "it is kept all the same" in answer["ui"]["text"][0]
    assert json.loads(answer["result"][3])["kept"] == 1


def test_if_nothing_is_kept_it_can_be_an_error_with_the_reason():
    with pytest.raises(InputError, match=r"picture 2 is the best one, and its score 0\.2 is below the threshold"):
        rank(image("blue star", "red circle"), model=None, scores=[0.1, 0.2], keep="above threshold", when_empty="stop")


def test_if_nothing_is_kept_the_following_nodes_can_be_blocked():
    result = rank(
        image("blue star", "red circle"), model=None, scores=[0.1, 0.2], keep="above threshold", when_empty="block"
    )["result"]

    assert all(is_blocked(output) for output in result[:3])
    assert len(result[4]) == 2 and result[5] == [1, 0]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "nothing to rank by"),
        ({"text": " "}, "nothing to rank by"),
        ({"scores": [None]}, "nothing to rank by"),
        ({"text": "a", "scores": [1.0, 2.0]}, "text and scores at once"),
        ({"text": ["a", "b"]}, "2 different texts"),
        ({"scores": [1.0]}, "1 scores but 2 pictures"),
        ({"scores": []}, "no scores"),
        ({"scores": [float("nan")] * 2}, "none of the 2 pictures has a score"),
        ({"scores": ["high", "low"]}, "must be numbers"),
        ({"text": "a heart"}, "no model is connected"),
        ({"scores": [1.0, 2.0], "duplicates": 0.9}, "no model is connected"),
        ({"scores": [1.0, 2.0], "k": 0}, "k is 0"),
        ({"scores": [1.0, 2.0], "when_empty": "later"}, "when_empty is 'later'"),
    ],
)
def test_wrong_inputs_are_refused(inputs, message):
    with pytest.raises(InputError, match=message):
        rank(image("blue star", "red circle"), **{"model": None, **inputs})


def test_long_lists_are_shown_in_part():
    scores = [float(number) for number in range(64)]

    text = rank(torch.zeros(64, 8, 8, 3), model=None, scores=scores)["ui"]["text"][0]

    assert "and 35 more; the report has all of them" in text
