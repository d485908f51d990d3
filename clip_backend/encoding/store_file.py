"""The SQLite file behind ``DiskStore``: opened for several processes, on every kind of disk, or set aside if broken."""

from __future__ import annotations

import os
import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ...atomic import output_error
from ...errors import CheckpointError, OutputError
from ...log import logger
from ..checkpoints.safetensors_header import read_header

FILE = "embeddings.sqlite"
#: What a file that cannot be used is renamed to.
BROKEN = "embeddings.broken.sqlite"
#: Version of the tables; a file of another version is set aside.
VERSION = 1
#: Seconds that a process waits while another one writes.
BUSY_SECONDS = 10.0
#: Bytes; five rows of 768 dimensions fill one nearly to the end.
_PAGE = 16 << 10
#: For reading a file as if nobody wrote to it.
_ALONE = "?mode=ro&immutable=1"
_COMPANIONS = ("", "-wal", "-shm", "-journal")
_SCHEMA = (
    "CREATE TABLE keys (key TEXT PRIMARY KEY, used INTEGER NOT NULL, place INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE vectors (place INTEGER PRIMARY KEY, vector BLOB NOT NULL)",
)
_TABLES = "SELECT count(*) FILTER (WHERE name IN ('keys', 'vectors')), count(*) FROM sqlite_master"
#: File systems of other machines, where processes cannot share the memory that a write-ahead log needs.
_NETWORK = re.compile(
    r"nfs|cifs|smb|9p|drvfs|afs|ceph|lustre|gpfs|beegfs|vboxsf|virtiofs|prl_fs|fuse\.(?!ext|fuse-?overlay|ntfs|portal)"
)
#: Device and number of a file, whatever its name is later.
FileId = tuple[int, int]
#: The name of a file of embeddings as written before there was one for all of them.
_SHARD = re.compile(r"[0-9a-f]{16}\.safetensors")


class CorruptStore(Exception):
    """The file can never be used; ``DiskStore`` answers it by setting the file aside."""

    def __init__(self, reason: str, identity: FileId | None) -> None:
        super().__init__(reason)
        #: Which file it is.
        self.identity = identity


@dataclass(frozen=True)
class OpenStore:
    """An open file of embeddings."""

    connection: sqlite3.Connection
    identity: FileId
    is_read_only: bool


@dataclass(frozen=True)
class StoreInfo:
    """What is stored in a folder for embeddings."""

    path: Path
    rows: int
    size_bytes: int
    #: Why the rows cannot be counted; empty if they can.
    problem: str = ""


def open_store(path: Path) -> OpenStore:
    """The file, made if it is not there; for reading alone where it cannot be written to.

    Raises CorruptStore for a file that is broken or none of this version, OutputError if it can be neither made nor
    read.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(path, error) from error
    try:
        return _connected(path, path, read_only=False)
    except sqlite3.OperationalError as error:
        if path.is_file() and not is_busy(error):
            with suppress(sqlite3.OperationalError):
                return _read_only(path)
        raise unusable(path, error) from error


def unusable(path: Path, error: Exception) -> OutputError:
    """The error for a file that SQLite cannot use, with its cure."""
    cure = "free some space on its disk, check its permissions, or name another folder"
    if is_busy(error):
        cure = "another program has been writing to it for long; end that one, or name another folder"
    return OutputError(f"{path} cannot be used: {error}; {cure}")


def store_info(folder: Path) -> StoreInfo:
    """What is stored in the folder, which need not exist; nothing is changed."""
    path = folder / FILE
    size = sum(os.path.getsize(file) for file in _with_companions(path) if os.path.isfile(file))
    if not size:
        return StoreInfo(path, 0, 0)
    try:
        # SQLite would put a log beside a file that nobody has open, and leave it there
        in_use = os.path.exists(f"{path}-wal")
        opened = _read_only(path) if in_use else _connected(path, f"{path.absolute().as_uri()}{_ALONE}", read_only=True)
        with closing(opened.connection) as connection:
            ((rows,),) = connection.execute("SELECT count(*) FROM keys")
            return StoreInfo(path, rows, size)
    except (sqlite3.Error, CorruptStore) as error:
        return StoreInfo(path, 0, size, str(error))


def set_aside(path: Path, broken: CorruptStore) -> None:
    """Renames a broken file, and notes it; leaves alone what another process has put in its place meanwhile.

    Raises OutputError if it cannot be renamed.
    """
    if file_id(path) != broken.identity:
        return
    target = path.with_name(BROKEN)
    try:
        for old, new in zip(_with_companions(path), _with_companions(target), strict=True):
            with suppress(FileNotFoundError):
                os.unlink(new)
            with suppress(FileNotFoundError):
                os.rename(old, new)
    except OSError as error:
        raise OutputError(f"{path} is broken ({broken}) and cannot be moved: {error.strerror}; remove it") from error
    logger.warning("%s: %s; it is now %s, and its embeddings are computed anew", path, broken, target.name)


def file_id(path: Path) -> FileId | None:
    """Device and number of the file under this name; None if there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def is_busy(error: Exception) -> bool:
    """Whether another process was writing for too long."""
    return "locked" in str(error)


def _connected(path: Path, target: Path | str, *, read_only: bool) -> OpenStore:
    # threads take turns; see EmbeddingCache
    connection = sqlite3.connect(
        target, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=read_only
    )
    try:
        if read_only:
            _has_tables(connection, path)
        else:
            _prepare(connection, path)
        identity = file_id(path)
    except BaseException as error:
        connection.close()
        if is_corrupt(error):
            raise CorruptStore(str(error), file_id(path)) from error
        raise
    if identity is None:
        connection.close()
        raise OutputError(f"{path} was removed while it was opened; try again")
    return OpenStore(connection, identity, read_only)


def is_corrupt(error: BaseException) -> bool:
    """Whether SQLite cannot make sense of the file's content; its other errors are of subclasses."""
    return type(error) is sqlite3.DatabaseError


def _read_only(path: Path) -> OpenStore:
    """The file as it is; where its folder allows no log beside it, as if nobody wrote to it (rows have checksums)."""
    uri = path.absolute().as_uri()
    try:
        return _connected(path, f"{uri}?mode=ro", read_only=True)
    except sqlite3.OperationalError:
        return _connected(path, uri + _ALONE, read_only=True)


def _has_tables(connection: sqlite3.Connection, path: Path) -> bool:
    """False for a new file; raises CorruptStore for one that is not of this version."""
    # in one transaction, because another process may make the tables meanwhile
    connection.execute("BEGIN")
    ((own, tables),) = connection.execute(_TABLES)
    ((version,),) = connection.execute("PRAGMA user_version")
    connection.execute("COMMIT")
    if (version, own) != (VERSION, len(_SCHEMA)) and (version or tables):
        raise CorruptStore("it is a file of another version or of another program", file_id(path))
    return bool(own)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Makes tables if there are none, and chooses the kind of journal that the disk allows."""
    if not _has_tables(connection, path):
        _make_tables(connection)
        drop_shards(path.parent)
    mode = "TRUNCATE" if is_on_network(path.parent) else "WAL"
    try:
        connection.execute(f"PRAGMA journal_mode = {mode}").fetchall()
        connection.execute("PRAGMA synchronous = NORMAL")
        # SQLite also opens a file that it may only read
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        # while another process is at work the mode stays as it is, which is as safe
        if not is_busy(error):
            raise


def _make_tables(connection: sqlite3.Connection) -> None:
    # both count only for a file without tables
    connection.execute(f"PRAGMA page_size = {_PAGE}")
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("BEGIN IMMEDIATE")
    ((own, _),) = connection.execute(_TABLES)
    # another process may have been faster
    for statement in () if own else (*_SCHEMA, f"PRAGMA user_version = {VERSION}"):
        connection.execute(statement)
    connection.execute("COMMIT")


def drop_shards(folder: Path) -> None:
    """Removes the files of embeddings that earlier versions wrote, whose keys mean nothing any more, and notes it."""
    dropped = size = 0
    for file in folder.glob("*.safetensors"):
        if _SHARD.fullmatch(file.name) and _is_shard(file):
            with suppress(OSError):
                size += file.stat().st_size
                file.unlink()
                dropped += 1
    if dropped:
        text = "%s: removed %d files (%.1f MB) of embeddings of an earlier version; they are computed anew"
        logger.warning(text, folder, dropped, size / 1e6)


def _is_shard(file: Path) -> bool:
    try:
        tensors, metadata = read_header(file)
    except CheckpointError:
        return False
    return set(tensors) == {"rows"} and {"version", "keys", "checksum"} <= set(metadata)


def is_on_network(folder: Path, mounts: Path = Path("/proc/self/mountinfo")) -> bool:
    """Whether the folder is known to be on another machine's disk; mounts: the table of Linux."""
    real = os.path.realpath(folder)
    if sys.platform == "win32":
        return real.startswith("\\\\")
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return False
    kinds: dict[str, str] = {}
    for line in lines:
        left, _, right = line.partition(" - ")
        # blanks in the name are written as \040
        point = re.sub(r"\\(\d{3})", lambda match: chr(int(match[1], 8)), left.split()[4])
        if os.path.commonpath([real, point]) == point:
            kinds[point] = right.split()[0]
    return bool(kinds) and _NETWORK.match(kinds[max(kinds, key=len)]) is not None


def _with_companions(path: Path) -> list[str]:
    return [f"{path}{end}" for end in _COMPANIONS]


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of the block or nothing of it; waits for other processes that write."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
