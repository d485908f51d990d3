"""What a cosine is worth: percentiles, the noise floor, the prior, and the background that they need."""

from __future__ import annotations

import numpy as np
import pytest
from clip_grid.clip_backend.scoring.banks import neutral_captions
from clip_grid.clip_backend.scoring.scales import (
    Background,
    competing_noise_floor,
    noise_floor,
    noise_prior,
    percentiles,
    unrelated_level,
)

from ..labelling.cosine_encoder import OTHER, CosineEncoder

# percentiles


def test_a_percentile_is_the_share_of_captions_that_fit_worse():
    rng = np.random.default_rng(3)
    cosines, neutral = rng.integers(0, 9, (5, 7)) / 10, rng.integers(0, 9, (5, 256)) / 10  # with ties
    expected = [
        [np.mean((neutral[row] < one) + 0.5 * (neutral[row] == one)) * 100 for one in cosines[row]] for row in range(5)
    ]

    found = percentiles(cosines.astype(np.float32), neutral.astype(np.float32))

    assert (found.dtype, found.shape) == (np.float32, (5, 7))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_percentiles_reach_from_0_to_100():
    neutral = np.linspace(-0.1, 0.3, 256, dtype=np.float32)[None]

    np.testing.assert_array_equal(percentiles(np.float32([[-1, 0.1, 1]]), neutral), [[0, 50, 100]])


def test_percentiles_of_no_pictures_or_no_texts_are_none():
    neutral = np.zeros((2, 256), np.float32)

    assert percentiles(np.zeros((2, 0), np.float32), neutral).shape == (2, 0)
    assert percentiles(np.zeros((0, 3), np.float32), neutral[:0]).shape == (0, 3)


@pytest.mark.parametrize("seed", range(3))
def test_percentiles_of_unrelated_texts_are_uniform(seed: int):
    """The Kolmogorov-Smirnov distance to a uniform distribution, against its 0.1 % point."""
    rng = np.random.default_rng(seed)
    own, neutral = rng.standard_normal((1000, 1)), rng.standard_normal((1000, 256))

    found = np.sort(percentiles(own.astype(np.float32), neutral.astype(np.float32))[:, 0]) / 100

    steps = np.arange(1000) / 1000
    assert max(np.max(found - steps), np.max(steps + 0.001 - found)) < 1.95 / np.sqrt(1000)


# the noise floor


def test_the_noise_floor_is_computed_text_by_text():
    noise = np.random.default_rng(5).standard_normal((24, 6)).astype(np.float32)
    expected = [column.mean() + 3.5 * column.std(ddof=1) for column in noise.T]

    found = noise_floor(noise)

    assert (found.dtype, found.shape) == (np.float32, (6,))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_noise_that_is_always_alike_is_its_own_floor():
    np.testing.assert_allclose(noise_floor(np.full((24, 2), 0.25, np.float32)), [0.25, 0.25])


def test_hardly_any_noise_of_a_normal_distribution_is_above_the_floor():
    rng = np.random.default_rng(0)

    floors = noise_floor(rng.standard_normal((24, 400)).astype(np.float32))

    assert np.mean(rng.standard_normal((1000, 400)) > floors) < 0.002


def test_the_competing_floor_of_a_single_text_is_its_noise_floor():
    noise = np.random.default_rng(0).uniform(-0.1, 0.3, (24, 1)).astype(np.float32)

    np.testing.assert_allclose(competing_noise_floor(noise), noise_floor(noise), atol=1e-6)


def test_the_competing_floors_of_several_texts_equal_a_loop():
    rng = np.random.default_rng(0)
    noise = (rng.normal(0.1, 0.05, (24, 50)) * rng.choice([1, 2], (24, 1))).astype(np.float32)
    means, deviations = noise.mean(0), noise.std(0, ddof=1)
    highest = [max((noise[row, text] - means[text]) / deviations[text] for text in range(50)) for row in range(24)]
    reach = noise_floor(np.array(highest)[:, None])

    assert reach > 3.5
    np.testing.assert_allclose(competing_noise_floor(noise), means + reach * deviations, atol=1e-5)
    assert (competing_noise_floor(noise) > noise_floor(noise)).all()


def test_no_competing_floor_is_below_the_noise_floor():
    noise = np.repeat(np.linspace(-0.1, 0.1, 24, dtype=np.float32)[:, None], 3, axis=1)
    noise[:, 1] = -noise[:, 0]

    np.testing.assert_allclose(competing_noise_floor(noise), noise_floor(noise), atol=1e-6)


def test_a_text_that_fits_noise_raises_its_own_floor_alone():
    noise = np.random.default_rng(0).normal(0.1, 0.01, (24, 3)).astype(np.float32)
    static = noise + np.array([0, 0, 0.3], np.float32)

    np.testing.assert_allclose(competing_noise_floor(static)[:2], competing_noise_floor(noise)[:2], atol=1e-4)


# the prior


def test_the_prior_is_what_a_text_scores_on_noise_beyond_the_others():
    noise = np.array([[0.3, 0.1], [0.5, 0.1]], np.float32)

    np.testing.assert_allclose(noise_prior(noise), [0.15, -0.15], atol=1e-6)


# the background


def background(encoder: CosineEncoder, **options) -> Background:
    return Background(encoder, encoder.encode_images(list(encoder.pictures)).to_features(), **options)


def test_the_background_is_encoded_once_and_only_when_it_is_asked_for():
    encoder = CosineEncoder({"a.png": {OTHER: 0.2}}, {"static": 0.5})
    floor = background(encoder).noise_floor(encoder.encode_texts(["static", "cat"]))

    assert floor.tolist() == pytest.approx([0.5, 0.0])
    assert encoder.texts == ["static", "cat"]

    asked = background(encoder)
    assert asked.neutral.shape == (1, 256) and asked.unrelated == unrelated_level(asked.neutral)
    assert encoder.texts[2:] == list(neutral_captions())


def test_captions_are_encoded_with_the_template_of_the_texts():
    encoder = CosineEncoder({"a.png": {f"a photo of {neutral_captions()[7]}": 0.4}})

    neutral = background(encoder, template="a photo of {}").neutral

    assert neutral[0, 7] == pytest.approx(0.4) and neutral[0].argmax() == 7


def test_one_caption_in_twenty_lies_above_the_unrelated_level():
    neutral = np.random.default_rng(0).standard_normal((3, 256)).astype(np.float32)

    assert ((neutral > unrelated_level(neutral)[:, None]).sum(axis=1) == 13).all()
