"""Picture files of folders, globs and lists, in natural order."""

from __future__ import annotations

import glob
import os
import re
import unicodedata
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from ...errors import InputError
from ...imaging import PICTURE_SUFFIXES

#: A file, and its path below the folder that was asked for, with forward slashes.
NamedFile = tuple[Path, str]
#: One piece of a text: (0, digits, number) for a run of digits, (1, 0, text) for what lies between two runs.
Piece = tuple[int, int, str]


def find_files(sources: Iterable[str | os.PathLike[str]]) -> list[NamedFile]:
    """Picture files and their names, natural order within each source, each file once.

    A source is a folder (its own files, not those of folders below), a file, a glob (``**`` for folders below), or a
    ``.txt`` file that lists one source per line, relative to the list; blank lines and lines that begin with # are not
    read. Blanks and quotes around a source are taken off unless a file has that very name.
    Raises InputError for a source that does not exist or matches nothing, and for lists that name each other.
    """
    files: dict[str, NamedFile] = {}
    for source in sources:
        for path, name in _files_of(os.fspath(source), Path(), ()):
            files.setdefault(os.path.abspath(path), (path, readable(name)))
    return list(files.values())


def folder_files(folder: Path) -> list[Path]:
    """The picture files of a folder by their endings, in natural order; hidden files are left out.

    Raises InputError when the folder cannot be read.
    """
    try:
        names = os.listdir(folder)
    except OSError as error:
        raise InputError(f"the folder {folder} cannot be read ({error.strerror or error})") from error
    visible = [name for name in names if _is_picture(name) and not name.startswith(".")]
    return [folder / name for name in sorted(visible, key=natural_key) if os.path.isfile(folder / name)]


def natural_key(text: str) -> tuple[tuple[Piece, ...], str]:
    """A sort key that puts img_2 before img_10 and Zoe after adam; any two keys can be compared.

    Texts that differ in case, in leading zeros or in Unicode composition only are neighbours, in a fixed order.
    """
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return tuple(_piece(part) for part in re.split(r"(\d+)", folded) if part), text


def _piece(part: str) -> Piece:
    if not part[0].isdecimal():
        return 1, 0, part
    # compared by length, then by digit: int() refuses runs of more than 4300 digits
    digits = "".join(str(unicodedata.decimal(digit)) for digit in part).lstrip("0")
    return 0, len(digits), digits


def readable(text: str) -> str:
    """The text with a question mark for each byte that was not UTF-8; every file format can hold it."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _is_picture(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in PICTURE_SUFFIXES


def _files_of(source: str, base: Path, lists: tuple[str, ...]) -> list[NamedFile]:
    """The files of one source, relative to ``base``; ``lists`` are the lists that lead to it."""
    plain = source if os.path.exists(base / source) else source.strip().strip("\"'")
    path = base / os.path.expanduser(plain)
    if plain and os.path.isdir(path):
        return [(file, file.name) for file in folder_files(path)]
    if os.path.isfile(path):
        return _listed_files(path, lists) if path.suffix.lower() == ".txt" else [(path, path.name)]
    if glob.has_magic(plain):
        return _globbed(os.path.expanduser(plain), base)
    raise InputError(
        f"there is no folder or file {source!r}; check the spelling, or give a glob such as 'folder/*.png'"
    )


def _listed_files(path: Path, lists: tuple[str, ...]) -> list[NamedFile]:
    """The files of every source in a list."""
    real = os.path.realpath(path)
    if real in lists:
        raise InputError(f"the list {path} names itself, by way of {len(lists)} lists; take it out")
    try:
        lines = [line.strip() for line in path.read_text("utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"the list {path} cannot be read ({error}); it must be UTF-8 text, one path per line"
        ) from error
    sources = [line for line in lines if line and not line.startswith("#")]
    return [file for source in sources for file in _files_of(source, path.parent, (*lists, real))]


def _globbed(pattern: str, base: Path) -> list[NamedFile]:
    """The pictures that match a pattern; a relative one starts in ``base``, whose own name is never a pattern.

    Links to folders are followed, but ``**`` goes into each real folder only once. Names that begin with a dot match
    only where the pattern's part begins with one. Folders that cannot be read have no files.
    """
    parts, anchor = Path(pattern).parts, Path(pattern).anchor
    # the anchor of a long path on Windows has a question mark
    first = next((i for i, part in enumerate(parts) if glob.has_magic(part) and part != anchor), len(parts))
    fixed = base.joinpath(*parts[:first])
    files = [(path, path.relative_to(fixed).as_posix()) for path in _matches(fixed, parts[first:])]
    pictures = [file for file in files if _is_picture(file[1])]
    if not pictures:
        raise InputError(f"no picture matches {pattern!r}; check the folder and the pattern")
    return sorted(pictures, key=lambda file: natural_key(file[1]))


def _matches(folder: Path, parts: Sequence[str]) -> Iterator[Path]:
    if not parts:
        return
    part, rest = parts[0], parts[1:]
    if part == "**":
        for below in _folders_below(folder):
            yield from _matches(below, rest or ("*",))
    elif rest:
        for name in _names(folder, part, os.path.isdir):
            yield from _matches(folder / name, rest)
    else:
        yield from (folder / name for name in _names(folder, part, os.path.isfile))


def _names(folder: Path, part: str, is_kind: Callable[[Path], bool]) -> list[str]:
    """Names in the folder that match one part of the pattern and are folders, or files."""
    if not glob.has_magic(part):
        return [part] if is_kind(folder / part) else []
    try:
        names = os.listdir(folder)
    except (OSError, ValueError):
        return []
    matching = (name for name in names if fnmatch(name, part) and (part.startswith(".") or not name.startswith(".")))
    return [name for name in matching if is_kind(folder / name)]


def _folders_below(folder: Path) -> Iterator[Path]:
    """The folder and all folders below it; linked ones last, so that a picture is named by its real place."""
    waiting = deque([folder])
    seen: set[str] = set()
    while waiting:
        current = waiting.pop()
        real = os.path.realpath(current)
        if real in seen:
            continue
        seen.add(real)
        yield current
        for name in _names(current, "*", os.path.isdir):
            (waiting.appendleft if os.path.islink(current / name) else waiting.append)(current / name)
