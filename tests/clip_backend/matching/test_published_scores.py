"""The default verdict on published cosines of real models: which it must call match, weak or mismatch.

Each case has the mean and the standard deviation of unrelated texts of the same length for that model. Sources: the
test suites of transformers and torchmetrics, the notebooks of CLIP, open_clip and big_vision, rclip's test snapshots,
and issues of openai/CLIP, haltakov/natural-language-youtube-search, big_vision and facet.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from clip_grid.clip_backend.encoding.features import Features
from clip_grid.clip_backend.matching.result import MatchOptions
from clip_grid.clip_backend.matching.scores import Pairing, limit_of, scores_of, verdicts

#: Mean and standard deviation of unrelated texts: short ones, and captions.
B32_SHORT, B32_LONG = (0.195, 0.021), (0.155, 0.036)
L14_SHORT, LAION_L14_SHORT, DATACOMP_SHORT, SIGLIP2_SHORT = (
    (0.130, 0.022),
    (0.10, 0.028),
    (0.115, 0.036),
    (0.003, 0.028),
)
CASES = {
    "B/32, two cats: a photo of a cat": (0.2457, B32_SHORT, "match"),
    "B/32, two cats: a photo of a dog": (0.1930, B32_SHORT, "mismatch"),
    "B/32, CLIP.png: a diagram": (0.2555, B32_SHORT, "match"),
    "B/32, CLIP.png: a dog": (0.2009, B32_SHORT, "mismatch"),
    "B/32, CLIP.png: a cat": (0.1975, B32_SHORT, "mismatch"),
    "B/32, vehicle: an image depicting a vehicle": (0.25, B32_SHORT, "match"),
    "B/32, vehicle: an image depicting a motor": (0.22, B32_SHORT, "weak"),
    "B/32, vehicle: an image depicting a computer": (0.19, B32_SHORT, "mismatch"),
    "B/32, best frame of a video: CAR": (0.2665, B32_SHORT, "match"),
    "B/32, best frame of a video: gibberish": (0.2155, B32_SHORT, "mismatch"),
    "B/32, puppy: its caption": (0.3315, B32_LONG, "match"),
    "B/32, puppy: the caption of a cat": (0.1863, B32_LONG, "mismatch"),
    "B/32, puppy: the caption of a car": (0.1084, B32_LONG, "mismatch"),
    "B/16: the caption of the picture that is most alike, which no threshold tells": (0.268, (0.162, 0.045), "match"),
    "L/14, kittens: cat": (0.189, L14_SHORT, "match"),
    "L/14, kittens: dog": (0.117, L14_SHORT, "mismatch"),
    "LAION L/14, people: person": (0.166, LAION_L14_SHORT, "match"),
    "LAION L/14, people: elephant": (0.104, LAION_L14_SHORT, "mismatch"),
    "DataComp B/32, cats: kitty, lowest": (0.210, DATACOMP_SHORT, "match"),
    "DataComp B/32, cats: kitty, highest": (0.269, DATACOMP_SHORT, "match"),
    "DataComp B/32, chessboard: kitty": (0.165, DATACOMP_SHORT, "weak"),
    "SigLIP 2, two cats: two cats": (0.140, SIGLIP2_SHORT, "match"),
    "SigLIP 2, two cats: a cat": (0.074, SIGLIP2_SHORT, "match"),
    "SigLIP 2, two cats: a dog": (0.004, SIGLIP2_SHORT, "mismatch"),
    "SigLIP 2, people: person, first": (0.072, SIGLIP2_SHORT, "match"),
    "SigLIP 2, people: person, second": (0.065, SIGLIP2_SHORT, "match"),
    "SigLIP 2, people: person, third": (0.051, SIGLIP2_SHORT, "weak"),
    "SigLIP 2, people: elephant": (0.017, SIGLIP2_SHORT, "mismatch"),
}
ANY = Features(np.array([[1, 0]], np.float32), ("any",), "published")


def verdict_of(cosine, mean, deviation, emptiness=""):
    """The verdict among two texts that have this mean and standard deviation."""

    class Given(Pairing):
        def cosines(self):
            return np.array([[cosine]], np.float32)

    pairing = Given(images=ANY, texts=ANY, is_paired=False, classes=["short"])
    bank = np.array([[mean - deviation, mean + deviation]], np.float32)
    encoder = SimpleNamespace(identity=SimpleNamespace(is_sigmoid=False), logit_scale=100.0, logit_bias=0.0)
    scores = scores_of(pairing, {"short": bank}, encoder)
    return verdicts(scores, limit_of(MatchOptions(), is_calibrated=False), [emptiness])[0]


@pytest.mark.parametrize("case", CASES)
def test_a_published_pair_gets_the_verdict_that_is_true(case):
    cosine, (mean, deviation), expected = CASES[case]

    assert verdict_of(cosine, mean, deviation) == expected


def test_noise_is_undecided_whatever_its_cosine_is():
    """Colour noise with "a photo of a cat" by B/16: 0.2443."""
    assert verdict_of(0.2443, 0.188, 0.021) == "match"
    assert verdict_of(0.2443, 0.188, 0.021, "noise") == "undecided"


def test_the_rules_of_version_0_1_call_right_pairs_mismatches():
    """Guards the cases above: the threshold of 0.25 fails most of those that match."""
    failed = [case for case, (cosine, _, verdict) in CASES.items() if verdict == "match" and cosine < 0.25]

    assert len(failed) >= 8
