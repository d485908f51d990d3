"""A training of a few steps on the bundled model."""

from __future__ import annotations

from functools import cache

import numpy as np
from clip_grid.clip_backend.learning.options import TrainOptions
from clip_grid.clip_backend.learning.tuning.base import TrainableBase
from clip_grid.clip_backend.learning.tuning.pairs import Pairs, Retention
from clip_grid.clip_backend.learning.tuning.tune import tune
from clip_grid.commands.shape_drawing import Scene, draw

from ..new_shapes import NEW_SHAPES, draw_new_shape, shapes_encoder

#: Few steps of few pictures, at a rate at which every one of them changes the weights.
QUICK = {"steps": 10, "batch": 6, "learning_rate": 5e-3, "evaluate_every": 3, "seed": 3,
         "last_blocks": 1, "keep": 0}  # fmt: skip


@cache
def tiny_base():
    return TrainableBase.of(shapes_encoder())


@cache
def classes(per_class, seed):
    """New shapes with their names."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(NEW_SHAPES)), per_class)
    return Pairs(
        kind="classes", pictures=[draw_new_shape(NEW_SHAPES[label], rng, 40) for label in labels],
        texts=[f"a {name}" for name in NEW_SHAPES], picture_of=np.arange(len(labels)), text_of=labels,
        labels=np.ones(len(labels), np.float32),
    )  # fmt: skip


@cache
def retention():
    """Two shapes that the model knows."""
    rng = np.random.default_rng(0)
    scenes = [Scene(kind="shape", shape=shape, colour="red", size="large", background="white")
              for shape in ("circle", "star")]  # fmt: skip
    return Retention(pictures=[draw(scene, 40, rng) for scene in scenes], texts=["a red circle", "a red star", "a dog"])


def quick_tune(folder, *, train=None, val=None, more=None, **options):
    """Of new shapes, with the options of QUICK but for those given."""
    wanted = TrainOptions(**{"method": "lora", **QUICK, **options})
    train = classes(3, 1) if train is None else train
    val = classes(2, 2) if val is None else val
    return tune(tiny_base(), train, val or None, wanted, folder, retention=retention(), **(more or {}))
