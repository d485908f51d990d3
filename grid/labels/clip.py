"""Labels and scores from CLIP for the pictures of a sheet: what the planner asks, and what it does with the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ...errors import ClipGridError, InputError
from ..pictures.survey import Picture
from .sources import ClipLabel, LabelSource, PictureRecord, first_label

#: A label for each of these pictures, None where it is not sure; raises ClipGridError when it cannot work at all.
Labeller = Callable[[Sequence[Picture]], Sequence[ClipLabel | None]]
#: Scores by name for each of these pictures; raises ClipGridError when it cannot work at all.
Scorer = Callable[[Sequence[Picture]], Sequence[Mapping[str, float]]]


def ask_labeller(
    labeller: Labeller, records: Sequence[PictureRecord], earlier: Sequence[LabelSource], told: Sequence[str] = ()
) -> tuple[dict[int, ClipLabel], list[str]]:
    """Labels by index for pictures that none of the ``earlier`` sources labels, and warnings.

    told: warnings before; a cause that is in them is not told again.
    The labeller is not asked when there is no such picture. Raises InputError when it answers for too many or too few.
    """
    unlabelled = [record for record in records if first_label(record, earlier).source == "none"]
    if not unlabelled:
        return {}, []
    try:
        answers = labeller([record.picture for record in unlabelled])
    except ClipGridError as error:
        # labels are never worth a lost sheet
        cause = " for the same reason" if any(str(error) in one for one in told) else f": {error}"
        return {}, [f"no labels from CLIP{cause}; the next source was used"]
    _check_count("labeller", len(answers), len(unlabelled))
    labels = {record.index: label for record, label in zip(unlabelled, answers, strict=True) if label is not None}
    if len(labels) == len(unlabelled):
        return labels, []
    return labels, [
        f"CLIP is sure of {len(labels)} of {len(unlabelled)} labels; the next source was used for the others"
    ]


def ask_scorer(scorer: Scorer | None, pictures: Sequence[Picture]) -> tuple[list[Mapping[str, float]], list[str]]:
    """Scores of each picture, and warnings; no scores without a scorer.

    Raises InputError when it answers for too many or too few.
    """
    if scorer is None:
        return [{}] * len(pictures), []
    try:
        scores = list(scorer(pictures))
    except ClipGridError as error:
        return [{}] * len(pictures), [f"no scores from CLIP: {error}"]
    _check_count("scorer", len(scores), len(pictures))
    return scores, []


def _check_count(name: str, answers: int, pictures: int) -> None:
    if answers != pictures:
        raise InputError(
            f"the {name} answered {answers} times for {pictures} pictures; it must give one answer for each"
        )


def merge_scores(*lists: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    """The scores of each picture of the first list, overruled by those of the later lists, which may be shorter.

    Raises InputError for a score that is no number.
    """
    merged: list[dict[str, float]] = [{} for _ in lists[0]]
    for scores in lists:
        for number, (merged_scores, more) in enumerate(zip(merged, scores, strict=False), 1):
            merged_scores.update({name: _to_float(score, name, number) for name, score in more.items()})
    return merged


def _to_float(score: object, name: str, number: int) -> float:
    try:
        return float(score)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise InputError(f"the score {name!r} of picture {number} is {score!r}; it must be a number") from error
