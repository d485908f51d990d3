"""What a caller may mean by pictures: folders, files, globs and lists, or pictures and arrays from memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import InputError
from ..grid.own import is_own_sheet
from ..grid.pictures import find_files

StrPath = str | os.PathLike[str]
Array = NDArray[np.generic]
#: A folder, file, glob or list file; several of them; or PIL pictures and arrays [H, W, C], float 0..1 or uint8; or
#: an array [B, H, W, C] of several.
Images = StrPath | Array | Image.Image | Sequence[StrPath] | Sequence[Array | Image.Image]


def as_sequence(images: Images) -> Sequence[StrPath] | Sequence[Array | Image.Image]:
    """The pictures or paths as several, also where one stands alone."""
    if isinstance(images, (str, os.PathLike)):
        return [images]
    if isinstance(images, Image.Image):
        return [images]
    if isinstance(images, np.ndarray):
        return [images] if images.ndim < 4 else list(images)
    return images


def paths_or_pictures(images: Images) -> tuple[list[StrPath], list[Array | Image.Image]]:
    """The paths, or else the pictures; one of the lists is empty. Raises InputError for a mixture of both."""
    several = as_sequence(images)
    paths = [image for image in several if isinstance(image, (str, os.PathLike))]
    pictures = [image for image in several if not isinstance(image, (str, os.PathLike))]
    if paths and pictures:
        raise InputError("images mixes paths and pictures; give one kind")
    return paths, pictures


@dataclass(frozen=True)
class Gathered:
    """Every picture by itself: files, not opened yet, or pictures from memory."""

    pictures: tuple[Path | Array | Image.Image, ...]
    #: What was left out.
    notes: tuple[str, ...] = ()


def gather(images: Images) -> Gathered:
    """The files of folders, globs and lists, without sheets that this program made, or the pictures from memory.

    Raises InputError for a source that does not exist, and when there is no picture.
    """
    paths, pictures = paths_or_pictures(images)
    found = [path for path, _ in find_files(paths)]
    kept = [path for path in found if not _is_sheet(path)]
    if not kept and not pictures:
        raise InputError("there are no pictures; give a folder, a glob or files of png, jpeg, webp, avif, tiff or gif")
    sheets = len(found) - len(kept)
    note = f"{sheets} {'sheet' if sheets == 1 else 'sheets'} of this program left out"
    return Gathered((*kept, *pictures), (note,) if sheets else ())


def _is_sheet(path: Path) -> bool:
    try:
        return is_own_sheet(path)
    except OSError:
        # reading it as a picture says what is wrong
        return False
