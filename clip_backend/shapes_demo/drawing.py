"""What a picture of the demo can show: its words, a scene made of them, and scenes by chance."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "black", "white")
SHAPES = ("circle", "square", "triangle", "star", "cross", "heart", "ring", "diamond")
SIZES = ("small", "large")
#: Of the ground behind the shape, which never has the shape's own colour.
BACKGROUNDS = COLOURS
#: A shape on a ground, a ground alone, noise, and what captions of something else speak of, which no picture shows.
KINDS = ("shape", "empty", "noise", "other")
#: The words of each field of a scene, in the order of the fields.
WORDS = (KINDS, COLOURS, SHAPES, SIZES, BACKGROUNDS)
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One picture in words; as the claims of a caption, "" stands for what the caption leaves open.

    An empty ground counts as a picture of that colour, without shape or size; noise has neither colour nor ground.
    """

    kind: str = ""
    colour: str = ""
    shape: str = ""
    size: str = ""
    background: str = ""

    @property
    def codes(self) -> tuple[int, ...]:
        """The fields as numbers, from 1 on in the order of WORDS; 0 stands for ""."""
        fields = (self.kind, self.colour, self.shape, self.size, self.background)
        return tuple(words.index(word) + 1 if word else 0 for words, word in zip(WORDS, fields, strict=True))


def one_of(options: Sequence[T], rng: np.random.Generator) -> T:
    """One of the options by chance, many times as fast as ``rng.choice``."""
    return options[int(rng.integers(len(options)))]


def random_scene(rng: np.random.Generator, *, empty: float = 0.05, noise: float = 0.05) -> Scene:
    """A scene by chance; ``empty`` and ``noise`` are the chances of a ground alone and of noise."""
    chance = rng.random()
    if chance < noise:
        return Scene(kind="noise")
    background = one_of(BACKGROUNDS, rng)
    if chance < noise + empty:
        return Scene(kind="empty", colour=background, background=background)
    return Scene(
        kind="shape",
        colour=_other(COLOURS, background, rng),
        shape=one_of(SHAPES, rng),
        size=one_of(SIZES, rng),
        background=background,
    )


def changed_scene(scene: Scene, rng: np.random.Generator) -> Scene:
    """A scene that differs in one word, or has its two colours swapped; another one by chance without a shape."""
    if scene.kind != "shape":
        return random_scene(rng)
    field = one_of(("colour", "shape", "shape", "size", "background", "swap"), rng)
    if field == "swap":
        return replace(scene, colour=scene.background, background=scene.colour)
    if field == "shape":
        return replace(scene, shape=_other(SHAPES, scene.shape, rng))
    if field == "size":
        return replace(scene, size=_other(SIZES, scene.size, rng))
    colour = one_of([word for word in COLOURS if word not in (scene.colour, scene.background)], rng)
    return replace(scene, colour=colour) if field == "colour" else replace(scene, background=colour)


def _other(words: Sequence[str], than: str, rng: np.random.Generator) -> str:
    return one_of([word for word in words if word != than], rng)


Floats = npt.NDArray[np.float32]
Point = tuple[float, float]
#: Hue in degrees, saturation and value of each colour: the ranges that it is drawn from.
_RANGES = {
    "red": ((-8, 8), (0.8, 1.0), (0.75, 1.0)),
    "orange": ((23, 39), (0.85, 1.0), (0.9, 1.0)),
    "yellow": ((50, 63), (0.75, 1.0), (0.88, 1.0)),
    "green": ((95, 150), (0.65, 1.0), (0.4, 0.95)),
    "blue": ((208, 243), (0.7, 1.0), (0.6, 1.0)),
    "purple": ((268, 302), (0.6, 1.0), (0.45, 0.85)),
    "black": ((0, 360), (0.0, 0.4), (0.0, 0.1)),
    "white": ((0, 360), (0.0, 0.05), (0.93, 1.0)),
}
#: The radius of the circle around a shape, as a part of the picture's side.
_RADII = {"small": (0.16, 0.21), "large": (0.32, 0.43)}
_TILT = 15.0
#: Shapes are drawn this many pixels wide at least, and made smaller after.
_FINE = 192


def draw(scene: Scene, side: int, rng: np.random.Generator) -> Image.Image:
    """A square RGB picture of a scene; the same one for the same scene, side and state of ``rng``."""
    if scene.kind == "noise":
        return Image.fromarray(_bytes(_noise(side, rng)))
    canvas = _ground(scene.background, side, rng)  # [side, side, 3]
    if scene.kind == "shape":
        cover = _cover(scene, side, rng)[..., None]  # [side, side, 1]
        canvas += cover * (_colour(scene.colour, rng) - canvas)
    if rng.random() < 0.5:
        canvas += rng.standard_normal(canvas.shape, dtype=np.float32) * np.float32(rng.uniform(1, 12))
    return Image.fromarray(_bytes(canvas))


def _bytes(canvas: Floats) -> npt.NDArray[np.uint8]:
    return np.asarray(np.clip(canvas + 0.5, 0, 255), np.uint8)


def _colour(name: str, rng: np.random.Generator) -> Floats:
    """One tone of a colour, 0 to 255."""
    hue, saturation, value = (rng.uniform(*span) for span in _RANGES[name])
    return np.array(colorsys.hsv_to_rgb(hue / 360 % 1, saturation, value), np.float32) * 255


def _ground(name: str, side: int, rng: np.random.Generator) -> Floats:
    """The background: one tone, or at times a slow change of brightness across it."""
    canvas: Floats = np.broadcast_to(_colour(name, rng), (side, side, 3)).copy()
    if rng.random() < 0.3:
        angle, depth = rng.uniform(0, 2 * math.pi), rng.uniform(0.04, 0.15)
        steps = np.linspace(-1, 1, side, dtype=np.float32)
        slope = (steps[:, None] * math.sin(angle) + steps * math.cos(angle)) / math.sqrt(2)
        canvas *= (1 + depth * slope)[..., None]
    return canvas


def _cover(scene: Scene, side: int, rng: np.random.Generator) -> Floats:
    """How much of each pixel the shape covers, 0 to 1; at times without smooth edges."""
    times = -(-_FINE // side)
    fine = side * times
    radius = rng.uniform(*_RADII[scene.size])
    x, y = rng.uniform(radius, 1 - radius, 2) * fine
    mask = Image.new("L", (fine, fine))
    turn = math.radians(rng.uniform(-_TILT, _TILT))
    _PAINTERS[scene.shape](ImageDraw.Draw(mask), (x, y), radius * fine, turn)
    cover: Floats = np.asarray(mask.reduce(times), np.float32) / np.float32(255)
    return np.round(cover) if rng.random() < 0.15 else cover


def _noise(side: int, rng: np.random.Generator) -> Floats:
    """Noise of one of several sorts: even or bell-shaped, fine or coarse, coloured or grey."""
    grain = int(rng.choice([4, 8, 16, side, side]))
    channels = 3 if rng.random() < 0.75 else 1
    if rng.random() < 0.5:
        cells = rng.uniform(0, 255, (grain, grain, channels))
    else:
        cells = rng.normal(rng.uniform(80, 175), rng.uniform(25, 80), (grain, grain, channels))
    cells = np.clip(np.broadcast_to(cells, (grain, grain, 3)), 0, 255).astype(np.uint8)
    smooth = Image.Resampling.BICUBIC if rng.random() < 0.5 else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(cells).resize((side, side), smooth), np.float32)


Painter = Callable[[ImageDraw.ImageDraw, Point, float, float], None]


def _circle(pen: ImageDraw.ImageDraw, centre: Point, radius: float, turn: float) -> None:
    pen.ellipse(_box(centre, radius * 0.95), fill=255)


def _ring(pen: ImageDraw.ImageDraw, centre: Point, radius: float, turn: float) -> None:
    pen.ellipse(_box(centre, radius), fill=255)
    pen.ellipse(_box(centre, radius * 0.58), fill=0)


def _box(centre: Point, radius: float) -> tuple[float, float, float, float]:
    return centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius


def _outline(points: Sequence[Point]) -> Painter:
    """Paints a polygon; the points lie within a circle of radius 1 around 0, y downwards."""

    def paint(pen: ImageDraw.ImageDraw, centre: Point, radius: float, turn: float) -> None:
        across, down = math.cos(turn) * radius, math.sin(turn) * radius
        pen.polygon(
            [(centre[0] + x * across - y * down, centre[1] + x * down + y * across) for x, y in points], fill=255
        )

    return paint


def _spokes(*radii: float, start: float = -90.0) -> list[Point]:
    """Points at even angles, at these distances, from ``start`` degrees on."""
    step = 360 / len(radii)
    angles = [math.radians(start + step * index) for index in range(len(radii))]
    return [(radius * math.cos(angle), radius * math.sin(angle)) for radius, angle in zip(radii, angles, strict=True)]


def _heart() -> list[Point]:
    turns = [2 * math.pi * index / 48 for index in range(48)]
    across = [math.sin(t) ** 3 for t in turns]
    up = [(13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)) / 16 for t in turns]
    return [(0.95 * x, -0.95 * y - 0.08) for x, y in zip(across, up, strict=True)]


_ARM = 0.27
_CROSS = [(-_ARM, -1.0), (_ARM, -1.0), (_ARM, -_ARM), (1.0, -_ARM), (1.0, _ARM), (_ARM, _ARM)]
_PAINTERS: dict[str, Painter] = {
    "circle": _circle,
    "ring": _ring,
    "square": _outline(_spokes(1.0, 1.0, 1.0, 1.0, start=45)),
    "triangle": _outline(_spokes(1.0, 1.0, 1.0)),
    "star": _outline(_spokes(*(1.0, 0.42) * 5)),
    "cross": _outline([*_CROSS, *((-x, -y) for x, y in _CROSS)]),
    "heart": _outline(_heart()),
    "diamond": _outline([(0.0, -1.0), (0.6, 0.0), (0.0, 1.0), (-0.6, 0.0)]),
}
