"""How much of a training is kept: the largest strength at which the model still gives its own answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache

import numpy as np
from PIL import Image
from torch import Tensor

from ...model_check.pictures import draw
from .measure import measure
from .pairs import Ints, Retention
from .result import Strength
from .rows import Rows
from .trainee import Trainee

#: Strengths that are compared, the largest first, and halvings between the two where the answers are lost.
STRENGTHS, HALVINGS = (1.0, 0.75, 0.5, 0.25), 3
_COLOURS = {
    "red": "#d82020", "orange": "#f08a18", "yellow": "#f2dc20", "green": "#28a83c", "blue": "#2860d8",
    "purple": "#8a38b8", "black": "#101010", "white": "#f8f8f8",
}  # fmt: skip
#: Kinds and coordinates of ``model_check.pictures.draw``, in percent of the side.
_SHAPES: dict[str, list[tuple[str, list[float]]]] = {
    "circle": [("ellipse", [22, 22, 78, 78])],
    "square": [("rectangle", [24, 24, 76, 76])],
    "triangle": [("polygon", [50, 18, 80, 72, 20, 72])],
    "star": [("polygon", [50, 16, 59, 41, 85, 41, 64, 57, 72, 83, 50, 67, 28, 83, 36, 57, 15, 41, 41, 41])],
    "cross": [("rectangle", [41, 18, 59, 82]), ("rectangle", [18, 41, 82, 59])],
    "heart": [
        ("ellipse", [22, 22, 52, 54]), ("ellipse", [48, 22, 78, 54]), ("polygon", [24, 46, 76, 46, 50, 82]),
    ],
    "ring": [("ring", [14, 20, 20, 80, 80])],
    "diamond": [("polygon", [50, 18, 70, 50, 50, 82, 30, 50])],
}  # fmt: skip


@cache
def drawn_retention() -> Retention:
    """Two drawings of each of 8 shapes in 8 colours, and their 64 captions, which any CLIP tells apart to some degree.

    It needs no data of the user, and no model was trained on these very drawings.
    """
    pictures: list[Image.Image] = []
    names = list(_COLOURS)
    for parts in _SHAPES.values():
        for place, colour in enumerate(names):
            for step in (2, 5):
                behind = _COLOURS[names[(place + step) % len(names)]]
                drawing = [["rectangle", behind, 0, 0, 100, 100]]
                drawing += [[kind, _COLOURS[colour], *numbers] for kind, numbers in parts]
                pictures.append(draw(drawing))
    texts = [f"{'an' if colour == 'orange' else 'a'} {colour} {shape}" for shape in _SHAPES for colour in names]
    return Retention(pictures=pictures, texts=texts)


def answers(trainee: Trainee, pictures: Ints, texts: Ints) -> Ints:
    """The text that fits each picture best, of the weights as they are."""
    cosines = trainee.embed_pictures(pictures) @ trainee.embed_texts(texts).T
    found: Ints = cosines.argmax(dim=1).cpu().numpy().astype(np.int64)
    return found


def largest_strength(measured: Callable[[float], Strength], keep: float) -> tuple[Strength, Sequence[Strength]]:
    """The largest strength that retains ``keep``, and all that were measured, ascending.

    After 1, 0.75, 0.5 and 0.25 the place where too much is lost is halved three times, so that it is found to 1/32.
    """
    if keep <= 0:
        whole = measured(1.0)
        return whole, [measured(0.0), whole]
    tried = {0.0: measured(0.0)}
    passing, failing = 0.0, 0.0
    for strength in STRENGTHS:
        tried[strength] = measured(strength)
        if tried[strength].retained >= keep:
            passing = strength
            break
        failing = strength
    for _ in range(HALVINGS if failing else 0):
        middle = (passing + failing) / 2
        tried[middle] = measured(middle)
        if tried[middle].retained >= keep:
            passing = middle
        else:
            failing = middle
    return tried[passing], [tried[strength] for strength in sorted(tried)]


def choose_strength(
    trainee: Trainee, val: Rows | None, kept: tuple[Ints, Ints], base: Mapping[str, Tensor], keep: float
) -> tuple[Strength, Sequence[Strength]]:
    """The strength of the weights that the trainee has now; afterwards it has them at strength 1.

    kept: places of the pictures and texts of the retention. base: the base model's weights of what is trained whole.
    """
    trained = {name: one.detach().clone() for name, one in trainee.parameters().items() if name in base}
    trainee.set_strength(0.0, base, trained)
    own = answers(trainee, *kept)

    def measured(strength: float) -> Strength:
        trainee.set_strength(strength, base, trained)
        retained = float((answers(trainee, *kept) == own).mean())
        return Strength(strength=strength, metric=measure(trainee, val) if val is not None else None, retained=retained)

    found = largest_strength(measured, keep)
    trainee.set_strength(1.0, base, trained)
    return found
