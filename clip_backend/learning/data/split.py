"""A split: which examples are trained on, chosen by, and tested on, as it is used and as it is kept in a file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ....atomic import atomic_file
from ....errors import InputError, OutputError
from ....input_files import open_file, read_file
from ....json_text import FINITE, JsonError, parse_json, to_json
from .dataset import PARTS, Finding, Part
from .groups import Origin
from .likeness import Signature

#: Version of the file's layout.
VERSION = 1
_KIND = "split"
#: Files of splits are larger than other texts: about 2.5 kB for each picture.
MAX_BYTES, MAX_MARKS = 2 << 30, 50_000_000


@dataclass(frozen=True, eq=False)
class SplitPicture:
    """One picture of a split, as its file keeps it."""

    part: Part
    group: str
    origin: Origin
    signature: Signature

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        own = {"part": self.part, "group": self.group, **vars(self.origin), "prompts": list(self.origin.prompts)}
        return own | self.signature.to_dict()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SplitPicture:
        """What ``to_dict`` wrote; raises KeyError, TypeError or ValueError for anything else."""
        part: Part = values["part"]
        if part not in PARTS:
            raise ValueError(f"there is no part {part!r}")
        by_model, by_seed = map(str, values["prompts"])
        origin = Origin(str(values["name"]), str(values["source"]), (by_model, by_seed))
        return cls(part, str(values["group"]), origin, Signature.from_dict(values))


@dataclass(frozen=True, eq=False)
class Split:
    """The parts of a data set; examples of one group are in one part."""

    #: Part of each example of the data set; "" for one that is left out.
    parts: tuple[Part, ...]
    #: The name of the group of each example: part of the smallest hash of its pictures; "" for one that is left out.
    groups: tuple[str, ...]
    #: The hash of the content of each example's picture; empty for one that cannot be read.
    hashes: tuple[str, ...]
    #: What the order of the groups depends on beside their hashes.
    seed: int = 0
    #: What its file keeps, each picture once, in the order of the data set.
    pictures: tuple[SplitPicture, ...] = ()
    #: How many joins of groups each reason gave.
    reasons: Mapping[str, int] = field(default_factory=dict)
    #: The least cosine of near-duplicates by embedding, taken from the data; None where embeddings were not compared.
    least_cosine: float | None = None
    findings: tuple[Finding, ...] = ()

    @cached_property
    def train(self) -> tuple[int, ...]:
        """Indices of the examples that are trained on, ascending."""
        return self.of("train")

    @cached_property
    def val(self) -> tuple[int, ...]:
        """Indices of the examples by which settings are chosen, ascending."""
        return self.of("val")

    @cached_property
    def test(self) -> tuple[int, ...]:
        """Indices of the examples that measure the result, ascending."""
        return self.of("test")

    def of(self, part: Part) -> tuple[int, ...]:
        """Indices of the examples of a part, ascending."""
        return tuple(index for index, own in enumerate(self.parts) if own == part)

    def to_dict(self) -> dict[str, Any]:
        """Sizes of the parts and why groups were made, for reports."""
        sizes = {part: len(self.of(part)) for part in PARTS} | {"left_out": len(self.of(""))}
        groups = len({group for group in self.groups if group})
        return {"seed": self.seed, "groups": groups, **sizes, "joined_by": dict(self.reasons),
                "least_cosine": self.least_cosine}  # fmt: skip

    def to_json(self) -> str:
        """The content of its file: no path of this machine, one line for each picture."""
        head = {"clip_grid": _KIND, "version": VERSION, **self.to_dict()}
        lines = ",\n".join(to_json(one.to_dict()) for one in self.pictures)
        return f'{to_json(head)[:-1]}, "pictures": [\n{lines}\n]}}\n'

    def save(self, path: Path, *, overwrite: bool = False) -> None:
        """Writes the file, whole or not at all.

        Raises OutputError if it cannot be written, and, without ``overwrite``, for a file that holds no split.
        """
        if os.path.lexists(path) and not overwrite and not is_split(path):
            raise OutputError(f"{path} is there and holds no split; choose another name, or allow overwriting")
        with atomic_file(path) as file:
            file.write(self.to_json().encode())


@dataclass(frozen=True, eq=False)
class SavedSplit:
    """A split as its file tells, which may be put on the data set once rows were added to it."""

    pictures: tuple[SplitPicture, ...]
    seed: int


def is_split(path: Path) -> bool:
    """Whether a file holds a split, of any version."""
    try:
        with open_file(path) as file:
            return b'"clip_grid": "split"' in file.read(200)
    except (InputError, OSError):
        return False


def read_split(path: Path) -> SavedSplit:
    """The split in a file; raises InputError, naming the file, for one that is none, damaged, or of another version."""
    try:
        values = parse_json(read_file(path, "the split", most_bytes=MAX_BYTES), FINITE, max_marks=MAX_MARKS)
    except JsonError as error:
        raise InputError(f"{path} is no file of a split: {error}; give the split.json of a run") from error
    if not isinstance(values, dict) or values.get("clip_grid") != _KIND:
        raise InputError(f"{path} is no file of a split; give the split.json of a run")
    if values.get("version") != VERSION:
        raise InputError(
            f"{path} is a split of version {values.get('version')!r}, and this program reads version {VERSION}; split "
            "anew, or use the version of the program that made it"
        )
    try:
        pictures = tuple(SplitPicture.from_dict(one) for one in values["pictures"])
        return SavedSplit(pictures, int(values["seed"]))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{path} is damaged ({error}); split anew") from error
