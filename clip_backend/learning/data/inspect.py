"""Every picture of a data set, read once: whether it can be used, what is odd about it, and by what it is known."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ....decoding import READER_ERRORS
from ....errors import PictureError
from ....imaging import Progress, load_picture, open_picture
from ...encoding.batching import THREADS, prefetch
from ...preparing.blank import Emptiness, emptiness, pixel_statistics
from ...preparing.pictures import NamedPicture
from .dataset import Dataset, Picture
from .likeness import Signature


@dataclass(frozen=True, eq=False)
class Inspected:
    """One picture after it was read."""

    #: None for a picture that cannot be read.
    signature: Signature | None = None
    #: Why it cannot be read; empty if it can.
    reason: str = ""
    #: Width and height in pixels.
    size: tuple[int, int] = (0, 0)
    #: Whether its file has several frames or pages, of which only the first is used.
    is_animated: bool = False
    emptiness: Emptiness = ""


def inspect_pictures(dataset: Dataset, progress: Progress | None = None) -> tuple[Inspected, ...]:
    """What was found of the picture of each example, in their order; each file is read and decoded once.

    progress: called with (done, distinct pictures).
    """
    pictures = list(dict.fromkeys(one.picture for one in dataset.examples))
    found: dict[Picture, Inspected] = {}
    results = prefetch(pictures, inspect_picture, threads=THREADS, ahead=4 * THREADS)
    for picture, result in zip(pictures, results, strict=True):
        found[picture] = result
        if progress:
            progress(len(found), len(pictures))
    return tuple(found[one.picture] for one in dataset.examples)


def inspect_picture(picture: Picture) -> Inspected:
    """One picture; one that cannot be read has a reason."""
    path = Path(str(picture))
    try:
        content = NamedPicture(str(picture), picture).read()
        data = content.data if content else None
        loaded = load_picture(path, data=data)
        is_animated = _is_animated(path, data)
    except PictureError as error:
        return Inspected(reason=error.reason)
    signature = Signature.of(loaded, content.hash if content else "")
    return Inspected(signature, "", loaded.size, is_animated, _emptiness(loaded))


def _emptiness(picture: Image.Image) -> Emptiness:
    """Whether it shows nothing; a colour on a grain of the same brightness is no noise."""
    found = emptiness(pixel_statistics(picture))
    if found == "noise":
        colours = (emptiness(pixel_statistics(band)) for band in picture.convert("RGB").split())
        return "" if any(one != "noise" for one in colours) else "noise"
    return found


def _is_animated(path: Path, data: bytes | None) -> bool:
    """Whether the file has several frames or pages; a photograph with a preview beside it has not."""
    with open_picture(path, data=data) as image, suppress(*READER_ERRORS):
        return image.format != "MPO" and bool(getattr(image, "is_animated", False))
    return False
