"""Distinctive labels: what is chosen for each picture among the others, and that no text comes twice."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from clip_grid.clip_backend.labelling.distinctive import distinctive_labels, information
from clip_grid.clip_backend.labelling.labels import label_pictures
from clip_grid.clip_backend.labelling.options import LabelOptions
from clip_grid.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st

from .cosine_encoder import CosineEncoder, facet_of, vocabulary

SUBJECT = facet_of(["cat", "dog"], "subject")
MEDIUM = facet_of(["oil painting", "pencil sketch", "photo"], "medium")
MOOD = facet_of(["calm", "wild"], "mood")
FACETS = (SUBJECT, MEDIUM, MOOD)


def encoder_for(pictures, **given):
    """A sharp model; pictures fit by 0 what is not named."""
    every = dict.fromkeys((label for facet in FACETS for label in facet.labels), 0.0)
    return CosineEncoder({name: every | cosines for name, cosines in pictures.items()}, logit_scale=50.0, **given)


def texts(pictures, *facets, **given):
    run = distinctive_labels(encoder_for(pictures), list(pictures), vocabulary(*(facets or FACETS)), **given)
    return [one.label for one in run.pictures]


OIL, PENCIL, PHOTO = {"oil painting": 0.4}, {"pencil sketch": 0.4}, {"photo": 0.4}


def test_pictures_without_content_are_unlabeled_with_their_reason():
    pictures = {name: {"cat": 0.4, **OIL} for name in ("a.png", "flat.png", "static.png")}
    encoder = encoder_for(pictures, empty={"flat.png": "blank", "static.png": "noise"})

    run = distinctive_labels(encoder, list(pictures), vocabulary(*FACETS))

    assert [(one.label, one.reason) for one in run.pictures] == [
        ("cat · oil painting", ""),
        ("unlabeled", "the picture is blank"),
        ("unlabeled", "the picture shows noise only"),
    ]


# what sets apart


def test_information_equals_a_loop_and_sums_to_the_mutual_information():
    shares = np.random.default_rng(0).dirichlet([1, 1, 1], 5)

    nats = information(shares)

    for cell in range(5):
        for label in range(3):
            mean = sum(shares[other, label] for other in range(5)) / 5
            assert nats[cell, label] == pytest.approx(shares[cell, label] * log(shares[cell, label] / mean))
    cells = shares / 5
    joint = (cells * np.log(cells / cells.sum(0) / cells.sum(1, keepdims=True))).sum()
    assert nats.sum() / 5 == pytest.approx(joint)


def test_a_share_of_0_has_no_information():
    assert information(np.array([[1.0, 0.0], [1.0, 0.0]])).tolist() == [[0, 0], [0, 0]]


def test_what_differs_is_named_beside_a_shared_subject():
    pictures = {"a.png": {"cat": 0.4, **OIL}, "b.png": {"cat": 0.4, **PENCIL}, "c.png": {"cat": 0.4, **PHOTO}}

    assert texts(pictures) == ["cat · oil painting", "cat · pencil sketch", "cat · photo"]


def test_the_mood_is_named_where_it_alone_differs():
    pictures = {"a.png": {"cat": 0.5, "calm": 0.3, **OIL}, "b.png": {"cat": 0.5, "wild": 0.3, **OIL}}

    plain = label_pictures(encoder_for(pictures), list(pictures), vocabulary(*FACETS))

    assert [one.label for one in plain.pictures] == ["cat · oil painting"] * 2
    assert texts(pictures) == ["cat · calm", "cat · wild"]


def test_one_picture_has_its_plain_label():
    assert texts({"a.png": {"cat": 0.1, "oil painting": 0.05, "calm": 0.5}}) == ["cat · oil painting"]


def test_a_label_that_nearly_all_share_does_not_replace_the_plain_one():
    # 19 calm pictures and a wild one: being calm has an information of 0.05
    pictures = {f"{n}.png": {"cat": 0.4, **OIL, "wild" if n == 7 else "calm": 0.4} for n in range(20)}

    labels = texts(pictures, unique=False)

    assert labels.pop(7) in ("cat · wild", "oil painting · wild")
    assert set(labels) == {"cat · oil painting"}


def test_beside_what_differs_stands_the_most_probable_shared_label():
    # the mood of all is calm by 0.62, the subject a cat for certain
    pictures = {"a.png": {"calm": 0.01, "cat": 0.4, **OIL}, "b.png": {"calm": 0.01, "cat": 0.4, **PENCIL}}

    assert texts(pictures, MOOD, SUBJECT, MEDIUM) == ["cat · oil painting", "cat · pencil sketch"]


def test_the_label_that_differs_is_named_though_others_are_more_probable():
    # wild by 0.6 and by 0.35: an information of 0.6 log(0.6 / 0.475)
    wilder = {"wild": log(0.6) / 50 + 0.1, "calm": log(0.4) / 50 + 0.1}
    calmer = {"wild": log(0.35) / 50 + 0.1, "calm": log(0.65) / 50 + 0.1}
    shared = {"cat": 0.4, **OIL}

    assert texts({"a.png": shared | wilder, "b.png": shared | calmer})[0] == "cat · wild"


def test_a_label_of_less_than_half_the_share_of_another_is_not_named():
    # a third wild among calm ones: an information of 0.33 log(0.33 / 0.06)
    wilder = {"wild": log(0.33) / 50 + 0.1, "calm": log(0.67) / 50 + 0.1}
    shared = {"cat": 0.4, **OIL}
    calm = {f"{n}.png": shared | {"calm": 0.3} for n in range(5)}

    assert texts({"a.png": shared | wilder, **calm}, unique=False) == ["cat · oil painting"] * 6


def test_the_option_multiple_makes_no_difference():
    pictures = {"a.png": {"cat": 0.5, "calm": 0.3, **OIL}, "b.png": {"cat": 0.5, "wild": 0.3, **OIL}}

    one, several = (
        distinctive_labels(encoder_for(pictures), list(pictures), vocabulary(*FACETS), options=options)
        for options in (LabelOptions(), LabelOptions(multiple=True))
    )

    assert one == several


def test_a_pair_with_a_number_goes_before_a_label_alone():
    pictures = {"a.png": {"cat": 0.4, **OIL}, "b.png": {"cat": 0.41, **OIL}}

    assert texts(pictures) == ["cat · oil painting", "cat · oil painting 2"]


def test_equal_pictures_get_their_plain_label_and_numbers():
    pictures = {f"{name}.png": {"cat": 0.4, "calm": 0.3, **OIL} for name in "abc"}

    assert texts(pictures) == ["cat · oil painting", "cat · oil painting 2", "cat · oil painting 3"]
    assert texts(pictures, unique=False) == ["cat · oil painting"] * 3


def test_the_next_best_labels_are_taken_before_a_number():
    pictures = {
        "a.png": {"cat": 0.4, **OIL},
        "b.png": {"cat": 0.4, "calm": 0.2, "oil painting": 0.35},
        "c.png": {"dog": 0.4, **OIL},
    }

    labels = texts(pictures)

    assert labels[0] == "cat · oil painting" and labels[2] == "dog · oil painting"
    assert labels[1] in ("cat · calm", "oil painting · calm")


def test_labels_have_two_to_five_words():
    pictures = {f"{n}.png": {("cat", "dog")[n % 2]: 0.4, ("calm", "wild")[n // 2]: 0.4} for n in range(4)}

    assert all(2 <= len(label.replace(" ·", "").split()) <= 5 for label in texts(pictures))
    assert texts({"a.png": {"cat": 0.4}, "b.png": {"dog": 0.4}}) == ["subject: cat", "subject: dog"]


def test_a_mood_that_does_not_lead_the_next_is_no_candidate():
    # calm by 0.52 and 0.48, wild by 0.48 and 0.52: they tell the pictures apart, but neither is sure
    nearly = log(0.52 / 0.48) / 50
    pictures = {"a.png": {"cat": 0.4, "calm": nearly}, "b.png": {"cat": 0.4, "wild": nearly}}

    assert texts(pictures, SUBJECT, MOOD) == ["subject: cat", "subject: cat 2"]


def test_a_defect_alone_must_be_likelier_than_no_defect():
    defects = facet_of(["blurry", "grainy"], "defects")
    pictures = {
        "a.png": {"blurry": 0.2, "grainy": 0, "other": 0.1},
        "b.png": {"blurry": 0.2, "other": 0.3, "grainy": 0},
    }

    assert texts(pictures, defects) == ["blurry", "unlabeled"]


def test_defects_never_stand_in_a_label():
    defects = facet_of(["blurry", "clean"], "defects")
    pictures = {"a.png": {"cat": 0.4, "blurry": 0.4, "clean": 0}, "b.png": {"cat": 0.4, "clean": 0.4, "blurry": 0}}

    run = distinctive_labels(encoder_for(pictures), list(pictures), vocabulary(SUBJECT, defects))

    assert [one.label for one in run.pictures] == ["subject: cat", "subject: cat 2"]
    assert [one.facets[1].label for one in run.pictures] == ["blurry", "clean"]


def test_pictures_that_show_nothing_are_unlabeled_and_have_no_number():
    run = distinctive_labels(encoder_for({"a.png": {}, "b.png": {}}), ["a.png", "b.png"], vocabulary(*FACETS))

    assert [(one.label, one.labels) for one in run.pictures] == [("unlabeled", ())] * 2


def test_a_group_is_named_where_its_labels_are_too_close():
    breeds = facet_of(["poodle", "beagle", "tabby"], "subject", parents={"poodle": "dog", "beagle": "dog"})
    pictures = {
        "a.png": {"poodle": 0.4, "beagle": 0.4, "tabby": 0},
        "b.png": {"poodle": 0, "beagle": 0, "tabby": 0.4},
        "c.png": {"poodle": 0, "beagle": 0.4, "tabby": 0},
    }

    assert texts(pictures, breeds, MOOD) == ["subject: dog", "subject: tabby", "subject: beagle"]


def test_a_shared_subject_is_named_by_its_label_and_not_by_its_group():
    cats = facet_of(["cat", "dog"], "subject", parents={"cat": "pet", "dog": "pet", "pet": "animal"})
    # a cat by 0.8, an animal for certain
    shared = {"cat": 0.4, "dog": 0.372}
    pictures = {"a.png": shared | OIL, "b.png": shared | PENCIL}

    assert texts(pictures, cats, MEDIUM) == ["cat · oil painting", "cat · pencil sketch"]


def test_two_groups_that_are_too_close_are_named_by_the_group_above_both():
    kinds = {"poodle": "dog", "dog": "animal", "tabby": "cat", "cat": "animal"}
    animals = facet_of(["poodle", "tabby", "car"], "subject", parents=kinds)
    pictures = {"a.png": {"poodle": 0.4, "tabby": 0.4, "car": 0}, "b.png": {"car": 0.4}}

    assert texts(pictures, animals, MOOD) == ["subject: animal", "subject: car"]


# one facet


def test_labels_of_one_facet_are_the_texts_themselves():
    assert texts({"a.png": {"cat": 0.4}, "b.png": {"dog": 0.4}, "c.png": {"cat": 0.3}}, SUBJECT) == [
        "cat",
        "dog",
        "cat 2",
    ]


def test_a_label_that_is_likely_enough_too_goes_before_a_number():
    # softmax of 20 and 19.8: 0.55 and 0.45
    pictures = {"a.png": {"cat": 0.4}, "b.png": {"cat": 0.4, "dog": 0.396}}

    assert texts(pictures, SUBJECT) == ["cat", "dog"]
    assert texts(pictures, SUBJECT, options=LabelOptions(threshold=0.5)) == ["cat", "cat 2"]


def test_two_labels_that_are_too_close_are_not_guessed():
    assert texts({"a.png": {"cat": 0.4, "dog": 0.4}, "b.png": {"cat": 0.4}}, SUBJECT) == ["unlabeled", "cat"]


def test_none_of_these_stays_as_it_is():
    pictures = {"a.png": {"cat": 0.1, "other": 0.4}, "b.png": {"cat": 0.1, "other": 0.4}, "c.png": {"dog": 0.4}}

    assert texts(pictures, SUBJECT) == ["none of these", "none of these", "dog"]


# order


def scene(rng):
    """Cosines of a picture, some of them high."""
    return {label: float(rng.choice([0.0, 0.05, 0.2, 0.25, 0.3])) for facet in FACETS for label in facet.labels}


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 9), st.booleans())
def test_the_order_of_the_pictures_changes_nothing_but_numbers(seed, count, one_facet):
    rng = np.random.default_rng(seed)
    pictures = {f"{number}.png": scene(rng) for number in range(count)}
    order = [list(pictures)[place] for place in rng.permutation(count)]
    facets = (MEDIUM,) if one_facet else FACETS

    first = dict(zip(pictures, texts(pictures, *facets), strict=True))
    again = dict(zip(order, texts({name: pictures[name] for name in order}, *facets), strict=True))

    assert {name: first[name].rstrip("0123456789 ") for name in first} == {
        name: again[name].rstrip("0123456789 ") for name in first
    }


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 20), st.booleans())
def test_no_two_labelled_pictures_have_one_text(seed, count, one_facet):
    rng = np.random.default_rng(seed)
    pictures = {f"{number}.png": scene(rng) for number in range(count)}

    labels = [label for label in texts(pictures, *((MEDIUM,) if one_facet else FACETS)) if " " in label or one_facet]

    shown = [label for label in labels if label not in ("unlabeled", "none of these")]
    assert len(set(shown)) == len(shown)


def test_a_broken_picture_costs_itself_alone_and_none_are_refused():
    run = distinctive_labels(encoder_for({"a.png": {"cat": 0.4}}), ["gone.png", "a.png"], vocabulary(*FACETS))

    assert [(one.index, one.label) for one in run.pictures] == [(1, "subject: cat")]
    assert [one.index for one in run.failed] == [0]
    assert distinctive_labels(encoder_for({"a.png": {}}), ["gone.png"], vocabulary(*FACETS)).pictures == ()
    with pytest.raises(InputError):
        distinctive_labels(encoder_for({"a.png": {}}), [], vocabulary(*FACETS))
