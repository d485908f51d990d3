"""Captions of everyday things, which have nothing to do with a given picture more often than not."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..encoding.features import Features
from .scales import Floats, Wide

if TYPE_CHECKING:
    from ..encoding.encoder import Encoder


#: The share of the captions that lie below the one that stands for all that is unrelated to a picture.
UNRELATED = 0.95


@cache
def neutral_captions() -> tuple[str, ...]:
    """256 different captions, always the same."""
    text = (Path(__file__).parent / "neutral_captions.txt").read_text("utf-8")
    return tuple(line for line in text.splitlines() if line)


def neutral_features(encoder: Encoder) -> Features:
    """How a model reads them."""
    return encoder.encode_texts(neutral_captions())


def unrelated(neutral: Floats) -> Floats:
    """The cosine that one neutral caption in twenty exceeds with each picture, float32 [N].

    neutral: as below.
    """
    level: Floats = np.quantile(neutral, UNRELATED, axis=1).astype(np.float32)
    return level


def percentiles(cosines: Floats, neutral: Floats) -> Floats:
    """How many of a hundred neutral captions fit a picture worse, 0..100, float32 [N, M]; ties count half.

    cosines: of N pictures with M texts [N, M]. neutral: of the same pictures with the captions [N, C].
    """
    ordered = np.sort(neutral, axis=1)
    rows = zip(ordered, cosines, strict=True)
    below = [np.searchsorted(row, own, "left") + np.searchsorted(row, own, "right") for row, own in rows]
    share: Floats = (50.0 * np.array(below).reshape(cosines.shape) / neutral.shape[1]).astype(np.float32)
    return share


#: Pixels of a side.
SIDE = 96
#: Pictures of each kind.
EACH = 3
#: Standard deviations by which the floor lies above the mean: of normal noise, told from 24 pictures, one in some
#: 1,500 is above it. The 95th percentile, which others take, lets one in twenty through.
REACH = 3.5
Pixels = NDArray[np.uint8]
_Maker = Callable[[np.random.Generator], Wide]


@cache
def noise_pictures() -> tuple[Pixels, ...]:
    """24 pictures [S, S, 3], uint8, the same in every run."""
    rng = np.random.default_rng(0)
    return tuple(_as_pixels(make(rng)) for make in _KINDS for _ in range(EACH))


def noise_features(encoder: Encoder) -> Features:
    """How a model sees pictures of nothing."""
    pictures = list(noise_pictures())
    return encoder.encode_images(pictures).to_features([f"noise {place}" for place in range(len(pictures))])


def noise_floor(noise: Floats) -> Floats:
    """What cosines reach on noise, float32 [M]: mean + 3.5 standard deviations over the pictures.

    noise: cosines of pictures of nothing with M texts, float [N, M].
    """
    floor: Floats = (noise.mean(axis=0) + REACH * noise.std(axis=0, ddof=1)).astype(np.float32)
    return floor


def _as_pixels(values: Wide) -> Pixels:
    """Pixels from numbers in 0..1 [S, S] or [S, S, 3]; those outside are cut."""
    colour = values if values.ndim == 3 else np.repeat(values[..., None], 3, axis=2)
    pixels: Pixels = (np.clip(colour, 0, 1) * 255 + 0.5).astype(np.uint8)
    return pixels


def _colour_noise(rng: np.random.Generator) -> Wide:
    return rng.random((SIDE, SIDE, 3))


def _grey_noise(rng: np.random.Generator) -> Wide:
    return 0.5 + 0.2 * rng.standard_normal((SIDE, SIDE))


def _salt(rng: np.random.Generator) -> Wide:
    return (rng.random((SIDE, SIDE)) < 0.5).astype(np.float64)


def _coarse_noise(rng: np.random.Generator) -> Wide:
    return np.kron(rng.random((SIDE // 8, SIDE // 8, 3)), np.ones((8, 8, 1))).astype(np.float64)


def _faint_noise(rng: np.random.Generator) -> Wide:
    return 0.5 + 0.03 * rng.standard_normal((SIDE, SIDE, 3))


def _flat(rng: np.random.Generator) -> Wide:
    return np.full((SIDE, SIDE), 0.25 + 0.5 * rng.random())


def _shade(rng: np.random.Generator) -> Wide:
    down, across = np.mgrid[0:SIDE, 0:SIDE] / (SIDE - 1)
    turn = rng.random() * 2 * np.pi
    shade: Wide = 0.5 + 0.4 * (np.cos(turn) * (across - 0.5) + np.sin(turn) * (down - 0.5))
    return shade


def _cloudy(rng: np.random.Generator) -> Wide:
    """Noise whose amplitude falls with frequency, as that of photographs does."""
    waves = np.fft.fft2(rng.standard_normal((SIDE, SIDE, 3)), axes=(0, 1))
    down, across = np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE), indexing="ij")
    steepness = 1 / np.maximum(np.hypot(down, across), 1 / SIDE)
    clouds = np.fft.ifft2(waves * steepness[..., None], axes=(0, 1)).real
    around_grey: Wide = 0.5 + 0.2 * clouds / clouds.std()
    return around_grey


_KINDS: tuple[_Maker, ...] = (
    _colour_noise, _grey_noise, _salt, _coarse_noise, _faint_noise, _flat, _shade, _cloudy,
)  # fmt: skip
