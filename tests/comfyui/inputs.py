"""Images for ComfyUI's input folder that the bundled model recognises."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from clip_grid.commands.shape_drawing import Scene, draw

COLOURS = ("red", "green", "blue", "yellow")
SHAPES = ("circle", "square", "triangle")


def draw_inputs(folder: Path) -> None:
    """Draw example.png, which ComfyUI has too, and a folder of twelve images."""
    draw_shape("red", "circle", folder / "example.png")
    for colour in COLOURS:
        for shape in SHAPES:
            draw_shape(colour, shape, folder / "shapes" / f"{colour} {shape}.png")


def draw_shape(colour: str, shape: str, path: Path) -> None:
    """Draw one large shape on white."""
    path.parent.mkdir(exist_ok=True)
    scene = Scene(kind="shape", colour=colour, shape=shape, size="large", background="white")
    draw(scene, 224, np.random.default_rng(0)).save(path)
