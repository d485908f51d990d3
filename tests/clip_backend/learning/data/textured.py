"""Small pictures that are cheap to make, all different, and have texture as photographs have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def textured(seed: int, size: tuple[int, int] = (48, 48)) -> Image.Image:
    """A picture of soft patches of colour with a little grain; equal for equal seeds."""
    rng = np.random.default_rng(seed)
    patches = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8)).resize(size, Image.Resampling.BICUBIC)
    grain = rng.integers(-6, 7, (size[1], size[0], 3))
    return Image.fromarray(np.clip(np.asarray(patches, np.int16) + grain, 0, 255).astype(np.uint8))


def save_textured(path: Path, seed: int, size: tuple[int, int] = (48, 48)) -> Path:
    """Such a picture in a file, whose folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    textured(seed, size).save(path, **({"compress_level": 1} if path.suffix == ".png" else {}))
    return path
