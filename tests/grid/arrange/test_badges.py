"""The badges show one score or column, and mark the best."""

from __future__ import annotations

import json

import pytest
from clip_grid.errors import ClipGridError, InputError
from clip_grid.grid.arrange.badges import shared_score_name
from clip_grid.grid.arrange.numbers import format_score
from clip_grid.grid.labels.sources import ClipLabel
from clip_grid.grid.table.table import parse_table

from ..samples import flats, plan


@pytest.mark.parametrize(
    ("name", "values", "winner", "expected"),
    [
        # a cosine moves by 0.01 with the wording of a text, CLIPScore is 2.5 cosines
        ("cosine", (0.31, 0.299, 0.2), "highest", {0}),
        ("cosine", (0.31, 0.301, 0.2), "highest", set()),
        ("CLIP_Score", (0.31, 0.2, 0.336), "highest", {2}),
        ("clip score", (0.31, 0.2, 0.33), "highest", set()),
        ("z", (3.1, 2.7), "highest", set()),
        ("percentile", (99.2, 94.1), "highest", {0}),
        ("probability", (0.61, 0.54, 0.6), "lowest", {1}),
        # of a scale that is not known, one part in a hundred of the largest value
        ("s", (2, 1, 3), "lowest", {1}),
        ("s", (2, 1, 1), "lowest", set()),
        ("aesthetic", (6.51, 6.5, 5.0), "highest", set()),
        ("aesthetic", (6.6, 6.5, 5.0), "highest", {0}),
        ("s", (5.0,), "highest", {0}),
        ("s", (1e308, -1e308), "highest", {0}),
        ("s", (0.0, 0.0), "highest", set()),
        ("s", (0.31, float("nan")), "highest", {0}),
    ],
)
def test_a_winner_is_marked_where_one_stands_out_on_the_scale(name, values, winner, expected):
    planned = plan(flats(len(values)), {"scores": [{name: value} for value in values]}, badge=name, winner=winner)

    assert planned.badges.winners == expected
    assert any("no picture is marked as the winner" in warning for warning in planned.warnings) == (not expected)


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ((0.3101, 1, -0.0002, float("nan")), ["0.310", "1.000", "0.000", "–"]),
        ((7, 12, -0.0), ["7", "12", "0"]),
        ((12.5, 0.31), ["12.500", "0.310"]),
        ((1234.56, 2), ["1234.6", "2.0"]),
        ((0.0004, 0.00016), ["0.00040", "0.00016"]),
        ((3e-300, 0), ["0.000000", "0.000000"]),
    ],
)
def test_the_numbers_of_a_sheet_are_written_alike(values, texts):
    planned = plan(flats(len(values)), {"scores": [{"s": value} for value in values]}, badge="s")

    assert list(planned.badges.texts.values()) == texts


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (["7", "7.5", "10"], ["7.0", "7.5", "10.0"]),
        (["123456789012345678", "7"], ["123456789012345678", "7"]),
        (["7.5", "high"], ["7.5", "high"]),
        (["-0.00004", "0.25"], ["-0.00004", "0.25000"]),
    ],
)
def test_numbers_of_a_column_get_the_same_decimals(column, texts):
    table = parse_table(json.dumps([{"rating": text} for text in column]), name="t.json")

    planned = plan(flats(len(column)), {"table": table}, badge="rating")

    assert list(planned.badges.texts.values()) == texts


def test_badges_say_what_they_show_in_large_pictures_and_the_legend_does_for_small_ones():
    scores = {"scores": [{"cosine": 0.31}, {"cosine": 0.2}]}

    large, small = plan(flats(2, 256, 256), scores, badge="cosine"), plan(flats(2, 40, 40), scores, badge="cosine")

    assert [large.badges.text(index) for index in (0, 1)] == ["cosine 0.310", "cosine 0.200"]
    assert large.texts.legend == ""
    assert [small.badges.text(index) for index in (0, 1)] == ["0.310", "0.200"]
    assert small.texts.legend == "in the corners: cosine"
    # the name would cover more than half of the picture's width
    assert plan(flats(2, 102, 102), scores, badge="cosine").texts.legend == "in the corners: cosine"


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
