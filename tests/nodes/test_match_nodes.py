"""Tests: the scoring nodes end to end on a fake host, with the bundled model and pictures that it knows."""

from __future__ import annotations

import json
import math
import os

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("tokenizers")

from clip_grid.errors import ForbiddenPath, InputError  # noqa: E402
from clip_grid.nodes.clip_nodes import CLIPModelLoader  # noqa: E402
from clip_grid.nodes.host_fake import Blocker, Interrupted  # noqa: E402
from clip_grid.nodes.loaded_model import _held_models  # noqa: E402
from clip_grid.nodes.match_nodes import CLIPLabel, CLIPMatchScore, RankImages  # noqa: E402

from .core_toys import ToyClipVision, ToyTower, toy_clip  # noqa: E402
from .demo_pictures import demo_model, image  # noqa: E402

pytestmark = pytest.mark.usefixtures("host")


def run(node, images, **inputs):
    """Runs a node as ComfyUI does: every input in a list; with the demo's model unless another is given."""
    given = {"model": demo_model(), **inputs}
    lists = {name: value if isinstance(value, list) else [value] for name, value in given.items()}
    return node().execute(image=images if isinstance(images, list) else [images], **lists)


def match(images, text, **inputs):
    return run(CLIPMatchScore, images, text=text, **inputs)


def label(images, **inputs):
    return run(CLIPLabel, images, **inputs)


def rank(images, **inputs):
    return run(RankImages, images, **inputs)


def broken():
    return torch.full((1, 64, 64, 3), float("nan"))


def is_blocked(output):
    return len(output) == 1 and isinstance(output[0], Blocker)


# matching


def test_a_true_text_matches_and_a_false_one_does_not():
    scores, verdicts, states, pictures, _ = match(
        [image("red circle"), image("blue star")], ["a red circle", "a red circle"]
    )["result"]

    assert verdicts == [True, False]
    assert scores[0] > 0.25 > scores[1]
    assert states[0] == f"Match (score: {scores[0]:.3f})"
    assert [tuple(picture.shape) for picture in pictures] == [(1, 64, 64, 3)] * 2


def test_a_batch_counts_as_its_pictures_and_one_text_goes_to_all():
    batch = image("red circle", "blue star", "red circle")

    scores, verdicts, _, pictures, report = match(batch, "a red circle")["result"]

    assert verdicts == [True, False, True] and len(scores) == 3
    assert torch.equal(torch.cat(pictures), batch)
    told = json.loads(report)
    assert told["mode"] == "broadcast"
    assert told["model"] == told["matches"][0]["model"] == "shapes-demo"


def test_pictures_of_different_sizes_go_together():
    scores = match([image("red circle"), image("red circle", side=96)], "a red circle")["result"][0]

    assert min(scores) > 0.25


def test_a_matrix_has_a_score_for_each_text_of_each_picture():
    answer = match(image("red circle", "blue star"), ["a red circle", "a blue star", "a heart"], mode="matrix")

    assert answer["result"][1] == [True, False, False, False, True, False]
    assert len(answer["result"][3]) == 2
    assert [one["text"] for one in answer["ui"]["clip_match"]] == 2 * ["a red circle", "a blue star", "a heart"]


def test_lines_of_a_text_are_one_text():
    assert len(match(image("red circle"), "a red circle\non a white background")["result"][0]) == 1


def test_the_payload_is_lists_of_json_with_the_three_fields_and_the_names_of_scales():
    ui = match([image("red circle"), broken()], "a red circle")["ui"]

    assert all(isinstance(value, list) for value in ui.values())
    json.dumps(ui, allow_nan=False)
    first, second = ui["clip_match"]
    assert first["clip_is_match"] is True
    assert first["clip_match_status"] == f"Match (score: {first['clip_similarity_score']:.3f})"
    assert (second["clip_similarity_score"], second["clip_is_match"]) == (None, False)
    assert "NaN" in second["clip_match_status"]
    assert "cosine" in ui["text"][0] and "percentile" in ui["text"][0]


def test_the_missing_part_of_a_text_is_named():
    text = match(image("red circle"), "a red circle, a green background")["ui"]["text"][0]

    assert "missing: 'a green background'" in text


@pytest.mark.parametrize("mode", ["pairs", "matrix"])
def test_a_broken_picture_in_the_middle_keeps_the_places_of_the_others(mode):
    pictures = [image("red circle"), broken(), image("blue star")]
    texts = ["a red circle", "a heart", "a blue star"]

    scores, verdicts, states, handed_on, report = match(pictures, texts, mode=mode)["result"]

    size = 3 if mode == "pairs" else 9
    assert len(scores) == len(verdicts) == len(states) == size
    assert [place for place, score in enumerate(scores) if math.isnan(score)] == ([1] if size == 3 else [3, 4, 5])
    assert [place for place, yes in enumerate(verdicts) if yes] == ([0, 2] if size == 3 else [0, 8])
    assert len(handed_on) == 3
    assert json.loads(report)["status"] == "partial"


def test_without_any_readable_picture_there_is_an_error():
    with pytest.raises(InputError, match=r"none of the 1 pictures can be read; picture 1: holds NaN"):
        match(broken(), "a heart")
    with pytest.raises(InputError, match=r"none of the 1 pictures can be read; picture 1: holds NaN"):
        label(broken(), labels="a\nb")


@pytest.mark.parametrize(
    ("texts", "mode", "message"),
    [
        ([""], "auto", "text is empty"),
        (["a heart", " \n"], "auto", "text 2 of 2 is empty"),
        ([], "auto", "text is empty"),
        (["a", "b", "c"], "pairs", "2 pictures and 3 texts"),
        (["a", "b", "c"], "auto", "2 pictures and 3 texts"),
        (["a", "b", "c"], "broadcast", "2 pictures and 3 texts"),
        (["a heart"], "each", "mode is 'each'"),
    ],
)
def test_texts_that_cannot_be_scored_are_refused(texts, mode, message):
    with pytest.raises(InputError, match=message):
        match(image("red circle", "blue star"), texts, mode=mode)


def test_the_threshold_is_the_users():
    pictures = image("red circle")

    assert match(pictures, "a red circle", threshold=0.9)["result"][1] == [False]
    assert match(pictures, "a red circle", preset="strict")["ui"]["clip_match"][0]["threshold"] == 0.30


# which model


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "no model is connected; connect model"),
        ({"model": [None]}, "no model is connected"),
        ({"clip": ["a clip"]}, "clip is half of a model; connect clip_vision"),
        ({"clip_vision": ["a clip"]}, "clip_vision is half of a model; connect clip of"),
        ({"model": ["shapes-demo"]}, "model holds a str"),
        ({"model": ["a", "b"]}, "2 models are connected to model"),
        ({"model": ["a"], "clip": ["b"]}, "model and clip"),
    ],
)
def test_exactly_one_whole_model_is_wanted(inputs, message):
    with pytest.raises(InputError, match=message):
        match(image("red circle"), "a heart", **{"model": None, **inputs})


def test_halves_of_two_clips_are_refused():
    with pytest.raises(InputError, match="there is no CLIP that goes with"):
        match(
            image("red circle"), "a heart", model=None, clip=toy_clip({"clip_l": ToyTower(12)}),
            clip_vision=ToyClipVision(),
        )  # fmt: skip


def test_a_loaded_model_finds_its_embeddings_again_after_a_restart(host):
    loaded = CLIPModelLoader().execute(model="shapes-demo")["result"][0]
    first = run(CLIPMatchScore, image("red circle"), model=loaded, text="a red circle")
    kept = sorted(host.embeddings_folder.iterdir())
    _held_models().clear()
    again = CLIPModelLoader().execute(model="shapes-demo")["result"][0]
    second = run(CLIPMatchScore, image("red circle"), model=again, text="a red circle")

    assert again.encoder is not loaded.encoder
    assert again.encoder.cache.misses == 0 and kept
    assert sorted(host.embeddings_folder.iterdir()) == kept
    assert first["result"][0] == second["result"][0]


def test_the_user_can_stop_it(host):
    loaded = CLIPModelLoader().execute(model="shapes-demo")["result"][0]
    host.steps.append((1, 1))
    host.interrupt_after = 1

    with pytest.raises(Interrupted):
        run(CLIPMatchScore, image("green heart", "red star"), model=loaded, text="a green heart")


# labels


def test_pictures_get_the_label_that_fits():
    labels, scores, pictures, report = label(
        [image("red circle", "blue star"), image("green heart")], labels="a red circle\na blue star\na green heart"
    )["result"]

    assert labels == ["a red circle", "a blue star", "a green heart"]
    assert min(scores) > 0.5 and len(pictures) == 3
    assert "softmax" in json.loads(report)["images"][0]["scale"]


@pytest.mark.parametrize("labels", [["a red circle, a blue star"], ["a red circle", "a blue star"]])
def test_labels_stand_between_commas_or_come_as_a_list(labels):
    assert label(image("blue star"), labels=labels)["result"][0] == ["a blue star"]


def test_lines_may_hold_commas():
    told = json.loads(label(image("red circle"), labels="a circle, red\na star, blue")["result"][3])

    assert {one["label"] for one in told["images"][0]["top"]} == {"a circle, red", "a star, blue"}


def test_a_broken_picture_is_unlabeled_and_costs_no_other():
    answer = label([image("red circle"), broken(), image("blue star")], labels="a red circle\na blue star")

    labels, scores, _, _ = answer["result"]
    assert labels == ["a red circle", "unlabeled", "a blue star"] and math.isnan(scores[1])
    json.dumps(answer["ui"], allow_nan=False)
    assert [one["label"] for one in answer["ui"]["clip_labels"]] == labels
    assert "picture 2: not read, holds NaN" in answer["ui"]["text"][0]


def test_what_is_none_of_the_labels_is_told():
    assert label(image("yellow ring"), labels="a blue star\na red cross")["result"][0] != ["a blue star"]


def test_without_labels_the_words_of_the_pack_are_used():
    told = json.loads(label(image("red circle"))["result"][3])

    assert len(told["images"][0]["top"]) >= 3


def test_a_vocabulary_is_a_file_of_the_input_folder(host):
    (host.folders.input / "wörter.txt").write_text("a red circle\na blue star\n", "utf-8")

    for name in ("wörter.txt", '"wörter.txt"', "wörter.txt [input]"):
        assert label(image("blue star"), vocabulary=name)["result"][0] == ["a blue star"]


def test_a_vocabulary_may_be_added_to_the_words_of_the_pack(host):
    (host.folders.input / "more.csv").write_text("label\na blue star\n", "utf-8")

    alone = json.loads(label(image("blue star"), vocabulary="more.csv")["result"][3])
    added = json.loads(label(image("blue star"), vocabulary="+more.csv", top_k=1000)["result"][3])

    count = [len(told["images"][0]["top"]) for told in (alone, added)]
    assert count[0] == 1 and count[1] > 100


def test_a_vocabulary_outside_is_refused_and_marks_the_node(host, tmp_path):
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
def test_labels_that_cannot_be_used_are_refused(inputs, message):
    with pytest.raises(InputError, match=message):
        label(image("red circle"), **inputs)


def test_the_label_node_runs_again_when_its_file_changes(host):
    def key(name="words.txt"):
        return CLIPLabel.IS_CHANGED(vocabulary=[name])

    keys = [key(), key()]
    (host.folders.input / "words.txt").write_text("a\nb\n")
    keys.append(key())
    os.utime(host.folders.input / "words.txt", ns=(1, 1))
    keys.append(key())

    assert keys[0] == keys[1] and len(set(keys)) == 3
    assert isinstance(key("\0.txt"), str) and isinstance(CLIPLabel.IS_CHANGED(vocabulary=(None,)), str)


# ranking


def test_the_picture_that_fits_a_text_best_is_kept():
    batch = image("blue star", "red circle", "green heart")

    pictures, scores, places, report, rejected, others = rank(batch, text="a red circle")["result"]

    assert places == [1] and sorted(others) == [0, 2]
    assert torch.equal(pictures[0], batch[1:2]) and len(rejected) == 2
    assert scores[0] > 0.25
    told = json.loads(report)
    assert (told["scale"], told["model"]) == ("cosine to 'a red circle'", "shapes-demo")


def test_scores_of_another_node_rank_and_need_no_model():
    answer = rank(image("blue star", "red circle", "green heart"), model=None, scores=[1, 3.5, 2], k=2)

    assert answer["result"][1:3] == ([3.5, 2.0], [1, 2])
    assert "2 of 3 kept, by given" in answer["ui"]["text"][0]


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


def test_references_need_pictures_half_alone():
    toy = ToyClipVision()
    pictures = torch.rand(3, 40, 40, 3, generator=torch.Generator().manual_seed(1))

    assert rank(pictures, model=None, clip_vision=toy, references=pictures[1:2])["result"][2] == [1]


def test_near_duplicates_go_and_the_best_of_them_stays():
    batch = torch.cat([image("red circle"), image("red circle"), image("blue star")])

    answer = rank(batch, scores=[1.0, 2.0, 0.5], keep="all", duplicates=0.99)

    assert answer["result"][2] == [1, 2]
    assert "near-duplicate of picture 2" in answer["ui"]["text"][0]


def test_a_broken_picture_does_not_keep_near_duplicates_from_being_found():
    pictures = [image("red circle"), broken(), image("red circle")]

    answer = rank(pictures, scores=[1.0, 5.0, 2.0], keep="all", duplicates=0.99)

    assert answer["result"][2] == [2] and answer["result"][5] == [0, 1]
    assert "picture 2 cannot be read: holds NaN" in answer["ui"]["text"][0]


def test_rejected_is_blocked_when_there_is_nothing_in_it():
    result = rank(image("red circle"), text="a red circle")["result"]

    assert is_blocked(result[4]) and is_blocked(result[5])


def test_if_nothing_is_kept_the_best_one_is_and_that_is_told():
    answer = rank(image("blue star", "red circle"), model=None, scores=[0.1, 0.2], keep="above threshold")

    assert answer["result"][2] == [1] and answer["result"][5] == [0]
    assert "it is kept all the same" in answer["ui"]["text"][0]
    assert json.loads(answer["result"][3])["kept"] == 1


def test_if_nothing_is_kept_it_can_stop_with_the_reason():
    with pytest.raises(InputError, match=r"picture 2 is the best one, and its score 0\.2 is below the threshold"):
        rank(image("blue star", "red circle"), model=None, scores=[0.1, 0.2], keep="above threshold", when_empty="stop")


def test_if_nothing_is_kept_it_can_keep_what_follows_from_being_run():
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
def test_what_cannot_be_ranked_is_refused(inputs, message):
    with pytest.raises(InputError, match=message):
        rank(image("blue star", "red circle"), **{"model": None, **inputs})


def test_long_lists_are_shown_in_part():
    scores = [float(number) for number in range(64)]

    text = rank(torch.zeros(64, 8, 8, 3), model=None, scores=scores)["ui"]["text"][0]

    assert "and 35 more; the report has all of them" in text
