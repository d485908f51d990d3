"""What is shown of a sheet: its pages, collected while they are painted and reduced as far as need be."""

from __future__ import annotations

import io
import math
import secrets
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ..atomic import atomic_file
from ..imaging import Pixels

#: Pixels of all pages together that are kept for the ``grid`` output: 0.8 GB as float32.
PAGE_BUDGET = 64_000_000
#: Browsers get sluggish, and some refuse, when a node shows larger pictures.
PREVIEW_SIDE = 2048
PREVIEW_QUALITY = 85


class CollectedPages:
    """Keeps the pages whose bands it is shown, each side divided by ``factor``."""

    def __init__(self, factor: int = 1) -> None:
        self.factor = factor
        self._parts: dict[int, list[Pixels]] = {}
        self._waiting: dict[int, list[Pixels]] = {}

    def add(self, number: int, band: Pixels) -> None:
        """The next band of page ``number``, uint8 [H, W, C]."""
        waiting = self._waiting.setdefault(number, [])
        waiting.append(band)
        if sum(map(len, waiting)) >= self.factor:
            self._reduce(number, whole=True)

    def pages(self) -> list[Pixels]:
        """All pages, uint8 [H, W, C]."""
        for number in self._waiting:
            self._reduce(number, whole=False)
        return [np.concatenate(parts) for parts in self._parts.values()]

    def _reduce(self, number: int, *, whole: bool) -> None:
        """Average what waits; ``whole`` leaves the rows that do not fill a step to the next band."""
        waiting = self._waiting[number]
        if not waiting:
            return
        rows = np.concatenate(waiting) if len(waiting) > 1 else waiting[0]
        end = len(rows) - len(rows) % self.factor if whole else len(rows)
        reduced = rows[:end] if self.factor == 1 else np.asarray(Image.fromarray(rows[:end]).reduce(self.factor))
        self._parts.setdefault(number, []).append(reduced)
        self._waiting[number] = [rows[end:]] if end < len(rows) else []


def reduction(sizes: Sequence[tuple[int, int]], budget: int) -> int:
    """The whole number by which sides are divided so that pages of these sizes have at most ``budget`` pixels."""
    pixels = sum(width * height for width, height in sizes)
    return max(1, math.ceil(math.sqrt(pixels / budget)))


def save_preview(page: Pixels, folder: Path) -> str:
    """Write a page, reduced to PREVIEW_SIDE, as a WebP file with a name of its own; answers the name."""
    image = Image.fromarray(page)
    image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.BOX, reducing_gap=None)
    data = io.BytesIO()
    image.save(data, "WEBP", quality=PREVIEW_QUALITY)
    name = f"clip_grid_{secrets.token_hex(6)}.webp"
    with atomic_file(folder / name) as file:
        file.write(data.getvalue())
    return name
