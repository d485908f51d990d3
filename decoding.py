"""Decoding by several threads at once: one bound on the memory that it takes, and no warnings of Pillow."""

from __future__ import annotations

import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from PIL import Image, TiffImagePlugin

#: Bytes of decoded pictures that all threads together hold; a larger picture is decoded alone.
DECODED_BYTES = 512 << 20
#: Where a picture keeps its color profile in ``info``.
PROFILE = "icc_profile"
#: What Pillow's readers raise for broken files.
READER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    EOFError,
    MemoryError,
    RuntimeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


class _OfThread(threading.local):
    """What a thread holds, and whether it holds it until its scope ends."""

    size = 0
    in_scope = False


class ByteSemaphore:
    """Bounds the bytes that several threads hold at a time; a thread that needs more than the bound runs alone.

    A thread that holds some takes no more: what it needs within is counted by its first claim.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held = 0
        self._changed = threading.Condition()
        self._own = _OfThread()

    @contextmanager
    def acquire(self, size: int) -> Iterator[None]:
        """A scope that holds this many bytes; waits until they fit."""
        if self._own.size or size <= 0:
            yield
            return
        with self._changed:
            self._changed.wait_for(lambda: not self._held or self._held + size <= self._max_bytes)
            self._held += size
        self._own.size = size
        try:
            yield
        finally:
            if not self._own.in_scope:
                self._release()

    @contextmanager
    def until_end(self) -> Iterator[None]:
        """A scope in which what this thread acquires is held until the scope ends."""
        self._own.in_scope = True
        try:
            yield
        finally:
            self._own.in_scope = False
            self._release()

    def _release(self) -> None:
        with self._changed:
            self._held -= self._own.size
            self._own.size = 0
            self._changed.notify_all()


class WithoutWarnings:
    """Pillow's warnings of oddities in usable files are not shown while any thread is inside.

    ``warnings.catch_warnings`` is not for threads: the first that leaves would undo what the others rely on.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._filter: object = None

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                warnings.filterwarnings("ignore", module=r"PIL\b")
                self._filter = warnings.filters[0]

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            filters = cast(list[Any], warnings.filters)
            if not self._inside and self._filter in filters:
                filters.remove(self._filter)


#: The bound on pictures of sheets and on those that CLIP looks at.
DECODING = ByteSemaphore(DECODED_BYTES)
without_warnings = WithoutWarnings()
#: Locks of pictures, by their identity.
_LOCKS = tuple(threading.Lock() for _ in range(64))


def lock_of(image: Image.Image) -> threading.Lock:
    """What a thread holds while it decodes a picture that others may use too: Pillow reads its file on first use."""
    return _LOCKS[id(image) // 64 % len(_LOCKS)]


def decoded_bytes(image: Image.Image, more_per_pixel: int = 0, *, is_turned: bool = True) -> int:
    """About the bytes that an opened picture and its conversion by ``upright_rgb`` hold at most at a time.

    more_per_pixel: bytes per pixel that are needed beside them. is_turned: whether its EXIF orientation is obeyed.
    """
    stored = 1 if image.mode in ("1", "L", "P") else 2 if image.mode.startswith("I;16") else 4
    each = stored + more_per_pixel
    if image.mode.startswith(("I", "F")):
        # its numbers rounded to one byte, and as RGB
        each += stored + 5
    elif image.mode not in ("RGB", "RGBA") or image.info.keys() & {"transparency", PROFILE}:
        each += 4
    each += 4 * is_turned
    return each * image.width * image.height


def buffer_bytes(image: Image.Image) -> int:
    """About the bytes of an opened file, before its decoding is shrunk, that its library holds while it decodes."""
    pixels = image.width * image.height
    if image.format in ("WEBP", "AVIF"):
        # measured: WebP keeps two canvases beside the one that is handed over
        return (12 if image.format == "WEBP" else 6) * pixels
    if image.info.get("progressive"):
        # the coefficients of the whole JPEG, two bytes each
        return 2 * len(image.getbands()) * pixels
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return 0
    tags = image.tag_v2
    try:
        # one strip or tile, which may be the whole picture
        strip = min(tags.get(TiffImagePlugin.ROWSPERSTRIP, image.height), image.height) * image.width
        tile = tags.get(TiffImagePlugin.TILELENGTH, 0) * tags.get(TiffImagePlugin.TILEWIDTH, 0)
        return int((tile or strip) * sum(tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,))) // 8)
    except TypeError:
        # a broken tag; decoding it says what is wrong, if anything is
        return 8 * pixels
