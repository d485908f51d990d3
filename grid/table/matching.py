"""Which row of a table belongs to which picture, when the keys were written by hand or on another machine."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

from ...imaging import PICTURE_SUFFIXES

_DRIVE = re.compile(r"^[a-zA-Z]:")
#: The parts of a path, outermost first.
Parts = tuple[str, ...]
Spelling = Callable[[Parts], Parts]


def path_parts(path: str) -> Parts:
    """The parts of a path of any system: without drive, leading slash and "."; composed Unicode."""
    slashed = _DRIVE.sub("", unicodedata.normalize("NFC", path.strip()).replace("\\", "/"))
    return tuple(part for part in slashed.split("/") if part not in ("", "."))


def match_keys(keys: Sequence[Parts], pictures: Sequence[Parts]) -> list[int | None]:
    """For each picture the index of its key, or None; keys must differ from each other.

    Tried in turn: the names as they are, keys without extension, both again in any case, and last keys with another
    extension than the picture's. Within each: a key that the picture's path ends with, the longest first (a bare
    name so serves the pictures of every folder), then a key whose folders differ, if nothing else could be meant.
    """
    search = _Search(pictures)
    for key_spelling, picture_spelling in _SPELLINGS:
        spelled = [key_spelling(key) for key in keys]
        paths = [picture_spelling(picture) for picture in pictures]
        search.by_ending(spelled, paths)
        search.by_common_ending(spelled, paths)
    # a.jpg for a.png: fit only where it is the one possibility
    search.by_common_ending([_folded(_stem(key)) for key in keys], [_folded(_stem(p)) for p in pictures])
    return search.found


def _as_written(path: Parts) -> Parts:
    return path


def _folded(path: Parts) -> Parts:
    return tuple(part.casefold() for part in path)


def _without_suffix(path: Parts) -> Parts:
    """The path of a picture without its extension, whatever that is."""
    return (*path[:-1], PurePosixPath(path[-1]).stem) if path else path


def _stem(path: Parts) -> Parts:
    """The path without its extension, if that is one of a picture: "v1.5" is a whole name."""
    if not path or PurePosixPath(path[-1]).suffix.lower() not in PICTURE_SUFFIXES:
        return path
    return _without_suffix(path)


def _folded_without_suffix(path: Parts) -> Parts:
    return _folded(_without_suffix(path))


#: How keys and how pictures are spelled for each pass.
_SPELLINGS: tuple[tuple[Spelling, Spelling], ...] = (
    (_as_written, _as_written),
    (_as_written, _without_suffix),
    (_folded, _folded),
    (_folded, _folded_without_suffix),
)


class _Search:
    """The matches found so far; every pass looks only at pictures that have none."""

    def __init__(self, pictures: Sequence[Parts]) -> None:
        self.found: list[int | None] = [None] * len(pictures)
        self._used: set[int] = set()

    def by_ending(self, keys: Sequence[Parts], pictures: Sequence[Parts]) -> None:
        """Match the longest key that is the end of the picture's path; of equal keys the last."""
        index_of = {key: index for index, key in enumerate(keys)}
        for picture in self._open():
            path = pictures[picture]
            endings = (path[start:] for start in range(len(path)))
            match = next((index_of[ending] for ending in endings if ending in index_of), None)
            if match is not None:
                self._accept(picture, match)

    def by_common_ending(self, keys: Sequence[Parts], pictures: Sequence[Parts]) -> None:
        """Match unused keys with pictures whose paths end alike, most parts first, where neither has a rival."""
        deepest = max((len(pictures[picture]) for picture in self._open()), default=0)
        for depth in range(deepest, 0, -1):
            keys_by_ending: dict[Parts, list[int]] = defaultdict(list)
            for index, key in enumerate(keys):
                if len(key) >= depth and index not in self._used:
                    keys_by_ending[key[-depth:]].append(index)
            rivals = Counter(pictures[picture][-depth:] for picture in self._open())
            for picture in self._open():
                ending = pictures[picture][-depth:]
                if rivals[ending] == 1 and len(keys_by_ending.get(ending, ())) == 1:
                    self._accept(picture, keys_by_ending[ending][0])

    def _open(self) -> list[int]:
        return [picture for picture, key in enumerate(self.found) if key is None]

    def _accept(self, picture: int, key: int) -> None:
        self.found[picture] = key
        self._used.add(key)
