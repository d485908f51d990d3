"""Training data: pictures drawn in advance, and batches of them with true, changed and unrelated captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from clip_grid.commands.shape_drawing import COLOURS, SHAPES, SIZES, Scene, draw, one_of, random_scene
from PIL import Image, ImageDraw

from .captions import NOUNS, detailed_caption, random_caption

#: Pictures are drawn this wide, or for 0 as wide as they are needed, then resized as preprocessing does.
_SIDES = (0, 0, 48, 64, 96, 128)
#: The words of each field of a scene, in the order of the fields.
_WORDS = (("shape", "empty", "noise", "other"), COLOURS, (*SHAPES, *NOUNS), SIZES, COLOURS)
#: The share of pictures of something else, with captions of everyday things, as most captions of a CLIP are.
_OTHERS = 0.15
#: So many pictures of the same two colours come together, which differ in shape, size, or which colour is behind.
_GROUP = 8


@dataclass(frozen=True)
class Dataset:
    """Pictures with their scenes; pixels: uint8 [N, side, side, 3]."""

    pixels: npt.NDArray[np.uint8]
    scenes: Sequence[Scene]

    @cached_property
    def by_colours(self) -> dict[frozenset[str], list[int]]:
        """The pictures with the same colours, whichever is behind."""
        groups: dict[frozenset[str], list[int]] = {}
        for index, scene in enumerate(self.scenes):
            groups.setdefault(colours_of(scene), []).append(index)
        return groups


@dataclass(frozen=True)
class Batch:
    """N pictures with two captions each."""

    pixels: npt.NDArray[np.uint8]
    #: A detailed caption of each picture, then one of a random part of each.
    texts: Sequence[str]
    #: bool [N, 2N]: whether the text is true of the picture.
    matches: npt.NDArray[np.bool_]


def draw_dataset(count: int, side: int, rng: np.random.Generator) -> Dataset:
    """``count`` pictures of random scenes, ``side`` pixels wide."""
    scenes = [
        Scene(kind="other", shape=one_of(NOUNS, rng)) if rng.random() < _OTHERS else random_scene(rng)
        for _ in range(count)
    ]
    pixels = np.empty((count, side, side, 3), np.uint8)
    for index, scene in enumerate(scenes):
        width = one_of(_SIDES, rng) or side
        picture = scribble(scene.shape, width, rng) if scene.kind == "other" else draw(scene, width, rng)
        pixels[index] = np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC))
    return Dataset(pixels, scenes)


def scribble(noun: str, side: int, rng: np.random.Generator) -> Image.Image:
    """A square RGB picture of lines, loops and patches in the noun's own colours, in place of a photograph of it."""
    own = np.random.default_rng(NOUNS.index(noun))
    palette, kinds = own.integers(256, size=(3, 3)), own.dirichlet((0.5, 0.5, 0.5))
    picture = Image.new("RGB", (side, side), _near(palette[0], rng))
    pen = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(5, 16))):
        colour = _near(palette[1 + int(rng.integers(2))], rng)
        points = [(float(x), float(y)) for x, y in rng.uniform(-0.2, 1.2, (4, 2)) * side]
        width = int(rng.integers(1, max(3, side // 8)))
        kind = ("line", "loop", "patch")[int(rng.choice(3, p=kinds))]
        if kind == "line":
            pen.line(points, colour, width)
        elif kind == "loop":
            (left, right), (top, low) = sorted(x for x, _ in points[:2]), sorted(y for _, y in points[:2])
            pen.arc((left, top, right, low), 0, float(rng.uniform(90, 360)), colour, width)
        else:
            pen.polygon(points[:3], colour)
    return picture


def _near(colour: npt.NDArray[np.int64], rng: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = np.clip(colour + rng.integers(-20, 21, size=3), 0, 255).tolist()
    return red, green, blue


def draw_batch(dataset: Dataset, count: int, rng: np.random.Generator) -> Batch:
    """``count`` random pictures in groups of the same colours, half of them mirrored, with new captions."""
    firsts = rng.integers(len(dataset.scenes), size=-(-count // _GROUP))
    groups = [dataset.by_colours[colours_of(dataset.scenes[first])] for first in firsts]
    chosen = [one_of(group, rng) for group in groups for _ in range(_GROUP)][:count]
    scenes = [dataset.scenes[index] for index in chosen]
    pixels = dataset.pixels[chosen]
    mirrored = rng.random(count) < 0.5
    pixels[mirrored] = pixels[mirrored, :, ::-1]  # [N, side, side, 3]
    captions = [detailed_caption(scene, rng) for scene in scenes] + [random_caption(scene, rng) for scene in scenes]
    matches = true_claims(scenes, [caption.claims for caption in captions])
    return Batch(pixels, [caption.text for caption in captions], matches)


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


def colours_of(scene: Scene) -> frozenset[str]:
    """The colours in a scene."""
    return frozenset((scene.colour, scene.background))


def true_claims(scenes: Sequence[Scene], claims: Sequence[Scene]) -> npt.NDArray[np.bool_]:
    """bool [N, M]: whether everything that the m-th claims is so in the n-th scene."""
    shown = np.array([_codes(scene) for scene in scenes], np.int8)  # [N, 5]
    claimed = np.array([_codes(claim) for claim in claims], np.int8)  # [M, 5]
    return np.asarray(((claimed[None] == shown[:, None]) | (claimed[None] == 0)).all(axis=-1))


def _codes(scene: Scene) -> list[int]:
    """The fields as numbers from 1 on; 0 for ""."""
    fields = (scene.kind, scene.colour, scene.shape, scene.size, scene.background)
    return [words.index(word) + 1 if word else 0 for words, word in zip(_WORDS, fields, strict=True)]
