"""The pictures that the benchmarks work on: crops of photographs with a trace of noise, made once and kept."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

PHOTOGRAPHS = (
    "astronaut.png",
    "coffee.png",
    "rocket.jpg",
    "chelsea.png",
    "ihc.png",
    "retina.jpg",
    "motorcycle_left.png",
)


def source_pictures(folder: Path | None) -> list[Image.Image]:
    """Every picture of a folder whose shorter side has 400 pixels; without a folder, photographs of scikit-image."""
    if folder:
        files = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".png", ".jpg", ".webp"))
    else:
        spec = find_spec("skimage")
        if spec is None or spec.origin is None:
            raise SystemExit("install scikit-image for its photographs, or give --pictures FOLDER")
        files = [Path(spec.origin).parent / "data" / name for name in PHOTOGRAPHS]
    pictures = [Image.open(file).convert("RGB") for file in files]
    return [picture for picture in pictures if min(picture.size) >= 256]


def crop(source: Image.Image, side: int, rng: np.random.Generator) -> Image.Image:
    """A random square of at least three quarters of the picture, resized, with noise of sigma 1/255."""
    room = min(source.size)
    size = int(room * rng.uniform(0.75, 1))
    x, y = (int(rng.integers(0, length - size + 1)) for length in source.size)
    pixels = np.asarray(source.crop((x, y, x + size, y + size)).resize((side, side), Image.Resampling.LANCZOS))
    noisy = pixels + rng.normal(0, 1, pixels.shape)
    return Image.fromarray(np.clip(noisy + 0.5, 0, 255).astype(np.uint8))


def make_files(folder: Path, sources: list[Image.Image], count: int, side: int, suffix: str) -> list[Path]:
    """``count`` picture files; those that are there already are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"picture_{number:05}{suffix}" for number in range(count)]
    for number, file in enumerate(files):
        if not file.exists():
            picture = crop(sources[number % len(sources)], side, np.random.default_rng(number))
            picture.save(file, **({"quality": 90} if suffix == ".jpg" else {"compress_level": 4}))
    return files


def make_tensors(sources: list[Image.Image], count: int, side: int) -> list[np.ndarray]:
    """Pictures as ComfyUI hands them over: float32 [H, W, 3] in 0..1."""
    crops = [crop(sources[i % len(sources)], side, np.random.default_rng(i)) for i in range(count)]
    return [np.asarray(picture, np.float32) / 255 for picture in crops]
