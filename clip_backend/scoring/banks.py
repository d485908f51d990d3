"""What every model is shown for comparison: fixed captions of everyday things, and fixed pictures of noise."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

#: Pixels of a side of a noise picture.
SIDE = 96
#: Noise pictures of each kind.
EACH = 3
Pixels = NDArray[np.uint8]
_Values = NDArray[np.float64]


@cache
def neutral_captions() -> tuple[str, ...]:
    """256 different captions, which have nothing to do with a given picture more often than not."""
    text = (Path(__file__).parent / "neutral_captions.txt").read_text("utf-8")
    return tuple(line for line in text.splitlines() if line)


@cache
def noise_pictures() -> tuple[Pixels, ...]:
    """24 pictures that show nothing, uint8 [96, 96, 3], the same in every process."""
    rng = np.random.default_rng(0)
    return tuple(_as_pixels(draw(rng)) for draw in _KINDS for _ in range(EACH))


def _as_pixels(values: _Values) -> Pixels:
    """RGB pixels from numbers in 0..1, [S, S] or [S, S, 3]; those outside are clipped."""
    colour = values if values.ndim == 3 else np.repeat(values[..., None], 3, axis=2)
    pixels: Pixels = (np.clip(colour, 0, 1) * 255 + 0.5).astype(np.uint8)
    return pixels


def _colour_noise(rng: np.random.Generator) -> _Values:
    return rng.random((SIDE, SIDE, 3))


def _grey_noise(rng: np.random.Generator) -> _Values:
    return 0.5 + 0.2 * rng.standard_normal((SIDE, SIDE))


def _salt_and_pepper(rng: np.random.Generator) -> _Values:
    return (rng.random((SIDE, SIDE)) < 0.5).astype(np.float64)


def _coarse_noise(rng: np.random.Generator) -> _Values:
    return np.kron(rng.random((SIDE // 8, SIDE // 8, 3)), np.ones((8, 8, 1))).astype(np.float64)


def _faint_noise(rng: np.random.Generator) -> _Values:
    return 0.5 + 0.03 * rng.standard_normal((SIDE, SIDE, 3))


def _uniform_grey(rng: np.random.Generator) -> _Values:
    return np.full((SIDE, SIDE), 0.25 + 0.5 * rng.random())


def _gradient(rng: np.random.Generator) -> _Values:
    y, x = np.mgrid[0:SIDE, 0:SIDE] / (SIDE - 1)
    angle = rng.random() * 2 * np.pi
    shade: _Values = 0.5 + 0.4 * (np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5))
    return shade


def _pink_noise(rng: np.random.Generator) -> _Values:
    """Noise whose amplitude falls with frequency, as that of photographs does."""
    spectrum = np.fft.fft2(rng.standard_normal((SIDE, SIDE, 3)), axes=(0, 1))
    y, x = np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE), indexing="ij")
    amplitude = 1 / np.maximum(np.hypot(y, x), 1 / SIDE)
    clouds = np.fft.ifft2(spectrum * amplitude[..., None], axes=(0, 1)).real
    around_grey: _Values = 0.5 + 0.2 * clouds / clouds.std()
    return around_grey


_KINDS: tuple[Callable[[np.random.Generator], _Values], ...] = (
    _colour_noise, _grey_noise, _salt_and_pepper, _coarse_noise, _faint_noise, _uniform_grey, _gradient, _pink_noise,
)  # fmt: skip
