"""Random captions for the pictures of shapes, with what each claims."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from clip_grid.commands.shape_drawing import Scene, one_of

if TYPE_CHECKING:
    import numpy as np

_THINGS = ("shape", "object", "thing")
_PLAIN = ("an empty {0} background", "a plain {0} background", "nothing but {0}", "an empty {0} picture", "plain {0}")
_NOTHING = ("an empty background", "an empty picture", "nothing", "a plain background", "a picture of nothing")
_NOISE = ("random noise", "noise", "a picture of noise", "an image of random noise", "static noise", "colourful noise")
_ADJECTIVES = ("old", "young", "new", "big", "tall", "wooden", "dark", "bright", "beautiful", "happy", "quiet")
_ON = (" on a {0} background", " on a {0} background", " on {0}", ", {0} background", ", on a {0} background")
_BACKGROUND = ("a {0} background", "a {0} background", "{0} background", "on a {0} background", "on {0}")
_NOUNS = (
    "dog cat bird horse fish cow bear man woman child baby people crowd face hand house street city car bus train "
    "bicycle boat plane road bridge tree forest flower grass mountain river lake sea beach sky cloud snow rain "
    "sun moon food bread cake fruit apple coffee table chair bed room kitchen window door book paper phone "
    "computer screen shirt dress hat shoe ball game music party market shop school church garden field park night "
    "day winter summer animal robot castle"
)
_OTHERS = (
    "old young new big tall wooden dark bright beautiful happy quiet sitting standing running walking eating "
    "playing holding looking sleeping flying wearing with and in at near under over of the to his her two three "
    "many some very"
)
#: What else a picture can show; see ``dataset.scribble``.
NOUNS = tuple(_NOUNS.split())
#: Words that have nothing to do with the pictures; nouns twice as often.
_UNRELATED = (*NOUNS, *NOUNS, *_OTHERS.split())
_BEFORE = (
    "a picture of, an image of, a photo of, a drawing of, a painting of, an illustration of, a rendering of, a "
    "sketch of, a bad photo of, a good photo of, a close-up photo of, a cropped photo of, a cartoon of, art of, "
    "itap of, a view of, there is, this is, i see, it shows, a picture with, a picture showing"
)
_PREFIXES = tuple(_BEFORE.split(", "))
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Caption:
    """A text, and what it claims about a picture."""

    text: str
    claims: Scene


def random_caption(scene: Scene, rng: np.random.Generator) -> Caption:
    """A true caption that names a random part of the scene."""
    if scene.kind == "other":
        return everyday_caption(scene, rng)
    if scene.kind == "noise":
        return Caption(one_of(_NOISE, rng), Scene(kind="noise"))
    if scene.kind == "empty":
        return _of_plain_background(scene, rng)
    part = _random_part(scene, rng)
    return Caption(_text_of(part, rng), _claims_of(part))


def detailed_caption(scene: Scene, rng: np.random.Generator) -> Caption:
    """A true caption that names colour and shape, often the background and the size too."""
    if scene.kind != "shape":
        return random_caption(scene, rng)
    part = replace(scene, size=_maybe(scene.size, 0.5, rng), background=_maybe(scene.background, 0.6, rng))
    return Caption(_text_of(part, rng), _claims_of(part))


def complete_caption(scene: Scene) -> str:
    """The caption that names everything: "a small red circle on a blue background"."""
    noun = with_article(f"{scene.size} {scene.colour} {scene.shape}")
    return f"{noun} on {with_article(scene.background)} background"


def everyday_caption(scene: Scene, rng: np.random.Generator) -> Caption:
    """A caption of a picture that shows something else: its noun, often with other words."""
    before = one_of(("", "a ", "the ", f"{one_of(_PREFIXES, rng)} a "), rng)
    adjective = f"{one_of(_ADJECTIVES, rng)} " if rng.random() < 0.4 else ""
    after = f" {_random_words(1, 4, rng)}" if rng.random() < 0.5 else ""
    return Caption(f"{before}{adjective}{scene.shape}{after}", Scene(kind="other", shape=scene.shape))


def with_article(noun: str) -> str:
    """The noun phrase with "a" or "an" before it."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _of_plain_background(scene: Scene, rng: np.random.Generator) -> Caption:
    chance = rng.random()
    if chance < 0.2:
        return Caption(one_of(_NOTHING, rng), Scene(kind="empty"))
    if chance < 0.35:
        return Caption(_filled(one_of(_BACKGROUND, rng), scene.background), Scene(background=scene.background))
    if chance < 0.45:
        return Caption(scene.colour, Scene(colour=scene.colour))
    return Caption(_filled(one_of(_PLAIN, rng), scene.background), scene)


def _random_part(scene: Scene, rng: np.random.Generator) -> Scene:
    """The scene without some of its words; with a single one in a third of all cases."""
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


def _maybe(word: str, probability: float, rng: np.random.Generator) -> str:
    return word if rng.random() < probability else ""


def _claims_of(part: Scene) -> Scene:
    """What a text claims; without a noun, one word alone can be true of a picture without a shape too."""
    is_single = not part.shape and sum(map(bool, (part.colour, part.size, part.background))) == 1
    return replace(part, kind="") if is_single or part.shape else part


def _text_of(part: Scene, rng: np.random.Generator) -> str:
    if not part.shape and not part.size and not part.colour:
        return _filled(one_of(_BACKGROUND, rng), part.background)
    if not part.shape and not part.background and not (part.size and part.colour):
        return part.size or part.colour
    if rng.random() < 0.12:
        return _tags(part, rng)
    words = [part.size, part.colour, part.shape or one_of(_THINGS, rng)]
    noun = " ".join(filter(None, words))
    text = _prefix(rng) + one_of((with_article(noun),) * 6 + (f"the {noun}", noun), rng)
    return text + (_filled(one_of(_ON, rng), part.background) if part.background else "") + _suffix(rng)


def _tags(part: Scene, rng: np.random.Generator) -> str:
    """The words as a list in random order, as in prompts of image generators."""
    background = f"{part.background} background" if part.background else ""
    noun = f"{part.colour} {part.shape}".strip() if rng.random() < 0.5 else ""
    words = [*([noun] if noun else [part.colour, part.shape]), part.size, background]
    tags = [word for word in words if word]
    return ", ".join(tags[index] for index in rng.permutation(len(tags)))


def _filled(template: str, word: str) -> str:
    return template.format(word).replace("a orange", "an orange")


def _prefix(rng: np.random.Generator) -> str:
    """Words before a caption, with a space after them; often none."""
    chance = rng.random()
    if chance < 0.4:
        return ""
    return f"{_random_words(1, 2, rng)} " if chance > 0.94 else f"{one_of(_PREFIXES, rng)} "


def _suffix(rng: np.random.Generator) -> str:
    """What follows a caption; mostly nothing."""
    chance = rng.random()
    if chance < 0.85:
        return ""
    return f" {_random_words(1, 2, rng)}" if chance > 0.94 else one_of((".", ".", "!"), rng)


def _random_words(fewest: int, most: int, rng: np.random.Generator) -> str:
    """Unrelated words, and sometimes random letters."""
    return " ".join(_random_word(rng) for _ in range(int(rng.integers(fewest, most + 1))))


def _random_word(rng: np.random.Generator) -> str:
    if rng.random() < 0.8:
        return one_of(_UNRELATED, rng)
    return "".join(one_of(_LETTERS, rng) for _ in range(int(rng.integers(2, 5))))
