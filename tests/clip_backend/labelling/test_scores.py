"""Probabilities, z, what competes with labels, and pictures without content, against numbers worked out by hand."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest
from clip_grid.clip_backend.labelling.labels import label_pictures
from clip_grid.clip_backend.labelling.options import LabelOptions
from clip_grid.clip_backend.labelling.scores import unrelated_nouns
from clip_grid.clip_backend.scoring.scales import bank
from clip_grid.clip_backend.words.sources import default_vocabulary
from clip_grid.clip_backend.words.vocabulary import vocabulary_from_labels
from hypothesis import given
from hypothesis import strategies as st

from .cosine_encoder import NOUNS, OTHER, CosineEncoder, encoder_of_one, facet_of, vocabulary

ALONE = LabelOptions(none_of_these=False, top_k=1000)


def probabilities(run, picture=0):
    return {one.label: one.probability for one in run.pictures[picture].top}


def zero_shot(cosines, scale):
    """As transformers and the CLIP paper have it: softmax of the scaled cosines."""
    powers = [exp(scale * cosine) for cosine in cosines]
    return [power / sum(powers) for power in powers]


# softmax


def test_probabilities_are_those_of_the_zero_shot_formula():
    rng = np.random.default_rng(3)
    labels = [f"label {number}" for number in range(20)]
    pictures = {f"{n}.png": dict(zip(labels, rng.uniform(0, 0.2, 20), strict=True)) for n in range(5)}
    encoder = CosineEncoder(pictures, logit_scale=100.0)

    run = label_pictures(encoder, list(pictures), vocabulary(*labels), options=ALONE)

    for place, cosines in enumerate(pictures.values()):
        expected = dict(zip(labels, zero_shot(cosines.values(), 100.0), strict=True))
        assert probabilities(run, place) == pytest.approx(expected, abs=1e-5)
    assert run.pictures[0].scale == "softmax over 20 labels"


def test_the_result_has_cosines_probabilities_and_their_scale():
    run = label_pictures(encoder_of_one(cat=0.5, dog=0.3), ["a.png"], vocabulary("dog", "cat"), options=ALONE)

    (answer,) = run.pictures
    share = 1 / (1 + exp(-2))
    assert (answer.name, answer.index, answer.label, answer.labels) == ("a.png", 0, "cat", ("cat",))
    assert answer.score == pytest.approx(share)
    assert [(one.label, one.probability, one.cosine) for one in answer.top] == [
        ("cat", pytest.approx(share), pytest.approx(0.5)),
        ("dog", pytest.approx(1 - share), pytest.approx(0.3)),
    ]
    assert answer.to_dict()["scale"] == "softmax over 2 labels"
    assert answer.to_dict()["facets"] == {"label": "cat"}


def test_one_label_alone_has_the_whole_softmax_and_says_so():
    run = label_pictures(encoder_of_one(cat=0.1), ["a.png"], vocabulary("cat"), options=ALONE)

    assert (run.pictures[0].label, run.pictures[0].score) == ("cat", 1.0)
    assert run.pictures[0].scale == "softmax over 1 label"


@given(st.lists(st.floats(-0.3, 0.3), min_size=1, max_size=8))
def test_probabilities_and_those_of_the_nouns_sum_to_one(cosines):
    labels = [f"label {number}" for number in range(len(cosines))]
    encoder = encoder_of_one(**dict(zip(labels, cosines, strict=True)), **{OTHER: 0.1})

    run = label_pictures(encoder, ["a.png"], vocabulary(*labels), options=LabelOptions(top_k=8))

    nouns = NOUNS * exp(1)
    none = nouns / (nouns + sum(exp(10 * cosine) for cosine in cosines))
    assert sum(probabilities(run).values()) == pytest.approx(1 - none, abs=1e-5)


def test_z_is_counted_from_the_nouns_through_the_same_templates():
    nouns = {f"the {noun}": 0.02 * (place % 3) for place, noun in enumerate(bank().nouns)}
    encoder = encoder_of_one(**{"the cat": 0.3, "the dog": -0.05}, **nouns)

    run = label_pictures(encoder, ["a.png"], vocabulary(facet_of(["cat", "dog"], templates=("the {}",))))

    values = list(nouns.values())
    expected = [(cosine - np.mean(values)) / np.std(values) for cosine in (0.3, -0.05)]
    assert [one.z for one in run.pictures[0].top] == pytest.approx(expected, abs=1e-3)
    assert run.to_dict()["images"][0]["top"][0]["z"] == pytest.approx(expected[0], abs=1e-3)


def test_there_is_no_z_where_no_nouns_are_compared():
    words = vocabulary(facet_of(["cat", "dog"], "subject"), facet_of(["calm", "wild"], "mood"))

    (answer,) = label_pictures(encoder_of_one(cat=0.8, calm=0.2), ["a.png"], words).pictures

    subject, mood = answer.facets
    assert [one.z is None for one in (*subject.top, *mood.top)] == [False, False, True, True]
    assert "z" in subject.top[0].to_dict() and "z" not in mood.top[0].to_dict()


@pytest.mark.parametrize("options", [LabelOptions(), LabelOptions(multiple=True)])
def test_an_offset_of_all_cosines_changes_no_label(options):
    rng = np.random.default_rng(1)
    names = ["cat", "dog", "cow", *bank().nouns]
    fits = [dict(zip(names, rng.normal(0, 0.02, len(names)), strict=True)) | {"cat": 0.05 * n} for n in range(5)]

    def labels(offset):
        pictures = {f"{n}.png": {name: value + offset for name, value in one.items()} for n, one in enumerate(fits)}
        encoder = CosineEncoder(pictures, logit_scale=100.0)
        run = label_pictures(encoder, list(pictures), vocabulary("cat", "dog", "cow"), options=options)
        return [(one.label, one.labels) for one in run.pictures]

    assert labels(0.0) == labels(0.1)
    assert {label for label, _ in labels(0.0)} > {"cat"}


# none of these


def test_a_picture_that_fits_the_nouns_better_is_none_of_these():
    encoder = CosineEncoder({"boat.png": {"cat": 0.2, "dog": 0.1, OTHER: 0.4}, "cat.png": {"cat": 0.8, OTHER: 0.2}})

    run = label_pictures(encoder, ["boat.png", "cat.png"], vocabulary("cat", "dog"))

    boat, cat = run.pictures
    share = NOUNS * exp(4) / (NOUNS * exp(4) + exp(2) + exp(1))
    assert (boat.label, cat.label) == ("none of these", "cat")
    assert boat.score == pytest.approx(share, abs=1e-5)
    assert boat.labels == ()
    assert boat.scale == "softmax over 2 labels and 64 unrelated nouns"
    assert boat.reason == f"unrelated nouns fit it better, 'chair' best: they have {share:.3f} of the probability"
    assert cat.score == pytest.approx(exp(8) / (exp(8) + 1 + NOUNS * exp(2)), abs=1e-5)


def test_nouns_with_less_than_half_of_the_softmax_make_no_none_of_these():
    labels = [f"label {number}" for number in range(200)]

    run = label_pictures(encoder_of_one(**{"label 0": 0.01}), ["a.png"], vocabulary(*labels))

    (answer,) = run.pictures
    assert answer.label == "unlabeled"
    assert answer.reason == "'label 0' is the likeliest with 0.004, below 0.2"


def test_without_none_of_these_no_noun_competes():
    run = label_pictures(
        encoder_of_one(cat=0.2, dog=0.1, other=0.4), ["a.png"], vocabulary("cat", "dog"), options=ALONE
    )

    assert (run.pictures[0].label, run.pictures[0].scale) == ("cat", "softmax over 2 labels")


@pytest.mark.parametrize(
    ("label", "noun"),
    [
        ("horse", "horse"),
        ("Horses", "horse"),
        ("a rocking horse", "horse"),
        ("two brushes and a vase", "vase"),
        ("torches", "torch"),
        ("butterflies", "butterfly"),
        ("HORSE-drawn", "horse"),
    ],
)
def test_a_noun_that_a_label_names_does_not_compete(label, noun):
    competing = unrelated_nouns(facet_of([label, "cat"]))

    assert noun not in competing
    assert len(competing) == NOUNS - (noun in bank().nouns)


@pytest.mark.parametrize("label", ["seahorse", "car", "grass", "dressing"])
def test_a_noun_within_another_word_competes(label):
    assert unrelated_nouns(facet_of([label])) == tuple(bank().nouns)


def test_labels_that_name_nearly_all_nouns_compete_with_all():
    assert unrelated_nouns(facet_of(list(bank().nouns)[:50])) == tuple(bank().nouns)
    assert len(unrelated_nouns(facet_of(list(bank().nouns)[:48]))) == 16


def test_subjects_of_the_default_vocabulary_keep_enough_rivals():
    subject = next(facet for facet in default_vocabulary().facets if facet.name == "subject")

    assert 32 <= len(unrelated_nouns(subject)) < NOUNS


# the sigmoid


def test_the_sigmoid_of_a_model_trained_with_one_is_shown_and_decides_nothing():
    encoder = CosineEncoder({"a.png": {"cat": 0.5, "dog": 0.3}}, logit_scale=20.0, logit_bias=-16.0, is_sigmoid=True)

    run = label_pictures(encoder, ["a.png"], vocabulary("cat", "dog", "cow"))

    (answer,) = run.pictures
    assert answer.label == "cat"
    assert answer.score == pytest.approx(exp(10) / (exp(10) + exp(6) + 1 + NOUNS), abs=1e-4)
    assert [one.sigmoid for one in answer.top] == pytest.approx(
        [1 / (1 + exp(6)), 1 / (1 + exp(10)), 1 / (1 + exp(16))], rel=1e-3
    )
    assert answer.scale == "softmax over 3 labels and 64 unrelated nouns"
    assert answer.top[0].to_dict()["sigmoid"] == answer.top[0].sigmoid


def test_the_bias_of_a_sigmoid_changes_no_label_and_a_softmax_shows_none():
    pictures = {"a.png": {"cat": 0.5, "dog": 0.3}, "b.png": {"cat": 0.1}}

    runs = [
        label_pictures(encoder, list(pictures), vocabulary("cat", "dog"))
        for encoder in (CosineEncoder(pictures), CosineEncoder(pictures, logit_bias=-16.0, is_sigmoid=True))
    ]

    assert [[one.label for one in run.pictures] for run in runs] == [["cat", "none of these"]] * 2
    assert runs[0].pictures[0].top[0].sigmoid is None
    assert "sigmoid" not in runs[0].pictures[0].top[0].to_dict()


# pictures without content


@pytest.mark.parametrize("options", [LabelOptions(), LabelOptions(multiple=True), ALONE])
@pytest.mark.parametrize(
    ("empty", "reason"), [("blank", "the picture is blank"), ("noise", "the picture shows noise only")]
)
def test_blank_pictures_and_noise_get_no_label_however_well_one_fits(empty, reason, options):
    encoder = CosineEncoder({"a.png": {"cat": 0.9}, "b.png": {"cat": 0.9}}, empty={"b.png": empty})

    run = label_pictures(encoder, ["a.png", "b.png"], vocabulary("cat", "dog"), options=options)

    shown, nothing = run.pictures
    assert (shown.label, shown.reason) == ("cat", "")
    assert (nothing.label, nothing.score, nothing.labels, nothing.reason) == ("unlabeled", 0.0, (), reason)
    assert nothing.top[0].label == "cat"
    assert nothing.to_dict()["reason"] == reason and "reason" not in shown.to_dict()


def test_a_blank_picture_has_no_label_in_any_facet():
    encoder = CosineEncoder({"a.png": {"cat": 0.8, "calm": 0.5}}, empty={"a.png": "blank"})
    words = vocabulary(facet_of(["cat", "dog"], "subject"), facet_of(["calm", "wild"], "mood"))

    (answer,) = label_pictures(encoder, ["a.png"], words).pictures

    assert (answer.label, answer.reason) == ("unlabeled", "the picture is blank")
    assert [(one.label, one.labels) for one in answer.facets] == [("", ()), ("", ())]


def test_a_list_of_labels_is_judged_as_a_facet_of_subjects_is():
    encoder = CosineEncoder({"a.png": {"cat": 0.6}, "b.png": {"cat": 0.3}, "c.png": {}})
    given = vocabulary_from_labels(["cat", "dog"], templates=("{}",))

    runs = [
        label_pictures(encoder, ["a.png", "b.png", "c.png"], words)
        for words in (given, vocabulary(facet_of(["cat", "dog"], "subject")))
    ]

    assert [one.label for one in runs[0].pictures] == ["cat", "cat", "none of these"]
    assert [one.label for one in runs[0].pictures] == [one.label for one in runs[1].pictures]
