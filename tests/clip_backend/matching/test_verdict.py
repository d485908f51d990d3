from __future__ import annotations

import itertools

import numpy as np
import pytest
from clip_grid.clip_backend.matching.match import match_pictures
from clip_grid.clip_backend.matching.result import PRESETS, MatchOptions
from clip_grid.clip_backend.matching.scores import Limit, Scores, limit_of, verdicts
from clip_grid.errors import InputError

from .vector_encoder import VectorEncoder, all_at, quarter_at, text_at


def judged(cosine, on_noise=0.0, captions=None, **options):
    encoder = VectorEncoder({"a cat": text_at(cosine, on_noise)}, captions=captions or all_at(0.0))
    return match_pictures(encoder, ["cat.png"], ["a cat"], options=MatchOptions(**options)).results[0]


def test_a_cosine_above_threshold_noise_and_captions_is_a_match():
    result = judged(0.31, on_noise=0.1)

    assert (result.verdict, result.is_match, result.reason) == ("match", True, "")
    assert result.status == "Match (score: 0.310)"
    assert (result.threshold, result.threshold_scale) == (0.25, "cosine")


def test_a_cosine_that_noise_reaches_too_is_undecided():
    result = judged(0.31, on_noise=0.35)

    assert (result.verdict, result.is_match) == ("undecided", False)
    assert result.reason == "noise scores as high: with this text it reaches a cosine of 0.350"
    assert result.status == "Undecided (score: 0.310)"


def test_a_cosine_that_unrelated_captions_exceed_is_undecided():
    # 64 of 256 captions score higher, and a quarter of the others as high, which counts half
    result = judged(0.31, captions=quarter_at(0.4, 0.31))

    assert result.verdict == "undecided"
    assert result.percentile == pytest.approx(37.5)
    assert result.reason == "62 of a hundred unrelated captions score higher"


def test_three_quarters_of_the_captions_must_be_beaten_and_are_enough():
    assert judged(0.31, captions=quarter_at(0.4, 0.2)).verdict == "match"
    assert judged(0.31, captions=lambda n: quarter_at(0.4, 0.2)(0 if n == 1 else n)).verdict == "undecided"


def test_a_cosine_below_the_threshold_that_stands_out_is_weak():
    result = judged(0.2, on_noise=0.1)

    assert (result.verdict, result.is_match) == ("weak", False)
    assert result.reason == "it is below the threshold, but better than 100 of a hundred unrelated captions"
    assert result.status == "Weak match (score: 0.200)"


@pytest.mark.parametrize("on_noise, captions", [(0.2, all_at(0.0)), (0.0, quarter_at(0.3, 0.1)), (0.3, all_at(0.3))])
def test_a_low_cosine_that_does_not_stand_out_is_a_mismatch(on_noise, captions):
    result = judged(0.2, on_noise, captions)

    assert (result.verdict, result.reason) == ("mismatch", "")
    assert result.status == "Mismatch (score: 0.200)"


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_tells_its_threshold_and_scale(preset):
    result = judged(0.27, preset=preset)

    assert (result.threshold_scale, result.threshold) == PRESETS[preset]


@pytest.mark.parametrize("cosine, matches", [(0.19, []), (0.21, ["lenient"]), (0.26, ["lenient", "balanced"])])
def test_cosine_presets_are_the_thresholds_of_their_names(cosine, matches):
    names = ("lenient", "balanced", "strict")

    assert [name for name in names if judged(cosine, preset=name).is_match] == matches


def test_percentile_presets_do_not_look_at_the_size_of_the_cosine():
    # 0.05 beats 243 of 256 captions: 94.9 of a hundred
    def captions(place):
        return all_at(0.1 if place < 13 else 0.0)(place)

    verdict = {name: judged(0.05, captions=captions, preset=f"percentile {name}").verdict for name in (90, 95, 99)}

    assert verdict == {90: "match", 95: "weak", 99: "weak"}


def test_a_cosine_that_equals_the_threshold_reaches_it():
    for threshold in np.round(np.arange(0.01, 1, 0.01), 2).tolist():
        cosine = np.full((1, 1), threshold, np.float32)
        scores = Scores(
            cosine=cosine, probability=cosine.astype(float), probability_scale="", percentile=100 * cosine**0,
            noise_floor=0 * cosine,
        )  # fmt: skip
        assert verdicts(scores, Limit(threshold, "cosine")) == ["match"]


def test_the_verdict_is_that_of_the_rules_read_aloud():
    numbers = np.array([*itertools.product([0.1, 0.25, 0.4], [0.0, 0.25, 0.5], [50, 74.9, 75, 89.9, 90, 100])])
    cosine, floor, percentile = numbers.astype(np.float32).T[:, :, None]
    scores = Scores(
        cosine=cosine, probability=cosine.astype(float), probability_scale="", percentile=percentile, noise_floor=floor
    )

    found = verdicts(scores, Limit(0.25, "cosine"))

    def aloud(cosine, floor, percentile):
        if cosine >= 0.25:
            return "match" if cosine > floor and percentile >= 75 else "undecided"
        return "weak" if cosine > floor and percentile >= 90 else "mismatch"

    assert found == [aloud(*row) for row in numbers]


def test_the_threshold_of_a_calibration_is_even_odds_unless_one_was_chosen():
    assert limit_of(MatchOptions(), is_calibrated=True) == Limit(0.5, "probability")
    assert limit_of(MatchOptions(), is_calibrated=False) == Limit(0.25, "cosine")
    assert limit_of(MatchOptions(threshold=0.3), is_calibrated=True) == Limit(0.3, "cosine")
    assert limit_of(MatchOptions(preset="percentile 99"), is_calibrated=True) == Limit(99.0, "percentile")


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
