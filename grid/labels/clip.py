"""What a caller gives for a sheet beside its pictures and its template."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ...errors import ClipGridError, InputError
from ..pictures.survey import Picture
from .sources import FoundLabel, LabelSource, Subject, first_label

#: A label for each of these pictures, None where it is not sure; raises ClipGridError when it cannot work at all.
Labeller = Callable[[Sequence[Picture]], Sequence[FoundLabel | None]]
#: Scores by name for each of these pictures; raises ClipGridError when it cannot work at all.
Scorer = Callable[[Sequence[Picture]], Sequence[Mapping[str, float]]]


def find_labels(
    labeller: Labeller, pictures: Sequence[Picture], subjects: Sequence[Subject], earlier: Sequence[LabelSource]
) -> tuple[dict[int, FoundLabel], list[str]]:
    """Labels by index for pictures that none of the ``earlier`` sources labels, and warnings.

    The labeller is not asked when there is no such picture. Raises InputError when it answers for too many or too few.
    """
    open_places = [place for place, subject in enumerate(subjects) if first_label(subject, earlier).source == "none"]
    if not open_places:
        return {}, []
    try:
        found = labeller([pictures[place] for place in open_places])
    except ClipGridError as error:
        # labels are never worth a lost sheet
        return {}, [f"no labels from CLIP: {error}; the next source was used"]
    _check_count("labeller", len(found), len(open_places))
    sure = {place: label for place, label in zip(open_places, found, strict=True) if label is not None}
    unsure = len(open_places) - len(sure)
    note = f"CLIP is sure of {len(sure)} of {len(open_places)} labels; the next source was used for the others"
    return sure, [note] if unsure else []


def find_scores(scorer: Scorer, pictures: Sequence[Picture]) -> tuple[list[Mapping[str, float]], list[str]]:
    """Scores of each picture, and warnings. Raises InputError when there are too many or too few."""
    try:
        found = list(scorer(pictures))
    except ClipGridError as error:
        return [{}] * len(pictures), [f"no scores from CLIP: {error}"]
    _check_count("scorer", len(found), len(pictures))
    return found, []


def merge_scores(*lists: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    """The scores of each picture of the first list, overruled by those of the later lists, which may be shorter.

    Raises InputError for a score that is no number.
    """
    merged: list[dict[str, float]] = [{} for _ in lists[0]]
    for scores in lists:
        for number, (all_of_one, given) in enumerate(zip(merged, scores, strict=False), 1):
            all_of_one.update({name: _number(score, name, number) for name, score in given.items()})
    return merged


def _number(score: object, name: str, number: int) -> float:
    try:
        return float(score)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise InputError(f"the score {name!r} of picture {number} is {score!r}; it must be a number") from error


def only_name(scores: Sequence[Mapping[str, float]]) -> str:
    """The name that all scores have; empty when there are several, or none."""
    names = {name for given in scores for name in given}
    return names.pop() if len(names) == 1 else ""


def _check_count(who: str, count: int, wanted: int) -> None:
    if count != wanted:
        raise InputError(f"the {who} answered {count} times for {wanted} pictures; it must give one answer for each")
