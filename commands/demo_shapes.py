"""Pictures of shapes for the demo, and the words that its model may label them with."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..atomic import atomic_file
from ..clip_backend.shapes_demo.drawing import draw
from ..clip_backend.shapes_demo.scenes import COLOURS, SHAPES, random_scene

COUNT = 12
SIDE = 224
WORDS = ", ".join(f"{colour} {shape}" for colour in COLOURS for shape in SHAPES)


def draw_shapes(folder: Path) -> None:
    """The same twelve pictures every time; their names do not tell what they show."""
    rng = np.random.default_rng(7)
    for number in range(1, COUNT + 1):
        scene = random_scene(rng, empty=0, noise=0)
        with atomic_file(folder / f"shape-{number:02}.png") as file:
            draw(scene, SIDE, rng).save(file, "PNG")
