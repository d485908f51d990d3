"""Files, PIL pictures and arrays of numbers become RGB pictures of 8 bits; nothing here knows about grids or models."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from .errors import InputError, PictureError

#: Endings of the files that are taken for pictures when a folder is read.
PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jfif", ".webp", ".avif", ".tif", ".tiff", ".bmp", ".gif"})
#: Pictures of more pixels are refused before they are decoded; it is the limit at which Pillow itself refuses.
MAX_PIXELS = 178_956_970
#: Decoding at a power of two keeps at least this multiple of the wanted size (52 dB to a full decode, 46 at worst).
DRAFT_MARGIN = 2

Size = tuple[int, int]
Pixels = NDArray[np.uint8]

_TURNED = (5, 6, 7, 8)
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def open_picture(path: Path) -> Image.Image:
    """The file, opened but not decoded; the caller closes it. Raises PictureError saying why it cannot be used."""
    try:
        image = Image.open(path)
    except Image.DecompressionBombError as error:
        raise PictureError(str(path), _too_many_pixels(str(error))) from error
    except UnidentifiedImageError as error:
        raise PictureError(str(path), _not_a_picture(path)) from error
    # Pillow's readers answer broken files with many kinds of error, SyntaxError and struct.error among them
    except (OSError, SyntaxError, ValueError, EOFError, TypeError, KeyError, IndexError, OverflowError) as error:
        raise PictureError(str(path), f"cannot be opened ({error})") from error
    if image.width * image.height > MAX_PIXELS:
        image.close()
        raise PictureError(str(path), _too_many_pixels(f"{image.width} x {image.height} pixels"))
    return image


def upright_size(image: Image.Image) -> Size:
    """Width and height once the EXIF orientation is obeyed."""
    width, height = image.size
    return (height, width) if orientation(image) in _TURNED else (width, height)


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none or it is broken."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, OverflowError):
        return 1
    return value if value in _TURNS else 1


def load_picture(path: Path, wanted: Size | None = None, *, frame: int = 0) -> Image.Image:
    """The file as an upright RGB or RGBA picture of 8 bits.

    wanted: the size in pixels that it will be shrunk to. A JPEG is then decoded at a half, a quarter or an eighth of
    its size, as long as that keeps twice what is wanted. frame: of an animated file; past its end means the last.
    Raises PictureError for files that cannot be decoded.
    """
    with open_picture(path) as image:
        turn = orientation(image)
        try:
            if frame:
                image.seek(min(frame, getattr(image, "n_frames", 1) - 1))
            if wanted:
                width, height = wanted[::-1] if turn in _TURNED else wanted
                image.draft(None, (DRAFT_MARGIN * width, DRAFT_MARGIN * height))
            picture = to_rgb(image)
        except Image.DecompressionBombError as error:
            raise PictureError(str(path), _too_many_pixels(str(error))) from error
        except (OSError, SyntaxError, ValueError, EOFError, TypeError, KeyError, IndexError, OverflowError) as error:
            raise PictureError(str(path), f"cannot be decoded ({error})") from error
    return picture.transpose(_TURNS[turn]) if turn != 1 else picture


def to_rgb(image: Image.Image) -> Image.Image:
    """RGB, or RGBA where the picture has transparency; 16 bit, float, palette and CMYK are converted by value."""
    if image.mode in ("RGB", "RGBA"):
        image.load()
        if image.mode == "RGB" and "transparency" in image.info:
            return image.convert("RGBA")
        return image.copy() if image.readonly else image
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_to_8_bit(np.asarray(image))).convert("RGB")
    if image.mode in ("LA", "La", "PA", "RGBa") or "transparency" in image.info:
        return image.convert("RGBA")
    return image.convert("RGB")


def _to_8_bit(values: NDArray[np.generic]) -> Pixels:
    """Whole numbers are read as 16 bit; floats as 0..1 if nothing is larger, else as 0..255, else as 0..65535."""
    numbers = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    top = float(numbers.max(initial=0.0))
    whole = values.dtype.kind != "f" or top > 255
    scale = 255 / 65535 if whole else 255.0 if top <= 1 else 1.0
    rounded: Pixels = np.clip(numbers * scale + 0.5, 0, 255).astype(np.uint8)
    return rounded


def array_to_pixels(values: NDArray[np.generic]) -> Pixels:
    """uint8 [H, W, 3 or 4] from [H, W], or [H, W, C] with C = 1, 3 or 4.

    Floats are 0..1: outside is clipped, NaN is black, and halves round up. uint8 passes through.
    Raises InputError for other shapes and kinds of number.
    """
    if values.ndim == 2:
        values = values[:, :, None]
    if values.ndim != 3 or values.shape[2] not in (1, 3, 4) or 0 in values.shape:
        raise InputError(f"a picture has the shape {values.shape}; it must be (height, width, 1, 3 or 4)")
    if values.dtype == np.uint8:
        pixels = values
    elif values.dtype.kind == "f":
        scaled = np.multiply(values, np.float32(255), dtype=np.float32)
        scaled += np.float32(0.5)
        # fmax, unlike maximum, answers NaN with the other operand
        np.fmax(scaled, np.float32(0), out=scaled)
        np.minimum(scaled, np.float32(255), out=scaled)
        pixels = scaled.astype(np.uint8)
    else:
        raise InputError(f"a picture holds numbers of type {values.dtype}; it must be float 0..1 or uint8")
    grey = pixels.shape[2] == 1
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3)) if grey else pixels


def picture_of(values: NDArray[np.generic]) -> Image.Image:
    """An RGB or RGBA picture from an array, as ``array_to_pixels`` reads it."""
    return Image.fromarray(np.ascontiguousarray(array_to_pixels(values)))


def content_hash(data: bytes | memoryview) -> str:
    """A hash of content, with its algorithm as a prefix, so that a later change of algorithm shows."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _too_many_pixels(found: str) -> str:
    return f"too large ({found}); pictures above {MAX_PIXELS // 1_000_000} megapixels are refused, scale it down first"


def _not_a_picture(path: Path) -> str:
    if path.stat().st_size == 0:
        return "the file is empty"
    return "not a picture that can be read (wrong ending, unknown format or broken header)"
