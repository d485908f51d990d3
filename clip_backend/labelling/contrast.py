"""Labels for the cells of a grid: what sets each picture apart from the others, for what they share says nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from ..running.image_run import Progress
from ..words.vocabulary import Vocabulary
from .answers import Labelled, PictureLabels
from .compose import compose
from .options import LabelOptions
from .picture_answers import answers_of
from .picture_scores import Scored, score_pictures
from .separation import DIGITS, telling_words
from .unique import Cell, choose_unique
from .wordings import Wording, best_wording, other_wordings

if TYPE_CHECKING:
    from ..encoder import Encoder
    from ..preparing.pictures_in import Pictures


def contrast_labels(
    encoder: Encoder,
    pictures: Pictures,
    vocabulary: Vocabulary,
    *,
    options: LabelOptions | None = None,
    unique: bool = True,
    progress: Progress | None = None,
) -> Labelled:
    """What sets each picture apart: of several facets one or two labels, of 2 to 5 words in all.

    Of a vocabulary of one facet it is the label itself. unique: no two pictures have the same; the next best words that
    a picture is likely enough to show are taken, and at last a number. "unlabeled" and "none of these" stay as they
    are. The order of the pictures changes nothing but the numbers. The rest is as in ``label_pictures``.
    """
    one_each = replace(options or LabelOptions(), multiple=False)
    scored = score_pictures(encoder, pictures, vocabulary, options=one_each, progress=progress)
    plain = answers_of(scored)
    cells = dict(_cells(scored, plain))
    texts = _texts(list(cells.values()), scored, unique=unique)
    told = {row: _told(plain[row], *text) for row, text in zip(cells, texts, strict=True)}
    return scored.labelled(tuple(told.get(row, answer) for row, answer in enumerate(plain)))


def _cells(scored: Scored, plain: Sequence[PictureLabels]) -> Iterator[tuple[int, Cell[Wording]]]:
    """The pictures that have something to say, by their place."""
    if scored.pictures is None:
        return
    for row, (words, answer) in enumerate(zip(telling_words(scored), plain, strict=True)):
        if wording := best_wording(words, answer):
            yield (
                row,
                Cell(
                    best=wording,
                    others=partial(other_wordings, words, answer),
                    sureness=round(min(word.probability for word in wording), DIGITS),
                    content=scored.pictures.vectors[row].tobytes(),
                ),
            )


def _texts(cells: Sequence[Cell[Wording]], scored: Scored, *, unique: bool) -> list[tuple[Wording, str]]:
    text_of = compose if scored.rules.is_composed else _alone
    if unique:
        return choose_unique(cells, text_of)
    return [(cell.best, text_of(cell.best)) for cell in cells]


def _told(plain: PictureLabels, wording: Wording, text: str) -> PictureLabels:
    score = min(word.probability for word in wording)
    return replace(plain, label=text, score=score, labels=tuple(word.label for word in wording), reason="")


def _alone(wording: Wording) -> str:
    (word,) = wording
    return word.label
