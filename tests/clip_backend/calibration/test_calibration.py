from __future__ import annotations

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from clip_grid.clip_backend.calibration.calibration import Calibration, fit_calibration, read_calibration
from clip_grid.clip_backend.matching.result import MatchOptions
from clip_grid.clip_backend.scoring.scales import bank
from clip_grid.errors import InputError, OutputError, SpaceError


def model(name="toy é", fingerprint="f", space="toy"):
    """What a calibration looks at of an encoder."""
    return SimpleNamespace(identity=SimpleNamespace(name=name), fingerprint=fingerprint, space=space)


def drawn(gap=0.08, count=100):
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 2 == 0
    return rng.normal(0.2, 0.04, count) + gap * labels, labels


@pytest.fixture
def fitted():
    return fit_calibration(*drawn(), model())


def test_it_turns_z_into_probabilities_around_its_threshold(fitted):
    below, at, above = fitted.probability([0.1, fitted.threshold, 0.4])

    assert below < 0.1 < 0.9 < above
    assert at == pytest.approx(0.5)


def test_probabilities_keep_the_shape_of_z(fitted):
    assert fitted.probability(np.zeros((2, 3), np.float32)).shape == (2, 3)
    assert fitted.probability(np.zeros((2, 3), np.float32)).dtype == np.float64


def test_it_is_calibrated_on_pairs_that_it_never_saw():
    rng = np.random.default_rng(1)
    labels = rng.random(8000) < 0.5
    cosines = rng.normal(0.2, 0.04, 8000) + 0.05 * labels

    said = fit_calibration(cosines[:4000], labels[:4000], model()).probability(cosines[4000:])

    for low in np.arange(0.1, 0.9, 0.2):
        inside = (said >= low) & (said < low + 0.2)
        assert labels[4000:][inside].mean() == pytest.approx(said[inside].mean(), abs=0.06)


def test_it_says_what_it_was_fitted_to(fitted):
    assert (fitted.model, fitted.fingerprint, fitted.space) == ("toy é", "f", "toy")
    assert (fitted.pairs, fitted.positives) == (100, 50)
    low, high = fitted.roc_auc_interval
    assert 0.8 < low < fitted.roc_auc < high <= 1
    assert fitted.notes == ()


def test_z_that_tells_nothing_are_noted():
    weak = fit_calibration(*drawn(gap=0.012), model())

    assert "hardly tell these matches from mismatches (ROC-AUC 0.5" in weak.notes[0]


def test_a_file_gives_back_the_same_calibration(fitted, tmp_path):
    fitted.save(tmp_path / "new" / "é.json")

    assert read_calibration(tmp_path / "new" / "é.json") == fitted
    told = json.loads((tmp_path / "new" / "é.json").read_text("utf-8"))
    assert told["model"] == "toy é"
    assert told["threshold"] == pytest.approx(fitted.threshold)
    assert told["version"] == 2


def test_the_home_is_known(fitted, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))

    fitted.save("~/c.json")

    assert read_calibration(str(tmp_path / "c.json")) == fitted


@pytest.mark.parametrize("other", [model("other", fingerprint="g"), model("other", space="h")])
def test_another_model_is_refused_by_name(fitted, other):
    fitted.check(model("renamed"), MatchOptions())

    with pytest.raises(SpaceError, match=r"is for toy é, not for other.*fit a calibration for this one"):
        fitted.check(other, MatchOptions())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (MatchOptions(template="a photo of {}"), "fitted with template '{}', not 'a photo of {}'; choose the same"),
        (MatchOptions(long_text="truncate"), "long_text 'mean', not 'truncate'"),
        (MatchOptions(prompt_syntax=False), "prompt_syntax True, not False"),
    ],
)
def test_texts_that_are_encoded_in_another_way_are_refused(fitted, options, message):
    with pytest.raises(InputError, match=re.escape(message)):
        fitted.check(model(), options)


def test_a_calibration_for_another_bank_is_refused(fitted):
    older = replace(fitted, bank=bank().version - 1)

    with pytest.raises(InputError, match="fitted with bank 0, not 1"):
        older.check(model(), MatchOptions())


def test_it_remembers_how_texts_were_encoded():
    options = MatchOptions(template="A photo depicts {}", long_text="max", prompt_syntax=False)

    found = fit_calibration(*drawn(), model(), options)

    assert (found.template, found.long_text, found.prompt_syntax) == ("A photo depicts {}", "max", False)
    found.check(model(), options)


@pytest.mark.parametrize(
    ("cosines", "labels", "message"),
    [
        (np.linspace(0, 1, 9), np.arange(9) > 4, "at least 10 labelled pairs; there are 9"),
        (np.linspace(0, 1, 20), np.arange(20) < 10, "labels look swapped; 1 must stand for a match"),
        (np.linspace(0, 1, 20), np.ones(20), "all are matches"),
        (np.linspace(0, 1, 20), np.zeros(20), "all are mismatches"),
        ([], [], "there are none"),
        (np.full(20, 0.2), np.arange(20) < 10, "all scores are 0.2"),
        ([0.1] * 10 + [float("nan")], [1, 0] * 5 + [1], "score of row 11 is nan"),
    ],
)
def test_pairs_that_teach_nothing_are_refused(cosines, labels, message):
    with pytest.raises(InputError, match=message):
        fit_calibration(cosines, labels, model())


def changed(**values):
    told = fit_calibration(*drawn(), model()).to_dict() | values
    return {name: value for name, value in told.items() if value is not ...}


BROKEN = {
    "not JSON": ("slope: 3", "is not JSON.*fit it anew"),
    "empty": ("", "is not JSON"),
    "another encoding": (b"\xff\xfe{}", "is not JSON"),
    "a list": ([1], "JSON of something else"),
    "other JSON": ({"slope": 3}, "JSON of something else"),
    "a later version": (changed(version=3), "version 3, and this program reads version 2"),
    "fitted to cosines": (changed(version=1), "version 1, and this program reads version 2"),
    "no slope": (changed(slope=..., pairs=...), "it lacks slope, pairs"),
    "NaN": (changed(intercept=float("nan")), "its intercept is nan"),
    "a huge number": (changed(intercept=10**400), "its intercept is 1000"),
    "a slope of 0": (changed(slope=0), "its slope is 0"),
    "a truth as a number": (changed(slope=True), "its slope is True"),
    "a text as a number": (changed(slope="3"), "its slope is '3'"),
    "half an interval": (changed(roc_auc_interval=[0.5]), r"its roc_auc_interval is \[0.5\]"),
    "a number as a name": (changed(fingerprint=3), "its fingerprint is 3"),
    "half a pair": (changed(pairs=1.5), "its pairs is 1.5"),
}


@pytest.mark.parametrize(("content", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_a_file_of_something_else_is_named(content, message, tmp_path):
    file = tmp_path / "é.json"
    raw = content if isinstance(content, (str, bytes)) else json.dumps(content)
    file.write_bytes(raw.encode() if isinstance(raw, str) else raw)

    with pytest.raises(InputError, match=f"é.json .*{message}"):
        read_calibration(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"calibration .*gone.json does not exist; check the path"):
        read_calibration(tmp_path / "gone.json")
    with pytest.raises(InputError, match="cannot be read"):
        read_calibration(tmp_path)


def test_a_place_that_cannot_be_written_is_named(fitted, tmp_path):
    (tmp_path / "file").write_text("x")

    with pytest.raises(OutputError, match="cannot be written"):
        fitted.save(tmp_path / "file" / "c.json")


def test_it_cannot_be_changed(fitted):
    assert isinstance(fitted, Calibration)
    with pytest.raises(AttributeError):
        fitted.slope = 2.0
