"""Files that are whole or not there: written under a temporary name beside the target, then renamed."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from .errors import ClipGridError, OutputError

_CURES = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EFBIG: "files may not grow as large as this; raise the limit or make a smaller sheet",
    errno.EDQUOT: "your quota is used up; free some space",
    errno.EACCES: "no permission to write there; choose another folder",
    errno.EPERM: "no permission to write there; choose another folder",
    errno.EROFS: "the folder is read-only; choose another one",
    errno.EISDIR: "there is a folder of that name; choose another name",
    errno.ENOTDIR: "what should be its folder is a file; choose another folder",
    errno.EEXIST: "what should be its folder is a file; choose another folder",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
}


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """A binary file, open for writing and seekable, that appears under ``path`` only when the block ends well.

    Whatever ends the block early leaves an older file under that name as it was. Raises OutputError when the folder or
    the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # not tempfile.mkstemp: its files may be read by their owner only; names end at 255 bytes, 4 a character
        temporary = path.with_name(f".{path.name[:40]}.{secrets.token_hex(4)}.part")
        handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    except ValueError as error:
        raise OutputError(f"{str(path)!r} cannot be written: it does not name a file; give one") from error
    except OSError as error:
        raise output_error(path, error) from error
    try:
        with os.fdopen(handle, "w+b") as file:
            yield cast(BinaryIO, file)
        os.replace(temporary, path)
    except OSError as error:
        if isinstance(error, ClipGridError):
            raise
        raise output_error(path, error) from error
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)


def output_error(path: Path, error: OSError) -> OutputError:
    """The error for a file that cannot be written, with its cure."""
    cure = _CURES.get(error.errno or 0, str(error.strerror or error))
    return OutputError(f"{path} cannot be written: {cure}")
