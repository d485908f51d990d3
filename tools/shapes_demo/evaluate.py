"""How well a model knows the pictures of shapes, measured on new pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from clip_grid.clip_backend.calibration.metrics import roc_auc
from clip_grid.commands.shape_drawing import COLOURS, SHAPES, SIZES, Scene, draw, one_of, random_scene
from PIL import Image

from .captions import complete_caption, with_article
from .dataset import changed_scene

Floats = npt.NDArray[np.float32]
#: Pictures -> unit vectors, float32 [N, D]; and the same for texts.
EmbedPictures = Callable[[Sequence[Image.Image]], Floats]
EmbedTexts = Callable[[Sequence[str]], Floats]
#: The phrase for each word of each field.
PHRASES = {
    "colour": {word: word for word in COLOURS},
    "shape": {word: with_article(word) for word in SHAPES},
    "size": {word: word for word in SIZES},
    "background": {word: f"{with_article(word)} background" for word in COLOURS},
}
_SIDES = (48, 64, 128, 224)


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Accuracies, 0..1, and cosines."""

    #: Colour and shape together, one of 64 captions such as "a red circle".
    colour_and_shape: float
    #: By field: the accuracy of each word against the others.
    words: dict[str, float]
    #: Area under the ROC curve: true captions against those with one word changed or the two colours swapped.
    true_or_changed: float
    #: For captions with one wrong word, whether the phrase that fits its field worst is the wrong one.
    wrong_phrase: float
    #: For captions that name everything, whether the picture's own ranks first; equal captions count as one.
    retrieval: float
    #: The 5th percentile of the cosines of true captions ("a red circle").
    true_cosine: float
    #: The same of the best of the 64 captions for noise and plain backgrounds, but the 95th percentile.
    noise_cosine: float


def evaluate(
    embed_pictures: EmbedPictures, embed_texts: EmbedTexts, count: int, rng: np.random.Generator
) -> Evaluation:
    """The evaluation on ``count`` pictures of shapes and half as many without one, of several sizes."""
    scenes = [random_scene(rng, empty=0, noise=0) for _ in range(count)]
    pictures = embed_pictures([draw(scene, one_of(_SIDES, rng), rng) for scene in scenes])  # [N, D]
    names = [(colour, shape) for colour in COLOURS for shape in SHAPES]
    named = embed_texts([with_article(" ".join(name)) for name in names])  # [64, D]
    cosines = pictures @ named.T  # [N, 64]
    right = np.array([names.index((scene.colour, scene.shape)) for scene in scenes])
    changed = [changed_scene(scene, rng) for scene in scenes]
    captions = [complete_caption(scene) for scene in scenes]
    texts = embed_texts(captions)  # [N, D]
    true = _paired_cosines(pictures, texts)
    wrong = _paired_cosines(pictures, embed_texts([complete_caption(scene) for scene in changed]))
    first = (pictures @ texts.T).argmax(1)
    leads = {name: _leads(pictures @ embed_texts(list(words.values())).T) for name, words in PHRASES.items()}
    without = [random_scene(rng, empty=0.5, noise=0.5) for _ in range(count // 2)]
    without_shapes = embed_pictures([draw(scene, one_of(_SIDES, rng), rng) for scene in without])
    return Evaluation(
        colour_and_shape=float((cosines.argmax(1) == right).mean()),
        words={name: _accuracy(leads[name], name, scenes) for name in PHRASES},
        true_or_changed=roc_auc([True] * count + [False] * count, np.concatenate([true, wrong])),
        wrong_phrase=_wrong_phrases_found(leads, scenes, changed),
        retrieval=float(np.mean([captions[best] == own for best, own in zip(first, captions, strict=True)])),
        true_cosine=float(np.quantile(cosines[np.arange(count), right], 0.05)),
        noise_cosine=float(np.quantile((without_shapes @ named.T).max(1), 0.95)),
    )


def _paired_cosines(pictures: Floats, texts: Floats) -> Floats:
    return np.asarray((pictures * texts).sum(1))


def _leads(cosines: Floats) -> Floats:
    """How much better each phrase fits than the best other one, float32 [N, W]."""
    ordered = np.sort(cosines, axis=1)
    best, second = ordered[:, -1:], ordered[:, -2:-1]
    return np.asarray(cosines - np.where(cosines == best, second, best))


def _accuracy(leads: Floats, field: str, scenes: Sequence[Scene]) -> float:
    words = list(PHRASES[field])
    rows = zip(leads.argmax(1), scenes, strict=True)
    return float(np.mean([words[best] == getattr(scene, field) for best, scene in rows]))


def _wrong_phrases_found(leads: dict[str, Floats], scenes: Sequence[Scene], changed: Sequence[Scene]) -> float:
    """The accuracy over the changed captions with exactly one wrong word."""
    found = []
    for row, (scene, claim) in enumerate(zip(scenes, changed, strict=True)):
        wrong = [field for field in PHRASES if getattr(scene, field) != getattr(claim, field)]
        if len(wrong) == 1:
            worst = min(PHRASES, key=lambda field: leads[field][row, list(PHRASES[field]).index(getattr(claim, field))])
            found.append(worst == wrong[0])
    return float(np.mean(found))
