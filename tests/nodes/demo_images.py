"""Images that the bundled model recognises, the model itself, and a call of a scoring node with both."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from clip_grid.clip_backend.checkpoints.read import read_checkpoint
from clip_grid.clip_backend.loading import load_encoder
from clip_grid.clip_backend.shapes_demo import shapes_demo_path
from clip_grid.commands.shape_drawing import Scene, draw
from clip_grid.nodes.models.loaded import LoadedModel
from PIL import Image


@cache
def demo_model() -> LoadedModel:
    """Loaded once for all tests."""
    return LoadedModel("shapes-demo", read_checkpoint(shapes_demo_path()), load_encoder("shapes-demo", device="cpu"))


def shape(what: str, *, side: int = 64, seed: int = 0) -> Image.Image:
    """A picture of "red circle" and the like on a background of another colour."""
    colour, kind = what.split()
    background = "white" if colour != "white" else "black"
    scene = Scene(kind="shape", colour=colour, shape=kind, size="large", background=background)
    return draw(scene, side, np.random.default_rng(seed))


def image(*things: str, side: int = 64) -> torch.Tensor:
    """An IMAGE of such pictures, float [B, S, S, 3]."""
    pictures = [np.asarray(shape(thing, side=side, seed=place)) for place, thing in enumerate(things)]
    return torch.from_numpy(np.stack(pictures).astype(np.float32) / 255)


def broken() -> torch.Tensor:
    """An IMAGE of one picture that cannot be read."""
    return torch.full((1, 64, 64, 3), float("nan"))


def run(node: Any, images: object, **inputs: object) -> dict[str, Any]:
    """What a scoring node returns; every input goes in as a list, and the bundled model unless another is given."""
    given = {"model": demo_model(), **inputs}
    lists = {name: value if isinstance(value, list) else [value] for name, value in given.items()}
    answer: dict[str, Any] = node().execute(image=images if isinstance(images, list) else [images], **lists)
    return answer
