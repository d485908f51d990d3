"""Tests: files of pairs are matched row by row."""

from __future__ import annotations

import pytest
from clip_grid.clip_backend.match_files import batch as run_module
from clip_grid.errors import InputError

from .toy_match import FALSE, TRUE, ToyModel, cosines, pairs_of, run, table_of


def test_every_row_gets_its_result_in_the_order_of_the_file(folder, toy):
    report = run(pairs_of(folder, "b.png,b,1", "a.png,b,0", "é.png,ein é,yes"), None, toy)

    assert cosines(report) == [TRUE, FALSE, TRUE]
    assert [(one.row.number, one.row.image, one.row.label) for one in report.results] == [
        (1, "b.png", True), (2, "a.png", False), (3, "é.png", True),
    ]  # fmt: skip
    assert (report.status, report.rows, report.done, report.failed, report.resumed) == ("ok", 3, 3, 0, 0)
    assert (report.model, report.notes, report.out) == ("toy", ("a toy",), None)
    assert [(one.result.image_index, one.result.text_index) for one in report.results] == [(0, 0), (1, 1), (2, 2)]


BROKEN = {
    "gone.png,x,1": "there is no file gone.png in ",
    "broken.png,x,1": "is no picture",
    "nan.png,x,1": "its cosine is not a number",
    "a.png,,1": "its text is empty",
    "a.png,<>,1": "text 1 holds nothing but prompt syntax",
    ",x,1": "it names no picture",
    "a.png,x,maybe": "the label 'maybe'",
    "a.png,x,y,1": "it has 4 cells",
    ".,x,1": "there is no file .",
}


@pytest.mark.parametrize(("row", "reason"), BROKEN.items(), ids=BROKEN.values())
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_broken_row_costs_itself_alone(row, reason, place, folder, toy):
    rows = ["a.png,a,1", "b.png,a,0"]
    rows.insert(place, row)

    report = run(pairs_of(folder, *rows), folder / "out.csv", toy)

    good = [one for one in report.results if one.row.number != place + 1]
    assert [one.result.cosine for one in good] == [TRUE, FALSE]
    assert reason in report.results[place].error
    assert report.results[place].result is None
    assert (report.status, report.done, report.failed) == ("partial", 2, 1)
    assert [reason in line["error"] for line in table_of(folder / "out.csv")].index(True) == place


def test_when_every_row_fails_the_status_says_so_and_no_model_is_opened(folder, toy):
    report = run(pairs_of(folder, "gone.png,x", "a.png,"), folder / "out.json", toy)

    assert (report.status, report.done, report.model, toy.opened) == ("error", 0, "", 0)
    assert (folder / "out.json").exists()


@pytest.mark.parametrize("rows", [["a.png,a"], ["a.png,a", "b.png,b"]])
def test_a_fault_of_the_model_is_no_fault_of_the_rows(rows, folder):
    toy = ToyModel(fault="toy has no text tower")

    with pytest.raises(InputError, match="toy has no text tower"):
        run(pairs_of(folder, *rows), folder / "out.csv", toy)
    assert not (folder / "out.csv").exists()


def test_pictures_lie_beside_the_file_or_in_the_current_folder_or_anywhere(folder, toy, monkeypatch, tmp_path_factory):
    here, elsewhere = tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("elsewhere")
    (here / "a.png").write_text("shadowed")
    (here / "h.png").write_text("h")
    (folder / "sub").mkdir()
    (folder / "sub" / "s.png").write_text("s")
    (elsewhere / "e.png").write_text("e")
    monkeypatch.chdir(here)

    rows = ["a.png,a", "h.png,h", rf"{elsewhere / 'e.png'},e", "sub/s.png,s", r"sub\s.png,s"]
    report = run(pairs_of(folder, *rows), None, toy)

    assert cosines(report) == [TRUE] * 5


def test_the_metrics_of_labelled_rows_are_told(folder, toy):
    rows = ["a.png,a,1", "b.png,b,1", "c.png,x,0", "a.png,b,1", "b.png,x,", "gone.png,x,0"]

    report = run(pairs_of(folder, *rows), None, toy)

    metrics = report.metrics
    assert (metrics.pairs, metrics.positives) == (4, 3)
    assert metrics.roc_auc == pytest.approx((1 + 1 + 0.5) / 3)
    assert metrics.roc_auc_interval[0] <= metrics.roc_auc <= metrics.roc_auc_interval[1]
    assert metrics.average_precision == pytest.approx((1 + 1 + 3 / 4) / 3)
    assert metrics.accuracy == 0.75
    assert FALSE < metrics.best_threshold < TRUE
    z = [one.result.z for one in report.results if one.result and one.row.label is not None]
    assert report.labelled() == ([True, True, False, True], z)


@pytest.mark.parametrize("rows", [["a.png,a", "b.png,x"], ["a.png,a,1", "b.png,x,1"], ["a.png,a,1", "gone.png,x,0"]])
def test_without_labels_of_both_kinds_there_are_no_metrics(rows, folder, toy):
    report = run(pairs_of(folder, *rows), None, toy)

    assert report.metrics is None
    has_labels = rows[0].endswith("1")
    assert any("are all the same; ROC-AUC and accuracy need some of both kinds" in one for one in report.notes) == (
        has_labels
    )


def test_rows_far_beyond_one_chunk_keep_their_order(folder, toy, monkeypatch):
    monkeypatch.setattr(run_module, "CHUNK", 7)
    rows = [f"{'ab'[n % 2]}.png,{'ab'[n % 3 % 2]}" for n in range(50)]

    report = run(pairs_of(folder, *rows), None, toy)

    assert cosines(report) == [TRUE if "ab"[n % 2] == "ab"[n % 3 % 2] else FALSE for n in range(50)]
