"""Files that the user names: only regular ones are opened, so that no pipe, socket or device is waited for or read."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from .errors import InputError
from .visible_text import short_names

#: Larger tables, lists, templates and the like are refused before they are read.
MAX_TEXT_BYTES = 64 << 20
#: What the system answers for a name that nothing has; the last two are those of names that nothing can have.
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EINVAL)
#: What is no file, by what ``stat`` tells of it.
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_file(path: Path) -> BinaryIO:
    """The regular file, open for reading. Raises InputError for a name that no file can have and for what is no file.

    Raises OSError if it is not there or cannot be opened.
    """
    check_file(path)
    # without blocking, should a pipe have taken its place since
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    if reason := _not_a_file(os.fstat(handle)):
        os.close(handle)
        raise InputError(reason)
    return os.fdopen(handle, "rb")


def may_be_there(path: Path) -> bool:
    """Whether something has that name, a link that leads nowhere included, or that cannot be told; opening it says why.

    It cannot be told in a folder that may not be entered, and behind a link to itself.
    """
    try:
        os.lstat(path)
    except OSError as error:
        return error.errno not in _NOT_THERE
    except ValueError:
        return False
    return True


def check_file(path: Path) -> os.stat_result:
    """What the system tells of the file; raises as ``open_file``, without opening it."""
    try:
        status = os.stat(path)
    except FileNotFoundError as error:
        if os.path.islink(path):
            raise InputError(f"a link to {os.readlink(path)}, which is not there; mend or remove it") from error
        raise
    except ValueError as error:
        raise InputError(f"no file can have this name ({error}); check the path") from error
    if reason := _not_a_file(status):
        raise InputError(reason)
    return status


def read_file(path: Path, what: str, *, most_bytes: int = MAX_TEXT_BYTES) -> bytes:
    """The content of a file that may have at most so many bytes.

    what: stands before the path in messages, such as "the table". Raises InputError, naming the file and the cure, for
    what is no file, is larger, or cannot be read.
    """
    shown = short_names(str(path))
    named = f"{what} {shown if shown.isprintable() else repr(shown)}"
    try:
        with open_file(path) as file:
            data = file.read(most_bytes + 1)
    except InputError as error:
        raise InputError(f"{named} cannot be read: {error}") from error
    except FileNotFoundError as error:
        raise InputError(f"{named} does not exist; check the path") from error
    except OSError as error:
        raise InputError(f"{named} cannot be read: {error.strerror or error}; check the path") from error
    if len(data) > most_bytes:
        raise InputError(f"{named} is larger than {most_bytes >> 20} MiB, the most that is read; give a smaller file")
    return data


def _not_a_file(status: os.stat_result) -> str:
    """Why it cannot be read as a file; empty for a regular file."""
    if stat.S_ISREG(status.st_mode):
        return ""
    kind = next((kind for is_kind, kind in _KINDS if is_kind(status.st_mode)), "something else")
    return f"it is {kind}, not a file; give a file"
