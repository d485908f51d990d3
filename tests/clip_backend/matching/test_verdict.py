from __future__ import annotations

import itertools

import numpy as np
import pytest
from clip_grid.clip_backend.matching.match import match_pictures
from clip_grid.clip_backend.matching.result import PRESETS, Limit, MatchOptions
from clip_grid.clip_backend.matching.scores import Scores, limit_of, verdicts
from clip_grid.errors import InputError

from .vector_encoder import BLANK, NOISE, VectorEncoder, bank_at, text_at

#: Mean and standard deviation of the bank, of short texts of OpenAI's B/32.
BANK = (0.195, 0.021)


def judged(cosine, bank=BANK, statistics=None, **options):
    encoder = VectorEncoder(
        {"a cat": text_at(cosine)}, bank=bank_at(*bank), statistics={"cat.png": statistics} if statistics else {}
    )
    return match_pictures(encoder, ["cat.png"], ["a cat"], options=MatchOptions(**options)).results[0]


def test_a_text_that_lies_two_deviations_above_unrelated_ones_is_a_match():
    result = judged(0.2457)

    assert (result.verdict, result.is_match) == ("match", True)
    assert result.z == pytest.approx(2.41, abs=0.01)
    assert result.percentile == 100
    assert (result.threshold, result.threshold_scale) == (2, "z")
    assert (
        result.reason == "it fits better than 64 of 64 unrelated short texts, 2.4 standard deviations above their mean"
    )
    assert result.status == "Match (score: 0.246)"


def test_a_text_less_than_one_deviation_above_unrelated_ones_is_a_mismatch():
    result = judged(0.193)

    assert (result.verdict, result.is_match) == ("mismatch", False)
    assert (
        result.reason == "it fits better than 32 of 64 unrelated short texts, 0.1 standard deviations below their mean"
    )
    assert result.status == "Mismatch (score: 0.193)"


def test_a_text_between_the_two_is_weak():
    result = judged(0.22)

    assert result.verdict == "weak"
    assert result.reason.endswith("1.2 standard deviations above their mean; a match needs 2")
    assert result.status == "Weak match (score: 0.220)"


@pytest.mark.parametrize("options", [{}, {"preset": "lenient"}, {"threshold": 0.1}, {"preset": "percentile 90"}])
@pytest.mark.parametrize(("statistics", "word"), [(BLANK, "blank"), (NOISE, "noise")])
def test_a_picture_that_shows_nothing_is_undecided_whatever_decides(options, statistics, word):
    result = judged(0.35, statistics=statistics, **options)

    assert (result.verdict, result.is_match) == ("undecided", False)
    assert word in result.reason
    assert result.status == "Undecided (score: 0.350)"


def test_unrelated_texts_that_all_fit_alike_leave_the_default_undecided():
    result = judged(0.35, bank=(0.2, 0.004))

    assert result.verdict == "undecided"
    assert result.reason == "the model tells unrelated texts apart too little on this picture to judge by them"
    assert judged(0.35, bank=(0.2, 0.004), threshold=0.3).verdict == "match"


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_tells_its_threshold_and_scale(preset):
    result = judged(0.27, preset=preset)

    assert Limit(result.threshold, result.threshold_scale) == PRESETS[preset]


@pytest.mark.parametrize("cosine, matches", [(0.19, []), (0.21, ["lenient"]), (0.26, ["lenient", "balanced"])])
def test_cosine_presets_are_the_thresholds_of_their_names(cosine, matches):
    names = ("lenient", "balanced", "strict")

    assert [name for name in names if judged(cosine, preset=name).is_match] == matches


def test_a_cosine_that_was_chosen_decides_alone_and_says_so():
    near, far = judged(0.24, threshold=0.25), judged(0.21, threshold=0.25)
    loose = judged(0.21, threshold=0.2)

    assert (near.verdict, far.verdict, loose.verdict) == ("weak", "mismatch", "match")
    assert near.reason.startswith("its cosine of 0.240 is below 0.25; it fits better than 64 of 64")
    assert loose.reason.startswith("its cosine of 0.210 reaches 0.2; ")
    assert (loose.threshold, loose.threshold_scale) == (0.2, "cosine")


def test_percentile_presets_do_not_look_at_the_size_of_the_cosine():
    # it beats 60 of 64 short texts: 93.75 of a hundred
    def bank(place):
        return text_at(0.1 if place < 4 else 0.01)

    encoder = VectorEncoder({"a cat": text_at(0.05)}, bank=bank)

    def verdict(preset):
        return match_pictures(encoder, ["cat.png"], "a cat", options=MatchOptions(preset=preset)).results[0].verdict

    assert [verdict(f"percentile {name}") for name in (90, 95, 99)] == ["match", "weak", "weak"]


def test_a_cosine_that_equals_the_threshold_reaches_it():
    for threshold in np.round(np.arange(0.01, 1, 0.01), 2).tolist():
        assert verdicts(scores_with(cosine=[threshold]), Limit(threshold, "cosine"), [""]) == ["match"]


def scores_with(*, cosine=None, z=None, percentile=None, probability=None):
    columns = [cosine, z, percentile, probability]
    rows = len(next(one for one in columns if one is not None))
    arrays = [np.array([0.0] * rows if one is None else one, np.float32)[:, None] for one in columns]
    return Scores(
        cosine=arrays[0],
        z=arrays[1],
        percentile=arrays[2],
        probability=arrays[3].astype(float),
        probability_scales={},
        is_flat=np.zeros((rows, 1), bool),
    )


@pytest.mark.parametrize("scale", ["z", "cosine", "percentile", "probability"])
def test_the_verdict_is_that_of_the_rules_read_aloud(scale):
    rows = [*itertools.product([0.0, 0.24, 0.26, 0.5], [0.9, 1.1, 2.1], ["", "blank"])]
    value, z, empty = zip(*rows, strict=True)
    numbers = {"z": z} | ({} if scale == "z" else {scale: value})
    limit = Limit(2.0 if scale == "z" else 0.5, scale)

    def aloud(value, z, empty):
        if empty:
            return "undecided"
        if (z if scale == "z" else value) >= limit.threshold:
            return "match"
        return "mismatch" if (value < 0.25 if scale == "probability" else z < 1) else "weak"

    assert verdicts(scores_with(**numbers), limit, empty) == [aloud(*row) for row in rows]


def test_a_preset_goes_before_a_threshold_and_that_before_a_calibration():
    assert limit_of(MatchOptions(), is_calibrated=False) == Limit(2, "z")
    assert limit_of(MatchOptions(), is_calibrated=True) == Limit(0.5, "probability")
    assert limit_of(MatchOptions(threshold=0.3), is_calibrated=True) == Limit(0.3, "cosine")
    assert limit_of(MatchOptions(preset="percentile 99"), is_calibrated=True) == Limit(99.0, "percentile")
    # the number 0 itself, as a saved workflow of version 0.1 may have it
    assert limit_of(MatchOptions(preset="threshold", threshold=0), is_calibrated=False) == Limit(0, "cosine")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (MatchOptions(preset="harsh"), "'harsh'.*balanced"),
        (MatchOptions(threshold=float("nan")), "threshold is nan"),
    ],
)
def test_a_limit_that_means_nothing_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        limit_of(options, is_calibrated=False)
