"""The pictures of a sheet, in files or in memory: their sizes and generation data, read before any is decoded."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from time import perf_counter, thread_time
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ...arrays import array_to_pixels, picture_of
from ...decoding import lock_of, without_warnings
from ...errors import PictureError
from ...imaging import Progress, Size, left_out, load_picture, open_picture, upright_rgb, upright_size
from .find import NamedFile, readable
from .metadata import read_picture
from .own import is_clip_grid_sheet, record_in

Value = TypeVar("Value")
#: Files that a thread is given at a time. One by one, 100,000 that wait would take more memory than what is read.
_LARGEST_BATCH = 64
#: Texts and sizes that are held to be shared.
_MOST_SHARED = 10_000
#: Seconds after which it is judged anew whether files are waited for.
_JUDGED_EVERY_S = 0.1
_NO_VALUES: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture, decoded only when ``load`` is called."""

    #: Path below the folder that was asked for, with forward slashes; or the name that the caller gave.
    name: str
    #: Upright width and height in pixels.
    size: Size
    #: (size that it will be shrunk to, or None for all pixels) -> RGB or RGBA picture of 8 bits; raises PictureError.
    load: Callable[[Size | None], Image.Image]
    path: Path | None = None
    #: Generation data of the file.
    values: Mapping[str, str] = field(default_factory=dict)
    #: Time of the last change, seconds since 1970; 0 = not known.
    time: float = 0.0
    #: The frame that is shown of an animated file.
    frame: int = 0
    #: What is not read of its file, and why.
    warning: str = ""

    @property
    def path_text(self) -> str:
        """The path as text that every file format can hold, or the name where there is no file."""
        return readable(str(self.path)) if self.path else self.name


@dataclass(frozen=True, slots=True)
class _FileLoader:
    """Decodes a file; a ``partial`` would take four times the memory in each of 100,000 pictures."""

    path: Path
    frame: int

    def __call__(self, shown: Size | None) -> Image.Image:
        return load_picture(self.path, shown, frame=self.frame)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A picture that is not on the sheet, and why."""

    name: str
    reason: str
    #: Left out on purpose, such as our own earlier sheets.
    deliberate: bool = False


_Files = Sequence[NamedFile]
_Surveyed = list[Picture | Skipped]


@dataclass(frozen=True)
class Survey:
    """What is there for a sheet, in the order in which it was listed."""

    entries: tuple[Picture | Skipped, ...]
    #: What was doubtful in the lists that named them.
    notes: tuple[str, ...] = ()

    @cached_property
    def pictures(self) -> tuple[Picture, ...]:
        return tuple(entry for entry in self.entries if isinstance(entry, Picture))

    @cached_property
    def skipped(self) -> tuple[Skipped, ...]:
        return tuple(entry for entry in self.entries if isinstance(entry, Skipped))

    def of_pictures(self, values: Sequence[Value]) -> list[Value]:
        """The values of the pictures, out of values for all that was listed; surplus values follow at the end.

        What was left out on purpose has no value: nobody counts our earlier sheets as pictures.
        """
        counted = [entry for entry in self.entries if isinstance(entry, Picture) or not entry.deliberate]
        of_pictures = [value for value, entry in zip(values, counted, strict=False) if isinstance(entry, Picture)]
        return [*of_pictures, *values[len(counted) :]]


def survey_files(files: Sequence[NamedFile], progress: Progress | None = None, *, frame: int = 0) -> Survey:
    """Open each file's header for its size and generation data; what cannot be used is skipped with a reason.

    progress: called with (0, files in all) after each file. frame: the one that is shown of animated files, from 0;
    past the end of a file means its last.
    """
    entries: list[Picture | Skipped] = []
    size = max(1, min(_LARGEST_BATCH, len(files) // _LARGEST_BATCH))
    batches = (files[start : start + size] for start in range(0, len(files), size))
    with without_warnings:
        for batch in _in_order(batches, partial(_survey_batch, frame=frame, shared=_Shared())):
            entries += batch
            if progress:
                for _ in batch:
                    progress(0, len(files))
    return Survey(tuple(entries))


def _in_order(batches: Iterator[_Files], survey: Callable[[_Files], _Surveyed]) -> Iterator[_Surveyed]:
    """What each batch has: from this thread while that is busy, from several while it waits for files most of the time.

    Threads get in each other's way: where files are in memory, three need twice the time of one.
    """

    def timed(batch: _Files) -> tuple[_Surveyed, float]:
        started = thread_time()
        return survey(batch), thread_time() - started

    threads = min(8, (os.cpu_count() or 1) + 1)
    is_waiting, busy, started = False, 0.0, perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        while group := list(islice(batches, 4 * threads if is_waiting else 1)):
            for entries, seconds in pool.map(timed, group) if is_waiting else map(timed, group):
                busy += seconds
                yield entries
            if (elapsed := perf_counter() - started) > _JUDGED_EVERY_S:
                is_waiting, busy, started = busy < elapsed / 2, 0.0, perf_counter()


class _Shared:
    """Equal sizes and texts of many pictures, such as the names of columns and models, as one object each.

    Several threads may use it at a time: each call of a dictionary is whole.
    """

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._sizes: dict[Size, Size] = {}

    def size(self, size: Size) -> Size:
        return self._sizes.setdefault(size, size)

    def values(self, values: Mapping[str, str]) -> Mapping[str, str]:
        """Generation data with texts that every file format can hold."""
        if len(self._texts) > _MOST_SHARED or len(self._sizes) > _MOST_SHARED:
            # seeds and prompts are seldom met again
            self._texts.clear()
            self._sizes.clear()
        share = self._texts.setdefault
        readable_values = ((column, readable(text)) for column, text in values.items())
        return {share(column, column): share(text, text) for column, text in readable_values} or _NO_VALUES


def _survey_batch(files: Sequence[NamedFile], frame: int, shared: _Shared) -> list[Picture | Skipped]:
    return [_survey_file(file, frame, shared) for file in files]


def _survey_file(file: NamedFile, frame: int, shared: _Shared) -> Picture | Skipped:
    path, name = file
    try:
        with open_picture(path, frame=frame) as image:
            texts, generation = read_picture(image, path.name)
            size = upright_size(image)
            notes = "; ".join(filter(None, (generation.warning, left_out(image))))
        changed = path.stat().st_mtime
    except PictureError as error:
        # sheets may be larger than any picture that is read
        return _earlier_sheet(path) if is_clip_grid_sheet(path) else _skipped(path, readable(error.reason))
    except OSError as error:
        return _skipped(path, f"cannot be read ({error.strerror or error})")
    if record_in(texts):
        return _earlier_sheet(path)
    values, loader = shared.values(generation.values), _FileLoader(path, frame)
    return Picture(name, shared.size(size), loader, path, values, changed, frame, notes)


def _skipped(path: Path, reason: str) -> Skipped:
    return Skipped(readable(str(path)), reason)


def _earlier_sheet(path: Path) -> Skipped:
    return replace(_skipped(path, "a sheet that this program made"), deliberate=True)


def data_warnings(pictures: Sequence[Picture]) -> list[str]:
    """One line for each thing that is not read of pictures, with the number of them and the name of the first."""
    names: dict[str, list[str]] = {}
    for picture in pictures:
        if picture.warning:
            names.setdefault(picture.warning, []).append(picture.name)
    more = {warning: f" and {len(of) - 1} more" if len(of) > 1 else "" for warning, of in names.items()}
    return [f"{of[0]}{more[warning]}: {warning}" for warning, of in names.items()]


def pictures_from_arrays(arrays: Sequence[NDArray[np.generic] | Image.Image], names: Sequence[str] = ()) -> Survey:
    """Pictures from PIL pictures, or arrays [H, W] or [H, W, C] as ``arrays.array_to_pixels`` takes them.

    Raises InputError for arrays of another shape or type.
    """
    spare_names = (f"image {number}" for number in range(len(names) + 1, len(arrays) + 1))
    return Survey(tuple(map(_from_array, arrays, [*names, *spare_names])))


def _from_array(array: NDArray[np.generic] | Image.Image, name: str) -> Picture:
    if isinstance(array, Image.Image):
        return Picture(name, upright_size(array), lambda shown: _decoded_once(array, name))
    # refuses wrong shapes and types now, not in the middle of the page
    array_to_pixels(array[:1, :1] if array.ndim > 1 else array)
    height, width = array.shape[:2]
    return Picture(name, (width, height), lambda shown: picture_of(array))


def _decoded_once(image: Image.Image, name: str) -> Image.Image:
    with lock_of(image):
        return upright_rgb(image, name)


def resized_survey(survey: Survey, size: Size, mode: str) -> Survey:
    """The survey with every picture brought to a size before it is placed.

    mode: ``fit`` keeps the ratio inside the size, ``fill`` crops the centre to it, ``stretch`` ignores the ratio.
    """
    entries = (_resized(entry, size, mode) if isinstance(entry, Picture) else entry for entry in survey.entries)
    return replace(survey, entries=tuple(entries))


def _resized(picture: Picture, size: Size, mode: str) -> Picture:
    if mode == "fit":
        scale = min(size[0] / picture.size[0], size[1] / picture.size[1])
        size = max(1, round(picture.size[0] * scale)), max(1, round(picture.size[1] * scale))

    def load(shown: Size | None) -> Image.Image:
        image = picture.load(None)
        if mode == "fill":
            return ImageOps.fit(image, size, Image.Resampling.LANCZOS)
        return image.resize(size, Image.Resampling.LANCZOS)

    return replace(picture, size=size, load=load)


def picture_properties(picture: Picture, index: int) -> dict[str, str]:
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
