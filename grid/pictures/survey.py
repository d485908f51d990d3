"""The pictures of a sheet: found in folders, globs and lists, or handed over as arrays; surveyed, not yet decoded."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ...errors import PictureError
from ...imaging import (
    Progress,
    Size,
    array_to_pixels,
    load_picture,
    open_picture,
    picture_of,
    upright_rgb,
    upright_size,
)
from .find import readable
from .metadata import embedded_texts, read_generation
from .own_sheets import are_of_own_sheet, is_own_sheet


@dataclass(frozen=True)
class Picture:
    """One picture that can be loaded when its turn comes."""

    #: Path below the folder that was asked for, with forward slashes; or the name that the caller gave.
    name: str
    #: Upright width and height in pixels.
    size: Size
    #: (size wanted, or None for all pixels) -> RGB or RGBA picture of 8 bits; raises PictureError.
    load: Callable[[Size | None], Image.Image]
    path: Path | None = None
    #: Generation data of the file.
    values: Mapping[str, str] = field(default_factory=dict)
    #: Time of the last change, seconds since 1970; 0 = not known.
    time: float = 0.0
    #: The frame that is shown of an animated file.
    frame: int = 0

    @property
    def place(self) -> str:
        """The path as text that every file format can hold, or the name where there is no file."""
        return readable(str(self.path)) if self.path else self.name


@dataclass(frozen=True)
class Skipped:
    """A picture that is not on the sheet, and why."""

    name: str
    reason: str
    #: Left out on purpose, such as our own earlier sheets.
    deliberate: bool = False


@dataclass(frozen=True)
class Survey:
    """What was found: ``len(pictures) + len(skipped)`` is the number of files found."""

    pictures: tuple[Picture, ...]
    skipped: tuple[Skipped, ...] = ()


def survey_files(files: Sequence[tuple[Path, str]], progress: Progress | None = None, *, frame: int = 0) -> Survey:
    """Open each file's header for its size and generation data; what cannot be used is skipped with a reason.

    frame: the one that is shown of animated files, from 0; past the end of a file means its last.
    """
    pictures: list[Picture] = []
    skipped: list[Skipped] = []
    with ThreadPoolExecutor(min(8, (os.cpu_count() or 1) + 1)) as pool:
        for result in pool.map(partial(_survey_file, frame=frame), files):
            if progress:
                progress(0, len(files))
            if isinstance(result, Picture):
                pictures.append(result)
            else:
                skipped.append(result)
    return Survey(tuple(pictures), tuple(skipped))


def _survey_file(file: tuple[Path, str], frame: int) -> Picture | Skipped:
    path, name = file
    try:
        with open_picture(path, frame=frame) as image:
            texts = embedded_texts(image)
            size = upright_size(image)
        changed = path.stat().st_mtime
    except PictureError as error:
        # sheets may be larger than any picture that is read
        return _own_sheet(path) if is_own_sheet(path) else Skipped(readable(str(path)), readable(error.reason))
    except OSError as error:
        return Skipped(readable(str(path)), f"cannot be read ({error.strerror or error})")
    if are_of_own_sheet(texts):
        return _own_sheet(path)
    values = {column: readable(value) for column, value in read_generation(texts).values.items()}
    return Picture(name, size, partial(load_picture, path, frame=frame), path, values, changed, frame)


def _own_sheet(path: Path) -> Skipped:
    return Skipped(readable(str(path)), "a sheet that this program made", deliberate=True)


def pictures_from_arrays(arrays: Sequence[NDArray[np.generic] | Image.Image], names: Sequence[str] = ()) -> Survey:
    """Pictures from PIL pictures, or arrays [H, W] or [H, W, C] as ``imaging.array_to_pixels`` takes them.

    Raises InputError for arrays of another shape or type.
    """
    return Survey(tuple(_from_array(i, array, names) for i, array in enumerate(arrays)))


def _from_array(index: int, array: NDArray[np.generic] | Image.Image, names: Sequence[str]) -> Picture:
    name = names[index] if index < len(names) else f"image {index + 1}"
    if isinstance(array, Image.Image):
        return Picture(name, upright_size(array), lambda wanted: upright_rgb(array, name))
    # refuses wrong shapes and types now, not in the middle of the page
    array_to_pixels(array[:1, :1] if array.ndim > 1 else array)
    height, width = array.shape[:2]
    return Picture(name, (width, height), lambda wanted: picture_of(array))


def resized_survey(survey: Survey, size: Size, mode: str) -> Survey:
    """The survey with every picture brought to a size before it is placed.

    mode: ``fit`` keeps the ratio inside the size, ``fill`` crops the centre to it, ``stretch`` ignores the ratio.
    """
    return Survey(tuple(_resized(picture, size, mode) for picture in survey.pictures), survey.skipped)


def _resized(picture: Picture, size: Size, mode: str) -> Picture:
    def load(wanted: Size | None) -> Image.Image:
        image = picture.load(None)
        if mode == "fill":
            return ImageOps.fit(image, size, Image.Resampling.LANCZOS)
        return image.resize(resized, Image.Resampling.LANCZOS)

    resized = size
    if mode == "fit":
        scale = min(size[0] / picture.size[0], size[1] / picture.size[1])
        resized = max(1, round(picture.size[0] * scale)), max(1, round(picture.size[1] * scale))
    return replace(picture, size=resized, load=load)


def facts_of(picture: Picture, index: int) -> dict[str, str]:
    """What is known of every picture, for labels: name, stem, folder, index (from 1), width, height, date."""
    file = picture.name.rpartition("/")[2]
    folder = readable(Path(os.path.abspath(picture.path)).parent.name) if picture.path else ""
    return {
        "name": file,
        "stem": file.rpartition(".")[0] or file,
        "folder": folder,
        "index": str(index + 1),
        "width": str(picture.size[0]),
        "height": str(picture.size[1]),
        "date": _date(picture.time),
    }


def _date(time: float) -> str:
    try:
        return datetime.fromtimestamp(time).strftime("%Y-%m-%d %H:%M") if time else ""
    except (OverflowError, ValueError, OSError):
        # broken clocks and archives leave years that no calendar has
        return ""
