"""Ranking by one call: pictures from best to worst, and which are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..clip_backend.ranking.ranking import rank_by_references, rank_by_scores, rank_by_text, rank_scores
from ..clip_backend.ranking.result import Ranking, RankOptions
from ..errors import InputError
from ..imaging import Progress
from ..options import read_options
from .models import Model, ModelChoice
from .pictures import Images, gather

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .options import RankKeywords


def rank(
    images: Images,
    *,
    text: str | None = "",
    scores: Sequence[float] | None = None,
    references: Images | None = None,
    model: Model = None,
    progress: Progress | None = None,
    **options: Unpack[RankKeywords],
) -> Ranking:
    """The pictures from best to worst by a text, by given scores or by reference pictures, and which are kept.

    options: fields of RankOptions. Raises InputError unless exactly one of text, scores and references is given.
    """
    wanted = read_options(RankOptions, options)
    text = text or ""
    if (text != "") + (scores is not None) + (references is not None) != 1:
        raise InputError("pictures are ranked by one of text, scores and references; give exactly one of them")
    batch = gather(images)
    pictures = batch.pictures
    if scores is not None and not wanted.duplicates:
        names = [_name(one, place) for place, one in enumerate(pictures)]
        return replace(rank_scores(scores, options=wanted, names=names), notes=batch.notes)
    liked = None if references is None else gather(references).pictures
    opened = ModelChoice.of(model)
    encoder = opened.for_texts() if text else opened()
    if scores is not None:
        run = rank_by_scores(encoder, pictures, scores, options=wanted, progress=progress)
    elif liked is not None:
        run = rank_by_references(encoder, pictures, liked, options=wanted, progress=progress)
    else:
        run = rank_by_text(encoder, pictures, text, options=wanted, progress=progress)
    return replace(run, notes=(*opened.notes, *batch.notes, *run.notes))


def _name(picture: object, place: int) -> str:
    return str(picture) if isinstance(picture, str) or hasattr(picture, "__fspath__") else f"picture {place + 1}"
