"""Labels and scores that are found in the pictures: who is asked for what, and what it costs when that fails."""

from __future__ import annotations

import pytest
from clip_grid.errors import ClipGridError, InputError
from clip_grid.grid.arrange.badges import shared_score_name
from clip_grid.grid.labels.clip import merge_scores
from clip_grid.grid.labels.sources import ClipLabel
from clip_grid.grid.table.table import parse_table

from .samples import export, flats, plan, save, survey

NAN = float("nan")


class Labeller:
    """Labels pictures by their name, and remembers which it was asked for."""

    def __init__(self, unsure: tuple[str, ...] = ()) -> None:
        self.asked: list[list[str]] = []
        self.unsure = unsure

    def __call__(self, pictures):
        self.asked.append([picture.name for picture in pictures])
        return [self.label(picture.name) for picture in pictures]

    def label(self, name: str) -> ClipLabel | None:
        return None if name in self.unsure else ClipLabel(f"seen {name}", {"clip probability": 0.75}, "a 日本 dog")


def scorer(*values):
    return lambda pictures: [{"cosine": value} for value in values]


def failing(pictures):
    raise ClipGridError("the model is not there")


# --- labels


def test_only_pictures_that_nothing_earlier_labels_are_looked_at(tmp_path):
    for name in ("a.png", "b.png", "c.png"):
        save(tmp_path / name)
    table = parse_table("filename,label\nb.png,from the table\n", name="labels.csv")
    labeller = Labeller()

    planned = plan(survey(tmp_path), {"table": table, "labeller": labeller})

    assert labeller.asked == [["a.png", "c.png"]]
    assert [label.source for label in planned.labels] == ["clip", "csv", "clip"]


@pytest.mark.parametrize(
    ("wishes", "options"),
    [
        ({"labels": ["a", "b"]}, {}),
        ({"labels": [""]}, {}),
        ({}, {"label_columns": "width"}),
        ({"table": parse_table('[{"label": "x"}, {"label": "y"}]', name="t")}, {}),
        ({}, {"label_position": "none"}),
        ({}, {"label_sources": "filename"}),
    ],
)
def test_a_labeller_that_is_not_needed_is_not_asked(wishes, options):
    labeller = Labeller()

    plan(flats(2), {"labeller": labeller, **wishes}, **options)

    assert labeller.asked == []


def test_a_picture_of_which_it_is_not_sure_takes_the_next_source():
    planned = plan(flats(2), {"labeller": Labeller(unsure=("image 2",))})

    assert [(label.text, label.source) for label in planned.labels] == [
        ("seen image 1", "clip"),
        ("image 2", "filename"),
    ]


def test_found_labels_follow_their_pictures_through_sorting():
    planned = plan(flats(3), {"labeller": Labeller()}, sort_by="given", reverse=True)

    assert [label.text for label in planned.labels] == ["seen image 3", "seen image 2", "seen image 1"]


def test_the_report_has_the_scores_of_found_labels_and_what_nearly_won(tmp_path):
    wishes = {"labeller": Labeller(), "labels": ["given", "also given"], "scores": [{"quality": 3}]}

    cells = export(flats(3), tmp_path / "s.png", wishes).to_dict()["cells"]

    assert [cell.get("runner_up") for cell in cells] == [None, None, "a 日本 dog"]
    assert [cell["scores"] for cell in cells] == [{"quality": 3}, {}, {"clip probability": 0.75}]


def test_given_scores_beat_found_ones():
    wishes = {
        "labeller": Labeller(),
        "scorer": scorer(0.1, 0.2),
        "scores": [{"cosine": 0.9}, {"clip probability": 0.5}],
    }

    planned = plan(flats(2), wishes)

    assert planned.scores == (
        {"cosine": 0.9, "clip probability": 0.75},
        {"cosine": 0.2, "clip probability": 0.5},
    )


def test_the_score_of_found_labels_can_be_the_badge_and_the_order():
    def labeller(pictures):
        return [ClipLabel("x", {"clip probability": score}) for score in (0.5, 0.9, 0.7)]

    planned = plan(
        flats(3), {"labeller": labeller}, badge="CLIP probability", winner="highest", sort_by="clip_probability"
    )

    assert [*planned.badges.texts.values()] == ["0.500", "0.700", "0.900"]
    assert planned.badges.winners == {2}


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_wrong_number_of_labels_is_an_error_of_the_labeller(count):
    with pytest.raises(InputError, match=f"the labeller answered {count} times for 2 pictures"):
        plan(flats(2), {"labeller": lambda pictures: [None] * count})


def test_a_badge_that_a_failed_labeller_would_have_given_costs_a_warning():
    planned = plan(flats(2), {"labeller": failing}, badge="clip probability", sort_by="clip probability")

    assert planned.warnings == (
        "no labels from CLIP: the model is not there; the next source was used",
        "sort_by names 'clip probability', which no picture has; sorted by name",
        "badge names 'clip probability', which is neither a score nor a column of any picture",
    )


# --- scores


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


def test_a_scorer_that_fails_costs_a_warning_and_not_the_sheet(tmp_path):
    report = export(flats(2), tmp_path / "s.png", {"scorer": failing, "scores": [{"q": 1}, {"q": 2}]})

    assert report.warnings == ("no scores from CLIP: the model is not there",)
    assert [cell.scores for cell in report.cells] == [{"q": 1}, {"q": 2}]


@pytest.mark.parametrize("count", [1, 3])
def test_a_wrong_number_of_scores_is_an_error_of_the_scorer(count):
    with pytest.raises(InputError, match=f"the scorer answered {count} times for 2 pictures"):
        plan(flats(2), {"scorer": scorer(*[0.5] * count)})


@pytest.mark.parametrize(("reverse", "order"), [(False, [1, 3, 0]), (True, [0, 3, 1])])
def test_pictures_are_sorted_by_a_score_and_those_without_a_number_come_last(reverse, order):
    planned = plan(flats(4), {"scorer": scorer(0.9, -1.5, NAN, 0.1)}, sort_by="Cosine", reverse=reverse)

    names = [f"image {index + 1}" for index in [*order, 2]]
    assert [picture.name for picture in planned.pictures] == names


def test_a_column_is_sorted_by_before_a_score_of_its_name():
    table = parse_table('[{"cosine": 2}, {"cosine": 1}]', name="t")

    planned = plan(flats(2), {"table": table, "scorer": scorer(0.1, 0.2)}, sort_by="cosine", x_axis="none")

    assert [picture.name for picture in planned.pictures] == ["image 2", "image 1"]


def test_scores_of_another_kind_of_number_are_taken():
    np = pytest.importorskip("numpy")

    planned = plan(flats(1), {"scorer": scorer(np.float32(0.25))})

    assert planned.scores == ({"cosine": 0.25},) and type(planned.scores[0]["cosine"]) is float


def test_a_score_that_is_no_number_is_named():
    with pytest.raises(InputError, match="score 's' of picture 2 is 'high'; it must be a number"):
        merge_scores([{}, {}], [{"s": 1}, {"s": "high"}])


@pytest.mark.parametrize(("scores", "name"), [([], ""), ([{}], ""), ([{"a": 1}, {}], "a"), ([{"a": 1}, {"b": 1}], "")])
def test_the_only_name_of_scores(scores, name):
    assert shared_score_name(scores) == name
