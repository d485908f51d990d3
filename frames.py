"""The frames of animated files and the pages of TIFF files."""

from __future__ import annotations

from bisect import bisect_left

from PIL import Image, TiffImagePlugin

from .errors import PictureError

#: The last frame of an animated file that is looked for, and the pixels of the frames before it.
MAX_FRAMES, MAX_FRAME_PIXELS = 2_000, 2_000_000_000


def _has_page(image: Image.Image, page: int) -> bool:
    try:
        image.seek(0)
        image.seek(page)
    except EOFError:
        return False
    return True


def seek_frame(image: Image.Image, frame: int, name: str) -> None:
    """Goes to a frame, or to the last if there are fewer; raises PictureError where that would take too long."""
    most = min(MAX_FRAMES, MAX_FRAME_PIXELS // max(1, image.width * image.height))
    try:
        image.seek(min(frame, most))
    except EOFError:
        # Pillow cannot count the pages of a TIFF once it has gone past their end, but goes to any of them at once
        pages = range(1, min(frame, most)) if isinstance(image, TiffImagePlugin.TiffImageFile) else ()
        last = bisect_left(pages, True, key=lambda page: not _has_page(image, page))
        if pages:
            # it takes the page before the end for the one that it stands at
            image.seek(0)
        image.seek(last if pages else getattr(image, "n_frames", 1) - 1)
        return
    if frame > most:
        raise PictureError(name, f"has more than {most} frames of this size; choose one of the first {most} as frame")
