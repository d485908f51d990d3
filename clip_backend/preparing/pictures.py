"""Whatever a caller may hand in as pictures becomes single pictures with names, none of them read before its turn."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Union, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import InputError, PictureError
from ...imaging import BRIGHTEST_HIGHLIGHT, Size, Tensor, load_picture, picture_of, upright_rgb

if TYPE_CHECKING:
    import torch


Array = NDArray[np.generic]
OnePicture = Union[str, "os.PathLike[str]", Image.Image, Array, "torch.Tensor"]
#: A picture, a batch, or any nesting of lists, tuples and generators of these.
Pictures = OnePicture | Iterable[Any]
#: Numbers of channels: grey, RGB, RGBA.
CHANNELS = (1, 3, 4)
_FLOATS = ("float64", "float32", "float16", "bfloat16")
_SHAPES = "an array must be [H, W, C] or [B, H, W, C], a tensor [C, H, W] or [B, H, W, C], with C = 1, 3 or 4"
#: Pillow decodes a file when it is first used, which two threads must not do at once; by the picture's identity.
_DECODING = tuple(Lock() for _ in range(64))


@dataclass(frozen=True)
class NamedPicture:
    """One picture that is not read yet."""

    #: The path, or "picture 3", counted from 1.
    name: str
    #: RGB or RGBA, upright; or a tensor [H, W, C] where it lies, floats or uint8. Raises PictureError.
    load: Callable[[], Image.Image | torch.Tensor]
    #: Where it is read from, if it is a file.
    path: Path | None = None
    #: Bytes of memory that it occupies before it is loaded.
    held_bytes: int = 0


@dataclass(frozen=True)
class NamedPictures:
    """The pictures in order; what a generator makes can be gone through once only."""

    source: Iterable[NamedPicture]
    #: How many there are; None if only the end of a generator will tell.
    total: int | None

    def __iter__(self) -> Iterator[NamedPicture]:
        return iter(self.source)


def named_pictures(pictures: Pictures, *, draft: Size | None = None, strict: bool = True) -> NamedPictures:
    """The single pictures of what was given: paths, PIL, numpy, torch, batches, or nested iterables of these.

    Arrays and tensors are [H, W], [H, W, C], [C, H, W] or [B, H, W, C], tensors also [B, C, H, W]; the axis of 1, 3 or
    4 is the channels. If both ends of three axes may be, 3 or 4 goes before 1; if that does not tell, it is the last
    of an array, and a tensor is refused. Numbers are uint8, or floats of 0..1, which are clipped later.
    draft: as ``wanted`` of ``load_picture``, for files.
    strict: what cannot be a picture, by its type or shape, raises InputError, for generators while they are gone
    through; else it is a picture that cannot be loaded.
    """
    if isinstance(pictures, Iterator):
        return NamedPictures(_named(pictures, draft, strict), None)
    found = list(_named(pictures, draft, strict))
    return NamedPictures(found, len(found))


def _named(pictures: Pictures, draft: Size | None, strict: bool) -> Iterator[NamedPicture]:
    numbers = count(1)
    for one in _singles(pictures):
        name = f"picture {next(numbers)}"
        if isinstance(one, InputError):
            if strict:
                raise one
            yield NamedPicture(name, _refusal(one, name))
        elif isinstance(one, Path):
            yield NamedPicture(str(one), _file_loader(one, draft), path=one)
        elif isinstance(one, Image.Image):
            yield NamedPicture(name, _image_loader(one, name), held_bytes=4 * one.width * one.height)
        else:
            yield NamedPicture(name, _number_loader(one, name), held_bytes=one.nbytes)


def _singles(pictures: object) -> Iterator[Path | Image.Image | Array | torch.Tensor | InputError]:
    """Paths, PIL pictures, [H, W, C] of numbers, and what is wrong with all else."""
    if _holds_pictures(pictures):
        for part in cast("Iterable[object]", pictures):
            yield from _singles(part)
        return
    try:
        yield from _shown_by(pictures)
    except InputError as error:
        yield error


def _holds_pictures(pictures: object) -> bool:
    one = (str, os.PathLike, Image.Image, np.ndarray, Tensor, bytes, bytearray, dict)
    return isinstance(pictures, Iterable) and not isinstance(pictures, one)


def _shown_by(picture: object) -> Iterator[Path | Image.Image | Array | torch.Tensor]:
    """A picture as it is, or those of a batch; raises InputError."""
    if isinstance(picture, (str, os.PathLike)):
        yield Path(picture)
    elif isinstance(picture, Image.Image):
        yield picture
    elif isinstance(picture, np.ndarray):
        _check_numbers(picture.dtype.name)
        yield from _channels_last(picture, picture.shape, lambda *axes: picture.transpose(axes), is_tensor=False)
    elif isinstance(picture, Tensor):
        tensor = cast("torch.Tensor", picture).detach()
        _check_numbers(str(tensor.dtype).rpartition(".")[2])
        yield from _channels_last(tensor, tuple(tensor.shape), tensor.permute, is_tensor=True)
    else:
        raise InputError(
            f"pictures hold a {type(picture).__name__}; give paths, PIL pictures, arrays, tensors, or lists of them"
        )


def _check_numbers(name: str) -> None:
    if name != "uint8" and name not in _FLOATS:
        raise InputError(f"a picture holds numbers of type {name}; make them floats of 0..1, or uint8 of 0..255")


def _channels_last(values: Any, shape: Sequence[int], turned: Callable[..., Any], *, is_tensor: bool) -> Iterator[Any]:
    """Views [H, W, C]."""
    if len(shape) == 2:
        yield values[:, :, None]
    elif len(shape) == 3:
        yield values if _is_channels_last(shape, is_tensor=is_tensor) else turned(1, 2, 0)
    elif len(shape) == 4 and shape[0] == 0:
        raise InputError("an empty batch holds no picture; look at what made it")
    elif len(shape) == 4 and shape[3] in CHANNELS:
        yield from values
    elif len(shape) == 4 and shape[1] in CHANNELS and is_tensor:
        yield from turned(0, 2, 3, 1)
    else:
        raise InputError(f"pictures have the shape {_shown(shape)}; {_SHAPES}")


def _is_channels_last(shape: Sequence[int], *, is_tensor: bool) -> bool:
    first, last = (CHANNELS.index(shape[axis]) if shape[axis] in CHANNELS else -1 for axis in (0, 2))
    if last > 0 >= first or (last == 0 > first):
        return True
    if first > 0 >= last or (first == 0 > last):
        return False
    if first < 0:
        raise InputError(f"a picture has the shape {_shown(shape)}; {_SHAPES}")
    if not is_tensor or shape == (1, 1, 1):
        return True
    raise InputError(
        f"a tensor of shape {_shown(shape)} may be [C, H, W] or [H, W, C]; give it as a batch [1, H, W, C] to tell"
    )


def _shown(shape: Sequence[int]) -> str:
    return "[" + ", ".join(map(str, shape)) + "]"


def _refusal(error: InputError, name: str) -> Callable[[], Image.Image]:
    def load() -> Image.Image:
        raise PictureError(name, str(error)) from error

    return load


def _file_loader(path: Path, draft: Size | None) -> Callable[[], Image.Image]:
    return lambda: load_picture(path, draft)


def _image_loader(image: Image.Image, name: str) -> Callable[[], Image.Image]:
    def load() -> Image.Image:
        if 0 in image.size:
            raise PictureError(name, _no_pixels(image.width, image.height))
        with _DECODING[id(image) // 64 % len(_DECODING)]:
            return upright_rgb(image, name)

    return load


def _number_loader(values: Any, name: str) -> Callable[[], Image.Image | torch.Tensor]:
    def load() -> Image.Image | torch.Tensor:
        height, width = values.shape[:2]
        if not (height and width):
            raise PictureError(name, _no_pixels(width, height))
        if str(values.dtype).rpartition(".")[2] != "uint8":
            _check_range(values, name)
        return picture_of(values) if isinstance(values, np.ndarray) else cast("torch.Tensor", values)

    return load


def _check_range(values: Any, name: str) -> None:
    """Raises PictureError where the floats cannot be a picture of 0..1."""
    with np.errstate(invalid="ignore"):
        low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        what = "NaN" if np.isnan(low) or np.isnan(high) else "infinite numbers"
        raise PictureError(name, f"holds {what}; what made it went wrong, such as a VAE in fp16: try it in fp32")
    # highlights may be far above white, but a picture whose mean is above white counts to 255
    if high > BRIGHTEST_HIGHLIGHT and float(values.mean()) > 1:
        raise PictureError(name, f"holds floats up to {high:g}, not 0..1; divide them by 255, or give uint8")


def _no_pixels(width: int, height: int) -> str:
    return f"is {width} x {height} pixels, so there is nothing to see; leave it out"
