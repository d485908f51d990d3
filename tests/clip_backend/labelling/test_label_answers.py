"""Thresholds, margins, several labels, several facets, notes and what cannot be used."""

from __future__ import annotations

from math import exp

import pytest
from clip_grid.clip_backend.labelling.labels import Word, compose, go_together, label_pictures, say_most
from clip_grid.clip_backend.labelling.options import LabelOptions
from clip_grid.clip_backend.words.find import given_labels
from clip_grid.errors import InputError

from .toy_world import OTHER, ToyWorld, one_picture, vocabulary, words

SUBJECT = words(["cat", "dog"], "subject")
MEDIUM = words(["oil painting", "photo"], "medium")
MOOD = words(["calm", "wild"], "mood")
DEFECTS = words(["blurry", "sharp"], "defects")


def of(*facets, options=None, **cosines):
    """The answer for one picture, which fits by 0 what is not named."""
    every = dict.fromkeys((label for facet in facets for label in facet.labels), 0.0)
    world = one_picture(**every | cosines)
    return label_pictures(world, ["a.png"], vocabulary(*facets), options=options or LabelOptions()).pictures[0]


# one facet


def test_below_the_threshold_there_is_no_label_and_the_reason_names_both_numbers():
    labels = [f"label {number}" for number in range(9)]
    options = LabelOptions(none_of_these=False, margin=0)

    answer = of(words(labels), options=options, **{"label 0": 0.01, "label 1": 0.005})

    assert answer.label == "unlabeled"
    assert answer.reason == "'label 0' is the likeliest with 0.121, below 0.2"


@pytest.mark.parametrize(("margin", "label"), [(0.02, "unlabeled"), (0.01, "cat"), (0.0, "cat")])
def test_two_labels_within_the_margin_cannot_be_told_apart(margin, label):
    # softmax of 3 and 2.97: 0.5075 and 0.4925
    answer = of(SUBJECT, options=LabelOptions(margin=margin, none_of_these=False), cat=0.3, dog=0.297)

    assert answer.label == label
    assert answer.reason == ("'cat' and 'dog' are too close to tell apart" if label == "unlabeled" else "")


def test_the_reason_names_the_rival_also_where_one_label_is_listed():
    answer = of(SUBJECT, options=LabelOptions(top_k=1, none_of_these=False), cat=0.3, dog=0.3)

    assert len(answer.top) == 1
    assert answer.reason == "'cat' and 'dog' are too close to tell apart"


def test_a_label_just_ahead_of_none_of_these_is_not_given():
    answer = of(SUBJECT, cat=0.3, **{OTHER: 0.299})

    assert answer.label == "unlabeled"
    assert answer.reason == "'cat' and none of these are too close to tell apart"


def test_equal_labels_are_listed_in_the_order_of_the_vocabulary():
    answer = of(words(["z", "a", "m"]), options=LabelOptions(margin=0), z=0.2, a=0.2, m=0.2)

    assert [one.label for one in answer.top] == ["z", "a", "m"]


def test_top_k_lists_so_many_labels_or_all_there_are():
    labels = ["a", "b", "c", "d"]
    for count, expected in ((1, 1), (3, 3), (1000, 4)):
        answer = of(words(labels), options=LabelOptions(top_k=count), a=0.3, b=0.2)

        assert [one.label for one in answer.top] == labels[:expected]


# several labels


def test_every_label_above_the_neutral_captions_is_given():
    answer = of(
        words(["cat", "hat", "dog"]), options=LabelOptions(multiple=True), cat=0.4, hat=0.35, dog=0.1, other=0.2
    )

    assert answer.labels == ("cat", "hat")
    assert (answer.label, answer.scale) == ("cat", "sigmoid against captions of everyday things")
    assert answer.score == pytest.approx(1 / (1 + exp(-2)), abs=1e-5)
    assert [one.probability for one in answer.top] == pytest.approx(
        [1 / (1 + exp(-2)), 1 / (1 + exp(-1.5)), 1 / (1 + exp(1))], abs=1e-5
    )


def test_several_labels_of_a_sigmoid_are_those_that_reach_the_threshold():
    world = ToyWorld({"a.png": {"cat": 0.4, "hat": 0.2, "dog": 0.05}}, logit_bias=-5.0)

    run = label_pictures(world, ["a.png"], vocabulary("cat", "hat", "dog"), options=LabelOptions(multiple=True))

    assert run.pictures[0].labels == ("cat", "hat")
    assert run.pictures[0].scale == "sigmoid"


def test_where_no_label_fits_several_are_none_of_these():
    several, sure = LabelOptions(multiple=True), LabelOptions(multiple=True, none_of_these=False)

    answer = of(SUBJECT, options=several, cat=0.1, other=0.2)

    assert (answer.label, answer.labels) == ("none of these", ())
    assert answer.score == pytest.approx(1 - 1 / (1 + exp(1)), abs=1e-5)
    assert of(SUBJECT, options=sure, cat=0.1, other=0.2).label == "unlabeled"


def test_several_labels_must_be_above_noise_each():
    world = one_picture({"hat": 0.35}, cat=0.4, hat=0.35, other=0.2)

    run = label_pictures(world, ["a.png"], vocabulary("cat", "hat"), options=LabelOptions(multiple=True))

    assert run.pictures[0].labels == ("cat",)


def test_several_facets_give_all_that_fits_and_a_composed_label():
    answer = of(SUBJECT, MEDIUM, options=LabelOptions(multiple=True), cat=0.4, dog=0.3, photo=0.3, other=0.1)

    assert answer.labels == ("cat", "dog", "photo")
    assert answer.label == "cat · photo"


# several facets


def test_the_words_that_say_most_are_put_together():
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


def test_where_no_facet_speaks_the_picture_is_unlabeled_and_the_reason_names_one():
    answer = of(SUBJECT, MEDIUM)

    assert (answer.label, answer.score) == ("unlabeled", 0.0)
    assert answer.reason.startswith("no facet is sure of a label; subject: 'cat' fits best, but no better than noise")


def test_defects_are_told_and_stand_in_no_label():
    answer = of(SUBJECT, DEFECTS, blurry=0.4)

    assert answer.label == "unlabeled"
    assert answer.to_dict()["facets"] == {"defects": "blurry"}


def test_the_likeliest_labels_of_all_facets_are_listed_together():
    answer = of(SUBJECT, MOOD, cat=0.4, calm=0.2)

    assert [(one.facet, one.label) for one in answer.top[:2]] == [("subject", "cat"), ("mood", "calm")]
    assert len(answer.top) == 3


def word(facet, label, probability=0.5):
    return Word(facet=facet, label=label, probability=probability)


def test_a_word_that_makes_a_label_too_long_gives_way_to_the_next():
    said = say_most([word("subject", "a ship on the sea"), word("medium", "oil"), word("mood", "calm")])

    assert [one.label for one in said] == ["a ship on the sea"]
    said = say_most([word("subject", "a ship at sea"), word("medium", "oil painting"), word("mood", "calm")])
    assert compose(said) == "a ship at sea · calm"


@pytest.mark.parametrize(("one", "other"), [("oil painting", "painting"), ("cat", "cat"), ("map", "old map")])
def test_words_that_repeat_each_other_do_not_stand_together(one, other):
    assert not go_together(word("medium", one), word("style", other))


def test_facets_of_the_user_come_in_the_order_of_the_vocabulary():
    assert compose(say_most([word("outfit", "armour"), word("pose", "sitting"), word("style", "anime")])) == (
        "anime · armour"
    )


# templates, notes, progress


def test_sentences_of_the_user_are_put_around_every_label():
    world = one_picture(**{"a sketch of cat": 0.4})
    options = LabelOptions(templates="\n  a sketch of {}  \n\n", none_of_these=False)

    run = label_pictures(
        world, ["a.png"], vocabulary(words(["cat", "dog"], templates=("a photo of {}",))), options=options
    )

    assert run.pictures[0].label == "cat"
    assert world.texts == ["a sketch of cat", "a sketch of dog"]


def test_a_template_without_a_place_for_the_label_is_refused():
    with pytest.raises(InputError, match="'a photo' must hold"):
        of(SUBJECT, options=LabelOptions(templates="a photo"), cat=0.4)


def test_notes_tell_of_the_vocabulary_long_labels_the_scale_the_model_and_the_run():
    told = {"notes": ("a fine-tune",), "run_notes": ("memory ran out",)}
    world = ToyWorld({"a.png": {"cat": 0.4}}, logit_scale=100.0, assumed=("heads", "logit_scale"), context=5, **told)
    given = vocabulary("cat", "elephant")

    notes = label_pictures(world, ["a.png"], type(given)(name="w", facets=given.facets, notes=("one was twice",))).notes

    assert notes[0] == "one was twice"
    assert "'elephant'" in notes[1]
    scale = "the model's files do not tell its logit_scale; it is taken to be 100, so probabilities are estimates"
    assert notes[2:] == (scale, "a fine-tune", "memory ran out")


def test_progress_is_told_of_the_pictures():
    told = []
    world = ToyWorld({"a.png": {"cat": 0.4}, "b.png": {"dog": 0.4}})

    label_pictures(world, ["a.png", "b.png"], vocabulary("cat", "dog"), progress=lambda *counts: told.append(counts))

    assert told[-1] == (2, 2)


# pictures that cannot be used


def test_a_broken_picture_in_the_middle_costs_itself_alone():
    world = ToyWorld({"a.png": {"cat": 0.4}, "é.png": {"dog": 0.4}})

    run = label_pictures(world, ["a.png", "broken.png", "é.png"], vocabulary("cat", "dog"))

    assert [(one.name, one.index, one.label) for one in run.pictures] == [("a.png", 0, "cat"), ("é.png", 2, "dog")]
    assert [(one.name, one.index, one.reason) for one in run.failed] == [("broken.png", 1, "there is no such file")]
    assert run.status == "partial"
    assert run.to_dict()["failed"] == [{"path": "broken.png", "reason": "there is no such file"}]


def test_pictures_that_are_all_broken_leave_an_answer_without_labels():
    run = label_pictures(ToyWorld({}), ["a.png", "b.png"], vocabulary("cat", "dog"))

    assert (run.pictures, len(run.failed), run.status) == ((), 2, "partial")


def test_no_pictures_are_refused():
    with pytest.raises(InputError, match="no pictures were given"):
        label_pictures(one_picture(cat=0.4), [], vocabulary("cat"))


def test_ten_thousand_labels_are_taken():
    labels = [f"label {number}" for number in range(10_000)]

    options = LabelOptions(none_of_these=False, threshold=1e-4)
    run = label_pictures(one_picture(**{"label 7000": 0.9}), ["a.png"], vocabulary(*labels), options=options)

    (answer,) = run.pictures
    assert answer.label == "label 7000"
    assert answer.score == pytest.approx(exp(9) / (exp(9) + 9999), abs=1e-5)
    assert answer.scale == "softmax over 10000 labels"


def test_labels_that_were_given_twice_count_once_and_a_note_says_so():
    run = label_pictures(one_picture(cat=0.4), ["a.png"], given_labels(["cat", "dog", "Cat"]))

    assert (run.pictures[0].label, run.pictures[0].scale) == ("cat", "softmax over 2 labels and none of these")
    assert len(run.notes) == 1 and "cat" in run.notes[0]


def test_one_label_is_true_or_none_of_these():
    world = ToyWorld({"cat.png": {"cat": 0.4, OTHER: 0.2}, "sea.png": {"cat": 0.1, OTHER: 0.2}})

    run = label_pictures(world, ["cat.png", "sea.png"], given_labels(["cat"]))

    assert [one.label for one in run.pictures] == ["cat", "none of these"]
    assert run.pictures[0].scale == "softmax over 1 label and none of these"


def test_an_empty_list_of_labels_is_refused():
    with pytest.raises(InputError, match="no labels were given"):
        given_labels([])
