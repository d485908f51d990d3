"""Files that appear together: written under temporary names beside them, then renamed in one go.

An error between two renames puts the older files back; Ctrl-C and SIGTERM wait until all is renamed. A process that is
killed there leaves a list of what is still to be renamed (``.clip-grid-*.set``), by which the next set that is written
in the folder finishes it first. Whatever else a killed process leaves is removed then too: its list can be locked. On
file systems without locks such files stay.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, cast

from ..errors import InputError, OutputError
from ..json_text import parse_object
from .lock import FileLock, take_lock, waiting_lock
from .problems import BACKUP, PART, check_name, check_regular, make_folder, writing
from .signals import signals_held
from .unfinished import add_written, removed_when_ended

_SET_NAME = re.compile(r"\.clip-grid-[0-9a-f]{12}\.set")
_LOCK_NAME = ".clip-grid.lock"
#: Seconds to wait for others that rename files in the same folder, which takes them milliseconds.
_LONGEST_WAIT = 30


@dataclass(frozen=True)
class _Step:
    """One renaming, all names within the folder; without a part the older file is removed."""

    target: str
    part: str = ""
    #: Where the older file is kept until all is renamed; empty if there is none.
    backup: str = ""
    #: Whether the target must not exist.
    is_new: bool = False


@contextmanager
def file_set(folder: Path) -> Iterator[FileSet]:
    """Files of one folder that appear, in the place of older ones, only when the block ends well, and then all.

    The folder is made if need be. Raises OutputError when a file cannot be written or renamed.
    """
    files = FileSet(folder)
    with removed_when_ended(files.end):
        try:
            with signals_held():
                files.begin()
            yield files
            with signals_held():
                files.commit()
                files.end()
        finally:
            with signals_held():
                files.end()


class FileSet:
    """The files of one block of ``file_set``, which calls ``begin``, ``commit`` and ``end``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock: FileLock | None = None
        #: Temporary files that may exist.
        self._parts: set[str] = set()
        #: Temporary files by the names that were taken.
        self._taken: dict[str, str] = {}
        #: Whether older files are not back yet.
        self._is_unfinished = False
        #: Older files that are in the way no more.
        self._backups: set[str] = set()
        #: Steps by target path.
        self._steps: dict[str, _Step] = {}

    @contextmanager
    def open(self, path: Path) -> Iterator[BinaryIO]:
        """One file of the set, open for writing and seekable; if its block ends early, it is not in the set."""
        with writing(path):
            name = self._name(path)
            check_regular(path)
            part = self._taken.get(name) or self._new_part(name)
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
            # not tempfile.mkstemp: its files may be read by their owner only
            with os.fdopen(os.open(self._folder / part, flags, 0o666), "w+b") as file:
                yield cast(BinaryIO, file)
        self._steps[name] = _Step(name, part, is_new=name in self._taken)

    def remove(self, path: Path) -> None:
        """Lets a file vanish when the others appear."""
        self._steps[self._name(path)] = _Step(self._name(path))

    def take_names(self, paths: Collection[Path]) -> bool:
        """Whether all these names were free; no other set takes them then, and no file that appears is replaced."""
        for path in paths:
            with writing(path):
                if not self._take(self._name(path)):
                    break
        else:
            return True
        for name in list(self._taken):
            part = self._taken.pop(name)
            # in this order, since another set may take the name as soon as the file is gone
            self._log({"given_up": part})
            self._parts.discard(part)
            (self._folder / part).unlink(missing_ok=True)
        return False

    def _take(self, name: str) -> bool:
        part = hidden_name(name, PART)
        if os.path.lexists(self._folder / name):
            return False
        try:
            os.close(os.open(self._folder / part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        except FileExistsError:
            return False
        self._taken[name] = part
        self._parts.add(part)
        self._log({"part": part})
        # who had the name before may have renamed its file meanwhile
        return not os.path.lexists(self._folder / name)

    def _name(self, path: Path) -> str:
        check_name(path)
        if path.parent != self._folder:
            raise InputError(f"{path} is not in the folder {self._folder}; a set of files has one folder")
        return path.name

    def _new_part(self, name: str) -> str:
        # names end at 255 bytes, 4 a character
        part = f".{name[:40]}.{secrets.token_hex(6)}{PART}"
        self._parts.add(part)
        self._log({"part": part})
        return part

    def _log(self, entry: Mapping[str, object]) -> None:
        """Adds a line to the list by which another process finishes or removes these files."""
        line = json.dumps(entry).encode() + b"\n"
        if self._lock and os.write(self._lock.handle, line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def begin(self) -> None:
        """Makes the folder, and in it the list of the files of this set; settles the lists of killed processes."""
        make_folder(self._folder)
        with writing(self._folder):
            if _left_sets(self._folder):
                with self._folder_lock():
                    _settle_left_sets(self._folder)
            self._lock = take_lock(self._folder / f".clip-grid-{secrets.token_hex(6)}.set")

    def commit(self) -> None:
        """Renames all files of the set, or none."""
        if not self._steps:
            return
        first = next(iter(self._steps))
        with writing(self._folder / first), self._folder_lock():
            # a killed process may have left a set that shares names with this one
            _settle_left_sets(self._folder)
            if len(self._steps) == 1:
                _rename(self._folder, self._steps[first])
                self._tell()
                return
            steps = [self._with_backup(step) for step in self._steps.values()]
            self._log({"steps": [asdict(step) for step in steps]})
            try:
                for step in steps:
                    _back_up(self._folder, step)
                for step in steps:
                    with writing(self._folder / step.target):
                        _rename(self._folder, step)
            except BaseException:
                self._is_unfinished = True
                # without this line, which a full disk may refuse, all is undone just as well
                with suppress(OSError):
                    self._log({"undo": True})
                _undo(self._folder, steps)
                self._is_unfinished = False
                raise
            self._backups = {step.backup for step in steps if step.backup}
            self._tell()

    def _tell(self) -> None:
        add_written([self._folder / step.target for step in self._steps.values() if step.part])

    def _with_backup(self, step: _Step) -> _Step:
        exists = os.path.lexists(self._folder / step.target)
        backup = f".{step.target[:40]}.{secrets.token_hex(6)}{BACKUP}" if exists and not step.is_new else ""
        return replace(step, backup=backup)

    def end(self) -> None:
        """Removes what is left of the temporary files, and the list."""
        left = {name for name in self._parts | self._backups if not _is_removed(self._folder / name)}
        self._parts, self._backups = set(), set()
        if self._lock and (left or self._is_unfinished):
            # a later run may be able to
            self._lock.leave()
        elif self._lock:
            self._lock.remove()
        self._lock = None

    def _folder_lock(self) -> AbstractContextManager[None]:
        def too_long() -> OutputError:
            return OutputError(
                f"another process has been renaming files in {self._folder} for {_LONGEST_WAIT} seconds; end it"
            )

        return waiting_lock(self._folder / _LOCK_NAME, _LONGEST_WAIT, too_long)


def hidden_name(name: str, ending: str) -> str:
    """The one name of a temporary file that belongs to a file of this name."""
    # some file systems take A and a for the same
    key = blake2b(name.casefold().encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    # names end at 255 bytes, 4 a character
    return f".{name[:40]}.{key}{ending}"


def _rename(folder: Path, step: _Step) -> None:
    part, target = folder / step.part, folder / step.target
    if not step.part:
        target.unlink(missing_ok=True)
    elif step.is_new:
        _rename_to_new(part, target)
    else:
        check_regular(target)
        os.replace(part, target)


def _rename_to_new(part: Path, target: Path) -> None:
    """Raises FileExistsError where another program made the file meanwhile."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:
        # a file system without links
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        os.rename(part, target)
    else:
        os.unlink(part)


def _back_up(folder: Path, step: _Step) -> None:
    """Keeps the older file under a second name, or under that name alone where a file can have only one."""
    if step.backup:
        check_regular(folder / step.target)
        try:
            os.link(folder / step.target, folder / step.backup, follow_symlinks=False)
        except (OSError, NotImplementedError):
            os.rename(folder / step.target, folder / step.backup)


def _undo(folder: Path, steps: Sequence[_Step]) -> None:
    """Puts the older files back and removes those that are new."""
    for step in steps:
        target, backup = folder / step.target, folder / step.backup
        if step.backup and os.path.lexists(backup):
            os.replace(backup, target)
            # two names of one file are both kept by a renaming
            backup.unlink(missing_ok=True)
        elif not step.backup and step.part and not os.path.lexists(folder / step.part):
            target.unlink(missing_ok=True)


def _is_removed(path: Path) -> bool:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def _left_sets(folder: Path) -> list[Path]:
    """The lists of sets that are being written, or were when their process was killed."""
    try:
        names = os.listdir(folder)
    except PermissionError:
        # a folder may be writable and yet not readable
        return []
    return [folder / name for name in names if _SET_NAME.fullmatch(name)]


def _settle_left_sets(folder: Path) -> None:
    """Finishes what killed processes were renaming, and removes their temporary files."""
    for path in _left_sets(folder):
        try:
            lock = take_lock(path, create=False)
        except OSError:
            # another process has just settled it, or another user's
            continue
        if lock is None:
            continue
        try:
            if lock.is_sure:
                _settle(folder, path)
                lock.remove()
                continue
        except OSError:
            # such as a file that a program has open on Windows; a later run may be able to
            pass
        lock.leave()


def _settle(folder: Path, path: Path) -> None:
    parts: list[str] = []
    steps: list[_Step] = []
    is_undone = False
    for line in path.read_bytes().splitlines():
        try:
            entry = parse_object(line)
            parts += [entry["part"]] if "part" in entry else []
            parts = [part for part in parts if part != entry.get("given_up")]
            steps += [_Step(**step) for step in entry.get("steps", ())]
            is_undone = is_undone or "undo" in entry
        except (ValueError, TypeError):
            # cut off by the kill
            continue
    names = [*parts, *(name for step in steps for name in (step.target, step.part, step.backup) if name)]
    if not all(isinstance(name, str) and name == os.path.basename(name) for name in names):
        return
    if is_undone:
        _undo(folder, steps)
    else:
        for step in steps:
            if not step.part or os.path.lexists(folder / step.part):
                # a new file may have both names already
                with suppress(FileExistsError):
                    _rename(folder, step)
    for name in (*parts, *(step.backup for step in steps)):
        if name.endswith((PART, BACKUP)):
            (folder / name).unlink(missing_ok=True)
