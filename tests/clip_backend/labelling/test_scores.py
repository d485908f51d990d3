"""Probabilities, the prior and the noise floor against numbers worked out by hand."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest
from clip_grid.clip_backend.labelling.labels import label_pictures
from clip_grid.clip_backend.labelling.options import LabelOptions
from clip_grid.clip_backend.scoring.banks import neutral_captions
from hypothesis import given
from hypothesis import strategies as st

from .cosine_encoder import OTHER, CosineEncoder, encoder_of_one, facet_of, vocabulary

ALONE = LabelOptions(none_of_these=False, noise_floor=False, top_k=1000)


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
def test_probabilities_and_that_of_none_sum_to_one(cosines):
    labels = [f"label {number}" for number in range(len(cosines))]
    encoder = encoder_of_one(**dict(zip(labels, cosines, strict=True)), **{OTHER: 0.1})

    run = label_pictures(encoder, ["a.png"], vocabulary(*labels), options=LabelOptions(noise_floor=False, top_k=8))

    none = exp(1) / (exp(1) + sum(exp(10 * cosine) for cosine in cosines))
    assert sum(probabilities(run).values()) == pytest.approx(1 - none, abs=1e-5)


# none of these


def test_a_picture_that_fits_neutral_captions_better_is_none_of_these():
    encoder = CosineEncoder({"boat.png": {"cat": 0.2, "dog": 0.1, OTHER: 0.4}, "cat.png": {"cat": 0.5, OTHER: 0.4}})

    run = label_pictures(encoder, ["boat.png", "cat.png"], vocabulary("cat", "dog"))

    none = exp(2) / (1 + exp(2) + exp(-1))
    assert [one.label for one in run.pictures] == ["none of these", "cat"]
    assert run.pictures[0].score == pytest.approx(none, abs=1e-5)
    assert run.pictures[0].labels == ()
    assert run.pictures[0].scale == "softmax over 2 labels and none of these"
    assert run.pictures[1].score == pytest.approx(exp(1) / (exp(1) + 1 + exp(-4)), abs=1e-5)


def test_the_reference_is_the_95th_percentile_of_the_neutral_captions():
    twenty = list(neutral_captions()[:20])
    # 20 of 256 captions are above the 95th percentile's place
    encoder = encoder_of_one(cat=0.1, **dict.fromkeys(twenty, 0.2))

    run = label_pictures(encoder, ["a.png"], vocabulary("cat"))

    assert run.pictures[0].label == "none of these"
    assert run.pictures[0].score == pytest.approx(exp(2) / (exp(1) + exp(2)), abs=1e-5)


def test_neutral_captions_are_encoded_only_where_they_are_needed():
    encoder = encoder_of_one(cat=0.5)

    label_pictures(encoder, ["a.png"], vocabulary("cat", "dog"), options=LabelOptions(none_of_these=False))
    label_pictures(encoder, ["a.png"], vocabulary(facet_of(["cat"], "subject"), facet_of(["calm"], "mood")))

    assert encoder.texts == ["cat", "dog", "cat", "calm"]


# sigmoid


def test_a_model_with_a_bias_gives_each_label_its_sigmoid():
    encoder = CosineEncoder({"a.png": {"cat": 0.5, "dog": 0.3}}, logit_scale=10.0, logit_bias=-6.0)

    run = label_pictures(encoder, ["a.png"], vocabulary("cat", "dog", "cow"))

    expected = {"cat": 1 / (1 + exp(1)), "dog": 1 / (1 + exp(3)), "cow": 1 / (1 + exp(6))}
    assert probabilities(run) == pytest.approx(expected, abs=1e-6)
    assert (run.pictures[0].label, run.pictures[0].scale) == ("cat", "sigmoid")


def test_no_label_that_reaches_the_threshold_of_a_sigmoid_is_none_of_these():
    encoder = CosineEncoder({"a.png": {"cat": 0.2}}, logit_scale=10.0, logit_bias=-8.0)

    for options, label in (
        (LabelOptions(), "none of these"),
        (LabelOptions(none_of_these=False), "unlabeled"),
        (LabelOptions(threshold=0.002), "cat"),
    ):
        run = label_pictures(encoder, ["a.png"], vocabulary("cat", "dog"), options=options)

        assert run.pictures[0].label == label
    assert "neutral" not in " ".join(encoder.texts) and len(encoder.texts) == 6


# the prior


def test_a_label_that_wins_on_noise_wins_nowhere_once_its_prior_is_removed():
    encoder = encoder_of_one({"art": 0.4, "cat": 0.0}, art=0.45, cat=0.4)

    kept = label_pictures(encoder, ["a.png"], vocabulary("art", "cat"), options=ALONE)
    removed = label_pictures(
        encoder, ["a.png"], vocabulary("art", "cat"), options=LabelOptions(none_of_these=False, prior="remove")
    )

    assert [run.pictures[0].label for run in (kept, removed)] == ["art", "cat"]
    assert removed.pictures[0].score == pytest.approx(1 / (1 + exp(-3.5)), abs=1e-5)
    assert removed.pictures[0].top[0].cosine == pytest.approx(0.4)
    assert removed.pictures[0].scale == "softmax over 2 labels, prior removed"


def test_priors_are_removed_automatically_for_several_facets():
    facets = facet_of(["art", "cat"], "subject"), facet_of(["calm", "wild"], "mood")
    encoder = encoder_of_one({"art": 0.4}, art=0.45, cat=0.4)

    run = label_pictures(encoder, ["a.png"], vocabulary(*facets))

    assert run.pictures[0].facets[0].label == "cat"
    assert run.pictures[0].scale == "softmax over the labels of each facet, prior removed"
    kept = label_pictures(encoder, ["a.png"], vocabulary(*facets), options=LabelOptions(prior="keep", margin=0))
    assert kept.pictures[0].facets[0].label == "art"


def test_the_floor_too_is_without_the_prior():
    facets = facet_of(["art", "cat"], "subject"), facet_of(["calm", "wild"], "mood")
    encoder = encoder_of_one({"art": 0.4, "cat": 0.0, "calm": 0.0, "wild": 0.0}, art=0.5)

    run = label_pictures(encoder, ["a.png"], vocabulary(*facets))

    # 0.5 - 0.2 is above 0.4 - 0.2, though not above 0.4
    assert run.pictures[0].facets[0].label == "art"


# the noise floor


def test_a_picture_that_fits_no_better_than_noise_is_unlabeled_and_the_reason_has_the_numbers():
    encoder = CosineEncoder({"fog.png": {"cat": 0.3}, "cat.png": {"cat": 0.32}}, {"cat": 0.3})

    run = label_pictures(encoder, ["fog.png", "cat.png"], vocabulary("cat", "dog"))

    fog, cat = run.pictures
    assert (fog.label, fog.score, fog.labels, cat.label) == ("unlabeled", 0.0, (), "cat")
    assert fog.reason == "'cat' fits best, but no better than noise: its cosine is 0.300, noise reaches 0.300"
    assert fog.top[0].label == "cat"
    assert fog.to_dict()["reason"] == fog.reason and "reason" not in cat.to_dict()


def test_the_floor_can_be_switched_off():
    encoder = encoder_of_one({"cat": 0.3}, cat=0.3)

    run = label_pictures(encoder, ["a.png"], vocabulary("cat", "dog"), options=LabelOptions(noise_floor=False))

    assert run.pictures[0].label == "cat"
