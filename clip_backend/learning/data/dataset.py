"""What a data set is once it is read, whatever its layout: examples, and what was found wrong while reading."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from ...preparing.pictures import TarMember

#: "pairs": text and whether it matches; "classes": a class for each picture; "captions": texts that match.
Kind = Literal["pairs", "classes", "captions"]
Severity = Literal["error", "warning"]
#: A part of a split; "" where the data set names none.
Part = Literal["train", "val", "test", ""]
PARTS: tuple[Part, ...] = ("train", "val", "test")
#: One picture: a file, or a member of a tar file. ``Encoder.encode_images`` takes both.
Picture = Path | TarMember


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong or doubtful in a data set."""

    #: An error costs the row or the whole training; a warning costs nothing.
    severity: Severity
    #: The name of the check, one of ``checks.CHECKS``.
    check: str
    #: What, why and the cure.
    message: str
    #: Counted from 1 among the rows that are not blank, without the header; None for a whole set or a mere picture.
    row: int | None = None
    #: The line of the text file on which the row begins, from 1.
    line: int | None = None
    #: The picture as the data set names it; empty where the finding is about no single one.
    picture: str = ""
    #: The file that the row is in, where there are several.
    file: str = ""

    @property
    def where(self) -> str:
        """The row with its line and file, or the picture; empty for the whole set."""
        if self.row is None:
            return self.picture
        line = "" if self.line is None else f" (line {self.line})"
        return f"row {self.row}{line}" + (f" of {self.file}" if self.file else "")

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return dict(vars(self))


@dataclass(frozen=True)
class Facts:
    """How a picture was generated, as far as its file or its row tells; empty texts are unknown."""

    prompt: str = ""
    model: str = ""
    seed: str = ""


#: Gives what the file of a picture tells of its generation; never raises for a picture without such data.
FactsOf = Callable[[Picture], Facts]


@dataclass(frozen=True)
class Example:
    """A picture with what is said of it."""

    picture: Picture
    #: Its name in the data set: relative to it, with forward slashes, and without folders of this machine.
    name: str
    #: None where a set of classes has no texts.
    text: str | None = None
    #: The class in a set of classes; whether the text matches in a set of pairs; None in a set of captions.
    label: str | bool | None = None
    #: Row number as in ``Finding``; that of the first row where several have captions for one picture.
    row: int | None = None
    line: int | None = None
    #: Further texts that match the picture, in a set of captions.
    captions: tuple[str, ...] = ()
    #: The row and line of each of ``captions``.
    caption_rows: tuple[tuple[int | None, int | None], ...] = ()
    facts: Facts = field(default_factory=Facts)
    #: What the data set says it comes from, such as the picture that it is a crop of; one source is one group.
    source: str = ""
    #: The part that the data set itself puts it in.
    part: Part = ""
    #: File as in ``Finding``.
    file: str = ""

    def finding(self, severity: Severity, check: str, message: str) -> Finding:
        """A finding about this example."""
        return Finding(severity, check, message, self.row, self.line, self.name, self.file)

    @property
    def where(self) -> str:
        """The row with its file, or the picture."""
        if self.row is None:
            return self.name
        return f"row {self.row}" + (f" of {self.file}" if self.file else "")

    @property
    def texts(self) -> tuple[str, ...]:
        """All its texts, ``text`` first."""
        return () if self.text is None else (self.text, *self.captions)


@dataclass(frozen=True)
class Dataset:
    """Examples in the order of the data set; rows that cannot be used are only among the findings."""

    kind: Kind
    #: The layout in one line, for reports.
    layout: str
    #: The file or folder.
    path: Path
    examples: tuple[Example, ...]
    #: What is wrong with single rows, found while reading.
    findings: tuple[Finding, ...] = ()
    #: How many rows, or pictures, there are, those that cannot be used included.
    rows: int = 0

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes in the order in which they first appear; empty unless ``kind`` is "classes"."""
        return tuple(dict.fromkeys(one.label for one in self.examples if isinstance(one.label, str)))

    def to_dict(self) -> Mapping[str, object]:
        """What reports tell of it; the path is left out, since runs are given away."""
        return {"kind": self.kind, "layout": self.layout, "rows": self.rows, "examples": len(self.examples)}
