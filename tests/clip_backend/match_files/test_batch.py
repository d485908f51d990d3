from __future__ import annotations

import csv
import json
import os
from types import SimpleNamespace

import pytest
from clip_grid.clip_backend.calibration.calibration import fit_calibration
from clip_grid.clip_backend.match_files import run as run_module
from clip_grid.clip_backend.match_files.batch import match_batch
from clip_grid.clip_backend.match_files.result_files import RESULT_COLUMNS
from clip_grid.clip_backend.matching.options import MatchOptions
from clip_grid.errors import InputError, OutputError, SpaceError

from .toy_match import FALSE, TRUE, ToyModel

COLUMNS = ["image_path", "text", "label", "note"]


@pytest.fixture
def folder(tmp_path):
    """Pictures a, é and so on, each with its own word, and one that cannot be read."""
    for word in ("a", "b", "c", "é"):
        (tmp_path / f"{word}.png").write_text(word, "utf-8")
    (tmp_path / "broken.png").write_text("broken")
    (tmp_path / "nan.png").write_text("nan")
    return tmp_path


@pytest.fixture
def toy():
    return ToyModel()


def pairs_of(folder, *rows, columns="image_path,text,label"):
    path = folder / "pairs.csv"
    path.write_text("\n".join([columns, *rows]), "utf-8")
    return path


def run(pairs, out, toy, **given):
    options = given.pop("options", MatchOptions())
    return match_batch(pairs, out, toy.open, options=options, match=toy.match, **given)


def table_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def cosines(report):
    return [one.result.cosine if one.result else None for one in report.results]


# what comes out


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
    assert report.labelled() == ([True, True, False, True], [TRUE, TRUE, FALSE, FALSE])


@pytest.mark.parametrize("rows", [["a.png,a", "b.png,x"], ["a.png,a,1", "b.png,x,1"], ["a.png,a,1", "gone.png,x,0"]])
def test_without_labels_of_both_kinds_there_are_no_metrics(rows, folder, toy):
    assert run(pairs_of(folder, *rows), None, toy).metrics is None


def test_rows_far_beyond_one_chunk_keep_their_order(folder, toy, monkeypatch):
    monkeypatch.setattr(run_module, "CHUNK", 7)
    rows = [f"{'ab'[n % 2]}.png,{'ab'[n % 3 % 2]}" for n in range(50)]

    report = run(pairs_of(folder, *rows), None, toy)

    assert cosines(report) == [TRUE if "ab"[n % 2] == "ab"[n % 3 % 2] else FALSE for n in range(50)]


# files


def test_the_csv_has_the_given_columns_and_ours(folder, toy):
    pairs = pairs_of(folder, "a.png,=a,1,'x", "gone.png,+b,0,-2", columns=",".join(COLUMNS))

    run(pairs, folder / "new" / "out.csv", toy)

    first, second = table_of(folder / "new" / "out.csv")
    assert list(first) == [*COLUMNS, *RESULT_COLUMNS]
    assert [first[name] for name in COLUMNS] == ["a.png", "'=a", "1", "'x"]
    assert (float(first["cosine"]), first["verdict"], first["error"]) == (TRUE, "match", "")
    assert (first["clip_is_match"], first["clip_match_status"]) == ("true", "Match (score: 0.310)")
    assert float(first["clip_similarity_score"]) == TRUE
    assert (first["threshold"], first["threshold_scale"], first["probability_scale"]) == ("0.25", "cosine", "sigmoid")
    assert first["missing_phrases"] == "in é"
    assert (second["text"], second["note"], second["cosine"], second["clip_is_match"]) == ("'+b", "-2", "", "")
    assert "there is no file gone.png" in second["error"]


def test_the_json_is_the_report(folder, toy):
    report = run(pairs_of(folder, "a.png,a é,1", "gone.png,b,0"), folder / "out.json", toy)

    told = json.loads((folder / "out.json").read_text("utf-8"))
    assert told.pop("clip_grid") == "match-batch"
    assert told == json.loads(json.dumps(report.to_dict()))
    assert (told["status"], told["rows"], told["done"], told["failed"]) == ("partial", 2, 1, 1)
    first, second = told["results"]
    assert (first["row"], first["image_path"], first["text"], first["label"]) == (1, "a.png", "a é", True)
    assert first["phrases"][0] == {
        "text": "in é",
        "cosine": 0.2,
        "percentile": 9.0,
        "support": -0.01,
        "is_missing": True,
    }
    assert (second["cosine"], second["clip_is_match"], second["label"]) == (None, None, False)


def test_json_lines_have_the_same_keys_in_every_line(folder, toy):
    report = run(pairs_of(folder, "a.png,a,1", "gone.png,b"), folder / "out.JSONL", toy)

    lines = [json.loads(line) for line in (folder / "out.JSONL").read_text("utf-8").splitlines()]
    assert lines == json.loads(json.dumps(report.to_dict()))["results"]
    assert lines[0].keys() == lines[1].keys() >= {"cosine", "clip_similarity_score", "error"}


@pytest.mark.parametrize("name", ["out.csv", "out.json", "out.jsonl"])
def test_results_are_replaced_by_those_of_the_next_run(name, folder, toy):
    pairs = pairs_of(folder, "gone.png,a")
    run(pairs, folder / name, toy)
    before = (folder / name).read_bytes()

    report = run(pairs_of(folder, "a.png,a"), folder / name, toy)

    assert (report.done, report.resumed) == (1, 0)
    assert (folder / name).read_bytes() != before


@pytest.mark.parametrize("name", ["out.csv", "out.json", "out.jsonl"])
def test_a_file_of_something_else_is_not_replaced_unasked(name, folder, toy):
    (folder / name).write_text('{"mine": 1}')
    pairs = pairs_of(folder, "a.png,a")

    with pytest.raises(OutputError, match=r"does not hold results of this program; .* allow overwriting"):
        run(pairs, folder / name, toy)
    assert toy.opened == 0

    run(pairs, folder / name, toy, overwrite=True)
    assert "clip_similarity_score" in (folder / name).read_text("utf-8")


def test_an_empty_file_is_in_nobodys_way(folder, toy):
    (folder / "out.csv").touch()

    assert run(pairs_of(folder, "a.png,a"), folder / "out.csv", toy).status == "ok"


def test_a_file_of_results_may_itself_be_the_pairs(folder, toy):
    run(pairs_of(folder, "a.png,=a,1,x", columns=",".join(COLUMNS)), folder / "first.csv", toy)

    report = run(folder / "first.csv", folder / "second.csv", toy)

    assert report.results[0].row.text == "=a"
    assert table_of(folder / "second.csv") == table_of(folder / "first.csv")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("out.txt", "ends in '.txt'; results are written as .csv, .json, .jsonl"),
        ("out", "ends in 'nothing'"),
        ("pairs.csv", "the results would replace the pairs"),
    ],
)
def test_a_name_that_cannot_be_meant_is_refused(name, message, folder, toy):
    with pytest.raises(InputError, match=message):
        run(pairs_of(folder, "a.png,a"), folder / name, toy, overwrite=True)


def test_a_place_that_cannot_be_written_is_named(folder, toy):
    (folder / "sub.csv").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        run(pairs_of(folder, "a.png,a"), folder / "sub.csv", toy)
    with pytest.raises(OutputError, match="cannot be written"):
        run(pairs_of(folder, "a.png,a"), folder / "a.png" / "out.csv", toy)


# taken up again


class Stop(KeyboardInterrupt):
    """The user's Ctrl-C."""


def stopping(after):
    def progress(done, total):
        if done >= after:
            raise Stop

    return progress


@pytest.fixture
def stopped(folder, monkeypatch):
    """A run of six pairs that was stopped after four of them."""
    monkeypatch.setattr(run_module, "CHUNK", 2)
    pairs = pairs_of(folder, "a.png,a,1", "b.png,b,1", "c.png,x,0", "é.png,é,1", "a.png,x,0", "gone.png,x,1")
    with pytest.raises(Stop):
        run(pairs, folder / "out.csv", ToyModel(), progress=stopping(5))
    return pairs


def test_a_stopped_run_goes_on_where_it_was(stopped, folder, toy):
    assert not (folder / "out.csv").exists()

    report = run(stopped, folder / "out.csv", toy)

    assert (report.rows, report.done, report.resumed, report.failed) == (6, 5, 4, 1)
    assert len(toy.matched) == 1
    assert not (folder / "out.csv.part").exists()


def test_it_ends_with_the_file_of_a_run_that_was_never_stopped(stopped, folder, toy):
    run(stopped, folder / "out.csv", toy)
    run(stopped, folder / "whole.csv", toy)

    assert (folder / "out.csv").read_bytes() == (folder / "whole.csv").read_bytes()


def test_a_torn_last_line_is_done_again(stopped, folder, toy):
    part = folder / "out.csv.part"
    part.write_bytes(part.read_bytes()[:-20])

    with pytest.raises(Stop):
        run(stopped, folder / "out.csv", toy, progress=stopping(6))

    assert len(toy.matched) == 2
    # the torn line is gone, so the next run can read all
    assert [json.loads(line) for line in part.read_bytes().splitlines()]
    assert run(stopped, folder / "out.csv", ToyModel()).resumed == 5


@pytest.mark.parametrize("kept", [0, 1, 10, -1])
def test_a_part_file_torn_at_its_head_is_begun_again(kept, stopped, folder, toy):
    part = folder / "out.csv.part"
    head, *_ = part.read_bytes().splitlines()
    part.write_bytes(head[:kept])

    assert run(stopped, folder / "out.csv", toy).resumed == 0


def test_a_broken_line_in_the_middle_costs_itself_alone(stopped, folder, toy):
    part = folder / "out.csv.part"
    lines = part.read_bytes().splitlines(keepends=True)
    part.write_bytes(b"".join([*lines[:2], b"garbage\n", b"[]\n", b'{"key": 1}\n', *lines[3:]]))

    assert run(stopped, folder / "out.csv", toy).resumed == 3


def test_rows_that_failed_are_tried_again(stopped, folder, toy):
    (folder / "gone.png").write_text("x")

    report = run(stopped, folder / "out.csv", toy)

    assert (report.failed, report.resumed) == (0, 4)


def test_a_picture_that_was_changed_is_done_again(stopped, folder, toy):
    (folder / "b.png").write_text("bb")
    os.utime(folder / "c.png", ns=(1, 1))

    report = run(stopped, folder / "out.csv", toy)

    assert report.resumed == 2
    assert cosines(report) == [TRUE, FALSE, FALSE, TRUE, FALSE, None]


def test_rows_may_move_and_come_and_labels_change(stopped, folder, toy):
    pairs_of(folder, "b.png,new,0", "é.png,é,0", "a.png,a,")

    report = run(stopped, folder / "out.csv", toy)

    assert report.resumed == 2
    assert cosines(report) == [FALSE, TRUE, TRUE]
    assert [one.row.label for one in report.results] == [False, False, None]
    assert [one.result.image_index for one in report.results] == [0, 1, 2]


@pytest.mark.parametrize(
    "given",
    [{"options": MatchOptions(threshold=0.3)}, {"options": MatchOptions(template="a photo of {}")}, {"resume": False}],
    ids=str,
)
def test_other_settings_begin_anew(given, stopped, folder, toy):
    report = run(stopped, folder / "out.csv", toy, **given)

    assert report.resumed == 0
    assert len(toy.matched) == 5


def test_another_model_begins_anew(stopped, folder):
    other = ToyModel(fingerprint="g", name="other")

    report = run(stopped, folder / "out.csv", other)

    assert (report.resumed, report.model) == (0, "other")


def test_the_mode_is_pairs_whatever_the_options_say(stopped, folder, toy):
    assert run(stopped, folder / "out.csv", toy, options=MatchOptions(mode="matrix")).resumed == 4


def test_a_model_that_is_named_is_not_opened_when_all_is_done(folder, toy):
    pairs = pairs_of(folder, "a.png,a", "b.png,x")
    with pytest.raises(Stop):
        run(pairs, folder / "out.csv", toy, model="m", progress=stopping(2))

    idle = ToyModel()
    report = run(pairs, folder / "out.csv", idle, model="m")

    assert (report.resumed, report.model, idle.opened) == (2, "toy", 0)
    assert cosines(report) == [TRUE, FALSE]


@pytest.mark.parametrize("name", ["", "another"])
def test_a_model_of_another_name_or_none_is_opened(name, folder, toy):
    pairs = pairs_of(folder, "a.png,a")
    with pytest.raises(Stop):
        run(pairs, folder / "out.csv", toy, model="m", progress=stopping(1))

    idle = ToyModel()
    run(pairs, folder / "out.csv", idle, model=name)

    assert idle.opened == 1


def test_a_part_file_that_is_not_ours_is_left_alone(folder, toy):
    (folder / "out.csv.part").write_text("a download\n")

    for given in ({}, {"resume": False}, {"overwrite": True}):
        with pytest.raises(OutputError, match=r"out.csv.part is in the way"):
            run(pairs_of(folder, "a.png,a"), folder / "out.csv", toy, **given)
    assert (folder / "out.csv.part").read_text() == "a download\n"


def test_progress_counts_all_rows_and_begins_with_those_that_are_done(stopped, folder, toy):
    told = []

    run(stopped, folder / "out.csv", toy, progress=lambda done, total: told.append((done, total)))

    assert told == [(5, 6), (6, 6)]


# calibration


def calibration_for(toy):
    labels = [n % 2 for n in range(20)]
    return fit_calibration([0.1 + 0.1 * label + 0.001 * n for n, label in enumerate(labels)], labels, toy)


def test_a_calibration_gives_the_probabilities_and_is_part_of_the_settings(stopped, folder, toy):
    report = run(stopped, folder / "out.csv", toy, calibration=calibration_for(toy))

    assert report.resumed == 0
    assert report.results[0].result.probability_scale == "calibrated"


def test_a_calibration_of_another_model_is_refused(folder, toy):
    other = SimpleNamespace(identity=SimpleNamespace(name="other"), fingerprint="g", space="toy")

    with pytest.raises(SpaceError, match="is for other, not for toy"):
        run(pairs_of(folder, "a.png,a"), None, toy, calibration=calibration_for(other))
