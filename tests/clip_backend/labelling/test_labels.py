"""Thresholds, margins, several labels and several facets."""

from __future__ import annotations

from math import exp, log

import pytest
from clip_grid.clip_backend.labelling.labels import can_combine, compose, label_pictures, select_labels
from clip_grid.clip_backend.labelling.options import LabelOptions
from clip_grid.clip_backend.labelling.result import FacetLabel
from clip_grid.clip_backend.labelling.scores import NO_DEFECT
from clip_grid.clip_backend.scoring.scales import bank

from .cosine_encoder import NOUNS, OTHER, encoder_of_one, facet_of, vocabulary

SUBJECT = facet_of(["cat", "dog"], "subject")
MEDIUM = facet_of(["oil painting", "photo"], "medium")
MOOD = facet_of(["calm", "wild"], "mood")
DEFECTS = facet_of(["blurry", "sharp"], "defects")
SEVERAL = LabelOptions(multiple=True)


def of(*facets, options=None, **cosines):
    """The answer for one picture, which fits by 0 what is not named."""
    every = dict.fromkeys((label for facet in facets for label in facet.labels), 0.0)
    encoder = encoder_of_one(**every | cosines)
    return label_pictures(encoder, ["a.png"], vocabulary(*facets), options=options or LabelOptions()).pictures[0]


# one facet


def test_below_the_threshold_there_is_no_label_and_the_reason_names_both_numbers():
    labels = [f"label {number}" for number in range(9)]
    options = LabelOptions(none_of_these=False)

    answer = of(facet_of(labels), options=options, **{"label 0": 0.01, "label 1": 0.005})

    assert answer.label == "unlabeled"
    assert answer.reason == "'label 0' is the likeliest with 0.121, below 0.2"


@pytest.mark.parametrize(("margin", "label"), [(0.02, "unlabeled"), (0.01, "cat"), (0.0, "unlabeled")])
def test_two_labels_within_the_margin_give_no_label(margin, label):
    # softmax of 3 and 2.97: 0.5075 and 0.4925; an automatic margin is 0.02
    answer = of(SUBJECT, options=LabelOptions(margin=margin, none_of_these=False), cat=0.3, dog=0.297)

    assert answer.label == label
    assert answer.reason == ("'cat' and 'dog' are too close to tell apart" if label == "unlabeled" else "")


@pytest.mark.parametrize("facet", ["medium", "style", "lighting", "colour", "composition", "mood"])
def test_the_manner_of_a_picture_must_lead_by_more(facet):
    # 0.5175 and 0.4825
    cosines = {"cat": 0.3, "dog": 0.293}

    assert of(SUBJECT, options=LabelOptions(none_of_these=False), **cosines).label == "cat"
    assert of(facet_of(["cat", "dog"], facet), **cosines).label == "unlabeled"
    assert of(facet_of(["cat", "dog"], facet), options=LabelOptions(margin=0.03), **cosines).label == "cat"


def test_the_reason_names_the_rival_even_if_one_label_is_listed():
    answer = of(SUBJECT, options=LabelOptions(top_k=1, none_of_these=False), cat=0.3, dog=0.3)

    assert len(answer.top) == 1
    assert answer.reason == "'cat' and 'dog' are too close to tell apart"


def test_a_label_need_not_be_ahead_of_the_nouns():
    # 0.21, though each of the nouns is nearly as likely as it can be and they have 0.78 together
    answer = of(SUBJECT, cat=log(17.5) / 10, **{OTHER: 0.0})

    assert (answer.label, answer.score) == ("cat", pytest.approx(17.5 / (17.5 + 1 + NOUNS), abs=1e-4))


def test_a_single_label_below_a_margin_of_the_users_is_not_given():
    answer = of(facet_of(["cat"]), options=LabelOptions(margin=0.9), cat=0.5)

    assert answer.label == "unlabeled"
    assert answer.reason == "'cat' has a probability of 0.699, less than the margin of 0.9"


def test_equal_labels_are_listed_in_the_order_of_the_vocabulary():
    answer = of(facet_of(["z", "a", "m"]), z=0.2, a=0.2, m=0.2)

    assert [one.label for one in answer.top] == ["z", "a", "m"]


def test_top_k_lists_so_many_labels_or_all_there_are():
    labels = ["a", "b", "c", "d"]
    for count, expected in ((1, 1), (3, 3), (1000, 4)):
        answer = of(facet_of(labels), options=LabelOptions(top_k=count), a=0.3, b=0.2)

        assert [one.label for one in answer.top] == labels[:expected]


# several labels


def test_every_label_three_deviations_above_the_nouns_is_given():
    nouns = {noun: 0.01 * (-1) ** place for place, noun in enumerate(bank().nouns)}

    answer = of(facet_of(["cat", "hat", "dog"]), options=SEVERAL, cat=0.4, hat=0.0301, dog=0.0299, **nouns)

    assert answer.labels == ("cat", "hat")
    assert (answer.label, answer.scale) == ("cat", "softmax of each label beside unrelated nouns")
    assert [one.z for one in answer.top] == pytest.approx([40, 3.01, 2.99], abs=1e-3)
    # beside the nouns alone: how probable a label is does not depend on the other labels
    beside = 32 * (exp(0.1) + exp(-0.1))
    assert answer.score == pytest.approx(exp(4) / (exp(4) + beside), abs=1e-5)
    assert answer.top[1].probability == pytest.approx(exp(0.301) / (exp(0.301) + beside), abs=1e-5)


def test_a_threshold_for_several_labels_is_one_of_their_probabilities():
    options = LabelOptions(multiple=True, threshold=0.5)

    answer = of(facet_of(["cat", "hat"]), options=options, cat=0.45, hat=0.4)

    # exp(4.5) is above the sum of 64 nouns, exp(4) below it
    assert answer.labels == ("cat",)
    lower = of(facet_of(["cat", "hat"]), options=LabelOptions(multiple=True, threshold=0.4), cat=0.45, hat=0.4)
    assert lower.labels == ("cat", "hat")


def test_where_no_label_fits_several_are_none_of_these():
    sure = LabelOptions(multiple=True, none_of_these=False)

    answer = of(SUBJECT, options=SEVERAL, cat=0.1, other=0.2)

    assert (answer.label, answer.labels) == ("none of these", ())
    assert answer.score == pytest.approx(64 * exp(2) / (64 * exp(2) + exp(1) + 1), abs=1e-5)
    alone = of(SUBJECT, options=sure, cat=0.21, other=0.2)
    assert (alone.label, alone.reason) == ("unlabeled", "'cat' fits best with a z of 2.0, below 3")


def test_several_facets_give_all_that_fits_and_a_composed_label():
    answer = of(SUBJECT, MEDIUM, options=SEVERAL, cat=0.4, dog=0.3, photo=0.3, other=0.1)

    assert answer.labels == ("cat", "dog", "photo")
    assert answer.label == "cat · photo"


def test_of_several_defects_those_are_given_that_are_likelier_than_none():
    several = {"blurry": 0.4, "sharp": 0.3, "other": 0.1, "a flawless picture": 0.35}
    three = facet_of(["blurry", "sharp"], "defects")

    # the competitor is a mean of the three texts without a defect
    assert of(three, options=SEVERAL, **several).labels == ("blurry", "sharp")
    assert of(three, options=SEVERAL, **several | dict.fromkeys(NO_DEFECT, 0.2)).labels == ("blurry",)


# several facets


def test_subject_and_medium_are_composed_to_one_label():
    answer = of(MEDIUM, SUBJECT, MOOD, **{"cat": 0.6, "oil painting": 0.6, "calm": 0.3})

    assert answer.label == "cat · oil painting"
    assert answer.labels == ("cat", "oil painting")
    assert {one.facet: one.label for one in answer.facets} == {
        "medium": "oil painting",
        "subject": "cat",
        "mood": "calm",
    }
    assert answer.score == pytest.approx(exp(6) / (exp(6) + 1 + NOUNS), abs=1e-5)
    assert answer.scale == "softmax over the labels of each facet and their rivals"


def test_nouns_compete_with_subjects_and_with_no_manner_of_a_picture():
    answer = of(SUBJECT, MEDIUM, MOOD, cat=0.1, photo=0.1, calm=0.1, other=0.3)

    assert [one.label for one in answer.facets] == ["", "photo", "calm"]
    assert answer.label == "photo · calm"
    assert answer.facets[0].reason.startswith("unrelated nouns fit it better, ")


def test_one_facet_alone_is_named_before_its_word():
    answer = of(SUBJECT, MEDIUM, MOOD, calm=0.4)

    assert (answer.label, answer.labels) == ("mood: calm", ("calm",))
    assert [one.label for one in answer.facets] == ["", "", "calm"]


def test_a_picture_without_a_sure_facet_is_unlabeled_and_the_reason_names_one():
    answer = of(MEDIUM, SUBJECT)

    assert (answer.label, answer.score) == ("unlabeled", 0.0)
    assert answer.reason == (
        "no facet is sure of a label; medium: 'oil painting' and 'photo' are too close to tell apart"
    )


def test_defects_are_in_the_facets_and_in_no_label():
    answer = of(MOOD, DEFECTS, blurry=0.4)

    assert answer.label == "unlabeled"
    assert answer.to_dict()["facets"] == {"defects": "blurry"}


def test_a_defect_never_wins_against_that_there_is_none():
    flawless = dict.fromkeys(NO_DEFECT, 0.2)

    assert of(DEFECTS, blurry=0.5).label == "blurry"
    answer = of(DEFECTS, blurry=0.34, **flawless)
    # the three texts without a defect are one competitor: the length of the mean of three axes is 3 ** -0.5
    rival = exp(10 * 0.2 * 3**0.5)
    assert answer.label == "unlabeled"
    total = exp(3.4) + 1 + rival
    assert answer.top[0].probability == pytest.approx(exp(3.4) / total, abs=1e-4)
    numbers = f"{exp(3.4) / total:.3f}, not ahead of no defect with {rival / total:.3f}"
    assert answer.reason == f"'blurry' is the likeliest with {numbers}"


def test_the_likeliest_labels_of_all_facets_are_listed_together():
    answer = of(SUBJECT, MOOD, cat=0.7, calm=0.1)

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
