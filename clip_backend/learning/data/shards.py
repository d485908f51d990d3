"""Shards of webdataset and img2dataset: tar files whose members of one stem are one example.

Source: https://github.com/webdataset/webdataset#the-webdataset-format
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from ....errors import InputError
from ....imaging import PICTURE_SUFFIXES
from ....input_files import open_file
from ....json_text import UNIQUE, JsonError, parse_object
from ...preparing.pictures import TarMember
from .rows import Row
from .tables import Columns, cells_of

_TEXT_SUFFIXES = (".txt", ".caption", ".text")
#: The number or name of a class.
_CLASS_SUFFIXES = (".cls", ".cls.txt", ".label")
MAX_TEXT_BYTES = 1 << 20
#: Key and ending of a member: the base name is cut at its first dot. Members without an ending are no part of a sample.
_KEY = re.compile(r"((?:.*/)?[^./][^/.]*)\.([^/]*)", re.DOTALL)
#: What webdataset keeps about the whole archive.
_ABOUT_ALL = re.compile(r"__[^/]*__(?:$|/)")


@dataclass
class _Sample:
    """The members of one stem."""

    archive: Path
    stem: str
    picture: TarMember | None = None
    #: Other pictures under a longer ending, such as "seg.png", by that; the picture itself where it is the only one.
    others: dict[str, TarMember] = field(default_factory=dict)
    text: str = ""
    label: str = ""
    #: The values in its JSON member.
    record: dict[str, object] = field(default_factory=dict)
    problem: tuple[str, str] | None = None


def shard_rows(archives: Sequence[Path]) -> Iterator[Row]:
    """A row for each sample of the shards, numbered in their order."""
    numbers = count(1)
    for archive in archives:
        for sample in _samples(archive):
            yield from _rows(sample, next(numbers))


def _samples(archive: Path) -> Iterator[_Sample]:
    """The samples of a shard; one that is damaged gives those in front, and one with the reason."""
    current: _Sample | None = None
    with open_file(archive) as file:
        try:
            # without compression, so that each picture can be read where it lies
            with tarfile.open(fileobj=file, mode="r:") as tar:
                for member in tar:
                    key = _KEY.fullmatch(member.name)
                    if key is None or not member.isreg() or _ABOUT_ALL.match(member.name):
                        continue
                    stem, suffix = key[1], f".{key[2].lower()}"
                    if current is None or current.stem != stem:
                        if current is not None:
                            yield current
                        current = _Sample(archive, stem)
                    _take(current, suffix, tar, member)
        except (tarfile.TarError, EOFError, OSError, ValueError) as error:
            # the last of tarfile, for a damaged table of a file with holes
            if current is not None:
                yield current
            told = getattr(error, "strerror", None) or error
            reason = f"the archive cannot be read from here on ({told}); make or fetch it again, without compression"
            yield _Sample(archive, "", problem=("broken-archive", reason))
            return
    if current is not None:
        yield current
    else:
        yield _Sample(archive, "", problem=("broken-archive", "the archive has no samples; leave it out"))


def _take(sample: _Sample, suffix: str, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    if f".{suffix.rpartition('.')[2]}" in PICTURE_SUFFIXES:
        _take_picture(sample, suffix, member)
        return
    if suffix not in (*_TEXT_SUFFIXES, *_CLASS_SUFFIXES, ".json"):
        return
    if member.size > MAX_TEXT_BYTES:
        sample.problem = ("bad-entry", f"{member.name} is larger than {MAX_TEXT_BYTES >> 20} MiB; shorten it")
        return
    content = tar.extractfile(member)
    data = content.read() if content else b""
    try:
        if suffix == ".json":
            sample.record = parse_object(data, UNIQUE)
        elif suffix in _CLASS_SUFFIXES:
            sample.label = data.decode("utf-8-sig").strip()
        else:
            sample.text = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        sample.problem = ("encoding", f"{member.name} is not UTF-8; save it in UTF-8")
    except JsonError as error:
        sample.problem = ("bad-entry", f"{member.name} cannot be read as JSON: {error}")


def _take_picture(sample: _Sample, suffix: str, member: tarfile.TarInfo) -> None:
    picture = TarMember(sample.archive, member.name, member.offset_data, member.size)
    if member.issparse():
        sample.problem = ("bad-entry", f"{member.name} is stored with holes; make the archive without --sparse")
    elif suffix.count(".") > 1:
        sample.others[suffix] = picture
    elif sample.picture is None:
        sample.picture = picture
    else:
        sample.problem = ("bad-entry", f"it has two pictures, {sample.picture.member} and {member.name}; keep one")


def _rows(sample: _Sample, number: int) -> Iterator[Row]:
    others = [*sample.others.values()]
    picture = sample.picture or (others[0] if len(others) == 1 else None)
    name = f"{sample.archive.name}/{picture.member if picture else sample.stem}".rstrip("/")
    problem = sample.problem
    if problem is None and picture is None and others:
        problem = ("bad-entry", f"it has {len(others)} pictures, such as {others[0].member}; keep one")
    elif problem is None and picture is None:
        problem = ("no-picture", "no picture has this name in the archive; add it, or leave the others out")
    record, columns = cells_of(sample.record), Columns.of_texts(list(sample.record))
    if sample.text:
        # a file of its own goes before the JSON file, into which img2dataset writes the same text
        columns = replace(columns, text=columns.text or "text")
        record[columns.text] = sample.text
    for row in columns.rows(record, number, None, problem):
        yield replace(
            row, picture=picture or "", name=name, label=sample.label or row.label, is_class=bool(sample.label)
        )


def check_archive(path: Path) -> None:
    """Raises InputError for an archive that is compressed, so that its pictures cannot be read where they lie."""
    if path.name.lower().endswith((".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")):
        raise InputError(f"{path} is compressed; unpack it to a .tar file, whose pictures are compressed anyway")
