"""What a caller may mean by pictures: folders, files, globs and lists, or pictures and arrays from memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..arrays import Tensor, tensor_to_array
from ..clip_backend.preparing.pictures import named_pictures
from ..errors import InputError
from ..grid.pictures.find import find_files
from ..grid.pictures.own import is_clip_grid_sheet

StrPath = str | os.PathLike[str]
Array = NDArray[np.generic]
#: Sources that a message names.
_SHOWN = 3
#: A folder, file, glob or list file; several of them; or PIL pictures and arrays [H, W, C], float 0..1 or uint8; or
#: an array [B, H, W, C] of several.
Images = StrPath | Array | Image.Image | Sequence[StrPath] | Sequence[Array | Image.Image]


def as_sequence(images: Images) -> Sequence[StrPath] | Sequence[Array | Image.Image]:
    """The pictures or paths as several, also where one stands alone; raises InputError for what is neither."""
    if isinstance(images, (str, os.PathLike)):
        return [images]
    if isinstance(images, (Image.Image, Tensor)):
        return [images]
    if isinstance(images, np.ndarray):
        return [images] if images.ndim < 4 else list(images)
    if not isinstance(images, Iterable):
        raise InputError(f"the pictures are a {type(images).__name__}; give a folder, a file, a picture or a list")
    return images if isinstance(images, Sequence) else list(images)


def paths_or_pictures(images: Images) -> tuple[list[StrPath], list[Array | Image.Image]]:
    """The paths, or else the pictures; one of the lists is empty. Raises InputError for a mixture of both."""
    several = as_sequence(images)
    paths = [image for image in several if isinstance(image, (str, os.PathLike))]
    pictures = [image for image in several if not isinstance(image, (str, os.PathLike))]
    if paths and pictures:
        raise InputError("images mixes paths and pictures; give one kind")
    return paths, pictures


def as_arrays(pictures: Sequence[Array | Image.Image]) -> list[Array | Image.Image]:
    """The pictures of a sheet, with those of torch tensors and of batches as arrays [H, W, C].

    A tensor is [H, W], [H, W, C], [C, H, W], [B, H, W, C] or [B, C, H, W], floats of 0..1 or uint8. Raises InputError
    for other shapes, and for a tensor of three axes that may be read in two ways.
    """
    arrays: list[Array | Image.Image] = []
    for one in pictures:
        if isinstance(one, Tensor) or (isinstance(one, np.ndarray) and one.ndim == 4):
            sources = (named.source for named in named_pictures(one))
            arrays += [tensor_to_array(view) if isinstance(view, Tensor) else cast(Array, view) for view in sources]
        else:
            arrays.append(one)
    return arrays


@dataclass(frozen=True)
class Gathered:
    """Every picture by itself: files, not opened yet, or pictures from memory."""

    pictures: tuple[Path | Array | Image.Image, ...]
    #: What was left out, or is doubtful.
    notes: tuple[str, ...] = ()


def gather(images: Images) -> Gathered:
    """The files of folders, globs and lists, without sheets that this program made, or the pictures from memory.

    Raises InputError for a source that does not exist, and when there is no picture.
    """
    paths, pictures = paths_or_pictures(images)
    notes: list[str] = []
    files, sheets = _files(paths, notes)
    if not files and not pictures:
        raise InputError(no_pictures(paths, sheets))
    return Gathered((*files, *pictures), (*_left_out(sheets), *notes))


def gather_each(images: Images) -> Gathered:
    """A picture for each file that is named, in order, also where it is missing, named twice or a sheet.

    So answers stand beside what was given, and reading a missing file says what is wrong with it. Folders, globs and
    lists give the files that ``gather`` finds; one that gives none counts as a missing file.
    """
    pictures: list[Path | Array | Image.Image] = []
    notes: list[str] = []
    left_out = 0
    for one in as_sequence(images):
        if isinstance(one, (str, os.PathLike)):
            files, sheets = _named_files(one, notes)
            pictures += files
            left_out += sheets
        else:
            pictures.append(one)
    return Gathered(tuple(pictures), (*_left_out(left_out), *notes))


def _named_files(given: StrPath, notes: list[str]) -> tuple[list[Path], int]:
    """The files of one source, itself if it gives none, and how many sheets were left out."""
    path = Path(os.path.expanduser(given))
    if os.path.isfile(path) and path.suffix.lower() != ".txt":
        return [path], 0
    try:
        files, sheets = _files([given], notes)
    except InputError:
        # what cannot be found has a place too; reading it gives the reason
        return [path], 0
    return files or ([] if sheets else [path]), sheets


def the_only_picture(path: StrPath) -> Path:
    """The file that a path stands for; raises InputError for a folder or glob of none or of several."""
    files, sheets = _files([path], [])
    if not files:
        raise InputError(no_pictures([path], sheets))
    if len(files) > 1:
        raise InputError(f"{path} has {len(files)} pictures; give the file of one of them")
    return files[0]


def _files(paths: Sequence[StrPath], notes: list[str]) -> tuple[list[Path], int]:
    """The files, and how many sheets of this program were left out; ``notes`` gets what was doubtful in lists."""
    found = [path for path, _ in find_files(paths, notes)]
    kept = [path for path in found if not is_clip_grid_sheet(path)]
    return kept, len(found) - len(kept)


def no_pictures(paths: Sequence[StrPath], sheets: int = 0) -> str:
    """What is wrong where these folders or lists give no picture; sheets: those that were left out."""
    where = f" in {', '.join(map(str, paths[:_SHOWN]))}{', …' if len(paths) > _SHOWN else ''}" if paths else ""
    beside = f" beside {_sheets(sheets)}" if sheets else ""
    return f"there are no pictures{where}{beside}; give a folder, a glob or files of png, jpeg, webp, avif, tiff or gif"


def _left_out(sheets: int) -> tuple[str, ...]:
    return (f"{_sheets(sheets)} left out",) if sheets else ()


def _sheets(count: int) -> str:
    return f"{count} {'sheet' if count == 1 else 'sheets'} of this program"
