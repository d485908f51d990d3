"""Templates, notes and progress of a run, and pictures and labels that cannot be used."""

from __future__ import annotations

from math import exp

import pytest
from clip_grid.clip_backend.labelling.labels import label_pictures
from clip_grid.clip_backend.labelling.options import LabelOptions
from clip_grid.clip_backend.scoring.scales import bank
from clip_grid.clip_backend.words.vocabulary import Vocabulary, vocabulary_from_labels
from clip_grid.errors import InputError

from .cosine_encoder import OTHER, CosineEncoder, encoder_of_one, facet_of, vocabulary


def test_templates_of_the_user_replace_those_of_the_vocabulary():
    encoder = encoder_of_one(**{"a sketch of cat": 0.6})
    options = LabelOptions(templates="\n  a sketch of {}  \n\n")

    run = label_pictures(
        encoder, ["a.png"], vocabulary(facet_of(["cat", "dog"], templates=("a photo of {}",))), options=options
    )

    assert run.pictures[0].label == "cat"
    assert encoder.texts == [f"a sketch of {name}" for name in ("cat", "dog", *bank().nouns)]


def test_given_labels_stand_in_a_photo_and_alone():
    encoder = encoder_of_one(cat=0.4)

    label_pictures(encoder, ["a.png"], vocabulary_from_labels(["cat", "dog"]))

    assert encoder.texts[:4] == ["a photo of a cat", "cat", "a photo of a dog", "dog"]
    assert encoder.texts[4:6] == ["a photo of a chair", "chair"]


def test_a_template_without_a_place_for_the_label_is_refused():
    with pytest.raises(InputError, match="'a photo' must hold"):
        label_pictures(encoder_of_one(cat=0.4), ["a.png"], vocabulary("cat"), options=LabelOptions(templates="a photo"))


def test_notes_are_of_the_vocabulary_long_labels_the_scale_the_model_and_the_pictures():
    encoder = CosineEncoder(
        {"a.png": {"cat": 0.4}},
        logit_scale=100.0,
        context=5,
        assumed=("heads", "logit_scale"),
        notes=("a fine-tune",),
        run_notes=("memory ran out",),
    )
    words = Vocabulary(name="w", facets=(facet_of(["cat", "elephant"]),), notes=("one was twice",))

    notes = label_pictures(encoder, ["a.png"], words).notes

    assert notes[0] == "one was twice"
    assert "'elephant'" in notes[1]
    scale = "the model's files do not tell its logit_scale; it is taken to be 100, so probabilities are estimates"
    assert notes[2:] == (scale, "a fine-tune", "memory ran out")


def test_progress_counts_the_pictures():
    counted = []
    encoder = CosineEncoder({"a.png": {"cat": 0.4}, "b.png": {"dog": 0.4}})

    label_pictures(
        encoder, ["a.png", "b.png"], vocabulary("cat", "dog"), progress=lambda *counts: counted.append(counts)
    )

    assert counted[-1] == (2, 2)


# pictures that cannot be used


def test_a_broken_picture_in_the_middle_costs_itself_alone():
    encoder = CosineEncoder({"a.png": {"cat": 0.4}, "é.png": {"dog": 0.4}})

    run = label_pictures(encoder, ["a.png", "broken.png", "é.png"], vocabulary("cat", "dog"))

    assert [(one.name, one.index, one.label) for one in run.pictures] == [("a.png", 0, "cat"), ("é.png", 2, "dog")]
    assert [(one.name, one.index, one.reason) for one in run.failed] == [("broken.png", 1, "there is no such file")]
    assert run.status == "partial"
    assert run.to_dict()["failed"] == [{"path": "broken.png", "reason": "there is no such file"}]


def test_pictures_that_are_all_broken_give_a_result_without_labels():
    run = label_pictures(CosineEncoder({}), ["a.png", "b.png"], vocabulary("cat", "dog"))

    assert (run.pictures, len(run.failed), run.status) == ((), 2, "partial")


def test_no_pictures_are_refused():
    with pytest.raises(InputError, match="no pictures were given"):
        label_pictures(encoder_of_one(cat=0.4), [], vocabulary("cat"))


def test_ten_thousand_labels_are_taken():
    labels = [f"label {number}" for number in range(10_000)]

    options = LabelOptions(none_of_these=False, threshold=1e-4)
    run = label_pictures(encoder_of_one(**{"label 7000": 0.9}), ["a.png"], vocabulary(*labels), options=options)

    (answer,) = run.pictures
    assert answer.label == "label 7000"
    assert answer.score == pytest.approx(exp(9) / (exp(9) + 9999), abs=1e-5)
    assert answer.scale == "softmax over 10000 labels"


def test_labels_that_are_listed_twice_count_once_with_a_note():
    run = label_pictures(encoder_of_one(cat=0.4), ["a.png"], vocabulary_from_labels(["cat", "dog", "Cat"]))

    assert (run.pictures[0].label, run.pictures[0].scale) == ("cat", "softmax over 2 labels and 64 unrelated nouns")
    assert len(run.notes) == 1 and "cat" in run.notes[0]


def test_a_single_label_competes_with_the_nouns():
    encoder = CosineEncoder({"cat.png": {"cat": 0.6, OTHER: 0.2}, "sea.png": {"cat": 0.1, OTHER: 0.2}})

    run = label_pictures(encoder, ["cat.png", "sea.png"], vocabulary_from_labels(["cat"]))

    assert [one.label for one in run.pictures] == ["cat", "none of these"]
    assert run.pictures[0].scale == "softmax over 1 label and 64 unrelated nouns"


def test_an_empty_list_of_labels_is_refused():
    with pytest.raises(InputError, match="no labels were given"):
        vocabulary_from_labels([])
