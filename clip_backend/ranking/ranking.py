"""Pictures in order by given scores, by a text or by reference pictures; which are kept, and why the others are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...imaging import Progress
from ..encoding.features import Features, Vectors
from ..encoding.image_features import ImageFeatures
from ..matching.texts import check_texts, plain_texts
from ..preparing.pictures import Pictures
from .result import ABOVE_THRESHOLD, TOP_K, RankedPicture, Ranking, RankOptions

if TYPE_CHECKING:
    from ..encoding.encoder import Encoder

#: Rows that are compared at once with all others: 40 MB of cosines for 10,000 pictures.
ROWS = 1024
#: How much rounding may lower the cosine of two equal vectors.
ROUNDING = 1e-6
Indices = NDArray[np.intp]
Scores = NDArray[np.float64]
#: Letters of a text that the name of a scale repeats.
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
    names = tuple(names) or tuple(f"picture {number}" for number in range(1, len(numbers) + 1))
    _check_count(len(numbers), len(names))
    if features is not None:
        _check_count(len(numbers), len(features), "features of ")
    pictures = ranked(names, numbers, options, None if features is None else features.vectors, {})
    return Ranking(pictures=pictures, scale=scale)


def rank_by_scores(
    encoder: Encoder,
    pictures: Pictures,
    scores: Sequence[float | None] | NDArray[np.number],
    *,
    options: RankOptions,
    progress: Progress | None = None,
) -> Ranking:
    """Pictures in the order of given scores, encoded as well so that near-duplicates are known.

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

    A picture that cannot be read is last, with its reason. progress: as for ``Encoder.encode_images``.
    Raises InputError for an empty text, without pictures, and if none of them can be read.
    """
    plain = plain_texts(check_texts(text), prompt_syntax=options.prompt_syntax)
    target = encoder.encode_texts(plain.texts, long_text="mean")
    images = encoder.encode_images(pictures, strict=False, progress=progress)
    (shown,) = plain.texts
    short = shown if len(shown) <= MOST_LETTERS else shown[: MOST_LETTERS - 1] + "…"
    return _by_cosine(encoder, images, target, options, f"cosine to {short!r}", (*plain.notes, *target.notes))


def rank_by_references(
    encoder: Encoder,
    pictures: Pictures,
    references: Pictures,
    *,
    options: RankOptions,
    progress: Progress | None = None,
) -> Ranking:
    """Pictures in the order of their cosines to the mean of the references' unit vectors.

    A picture that cannot be read is last, with its reason. progress: as for ``Encoder.encode_images``, for the
    references and then for the pictures.
    Raises PictureError for a reference that cannot be read; InputError without references or pictures, for references
    that cancel out, and if no picture can be read.
    """
    if isinstance(references, (list, tuple)) and not references:
        raise InputError("no reference pictures were given; give at least one")
    examples = encoder.encode_images(references, progress=progress)
    scale = "the reference picture" if len(examples) == 1 else f"the mean of {len(examples)} reference pictures"
    mean = examples.to_features().vectors.mean(axis=0, keepdims=True)  # [1, D]
    target = Features.from_raw(mean, [scale], encoder.space)
    images = encoder.encode_images(pictures, strict=False, progress=progress)
    return _by_cosine(encoder, images, target, options, f"cosine to {scale}", examples.notes)


def _by_cosine(
    encoder: Encoder, images: ImageFeatures, target: Features, options: RankOptions, scale: str, notes: tuple[str, ...]
) -> Ranking:
    """The ranking by cosine to ``target``, features of one row."""
    scores = np.full(len(images.kept) + len(images.failed), np.nan)
    if images.kept:
        scores[list(images.kept)] = images.to_features().similarity(target)[:, 0]
    return _ranking(encoder, images, scores, options, scale, notes)


def _ranking(
    encoder: Encoder, images: ImageFeatures, scores: Scores, options: RankOptions, scale: str, notes: tuple[str, ...]
) -> Ranking:
    """The ranking of encoded pictures; scores: NaN for those that could not be read."""
    names = dict(zip(images.kept, images.names, strict=True)) | {one.index: one.name for one in images.failed}
    failures = {one.index: one.reason for one in images.failed}
    vectors = None
    if images.kept:
        read = images.to_features().vectors
        vectors = np.zeros((len(scores), read.shape[1]), np.float32)
        vectors[list(images.kept)] = read
    in_order = [names[index] for index in range(len(scores))]
    pictures = ranked(in_order, scores, options, vectors, failures)
    every = (*encoder.identity.notes, *notes, *images.notes)
    return Ranking(pictures=pictures, scale=scale, model=encoder.identity.name, notes=tuple(dict.fromkeys(every)))


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


def ranked(
    names: Sequence[str], numbers: Scores, options: RankOptions, vectors: Vectors | None, failures: Mapping[int, str]
) -> tuple[RankedPicture, ...]:
    """Every picture, the best first; raises InputError if none has a score, or near-duplicates cannot be told.

    numbers: the scores, float64 [N]; NaN or infinite for a picture without one. vectors: unit rows, float32 [N, D], of
    which those without a score are ignored. failures: why a picture has no score, by its index; else its score says it.
    """
    scores = numbers.tolist()
    is_finite = np.isfinite(numbers)
    # ties as they were given, and pictures without a score last
    order = np.argsort(np.where(is_finite, -numbers if options.descending else numbers, np.inf), kind="stable")
    missing = np.flatnonzero(~is_finite).tolist()
    reasons = {index: failures.get(index) or f"its score is {scores[index]}" for index in missing}
    if len(reasons) == len(order):
        raise InputError(f"none of the {len(order)} pictures has a score ({names[0]}: {reasons[0]})")
    groups = np.arange(len(names), dtype=np.intp)
    if options.duplicates:
        if vectors is None:
            raise InputError(
                "near-duplicates cannot be told by scores alone; give the features of the pictures, or set duplicates "
                "to 0"
            )
        # in order, so that the first of a group is its best
        scored = order[: len(order) - len(reasons)]
        groups[scored] = scored[near_duplicates(vectors[scored], options.duplicates)]
        others = np.flatnonzero(groups != np.arange(len(groups)))
        cosines = (vectors[others] * vectors[groups[others]]).sum(axis=1)
        for index, cosine in zip(others.tolist(), cosines.tolist(), strict=True):
            reasons[index] = f"near-duplicate of {names[groups[index]]} (cosine {cosine:.3f})"
    reasons |= _not_kept([index for index in order.tolist() if index not in reasons], scores, options)
    return tuple(
        RankedPicture(
            index=index,
            name=names[index],
            score=scores[index],
            is_kept=index not in reasons,
            reason=reasons.get(index, ""),
            group=int(groups[index]),
        )
        for index in order.tolist()
    )


def near_duplicates(vectors: Vectors, least: float, *, rows: int = ROWS) -> Indices:
    """For each picture the first one of its group, int [N]; its own index if it is that one, or stands alone.

    vectors: unit rows, float32 [N, D]. Two pictures are of one group if their cosine is at least ``least``, and so are
    those that a chain of such pairs links. rows: how many are compared at once; it changes the memory alone.
    """
    firsts = np.arange(len(vectors), dtype=np.intp)
    for start in range(0, len(vectors), rows):
        cosines = vectors[start : start + rows] @ vectors[start:].T  # [rows, N - start]
        _merge_groups(firsts, start, cosines >= least - ROUNDING)
    return firsts


def _merge_groups(firsts: Indices, start: int, near: NDArray[np.bool_]) -> None:
    """Joins the groups of near pictures; near: bool [rows, N - start], rows and columns beginning at ``start``."""
    np.fill_diagonal(near, True)
    for row in np.flatnonzero(near.sum(axis=1) > 1):
        groups = np.unique(firsts[start:][near[row]])
        if len(groups) > 1:
            firsts[np.isin(firsts, groups)] = groups[0]


def _not_kept(order: Sequence[int], scores: Sequence[float], options: RankOptions) -> dict[int, str]:
    """Why the options reject pictures; order: the indices of the remaining pictures, the best first."""
    if options.keep == TOP_K:
        reason = "not the best" if options.k == 1 else f"not among the best {options.k}"
        return dict.fromkeys(order[options.k :], reason)
    if options.keep == ABOVE_THRESHOLD:
        side = "below" if options.descending else "above"
        sign = 1 if options.descending else -1
        short = [index for index in order if sign * scores[index] < sign * options.threshold]
        return {index: f"its score {scores[index]:g} is {side} the threshold {options.threshold:g}" for index in short}
    return {}
