"""The same sheets made by others: a plain Pillow script, ImageMagick's montage, and libvips."""

from __future__ import annotations

import importlib
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import numpy as np
from PIL import Image, ImageDraw, ImageFont

MARGIN = 10


def pillow_script(
    pictures: Sequence[Path] | Sequence[np.ndarray], out: Path, cell: int, columns: int, level: int
) -> None:
    """What most node packs do: open, resize by LANCZOS, paste, draw the name, save."""
    rows = -(-len(pictures) // columns)
    page = Image.new("RGB", (columns * (cell + MARGIN) + MARGIN, rows * (cell + MARGIN) + MARGIN), "white")
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(16)
    for number, source in enumerate(pictures):
        name = source.name if isinstance(source, Path) else f"image {number + 1}"
        if isinstance(source, Path):
            picture = Image.open(source).convert("RGB")
        else:
            picture = Image.fromarray(np.clip(255.0 * source, 0, 255).astype(np.uint8))
        if picture.size != (cell, cell):
            picture = picture.resize((cell, cell), Image.Resampling.LANCZOS)
        x, y = number % columns * (cell + MARGIN) + MARGIN, number // columns * (cell + MARGIN) + MARGIN
        page.paste(picture, (x, y))
        place = (x + cell // 2, y + cell - 8)
        draw.text(place, name, fill="white", font=font, anchor="ms", stroke_width=2, stroke_fill="black")
    page.save(out, compress_level=level)


def montage(files: Sequence[Path], out: Path, cell: int, columns: int) -> None:
    """ImageMagick's montage with the file name as label."""
    size = f"{cell}x{cell}+{MARGIN // 2}+{MARGIN // 2}"
    command = ["montage", "-label", "%f", "-geometry", size, "-tile", f"{columns}x", *map(str, files), str(out)]
    subprocess.run(command, check=True, capture_output=True)


def has_montage() -> bool:
    """Whether ImageMagick is installed."""
    return shutil.which("montage") is not None


def libvips_full(files: Sequence[Path], out: Path, cell: int, columns: int) -> None:
    """The same from fully decoded pictures, as the other contenders' quality asks for."""
    with _vips() as pyvips:
        pictures = [pyvips.Image.new_from_file(str(file), access="sequential") for file in files]
        cells = [picture.thumbnail_image(cell, height=cell) for picture in pictures]
        pyvips.Image.arrayjoin(cells, across=columns, shim=MARGIN, background=[255]).write_to_file(str(out))


def libvips(files: Sequence[Path], out: Path, cell: int, columns: int) -> None:
    """libvips: thumbnail, arrayjoin, pngsave with its defaults. No labels; JPEG is decoded at the cell's size."""
    with _vips() as pyvips:
        cells = [pyvips.Image.thumbnail(str(file), cell, height=cell) for file in files]
        pyvips.Image.arrayjoin(cells, across=columns, shim=MARGIN, background=[255]).write_to_file(str(out))


@contextmanager
def _vips() -> Iterator[ModuleType]:
    """The package; its own errors become RuntimeError."""
    pyvips = importlib.import_module("pyvips")
    try:
        yield pyvips
    except pyvips.Error as error:
        raise RuntimeError(str(error)) from error
