"""What the training sees: a pool of pictures drawn ahead, and batches of them with captions, true and altered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from clip_grid.clip_backend.shapes_demo.drawing import Scene, changed_scene, draw, one_of, random_scene
from PIL import Image

from .captions import full_caption, other_caption, random_caption, words_alone

#: Pictures are drawn at one of these sides, then resized as a model's own preparation does.
_SIDES = (0, 0, 48, 64, 96, 128)


@dataclass(frozen=True)
class Pool:
    """Pictures with their scenes; pixels: uint8 [N, side, side, 3]."""

    pixels: npt.NDArray[np.uint8]
    scenes: Sequence[Scene]


@dataclass(frozen=True)
class Batch:
    """N pictures and M texts: N full captions, N other true ones, N altered, some of other things, and words alone."""

    pixels: npt.NDArray[np.uint8]
    texts: Sequence[str]
    #: bool [N, M]: whether the text is true of the picture.
    matches: npt.NDArray[np.bool_]
    #: Which texts are the words of one field, as (first, one past the last).
    fields: Sequence[tuple[int, int]]


def draw_pool(count: int, side: int, rng: np.random.Generator) -> Pool:
    """``count`` pictures of scenes by chance, ``side`` pixels wide."""
    scenes = [random_scene(rng) for _ in range(count)]
    pixels = np.empty((count, side, side, 3), np.uint8)
    for index, scene in enumerate(scenes):
        picture = draw(scene, one_of(_SIDES, rng) or side, rng)
        pixels[index] = np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC))
    return Pool(pixels, scenes)


def draw_batch(pool: Pool, count: int, rng: np.random.Generator) -> Batch:
    """``count`` pictures from the pool, mirrored at times, with their texts."""
    chosen = rng.integers(len(pool.scenes), size=count)
    scenes = [pool.scenes[index] for index in chosen]
    pixels = pool.pixels[chosen]
    mirrored = rng.random(count) < 0.5
    pixels[mirrored] = pixels[mirrored, :, ::-1]  # [N, side, side, 3]
    captions = [full_caption(scene, rng) for scene in scenes]
    captions += [random_caption(scene, rng) for scene in scenes]
    captions += [full_caption(changed_scene(scene, rng), rng) for scene in scenes]
    captions += [other_caption(rng) for _ in range(count // 4)]
    fields = []
    for words in words_alone(rng):
        fields.append((len(captions), len(captions) + len(words)))
        captions += words
    matches = true_of(scenes, [caption.claims for caption in captions])
    return Batch(pixels, [caption.text for caption in captions], matches, fields)


def true_of(scenes: Sequence[Scene], claims: Sequence[Scene]) -> npt.NDArray[np.bool_]:
    """bool [N, M]: whether all that the m-th claims is so in the n-th scene."""
    seen = np.array([scene.codes for scene in scenes], np.int8)  # [N, 5]
    said = np.array([claim.codes for claim in claims], np.int8)  # [M, 5]
    return np.asarray(((said[None] == seen[:, None]) | (said[None] == 0)).all(axis=-1))
