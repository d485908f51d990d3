from __future__ import annotations

import io
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")

from clip_grid.clip_backend.loading import load_encoder
from clip_grid.clip_backend.ranking.ranking import rank_by_references, rank_by_scores, rank_by_text
from clip_grid.clip_backend.ranking.result import RankOptions
from clip_grid.commands.shape_drawing import SIZES, draw, random_scene
from clip_grid.errors import InputError, PictureError
from clip_grid.tools.shapes_demo.captions import with_article

from .vector_encoder import VectorEncoder

ALL = RankOptions(keep="all")
VECTORS = {"a": [1, 0], "b": [0.6, 0.8], "c": [0, 5], "a text": [2, 0], "up": [0, 1], "down": [0, -1]}


def indices(pictures):
    return [one.index for one in pictures]


# by text


def test_scores_are_cosines_to_the_text():
    ranking = rank_by_text(VectorEncoder(VECTORS), ["c", "b", "a"], "a text", options=RankOptions(k=2))

    assert [(one.name, one.index) for one in ranking.pictures] == [("a", 2), ("b", 1), ("c", 0)]
    assert [one.score for one in ranking.pictures] == pytest.approx([1.0, 0.6, 0.0])
    assert indices(ranking.kept) == [2, 1]
    assert (ranking.scale, ranking.model) == ("cosine to 'a text'", "toy")


def test_a_broken_picture_in_the_middle_costs_itself_alone():
    ranking = rank_by_text(VectorEncoder(VECTORS), ["c", "broken", "a"], "a text", options=ALL)

    assert indices(ranking.pictures) == [2, 0, 1]
    last = ranking.pictures[-1]
    assert (last.name, last.is_kept, last.reason) == ("broken", False, "it cannot be read")
    assert ranking.status == "partial"


def test_pictures_that_are_all_broken_are_refused_with_a_reason():
    with pytest.raises(InputError, match=r"none of the 2 pictures has a score \(x: it cannot be read\)"):
        rank_by_text(VectorEncoder(VECTORS), ["x", "y"], "a text", options=ALL)


def test_near_duplicates_are_told_beside_broken_pictures():
    options = RankOptions(k=2, duplicates=0.99)

    ranking = rank_by_text(VectorEncoder(VECTORS), ["x", "c", "up", "b"], "a text", options=options)

    assert indices(ranking.kept) == [3, 1]
    assert ranking.rejected[0].reason == "near-duplicate of c (cosine 1.000)"


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_text_is_refused(text):
    with pytest.raises(InputError, match="the text is empty"):
        rank_by_text(VectorEncoder(VECTORS), ["a"], text, options=ALL)


def test_a_text_is_read_as_a_prompt_unless_that_is_switched_off():
    encoder = VectorEncoder(VECTORS | {"(a text:1.2)": [0, 1]})

    plain = rank_by_text(encoder, ["a"], "(a text:1.2)", options=ALL)
    as_it_stands = rank_by_text(encoder, ["a"], "(a text:1.2)", options=replace(ALL, prompt_syntax=False))

    assert (plain.pictures[0].score, plain.scale) == (1.0, "cosine to 'a text'")
    assert any("left out of the text: (a text:1.2)" in note for note in plain.notes)
    assert not any("prompt syntax" in note for note in as_it_stands.notes)
    assert (as_it_stands.pictures[0].score, as_it_stands.scale) == (0.0, "cosine to '(a text:1.2)'")
    with pytest.raises(InputError, match="holds nothing but prompt syntax"):
        rank_by_text(encoder, ["a"], "<lora:a:1>", options=ALL)


def test_a_long_text_is_shortened_in_the_scale():
    text = "長" * 100

    ranking = rank_by_text(VectorEncoder({"a": [1, 0], text: [1, 0]}), ["a"], text, options=ALL)

    assert ranking.scale == f"cosine to '{'長' * 79}…'"


def test_no_pictures_are_refused():
    with pytest.raises(InputError, match="no pictures were given"):
        rank_by_text(VectorEncoder(VECTORS), [], "a text", options=ALL)


def test_notes_are_told_once_and_progress_is_reported():
    told = []
    encoder = VectorEncoder(VECTORS, notes=("a note of the model", "a note of the pictures"))

    ranking = rank_by_text(encoder, ["a"], "a text", options=ALL, progress=lambda *steps: told.append(steps))

    assert ranking.notes == ("a note of the model", "a note of the pictures")
    assert told == [(1, 1)]


# by references


def test_scores_are_cosines_to_the_mean_of_unit_references():
    # the mean of (1, 0) and (0, 1) lies at 45 degrees, although c is five times as long
    ranking = rank_by_references(VectorEncoder(VECTORS), ["a", "b", "c"], ["a", "c"], options=ALL)

    assert indices(ranking.pictures) == [1, 0, 2]
    assert [one.score for one in ranking.pictures] == pytest.approx([1.4 / 2**0.5, 0.5**0.5, 0.5**0.5])
    assert ranking.scale == "cosine to the mean of 2 reference pictures"


def test_one_reference_is_named_as_one():
    assert (
        rank_by_references(VectorEncoder(VECTORS), ["a"], ["b"], options=ALL).scale == "cosine to the reference picture"
    )


def test_progress_is_reported_for_references_and_then_for_pictures():
    told = []

    rank_by_references(VectorEncoder(VECTORS), "abc", "ab", options=ALL, progress=lambda *steps: told.append(steps))

    assert told == [(2, 2), (3, 3)]


def test_references_that_cannot_serve_are_refused():
    encoder = VectorEncoder(VECTORS)

    with pytest.raises(InputError, match="no reference pictures were given"):
        rank_by_references(encoder, ["a"], [], options=ALL)
    with pytest.raises(PictureError, match="broken"):
        rank_by_references(encoder, ["a"], ["a", "broken"], options=ALL)
    with pytest.raises(InputError, match="the mean of 2 reference pictures is zero"):
        rank_by_references(encoder, ["a"], ["up", "down"], options=ALL)


# by given scores, with a look at the pictures


def test_given_scores_leave_broken_pictures_last_and_keep_the_best_of_near_duplicates():
    options = RankOptions(keep="all", duplicates=0.99)

    ranking = rank_by_scores(VectorEncoder(VECTORS), ["c", "broken", "a", "up"], [1.0, 9.0, 0.5, 2.0], options=options)

    assert indices(ranking.pictures) == [3, 0, 2, 1]
    reasons = [one.reason for one in ranking.pictures]
    assert reasons == ["", "near-duplicate of up (cosine 1.000)", "", "it cannot be read"]
    assert (ranking.scale, ranking.model, ranking.status) == ("given", "toy", "partial")


def test_each_picture_needs_its_given_score():
    with pytest.raises(InputError, match="there are 1 scores but 2 pictures; give one score for each picture"):
        rank_by_scores(VectorEncoder(VECTORS), ["a", "b"], [1.0], options=ALL)


# meaning


@cache
def shapes_demo():
    """Loaded once; what several tests look at, it computes once."""
    pytest.importorskip("safetensors")
    pytest.importorskip("tokenizers")
    return load_encoder("shapes-demo", device="cpu")


@cache
def trials():
    """A hundred times: a scene, its place among pictures of 8 of which it alone has its colour and shape, 3 like it."""
    random, drawn = np.random.default_rng(1), []
    for _ in range(100):
        scenes = {(one.colour, one.shape): one for one in (random_scene(random, empty=0, noise=0) for _ in range(40))}
        chosen = list(scenes.values())[:8]
        place = int(random.integers(8))
        scene, pictures = chosen[place], [draw(one, 64, random) for one in chosen]
        drawn.append((scene, place, pictures, [draw(scene, 64, random) for _ in range(3)]))
    return drawn


def test_the_picture_that_a_text_describes_is_first():
    encoder, first = shapes_demo(), []

    for scene, place, pictures, _ in trials():
        text = with_article(f"{scene.colour} {scene.shape} on a {scene.background} background")
        ranking = rank_by_text(encoder, pictures, text, options=RankOptions())
        first.append(indices(ranking.kept) == [place])

    assert np.mean(first) >= 0.95


@pytest.mark.parametrize("references", [1, 3])
def test_the_picture_that_is_like_the_references_is_first(references):
    encoder, first = shapes_demo(), []

    for _, place, pictures, like_it in trials():
        ranking = rank_by_references(encoder, pictures, like_it[:references], options=RankOptions())
        first.append(indices(ranking.kept) == [place])

    assert np.mean(first) >= 0.95


def as_jpeg(picture):
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=50)
    return Image.open(io.BytesIO(file.getvalue())).convert("RGB")


def test_copies_of_a_picture_are_near_duplicates_and_other_scenes_are_not():
    random = np.random.default_rng(3)
    scenes = list(dict.fromkeys(random_scene(random, empty=0, noise=0) for _ in range(60)))[:50]
    originals = [draw(scene, 128, random) for scene in scenes]
    copies = [as_jpeg(picture) for picture in originals]
    smaller = [picture.resize((80, 80)) for picture in originals]
    options = RankOptions(keep="all", duplicates=0.98)

    ranking = rank_by_text(shapes_demo(), [*originals, *copies, *smaller], "a red circle", options=options)

    groups = {one.index: one.group % 50 for one in ranking.pictures}
    assert groups == {place: place % 50 for place in range(150)}
    assert len(ranking.kept) == 50
    assert all(one.reason.startswith("near-duplicate of picture ") for one in ranking.rejected)


def test_a_scene_that_differs_in_size_alone_is_no_near_duplicate():
    random, encoder = np.random.default_rng(4), shapes_demo()

    for _ in range(20):
        scene = random_scene(random, empty=0, noise=0)
        pictures = [draw(replace(scene, size=size), 128, random) for size in SIZES]
        ranking = rank_by_text(encoder, pictures, "a shape", options=RankOptions(keep="all", duplicates=0.98))
        assert len(ranking.kept) == 2
