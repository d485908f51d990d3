"""How well a model knows the demo's world: questions about pictures that are drawn afresh, and the marks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from clip_grid.clip_backend.calibration.metrics import roc_auc
from clip_grid.clip_backend.shapes_demo.drawing import (
    COLOURS,
    SHAPES,
    SIZES,
    Scene,
    changed_scene,
    draw,
    one_of,
    random_scene,
)
from PIL import Image

from .captions import with_article

Floats = npt.NDArray[np.float32]
#: Pictures -> unit vectors, float32 [N, D]; and the same for texts.
EmbedPictures = Callable[[Sequence[Image.Image]], Floats]
EmbedTexts = Callable[[Sequence[str]], Floats]
#: The phrase for a word of each field, as it is asked for alone.
PHRASES = {
    "colour": {word: word for word in COLOURS},
    "shape": {word: with_article(word) for word in SHAPES},
    "size": {word: word for word in SIZES},
    "background": {word: f"{with_article(word)} background" for word in COLOURS},
}
_SIDES = (48, 64, 128, 224)


@dataclass(frozen=True, kw_only=True)
class Marks:
    """Parts of all answers that were right, 0 to 1, and scores as cosines."""

    #: Colour and shape together, one of 64 captions such as "a red circle".
    colour_and_shape: float
    #: Each word alone against the others of its field.
    words: dict[str, float]
    #: Area under the ROC curve: true captions against such with one word changed, or with both colours swapped.
    true_or_changed: float
    #: Of a full caption with one wrong word, whether the phrase that fits its field worst is the wrong one.
    wrong_phrase: float
    #: True captions that score above 0.25, and changed ones that do not.
    limit_holds: float
    #: The lowest twentieth of true captions' cosines ("a red circle") begins below this.
    true_scores: float
    #: Of noise and empty grounds with the shape caption that fits best: the highest twentieth begins above this.
    nothing_scores: float


def examine(embed_pictures: EmbedPictures, embed_texts: EmbedTexts, count: int, rng: np.random.Generator) -> Marks:
    """The marks for ``count`` pictures of shapes and half as many without one, of several sizes, drawn from ``rng``."""
    scenes = [random_scene(rng, empty=0, noise=0) for _ in range(count)]
    pictures = embed_pictures([draw(scene, one_of(_SIDES, rng), rng) for scene in scenes])  # [N, D]
    names = [(colour, shape) for colour in COLOURS for shape in SHAPES]
    scores = pictures @ embed_texts([with_article(" ".join(name)) for name in names]).T  # [N, 64]
    wanted = np.array([names.index((scene.colour, scene.shape)) for scene in scenes])
    wrong = [changed_scene(scene, rng) for scene in scenes]
    true = _pairs(pictures, embed_texts([caption_of(scene) for scene in scenes]))
    changed = _pairs(pictures, embed_texts([caption_of(scene) for scene in wrong]))
    fits = {name: _fits(pictures, embed_texts(list(words.values()))) for name, words in PHRASES.items()}
    nothing = [random_scene(rng, empty=0.5, noise=0.5) for _ in range(count // 2)]
    without = embed_pictures([draw(scene, one_of(_SIDES, rng), rng) for scene in nothing])
    shapes = embed_texts([with_article(" ".join(name)) for name in names])
    return Marks(
        colour_and_shape=float((scores.argmax(1) == wanted).mean()),
        words={
            name: _right(fit, list(PHRASES[name]), [getattr(scene, name) for scene in scenes])
            for name, fit in fits.items()
        },
        true_or_changed=roc_auc([True] * count + [False] * count, np.concatenate([true, changed])),
        wrong_phrase=_wrong_phrases_named(fits, scenes, wrong),
        limit_holds=float(((true > 0.25).mean() + (changed <= 0.25).mean()) / 2),
        true_scores=float(np.quantile(scores[np.arange(count), wanted], 0.05)),
        nothing_scores=float(np.quantile((without @ shapes.T).max(1), 0.95)),
    )


def caption_of(scene: Scene) -> str:
    """The caption that names all there is: "a small red circle on a blue background"."""
    noun = with_article(f"{scene.size} {scene.colour} {scene.shape}")
    return f"{noun} on {with_article(scene.background)} background"


def _pairs(pictures: Floats, texts: Floats) -> Floats:
    return np.asarray((pictures * texts).sum(1))


def _fits(pictures: Floats, texts: Floats) -> Floats:
    """How much better each phrase fits than the best other one; float32 [N, W]."""
    scores = pictures @ texts.T  # [N, W]
    ordered = np.sort(scores, axis=1)
    best, second = ordered[:, -1:], ordered[:, -2:-1]
    return np.asarray(scores - np.where(scores == best, second, best))


def _right(fits: Floats, words: list[str], wanted: list[str]) -> float:
    return float(np.mean([words[index] == word for index, word in zip(fits.argmax(1), wanted, strict=True)]))


def _wrong_phrases_named(fits: dict[str, Floats], scenes: Sequence[Scene], wrong: Sequence[Scene]) -> float:
    """Over the changed captions with exactly one wrong word."""
    named = []
    for index, (scene, claim) in enumerate(zip(scenes, wrong, strict=True)):
        fields = [name for name in PHRASES if getattr(scene, name) != getattr(claim, name)]
        if len(fields) == 1:
            worst = min(PHRASES, key=lambda name: fits[name][index, list(PHRASES[name]).index(getattr(claim, name))])
            named.append(worst == fields[0])
    return float(np.mean(named))
