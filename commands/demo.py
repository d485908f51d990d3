"""``clip-grid demo``: pictures that the program draws, and sheets of them, so that everything can be tried at once."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, PngImagePlugin

from ..api import GridReport, export_grid
from ..atomic import atomic_file
from ..clip_backend.shapes_demo import SHAPES_DEMO
from ..grid.report import BatchReport
from ..imaging import Progress
from .output import DONE, Bar, add_output_flags, note, print_json, show
from .shape_drawing import COLOURS, SHAPES, draw, random_scene

FOLDER = "clip-grid-demo"
_SHEETS: dict[str, dict[str, Any]] = {
    "table.png": {"title": "Sampler and cfg, found in the files"},
    "labels.jpg": {"columns": 5, "label_format": "{sampler} · cfg {cfg} · seed {seed}", "label_position": "below"},
    "page.html": {"title": "CLIP Grid demo"},
}
USAGE = "[options] [DIRECTORY]"
HELP = "draw demo pictures and make sheets of them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the command."""
    parser.add_argument(
        "directory", metavar="DIRECTORY", nargs="?", default=FOLDER, help="where to put them (default: %(default)s)"
    )
    parser.add_argument(
        "--use-clip", action="store_true", help=f"also draw shapes and have {SHAPES_DEMO}, a demo model, label them"
    )
    add_output_flags(parser)
    parser.set_defaults(run=show_demo)


def show_demo(args: argparse.Namespace) -> int:
    """Draw a table of pictures, one file of it missing, and make the sheets; with CLIP also one that it labels."""
    root = Path(args.directory)
    with Bar(args.quiet) as bar:
        draw_demo_pictures(root / "pictures")
        reports = [_sheet(root / "pictures", root / name, options, bar) for name, options in _SHEETS.items()]
        if getattr(args, "use_clip", False):
            reports.append(_clip_sheet(root, bar))
    if args.json:
        print_json(BatchReport(tuple(reports)).to_dict())
    else:
        _print_summary(root, reports)
    note(args, [warning for report in reports for warning in report.warnings])
    return DONE


def _sheet(pictures: Path, out: Path, options: Mapping[str, Any], progress: Progress) -> GridReport:
    return export_grid(pictures, out, progress=progress, **options)


def _clip_sheet(root: Path, progress: Progress) -> GridReport:
    draw_shapes(root / "shapes")
    options = {"title": "Labelled by a toy CLIP", "columns": 4, "clip_model": SHAPES_DEMO, "vocabulary": WORDS}
    return _sheet(root / "shapes", root / "clip.png", {"use_clip": True, **options}, progress)


def _print_summary(root: Path, reports: list[GridReport]) -> None:
    for report in reports:
        show(report.summary_lines())
    show(["", "Now with your own pictures:", f"  clip-grid export YOUR_FOLDER {root / 'mine.png'}"])


SAMPLERS = ("euler", "dpmpp_2m", "ddim", "uni_pc")
CFGS = (3, 5, 7, 9, 12)
#: This one is not drawn, so that the sheet has a hole to mark.
MISSING = ("ddim", 9)
#: Pixels of a finished picture, and of the drawing that it is reduced from.
FINISHED, OVERSAMPLE = 384, 2
SIZE = FINISHED * OVERSAMPLE


def draw_demo_pictures(folder: Path) -> list[Path]:
    """A picture for each sampler and cfg but one, as PNG with the generation data of the A1111 web UI."""
    paths = []
    for row, sampler in enumerate(SAMPLERS):
        for column, cfg in enumerate(CFGS):
            if (sampler, cfg) == MISSING:
                continue
            path = folder / f"{sampler}_cfg{cfg}.png"
            data = PngImagePlugin.PngInfo()
            data.add_text("parameters", _parameters(sampler, cfg))
            with atomic_file(path) as file:
                draw_planet(row, column).save(file, "PNG", pnginfo=data)
            paths.append(path)
    return paths


def _parameters(sampler: str, cfg: int) -> str:
    return (
        "a small planet over a quiet sea, soft light\nNegative prompt: text, watermark\n"
        f"Steps: 24, Sampler: {sampler}, CFG scale: {cfg}, Seed: 1234567890, Size: {FINISHED}x{FINISHED}, "
        "Model: demo-planets"
    )


def draw_planet(row: int, column: int) -> Image.Image:
    """A planet over the sea: the row sets its colours, the column its size and contrast."""
    return _draw_large(row, column).reduce(OVERSAMPLE)


def _draw_large(row: int, column: int) -> Image.Image:
    sky = _gradient(200 + 40 * row, 0.25 + 0.15 * column)
    draw = ImageDraw.Draw(sky)
    rng = np.random.default_rng(100 * row + column)
    for x, y, size in zip(
        rng.uniform(0, SIZE, 60), rng.uniform(0, SIZE * 0.6, 60), OVERSAMPLE * rng.uniform(0.4, 1.3, 60), strict=True
    ):
        draw.ellipse((x - size, y - size, x + size, y + size), fill=(255, 255, 240))
    sky.paste(_planet(row, column), (0, 0), _disc(column))
    return _with_sea(sky)


def _gradient(hue: float, contrast: float) -> Image.Image:
    top = np.array(_color(hue, 0.6, 0.15))
    bottom = np.array(_color(hue + 60, 0.5, 0.35 + contrast * 0.5))
    blend = np.linspace(0, 1, SIZE)[:, None, None]
    return Image.fromarray(np.broadcast_to(top * (1 - blend) + bottom * blend, (SIZE, SIZE, 3)).astype(np.uint8))


def _planet(row: int, column: int) -> Image.Image:
    """Bands of colour, lit from the upper left."""
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    bands = 0.5 + 0.5 * np.sin((6 + 2 * row) * math.pi * (y + 0.04 * np.sin(9 * x + column)))
    light = np.clip(1.15 - 1.3 * np.hypot(x - 0.4, y - 0.28), 0.08, 1)
    first, second = (np.array(_color(30 + 80 * row + shift, 0.7, 0.9)) for shift in (0, 40))
    mixed = first * bands[..., None] + second * (1 - bands[..., None])
    return Image.fromarray((mixed * light[..., None]).astype(np.uint8))


def _disc(column: int) -> Image.Image:
    mask = Image.new("L", (SIZE, SIZE), 0)
    radius = SIZE * (0.16 + 0.025 * column)
    center = SIZE * 0.5, SIZE * 0.36
    box = center[0] - radius, center[1] - radius, center[0] + radius, center[1] + radius
    ImageDraw.Draw(mask).ellipse(box, fill=255)
    return mask.filter(ImageFilter.GaussianBlur(2))


def _with_sea(sky: Image.Image) -> Image.Image:
    """The lower third mirrors what is above it, darker and in waves."""
    pixels = np.asarray(sky).astype(np.float32)
    shore = int(SIZE * 0.68)
    for y in range(shore, SIZE):
        depth = (y - shore) / (SIZE - shore)
        wave = int(6 * math.sin(y * 0.45) * (0.3 + depth))
        pixels[y] = np.roll(pixels[max(0, shore - 1 - (y - shore))], wave, axis=0) * (0.55 - 0.25 * depth)
    return Image.fromarray(pixels.astype(np.uint8))


def _color(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    """RGB 0..255 from hue in degrees, saturation and value 0..1."""
    pixel = Image.new(
        "HSV", (1, 1), (round(hue % 360 / 360 * 255), round(saturation * 255), round(min(value, 1) * 255))
    )
    red, green, blue = pixel.convert("RGB").tobytes()
    return red, green, blue


COUNT = 12
SIDE = 224
WORDS = ", ".join(f"{colour} {shape}" for colour in COLOURS for shape in SHAPES)


def draw_shapes(folder: Path) -> None:
    """The same twelve pictures every time; their names do not tell what they show."""
    rng = np.random.default_rng(7)
    for number in range(1, COUNT + 1):
        scene = random_scene(rng, empty=0, noise=0)
        with atomic_file(folder / f"shape-{number:02}.png") as file:
            draw(scene, SIDE, rng).save(file, "PNG")
