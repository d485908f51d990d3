from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from clip_grid.clip_backend.matching.match import match_pictures
from clip_grid.clip_backend.matching.result import PRESETS, MatchOptions

from .vector_encoder import VectorEncoder

DIM = 32


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


@dataclass
class RandomEncoder(VectorEncoder):
    """A model that knows nothing: texts and pictures lie anywhere, and pictures of noise close together."""

    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(4))
    spread: float = 0.3

    def __post_init__(self):
        self.centre = unit(self.rng.standard_normal(DIM))
        self.rows = {}

    def row_of(self, key):
        if key not in self.rows:
            self.rows[key] = unit(self.rng.standard_normal(DIM))
        return self.rows[key]

    def noise_like(self):
        return unit(self.centre + self.spread * unit(self.rng.standard_normal(DIM)))

    def encode_images(self, pictures, **given):
        self.pictures = _Table(self.noise_like if str(pictures[0]).startswith("noise") else None, self.row_of)
        features = super().encode_images(pictures, **given)
        if not isinstance(pictures[0], str):
            features.vectors = np.array([self.noise_like() for _ in pictures], np.float32)
        return features

    def encode_texts(self, texts, **given):
        self.texts = {text: self.row_of(text) for text in texts}
        return super().encode_texts(texts, **given)


class _Table:
    def __init__(self, noise, row_of):
        self.noise, self.row_of = noise, row_of

    def get(self, name):
        return self.noise() if self.noise else self.row_of(name)


def run(pictures, texts, **options):
    settings = MatchOptions(mode="matrix", phrases=False, **options)
    return match_pictures(RandomEncoder(), pictures, texts, options=settings).results


def shares(values, most=100.0):
    return np.array(values) / most


def test_percentiles_of_unrelated_pairs_are_uniform():
    stats = pytest.importorskip("scipy.stats")
    # a pair each, for pairs of one picture lean on the same captions
    names = [f"{n}.png" for n in range(800)]
    found = match_pictures(
        RandomEncoder(), names, [f"text {n}" for n in range(800)], options=MatchOptions(phrases=False)
    )

    for values in ([one.percentile for one in found.results], [one.picture_percentile for one in found.results]):
        assert stats.kstest(shares(values), "uniform").pvalue > 0.01


def test_percentiles_of_unrelated_pairs_are_uniform_to_the_eye():
    found = run([f"{n}.png" for n in range(60)], [f"text {n}" for n in range(60)])

    tenths, _ = np.histogram([one.percentile for one in found], bins=10, range=(0, 100))

    assert np.abs(tenths / len(found) - 0.1).max() < 0.02


@pytest.mark.parametrize("preset", ["threshold", *PRESETS])
def test_noise_is_hardly_ever_a_match(preset):
    found = run([f"noise {n}" for n in range(100)], [f"text {n}" for n in range(200)], preset=preset)

    assert sum(one.is_match for one in found) <= 0.002 * len(found)


def test_noise_reaches_the_threshold_all_the_same():
    found = run([f"noise {n}" for n in range(100)], [f"text {n}" for n in range(200)])

    high = [one for one in found if one.cosine >= 0.25]
    assert len(high) > 500
    assert np.mean([one.verdict == "undecided" for one in high]) > 0.99
    assert all("noise scores as high" in one.reason for one in high if one.cosine <= one.noise_floor)
