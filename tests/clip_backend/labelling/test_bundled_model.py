"""Labels of the bundled model for pictures that it was not trained on."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

for package in ("torch", "safetensors", "tokenizers"):
    pytest.importorskip(package)
from clip_grid.clip_backend.labelling.distinctive import distinctive_labels
from clip_grid.clip_backend.labelling.labels import label_pictures
from clip_grid.clip_backend.labelling.options import LabelOptions
from clip_grid.clip_backend.loading import load_encoder
from clip_grid.commands.shape_drawing import COLOURS, SHAPES, Scene, draw, random_scene
from clip_grid.tools.shapes_demo.captions import with_article

from .cosine_encoder import facet_of, vocabulary

ANIMALS = vocabulary("cat", "dog", "horse", "bird", "fish", "cow")
THINGS = vocabulary(*(with_article(f"{colour} {shape}") for colour in COLOURS for shape in SHAPES))
SIDES = (48, 64, 128, 224)


@cache
def encoder():
    return load_encoder("shapes-demo", device="cpu")


@cache
def new_pictures():
    """Scenes of shapes and their pictures."""
    rng = np.random.default_rng(4711)
    scenes = [random_scene(rng, empty=0, noise=0) for _ in range(200)]
    return scenes, [draw(scene, int(rng.choice(SIDES)), rng) for scene in scenes]


def noise():
    rng = np.random.default_rng(4712)
    fine = [rng.integers(0, 256, (64, 64, 3), np.uint8) for _ in range(30)]
    grey = [np.repeat(rng.normal(128, 50, (96, 96, 1)).clip(0, 255), 3, 2).astype(np.uint8) for _ in range(30)]
    return fine + grey


def test_colour_and_shape_of_new_pictures_are_labelled_rightly():
    scenes, pictures = new_pictures()

    run = label_pictures(encoder(), pictures, THINGS)

    wanted = [with_article(f"{scene.colour} {scene.shape}") for scene in scenes]
    assert np.mean([one.label == want for one, want in zip(run.pictures, wanted, strict=True)]) >= 0.95


def test_every_facet_is_right_by_itself():
    scenes, pictures = new_pictures()
    facets = facet_of(COLOURS, "colour"), facet_of(map(with_article, SHAPES), "shape")

    run = label_pictures(encoder(), pictures, vocabulary(*facets))

    found = [tuple(answer.label for answer in one.facets) for one in run.pictures]
    wanted = [(scene.colour, with_article(scene.shape)) for scene in scenes]
    for place in range(2):
        assert np.mean([one[place] == want[place] for one, want in zip(found, wanted, strict=True)]) >= 0.95
    assert run.pictures[0].label == " · ".join(found[0])


def test_the_option_multiple_gives_every_label_that_fits():
    scenes, pictures = new_pictures()
    labels = vocabulary(*COLOURS, *map(with_article, SHAPES), "cat", "dog")

    run = label_pictures(encoder(), pictures, labels, options=LabelOptions(multiple=True))

    found = [
        {scene.colour, with_article(scene.shape)} <= set(one.labels)
        for one, scene in zip(run.pictures, scenes, strict=True)
    ]
    # each label must lie 3 standard deviations above everyday nouns by itself, which few wrong ones do
    assert np.mean(found) >= 0.75
    assert not any({"cat", "dog"} & set(one.labels) for one in run.pictures)


def test_noise_is_never_labelled_with_a_shape():
    several = vocabulary(facet_of(COLOURS, "colour"), facet_of(map(with_article, SHAPES), "shape"))

    for labels in (THINGS, several):
        found = {(one.label, one.reason) for one in label_pictures(encoder(), noise(), labels).pictures}
        assert found == {("unlabeled", "the picture shows noise only")}


def test_shapes_are_hardly_ever_labelled_as_animals():
    _, pictures = new_pictures()

    run, alone = (
        label_pictures(encoder(), pictures, ANIMALS, options=LabelOptions(none_of_these=none)) for none in (True, False)
    )

    def share(found):
        return np.mean([one.label not in ("none of these", "unlabeled") for one in found.pictures])

    assert share(run) <= 0.1
    assert share(alone) >= 0.5


def test_the_shape_sets_apart_pictures_of_one_colour():
    rng = np.random.default_rng(5)
    scenes = [Scene(kind="shape", colour="red", shape=shape, size="large", background="white") for shape in SHAPES]
    facets = facet_of(COLOURS, "colour"), facet_of(map(with_article, SHAPES), "shape")
    pictures = [draw(scene, 64, rng) for scene in scenes]

    run = distinctive_labels(encoder(), pictures, vocabulary(*facets))

    assert [one.label for one in run.pictures] == [f"red · {with_article(shape)}" for shape in SHAPES]


def test_labels_do_not_depend_on_batches_or_order():
    _, pictures = new_pictures()
    sizes = facet_of(["small", "large"], "size")
    words = vocabulary(facet_of(COLOURS, "colour"), facet_of(map(with_article, SHAPES), "shape"), sizes)
    some = pictures[:24]

    labels = [one.label for one in distinctive_labels(encoder(), some, words).pictures]
    reversed_labels = [one.label for one in distinctive_labels(encoder(), some[::-1], words).pictures][::-1]

    assert [one.rstrip(" 0123456789") for one in labels] == [one.rstrip(" 0123456789") for one in reversed_labels]
    assert len(set(labels)) == len(labels)


def test_a_label_longer_than_the_models_context_is_named_in_a_note():
    long = "a red circle " * 40

    run = label_pictures(encoder(), new_pictures()[1][:2], vocabulary("a blue square", long.strip()))

    assert any("reads the beginning only of 'a red circle a red circle" in note for note in run.notes)
