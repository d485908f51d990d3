"""What a picture of the demo can show: its words, a scene made of them, and scenes by chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np

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
