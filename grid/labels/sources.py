"""Which text stands on which picture: sources of labels, asked in order for each picture, the source always named."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..table.records import find_column
from ..template import GridTemplate, split_columns
from .names import LABEL_COLUMNS, LONG_COLUMNS, ColumnNames, varying_columns

_FIELD = re.compile(r"\{([^{}]*)\}")
#: What may stand between the parts of a label_format; not inside braces.
_SEPARATOR = re.compile(r"(\s*[·•|,;]\s*|\s+[/–—-]\s+)(?![^{}]*\})")


@dataclass(frozen=True)
class Subject:
    """What the sources may know of one picture.

    ``index`` is its place among the pictures as they were given. ``row`` is its row of the table, None when the table
    has none. ``generation`` is the generation data of the file. ``facts`` are what is known of every picture: name,
    stem, folder, index, width, height, date.
    """

    index: int
    name: str
    row: Mapping[str, str] | None
    generation: Mapping[str, str]
    facts: Mapping[str, str]

    @property
    def values(self) -> dict[str, str]:
        """Generation data, overruled by the table."""
        return {**self.generation, **(self.row or {})}


@dataclass(frozen=True)
class FoundLabel:
    """A label that was found in a picture, its scores by name, and the label that nearly won ("" = none did)."""

    text: str
    scores: Mapping[str, float] = field(default_factory=dict)
    runner_up: str = ""


@dataclass(frozen=True)
class Label:
    """A text and the name of its source. An empty text may be meant so; no source at all is ``none``."""

    text: str
    source: str
    #: Of a label that was found in the picture: what nearly won.
    runner_up: str = ""


class LabelSource(Protocol):
    """One source of labels."""

    @property
    def name(self) -> str:
        """One of SOURCE_NAMES."""

    def label(self, subject: Subject) -> str | None:
        """The label, or None when this source does not know one; the next source is asked then."""


@dataclass(frozen=True)
class TextSource:
    """Labels given by the caller, one per picture or one for all; None means not given, "" means no label."""

    texts: Sequence[str | None]
    name: str = "text"

    def label(self, subject: Subject) -> str | None:
        return self.texts[subject.index] if subject.index < len(self.texts) else None


@dataclass(frozen=True)
class ColumnsSource:
    """Columns that the user asked for: one line each, or put into a format such as ``{seed} · cfg {cfg}``.

    A literal ``\\n`` in the format begins a new line. A part of the format, from one separator ``· • | , ;`` or spaced
    ``/ -`` to the next, is left out together with its separator when it names columns and the picture has a value in
    none of them; so is a line of nothing but such parts. Without any value there is no label.
    """

    columns: Sequence[str] = ()
    format: str = ""
    name: str = "columns"

    def label(self, subject: Subject) -> str | None:
        known = ColumnNames({**subject.facts, **subject.values})
        if self.format:
            return self._formatted(known)
        lines = [f"{column}: {value}" for column in self.columns if (value := known.get(column))]
        return "\n".join(lines) or None

    def _formatted(self, known: ColumnNames) -> str | None:
        fields = _FIELD.findall(self.format)
        if fields and not any(known.get(field) for field in fields):
            return None
        # in the format only: values such as C:\new keep their backslash
        lines = (_filled(line, known) for line in self.format.replace("\\n", "\n").split("\n"))
        return "\n".join(line for line in lines if line is not None)

    def wanted(self) -> list[str]:
        """Every column that is named."""
        return _FIELD.findall(self.format) if self.format else list(self.columns)


def _filled(line: str, known: ColumnNames) -> str | None:
    """One line of a format with its values; None when all that it holds is left out."""
    pieces = _SEPARATOR.split(line)
    kept: list[str] = []
    for separator, part in zip(["", *pieces[1::2]], pieces[::2], strict=True):
        columns = _FIELD.findall(part)
        if columns and not any(known.get(column) for column in columns):
            continue
        text = _FIELD.sub(lambda match: known.get(match[1]) or "", part)
        kept += [separator, text] if kept else [text]
    return "".join(kept) if kept else None


@dataclass(frozen=True)
class TableSource:
    """The picture's row of the table: its label column if it has one, else the columns that vary, one line each."""

    varying: Sequence[str]
    name: str = "csv"

    def label(self, subject: Subject) -> str | None:
        if subject.row is None:
            return None
        row = ColumnNames(subject.row)
        for column in LABEL_COLUMNS:
            if (text := row.get(column)) is not None:
                return text
        return value_lines(subject.row, self.varying)


@dataclass(frozen=True)
class MetadataSource:
    """The generation data that varies between the pictures."""

    varying: Sequence[str]
    name: str = "metadata"

    def label(self, subject: Subject) -> str | None:
        return value_lines(subject.generation, self.varying)


@dataclass(frozen=True)
class ClipSource:
    """Labels that a labeller found in the pictures."""

    found: Mapping[int, FoundLabel]
    name: str = "clip"

    def label(self, subject: Subject) -> str | None:
        found = self.found.get(subject.index)
        return found.text if found else None


@dataclass(frozen=True)
class FileNameSource:
    """The picture's file name without folder."""

    name: str = "filename"

    def label(self, subject: Subject) -> str | None:
        return subject.name.rpartition("/")[2] or None


def label_pictures(subjects: Sequence[Subject], sources: Sequence[LabelSource]) -> list[Label]:
    """The first label that a source knows, for each picture; empty with the source ``none`` when nobody knows one."""
    return [first_label(subject, sources) for subject in subjects]


def first_label(subject: Subject, sources: Sequence[LabelSource]) -> Label:
    """The first label that a source knows; empty with the source ``none`` when nobody knows one."""
    for source in sources:
        text = source.label(subject)
        if text is not None:
            return Label(text, source.name)
    return Label("", "none")


def value_lines(values: Mapping[str, str], columns: Sequence[str]) -> str | None:
    """``column: value`` lines of the columns that have a value; long texts only when there is nothing shorter."""
    present = [column for column in columns if values.get(column)]
    short = [column for column in present if column not in LONG_COLUMNS]
    return "\n".join(f"{column}: {values[column]}" for column in short or present) or None


def spread_texts(texts: Sequence[str], count: int) -> tuple[list[str | None], list[str]]:
    """Given labels for ``count`` pictures, and warnings.

    One text goes to all pictures; as many as there are pictures go one to each; with fewer the rest is left to the next
    source, with more the surplus is named in a warning.
    """
    if len(texts) == 1:
        return [texts[0]] * count, []
    spread: list[str | None] = [*texts[:count], *[None] * (count - len(texts))]
    if len(texts) == count or not texts:
        return spread, []
    rest = "the other pictures take the next source" if len(texts) < count else "the surplus labels are not used"
    return spread, [f"{len(texts)} labels were given for {count} pictures; {rest}"]


def check_columns(wanted: Sequence[str], subjects: Sequence[Subject], option: str) -> None:
    """Raises InputError naming the first column that no picture has, and the columns that there are."""
    available: dict[str, None] = {}
    for subject in subjects:
        available.update(dict.fromkeys([*subject.values, *subject.facts]))
    for column in wanted:
        find_column(column, list(available), role=f"{option}:")


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
