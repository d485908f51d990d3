"""Thresholds, margins, several labels, several facets, notes and what cannot be used."""

from __future__ import annotations

from math import exp

import pytest
from clip_grid.clip_backend.labelling.labels import can_combine, compose, label_pictures, select_labels
from clip_grid.clip_backend.labelling.options import LabelOptions
from clip_grid.clip_backend.labelling.result import FacetLabel
from clip_grid.clip_backend.words.sources import vocabulary_from_labels
from clip_grid.clip_backend.words.vocabulary import Vocabulary
from clip_grid.errors import InputError

from .cosine_encoder import OTHER, CosineEncoder, encoder_of_one, facet_of, vocabulary

SUBJECT = facet_of(["cat", "dog"], "subject")
MEDIUM = facet_of(["oil painting", "photo"], "medium")
MOOD = facet_of(["calm", "wild"], "mood")
DEFECTS = facet_of(["blurry", "sharp"], "defects")


def of(*facets, options=None, **cosines):
    """The answer for one picture, which fits by 0 what is not named."""
    every = dict.fromkeys((label for facet in facets for label in facet.labels), 0.0)
    encoder = encoder_of_one(**every | cosines)
    return label_pictures(encoder, ["a.png"], vocabulary(*facets), options=options or LabelOptions()).pictures[0]


# one facet


def test_below_the_threshold_there_is_no_label_and_the_reason_names_both_numbers():
    labels = [f"label {number}" for number in range(9)]
    options = LabelOptions(none_of_these=False, margin=0)

    answer = of(facet_of(labels), options=options, **{"label 0": 0.01, "label 1": 0.005})

    assert answer.label == "unlabeled"
    assert answer.reason == "'label 0' is the likeliest with 0.121, below 0.2"


@pytest.mark.parametrize(("margin", "label"), [(0.02, "unlabeled"), (0.01, "cat"), (0.0, "cat")])
def test_two_labels_within_the_margin_give_no_label(margin, label):
    # softmax of 3 and 2.97: 0.5075 and 0.4925
    answer = of(SUBJECT, options=LabelOptions(margin=margin, none_of_these=False), cat=0.3, dog=0.297)

    assert answer.label == label
    assert answer.reason == ("'cat' and 'dog' are too close to tell apart" if label == "unlabeled" else "")


def test_the_reason_names_the_rival_even_if_one_label_is_listed():
    answer = of(SUBJECT, options=LabelOptions(top_k=1, none_of_these=False), cat=0.3, dog=0.3)

    assert len(answer.top) == 1
    assert answer.reason == "'cat' and 'dog' are too close to tell apart"


def test_a_label_just_ahead_of_none_of_these_is_not_given():
    answer = of(SUBJECT, cat=0.3, **{OTHER: 0.299})

    assert answer.label == "unlabeled"
    assert answer.reason == "'cat' and none of these are too close to tell apart"


def test_equal_labels_are_listed_in_the_order_of_the_vocabulary():
    answer = of(facet_of(["z", "a", "m"]), options=LabelOptions(margin=0), z=0.2, a=0.2, m=0.2)

    assert [one.label for one in answer.top] == ["z", "a", "m"]


def test_top_k_lists_so_many_labels_or_all_there_are():
    labels = ["a", "b", "c", "d"]
    for count, expected in ((1, 1), (3, 3), (1000, 4)):
        answer = of(facet_of(labels), options=LabelOptions(top_k=count), a=0.3, b=0.2)

        assert [one.label for one in answer.top] == labels[:expected]


# several labels


def test_every_label_above_the_neutral_captions_is_given():
    answer = of(
        facet_of(["cat", "hat", "dog"]), options=LabelOptions(multiple=True), cat=0.4, hat=0.35, dog=0.1, other=0.2
    )

    assert answer.labels == ("cat", "hat")
    assert (answer.label, answer.scale) == ("cat", "sigmoid against captions of everyday things")
    assert answer.score == pytest.approx(1 / (1 + exp(-2)), abs=1e-5)
    assert [one.probability for one in answer.top] == pytest.approx(
        [1 / (1 + exp(-2)), 1 / (1 + exp(-1.5)), 1 / (1 + exp(1))], abs=1e-5
    )


def test_several_labels_of_a_sigmoid_are_those_that_reach_the_threshold():
    encoder = CosineEncoder({"a.png": {"cat": 0.4, "hat": 0.2, "dog": 0.05}}, logit_bias=-5.0)

    run = label_pictures(encoder, ["a.png"], vocabulary("cat", "hat", "dog"), options=LabelOptions(multiple=True))

    assert run.pictures[0].labels == ("cat", "hat")
    assert run.pictures[0].scale == "sigmoid"


def test_where_no_label_fits_several_are_none_of_these():
    several, sure = LabelOptions(multiple=True), LabelOptions(multiple=True, none_of_these=False)

    answer = of(SUBJECT, options=several, cat=0.1, other=0.2)

    assert (answer.label, answer.labels) == ("none of these", ())
    assert answer.score == pytest.approx(1 - 1 / (1 + exp(1)), abs=1e-5)
    assert of(SUBJECT, options=sure, cat=0.1, other=0.2).label == "unlabeled"


def test_several_labels_must_be_above_noise_each():
    encoder = encoder_of_one({"hat": 0.35}, cat=0.4, hat=0.35, other=0.2)

    run = label_pictures(encoder, ["a.png"], vocabulary("cat", "hat"), options=LabelOptions(multiple=True))

    assert run.pictures[0].labels == ("cat",)


def test_several_facets_give_all_that_fits_and_a_composed_label():
    answer = of(SUBJECT, MEDIUM, options=LabelOptions(multiple=True), cat=0.4, dog=0.3, photo=0.3, other=0.1)

    assert answer.labels == ("cat", "dog", "photo")
    assert answer.label == "cat · photo"


# several facets


def test_subject_and_medium_are_composed_to_one_label():
    answer = of(MEDIUM, SUBJECT, MOOD, **{"cat": 0.4, "oil painting": 0.4, "calm": 0.4})

    assert answer.label == "cat · oil painting"
    assert answer.labels == ("cat", "oil painting")
    assert {one.facet: one.label for one in answer.facets} == {
        "medium": "oil painting",
        "subject": "cat",
        "mood": "calm",
    }
    assert answer.score == pytest.approx(1 / (1 + exp(-4)), abs=1e-5)


def test_one_facet_alone_is_named_before_its_word():
    answer = of(SUBJECT, MEDIUM, MOOD, calm=0.4)

    assert (answer.label, answer.labels) == ("mood: calm", ("calm",))
    assert [one.label for one in answer.facets] == ["", "", "calm"]


def test_a_picture_without_a_sure_facet_is_unlabeled_and_the_reason_names_one():
    answer = of(SUBJECT, MEDIUM)

    assert (answer.label, answer.score) == ("unlabeled", 0.0)
    assert answer.reason.startswith("no facet is sure of a label; subject: 'cat' fits best, but no better than noise")


def test_defects_are_in_the_facets_and_in_no_label():
    answer = of(SUBJECT, DEFECTS, blurry=0.4)

    assert answer.label == "unlabeled"
    assert answer.to_dict()["facets"] == {"defects": "blurry"}


def test_the_likeliest_labels_of_all_facets_are_listed_together():
    answer = of(SUBJECT, MOOD, cat=0.4, calm=0.2)

    assert [(one.facet, one.label) for one in answer.top[:2]] == [("subject", "cat"), ("mood", "calm")]
    assert len(answer.top) == 3


def label(facet, text, probability=0.5):
    return FacetLabel(facet=facet, label=text, probability=probability)


def test_a_partner_that_makes_a_label_too_long_gives_way_to_the_next():
    selected = select_labels([label("subject", "a ship on the sea"), label("medium", "oil"), label("mood", "calm")])

    assert [one.label for one in selected] == ["a ship on the sea"]
    selected = select_labels(
        [label("subject", "a ship at sea"), label("medium", "oil painting"), label("mood", "calm")]
    )
    assert compose(selected) == "a ship at sea · calm"


@pytest.mark.parametrize(("one", "other"), [("oil painting", "painting"), ("cat", "cat"), ("map", "old map")])
def test_labels_that_repeat_each_other_are_not_combined(one, other):
    assert not can_combine(label("medium", one), label("style", other))


def test_facets_of_the_user_come_in_the_order_of_the_vocabulary():
    selected = select_labels([label("outfit", "armour"), label("pose", "sitting"), label("style", "anime")])

    assert compose(selected) == "anime · armour"


# templates, notes, progress


def test_templates_of_the_user_replace_those_of_the_vocabulary():
    encoder = encoder_of_one(**{"a sketch of cat": 0.4})
    options = LabelOptions(templates="\n  a sketch of {}  \n\n", none_of_these=False)

    run = label_pictures(
        encoder, ["a.png"], vocabulary(facet_of(["cat", "dog"], templates=("a photo of {}",))), options=options
    )

    assert run.pictures[0].label == "cat"
    assert encoder.texts == ["a sketch of cat", "a sketch of dog"]


def test_a_template_without_a_place_for_the_label_is_refused():
    with pytest.raises(InputError, match="'a photo' must hold"):
        of(SUBJECT, options=LabelOptions(templates="a photo"), cat=0.4)


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

    assert (run.pictures[0].label, run.pictures[0].scale) == ("cat", "softmax over 2 labels and none of these")
    assert len(run.notes) == 1 and "cat" in run.notes[0]


def test_a_single_label_competes_with_none_of_these():
    encoder = CosineEncoder({"cat.png": {"cat": 0.4, OTHER: 0.2}, "sea.png": {"cat": 0.1, OTHER: 0.2}})

    run = label_pictures(encoder, ["cat.png", "sea.png"], vocabulary_from_labels(["cat"]))

    assert [one.label for one in run.pictures] == ["cat", "none of these"]
    assert run.pictures[0].scale == "softmax over 1 label and none of these"


def test_an_empty_list_of_labels_is_refused():
    with pytest.raises(InputError, match="no labels were given"):
        vocabulary_from_labels([])
