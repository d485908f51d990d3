"""Training data: pictures drawn in advance, and batches of them with true, changed and unrelated captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from clip_grid.commands.shape_drawing import COLOURS, SHAPES, SIZES, Scene, draw, one_of, random_scene
from PIL import Image

from .captions import detailed_caption, random_caption, unrelated_caption, word_captions

#: Training makes a cosine above this mean that a text is true; a usual threshold for CLIP.
COSINE_THRESHOLD = 0.25
#: Pictures are drawn this wide, or for 0 as wide as they are needed, then resized as preprocessing does.
_SIDES = (0, 0, 48, 64, 96, 128)
_KINDS = ("shape", "empty", "noise", "other")
#: The words of each field of a scene, in the order of the fields.
_WORDS = (_KINDS, COLOURS, SHAPES, SIZES, COLOURS)


@dataclass(frozen=True)
class Dataset:
    """Pictures with their scenes; pixels: uint8 [N, side, side, 3]."""

    pixels: npt.NDArray[np.uint8]
    scenes: Sequence[Scene]


@dataclass(frozen=True)
class Batch:
    """N pictures and M texts: N detailed captions, N random ones, N of changed scenes, N / 4 unrelated, and words."""

    pixels: npt.NDArray[np.uint8]
    texts: Sequence[str]
    #: bool [N, M]: whether the text is true of the picture.
    matches: npt.NDArray[np.bool_]
    #: For each field the texts that are its words, as (start, end).
    fields: Sequence[tuple[int, int]]


def draw_dataset(count: int, side: int, rng: np.random.Generator) -> Dataset:
    """``count`` pictures of random scenes, ``side`` pixels wide."""
    scenes = [random_scene(rng) for _ in range(count)]
    pixels = np.empty((count, side, side, 3), np.uint8)
    for index, scene in enumerate(scenes):
        picture = draw(scene, one_of(_SIDES, rng) or side, rng)
        pixels[index] = np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC))
    return Dataset(pixels, scenes)


def draw_batch(dataset: Dataset, count: int, rng: np.random.Generator) -> Batch:
    """``count`` random pictures, half of them mirrored, with new texts."""
    chosen = rng.integers(len(dataset.scenes), size=count)
    scenes = [dataset.scenes[index] for index in chosen]
    pixels = dataset.pixels[chosen]
    mirrored = rng.random(count) < 0.5
    pixels[mirrored] = pixels[mirrored, :, ::-1]  # [N, side, side, 3]
    captions = [detailed_caption(scene, rng) for scene in scenes]
    captions += [random_caption(scene, rng) for scene in scenes]
    captions += [detailed_caption(changed_scene(scene, rng), rng) for scene in scenes]
    captions += [unrelated_caption(rng) for _ in range(count // 4)]
    fields = []
    for words in word_captions(rng):
        fields.append((len(captions), len(captions) + len(words)))
        captions += words
    matches = true_claims(scenes, [caption.claims for caption in captions])
    return Batch(pixels, [caption.text for caption in captions], matches, fields)


def changed_scene(scene: Scene, rng: np.random.Generator) -> Scene:
    """The scene with one word changed or its two colours swapped; a random one if it has no shape."""
    if scene.kind != "shape":
        return random_scene(rng)
    field = one_of(("colour", "shape", "shape", "size", "background", "swap"), rng)
    if field == "swap":
        return replace(scene, colour=scene.background, background=scene.colour)
    if field == "shape":
        return replace(scene, shape=one_of([word for word in SHAPES if word != scene.shape], rng))
    if field == "size":
        return replace(scene, size=one_of([word for word in SIZES if word != scene.size], rng))
    colour = one_of([word for word in COLOURS if word not in (scene.colour, scene.background)], rng)
    return replace(scene, colour=colour) if field == "colour" else replace(scene, background=colour)


def true_claims(scenes: Sequence[Scene], claims: Sequence[Scene]) -> npt.NDArray[np.bool_]:
    """bool [N, M]: whether everything that the m-th claims is so in the n-th scene."""
    shown = np.array([_codes(scene) for scene in scenes], np.int8)  # [N, 5]
    claimed = np.array([_codes(claim) for claim in claims], np.int8)  # [M, 5]
    return np.asarray(((claimed[None] == shown[:, None]) | (claimed[None] == 0)).all(axis=-1))


def _codes(scene: Scene) -> list[int]:
    """The fields as numbers from 1 on; 0 for ""."""
    fields = (scene.kind, scene.colour, scene.shape, scene.size, scene.background)
    return [words.index(word) + 1 if word else 0 for words, word in zip(_WORDS, fields, strict=True)]
