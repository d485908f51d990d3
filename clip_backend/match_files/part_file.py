"""The finished rows of a run, saved beside its output so that an interrupted run can be resumed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from ...atomic import output_error
from ...errors import OutputError
from ..matching.result import MatchResult, PhraseScore

#: The first line; the version changes when the meaning of the results does.
_HEADER = b'{"clip_grid": "match-batch part", "version": 1}\n'


@dataclass(frozen=True)
class DoneRow:
    """A result, and the fingerprint of the model it comes from."""

    fingerprint: str
    result: MatchResult


class PartFile:
    """Results as JSON lines in ``OUT.part``."""

    def __init__(self, out: Path) -> None:
        self.path = out.with_name(out.name + ".part")
        #: Bytes of complete lines; a line after them was cut off while it was written.
        self._whole = 0

    def read(self) -> dict[str, DoneRow]:
        """The results by key; none if there is no such file.

        Raises OutputError if another file of this name is in the way.
        """
        self._whole = 0
        try:
            with open(self.path, "rb") as file:
                return self._read(file)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise output_error(self.path, error) from error

    def _read(self, file: BinaryIO) -> dict[str, DoneRow]:
        first = file.readline()
        if not _HEADER.startswith(first):
            raise OutputError(
                f"{self.path} is in the way, which is not of this program; move it, or choose another name"
            )
        rows = {}
        for line in chain([first], file):
            if line.endswith(b"\n"):
                self._whole += len(line)
                rows.update(_rows(line))
        return rows

    def append(self, rows: Mapping[str, DoneRow]) -> None:
        """Adds results to the file; raises OutputError if they cannot be written."""
        records = (
            {"key": key, "fingerprint": row.fingerprint, "result": asdict(row.result)} for key, row in rows.items()
        )
        added = b"".join(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in records)
        if not self._whole:
            added = _HEADER + added
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "r+b" if self._whole else "wb") as file:
                file.truncate(self._whole)
                file.seek(self._whole)
                file.write(added)
        except OSError as error:
            raise output_error(self.path, error) from error
        self._whole += len(added)

    def remove(self) -> None:
        """Deletes the file, if there is one."""
        self._whole = 0
        self.path.unlink(missing_ok=True)


def _rows(line: bytes) -> dict[str, DoneRow]:
    """A key and its result; nothing for the header, or for a broken line, whose row is scored again."""
    try:
        record = json.loads(line)
        values = record["result"]
        phrases = tuple(PhraseScore(**phrase) for phrase in values["phrases"])
        result = MatchResult(**{**values, "phrases": phrases})
        return {str(record["key"]): DoneRow(str(record["fingerprint"]), result)}
    except (ValueError, KeyError, TypeError):
        return {}
