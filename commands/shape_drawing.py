"""Pictures of the bundled model: what a scene consists of, random scenes, and how a scene is drawn."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "black", "white")
SHAPES = ("circle", "square", "triangle", "star", "cross", "heart", "ring", "diamond")
SIZES = ("small", "large")
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What a picture shows, or what a caption claims; "" where a caption leaves it open.

    A plain background has its colour in both ``colour`` and ``background``, and no shape or size; noise has neither.
    """

    #: "shape", "empty" for a plain background, "noise", or "other" for something else, which is not drawn here.
    kind: str = ""
    colour: str = ""
    shape: str = ""
    size: str = ""
    #: The colour behind the shape, never the shape's own.
    background: str = ""


def random_scene(rng: np.random.Generator, *, empty: float = 0.05, noise: float = 0.05) -> Scene:
    """A random scene; ``empty`` and ``noise`` are the probabilities of a plain background and of noise."""
    chance = rng.random()
    if chance < noise:
        return Scene(kind="noise")
    background = one_of(COLOURS, rng)
    if chance < noise + empty:
        return Scene(kind="empty", colour=background, background=background)
    return Scene(
        kind="shape",
        colour=one_of([colour for colour in COLOURS if colour != background], rng),
        shape=one_of(SHAPES, rng),
        size=one_of(SIZES, rng),
        background=background,
    )


def one_of(options: Sequence[T], rng: np.random.Generator) -> T:
    """A random one of the options, many times as fast as ``rng.choice``."""
    return options[int(rng.integers(len(options)))]


Floats = npt.NDArray[np.float32]
Point = tuple[float, float]
#: Draws a shape in white: canvas, centre, radius, rotation in radians.
Painter = Callable[[ImageDraw.ImageDraw, Point, float, float], None]
#: For each colour the ranges of hue in degrees, saturation and value.
_HSV_RANGES = {
    "red": ((-8, 8), (0.8, 1.0), (0.75, 1.0)),
    "orange": ((23, 39), (0.85, 1.0), (0.9, 1.0)),
    "yellow": ((50, 63), (0.75, 1.0), (0.88, 1.0)),
    "green": ((95, 150), (0.65, 1.0), (0.4, 0.95)),
    "blue": ((208, 243), (0.7, 1.0), (0.6, 1.0)),
    "purple": ((268, 302), (0.6, 1.0), (0.45, 0.85)),
    "black": ((0, 360), (0.0, 0.4), (0.0, 0.1)),
    "white": ((0, 360), (0.0, 0.05), (0.93, 1.0)),
}
#: The radius of the circle around a shape, as a fraction of the picture's side.
_RADII = {"small": (0.16, 0.21), "large": (0.32, 0.43)}
_MOST_ROTATION = 15.0
#: The least width that shapes are drawn at, before they are reduced to the picture's.
_LEAST_DRAWN = 192


def draw(
    scene: Scene, side: int, rng: np.random.Generator, painters: Mapping[str, Painter] | None = None
) -> Image.Image:
    """A square RGB picture of a scene; the same one for the same scene, side and state of ``rng``.

    painters: of shapes of other names than SHAPES.
    """
    if scene.kind == "noise":
        return Image.fromarray(_as_bytes(_noise(side, rng)))
    canvas = _background(scene.background, side, rng)  # [side, side, 3]
    if scene.kind == "shape":
        mask = _shape_mask(scene, side, rng, painters or _PAINTERS)[..., None]  # [side, side, 1]
        canvas += mask * (_shade(scene.colour, rng) - canvas)
    if rng.random() < 0.5:
        canvas += rng.standard_normal(canvas.shape, dtype=np.float32) * np.float32(rng.uniform(1, 12))
    return Image.fromarray(_as_bytes(canvas))


def _as_bytes(canvas: Floats) -> npt.NDArray[np.uint8]:
    return np.asarray(np.clip(canvas + 0.5, 0, 255), np.uint8)


def _shade(name: str, rng: np.random.Generator) -> Floats:
    """A random shade of a colour, RGB 0..255."""
    hue, saturation, value = (rng.uniform(*span) for span in _HSV_RANGES[name])
    return np.array(colorsys.hsv_to_rgb(hue / 360 % 1, saturation, value), np.float32) * 255


def _background(name: str, side: int, rng: np.random.Generator) -> Floats:
    """One shade, sometimes with a gradient of brightness."""
    canvas: Floats = np.broadcast_to(_shade(name, rng), (side, side, 3)).copy()
    if rng.random() < 0.3:
        angle, depth = rng.uniform(0, 2 * math.pi), rng.uniform(0.04, 0.15)
        steps = np.linspace(-1, 1, side, dtype=np.float32)
        slope = (steps[:, None] * math.sin(angle) + steps * math.cos(angle)) / math.sqrt(2)
        canvas *= (1 + depth * slope)[..., None]
    return canvas


def _shape_mask(scene: Scene, side: int, rng: np.random.Generator, painters: Mapping[str, Painter]) -> Floats:
    """How much of each pixel the shape covers, 0..1; sometimes without smooth edges."""
    factor = -(-_LEAST_DRAWN // side)
    drawn = side * factor
    radius = rng.uniform(*_RADII[scene.size])
    x, y = rng.uniform(radius, 1 - radius, 2) * drawn
    mask = Image.new("L", (drawn, drawn))
    rotation = math.radians(rng.uniform(-_MOST_ROTATION, _MOST_ROTATION))
    painters[scene.shape](ImageDraw.Draw(mask), (x, y), radius * drawn, rotation)
    covered: Floats = np.asarray(mask.reduce(factor), np.float32) / np.float32(255)
    return np.round(covered) if rng.random() < 0.15 else covered


def _noise(side: int, rng: np.random.Generator) -> Floats:
    """Noise of one of several kinds: uniform or normal, fine or coarse, coloured or grey."""
    grain = int(rng.choice([4, 8, 16, side, side]))
    channels = 3 if rng.random() < 0.75 else 1
    if rng.random() < 0.5:
        cells = rng.uniform(0, 255, (grain, grain, channels))
    else:
        cells = rng.normal(rng.uniform(80, 175), rng.uniform(25, 80), (grain, grain, channels))
    cells = np.clip(np.broadcast_to(cells, (grain, grain, 3)), 0, 255).astype(np.uint8)
    resample = Image.Resampling.BICUBIC if rng.random() < 0.5 else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(cells).resize((side, side), resample), np.float32)


def _circle(canvas: ImageDraw.ImageDraw, centre: Point, radius: float, rotation: float) -> None:
    canvas.ellipse(_box(centre, radius * 0.95), fill=255)


def _ring(canvas: ImageDraw.ImageDraw, centre: Point, radius: float, rotation: float) -> None:
    canvas.ellipse(_box(centre, radius), fill=255)
    canvas.ellipse(_box(centre, radius * 0.58), fill=0)


def _box(centre: Point, radius: float) -> tuple[float, float, float, float]:
    return centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius


def polygon(points: Sequence[Point]) -> Painter:
    """Draws a polygon; the points lie within the unit circle around 0, y downwards."""

    def paint(canvas: ImageDraw.ImageDraw, centre: Point, radius: float, rotation: float) -> None:
        cos, sin = math.cos(rotation) * radius, math.sin(rotation) * radius
        canvas.polygon([(centre[0] + x * cos - y * sin, centre[1] + x * sin + y * cos) for x, y in points], fill=255)

    return paint


def around(*radii: float, start: float = -90.0) -> list[Point]:
    """Points at even angles from ``start`` degrees on, at these distances from 0."""
    step = 360 / len(radii)
    angles = [math.radians(start + step * index) for index in range(len(radii))]
    return [(radius * math.cos(angle), radius * math.sin(angle)) for radius, angle in zip(radii, angles, strict=True)]


def _heart() -> list[Point]:
    angles = [2 * math.pi * index / 48 for index in range(48)]
    across = [math.sin(t) ** 3 for t in angles]
    up = [(13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)) / 16 for t in angles]
    return [(0.95 * x, -0.95 * y - 0.08) for x, y in zip(across, up, strict=True)]


_ARM = 0.27
_HALF_CROSS = [(-_ARM, -1.0), (_ARM, -1.0), (_ARM, -_ARM), (1.0, -_ARM), (1.0, _ARM), (_ARM, _ARM)]
_PAINTERS: dict[str, Painter] = {
    "circle": _circle,
    "ring": _ring,
    "square": polygon(around(1.0, 1.0, 1.0, 1.0, start=45)),
    "triangle": polygon(around(1.0, 1.0, 1.0)),
    "star": polygon(around(*(1.0, 0.42) * 5)),
    "cross": polygon([*_HALF_CROSS, *((-x, -y) for x, y in _HALF_CROSS)]),
    "heart": polygon(_heart()),
    "diamond": polygon([(0.0, -1.0), (0.6, 0.0), (0.0, 1.0), (-0.6, 0.0)]),
}
