"""The labels of pictures for a terminal, and as rows of a CSV file."""

from __future__ import annotations

from collections.abc import Iterator

from ..clip_backend.finding.model_table import printable
from ..clip_backend.labelling.answers import UNLABELED, Labelled, PictureLabels
from ..csv_cells import Cell
from .columns import aligned

CSV_COLUMNS = (
    "path", "label", "score", "scale", "source", "labels", "runner_up", "runner_up_probability", "reason", "model",
)  # fmt: skip


def table(run: Labelled, model: str, others: int | None = None) -> Iterator[str]:
    """A line per picture: its label, how probable it is, and where it is; the scale is named above.

    model: what the user calls it. others: how many more labels are shown of each picture, at most as many as the run
    holds; None for the next best one where all labels are of one facet, for those of several do not compete.
    """
    if not run.pictures:
        return
    if others is None:
        others = 1 if all(len(one.facets) == 1 for one in run.pictures) else 0
    scales = " or ".join(sorted({one.scale for one in run.pictures}))
    yield printable(f"labels: {run.vocabulary}; probability: {scales}; model: {model}")
    head = ["label", "probability", *(["next best"] if others else []), "picture", ""]
    yield from aligned([head, *(_row(one, others) for one in run.pictures)], right=[1])


def _row(one: PictureLabels, others: int) -> list[str]:
    if one.label == UNLABELED:
        return [one.label, "–", *([""] if others else []), one.name, one.reason]
    more = ", ".join(f"{other.label} {other.probability:.3f}" for other in one.others[:others])
    return [_all_labels(one), f"{one.score:.3f}", *([more] if others else []), one.name, ""]


def _all_labels(one: PictureLabels) -> str:
    """The label, and the further ones where several were asked for; words of several facets are one label."""
    return ", ".join(one.labels) if len(one.facets) == 1 and len(one.labels) > 1 else one.label


def csv_row(one: PictureLabels, model: str) -> tuple[Cell, ...]:
    """The cells of one picture, in the order of CSV_COLUMNS."""
    runner_up = next(iter(one.others), None)
    label, probability = (runner_up.label, runner_up.probability) if runner_up else (None, None)
    found = (one.name, one.label, one.score, one.scale, one.source, " | ".join(one.labels))
    return (*found, label, probability, one.reason or None, model)
