"""Files and PIL pictures become RGB pictures of 8 bits; nothing here knows about grids or models."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageFile, TiffImagePlugin, UnidentifiedImageError

from . import png_pixels
from .arrays import to_8_bit
from .color_profiles import in_srgb
from .decoding import DECODING, PROFILE, READER_ERRORS, buffer_bytes, decoded_bytes, without_warnings
from .errors import InputError, PictureError
from .foreign_pictures import FOREIGN_SUFFIXES, HEAD_BYTES, cure_of, kind_of, plugin_format
from .frames import seek_frame
from .input_files import check_file, open_file
from .mending import end_note, mended, mended_jpeg
from .png_chunks import MendedFile, note_behind_pixels

#: Endings of the files that are taken for pictures when a folder is read, or are reported as pictures of other kinds.
PICTURE_SUFFIXES = FOREIGN_SUFFIXES | frozenset(
    {
        ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".avif", ".tif", ".tiff", ".bmp", ".dib", ".gif",
        ".tga",
    }
)  # fmt: skip
#: Pictures of more pixels are refused before they are decoded; it is the limit at which Pillow itself refuses.
MAX_PIXELS = 178_956_970
#: Pictures that take more memory are refused: those of 8 bits do not, but 16 bits, CMYK, profiles and WebP take more.
MAX_PICTURE_BYTES = 3 << 29
#: Pictures of fewer pixels never take as much.
_FEW_PIXELS = 40_000_000
#: Pillow's names of the formats that are opened; of the others EPS would start Ghostscript.
PICTURE_FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "TIFF", "BMP", "GIF")
_JPEGS = ("JPEG", "MPO")
#: Decoding at a power of two keeps at least this multiple of the wanted size (52 dB to a full decode, 46 at worst).
DRAFT_MARGIN = 2
Size = tuple[int, int]
#: (pictures done, pictures in all); an exception that it raises stops the work.
Progress = Callable[[int, int], None]

_TURNED = (5, 6, 7, 8)
#: What of a PNG may tell its orientation.
_ORIENTED = frozenset({"exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp"})
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_BYTES_LEFT = re.compile(r" \(\d+ bytes not processed\)")
_UNREACHABLE, _DAMAGED = "check the path and its permissions", "it is damaged, make or fetch it again"
#: Why a picture is left out that is fine in itself.
OUT_OF_MEMORY = "needs more memory than is free; close other programs, or scale it down"


def open_picture(path: Path, *, frame: int = 0, data: bytes | None = None) -> Image.Image:
    """The file, opened but not decoded; the caller closes it. Raises PictureError saying why it cannot be used.

    frame: of an animated file or one of several pages, from 0; past its end means the last. data: the content of the
    file, where it is read already.
    """
    with _reading(str(path), "opened"):
        if data is None:
            _check_is_file(path)
        image = _opened(path, data)
        try:
            if frame:
                seek_frame(image, frame, str(path))
            if image.width * image.height > MAX_PIXELS:
                raise PictureError(str(path), _too_many_pixels(image.width * image.height))
            # a JPEG may be decoded at a fraction of its size
            if image.width * image.height > _FEW_PIXELS and image.format != "JPEG":
                _check_bytes(decoded_bytes(image) + buffer_bytes(image), str(path))
        except BaseException:
            image.close()
            raise
    return image


def _check_is_file(path: Path) -> None:
    """Raises InputError for what would block or never end, such as a pipe, and for a link that leads nowhere."""
    try:
        check_file(path)
    except InputError:
        # a folder that cannot be listed stands among the files: say why
        if os.path.isdir(path):
            os.listdir(path)
        raise


def _check_bytes(needed: int, name: str) -> None:
    if needed > MAX_PICTURE_BYTES:
        found, limit = needed >> 20, MAX_PICTURE_BYTES >> 20
        reason = f"decoding it needs about {found:,} MiB; pictures that need more than {limit:,} MiB are refused"
        raise PictureError(name, f"{reason}, scale it down, or save it as PNG or JPEG of 8 bits")


def _opened(path: Path, data: bytes | None) -> Image.Image:
    """The picture as Pillow opens it, or without what is damaged in it, or by a plugin that is installed."""
    suffix = path.suffix.lower()
    source = path if data is None else BytesIO(data)
    try:
        # TGA files have no mark by which they are known
        image = Image.open(source, formats=("TGA",) if suffix == ".tga" else _known_formats())
        return _with_sound_segments(image) if image.format in _JPEGS else image
    except READER_ERRORS as error:
        if isinstance(error, (MemoryError, Image.DecompressionBombError)):
            raise
        with path.open("rb") if data is None else BytesIO(data) as file:
            head = file.read(HEAD_BYTES)
            if whole := mended(file):
                with suppress(UnidentifiedImageError):
                    return Image.open(whole, formats=_known_formats())
        kind = kind_of(head, suffix)
        if format := plugin_format(kind):
            with suppress(UnidentifiedImageError):
                return Image.open(path if data is None else BytesIO(data), formats=(format,))
        if isinstance(error, UnidentifiedImageError):
            raise PictureError(str(path), _not_a_picture(len(head), kind)) from error
        raise


def _with_sound_segments(image: Image.Image) -> Image.Image:
    """An opened JPEG, read again if one of its segments is damaged; the file stays where Pillow has left it."""
    file = image.fp if isinstance(image, ImageFile.ImageFile) else None
    if file is None:
        return image
    place = file.tell()
    whole = mended_jpeg(file)
    file.seek(place)
    if whole is None:
        return image
    image.close()
    return Image.open(whole, formats=_known_formats())


@contextmanager
def header_of_any_size(path: Path) -> Iterator[Image.Image]:
    """The file, opened for the texts in it alone, however many pixels it claims. Raises PictureError."""
    with _reading(str(path), "opened"), open_file(path) as file:
        prefix = file.read(16)
        for factory, accepts in map(Image.OPEN.__getitem__, _known_formats()):
            # a reader that is not built in accepts with a text that says so
            if accepts and accepts(prefix) is True:
                file.seek(0)
                with factory(file, str(path)) as image:
                    yield image
                return
        raise PictureError(str(path), _not_a_picture(len(prefix)))


def left_out(image: Image.Image) -> str:
    """What an opened picture is read without because it is damaged; empty if that is nothing."""
    file = image.fp if isinstance(image, ImageFile.ImageFile) else None
    if isinstance(file, MendedFile):
        return file.note
    if file is None:
        return ""
    return note_behind_pixels(file) if image.format == "PNG" else end_note(file) if image.format in _JPEGS else ""


def upright_size(image: Image.Image) -> Size:
    """Width and height once the EXIF orientation is obeyed."""
    width, height = image.size
    if orientation(image) not in _TURNED:
        return width, height
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        # since Pillow 11 the size of a TIFF is already the upright one; its tags hold the stored one
        width = image.tag_v2.get(TiffImagePlugin.IMAGEWIDTH, width)
        height = image.tag_v2.get(TiffImagePlugin.IMAGELENGTH, height)
    return height, width


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none or it is broken. The picture is not decoded."""
    if image.format == "PNG" and _ORIENTED.isdisjoint(image.info):
        return 1
    try:
        with without_warnings:
            # not the method of PNG files, which decodes the whole picture to find an EXIF chunk behind the pixels
            value = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)
    except READER_ERRORS:
        return 1
    return value if isinstance(value, int) and value in _TURNS else 1


def load_picture(path: Path, wanted: Size | None = None, *, frame: int = 0, data: bytes | None = None) -> Image.Image:
    """The file as an upright RGB or RGBA picture of 8 bits.

    wanted: the size in pixels that it will be shrunk to. A JPEG is then decoded at a half, a quarter or an eighth of
    its size, as long as that keeps twice what is wanted. frame, data: as for ``open_picture``.
    Raises PictureError for files that cannot be decoded.
    """
    try:
        return _load_picture(path, wanted, frame, data)
    except PictureError as error:
        # what follows the pixels may be what is wrong; damaged pixels, and too many of them, stay so
        if error.__cause__ is None or isinstance(error.__cause__, (MemoryError, Image.DecompressionBombError)):
            raise
        with _reading(str(path), "opened"), open_file(path) if data is None else BytesIO(data) as file:
            whole = mended(file)
        if whole is None:
            raise
        return _load_picture(path, wanted, frame, whole.getvalue())


def _load_picture(path: Path, wanted: Size | None, frame: int, data: bytes | None) -> Image.Image:
    with open_picture(path, frame=frame, data=data) as image:
        buffer = buffer_bytes(image) + png_pixels.buffer_bytes(image)
        shrink_decoding(image, wanted, str(path))
        with DECODING.acquire(decoded_bytes(image) + buffer):
            return upright_rgb(image, str(path), png_pixels.fast_png(image))


def shrink_decoding(image: Image.Image, wanted: Size | None, name: str) -> None:
    """Has an opened JPEG decoded at a fraction of its size, if that is enough; ``load_picture`` says when."""
    if wanted:
        width, height = wanted[::-1] if orientation(image) in _TURNED else wanted
        with _reading(name, "decoded"):
            image.draft(None, (DRAFT_MARGIN * width, DRAFT_MARGIN * height))


def decoded(image: Image.Image, name: str) -> Image.Image:
    """An opened picture with its pixels as they are stored; raises PictureError with its name."""
    with _reading(name, "decoded"):
        image.load()
    return image


def upright_rgb(image: Image.Image, name: str, pixels: Image.Image | None = None) -> Image.Image:
    """An opened picture, or its pixels, as an upright RGB or RGBA picture; raises PictureError with its name."""
    with _reading(name, "decoded"):
        turn = orientation(image)
        if pixels is None:
            image.load()
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            # Pillow has turned it and forgotten its orientation
            turn = orientation(image)
        picture = to_rgb(image if pixels is None else pixels)
    return picture.transpose(_TURNS[turn]) if turn != 1 else picture


def to_rgb(image: Image.Image) -> Image.Image:
    """RGB, or RGBA where the picture has transparency, in sRGB by its color profile, if it has one that can be used.

    16 bit, float, palette, and CMYK without a profile are converted by value.
    Whole numbers of more than 8 bits are read as 16 bit; floats as 0..1 if nothing is above 8 (what is above 1 is
    white), else as 0..255, else as 0..65535.
    """
    profile = image.info.get(PROFILE)
    if not profile:
        return _rgb_by_value(image)
    if image.mode == "LAB":
        # what its numbers mean does not depend on a profile
        shown = _rgb_by_value(image)
        shown.info.pop(PROFILE, None)
        return shown
    if image.mode == "CMYK":
        return _rgb_by_value(in_srgb(image, profile))
    shown = _rgb_by_value(image)
    # pictures of 16 bit lose it
    shown.info[PROFILE] = profile
    return in_srgb(shown, profile, is_grey=image.mode.startswith(("1", "L", "I", "F")))


def _rgb_by_value(image: Image.Image) -> Image.Image:
    if image.mode in ("RGB", "RGBA"):
        image.load()
        if image.mode == "RGB" and "transparency" in image.info:
            return image.convert("RGBA")
        return image.copy() if image.readonly else image
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(to_8_bit(np.asarray(image))).convert("RGB")
    if image.mode == "La":
        image = image.convert("LA")
    if image.mode in ("LA", "PA", "RGBa") or "transparency" in image.info:
        return image.convert("RGBA")
    return image.convert("RGB")


def flattened(image: Image.Image, background: tuple[int, int, int] | None) -> Image.Image:
    """RGB of what ``to_rgb`` takes, laid on a colour; None drops the transparency and shows the colour below it."""
    shown = to_rgb(image)
    if shown.mode == "RGB":
        return shown
    if background is None:
        return shown.convert("RGB")
    canvas = Image.new("RGBA", shown.size, (*background, 255))
    canvas.alpha_composite(shown)
    return canvas.convert("RGB")


def content_hash(data: bytes | memoryview) -> str:
    """A hash of content, with its algorithm as a prefix, so that a later change of algorithm shows."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


@cache
def _known_formats() -> tuple[str, ...]:
    Image.init()
    # Pillow before 11.3 does not know AVIF
    return tuple(name for name in PICTURE_FORMATS if name in Image.OPEN)


@contextmanager
def _reading(name: str, doing: str) -> Iterator[None]:
    """What Pillow raises for a broken file becomes a PictureError; its warnings are not shown."""
    try:
        with without_warnings:
            yield
    except PictureError:
        raise
    except InputError as error:
        raise PictureError(name, str(error)) from error
    except Image.DecompressionBombError as error:
        pixels = re.search(r"\d+", str(error))
        raise PictureError(name, _too_many_pixels(int(pixels[0]) if pixels else MAX_PIXELS)) from error
    except MemoryError as error:
        raise PictureError(name, OUT_OF_MEMORY) from error
    except READER_ERRORS as error:
        # the system's errors have it; those of Pillow's readers do not
        told = error.strerror if isinstance(error, OSError) else None
        # how far a decoder came depends on how it was fed
        reason = told or _BYTES_LEFT.sub("", str(error)) or type(error).__name__
        raise PictureError(name, f"cannot be {doing} ({reason}); {_UNREACHABLE if told else _DAMAGED}") from error


def _too_many_pixels(pixels: int) -> str:
    found, limit = pixels // 1_000_000, MAX_PIXELS // 1_000_000
    return f"too large ({found} megapixels); pictures above {limit} megapixels are refused, scale it down first"


def _not_a_picture(size: int, kind: str = "") -> str:
    if size == 0:
        return "the file is empty; make or fetch it again"
    otherwise = "not a picture that can be read (wrong ending, unknown format or broken header); save it as PNG or JPEG"
    return cure_of(kind) or otherwise
