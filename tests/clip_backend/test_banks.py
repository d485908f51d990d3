"""What texts and pictures are compared with: neutral captions, and pictures that show nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zlib

import numpy as np
import pytest
from clip_grid.clip_backend.scoring.banks import EACH, SIDE, neutral_captions, noise_floor, noise_pictures, percentiles
from clip_grid.clip_backend.words.vocabulary import same_text

CAPTIONS = neutral_captions()
PICTURES = noise_pictures()


# captions


def test_there_are_256_captions_and_no_two_alike():
    assert len(CAPTIONS) == 256
    assert len({same_text(caption) for caption in CAPTIONS}) == 256


def test_captions_are_sentences_and_some_are_short():
    counts = np.array([len(caption.split()) for caption in CAPTIONS])

    assert 30 <= (counts <= 3).sum() <= 50
    assert ((counts <= 3) | ((counts >= 5) & (counts <= 12))).all()


def test_captions_have_no_blanks_around_them_and_are_ascii():
    assert [caption for caption in CAPTIONS if caption != caption.strip() or not caption.isascii()] == []


def test_captions_deny_nothing_and_name_no_plain_shapes():
    shapes = "circle|square|triangle|cross|heart|ring|diamond"

    assert [caption for caption in CAPTIONS if re.search(rf"\b(no|not|without|none|nobody|{shapes})\b", caption)] == []


def test_hardly_a_word_of_a_caption_is_a_colour():
    colours = re.compile(r"\b(red|orange|yellow|green|blue|purple|black|white|pink|brown|grey)\b")

    assert len([caption for caption in CAPTIONS if colours.search(caption)]) <= 5


def test_captions_speak_of_different_things():
    openings = [" ".join(caption.split()[:3]) for caption in CAPTIONS if len(caption.split()) > 3]

    assert max(openings.count(one) for one in openings) <= 4


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


# pictures of nothing


def test_noise_pictures_are_as_promised():
    assert len(PICTURES) == 8 * EACH == 24
    assert {(picture.shape, picture.dtype) for picture in PICTURES} == {((SIDE, SIDE, 3), np.dtype(np.uint8))}


def test_noise_pictures_differ():
    assert len({picture.tobytes() for picture in PICTURES}) == len(PICTURES)


def test_noise_pictures_are_the_same_in_another_process():
    tell = (
        "import zlib; from clip_grid.clip_backend.banks.noise import noise_pictures;"
        "print([zlib.crc32(one.tobytes()) for one in noise_pictures()])"
    )

    done = subprocess.run(
        [sys.executable, "-c", tell],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )

    assert done.stdout.strip() == str([zlib.crc32(picture.tobytes()) for picture in PICTURES])


def test_the_noise_floor_is_worked_out_text_by_text():
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
