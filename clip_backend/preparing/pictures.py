"""Whatever a caller hands in as pictures becomes single pictures with names, none of them read before its turn."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ... import png_pixels
from ...arrays import BRIGHTEST_HIGHLIGHT, Tensor, picture_of
from ...decoding import buffer_bytes, decoded_bytes, lock_of
from ...errors import InputError, PictureError
from ...imaging import Size, content_hash, load_picture, open_picture, orientation, shrink_decoding, upright_rgb
from ...input_files import open_file

if TYPE_CHECKING:
    import torch

    from .preprocessing import ValueRange

Array = NDArray[np.generic]
OnePicture = Union[str, "os.PathLike[str]", "TarMember", Image.Image, Array, "torch.Tensor"]
#: A picture, a batch, or any nesting of lists, tuples and generators of these.
Pictures = OnePicture | Iterable[Any]
#: Larger files are decoded from the disk, and known by their prepared pixels.
MAX_FILE_BYTES = 64 << 20
#: Numbers of channels: grey, RGB, RGBA.
CHANNELS = (1, 3, 4)
#: Numbers of a picture may be this far below black, since resizing overshoots, and this part of them even further.
MOST_OVERSHOOT, MOST_BELOW = 0.25, 0.01
_FLOATS = ("float64", "float32", "float16", "bfloat16")
_SHAPES = "an array must be [H, W, C] or [B, H, W, C], a tensor [C, H, W] or [B, H, W, C], with C = 1, 3 or 4"


@dataclass(frozen=True)
class FileContent:
    """A file that was read at one time: what is hashed, measured and decoded."""

    data: bytes
    #: From when it was read; None if the file was written to meanwhile.
    status: os.stat_result | None

    @cached_property
    def hash(self) -> str:
        """The hash of the bytes."""
        return content_hash(self.data)


@dataclass(frozen=True)
class TarMember:
    """A picture in a tar file that is not compressed: a run of bytes in it."""

    archive: Path
    #: Its name in the archive.
    member: str
    #: Where its bytes begin, and how many there are.
    offset: int
    size: int

    def __str__(self) -> str:
        return f"{self.archive}/{self.member}"

    def read(self) -> bytes:
        """Its content; raises PictureError where the archive cannot be read or is shorter than it was."""
        if self.size > MAX_FILE_BYTES:
            raise PictureError(str(self), f"is larger than {MAX_FILE_BYTES >> 20} MiB; save it smaller, or unpack it")
        try:
            with open_file(self.archive) as file:
                file.seek(self.offset)
                data = file.read(self.size)
        except InputError as error:
            raise PictureError(str(self), str(error)) from error
        except OSError as error:
            raise PictureError(str(self), f"cannot be read: {error.strerror or error}; check the archive") from error
        if len(data) < self.size:
            raise PictureError(str(self), "the archive ends within it; make or fetch the archive again")
        return data


@dataclass(frozen=True)
class NamedPicture:
    """One picture that is not read yet."""

    #: The path, or "picture 3", counted from 1.
    name: str
    #: A file, a member of a tar file, a picture, numbers [H, W, C], or the reason why it is none of these.
    source: Path | TarMember | Image.Image | Array | torch.Tensor | InputError
    #: The size that a file will be shrunk to, so that a JPEG may be decoded at a lower resolution.
    draft: Size | None = None
    #: Range of float values.
    value_range: ValueRange = "0..1"

    @property
    def path(self) -> Path | None:
        """The file that it is read from, if it is one."""
        return self.source if isinstance(self.source, Path) else None

    @property
    def held_bytes(self) -> int:
        """Bytes of memory that it occupies before it is loaded."""
        if isinstance(self.source, (Path, TarMember, InputError)):
            return 0
        return (
            4 * self.source.width * self.source.height if isinstance(self.source, Image.Image) else self.source.nbytes
        )

    def read(self) -> FileContent | None:
        """Its file, opened and read once; None without a file, and for one that is large or cannot be read.

        Raises PictureError for a member of a tar file that cannot be read.
        """
        if isinstance(self.source, TarMember):
            # one that cannot be read raises here, since there is no other way to load it
            return FileContent(self.source.read(), None)
        if self.path is None:
            return None
        try:
            with open_file(self.path) as file:
                before = os.fstat(file.fileno())
                if before.st_size > MAX_FILE_BYTES:
                    return None
                data = file.read()
                after = os.fstat(file.fileno())
        except (OSError, InputError):  # loading it gives the reason
            return None
        is_same = file_state(before) == file_state(after) and len(data) == after.st_size
        return FileContent(data, after if is_same else None)

    def memory_bytes(self, bytes_per_pixel: int = 0, content: FileContent | None = None) -> int:
        """Bytes that decoding and preparing it need; raises PictureError for a file that cannot be opened.

        bytes_per_pixel: what preparing needs beside the decoded picture. content: what ``read`` gave.
        """
        source = self.source
        if isinstance(source, InputError):
            return 0
        if isinstance(source, (Path, TarMember)):
            data = self._data(content)
            with open_picture(Path(str(source)), data=data) as opened:
                buffer = buffer_bytes(opened) + png_pixels.buffer_bytes(opened)
                shrink_decoding(opened, self.draft, self.name)
                is_turned = orientation(opened) != 1
                return decoded_bytes(opened, bytes_per_pixel, is_turned=is_turned) + buffer + len(data or b"")
        if isinstance(source, Image.Image):
            # its orientation may be read from its file
            with lock_of(source):
                return decoded_bytes(source, bytes_per_pixel, is_turned=orientation(source) != 1)
        # floats are scaled as float32 and rounded; Pillow has four bytes per pixel
        channels = int(source.shape[2])
        each = (channels if str(source.dtype).rpartition(".")[2] == "uint8" else 5 * channels) + 4
        return (each + bytes_per_pixel) * int(source.shape[0] * source.shape[1])

    def load(self, content: FileContent | None = None) -> Image.Image | torch.Tensor:
        """Upright RGB or RGBA, or a tensor [H, W, C] on its own device, floats or uint8; raises PictureError.

        content: what ``read`` gave; without it a file is read again.
        """
        source = self.source
        if isinstance(source, InputError):
            raise PictureError(self.name, str(source)) from source
        if isinstance(source, (Path, TarMember)):
            return load_picture(Path(str(source)), self.draft, data=self._data(content))
        if isinstance(source, Image.Image):
            self._check_size(source.width, source.height)
            with lock_of(source):
                return upright_rgb(source, self.name)
        self._check_size(int(source.shape[1]), int(source.shape[0]))
        if str(source.dtype).rpartition(".")[2] != "uint8":
            source = self._unit_range(source)
        return picture_of(source) if isinstance(source, np.ndarray) else source

    def _data(self, content: FileContent | None) -> bytes | None:
        """The bytes of its file, where they were read or do not stand alone in one."""
        if content is None and isinstance(self.source, TarMember):
            return self.source.read()
        return content.data if content else None

    def _check_size(self, width: int, height: int) -> None:
        if not (width and height):
            raise PictureError(self.name, f"is {width} x {height} pixels, so there is nothing to see; leave it out")

    def _unit_range(self, floats: Any) -> Any:
        """The floats in 0..1; raises PictureError where they cannot be a picture of ``value_range``."""
        with np.errstate(invalid="ignore"):
            low, high = float(floats.min()), float(floats.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            what = "NaN" if np.isnan(low) or np.isnan(high) else "infinite numbers"
            reason = f"holds {what}; what made it went wrong, such as a VAE in fp16: try it in fp32"
            raise PictureError(self.name, reason)
        # highlights may be far above white, but a picture whose mean is above white counts to 255
        if high > BRIGHTEST_HIGHLIGHT and float(floats.mean()) > 1:
            reason = f"holds floats up to {high:g}, not {self.value_range}; divide them by 255, or give uint8"
            raise PictureError(self.name, reason)
        dark = (-1 if self.value_range == "-1..1" else 0) - MOST_OVERSHOOT
        if low < dark and int((floats < dark).sum()) > MOST_BELOW * int(np.prod(floats.shape)):
            undo = "undo the normalisation (times std, plus mean)"
            cure = (
                undo if self.value_range == "-1..1" else f"give value_range='-1..1' if that is its range, else {undo}"
            )
            raise PictureError(self.name, f"holds floats down to {low:g}, not {self.value_range}; {cure}")
        return floats * 0.5 + 0.5 if self.value_range == "-1..1" else floats


@dataclass(frozen=True)
class NamedPictures:
    """Pictures in order; those of a generator can be gone through once only."""

    pictures: Iterable[NamedPicture]
    #: How many there are; None for a generator.
    total: int | None

    def __iter__(self) -> Iterator[NamedPicture]:
        return iter(self.pictures)


def file_state(status: os.stat_result) -> str:
    """Size, times and number of a file, one of which differs once it was written to or another took its place."""
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"


def named_pictures(
    pictures: Pictures, *, draft: Size | None = None, value_range: ValueRange = "0..1", strict: bool = True
) -> NamedPictures:
    """The single pictures among paths, PIL, numpy, torch, batches, or nested iterables of these.

    Arrays and tensors are [H, W], [H, W, C], [C, H, W] or [B, H, W, C], tensors also [B, C, H, W]; the axis of 1, 3 or
    4 is the channels. If both ends of three axes may be, 3 or 4 goes before 1; if that does not decide, it is the last
    of an array, and a tensor is refused. Numbers are uint8, or floats of ``value_range``, which are clipped later.
    draft: as ``wanted`` of ``load_picture``, for files.
    strict: what cannot be a picture, by its type or shape, raises InputError, for generators while they are gone
    through; else it is a picture that cannot be loaded.
    """
    if isinstance(pictures, Iterator):
        return NamedPictures(_named(pictures, draft, value_range, strict), None)
    listed = list(_named(pictures, draft, value_range, strict))
    return NamedPictures(listed, len(listed))


def _named(pictures: Pictures, draft: Size | None, value_range: ValueRange, strict: bool) -> Iterator[NamedPicture]:
    numbers = count(1)
    for one in _singles(pictures):
        name = f"picture {next(numbers)}"
        if strict and isinstance(one, InputError):
            raise one
        yield NamedPicture(str(one) if isinstance(one, (Path, TarMember)) else name, one, draft, value_range)


def _singles(pictures: object) -> Iterator[Path | TarMember | Image.Image | Array | torch.Tensor | InputError]:
    """Paths, members of tar files, PIL pictures, numbers [H, W, C], and an error for anything else."""
    no_iterable = (str, os.PathLike, Image.Image, np.ndarray, Tensor, bytes, bytearray, dict)
    if isinstance(pictures, Iterable) and not isinstance(pictures, no_iterable):
        for part in pictures:
            yield from _singles(part)
        return
    try:
        yield from _one_or_batch(pictures)
    except InputError as error:
        yield error


def _one_or_batch(picture: object) -> Iterator[Path | TarMember | Image.Image | Array | torch.Tensor]:
    """A picture as it is, or those of a batch; raises InputError."""
    if isinstance(picture, (str, os.PathLike)):
        yield Path(picture)
    elif isinstance(picture, (Image.Image, TarMember)):
        yield picture
    elif isinstance(picture, np.ndarray):
        _check_dtype(picture.dtype.name)
        yield from _channels_last(picture, picture.shape, lambda *axes: picture.transpose(axes), is_tensor=False)
    elif isinstance(picture, Tensor):
        tensor = cast("torch.Tensor", picture).detach()
        _check_dtype(str(tensor.dtype).rpartition(".")[2])
        yield from _channels_last(tensor, tuple(tensor.shape), tensor.permute, is_tensor=True)
    else:
        raise InputError(
            f"pictures hold a {type(picture).__name__}; give paths, PIL pictures, arrays, tensors, or lists of them"
        )


def _check_dtype(name: str) -> None:
    if name != "uint8" and name not in _FLOATS:
        raise InputError(f"a picture holds numbers of type {name}; make them floats of 0..1, or uint8 of 0..255")


def _channels_last(values: Any, shape: Sequence[int], permute: Callable[..., Any], *, is_tensor: bool) -> Iterator[Any]:
    """Views [H, W, C]; raises InputError for a shape that is no picture's."""
    if len(shape) == 2:
        yield values[:, :, None]
    elif len(shape) == 3:
        yield values if _is_channels_last(shape, is_tensor=is_tensor) else permute(1, 2, 0)
    elif len(shape) == 4 and shape[0] == 0:
        raise InputError("an empty batch holds no picture; look at what made it")
    elif len(shape) == 4 and shape[3] in CHANNELS:
        yield from values
    elif len(shape) == 4 and shape[1] in CHANNELS and is_tensor:
        yield from permute(0, 2, 3, 1)
    else:
        raise InputError(f"pictures have the shape {_shape_text(shape)}; {_SHAPES}")


def _is_channels_last(shape: Sequence[int], *, is_tensor: bool) -> bool:
    first, last = (CHANNELS.index(shape[axis]) if shape[axis] in CHANNELS else -1 for axis in (0, 2))
    if last > 0 >= first or (last == 0 > first):
        return True
    if first > 0 >= last or (first == 0 > last):
        return False
    if first < 0:
        raise InputError(f"a picture has the shape {_shape_text(shape)}; {_SHAPES}")
    if not is_tensor or shape == (1, 1, 1):
        return True
    raise InputError(
        f"a tensor of shape {_shape_text(shape)} may be [C, H, W] or [H, W, C]; give it as a batch [1, H, W, C] to tell"
    )


def _shape_text(shape: Sequence[int]) -> str:
    return "[" + ", ".join(map(str, shape)) + "]"
