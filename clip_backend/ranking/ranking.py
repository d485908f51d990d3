"""Pictures in order: by scores that are given, by a text, or by how much they look like other pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..features import Features
from ..image_features import ImageFeatures
from ..matching.prompt_syntax import plain_text
from ..preparing.pictures_in import Pictures
from ..running.image_run import Progress
from .options import RankOptions
from .placing import Candidates, Scores, ranked
from .result import Ranking

if TYPE_CHECKING:
    from ..encoder import Encoder

#: Letters of a text that a scale repeats.
MOST_LETTERS = 80


def rank_scores(
    scores: Sequence[float | None] | NDArray[np.number],
    *,
    options: RankOptions,
    names: Sequence[str] = (),
    features: Features | None = None,
    scale: str = "given",
) -> Ranking:
    """Pictures in the order of their scores; None, NaN and infinite stand for none.

    names: one for each score; without them "picture 1" and so on. features: of the pictures, one row for each score;
    they tell near-duplicates. scale: what the scores are.
    Raises InputError for no scores at all or no finite one, for counts that do not fit, and for near-duplicates without
    features.
    """
    numbers = _numbers(scores)
    candidates = Candidates(
        names=tuple(names) or tuple(f"picture {number}" for number in range(1, len(numbers) + 1)),
        scores=numbers,
        vectors=None if features is None else features.vectors,
    )
    _check_counts(candidates)
    return Ranking(pictures=ranked(candidates, options), scale=scale)


def rank_by_text(
    encoder: Encoder, pictures: Pictures, text: str, *, options: RankOptions, progress: Progress | None = None
) -> Ranking:
    """Pictures in the order of their cosines to a text; a long one is read in parts, of which the mean counts.

    A picture that cannot be read is last, with its reason. progress: as that of ``Encoder.encode_images``.
    Raises InputError for an empty text, without pictures, and if none of them can be read.
    """
    if not text.strip():
        raise InputError("the text to rank by is empty; say what the pictures should show")
    plain = plain_text(text) if options.prompt_syntax else text
    if not plain.strip():
        raise InputError(f"the text to rank by is {text!r}, which holds nothing but prompt syntax; say what is wanted")
    aim = encoder.encode_texts(plain, long_text="mean")
    images = encoder.encode_images(pictures, strict=False, progress=progress)
    return _by_cosine(encoder, images, aim, options, f"cosine to {_short(plain)!r}", aim.notes)


def rank_by_references(
    encoder: Encoder,
    pictures: Pictures,
    references: Pictures,
    *,
    options: RankOptions,
    progress: Progress | None = None,
) -> Ranking:
    """Pictures in the order of their cosines to the mean of the references' unit vectors.

    A picture that cannot be read is last, with its reason. progress: as that of ``Encoder.encode_images``, for the
    references and then for the pictures.
    Raises PictureError for a reference that cannot be read; InputError without references or pictures, for references
    that cancel out, and if no picture can be read.
    """
    if isinstance(references, (list, tuple)) and not references:
        raise InputError("no reference pictures were given; give at least one")
    examples = encoder.encode_images(references, progress=progress)
    scale = "the reference picture" if len(examples) == 1 else f"the mean of {len(examples)} reference pictures"
    mean = examples.to_features().vectors.mean(axis=0, keepdims=True)  # [1, D]
    aim = Features.from_raw(mean, [scale], encoder.space)
    images = encoder.encode_images(pictures, strict=False, progress=progress)
    return _by_cosine(encoder, images, aim, options, f"cosine to {scale}", examples.notes)


def _short(text: str) -> str:
    return text if len(text) <= MOST_LETTERS else text[: MOST_LETTERS - 1] + "…"


def _by_cosine(
    encoder: Encoder, images: ImageFeatures, aim: Features, options: RankOptions, scale: str, notes: tuple[str, ...]
) -> Ranking:
    every = (*encoder.identity.notes, *notes, *images.notes)
    pictures = ranked(_candidates(images, aim), options)
    return Ranking(pictures=pictures, scale=scale, model=encoder.identity.name, notes=tuple(dict.fromkeys(every)))


def _candidates(images: ImageFeatures, aim: Features) -> Candidates:
    """The pictures as they were given, those that could not be read without score; aim: one row."""
    count = len(images.kept) + len(images.failed)
    names = dict(zip(images.kept, images.names, strict=True)) | {one.index: one.name for one in images.failed}
    scores = np.full(count, np.nan)
    vectors = np.zeros((count, aim.dim), np.float32)
    if images.kept:
        places, features = list(images.kept), images.to_features()
        scores[places] = features.similarity(aim)[:, 0]
        vectors[places] = features.vectors
    return Candidates(
        names=tuple(names[place] for place in range(count)),
        scores=scores,
        vectors=vectors,
        failures={one.index: one.reason for one in images.failed},
    )


def _numbers(scores: Sequence[float | None] | NDArray[np.number]) -> Scores:
    try:
        numbers = np.asarray(scores, np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"the scores must be numbers, one for each picture; {error}") from error
    if numbers.ndim != 1:
        raise InputError(f"the scores have the shape {numbers.shape}; give a list, one for each picture")
    if not numbers.size:
        raise InputError("no scores were given; give one for each picture")
    return numbers


def _check_counts(candidates: Candidates) -> None:
    count, names, vectors = len(candidates.scores), candidates.names, candidates.vectors
    if len(names) != count:
        raise InputError(f"there are {count} scores but {len(names)} pictures; give one score for each picture")
    if vectors is not None and len(vectors) != count:
        raise InputError(
            f"there are {count} scores but features of {len(vectors)} pictures; give one row for each score"
        )
