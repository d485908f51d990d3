"""Pictures of four shapes that the bundled model has never seen, for tests of learning."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from clip_grid.clip_backend.learning.base import Base
from clip_grid.clip_backend.learning.heads.pool import Pool
from clip_grid.clip_backend.loading import load_encoder
from clip_grid.clip_backend.shapes_demo import shapes_demo_path
from clip_grid.commands.shape_drawing import COLOURS, SIZES, Scene, around, draw, one_of, polygon

_ARROW = [(-1, -0.3), (0.1, -0.3), (0.1, -0.75), (1, 0), (0.1, 0.75), (0.1, 0.3), (-1, 0.3)]


def _crescent(canvas, centre, radius, rotation):
    angles = np.linspace(0.25 * math.pi, 1.75 * math.pi, 40)
    outer = [(math.cos(angle), math.sin(angle)) for angle in angles]
    inner = [(0.35 + 0.78 * x, 0.9 * y) for x, y in reversed(outer)]
    polygon([*outer, *inner])(canvas, centre, radius, rotation)


PAINTERS = {
    "hexagon": polygon(around(*[1.0] * 6)),
    "pentagon": polygon(around(*[1.0] * 5)),
    "arrow": polygon(_ARROW),
    "crescent": _crescent,
}
NEW_SHAPES = tuple(PAINTERS)


def draw_new_shape(shape, rng, side=64):
    """An RGB picture of a shape in a random colour and size, drawn as those that the bundled model was trained on."""
    background = one_of(COLOURS, rng)
    colour = one_of([name for name in COLOURS if name != background], rng)
    scene = Scene(kind="shape", colour=colour, shape=shape, size=one_of(SIZES, rng), background=background)
    return draw(scene, side, rng, PAINTERS)


@cache
def shapes_encoder():
    """The bundled model."""
    return load_encoder(shapes_demo_path())


@cache
def shapes_base():
    """What identifies it."""
    return Base.of(shapes_encoder(), with_texts=False)


@cache
def new_shape_features(per_class, seed):
    """(unit vectors [4 * per_class, D], classes) of new pictures, a class after the other."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(NEW_SHAPES)), per_class)
    pictures = [draw_new_shape(NEW_SHAPES[label], rng) for label in labels]
    return shapes_encoder().encode_images(pictures).to_features().vectors, labels


@cache
def shape_texts():
    """Unit vectors of the four classes' names."""
    return shapes_encoder().encode_texts([f"a photo of a {name}" for name in NEW_SHAPES]).vectors


def shape_pool(shots, seed, *, labels=None):
    """So many new pictures of each class, to learn from."""
    features, own = new_shape_features(shots, 1000 + seed)
    labels = own if labels is None else labels
    return Pool(
        features=features, labels=labels, classes=NEW_SHAPES, groups=tuple(map(str, range(len(labels)))),
        texts=shape_texts(), logit_scale=shapes_encoder().logit_scale, seed=seed,
    )  # fmt: skip
