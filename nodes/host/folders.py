"""Which files a workflow may name: those in ComfyUI's folders and in an allow-list that is kept on the server."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ...errors import ForbiddenPath, InputError

_MARKS = ("input", "output", "temp")


@dataclass(frozen=True)
class AllowedFolders:
    """ComfyUI's folders, and those that the server's owner added under ``clip_grid`` in extra_model_paths.yaml."""

    input: Path
    output: Path
    temp: Path
    extra: tuple[Path, ...] = ()

    def holds(self, path: Path) -> bool:
        """Whether the path, once all links in it are followed, lies in one of the folders."""
        real = Path(os.path.realpath(path))
        roots = (self.input, self.output, self.temp, *self.extra)
        return any(real.is_relative_to(os.path.realpath(root)) for root in roots)

    def find(self, text: str) -> Path:
        """The real path of an existing file or folder, as people write it.

        ``a.csv [output]`` names its folder; other relative paths are looked for in the input folder, then in the output
        folder, then in those that were added. Quotes around the path and backslashes are accepted.
        Raises ForbiddenPath for a path outside of all folders, InputError when there is nothing.
        """
        places = self._places(text)
        allowed = [place for place in places if self.holds(place)]
        for place in allowed:
            if place.exists():
                return Path(os.path.realpath(place))
        if len(allowed) < len(places):
            raise ForbiddenPath(
                f"{text!r} is outside the folders that this server allows; put it into the input or the output folder, "
                "or let the server's owner add its folder under clip_grid in extra_model_paths.yaml"
            )
        looked = ", ".join(str(place) for place in allowed)
        raise InputError(f"there is no file or folder {text!r}; looked for {looked}")

    def find_directories(self, text: str) -> list[Path]:
        """The folder of that name, or the folders that a glob such as ``parent/*`` matches, in order of their names.

        Raises as ``find`` does, and InputError for a file.
        """
        name, bases = self._split(text)
        if glob.has_magic(name) and not any(place.is_dir() for place in self._places(text)):
            return self._matches(text, name, bases)
        found = self.find(text)
        if not found.is_dir():
            raise InputError(f"{text!r} is a file; give the folder that it is in")
        return [found]

    def check_prefix(self, prefix: str) -> None:
        """Raises ForbiddenPath when sheets of this prefix would leave the output folder."""
        parent = os.path.dirname(os.path.normpath(_plain(prefix)))
        target = Path(os.path.realpath(os.path.join(self.output, parent)))
        if not target.is_relative_to(os.path.realpath(self.output)):
            raise ForbiddenPath(f"filename_prefix {prefix!r} leaves the output folder; use a name below it")

    def _matches(self, text: str, name: str, bases: tuple[Path, ...]) -> list[Path]:
        fixed = Path(*_before_magic(Path(name).parts))
        if ".." in Path(name).parts or (fixed.is_absolute() and not self.holds(fixed)):
            raise ForbiddenPath(f"{text!r} may leave the folders that this server allows; write the pattern without ..")
        for base in bases:
            found = sorted(glob.glob(os.path.join(glob.escape(str(base)), name)))
            folders = [Path(os.path.realpath(match)) for match in found if os.path.isdir(match)]
            allowed = [folder for folder in folders if self.holds(folder)]
            if allowed:
                return allowed
        raise InputError(f"{text!r} matches no folder; check the pattern, such as 'parent/*' for each folder in parent")

    def _places(self, text: str) -> list[Path]:
        """Where the path may be, without a look at the disk; an absolute path is in one place only."""
        name, bases = self._split(text)
        if not name or "\0" in name:
            raise InputError(f"{text!r} is not a path; give the name of a file or folder")
        return list(dict.fromkeys(base / name for base in bases))

    def _split(self, text: str) -> tuple[str, tuple[Path, ...]]:
        """The path without its mark, and the folders that it may start from."""
        name = _plain(text)
        for mark in _MARKS:
            if name.endswith(f"[{mark}]"):
                folder: Path = getattr(self, mark)
                return _plain(name[: -len(mark) - 2]), (folder,)
        return name, (self.input, self.output, *self.extra)


def directory_lines(values: Iterable[object]) -> list[str]:
    """The folders named in the values of an input, one per line; a value that is not known yet (None) names none."""
    texts = [str(value) for value in values if value is not None]
    return [line.strip() for text in texts for line in text.splitlines() if line.strip()]


def _plain(text: str) -> str:
    """Without the blanks and quotes of a copied path, and with the separators of this system."""
    name = text.strip().strip("\"'").strip()
    return name.replace("\\", "/") if os.sep == "/" else name


def _before_magic(parts: tuple[str, ...]) -> tuple[str, ...]:
    first = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return parts[:first]
