"""Locks between processes and threads: a file that is locked while it is open, and free when its process ends."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: Seconds between two tries for a lock that another holds.
_PAUSE = 0.01
#: What file systems without locks say; there, a lock is taken for free.
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF}

if sys.platform == "win32":
    import msvcrt

    #: Locked bytes cannot be read by others, so that one far behind the content is locked.
    _LOCKED_BYTE = 1 << 30

    def _lock(handle: int) -> None:
        at = os.lseek(handle, 0, os.SEEK_CUR)
        os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(handle, at, os.SEEK_SET)
else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


class FileLock:
    """A locked file. Whoever has it removes the file in the end, since nothing else is kept in it."""

    def __init__(self, path: Path, handle: int, is_sure: bool) -> None:
        self.path = path
        self.handle = handle
        #: Whether the file system really keeps others out.
        self.is_sure = is_sure

    def remove(self) -> None:
        """Removes the file, if that is possible, and frees the lock; a file without a lock is in nobody's way."""
        if sys.platform == "win32":
            # an open file cannot be removed there, and another may open it before it is
            os.close(self.handle)
            with suppress(OSError):
                os.unlink(self.path)
        else:
            with suppress(OSError):
                os.unlink(self.path)
            os.close(self.handle)

    def leave(self) -> None:
        """Frees the lock and leaves the file."""
        os.close(self.handle)


def take_lock(path: Path, *, create: bool = True) -> FileLock | None:
    """The lock of a file, which is made if need be; None while another process or thread has it.

    Raises FileNotFoundError for a missing file that is not to be made, and OSError for one that cannot be opened.
    """
    flags = os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | (os.O_CREAT if create else 0)
    while True:
        handle = os.open(path, flags, 0o666)
        is_sure = True
        try:
            _lock(handle)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                os.close(handle)
                if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                    return None
                raise
            is_sure = False
        # the one who had it before may have removed the file meanwhile
        if _is_file_of(handle, path):
            return FileLock(path, handle, is_sure)
        os.close(handle)


def _is_file_of(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


@contextmanager
def waiting_lock(path: Path, seconds: float, too_long: Callable[[], Exception]) -> Iterator[None]:
    """The lock of a file, waited for; after so many seconds what ``too_long`` gives is raised."""
    end = time.monotonic() + seconds
    while (lock := take_lock(path)) is None:
        if time.monotonic() > end:
            raise too_long()
        time.sleep(_PAUSE)
    try:
        yield
    finally:
        lock.remove()
