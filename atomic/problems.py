"""What goes wrong when a file is written, in words that name the culprit and the cure."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import ClipGridError, InputError, OutputError
from ..visible_text import short_names

#: The endings of temporary files, and of older files that are kept until the new ones are there.
PART, BACKUP = ".part", ".old"
_CURES = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EFBIG: "files may not grow as large as this; raise the limit or make a smaller sheet",
    errno.EDQUOT: "your quota is used up; free some space",
    errno.EACCES: "no permission to write there; choose another folder",
    errno.EPERM: "no permission to write there; choose another folder",
    errno.EROFS: "the folder is read-only; choose another one",
    errno.EISDIR: "there is a folder of that name; choose another name",
    errno.ENOTDIR: "what should be its folder is a file; choose another folder",
    errno.EEXIST: "another program has just made it; choose another name",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
}
#: What Windows says of a file that another program has open: a sharing violation, a lock violation.
_IN_USE = (32, 33)
_KINDS = {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device", stat.S_IFBLK: "device"}


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What goes wrong while a file is written, as an error of ours that names the culprit and the cure."""
    try:
        yield
    except ClipGridError:
        raise
    except OSError as error:
        raise output_error(path, error) from error


def check_name(path: Path) -> None:
    """Raises OutputError for a path that cannot be that of a file, such as an empty one or a root."""
    if not path.name or "\0" in str(path):
        raise OutputError(f"{str(path)!r} cannot be written: it does not name a file; give one")


def make_folder(folder: Path) -> None:
    """Makes the folder and those above it; raises OutputError, which names the file that is in the way."""
    if "\0" in str(folder):
        check_name(folder)
    with writing(folder):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            file = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
            raise OutputError(f"{folder} cannot be written: its folder is a file ({file}); choose another") from error


def check_regular(path: Path) -> None:
    """Raises OutputError for a folder, pipe, socket or device of this name, which no file may replace."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        # there is none, or what is wrong with the name is said when it is opened
        return
    if stat.S_ISDIR(mode):
        raise OutputError(f"{path} is a folder; give the name of a file in it")
    if kind := _KINDS.get(stat.S_IFMT(mode)):
        raise OutputError(f"{path} is a {kind} and no file; choose another name")


def check_replaceable(path: Path, is_ours: Callable[[Path], bool], kind: str, *, overwrite: bool) -> None:
    """Raises OutputError when an existing file is neither empty nor ours, unless it may be overwritten."""
    check_regular(path)
    if os.path.exists(path) and not (overwrite or is_empty(path) or is_ours(path)):
        raise OutputError(f"{path} exists and is not {kind}; choose another name, or allow overwriting")


def is_empty(path: Path) -> bool:
    """Whether the file holds nothing, as one that a shell made for ``> FILE``; it may be replaced."""
    return os.path.isfile(path) and os.path.getsize(path) == 0


def output_error(path: Path, error: OSError) -> ClipGridError:
    """The error for a file that cannot be written, or for another one that cannot be read for it, with its cure."""
    source = error.filename
    if isinstance(source, (str, os.PathLike)) and not _belongs(Path(source), path):
        return InputError(
            f"{short_names(str(source))} cannot be read: {error.strerror or error}; check the path and its permissions"
        )
    if getattr(error, "winerror", None) in _IN_USE:
        cure = "another program has it open; close it there, or choose another name"
    else:
        cure = _CURES.get(error.errno or 0, str(error.strerror or error))
    return OutputError(f"{short_names(str(path))} cannot be written: {cure}")


def _belongs(source: Path, path: Path) -> bool:
    """Whether a file is the one to be written, one of its temporary files, or a folder above it."""
    named, target = Path(os.path.abspath(source)), Path(os.path.abspath(path))
    if named == target or named in target.parents:
        return True
    is_hidden = named.name.startswith(".") and named.suffix in (PART, BACKUP, ".set", ".lock")
    return is_hidden and named.parent in (target, target.parent)
