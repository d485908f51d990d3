"""``clip-grid demo``: pictures of the program's own, and the sheets that show the main ways to label them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..api import GridReport, Progress, export_grid
from ..clip_backend.shapes_demo import SHAPES_DEMO
from ..demo import draw_demo_pictures
from ..grid.report import BatchReport
from .bar import Bar
from .demo_shapes import WORDS, draw_shapes
from .talk import DONE, add_talk, note, print_json

FOLDER = "clip-grid-demo"
_SHEETS: dict[str, dict[str, Any]] = {
    "table.png": {"title": "Sampler and cfg, found in the files"},
    "labels.jpg": {"columns": 5, "label_format": "{sampler} · cfg {cfg} · seed {seed}", "label_position": "below"},
    "page.html": {"title": "CLIP Grid demo"},
}


HELP = "draw pictures of its own and make sheets of them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the command."""
    parser.add_argument("directory", nargs="?", default=FOLDER, help="where to put them (default: %(default)s)")
    parser.add_argument(
        "--use-clip", action="store_true", help=f"also draw shapes and have {SHAPES_DEMO}, a toy CLIP, label them"
    )
    add_talk(parser)
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
        _tell(root, reports)
    note(args, [warning for report in reports for warning in report.warnings])
    return DONE


def _sheet(pictures: Path, out: Path, options: Mapping[str, Any], progress: Progress) -> GridReport:
    return export_grid(pictures, out, progress=progress, **options)


def _clip_sheet(root: Path, progress: Progress) -> GridReport:
    draw_shapes(root / "shapes")
    options = {"title": "Labelled by a toy CLIP", "columns": 4, "clip_model": SHAPES_DEMO, "vocabulary": WORDS}
    return _sheet(root / "shapes", root / "clip.png", {"use_clip": True, **options}, progress)


def _tell(root: Path, reports: list[GridReport]) -> None:
    for report in reports:
        print(report.summary())
    print(f"\nNow with your own pictures:\n  clip-grid export YOUR_FOLDER {root / 'mine.png'}")
