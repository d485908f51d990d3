"""The badges show one score or column, and mark the best."""

from __future__ import annotations

import pytest
from clip_grid.errors import ClipGridError, InputError
from clip_grid.grid.arrange.badges import format_score, shared_score_name
from clip_grid.grid.labels.sources import ClipLabel

from ..samples import flats, plan


def test_the_best_score_wins_even_if_the_badges_look_the_same():
    scores = [{"clip score": value} for value in (0.3101, 0.3102, 0.2, float("nan"))]

    planned = plan(flats(4), {"scores": scores}, badge="CLIP_Score", winner="highest")

    assert planned.badges.texts == {0: "0.310", 1: "0.310", 2: "0.200", 3: "–"}
    assert planned.badges.winners == {1}


def test_equal_scores_win_together_and_the_lowest_can_win():
    planned = plan(flats(3), {"scores": [{"s": 2}, {"s": 1}, {"s": 1}]}, badge="s", winner="lowest")

    assert planned.badges.winners == {1, 2}


def test_a_badge_that_names_nothing_is_refused():
    with pytest.raises(InputError, match="badge names 'x'"):
        plan(flats(1), badge="x")


@pytest.mark.parametrize(
    ("score", "text"), [(0.31234, "0.312"), (7.0, "7"), (1.0, "1.000"), (-3, "-3"), (float("inf"), "–")]
)
def test_scores_are_written_without_noise(score, text):
    assert format_score(score) == text


def test_the_score_of_clip_labels_can_be_the_badge_and_the_order():
    def labeller(pictures):
        return [ClipLabel("x", {"clip probability": score}) for score in (0.5, 0.9, 0.7)]

    planned = plan(
        flats(3), {"labeller": labeller}, badge="CLIP probability", winner="highest", sort_by="clip_probability"
    )

    assert [*planned.badges.texts.values()] == ["0.500", "0.700", "0.900"]
    assert planned.badges.winners == {2}


def scorer(*values):
    return lambda pictures: [{"cosine": value} for value in values]


def failing(pictures):
    raise ClipGridError("the model is not there")


def test_a_badge_that_a_failed_labeller_would_have_given_costs_a_warning():
    planned = plan(flats(2), {"labeller": failing}, badge="clip probability", sort_by="clip probability")

    assert planned.warnings == (
        "no labels from CLIP: the model is not there; the next source was used",
        "sort_by names 'clip probability', which no picture has; sorted by name",
        "badge names 'clip probability', which is neither a score nor a column of any picture",
    )


def test_the_only_score_of_a_scorer_is_the_badge():
    planned = plan(flats(2), {"scorer": scorer(0.21, 0.34), "scores": [{"quality": 1}]}, winner="highest")

    assert (planned.badges.name, planned.badges.texts, planned.badges.winners) == (
        "cosine", {0: "0.210", 1: "0.340"}, {1},
    )  # fmt: skip


def test_a_badge_that_was_asked_for_stays():
    planned = plan(flats(1), {"scorer": scorer(0.21), "scores": [{"quality": 7}]}, badge="quality")

    assert planned.badges.texts == {0: "7"}


def test_several_scores_of_a_scorer_are_no_badge():
    planned = plan(flats(1), {"scorer": lambda pictures: [{"a": 1, "b": 2}]})

    assert planned.badges.texts == {}
    assert planned.scores == ({"a": 1, "b": 2},)


@pytest.mark.parametrize(("scores", "name"), [([], ""), ([{}], ""), ([{"a": 1}, {}], "a"), ([{"a": 1}, {"b": 1}], "")])
def test_a_score_name_is_shared_when_it_is_the_only_one(scores, name):
    assert shared_score_name(scores) == name
