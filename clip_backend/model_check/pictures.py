"""The pictures and texts that models are checked with: twelve that show something, and thirty that show nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

#: Pixels of a side of a drawing; it is drawn larger and reduced.
DRAWN_SIDE, OVERSAMPLING = 224, 4
#: Pixels of a side of a picture that shows nothing.
NOTHING_SIDE = 96
#: Pictures of each kind of noise.
EACH = 3
Pixels = NDArray[np.uint8]
_Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class CheckPictures:
    """Twelve pictures by name; captions and words name some of them."""

    #: Whether the five that have words are photographs; the others are always drawings.
    kind: Literal["photographs", "drawings"]
    pictures: Mapping[str, Path | Image.Image]
    #: Eight long texts, by what they describe; the first five are those of the pictures with words.
    captions: Mapping[str, str]
    #: Five short texts, by picture.
    words: Mapping[str, str]


def check_pictures() -> CheckPictures:
    """Five photographs of an installed scikit-image and seven drawings, else twelve drawings; nothing is downloaded.

    The photographs' captions are those of the notebook "Interacting with CLIP" (openai/CLIP, MIT licence).
    """
    data = _data()
    photographs = _photographs(data["photographs"])
    return CheckPictures(
        kind="photographs" if photographs else "drawings",
        # five of the drawings have the names of the photographs
        pictures={**_drawings(), **photographs},
        captions=data["captions" if photographs else "drawing captions"],
        words=data["words"],
    )


def published_cosines() -> Mapping[str, Mapping[str, list[float]]]:
    """Cosines of two ViT-B/32 with the eight captions, by model and photograph, read off published figures.

    Source: the notebooks "Interacting with CLIP" of openai/CLIP and open_clip. Without the photograph of the camera,
    which scikit-image has replaced since.
    """
    published: dict[str, dict[str, list[float]]] = _data()["published"]
    return published


@cache
def _data() -> dict[str, Any]:
    data: dict[str, Any] = json.loads((Path(__file__).parent / "pictures.json").read_text("utf-8"))
    return data


@cache
def _drawings() -> dict[str, Image.Image]:
    return {name: draw(shapes) for name, shapes in _data()["drawings"].items()}


def _photographs(files: Mapping[str, str]) -> dict[str, Path]:
    """The files in scikit-image's own folder, without importing it, since it would fetch what is missing."""
    spec = find_spec("skimage")
    folders = (spec.submodule_search_locations if spec else None) or ()
    for folder in folders:
        found = {name: Path(folder) / "data" / file for name, file in files.items()}
        if all(path.is_file() for path in found.values()):
            return found
    return {}


def draw(shapes: list[list[Any]]) -> Image.Image:
    """A drawing of 224 x 224 pixels.

    shapes: kind, colour and coordinates x, y, x, y, ... in percent of the side; a line or ring has its width, too in
    percent, before them.
    """
    side = DRAWN_SIDE * OVERSAMPLING
    picture = Image.new("RGB", (side, side))
    canvas = ImageDraw.Draw(picture)
    for kind, colour, *numbers in shapes:
        scaled = [number * side / 100 for number in numbers]
        if kind == "line":
            canvas.line(scaled[1:], colour, round(scaled[0]), joint="curve")
        elif kind == "ring":
            canvas.ellipse(scaled[1:], outline=colour, width=round(scaled[0]))
        else:
            {"ellipse": canvas.ellipse, "polygon": canvas.polygon, "rectangle": canvas.rectangle}[kind](scaled, colour)
    return picture.reduce(OVERSAMPLING)


@cache
def nothing_pictures() -> Mapping[str, tuple[Pixels, ...]]:
    """Thirty pictures that show nothing by kind, uint8 [96, 96, 3], the same in every process."""
    rng = np.random.default_rng(0)
    noise = {kind: tuple(_as_pixels(make(rng)) for _ in range(EACH)) for kind, make in _NOISE.items()}
    plain = tuple(np.full((NOTHING_SIDE, NOTHING_SIDE, 3), colour, np.uint8) for colour in _PLAIN)
    return {**noise, "plain colours": plain}


def _as_pixels(values: _Values) -> Pixels:
    """RGB pixels from numbers in 0..1, [S, S] or [S, S, 3]; those outside are clipped."""
    colour = values if values.ndim == 3 else np.repeat(values[..., None], 3, axis=2)
    pixels: Pixels = (np.clip(colour, 0, 1) * 255 + 0.5).astype(np.uint8)
    return pixels


def _coarse_noise(rng: np.random.Generator) -> _Values:
    return np.kron(rng.random((NOTHING_SIDE // 8, NOTHING_SIDE // 8, 3)), np.ones((8, 8, 1))).astype(np.float64)


def _gradient(rng: np.random.Generator) -> _Values:
    y, x = np.mgrid[0:NOTHING_SIDE, 0:NOTHING_SIDE] / (NOTHING_SIDE - 1)
    angle = rng.random() * 2 * np.pi
    shade: _Values = 0.5 + 0.4 * (np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5))
    return shade


def _clouds(rng: np.random.Generator) -> _Values:
    """Noise whose amplitude falls with frequency, as that of photographs does."""
    spectrum = np.fft.fft2(rng.standard_normal((NOTHING_SIDE, NOTHING_SIDE, 3)), axes=(0, 1))
    y, x = np.meshgrid(np.fft.fftfreq(NOTHING_SIDE), np.fft.fftfreq(NOTHING_SIDE), indexing="ij")
    amplitude = 1 / np.maximum(np.hypot(y, x), 1 / NOTHING_SIDE)
    clouds = np.fft.ifft2(spectrum * amplitude[..., None], axes=(0, 1)).real
    around_grey: _Values = 0.5 + 0.2 * clouds / clouds.std()
    return around_grey


_GREY, _RGB = (NOTHING_SIDE, NOTHING_SIDE), (NOTHING_SIDE, NOTHING_SIDE, 3)
_NOISE: Mapping[str, Callable[[np.random.Generator], _Values]] = {
    "colour noise": lambda rng: rng.random(_RGB),
    "grey noise": lambda rng: 0.5 + 0.2 * rng.standard_normal(_GREY),
    "salt and pepper": lambda rng: (rng.random(_GREY) < 0.5).astype(np.float64),
    "coarse mosaic": _coarse_noise,
    "faint noise": lambda rng: 0.5 + 0.03 * rng.standard_normal(_RGB),
    "plain grey": lambda rng: np.full(_GREY, 0.25 + 0.5 * rng.random()),
    "gradient": _gradient,
    "clouds": _clouds,
}
_PLAIN = ((0, 0, 0), (255, 255, 255), (200, 40, 40), (40, 160, 60), (40, 80, 200), (230, 200, 40))
