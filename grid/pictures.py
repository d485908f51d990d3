"""The pictures of a sheet: found in folders, globs and lists, or handed over as arrays; surveyed, not yet decoded."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ..errors import InputError, PictureError
from ..imaging import (
    PICTURE_SUFFIXES,
    Size,
    array_to_pixels,
    load_picture,
    open_picture,
    picture_of,
    to_rgb,
    upright_size,
)
from .metadata import embedded_texts, read_generation
from .order import natural_key

#: Key of our own record in a sheet's metadata, by which sheets are known again.
RECORD_KEY = "clip_grid"
SOFTWARE = "CLIP Grid"

#: (pictures done, pictures in all); an exception that it raises stops the work.
Progress = Callable[[int, int], None]


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
    #: Time of the last change, seconds since 1970.
    time: float = 0.0


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


def find_files(sources: Iterable[str | os.PathLike[str]]) -> list[tuple[Path, str]]:
    """Picture files and their names, natural order within each source, each file once.

    A source is a folder (its own files, not those of folders below), a file, a glob (``**`` for folders below), or a
    ``.txt`` file that lists one source per line. Raises InputError for a source that does not exist or matches nothing.
    """
    found: dict[Path, str] = {}
    for source in sources:
        for path, name in _files_of(os.fspath(source)):
            found.setdefault(path, name)
    return list(found.items())


def _files_of(source: str) -> list[tuple[Path, str]]:
    text = source.strip().strip("\"'")
    path = Path(text).expanduser()
    if path.is_dir():
        return [(file, file.name) for file in folder_files(path)]
    if path.is_file():
        if path.suffix.lower() == ".txt":
            return [entry for line in _listed(path) for entry in _files_of(line)]
        return [(path, path.name)]
    if glob.has_magic(text):
        return _globbed(str(path))
    raise InputError(
        f"there is no folder or file {source!r}; check the spelling, or give a glob such as 'folder/*.png'"
    )


def folder_files(folder: Path) -> list[Path]:
    """The picture files of a folder by their endings, in natural order; hidden files are left out."""
    try:
        entries = [entry for entry in os.scandir(folder) if not entry.name.startswith(".") and entry.is_file()]
    except OSError as error:
        raise InputError(f"the folder {folder} cannot be read ({error.strerror or error})") from error
    names = [entry.name for entry in entries if Path(entry.name).suffix.lower() in PICTURE_SUFFIXES]
    return [folder / name for name in sorted(names, key=natural_key)]


def _globbed(pattern: str) -> list[tuple[Path, str]]:
    fixed = Path(*_until_magic(Path(pattern).parts)) if not glob.has_magic(Path(pattern).parts[0]) else Path()
    matches = [Path(match) for match in glob.glob(pattern, recursive=True)]
    files = [path for path in matches if path.is_file() and path.suffix.lower() in PICTURE_SUFFIXES]
    if not files:
        raise InputError(f"no picture matches {pattern!r}; check the folder and the pattern")
    named = [(path, path.relative_to(fixed).as_posix() if fixed.parts else path.as_posix()) for path in files]
    return sorted(named, key=lambda entry: natural_key(entry[1]))


def _until_magic(parts: tuple[str, ...]) -> list[str]:
    first = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    return list(parts[:first])


def _listed(path: Path) -> list[str]:
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"the list {path} cannot be read ({error}); it must be UTF-8 text, one path per line"
        ) from error
    listed = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return [line if Path(line).is_absolute() else str(path.parent / line) for line in listed]


def survey_files(files: Sequence[tuple[Path, str]], progress: Progress | None = None) -> Survey:
    """Open each file's header for its size and generation data; what cannot be used is skipped with a reason."""
    pictures: list[Picture] = []
    skipped: list[Skipped] = []
    with ThreadPoolExecutor(min(8, (os.cpu_count() or 1) + 1)) as pool:
        for result in pool.map(_survey_file, files):
            if progress:
                progress(0, len(files))
            if isinstance(result, Picture):
                pictures.append(result)
            else:
                skipped.append(result)
    return Survey(tuple(pictures), tuple(skipped))


def _survey_file(file: tuple[Path, str]) -> Picture | Skipped:
    path, name = file
    try:
        with open_picture(path) as image:
            texts = embedded_texts(image)
            size = upright_size(image)
        changed = path.stat().st_mtime
    except PictureError as error:
        return Skipped(str(path), error.reason)
    except OSError as error:
        return Skipped(str(path), f"cannot be read ({error.strerror or error})")
    if RECORD_KEY in texts or texts.get("Software", "").startswith(SOFTWARE):
        return Skipped(str(path), "a sheet that this program made", deliberate=True)
    return Picture(name, size, partial(_load, path), path, read_generation(texts).values, changed)


def _load(path: Path, wanted: Size | None) -> Image.Image:
    return load_picture(path, wanted)


def pictures_from_arrays(arrays: Sequence[NDArray[np.generic] | Image.Image], names: Sequence[str] = ()) -> Survey:
    """Pictures from PIL pictures, or arrays [H, W] or [H, W, C] as ``imaging.array_to_pixels`` takes them."""
    return Survey(tuple(_from_array(i, array, names) for i, array in enumerate(arrays)))


def _from_array(index: int, array: NDArray[np.generic] | Image.Image, names: Sequence[str]) -> Picture:
    name = names[index] if index < len(names) else f"image {index + 1}"
    if isinstance(array, Image.Image):
        return Picture(name, array.size, lambda wanted: to_rgb(array))
    height, width = array.shape[:2]
    array_to_pixels(array[:1, :1])  # refuses wrong shapes and types now, not in the middle of the page
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


def sort_pictures(
    pictures: Sequence[Picture], by: str, *, reverse: bool, keys: Callable[[int], str | float | None]
) -> list[int]:
    """Indices of the pictures in order: by ``name`` (natural), ``time``, ``given``, or else by ``keys``.

    keys: index -> what the picture is sorted by; None goes to the end. Equal keys keep natural name order.
    """
    if by == "given":
        order = list(range(len(pictures)))
    else:
        order = sorted(range(len(pictures)), key=lambda i: natural_key(pictures[i].name))
    if by == "time":
        order.sort(key=lambda i: pictures[i].time)
    elif by not in ("given", "name"):
        known = [i for i in order if keys(i) is not None]
        known.sort(key=lambda i: _sort_key(keys(i)))
        rest = [i for i in order if keys(i) is None]
        return (known[::-1] if reverse else known) + rest
    return order[::-1] if reverse else order


def _sort_key(value: str | float | None) -> tuple[int, float, tuple[object, ...]]:
    """Numbers before texts; numbers by value, texts in natural order."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return 1, 0.0, natural_key(str(value))
    return (0, number, ()) if number == number else (1, 0.0, natural_key(str(value)))


def facts_of(picture: Picture, index: int) -> dict[str, str]:
    """What is known of every picture, for labels: name, stem, folder, index (from 1), width, height, date."""
    file = picture.name.rpartition("/")[2]
    folder = picture.path.parent.name if picture.path else ""
    date = datetime.fromtimestamp(picture.time).strftime("%Y-%m-%d %H:%M") if picture.time else ""
    return {
        "name": file,
        "stem": file.rpartition(".")[0] or file,
        "folder": folder,
        "index": str(index + 1),
        "width": str(picture.size[0]),
        "height": str(picture.size[1]),
        "date": date,
    }
