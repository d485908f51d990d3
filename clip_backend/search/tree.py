"""What changed in the folders of an index since its last update, found from names and states alone: no file is opened.

A file is the one that is known as long as path, size and time of change are equal. One that was renamed or moved is
recognised by its number in the file system (inode), together with size and time.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

#: A file that changed less than this before it was seen may change again within one tick of the file system's clock,
#: which is 2 s for FAT: it is read again at the next update.
SETTLED_NS = 2_000_000_000
_KINDS = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


@dataclass(frozen=True)
class FoundFile:
    """A file of a folder, as the system tells of it."""

    #: The folder below the root, empty for the root itself, and the name in it.
    folder: bytes
    name: bytes
    size: int
    mtime_ns: int
    #: Number of the volume, and of the file in it; "0" where the file system has none.
    device: str
    inode: str
    #: Whether it had not changed just before.
    is_settled: bool
    #: Why it cannot be read, where its state tells.
    reason: str = ""


#: What the index knows of a file: (id, size, time of change, whether it is missing, whether it must be read again even
#: if it did not change).
_Known = tuple[int, int, int, bool, bool]


@dataclass
class Changes:
    """What differs between a root's folders and the index."""

    #: To be read: files that are new, have changed, or whose last reading was too early.
    to_read: list[FoundFile] = field(default_factory=list)
    #: New names of known files: (id, new place).
    moved: list[tuple[int, FoundFile]] = field(default_factory=list)
    #: Further names of known files: (picture, place).
    linked: list[tuple[int, FoundFile]] = field(default_factory=list)
    #: Ids of files that are gone, and of those that are there again.
    gone: list[int] = field(default_factory=list)
    back: list[int] = field(default_factory=list)
    #: What was not as it is said to be: (path, reason).
    unreadable: list[tuple[bytes, str]] = field(default_factory=list)
    unchanged: int = 0
    #: The volume of the root; empty if the root cannot be listed, and then nothing of it has changed.
    device: str = ""


@dataclass(frozen=True)
class _Listing:
    folder: bytes
    files: dict[bytes, os.stat_result]
    #: Why it could not be listed.
    reason: str = ""


def find_changes(
    connection: sqlite3.Connection,
    root: int,
    is_picture: Callable[[bytes], bool],
    *,
    below: bytes = b"",
    retry_failed: bool = False,
    clock_ns: Callable[[], int] = time.time_ns,
) -> Changes:
    """The changes of one root.

    root: its id. is_picture: whether a name is that of a picture. below: the folder to look into, relative to the root.
    retry_failed: also read files again that could not be used last time.
    """
    ((path, device),) = connection.execute("SELECT path, device FROM roots WHERE id = ?", (root,))
    changes = Changes()
    if reason := _why_away(path, device, below):
        changes.unreadable.append((path, reason))
        return changes
    changes.device = str(os.stat(path).st_dev)
    new: list[FoundFile] = []
    frozen: list[bytes] = []
    visited: set[bytes] = set()
    for listing in _listings(path, below, is_picture):
        if listing.reason:
            frozen.append(listing.folder)
            changes.unreadable.append((os.path.join(path, listing.folder), listing.reason))
            continue
        visited.add(listing.folder)
        known = _known_files(connection, root, listing.folder, retry_failed)
        now = clock_ns()
        for name, status in listing.files.items():
            row = known.pop(name, None)
            if row is None:
                new.append(_found(listing.folder, name, status, now))
            elif row[1] != status.st_size or row[2] != status.st_mtime_ns or row[4]:
                changes.to_read.append(_found(listing.folder, name, status, now))
            else:
                changes.unchanged += 1
                if row[3]:
                    changes.back.append(row[0])
        changes.gone += [row[0] for row in known.values() if not row[3]]
    changes.gone += _gone_with_folders(connection, root, below, visited, frozen)
    _recognise(connection, new, changes)
    return changes


def picture_states(folder: Path, is_picture: Callable[[bytes], bool]) -> Iterator[tuple[bytes, bytes, int, int]]:
    """Folder below, name, size and time of change of each picture in a folder and all below it, in no order."""
    for listing in _listings(os.fsencode(folder), b"", is_picture):
        for name, status in listing.files.items():
            yield listing.folder, name, status.st_size, status.st_mtime_ns


def _why_away(root: bytes, device: str, below: bytes) -> str:
    """Why nothing can be said of a root; empty if it is there."""
    try:
        is_other_volume = bool(device) and str(os.stat(root).st_dev) != device
        if below and not is_other_volume:
            # the root is there: a folder of it that cannot be listed freezes itself alone
            return ""
        with os.scandir(os.path.join(root, below) if below else root) as entries:
            is_empty = next(entries, None) is None
    except OSError as error:
        return f"cannot be listed ({error.strerror or error})"
    if is_empty and is_other_volume and not below:
        # where a drive was mounted there is an empty folder once it is unplugged
        return "is empty and on another volume than before, as if its drive were unplugged"
    return ""


def _listings(root: bytes, below: bytes, is_picture: Callable[[bytes], bool]) -> Iterator[_Listing]:
    """The pictures of every folder, hidden ones left out; linked folders are followed, each real folder once."""
    waiting = [below]
    seen: set[tuple[int, int]] = set()
    while waiting:
        folder = waiting.pop()
        path = os.path.join(root, folder) if folder else root
        files: dict[bytes, os.stat_result] = {}
        folders: list[bytes] = []
        try:
            status = os.stat(path)
            # systems without numbers of folders have no links that could lead in circles
            if status.st_ino and (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(path) as entries:
                for entry in entries:
                    name = entry.name
                    if name.startswith(b"."):
                        continue
                    if _is_folder(entry):
                        folders.append(os.path.join(folder, name))
                    elif is_picture(name) and (status_of := _status(entry)):
                        files[name] = status_of
        except OSError as error:
            yield _Listing(folder, {}, f"cannot be listed ({error.strerror or error})")
            continue
        # links last, so that a folder is known by its real place
        waiting += sorted(folders, key=lambda one: (not os.path.islink(os.path.join(root, one)), one))
        yield _Listing(folder, files)


def _is_folder(entry: os.DirEntry[bytes]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _status(entry: os.DirEntry[bytes]) -> os.stat_result | None:
    """The state of what an entry leads to, or of the link itself if that is not there; None if it has just gone."""
    try:
        return entry.stat()
    except OSError:
        pass
    try:
        return entry.stat(follow_symlinks=False)
    except OSError:
        return None


def _found(folder: bytes, name: bytes, status: os.stat_result, now_ns: int) -> FoundFile:
    kind = stat.S_IFMT(status.st_mode)
    reason = ""
    if kind == stat.S_IFLNK:
        reason = "a link that leads nowhere"
    elif kind != stat.S_IFREG:
        reason = f"{_KINDS.get(kind, 'something else')}, not a file"
    is_settled = abs(now_ns - status.st_mtime_ns) > SETTLED_NS
    return FoundFile(
        folder, name, status.st_size, status.st_mtime_ns, str(status.st_dev), str(status.st_ino), is_settled, reason
    )


def _known_files(connection: sqlite3.Connection, root: int, folder: bytes, retry_failed: bool) -> dict[bytes, _Known]:
    """What the index knows of the files of one folder, by name."""
    rows = connection.execute(
        "SELECT name, files.id, size, mtime_ns, missing IS NOT NULL,"
        " NOT is_settled OR (pictures.row IS NULL AND (? OR stage = ''))"
        " FROM files LEFT JOIN pictures ON pictures.id = picture WHERE root = ? AND folder = ?",
        (retry_failed, root, folder),
    )
    return {row[0]: row[1:] for row in rows}


def _gone_with_folders(
    connection: sqlite3.Connection, root: int, below: bytes, visited: set[bytes], frozen: list[bytes]
) -> list[int]:
    """Files of folders that are no longer there; what lies in folders that could not be listed stays as it is."""
    folders = [folder for (folder,) in connection.execute("SELECT DISTINCT folder FROM files WHERE root = ?", (root,))]
    gone = [
        folder
        for folder in folders
        if folder not in visited and is_below(folder, below) and not any(is_below(folder, one) for one in frozen)
    ]
    ids: list[int] = []
    for folder in gone:
        rows = connection.execute(
            "SELECT id FROM files WHERE root = ? AND folder = ? AND missing IS NULL", (root, folder)
        )
        ids += [id for (id,) in rows]
    return ids


def is_below(folder: bytes, other: bytes) -> bool:
    """Whether a folder, relative to a root, is another one or lies in it."""
    return not other or folder == other or folder.startswith(other + os.sep.encode())


def _recognise(connection: sqlite3.Connection, new: list[FoundFile], changes: Changes) -> None:
    """Sorts new paths into those of known files, by number, size and time, and those that must be read."""
    gone = set(changes.gone)
    # a file has one new name; what else leads to it is a further link.
    moved: set[int] = set()
    for found in new:
        twin = _twin(connection, found, gone, moved)
        if twin is None:
            changes.to_read.append(found)
        elif twin.is_gone:
            gone.discard(twin.file)
            moved.add(twin.file)
            changes.moved.append((twin.file, found))
        else:
            changes.linked.append((twin.picture, found))
    changes.gone = sorted(gone)


@dataclass(frozen=True)
class _Twin:
    file: int
    picture: int
    #: Whether its old name is gone, so that the file was moved.
    is_gone: bool


def _twin(connection: sqlite3.Connection, found: FoundFile, gone: set[int], moved: set[int]) -> _Twin | None:
    """The known file that has the same number, size and time of change, under whichever name.

    moved: files that have got their new names already.
    """
    if found.inode == "0" or found.reason or not found.is_settled:
        return None
    rows = connection.execute(
        "SELECT files.id, picture, roots.path, folder, name FROM files JOIN roots ON roots.id = root"
        " JOIN pictures ON pictures.id = picture"
        " WHERE inode = ? AND size = ? AND mtime_ns = ? AND device = ? AND is_settled AND pictures.row IS NOT NULL"
        " ORDER BY files.id",
        (found.inode, found.size, found.mtime_ns, found.device),
    ).fetchall()
    twins = [
        _Twin(id, picture, id not in moved and (id in gone or not os.path.lexists(os.path.join(root, folder, name))))
        for id, picture, root, folder, name in rows
    ]
    return next((twin for twin in twins if twin.is_gone), twins[0] if twins else None)
