"""Labels and scores from CLIP: asked only where they are needed, and never worth a lost sheet."""

from __future__ import annotations

import pytest
from clip_grid.errors import ClipGridError, InputError
from clip_grid.grid.labels.clip import merge_scores
from clip_grid.grid.labels.sources import ClipLabel
from clip_grid.grid.table.table import parse_table

from ..samples import export, flats, plan, save, survey


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


def test_only_pictures_that_nothing_earlier_labels_are_looked_at(tmp_path):
    for name in ("a.png", "b.png", "c.png"):
        save(tmp_path / name)
    table = parse_table("filename,label\nb.png,from the table\n", name="labels.csv")
    labeller = Labeller()

    planned = plan(survey(tmp_path), {"table": table, "labeller": labeller})

    assert labeller.asked == [["a.png", "c.png"]]
    assert [label.source for label in planned.labels] == ["clip", "csv", "clip"]


@pytest.mark.parametrize(
    ("inputs", "options"),
    [
        ({"labels": ["a", "b"]}, {}),
        ({"labels": [""]}, {}),
        ({}, {"label_columns": "width"}),
        ({"table": parse_table('[{"label": "x"}, {"label": "y"}]', name="t")}, {}),
        ({}, {"label_position": "none"}),
        ({}, {"label_sources": "filename"}),
    ],
)
def test_a_labeller_that_is_not_needed_is_not_asked(inputs, options):
    labeller = Labeller()

    plan(flats(2), {"labeller": labeller, **inputs}, **options)

    assert labeller.asked == []


def test_a_picture_of_which_it_is_not_sure_takes_the_next_source():
    planned = plan(flats(2), {"labeller": Labeller(unsure=("image 2",))})

    assert [(label.text, label.source) for label in planned.labels] == [
        ("seen image 1", "clip"),
        ("image 2", "filename"),
    ]


def test_clip_labels_follow_their_pictures_through_sorting():
    planned = plan(flats(3), {"labeller": Labeller()}, sort_by="given", reverse=True)

    assert [label.text for label in planned.labels] == ["seen image 3", "seen image 2", "seen image 1"]


def test_the_report_has_the_scores_and_runners_up_of_clip_labels(tmp_path):
    inputs = {"labeller": Labeller(), "labels": ["given", "also given"], "scores": [{"quality": 3}]}

    cells = export(flats(3), tmp_path / "s.png", inputs).to_dict()["cells"]

    assert [cell.get("runner_up") for cell in cells] == [None, None, "a 日本 dog"]
    assert [cell["scores"] for cell in cells] == [{"quality": 3}, {}, {"clip probability": 0.75}]


def test_given_scores_go_before_those_from_clip():
    inputs = {
        "labeller": Labeller(),
        "scorer": scorer(0.1, 0.2),
        "scores": [{"cosine": 0.9}, {"clip probability": 0.5}],
    }

    planned = plan(flats(2), inputs)

    assert planned.scores == (
        {"cosine": 0.9, "clip probability": 0.75},
        {"cosine": 0.2, "clip probability": 0.5},
    )


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_wrong_number_of_labels_is_an_error_of_the_labeller(count):
    with pytest.raises(InputError, match=f"the labeller answered {count} times for 2 pictures"):
        plan(flats(2), {"labeller": lambda pictures: [None] * count})


def failing(pictures):
    raise ClipGridError("the model is not there")


def test_a_scorer_that_fails_costs_a_warning_and_not_the_sheet(tmp_path):
    report = export(flats(2), tmp_path / "s.png", {"scorer": failing, "scores": [{"q": 1}, {"q": 2}]})

    assert report.warnings == ("no scores from CLIP: the model is not there",)
    assert [cell.scores for cell in report.cells] == [{"q": 1}, {"q": 2}]


@pytest.mark.parametrize("count", [1, 3])
def test_a_wrong_number_of_scores_is_an_error_of_the_scorer(count):
    with pytest.raises(InputError, match=f"the scorer answered {count} times for 2 pictures"):
        plan(flats(2), {"scorer": scorer(*[0.5] * count)})


def test_scores_of_another_kind_of_number_are_taken():
    np = pytest.importorskip("numpy")

    planned = plan(flats(1), {"scorer": scorer(np.float32(0.25))})

    assert planned.scores == ({"cosine": 0.25},) and type(planned.scores[0]["cosine"]) is float


def test_a_score_that_is_no_number_is_named():
    with pytest.raises(InputError, match="score 's' of picture 2 is 'high'; it must be a number"):
        merge_scores([{}, {}], [{"s": 1}, {"s": "high"}])


def test_a_labeller_that_fails_costs_a_warning_and_not_the_sheet():
    planned = plan(flats(2), {"labeller": failing})

    assert [label.source for label in planned.labels] == ["filename", "filename"]
    assert planned.warnings == ("no labels from CLIP: the model is not there; the next source was used",)


def test_a_model_that_is_not_there_is_told_once_for_scores_and_labels():
    planned = plan(flats(2), {"labeller": failing, "scorer": failing})

    assert planned.warnings == (
        "no scores from CLIP: the model is not there",
        "no labels from CLIP for the same reason; the next source was used",
    )


def test_a_labeller_that_is_switched_off_is_not_asked():
    def labeller(pictures):
        raise AssertionError("asked")

    planned = plan(flats(2), {"labeller": labeller}, label_sources="filename")

    assert planned.warnings == ()
