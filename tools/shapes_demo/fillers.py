"""Words that say nothing about the demo's pictures: around true captions, and in captions of something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clip_grid.clip_backend.shapes_demo.drawing import one_of

if TYPE_CHECKING:
    import numpy as np


_NOUNS = (
    "dog cat bird horse fish cow bear man woman child baby people crowd face hand house street city car bus train "
    "bicycle boat plane road bridge tree forest flower grass mountain river lake sea beach sky cloud snow rain "
    "sun moon food bread cake fruit apple coffee table chair bed room kitchen window door book paper phone "
    "computer screen shirt dress hat shoe ball game music party market shop school church garden field park night "
    "day winter summer animal robot castle"
)
_OTHERS = (
    "old young new big tall wooden dark bright beautiful happy quiet sitting standing running walking eating "
    "playing holding looking sleeping flying wearing with and in at near under over of the to his her two three "
    "many some very"
)
_EVERYDAY = tuple(f"{_NOUNS} {_NOUNS} {_OTHERS}".split())
_MEDIA = (
    "a picture of, an image of, a photo of, a drawing of, a painting of, an illustration of, a rendering of, a "
    "sketch of, a bad photo of, a good photo of, a close-up photo of, a cropped photo of, a cartoon of, art of, "
    "itap of, a view of, there is, this is, i see, it shows, a picture with, a picture showing"
)
_OPENINGS = tuple(_MEDIA.split(", "))
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def opening(rng: np.random.Generator) -> str:
    """Words before a caption with a space after them, often none."""
    chance = rng.random()
    if chance < 0.4:
        return ""
    return f"{stray_words(1, 2, rng)} " if chance > 0.94 else f"{one_of(_OPENINGS, rng)} "


def ending(rng: np.random.Generator) -> str:
    """What stands behind a caption, mostly nothing."""
    chance = rng.random()
    if chance < 0.85:
        return ""
    return f" {stray_words(1, 2, rng)}" if chance > 0.94 else one_of((".", ".", "!"), rng)


def stray_words(fewest: int, most: int, rng: np.random.Generator) -> str:
    """So many everyday words, or at times mere letters."""
    return " ".join(_stray_word(rng) for _ in range(int(rng.integers(fewest, most + 1))))


def stray_caption(rng: np.random.Generator) -> str:
    """A text about anything but the demo's pictures."""
    words = stray_words(1, 4, rng)
    start = one_of(("", "", "a ", "the ", f"{one_of(_OPENINGS, rng)} a "), rng)
    return start + words


def _stray_word(rng: np.random.Generator) -> str:
    if rng.random() < 0.8:
        return one_of(_EVERYDAY, rng)
    return "".join(one_of(_LETTERS, rng) for _ in range(int(rng.integers(2, 5))))
