"""``clip-grid models``: the CLIP models on this machine, and what each of them is."""

from __future__ import annotations

import argparse
import shutil

from ..api import find_model_folders, find_models
from ..clip_backend.finding.model_table import table_lines
from .talk import DONE, FAILED, note, print_json, refused

#: Columns of a table that no terminal shows.
_UNBROKEN = 10_000


HELP = "list the CLIP models on this machine, and what each of them is"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the command."""
    add = parser.add_argument
    add("paths", nargs="*", metavar="FOLDER", help="folders or files (default: ComfyUI and the Hugging Face cache)")
    add("--comfyui", metavar="ROOT", help="the folder of a ComfyUI, with what its extra_model_paths.yaml adds")
    add("--all", action="store_true", help="also list files that are no CLIP models, and why")
    add("--json", action="store_true", help="print everything that is known about each as JSON")
    add("--quiet", action="store_true", help="no notes")
    parser.set_defaults(run=list_models)


def list_models(args: argparse.Namespace) -> int:
    """The table of what was found; in a pipe, lines as long as they come."""
    config = find_model_folders(args.paths, comfyui=args.comfyui)
    everything = find_models(config, everything=True)
    shown = [model for model in everything if args.all or model.is_of_interest]
    if args.json:
        print_json({"models": [model.to_dict() for model in shown], "notes": config.notes})
    width = shutil.get_terminal_size((_UNBROKEN, 24)).columns
    for line in [] if args.json else table_lines(shown, width):
        print(line)
    hidden = len(everything) - len(shown)
    left_out = f"{hidden} {'files are' if hidden > 1 else 'file is'} no CLIP model; --all lists what was left out"
    note(args, [*config.notes, *([left_out] if hidden else [])])
    if shown:
        return DONE
    where = ", ".join(map(str, config.all_paths())) or "the usual places"
    cure = "give the folder where your models are, as in: clip-grid models FOLDER, or: clip-grid models --comfyui ROOT"
    return refused(f"there is no CLIP model in {where}; {cure}", FAILED)
