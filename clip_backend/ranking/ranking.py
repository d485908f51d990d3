"""Pictures in order: by scores that are given, by a text, or by how much they look like other pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..features import Features
from ..image_features import ImageFeatures
from ..matching.texts import given_texts, plain_texts
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
    _check_count(len(numbers), len(candidates.names))
    if features is not None:
        _check_count(len(numbers), len(features), "features of ")
    return Ranking(pictures=ranked(candidates, options), scale=scale)


def rank_by_scores(
    encoder: Encoder,
    pictures: Pictures,
    scores: Sequence[float | None] | NDArray[np.number],
    *,
    options: RankOptions,
    progress: Progress | None = None,
) -> Ranking:
    """Pictures in the order of given scores, with a look at them, so that near-duplicates are known.

    A picture that cannot be read is last, with its reason. Raises InputError as ``rank_scores`` does.
    """
    numbers = _numbers(scores)
    images = encoder.encode_images(pictures, strict=False, progress=progress)
    _check_count(len(numbers), len(images.kept) + len(images.failed))
    numbers = np.where(np.isin(np.arange(len(numbers)), images.kept), numbers, np.nan)
    return _ranking(encoder, images, numbers, options, "given", ())


def rank_by_text(
    encoder: Encoder, pictures: Pictures, text: str, *, options: RankOptions, progress: Progress | None = None
) -> Ranking:
    """Pictures in the order of their cosines to a text; a long one is read in parts, of which the mean counts.

    A picture that cannot be read is last, with its reason. progress: as that of ``Encoder.encode_images``.
    Raises InputError for an empty text, without pictures, and if none of them can be read.
    """
    (plain,) = plain_texts(given_texts(text), prompt_syntax=options.prompt_syntax)
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
    """By the cosine to ``aim``, one row."""
    scores = np.full(len(images.kept) + len(images.failed), np.nan)
    if images.kept:
        scores[list(images.kept)] = images.to_features().similarity(aim)[:, 0]
    return _ranking(encoder, images, scores, options, scale, notes)


def _ranking(
    encoder: Encoder, images: ImageFeatures, scores: Scores, options: RankOptions, scale: str, notes: tuple[str, ...]
) -> Ranking:
    every = (*encoder.identity.notes, *notes, *images.notes)
    pictures = ranked(_candidates(images, scores), options)
    return Ranking(pictures=pictures, scale=scale, model=encoder.identity.name, notes=tuple(dict.fromkeys(every)))


def _candidates(images: ImageFeatures, scores: Scores) -> Candidates:
    """The pictures as they were given; scores: NaN for those that could not be read."""
    names = dict(zip(images.kept, images.names, strict=True)) | {one.index: one.name for one in images.failed}
    vectors = None
    if images.kept:
        read = images.to_features().vectors
        vectors = np.zeros((len(scores), read.shape[1]), np.float32)
        vectors[list(images.kept)] = read
    return Candidates(
        names=tuple(names[place] for place in range(len(scores))),
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


def _check_count(scores: int, pictures: int, what: str = "") -> None:
    if scores != pictures:
        raise InputError(f"there are {scores} scores but {what}{pictures} pictures; give one score for each picture")
