"""Rows of any layout become a data set: their pictures are found, its kind is told, and what is wrong is noted."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath, PureWindowsPath

from ....errors import InputError, PictureError
from ...encoding.batching import THREADS, prefetch
from ...match_files.pairs_file import NO_PICTURE, NO_TEXT, find_picture, read_label
from .dataset import Dataset, Example, Facts, FactsOf, Finding, Kind, Part, Picture, Severity

#: A set is one of pairs if at least this share of its labels says match or no match; the others are then mistakes.
MOST_LABELS = 0.9
#: What the parts of a split are called in folders and columns, as in Hugging Face's datasets and Karpathy's splits.
PART_NAMES: Mapping[str, Part] = {
    "train": "train", "training": "train", "restval": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test", "eval": "test", "evaluation": "test",
}  # fmt: skip
_WEB_ADDRESS = re.compile(r"(?:https?|ftp|s3|gs|data):", re.IGNORECASE)
_NOT_THERE = "there is no such file in the folder of the data or the current one; check the path, or give another root"


@dataclass(frozen=True)
class Row:
    """What a layout says in one place: a row of a table, an entry of JSON, a file with its caption."""

    #: The picture's path as written, or the picture itself where the layout is made of files.
    picture: str | Picture
    text: str = ""
    label: str = ""
    #: Row number as in ``Finding``.
    number: int | None = None
    line: int | None = None
    #: Whether ``label`` names a class whatever it is, "1" included.
    is_class: bool = False
    #: The name in the data set where ``picture`` is no text.
    name: str = ""
    facts: Facts = field(default_factory=Facts)
    source: str = ""
    #: Part as written; see ``PART_NAMES``.
    part: str = ""
    #: The check that it fails, and why; None for a row that can be read.
    problem: tuple[str, str] | None = None
    #: File as in ``Finding``.
    file: str = ""

    def finding(self, check: str, message: str, severity: Severity = "error") -> Finding:
        """A finding about this row."""
        named = self.name or (self.picture if isinstance(self.picture, str) else "")
        return Finding(severity, check, message, self.number, self.line, named, self.file)


@dataclass
class Reading:
    """Rows on their way to examples."""

    layout: str
    #: The file or folder that the user names.
    path: Path
    #: Where relative paths are looked up, in this order; names of pictures are relative to them.
    folders: Sequence[Path]
    #: What the layout alone tells; None where the labels decide.
    kind: Kind | None = None
    #: Gives what the files of pictures tell of their generation; None to not look.
    facts_of: FactsOf | None = None
    findings: list[Finding] = field(default_factory=list)
    #: Where relative paths are looked up last; no name depends on it, since it may be another one the next time.
    last: Path | None = None

    def dataset(self, rows: Iterable[Row]) -> Dataset:
        """The data set of these rows; raises InputError if none of them can be used."""
        listed = list(rows)
        total = len({(row.file, row.number, row.name) for row in listed})
        kind = self.kind or self._kind(listed)
        kept = [(row, picture) for row in listed if (picture := self._picture(row, kind)) is not None]
        names = _names_of([row.picture for row, _ in kept if isinstance(row.picture, str)], self.folders)
        examples = [self._example(row, picture, kind, names) for row, picture in kept]
        if kind == "captions":
            examples = self._merged(examples)
        if not examples:
            first = self.findings[0] if self.findings else None
            why = f"; the first: {first.where}: {first.message}" if first else ""
            raise InputError(f"{self.path}: none of its {total} rows can be used{why}")
        if self.facts_of is not None:
            examples = list(self._with_facts(examples, self.facts_of))
        return Dataset(kind, self.layout, self.path, tuple(examples), tuple(self.findings), total)

    def _kind(self, rows: Sequence[Row]) -> Kind:
        usable = [row for row in rows if row.problem is None]
        labels = [row.label for row in usable if row.label]
        if not labels:
            return "captions"
        if any(row.is_class for row in usable):
            return "classes"
        says_match = sum(read_label(label) is not None for label in labels)
        has_texts = any(row.text for row in usable)
        return "pairs" if has_texts and says_match >= MOST_LABELS * len(labels) else "classes"

    def _picture(self, row: Row, kind: Kind) -> Picture | None:
        """The picture of a row that can be used; else None, and the reason is among the findings."""
        problem = row.problem or _missing(row, kind)
        if problem is None and isinstance(row.picture, str):
            if _WEB_ADDRESS.match(row.picture):
                problem = ("missing-picture", "it is an address on the web; fetch the picture and give its path")
            else:
                folders = [*self.folders, *([self.last] if self.last else [])]
                try:
                    return Path(os.path.abspath(find_picture(row.picture, folders)))
                except PictureError:
                    # not the reason of the error, which names folders of this machine
                    problem = ("missing-picture", _NOT_THERE)
        if problem is not None:
            name = row.name or (_name_of(row.picture, self.folders) if isinstance(row.picture, str) else "")
            self.findings.append(replace(row, name=name).finding(*problem))
            return None
        return row.picture if not isinstance(row.picture, str) else None

    def _example(self, row: Row, picture: Picture, kind: Kind, names: Mapping[str, str]) -> Example:
        part = PART_NAMES.get(row.part.casefold(), "")
        if row.part and not part:
            message = f"the part {row.part!r} is none of train, val and test, so the row is put into one of them anew"
            self.findings.append(row.finding("unknown-part", message, "warning"))
        label: str | bool | None = row.label if kind == "classes" else None
        if kind == "pairs":
            label = read_label(row.label)
        return Example(
            picture, row.name or names[str(row.picture)], row.text or None, label, row.number, row.line,
            facts=row.facts, source=row.source, part=part, file=row.file,
        )  # fmt: skip

    def _merged(self, examples: Sequence[Example]) -> list[Example]:
        """One example for each picture, with all its captions; one that stands there twice is noted.

        A picture in two parts stays two examples, so that the split finds the leak.
        """
        merged: dict[tuple[Picture, Part], Example] = {}
        for one in examples:
            first = merged.setdefault((one.picture, one.part), one)
            if first is one:
                continue
            if one.text in first.texts:
                message = f"the same picture with the same text as {first.where}; it counts once"
                self.findings.append(one.finding("warning", "duplicate-row", message))
                continue
            merged[one.picture, one.part] = replace(
                first, captions=(*first.captions, one.text or ""),
                caption_rows=(*first.caption_rows, (one.row, one.line)),
            )  # fmt: skip
        return list(merged.values())

    def _with_facts(self, examples: Sequence[Example], facts_of: FactsOf) -> Iterable[Example]:
        """With what the files tell wherever the rows tell nothing."""
        pictures = list(dict.fromkeys(one.picture for one in examples if one.facts == Facts()))
        found = prefetch(pictures, facts_of, threads=THREADS, ahead=4 * THREADS)
        facts = dict(zip(pictures, found, strict=True))
        for one in examples:
            yield replace(one, facts=facts[one.picture]) if one.picture in facts else one


def _missing(row: Row, kind: Kind) -> tuple[str, str] | None:
    """The check and the reason for a row that lacks what its set needs."""
    if row.picture == "":
        return "no-picture", NO_PICTURE
    if not row.text and kind != "classes":
        return "no-text", NO_TEXT
    if not row.label and kind == "classes":
        return "no-label", "it has no label; write the name of its class"
    if not row.label and kind == "pairs":
        return "no-label", "it has no label; write 1 if the text matches the picture, else 0"
    if kind == "pairs" and read_label(row.label) is None:
        return "bad-label", f"the label {row.label!r} is neither 1 nor 0, as those of most rows are; write 1 or 0"
    return None


def _name_of(written: str, folders: Sequence[Path]) -> str:
    """The name of one picture without folders of this machine: see ``_names_of``."""
    return _names_of([written], folders)[written]


def _names_of(written: Iterable[str], folders: Sequence[Path]) -> dict[str, str]:
    """The names of pictures without folders of this machine: as written, or relative to one of the folders.

    Of absolute paths elsewhere it is the end of each: so many folders that different paths have different names.
    """
    names: dict[str, str] = {}
    elsewhere: dict[str, tuple[str, ...]] = {}
    for one in dict.fromkeys(written):
        path = PurePath(one)
        if not path.is_absolute() and not PureWindowsPath(one).is_absolute():
            names[one] = one.replace("\\", "/")
        elif below := next((folder for folder in folders if path.is_relative_to(folder)), None):
            names[one] = path.relative_to(below).as_posix()
        else:
            elsewhere[one] = PureWindowsPath(one).parts[1:]
    length = 1
    while len({parts[-length:] for parts in elsewhere.values()}) < len(set(elsewhere.values())):
        length += 1
    return names | {one: "/".join(parts[-length:]) for one, parts in elsewhere.items()}
