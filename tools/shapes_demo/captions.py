"""Captions for the pictures of the demo: many phrasings, each with what it claims."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from clip_grid.clip_backend.shapes_demo.drawing import BACKGROUNDS, COLOURS, SHAPES, SIZES, Scene, one_of

from .fillers import ending, opening, stray_caption

if TYPE_CHECKING:
    import numpy as np


_THINGS = ("shape", "object", "thing")
_EMPTY = ("an empty {0} background", "a plain {0} background", "nothing but {0}", "an empty {0} picture", "plain {0}")
_NOTHING = ("an empty background", "an empty picture", "nothing", "a plain background", "a picture of nothing")
_NOISE = ("random noise", "noise", "a picture of noise", "an image of random noise", "static noise", "colourful noise")
_ON = (" on a {0} background", " on a {0} background", " on {0}", ", {0} background", ", on a {0} background")
_GROUND = ("a {0} background", "a {0} background", "{0} background", "on a {0} background", "on {0}")


@dataclass(frozen=True)
class Caption:
    """A text, and what it says about a picture."""

    text: str
    claims: Scene


def random_caption(scene: Scene, rng: np.random.Generator) -> Caption:
    """A true caption of a scene, which names a part of what there is to say."""
    if scene.kind == "noise":
        return Caption(one_of(_NOISE, rng), Scene(kind="noise"))
    if scene.kind == "empty":
        return _of_empty(scene, rng)
    part = _random_part(scene, rng)
    return Caption(_wording(part, rng), _claims(part))


def other_caption(rng: np.random.Generator) -> Caption:
    """A caption that is true of none of the demo's pictures, for it speaks of something else."""
    return Caption(stray_caption(rng), Scene(kind="other"))


def full_caption(scene: Scene, rng: np.random.Generator) -> Caption:
    """A caption that names the colour and the shape, mostly the background and at times the size too."""
    if scene.kind != "shape":
        return random_caption(scene, rng)
    part = replace(scene, size=_maybe(scene.size, 0.5, rng), background=_maybe(scene.background, 0.6, rng))
    return Caption(_wording(part, rng), _claims(part))


def words_alone(rng: np.random.Generator) -> list[list[Caption]]:
    """A phrase for every word of each field: the colours, the shapes, the sizes and the backgrounds."""
    shapes = [with_article(word) for word in SHAPES] if rng.random() < 0.5 else SHAPES
    ground = one_of(_GROUND, rng)
    return [
        [Caption(word, Scene(colour=word)) for word in COLOURS],
        [Caption(text, Scene(shape=word)) for text, word in zip(shapes, SHAPES, strict=True)],
        [Caption(word, Scene(size=word)) for word in SIZES],
        [Caption(_filled(ground, word), Scene(background=word)) for word in BACKGROUNDS],
    ]


def with_article(noun: str) -> str:
    """The noun phrase with "a" or "an" before it."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _of_empty(scene: Scene, rng: np.random.Generator) -> Caption:
    chance = rng.random()
    if chance < 0.2:
        return Caption(one_of(_NOTHING, rng), Scene(kind="empty"))
    if chance < 0.35:
        return Caption(_filled(one_of(_GROUND, rng), scene.background), Scene(background=scene.background))
    if chance < 0.45:
        return Caption(scene.colour, Scene(colour=scene.colour))
    return Caption(_filled(one_of(_EMPTY, rng), scene.background), scene)


def _random_part(scene: Scene, rng: np.random.Generator) -> Scene:
    """The scene with some words left out; a third of the time one word alone is left."""
    if rng.random() < 0.35:
        field = one_of(("colour", "shape", "size", "background"), rng)
        return replace(Scene(kind="shape"), **{field: getattr(scene, field)})
    part = replace(
        scene,
        colour=_maybe(scene.colour, 0.75, rng),
        shape=_maybe(scene.shape, 0.75, rng),
        size=_maybe(scene.size, 0.5, rng),
        background=_maybe(scene.background, 0.5, rng),
    )
    return part if part != Scene(kind="shape") else scene


def _claims(part: Scene) -> Scene:
    """What the wording of a part says: one word that does not name a thing may fit a picture without a shape too."""
    alone = not part.shape and sum(map(bool, (part.colour, part.size, part.background))) == 1
    return replace(part, kind="") if alone or part.shape else part


def _maybe(word: str, chance: float, rng: np.random.Generator) -> str:
    return word if rng.random() < chance else ""


def _wording(part: Scene, rng: np.random.Generator) -> str:
    if not part.shape and not part.size and not part.colour:
        return _filled(one_of(_GROUND, rng), part.background)
    if not part.shape and not part.background and not (part.size and part.colour):
        return part.size or part.colour
    if rng.random() < 0.12:
        return _tags(part, rng)
    words = [part.size, part.colour, part.shape or one_of(_THINGS, rng)]
    noun = " ".join(filter(None, words))
    text = opening(rng) + one_of((with_article(noun),) * 6 + (f"the {noun}", noun), rng)
    return text + (_filled(one_of(_ON, rng), part.background) if part.background else "") + ending(rng)


def _tags(part: Scene, rng: np.random.Generator) -> str:
    """The words as a list, in any order, as in a prompt for a picture."""
    ground = f"{part.background} background" if part.background else ""
    noun = f"{part.colour} {part.shape}".strip() if rng.random() < 0.5 else ""
    words = [*([noun] if noun else [part.colour, part.shape]), part.size, ground]
    kept = [word for word in words if word]
    return ", ".join(kept[index] for index in rng.permutation(len(kept)))


def _filled(template: str, word: str) -> str:
    return template.format(word).replace("a orange", "an orange")
