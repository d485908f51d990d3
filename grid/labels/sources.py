"""The sources of labels, asked in order for each picture; the source of each label is named."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

from ...plurals import counted
from ..pictures.survey import Picture, picture_properties
from ..table.records import ColumnValues, find_column, varying_columns
from ..template import GridTemplate, split_columns

#: Columns of a table that are taken for the label itself when no columns were asked for.
LABEL_COLUMNS = ("label", "caption", "text", "title")
#: Long texts that say little in a small cell; shown only when nothing shorter varies.
LONG_COLUMNS = ("prompt", "negative")
_MOST_CHARACTERS = 100_000
_FIELD = re.compile(r"\{([^{}]*)\}")
#: What may stand between the parts of a label_format; not inside braces.
_SEPARATOR = re.compile(r"(\s*[·•|,;]\s*|\s+[/–—-]\s+)(?![^{}]*\})")


@dataclass(frozen=True)
class PictureRecord:
    """One picture with its row of the table: what its label and its place on the sheet are made from."""

    picture: Picture
    #: Place among the pictures as they were given, from 0.
    index: int
    #: On the sheet, from 0.
    place: int
    #: The row of the table, and which one it is there; None when the table has none.
    row: Mapping[str, str] | None = None
    row_index: int | None = None

    @cached_property
    def values(self) -> Mapping[str, str]:
        """Generation data, overruled by the table."""
        # most pictures have one of the two: copies of 100,000 would take as much as the pictures
        return {**self.picture.values, **self.row} if self.row else self.picture.values

    @cached_property
    def all_values(self) -> dict[str, str]:
        """What every picture has (name, stem, folder, index, width, height, date), overruled by ``values``."""
        return {**picture_properties(self.picture, self.place), **self.values}

    def with_values(self, added: Mapping[str, str]) -> PictureRecord:
        """The record with other or more generation data, also where the table has overruled it."""
        row = self.row and {**self.row, **{column: text for column, text in added.items() if column in self.row}}
        return replace(self, picture=replace(self.picture, values={**self.picture.values, **added}), row=row)


@dataclass(frozen=True)
class ClipLabel:
    """A label that CLIP gave to a picture, its scores by name, and the second best label ("" = none)."""

    text: str
    scores: Mapping[str, float] = field(default_factory=dict)
    runner_up: str = ""


@dataclass(frozen=True, slots=True)
class Label:
    """A text and the name of its source. An empty text may be meant so; without any source the source is ``none``."""

    text: str
    source: str
    #: The second best label, where the label is from CLIP.
    runner_up: str = ""


class LabelSource(Protocol):
    """One source of labels."""

    @property
    def name(self) -> str:
        """One of SOURCE_NAMES."""

    def label(self, record: PictureRecord) -> str | None:
        """The label, or None when this source does not know one; the next source is asked then."""


@dataclass(frozen=True)
class TextSource:
    """Labels given by the caller, one per picture; None leaves the picture to the next source, "" is no label."""

    texts: Sequence[str | None]
    name: str = "text"

    def label(self, record: PictureRecord) -> str | None:
        return self.texts[record.index] if record.index < len(self.texts) else None


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

    def label(self, record: PictureRecord) -> str | None:
        values = ColumnValues(record.all_values)
        if self.format:
            return self._formatted(values)
        lines = [f"{column}: {value}" for column in self.columns if (value := values.get(column))]
        return "\n".join(lines) or None

    def _formatted(self, values: ColumnValues) -> str | None:
        fields = _FIELD.findall(self.format)
        if fields and not any(values.get(field) for field in fields):
            return None
        # in the format only: values such as C:\new keep their backslash
        lines = (_filled(line, values) for line in self.format.replace("\\n", "\n").split("\n"))
        return "\n".join(line for line in lines if line is not None)

    def named_columns(self) -> list[str]:
        """Every column that is named."""
        return _FIELD.findall(self.format) if self.format else list(self.columns)


def _filled(line: str, values: ColumnValues) -> str | None:
    """One line of a format with its values; None when all of its parts are left out."""
    pieces = _SEPARATOR.split(line)
    filled: list[str] = []
    for separator, part in zip(["", *pieces[1::2]], pieces[::2], strict=True):
        columns = _FIELD.findall(part)
        if columns and not any(values.get(column) for column in columns):
            continue
        text = _FIELD.sub(lambda match: values.get(match[1]) or "", part)
        filled += [separator, text] if filled else [text]
    return "".join(filled) if filled else None


@dataclass(frozen=True)
class TableSource:
    """The picture's row of the table: its label column if it has one, else the columns that vary, one line each."""

    varying: Sequence[str]
    name: str = "csv"

    def label(self, record: PictureRecord) -> str | None:
        if record.row is None:
            return None
        row = ColumnValues(record.row)
        for column in LABEL_COLUMNS:
            if (text := row.get(column)) is not None:
                return text
        return value_lines(record.row, self.varying)


@dataclass(frozen=True)
class ClipSource:
    """Labels from CLIP, by the index of the picture."""

    labels: Mapping[int, ClipLabel]
    name: str = "clip"

    def label(self, record: PictureRecord) -> str | None:
        label = self.labels.get(record.index)
        return label.text if label else None

    def runner_up(self, record: PictureRecord) -> str:
        """The second best label of a picture that has one."""
        return self.labels[record.index].runner_up


@dataclass(frozen=True)
class MetadataSource:
    """The generation data that varies between the pictures."""

    varying: Sequence[str]
    name: str = "metadata"

    def label(self, record: PictureRecord) -> str | None:
        return value_lines(record.picture.values, self.varying)


@dataclass(frozen=True)
class FileNameSource:
    """The picture's file name without folder; not of those that the headers of a table tell apart."""

    #: Their places among the pictures as they were given.
    told: Collection[int] = ()
    name: str = "filename"

    def label(self, record: PictureRecord) -> str | None:
        return None if record.index in self.told else record.picture.name.rpartition("/")[2] or None


def value_lines(values: Mapping[str, str], columns: Sequence[str]) -> str | None:
    """``column: value`` lines of the columns that have a value; long texts only when there is nothing shorter."""
    present = [column for column in columns if values.get(column)]
    short = [column for column in present if column not in LONG_COLUMNS]
    return "\n".join(f"{column}: {values[column]}" for column in short or present) or None


def first_label(record: PictureRecord, sources: Sequence[LabelSource]) -> Label:
    """The first label that a source knows; empty with the source ``none`` when no source knows one.

    Of a text that fits no cell, more than 100,000 characters, the beginning is taken.
    """
    for source in sources:
        text = source.label(record)
        if text is not None:
            text = text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS] + "…"
            return Label(text, source.name, source.runner_up(record) if isinstance(source, ClipSource) else "")
    return Label("", "none")


def sources_before_clip(
    template: GridTemplate,
    records: Sequence[PictureRecord],
    texts: Sequence[str | None],
    shown: Collection[str],
    table_columns: Sequence[str] = (),
) -> list[LabelSource]:
    """Given texts, columns that were asked for, and the table. ``shown``: columns that the headers show already.

    table_columns: those of the table, which may be empty for all pictures.
    Raises InputError for a column that no picture has.
    """
    columns = ColumnsSource(split_columns(template.label_columns), template.label_format)
    option = "label_format" if template.label_format else "label_columns"
    check_columns(columns.named_columns(), records, option, table_columns)
    asked: list[LabelSource] = [columns] if columns.columns or columns.format else []
    return [TextSource(texts), *asked, TableSource(_varying([record.row for record in records], shown))]


def sources_after_clip(
    records: Sequence[PictureRecord], shown: Collection[str], told: Collection[int] = ()
) -> list[LabelSource]:
    """Generation data that varies, and the file's name; told: the pictures that the headers tell apart."""
    generation = [record.picture.values or None for record in records]
    return [MetadataSource(_varying(generation, shown)), FileNameSource(told)]


def told_apart(records: Sequence[PictureRecord], columns: Sequence[str]) -> frozenset[int]:
    """The pictures, by their index, that have a value in each of the columns, and all of them as no other picture."""
    if not columns:
        return frozenset()
    combinations = [tuple(record.values.get(column, "") for column in columns) for record in records]
    counts = Counter(combinations)
    pairs = zip(records, combinations, strict=True)
    return frozenset(record.index for record, values in pairs if all(values) and counts[values] == 1)


def _varying(rows: Sequence[Mapping[str, str] | None], shown: Collection[str]) -> tuple[str, ...]:
    """Columns that vary, without those that are shown already."""
    return tuple(column for column in varying_columns(rows) if column not in shown)


def check_columns(
    columns: Sequence[str], records: Sequence[PictureRecord], option: str, table_columns: Sequence[str] = ()
) -> None:
    """Raises InputError naming the first column that neither a picture nor the table has, and those that there are."""
    available = dict.fromkeys(table_columns)
    for record in records if columns else ():
        available.update(dict.fromkeys([*record.values, *record.all_values]))
    for column in columns:
        find_column(column, list(available), role=f"{option}:")


def spread_texts(texts: Sequence[str | None], count: int) -> tuple[list[str | None], list[str]]:
    """The caller's labels, one for each of ``count`` pictures, and warnings; a literal ``\\n`` breaks the line.

    One text goes to all pictures; as many as there are pictures go one to each; with fewer the rest is left to the next
    source, with more the surplus is named in a warning.
    """
    lines = [None if text is None else text.replace("\\n", "\n") for text in texts]
    if len(texts) == 1:
        return lines * count, []
    spread = [*lines[:count], *[None] * (count - len(texts))]
    if len(texts) == count or not texts:
        return spread, []
    rest = "the other pictures take the next source" if len(texts) < count else "the surplus labels are not used"
    return spread, [f"{counted(len(texts), 'label', 'was/were')} given for {counted(count, 'picture')}; {rest}"]
