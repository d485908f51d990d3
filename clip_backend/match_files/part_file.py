"""The finished rows of a run, saved beside its output so that an interrupted run can be resumed.

The first line holds the settings of the run: results of other settings are not used, and it is said which differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from ...atomic import check_regular, make_folder, output_error, set_kept, signals_held
from ...errors import ClipGridError, OutputError
from ...json_text import JsonError, parse_object, to_json
from ..matching.result import MatchResult, PhraseScore

#: How the first line begins.
_BEGINNING = b'{"clip_grid": "match-batch part"'
#: Changes when the meaning of the results does.
VERSION = 2
#: Names of settings -> values as they are shown; a value that says nothing to a user is in ``UNSHOWN``.
Settings = Mapping[str, str]
UNSHOWN = ("model", "calibration", "rules")


@dataclass(frozen=True)
class DoneRow:
    """A result, and what identifies the model it comes from."""

    model: str
    result: MatchResult


class PartFile:
    """Results as JSON lines in ``OUT.part``."""

    def __init__(self, out: Path, settings: Settings) -> None:
        self.path = out.with_name(out.name + ".part")
        self._settings = {"version": str(VERSION), **settings}
        #: How the settings of the run whose file was read differ; empty if they are the same.
        self.differences: tuple[str, ...] = ()
        #: Bytes of complete lines; a line after them was cut off while it was written.
        self._whole = 0

    def read(self) -> dict[str, DoneRow]:
        """The results by key; none if there is no such file, or it is of other settings.

        Raises OutputError if another file of this name is in the way.
        """
        self._whole = 0
        check_regular(self.path)
        try:
            with open(self.path, "rb") as file:
                return self._read(file)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise output_error(self.path, error) from error

    def _read(self, file: BinaryIO) -> dict[str, DoneRow]:
        first = file.readline()
        if not first.startswith(_BEGINNING[: len(first)]):
            raise OutputError(
                f"{self.path} is in the way, which is not of this program; move it, or choose another name"
            )
        settings = _settings_in(first)
        if settings is None:
            # cut off while it was written
            return {}
        self.differences = differences(settings, self._settings)
        if self.differences:
            return {}
        rows = {}
        for line in chain([first], file):
            if line.endswith(b"\n"):
                self._whole += len(line)
                rows.update(_rows(line))
        return rows

    def append(self, rows: Mapping[str, DoneRow]) -> None:
        """Adds results to the file; raises OutputError if they cannot be written."""
        records = ({"key": key, "model": row.model, "result": asdict(row.result)} for key, row in rows.items())
        added = b"".join(to_json(record).encode() + b"\n" for record in records)
        if not self._whole:
            head = to_json({"settings": self._settings}).encode()
            added = _BEGINNING + b", " + head[1:] + b"\n" + added
        try:
            make_folder(self.path.parent)
            with signals_held():
                with open(self.path, "r+b" if self._whole else "wb") as file:
                    file.truncate(self._whole)
                    file.seek(self._whole)
                    file.write(added)
                set_kept(str(self.path), f"finished pairs are kept in {self.path} for the next run")
        except ClipGridError:
            raise
        except OSError as error:
            raise output_error(self.path, error) from error
        self._whole += len(added)

    def remove(self) -> None:
        """Deletes the file, if there is one."""
        self._whole = 0
        self.path.unlink(missing_ok=True)
        set_kept(str(self.path), "")


def _settings_in(first: bytes) -> dict[str, str] | None:
    """What the first line holds; None if it was cut off. Files of the first version have no settings."""
    if not first.endswith(b"\n"):
        return None
    try:
        head = parse_object(first)
    except JsonError:
        return None
    settings = head.get("settings", {})
    return {str(name): str(value) for name, value in settings.items()} if isinstance(settings, dict) else {}


def differences(before: Settings, now: Settings) -> tuple[str, ...]:
    """What differs, in words: "threshold was 0.2 and is 0.3"."""
    if before.get("version") != now.get("version"):
        return ("it is of another version of this program",)
    changed = [name for name in now if before.get(name) != now[name]]
    return tuple(
        f"the {name} changed" if name in UNSHOWN else f"{name} was {before.get(name, 'unknown')} and is {now[name]}"
        for name in changed
    )


def _rows(line: bytes) -> dict[str, DoneRow]:
    """A key and its result; nothing for the header, or for a broken line, whose row is scored again."""
    try:
        record = parse_object(line)
        values = record["result"]
        phrases = tuple(PhraseScore(**phrase) for phrase in values["phrases"])
        result = MatchResult(**{**values, "phrases": phrases})
        return {str(record["key"]): DoneRow(str(record["model"]), result)}
    except (JsonError, KeyError, TypeError):
        return {}
