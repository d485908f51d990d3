"""The SQLite file of an index: its tables, one connection that writes, and connections that only read.

It alone says what is in the index. A row of the vector file that no picture names does not exist.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from ...atomic import make_folder
from ...errors import InputError, OutputError
from ..encoding.store_file import transaction

FILE = "clip_grid.sqlite"
#: Version of the tables; a later version is refused, and so is a file without one.
VERSION = 1
#: Seconds that a connection waits for another one.
BUSY_SECONDS = 10.0
#: The stage of files that are left out on purpose.
LEFT_OUT = "left out"
#: The columns of ``prompts``, in its order; each is a property of the same name.
PROMPT_COLUMNS = ("prompt", "negative")
#: The prompt columns as a list for SQL.
PROMPTS = ", ".join(PROMPT_COLUMNS)

_TABLES = (
    # name: "space", "model", "dim", "generation", "rows"
    "CREATE TABLE settings (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID",
    # device: the volume at the last scan; is_away: it could not be listed then, so that its rows were left as they are
    "CREATE TABLE roots (id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE, device TEXT NOT NULL DEFAULT '',"
    " is_away INTEGER NOT NULL DEFAULT 0)",
    # one picture per content. row: of the vector file, NULL until it is computed
    "CREATE TABLE pictures (id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, row INTEGER UNIQUE,"
    " width INTEGER NOT NULL DEFAULT 0, height INTEGER NOT NULL DEFAULT 0, has_thumbnail INTEGER NOT NULL DEFAULT 0)",
    # paths are bytes, as the system gave them, relative to the root. missing: since when, in seconds since 1970
    # is_settled: it had not just changed when it was read. stage and reason: why it has no picture
    "CREATE TABLE files (id INTEGER PRIMARY KEY, root INTEGER NOT NULL REFERENCES roots, folder BLOB NOT NULL,"
    " name BLOB NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, inode TEXT NOT NULL,"
    " picture INTEGER REFERENCES pictures, missing INTEGER, is_settled INTEGER NOT NULL DEFAULT 0,"
    " stage TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '', UNIQUE (root, folder, name))",
    "CREATE INDEX files_inode ON files (inode, size, mtime_ns)",
    "CREATE INDEX files_picture ON files (picture, missing)",
    "CREATE INDEX files_date ON files (mtime_ns, picture)",
    # generation data. number: of a text that is one
    "CREATE TABLE properties (picture INTEGER NOT NULL REFERENCES pictures, name TEXT NOT NULL, text TEXT NOT NULL,"
    " number REAL, PRIMARY KEY (picture, name)) WITHOUT ROWID",
    "CREATE INDEX properties_number ON properties (name, number) WHERE number IS NOT NULL",
    "CREATE INDEX properties_text ON properties (name, text COLLATE NOCASE)",
)
_FULL_TEXT = f"CREATE VIRTUAL TABLE prompts USING fts5({PROMPTS}, content='', tokenize='unicode61 remove_diacritics 2')"


def open_for_writing(folder: Path) -> sqlite3.Connection:
    """The connection of the one process that writes; the tables are made if there are none.

    Raises OutputError for a folder that cannot be written, and InputError for a file that is no index of this version.
    """
    make_folder(folder)
    path = folder / FILE
    try:
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    except sqlite3.Error as error:
        raise OutputError(f"{path} cannot be opened: {error}; choose another folder for the index") from error
    try:
        with translated(path):
            # a network file system has no shared memory for a write-ahead log: it answers with the mode that it keeps
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
            if _version(connection) == 0 and not _has_tables(connection):
                with transaction(connection):
                    _create(connection)
            _check_version(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def open_for_reading(folder: Path) -> sqlite3.Connection:
    """A connection that never writes, for any thread that takes its turn; raises InputError where there is no index."""
    path = folder / FILE
    if not path.is_file():
        raise InputError(f"there is no index in {folder}; make one with: clip-grid index FOLDER")
    try:
        # a reader of a write-ahead log needs its shared memory, which "mode=ro" makes only where it may
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS, isolation_level=None,
            check_same_thread=False,
        )  # fmt: skip
    except sqlite3.Error as error:
        raise InputError(f"{path} cannot be opened: {error}") from error
    try:
        with translated(path):
            connection.execute("PRAGMA query_only = ON")
            _check_version(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


class KnownHashes:
    """Which contents the index in a folder has embeddings of; asked from any thread, while another one writes."""

    def __init__(self, folder: Path) -> None:
        self._connection = open_for_reading(folder)
        self._lock = Lock()

    def has(self, hash: str) -> bool:
        """Whether the embedding of this content is in the index."""
        with self._lock:
            return is_known(self._connection, hash)

    def all(self) -> list[str]:
        """All contents whose embeddings are in the index, sorted."""
        with self._lock:
            rows = self._connection.execute("SELECT hash FROM pictures WHERE row IS NOT NULL ORDER BY hash")
            return [hash for (hash,) in rows]

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()


def is_known(connection: sqlite3.Connection, hash: str) -> bool:
    """Whether the embedding of this content is in the index."""
    found = connection.execute("SELECT 1 FROM pictures WHERE hash = ? AND row IS NOT NULL", (hash,))
    return found.fetchone() is not None


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """A block whose SQLite errors become errors that say what to do."""
    try:
        yield
    except sqlite3.OperationalError as error:
        text = str(error)
        if "locked" in text or "busy" in text:
            raise OutputError(f"{path} is in use by another program ({text}); try again in a moment") from error
        if "full" in text:
            raise OutputError(
                f"{path} cannot be written: the disk is full; free some space and run it again"
            ) from error
        raise OutputError(f"{path} cannot be used ({text})") from error
    except sqlite3.DatabaseError as error:
        cure = "remove the folder and index again; embeddings that are still in the cache are not computed again"
        raise InputError(f"{path} is damaged or no index ({error}); {cure}") from error


def has_full_text(connection: sqlite3.Connection) -> bool:
    """Whether this index has the table ``prompts``: SQLite may be built without FTS5."""
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'prompts'").fetchone()
    return found is not None


def read_settings(connection: sqlite3.Connection) -> dict[str, str]:
    """All settings by name; empty for an index that nothing was added to."""
    return {name: str(value) for name, value in connection.execute("SELECT name, value FROM settings")}


def write_settings(connection: sqlite3.Connection, **settings: object) -> None:
    """Keeps settings; inside of a transaction of the caller."""
    connection.executemany("INSERT OR REPLACE INTO settings VALUES (?, ?)", list(settings.items()))


def path_text(root: bytes, folder: bytes = b"", name: bytes = b"") -> str:
    """A path of the three parts; bytes that are no text come out as Python's surrogate escapes."""
    return os.fsdecode(os.path.join(root, folder, name) if name else os.path.join(root, folder) if folder else root)


def _create(connection: sqlite3.Connection) -> None:
    for statement in _TABLES:
        connection.execute(statement)
    try:
        connection.execute(_FULL_TEXT)
    except sqlite3.OperationalError as error:
        # keyword search then goes through the properties
        if "fts5" not in str(error):
            raise
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _has_tables(connection: sqlite3.Connection) -> bool:
    ((count,),) = connection.execute("SELECT count(*) FROM sqlite_master")
    return bool(count)


def _version(connection: sqlite3.Connection) -> int:
    ((version,),) = connection.execute("PRAGMA user_version")
    return int(version)


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    version = _version(connection)
    if version > VERSION:
        raise InputError(f"{path} was written by a newer CLIP Grid (version {version} of the index); update CLIP Grid")
    if version < VERSION:
        raise InputError(f"{path} is no index of CLIP Grid; choose another folder for the index")
