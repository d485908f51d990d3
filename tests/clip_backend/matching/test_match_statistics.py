from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
from clip_grid.clip_backend.matching.match import match_pictures
from clip_grid.clip_backend.matching.result import MatchOptions

from .vector_encoder import VectorEncoder

DIM = 32


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


@dataclass
class RandomEncoder(VectorEncoder):
    """A model that knows nothing: texts and pictures lie anywhere."""

    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(4))

    def __post_init__(self):
        self.rows = {}
        self.pictures = SimpleNamespace(get=self.row_of)

    def row_of(self, key):
        if key not in self.rows:
            self.rows[key] = unit(self.rng.standard_normal(DIM))
        return self.rows[key]

    def encode_texts(self, texts, **given):
        self.texts = {text: self.row_of(text) for text in texts}
        return super().encode_texts(texts, **given)


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


def test_z_of_unrelated_pairs_has_mean_0_and_deviation_1():
    found = run([f"{n}.png" for n in range(60)], [f"text {n}" for n in range(60)])

    z = np.array([one.z for one in found])
    assert abs(z.mean()) < 0.05
    assert z.std() == pytest.approx(1, abs=0.05)
    # 2.3 % of a normal distribution lie above 2
    assert np.mean([one.is_match for one in found]) == pytest.approx(0.023, abs=0.01)
