"""The files that a workflow may name: those in ComfyUI's folders and in folders that the server's owner allows."""

from __future__ import annotations

import glob
import ntpath
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ...errors import ClipGridError, ForbiddenPath, InputError

#: The folders that a path can name at its end, as in ``a.csv [output]``.
_FOLDER_TAGS = ("input", "output", "temp")
_OUTSIDE = (
    "is outside the folders that this server allows; put it into the input or the output folder, or let the server's "
    "owner add its folder under clip_grid in extra_model_paths.yaml"
)
#: The folders of an absolute path within a sentence.
_OTHER_FOLDERS = re.compile(r"(?<![\w.~/\\-])(?:[A-Za-z]:[\\/]|[\\/])(?:[^\s'\"/\\:;,()]+[\\/])+(?=[^\s'\"/\\])")
#: Characters of a path and bytes of each of its parts that every system allows.
_MOST_PATH, _MOST_NAME = 4000, 255
#: Begins a path of another computer or of a device on Windows: two separators, or \\??\\.
_NETWORK = re.compile(r"[\\/]{2}|[\\/]\?\?[\\/]")


@dataclass(frozen=True)
class AllowedFolders:
    """ComfyUI's folders, and those listed under ``clip_grid`` in extra_model_paths.yaml (``extra``)."""

    input: Path
    output: Path
    temp: Path
    extra: tuple[Path, ...] = ()

    def contains(self, path: Path) -> bool:
        """Whether the path, with all links resolved, is in one of the folders."""
        return self.resolved().contains(path)

    def resolved(self) -> ResolvedFolders:
        """These folders with their links resolved, to ask for many paths, one right after the other."""
        return ResolvedFolders(self._roots)

    @property
    def _roots(self) -> tuple[Path, ...]:
        return (self.input, self.output, self.temp, *self.extra)

    def shown_path(self, path: str) -> str:
        """The path without the place of these folders on this machine: ``output/sub/x.png``; else the file's name."""
        if not os.path.isabs(path):
            return path
        for name, root in self._named_roots:
            for folder in (str(root), os.path.realpath(root)):
                if Path(path).is_relative_to(folder):
                    return (name / Path(path).relative_to(folder)).as_posix()
        return Path(path).name

    def shown_text(self, text: str) -> str:
        """A sentence in which the paths are shortened like that."""
        for name, root in self._named_roots:
            for folder in {str(root), os.path.realpath(root)}:
                text = re.sub(rf"{re.escape(folder)}(?![\w.-])", name.replace("\\", ""), text)
        home = os.path.expanduser("~")
        text = text.replace(home, "~") if len(home) > 1 else text
        return _OTHER_FOLDERS.sub("", text)

    @contextmanager
    def short_errors(self) -> Iterator[None]:
        """Within it, the messages of our errors name files like that: they reach every browser of the server."""
        try:
            yield
        except ClipGridError as error:
            error.args = (self.shown_text(str(error)),)
            raise

    @property
    def _named_roots(self) -> list[tuple[str, Path]]:
        """Each folder by the name that it is shown under, those that lie in others first."""
        named = [(tag, getattr(self, tag)) for tag in _FOLDER_TAGS] + [(root.name, root) for root in self.extra]
        return sorted(named, key=lambda one: -len(str(one[1])))

    def find(self, text: str) -> Path:
        """The real path of an existing file or folder, from what a user typed.

        ``a.csv [output]`` and ``[output]/a.csv`` name their folder; other relative paths are searched in the input
        folder, then in the output folder, then in the added ones, and last ``output/a.csv`` in the folder that it
        begins with. ``.`` is the input folder. Quotes around the path and backslashes are accepted.
        Raises ForbiddenPath for a path outside all folders, InputError if it does not exist.
        """
        candidates = self._candidates(text)
        allowed = [path for path in candidates if self.contains(path)]
        for path in allowed:
            if _exists(path, text):
                return Path(os.path.realpath(path))
        if len(allowed) < len(candidates):
            raise ForbiddenPath(f"{text!r} {_OUTSIDE}")
        name, bases = self._split(text)
        looked = ", ".join(self.shown_path(str(base)) for base in bases)
        where = "" if os.path.isabs(name) else f" in {looked}"
        raise InputError(f"there is no file or folder {text!r}{where}; check its name")

    def meaning(self, text: str) -> str:
        """What a path means that users may take for another; empty for all others."""
        if _plain(text) in (".", "./"):
            return f"{text.strip()!r} is ComfyUI's input folder; write output for the output folder"
        return ""

    def find_directories(self, text: str) -> list[Path]:
        """The folder of that name, or the folders that a glob such as ``parent/*`` matches, in natural order.

        Raises as ``find`` does, and InputError for a file.
        """
        name, bases = self._split(text)
        if glob.has_magic(name) and not any(map(os.path.isdir, self._candidates(text))):
            return self._matches(text, name, bases)
        path = self.find(text)
        if not os.path.isdir(path):
            raise InputError(f"{text!r} is a file; give the folder that it is in")
        return [path]

    def check_links(self, folder: Path) -> None:
        """Raises ForbiddenPath for a link below the folder that leads out of the allowed ones; follows none of these.

        What cannot be listed is passed over: reading it says why.
        """
        allowed = self.resolved()
        seen: set[str] = set()
        waiting = [os.fspath(folder)]
        while waiting:
            here = waiting.pop()
            if (real := os.path.realpath(here)) in seen or not os.path.isdir(here):
                continue
            seen.add(real)
            with suppress(OSError), os.scandir(here) as entries:
                for entry in entries:
                    if entry.is_symlink() and not allowed.contains(entry.path):
                        raise ForbiddenPath(
                            f"{entry.name} is a link that leads out of the folders that this server allows; copy what "
                            "it leads to into the input folder"
                        )
                    if entry.is_dir():
                        waiting.append(entry.path)

    def check_prefix(self, prefix: str) -> None:
        """Raises ForbiddenPath if files with this prefix would be outside the output folder."""
        parent = os.path.dirname(os.path.normpath(_checked(_plain(prefix), prefix, (self.output,))))
        target = Path(os.path.realpath(os.path.join(self.output, parent)))
        if not target.is_relative_to(os.path.realpath(self.output)):
            raise ForbiddenPath(f"filename_prefix {prefix!r} leaves the output folder; use a name below it")

    def _matches(self, text: str, pattern: str, bases: tuple[Path, ...]) -> list[Path]:
        # not at import time: Pillow is loaded with it
        from ...grid.pictures.find import matching_folders

        if ".." in Path(pattern).parts or not self._is_inside(pattern):
            raise ForbiddenPath(f"{text!r} may leave the folders that this server allows; write the pattern without ..")
        named = self._named_folder(pattern)
        for base, below in [*((base, pattern) for base in bases), *([named] if named else [])]:
            if not self.contains(base / _fixed_part(below)):
                continue
            found = matching_folders(below, base, allowed=self.contains)
            if folders := [Path(os.path.realpath(folder)) for folder in found if self.contains(folder)]:
                return folders
        raise InputError(f"{text!r} matches no folder; check the pattern, such as 'parent/*' for each folder in parent")

    def _is_inside(self, pattern: str) -> bool:
        """Whether a pattern is relative, or its part without wildcards is in one of the folders."""
        fixed = _fixed_part(pattern)
        return not fixed.is_absolute() or self.contains(fixed)

    def _candidates(self, text: str) -> list[Path]:
        """The paths that a text can mean, whether they exist or not; just one for an absolute path."""
        name, bases = self._split(text)
        if not name:
            raise InputError(f"{text!r} is not a path; give the name of a file or folder")
        named = self._named_folder(name) if len(bases) > 1 else None
        return list(dict.fromkeys([*(base / name for base in bases), *([named[0] / named[1]] if named else [])]))

    def _named_folder(self, name: str) -> tuple[Path, str] | None:
        """The folder of ComfyUI that a relative path begins with, and the rest of the path."""
        first, _, rest = name.replace("\\", "/").partition("/")
        return (getattr(self, first), rest.lstrip("/") or ".") if first in _FOLDER_TAGS else None

    def _split(self, text: str) -> tuple[str, tuple[Path, ...]]:
        """The path without its folder tag, and the folders that it can be relative to."""
        name = _checked(_plain(text), text, self._roots)
        for tag in _FOLDER_TAGS:
            if name.startswith(f"[{tag}]") or name.endswith(f"[{tag}]"):
                folder: Path = getattr(self, tag)
                rest = _plain(name.removeprefix(f"[{tag}]").removesuffix(f"[{tag}]")).lstrip("/")
                return _checked(rest, text, self._roots) or ".", (folder,)
        return name, (self.input, self.output, *self.extra)


class ResolvedFolders:
    """Allowed folders as they are at one moment: they, and the folders of the paths, are resolved once."""

    def __init__(self, roots: Iterable[Path]) -> None:
        self._roots = [_comparable(os.path.realpath(root)) for root in roots]
        self._real: dict[str, str] = {}

    def contains(self, path: str | Path) -> bool:
        """Whether the path, with all links resolved, is in one of the folders."""
        folder, name = os.path.split(path)
        if folder not in self._real:
            self._real[folder] = os.path.realpath(folder)
        real = os.path.join(self._real[folder], name)
        if name in ("", os.curdir, os.pardir) or os.path.islink(real):
            real = os.path.realpath(real)
        return any(_comparable(real).startswith(root) for root in self._roots)


def _comparable(path: str) -> str:
    """A path with a separator at its end, in the letters by which this system compares paths."""
    return os.path.join(os.path.normcase(path), "")


def _fixed_part(pattern: str) -> Path:
    """The folders before the first wildcard of a pattern."""
    parts = Path(pattern).parts
    return Path(*parts[: next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts))])


def _exists(path: Path, text: str) -> bool:
    """Whether the file or folder is there; raises InputError where that cannot be told."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"{text!r} cannot be read ({reason}); check the path and its permissions") from error
    return True


def _plain(text: str) -> str:
    """The text without the spaces and quotes of a copied path, and with the separators of this system."""
    name = text.strip().strip("\"'").strip()
    return name.replace("\\", "/") if os.sep == "/" else name


def _checked(name: str, text: str, roots: Iterable[Path]) -> str:
    """The path, judged by its letters alone: Windows signs in at another computer as soon as its path is looked at.

    Raises ForbiddenPath for a network path below none of the roots, and InputError for what no system can open.
    """
    shown = repr(text if len(text) <= 100 else f"{text[:100]}…")
    if _NETWORK.match(name) and not any(_is_below(name, str(root)) for root in roots):
        raise ForbiddenPath(f"{shown} {_OUTSIDE}")
    try:
        longest = max((len(os.fsencode(part)) for part in re.split(r"[\\/]", name)), default=0)
    except UnicodeEncodeError:
        raise InputError(f"{shown} holds characters that no path can have; check its name") from None
    if "\0" in name:
        raise InputError(f"{shown} is not a path; give the name of a file or folder")
    if len(name) > _MOST_PATH or longest > _MOST_NAME:
        raise InputError(f"{shown} is too long for a path; give the name of a file or folder")
    return name


def _is_below(name: str, root: str) -> bool:
    """Whether a path is in a folder by its letters, as Windows compares them."""
    path, folder = (ntpath.normcase(ntpath.normpath(one)) for one in (name, root))
    return path == folder or path.startswith(folder.rstrip("\\") + "\\")
