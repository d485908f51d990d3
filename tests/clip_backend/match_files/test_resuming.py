"""Tests: a run that was stopped goes on with what is still the same."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

import pytest
from clip_grid.clip_backend.calibration.calibration import fit_calibration
from clip_grid.clip_backend.match_files import batch as run_module
from clip_grid.clip_backend.matching.result import MatchOptions
from clip_grid.errors import OutputError, SpaceError

from .toy_match import FALSE, TRUE, ToyModel, cosines, pairs_of, run


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
    part.write_bytes(b"".join([*lines[:2], b"garbage\n", b"[" * 100_000 + b"\n", b"[]\n", b'{"key": 1}\n', *lines[3:]]))

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


ANEW = "an earlier run was not continued, and its rows are scored anew: "


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"threshold": 0.3}, "threshold was 0.0 and is 0.3"),
        ({"preset": "strict"}, "preset was auto and is strict"),
        (
            {"template": "a photo of {}", "phrases": False},
            "phrases was True and is False; template was {} and is a photo",
        ),
        ({"long_text": "max"}, "long_text was mean and is max"),
        ({"prompt_syntax": False}, "prompt_syntax was True and is False"),
    ],
    ids=str,
)
def test_other_settings_begin_anew_and_it_is_said_which_differ(given, why, stopped, folder, toy):
    report = run(stopped, folder / "out.csv", toy, options=MatchOptions(**given))

    assert report.resumed == 0
    assert len(toy.matched) == 5
    assert [note for note in report.notes if note.startswith(ANEW + why)]


def test_without_resuming_all_rows_are_scored_and_nothing_is_said(stopped, folder, toy):
    report = run(stopped, folder / "out.csv", toy, resume=False)

    assert report.resumed == 0 and len(toy.matched) == 5
    assert not [note for note in report.notes if note.startswith(ANEW)]


@pytest.mark.parametrize(
    "other", [ToyModel(fingerprint="g", name="other"), ToyModel(dtype="bf16", name="other")], ids=["weights", "dtype"]
)
def test_another_model_begins_anew_and_it_is_said(other, stopped, folder):
    report = run(stopped, folder / "out.csv", other)

    assert (report.resumed, report.model) == (0, "other")
    assert ANEW + "the model changed" in report.notes


def test_a_run_of_other_settings_is_resumed_by_its_own_settings(stopped, folder):
    strict = MatchOptions(preset="strict")
    with pytest.raises(Stop):
        run(stopped, folder / "out.csv", ToyModel(), options=strict, progress=stopping(3))

    report = run(stopped, folder / "out.csv", ToyModel(), options=strict)

    assert report.resumed == 2
    assert not [note for note in report.notes if note.startswith(ANEW)]


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [("RULES", 99, "the rules changed"), ("bank", lambda: SimpleNamespace(version=99), "the rules changed")],
    ids=["rules", "bank"],
)
def test_other_rules_begin_anew(name, value, why, stopped, folder, toy, monkeypatch):
    monkeypatch.setattr(run_module, name, value)

    report = run(stopped, folder / "out.csv", toy)

    assert report.resumed == 0
    assert ANEW + why in report.notes


def test_a_part_file_of_the_first_version_begins_anew(stopped, folder, toy):
    part = folder / "out.csv.part"
    _, *rows = part.read_bytes().splitlines(keepends=True)
    part.write_bytes(b'{"clip_grid": "match-batch part", "version": 1}\n' + b"".join(rows))

    report = run(stopped, folder / "out.csv", toy)

    assert report.resumed == 0
    assert ANEW + "it is of another version of this program" in report.notes


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
    assert ANEW + "the calibration changed" in report.notes
    assert report.results[0].result.probability_scale == "calibrated"


def test_a_calibration_of_another_model_is_refused(folder, toy):
    other = SimpleNamespace(identity=SimpleNamespace(name="other"), fingerprint="g", space="toy")

    with pytest.raises(SpaceError, match="is for other, not for toy"):
        run(pairs_of(folder, "a.png,a"), None, toy, calibration=calibration_for(other))
