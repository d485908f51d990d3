"""Picture files of folders, globs and lists, in natural order."""

from __future__ import annotations

import glob
import os
import re
import stat
import unicodedata
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from ...errors import InputError
from ...imaging import PICTURE_SUFFIXES
from ...input_files import may_be_there
from ...visible_text import short_names
from .lists import read_list

#: A file, and its path below the folder that was asked for, with forward slashes.
NamedFile = tuple[Path, str]
#: One piece of a text: (0, digits, number) for a run of digits, (1, 0, text) for what lies between two runs.
Piece = tuple[int, int, str]
_DIGITS = re.compile(r"(\d+)")


def find_files(sources: Iterable[str | os.PathLike[str]], notes: list[str] | None = None) -> list[NamedFile]:
    """Picture files and their names, natural order within each source, each file once.

    A source is a folder (its own files, not those of folders below), a file, a glob (``**`` for folders below), or a
    ``.txt`` file that lists one source per line, relative to the list; see ``lists.read_list``. Blanks and quotes
    around a source are taken off unless a file has that very name.
    What cannot be reached beside others stands among the files too, since opening it says what is wrong with it: links
    that lead nowhere, folders that cannot be listed, lines of a list that name nothing.
    notes: what was doubtful in lists is added to it.
    Raises InputError for a source that does not exist or matches nothing, and for lists that name each other.
    """
    given = [os.fspath(source) for source in sources]
    files: dict[str, NamedFile] = {}
    read: dict[str, tuple[str, ...]] = {}
    for source in given:
        try:
            found = _files_of(source, Path(), (), read)
        except UnreadableFolder as error:
            if len(given) == 1:
                raise
            found = [(error.folder, str(error.folder))]
        if len(given) == 1 and not read:
            # a folder or a glob has each of its files once
            return [(path, readable(name)) for path, name in found]
        for path, name in found:
            files.setdefault(os.path.abspath(path), (path, readable(name)))
    if notes is not None:
        notes += [note for of_list in read.values() for note in of_list]
    return list(files.values())


class UnreadableFolder(InputError):
    """A folder that cannot be listed."""

    def __init__(self, folder: Path, error: OSError) -> None:
        super().__init__(f"the folder {folder} cannot be read ({error.strerror or error}); check its permissions")
        self.folder = folder


class _NothingThere(InputError):
    """A source that does not exist or matches nothing."""


def folder_files(folder: Path) -> list[Path]:
    """The picture files of a folder by their endings, in natural order; hidden files are left out.

    Whatever is no folder counts, also a link that leads nowhere. Raises UnreadableFolder.
    """
    try:
        with os.scandir(folder) as entries:
            visible = [entry for entry in entries if _is_picture(entry.name) and not entry.name.startswith(".")]
    except OSError as error:
        raise UnreadableFolder(folder, error) from error
    return [folder / name for name in sorted((e.name for e in visible if not _is_folder(e)), key=natural_key)]


def check_folder(path: Path, name: str) -> None:
    """Raises InputError, with the given name, for what is no folder, and UnreadableFolder where that cannot be told."""
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        shown = short_names(name)
        link = f"{shown!r} is a link that leads nowhere" if os.path.islink(path) else f"there is no folder {shown!r}"
        raise InputError(f"{link}; check the spelling") from error
    except OSError as error:
        raise UnreadableFolder(path, error) from error
    if not stat.S_ISDIR(mode):
        raise InputError(f"{name!r} is a file; give the folder that it is in")


def natural_key(text: str) -> tuple[tuple[Piece, ...], str]:
    """A sort key that puts img_2 before img_10 and Zoe after adam; any two keys can be compared.

    Texts that differ in case, in leading zeros or in Unicode composition only are neighbours, in a fixed order.
    """
    if text.isascii():
        folded = text.lower()
    else:
        folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return tuple([_piece(part) for part in _DIGITS.split(folded) if part]), text


def _piece(part: str) -> Piece:
    if not part[0].isdecimal():
        return 1, 0, part
    # compared by length, then by digit: int() refuses runs of more than 4300 digits
    digits = part if part.isascii() else "".join(str(unicodedata.decimal(digit)) for digit in part)
    digits = digits.lstrip("0")
    return 0, len(digits), digits


def readable(text: str) -> str:
    """The text with a question mark for each byte that was not UTF-8; every file format can hold it."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _is_picture(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in PICTURE_SUFFIXES


def _files_of(source: str, base: Path, lists: tuple[str, ...], read: dict[str, tuple[str, ...]]) -> list[NamedFile]:
    """The files of one source, relative to ``base``; ``lists`` lead to it, ``read`` has those known already."""
    plain = source if os.path.exists(base / source) else source.strip().strip("\"'")
    path = base / os.path.expanduser(plain)
    if plain and os.path.isdir(path):
        return [(file, file.name) for file in folder_files(path)]
    if os.path.isfile(path) and path.suffix.lower() == ".txt":
        return _listed_files(path, lists, read)
    if glob.has_magic(plain) and not os.path.lexists(path):
        return _globbed(os.path.expanduser(plain), base)
    if plain and may_be_there(path):
        return [(path, path.name)]
    raise _NothingThere(
        f"there is no folder or file {short_names(source)!r}; check the spelling, or give a glob such as 'folder/*.png'"
    )


def _listed_files(path: Path, lists: tuple[str, ...], read: dict[str, tuple[str, ...]]) -> list[NamedFile]:
    """The files of every source in a list; a line that names nothing stands for a file that is not there."""
    real = os.path.realpath(path)
    if real in lists:
        raise InputError(f"the list {path} names itself, by way of {len(lists)} lists; take it out")
    if real in read:
        return []
    files: list[NamedFile] = []
    sources, notes = read_list(path)
    for source in sources:
        try:
            files += _files_of(source, path.parent, (*lists, real), read)
        except (_NothingThere, UnreadableFolder):
            files.append((path.parent / source, source))
    read[real] = tuple(map(readable, notes))
    return files


def _globbed(pattern: str, base: Path) -> list[NamedFile]:
    """The pictures that match a pattern; a relative one starts in ``base``, whose own name is never a pattern.

    Links to folders are followed, but ``**`` goes into each real folder only once. Names that begin with a dot match
    only where the pattern's part begins with one. Folders that cannot be listed stand among the pictures.
    """
    fixed, parts = _split_pattern(pattern, base)
    unreadable: list[Path] = []
    found = [path for path in _matches(fixed, parts, unreadable) if _is_picture(path.name)]
    files = [(path, path.relative_to(fixed).as_posix()) for path in (*found, *dict.fromkeys(unreadable))]
    if not files:
        raise _NothingThere(f"no picture matches {short_names(pattern)!r}; check the folder and the pattern")
    return sorted(files, key=lambda file: natural_key(file[1]))


def _split_pattern(pattern: str, base: Path) -> tuple[Path, tuple[str, ...]]:
    """The folder in front of the first part that is a pattern, and the parts from there on."""
    parts, anchor = Path(pattern).parts, Path(pattern).anchor
    # the anchor of a long path on Windows has a question mark
    first = next((i for i, part in enumerate(parts) if glob.has_magic(part) and part != anchor), len(parts))
    return base.joinpath(*parts[:first]), parts[first:]


def matching_folders(
    pattern: str, base: Path = Path(), *, allowed: Callable[[Path], bool] = lambda folder: True
) -> list[Path]:
    """The folders that a pattern such as ``parent/*`` matches, in natural order; ``**`` is the same as ``*``.

    Folders that cannot be entered or listed, and links that may lead to one, are among them. allowed: which folders may
    be listed or be in the answer.
    """
    fixed, parts = _split_pattern(pattern, base)
    unreadable: list[Path] = []
    folders = [fixed]
    for part in parts:
        named = (folder / name for folder in folders for name in _names(folder, part, unreadable, folders=True))
        folders = [folder for folder in named if allowed(folder)]
    found = dict.fromkeys([*(folder for folder in folders if not os.path.isfile(folder)), *unreadable])
    return sorted(found, key=lambda path: natural_key(str(path)))


def _matches(folder: Path, parts: Sequence[str], unreadable: list[Path]) -> Iterator[Path]:
    """The files that match; what may be a folder and cannot be listed is added to ``unreadable``."""
    if not parts:
        return
    part, rest = parts[0], parts[1:]
    if part == "**":
        for below in _folders_below(folder, unreadable):
            yield from _matches(below, rest or ("*",), unreadable)
    elif rest:
        for name in _names(folder, part, unreadable, folders=True):
            yield from _matches(folder / name, rest, unreadable)
    else:
        yield from (folder / name for name in _names(folder, part, unreadable, folders=False))


def _names(folder: Path, part: str, unreadable: list[Path], *, folders: bool) -> list[str]:
    """Names in the folder that match one part of the pattern and are those of folders, or of all else."""
    if not glob.has_magic(part):
        # of a file that is taken for a folder, listing it tells
        return [part] if may_be_there(folder / part) and (folders or not os.path.isdir(folder / part)) else []
    names: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not fnmatch(entry.name, part) or (entry.name.startswith(".") and not part.startswith(".")):
                    continue
                is_folder = _is_folder(entry)
                if is_folder == folders or (is_folder is None and not folders):
                    names.append(entry.name)
                elif is_folder is None and not _is_picture(entry.name):
                    unreadable.append(folder / entry.name)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return []
    except OSError:
        unreadable.append(folder)
    return names


def _is_folder(entry: os.DirEntry[str]) -> bool | None:
    """Whether it is a folder or a link to one; None where that cannot be told."""
    try:
        return entry.is_dir()
    except OSError:
        return None


def _folders_below(folder: Path, unreadable: list[Path]) -> Iterator[Path]:
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
        for name in _names(current, "*", unreadable, folders=True):
            (waiting.appendleft if os.path.islink(current / name) else waiting.append)(current / name)
