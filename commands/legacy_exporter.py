"""``labeled-grid-exporter``: the flags of the script of that name, as ``clip-grid export`` runs them."""

from __future__ import annotations

import argparse

from ..api.models import AUTO
from ..clip_backend.finding.names import find_model
from ..errors import InputError
from ..grid.template import sets_option
from .demo import FOLDER, show_demo
from .export import export
from .output import note
from .sheet_flags import add_sheet_flags

#: The model of the script.
MODEL = "openai/clip-vit-base-patch32"
#: Where the script wrote labels, unless the command line or its template says another place.
LABEL_POSITION = "over"
#: Pixels of a cell, unless something on the command line says another size.
CELL_SIZE = (256, 256)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of that script, and every one of ``clip-grid export``."""
    parser.add_argument("--demo", action="store_true", help="draw pictures and export them")
    parser.add_argument("--input-dir", help=argparse.SUPPRESS)
    parser.add_argument("--output", help=argparse.SUPPRESS)
    add_sheet_flags(parser)
    parser.epilog = f"Without --clip-model, --use-clip takes {MODEL} where it is on this machine, else what auto finds."
    parser.set_defaults(run=export_legacy, directory=FOLDER)


def export_legacy(args: argparse.Namespace) -> int:
    """The sheet that the script made from these flags."""
    args.paths = [*filter(None, [args.input_dir]), *args.paths, *filter(None, [args.output])]
    if args.demo:
        return show_demo(args)
    if getattr(args, "use_clip", False) and not args.model:
        args.model = _default_clip_model(args)
    sized = args.cell_size or any(hasattr(args, name) for name in ("template", "cell_width", "cell_height"))
    if not sized:
        args.cell_size = CELL_SIZE
    template = getattr(args, "template", None)
    if not hasattr(args, "label_position") and not (template and sets_option(template, "label_position")):
        args.label_position = LABEL_POSITION
    return export(args)


def _default_clip_model(args: argparse.Namespace) -> str:
    """That script's model if it is on this machine, else whichever CLIP is."""
    try:
        find_model(MODEL)
    except InputError:
        note(args, [f"{MODEL} is not on this machine; the first whole CLIP that was found is taken, if there is one"])
        return AUTO
    return MODEL
