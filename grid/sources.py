"""The sources of labels that a sheet has: those that are asked before CLIP, and those that are asked after it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from .labels import (
    ColumnsSource,
    FileNameSource,
    LabelSource,
    MetadataSource,
    Subject,
    TableSource,
    TextSource,
    check_columns,
    split_columns,
    spread_texts,
    varying_columns,
)
from .template import GridTemplate


def given_texts(labels: Sequence[str], count: int) -> tuple[list[str | None], list[str]]:
    """The labels that the caller gave, one per picture, and warnings; a literal ``\\n`` in them breaks the line."""
    if not labels:
        return [], []
    texts, warnings = spread_texts(labels, count)
    return [None if text is None else text.replace("\\n", "\n") for text in texts], warnings


def sources_before_clip(
    template: GridTemplate, subjects: Sequence[Subject], texts: Sequence[str | None], shown: Collection[str]
) -> list[LabelSource]:
    """Given texts, columns that were asked for, and the table. ``shown``: columns that the headers show already.

    Raises InputError for a column that no picture has.
    """
    columns = ColumnsSource(split_columns(template.label_columns), template.label_format)
    if columns.wanted():
        check_columns(columns.wanted(), subjects, "label_format" if template.label_format else "label_columns")
    asked: list[LabelSource] = [columns] if columns.wanted() or columns.format else []
    return [TextSource(texts), *asked, TableSource(_varying([subject.row for subject in subjects], shown))]


def sources_after_clip(subjects: Sequence[Subject], shown: Collection[str]) -> list[LabelSource]:
    """Generation data that varies, and the file's name."""
    generation = [subject.generation or None for subject in subjects]
    return [MetadataSource(_varying(generation, shown)), FileNameSource()]


def _varying(rows: Sequence[Mapping[str, str] | None], shown: Collection[str]) -> tuple[str, ...]:
    """Columns that vary, without those that are shown already; all of them if nothing else is left."""
    columns = varying_columns(rows)
    return tuple(column for column in columns if column not in shown) or columns
