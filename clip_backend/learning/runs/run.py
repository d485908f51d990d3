"""A run folder: what was trained, on which model and data, with which options; the files in it have fixed names."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, get_args

from ....atomic import atomic_file, file_set, the_only_run, writing
from ....errors import InputError, OutputError
from ....input_files import read_file
from ....json_text import JsonError, parse_object, to_json
from ....options import read_options
from ..base import Base
from ..options import TrainOptions

#: Version of the folder's layout.
VERSION = 1
RUN, SPLIT, DATA, FINDINGS, LOG = "run.json", "split.json", "data_report.json", "findings.csv", "log.csv"
CURVES, HEAD, BEST, LAST = "curves.png", "head.safetensors", "best.safetensors", "last"
CALIBRATION, REPORT, REPORT_TEXT, OPENINGS = "calibration.json", "report.json", "report.md", "test_openings.json"
#: All that a run may hold, without the folder of checkpoints.
FILES = (
    RUN, SPLIT, DATA, FINDINGS, LOG, CURVES, HEAD, BEST, CALIBRATION, REPORT, REPORT_TEXT, OPENINGS,
)  # fmt: skip
DataKind = Literal["pairs", "classes", "captions"]
_PACKAGES = ("numpy", "Pillow", "torch", "safetensors", "tokenizers", "transformers")


@dataclass(frozen=True, kw_only=True)
class Run:
    """What ``run.json`` says; it holds no path."""

    #: The method that was chosen: never "auto".
    method: str
    kind: DataKind
    base: Base
    #: All of ``TrainOptions``, as used.
    options: Mapping[str, str | int | float | bool]
    #: The classes of kind "classes"; else empty.
    classes: tuple[str, ...] = ()
    #: The name of the data, without its folder.
    data: str = ""
    #: Versions of Python and the packages that compute.
    versions: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, as they stand in the file."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        own |= {
            "base": self.base.to_dict(), "classes": list(self.classes), "options": dict(self.options),
            "versions": dict(self.versions),
        }  # fmt: skip
        return {"clip_grid": "run", "version": VERSION} | own

    def train_options(self) -> TrainOptions:
        """The options, those that this version does not know left out; raises InputError for values out of range."""
        known = {name: value for name, value in self.options.items() if name in TrainOptions.__dataclass_fields__}
        return read_options(TrainOptions, known)


def is_run(folder: str | os.PathLike[str]) -> bool:
    """Whether the folder was written by a training, of any version."""
    file = Path(folder) / RUN
    try:
        return file.is_file() and parse_object(read_file(file, "the run")).get("clip_grid") == "run"
    except InputError:
        return False


def read_run(folder: str | os.PathLike[str]) -> Run:
    """What the run in a folder is; raises InputError, naming the folder, for none, a damaged or another version's."""
    place = Path(os.path.expanduser(folder))
    if not (place / RUN).is_file():
        raise InputError(f"{place} is no run of clip-grid train: it has no {RUN}")
    try:
        values = parse_object(read_file(place / RUN, "the run"))
    except JsonError as error:
        raise InputError(f"{place / RUN} is damaged: {error}; train anew") from error
    if values.get("clip_grid") != "run":
        raise InputError(f"{place / RUN} was not written by clip-grid train; choose another folder")
    if values.get("version") != VERSION:
        raise InputError(
            f"{place} is a run of version {values.get('version')!r}, and this program reads version {VERSION}; train "
            "anew, or use the version of the program that made it"
        )
    if problem := _problem(values):
        raise InputError(f"{place / RUN} is damaged: {problem}; train anew")
    known = {field.name: values[field.name] for field in fields(Run)}
    try:
        run = Run(**known | {"base": Base.from_dict(values["base"]), "classes": tuple(values["classes"])})
        run.train_options()
    except InputError as error:
        raise InputError(f"{place / RUN} is damaged: {error}; train anew") from error
    return run


def _problem(values: Mapping[str, Any]) -> str:
    kinds = {"method": str, "kind": str, "base": dict, "options": dict, "classes": list, "data": str, "versions": dict}
    wrong = [name for name, kind in kinds.items() if not isinstance(values.get(name), kind)]
    if wrong:
        return f"it lacks {', '.join(wrong)}"
    if values["kind"] not in get_args(DataKind) or not all(isinstance(name, str) for name in values["classes"]):
        return f"its kind is {values['kind']!r} and its classes are {str(values['classes'])[:100]}"
    return ""


def versions() -> dict[str, str]:
    """Versions of Python, the system and the installed packages that results depend on."""
    found = {"python": platform.python_version(), "system": sys.platform}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def new_run_folder(folder: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """The folder for a new run, which need not exist; raises OutputError for one that holds something else.

    overwrite: also take the folder of an earlier run, whose files are replaced. A folder of anything but a run is never
    taken unless it is empty.
    """
    place = Path(os.path.expanduser(folder)).absolute()
    if os.path.lexists(place) and not place.is_dir():
        raise OutputError(f"{place} is a file; give the name of a folder for the run")
    with writing(place):
        there = [name for name in os.listdir(place) if not name.startswith(".")] if place.is_dir() else []
    if there and not is_run(place):
        raise OutputError(f"{place} holds {there[0]} and no run of clip-grid train; choose a new or empty folder")
    if there and not overwrite:
        raise OutputError(f"{place} holds a run already; choose another folder, or allow overwriting")
    return place


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """The file, whole or not at all."""
    with atomic_file(path) as file:
        file.write(json_bytes(values))


def json_bytes(values: Mapping[str, Any]) -> bytes:
    """JSON as the files of a run hold it."""
    return to_json(values, indent=2).encode() + b"\n"


def write_files(folder: Path, contents: Mapping[str, bytes], written: Collection[str] = ()) -> None:
    """Files of these names, all together or none; those of an earlier run that are not among them are removed.

    written: the names of those of this run that are there already.
    """
    with file_set(folder) as files:
        for name in FILES:
            if name not in contents and name not in written and (folder / name).is_file():
                files.remove(folder / name)
        for name, content in contents.items():
            with files.open(folder / name) as file:
                file.write(content)


def test_openings(folder: Path) -> int:
    """How often the test split of the run in a folder was used."""
    try:
        count = parse_object(read_file(folder / OPENINGS, "the counter")).get("count")
    except InputError:
        return 0
    return count if isinstance(count, int) and count > 0 else 0


def open_test_split(folder: Path) -> int:
    """Counts one more use of the test split; returns how many there were, this one included."""
    with the_only_run(folder / OPENINGS):
        count = test_openings(folder) + 1
        write_json(folder / OPENINGS, {"count": count})
    return count
