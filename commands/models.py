"""``clip-grid models``: the CLIP models on this machine, a line per model with its assumptions and problems."""

from __future__ import annotations

import argparse
import shlex
import shutil
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..api import FoundModel, find_model_folders, find_models
from ..clip_backend.finding.advice import LISTING, how_to_get_one, no_complete_model
from ..clip_backend.finding.catalog import size_name
from ..clip_backend.finding.names import MODEL_VARIABLE, default_model, download_model, find_model
from ..errors import InputError
from ..visible_text import printable
from .output import DONE, FAILED, char_width, display_width, fail, note, print_json, show

#: Columns of a table that no terminal shows.
_UNBROKEN = 10_000
USAGE = "[options] [FOLDER...]"
HELP = "list the CLIP models on this machine, and what each of them is"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the command."""
    add = parser.add_argument
    add("paths", nargs="*", metavar="FOLDER", help="folders or files (default: ComfyUI and the Hugging Face cache)")
    add("--comfyui", metavar="ROOT", help="the folder of a ComfyUI, with what its extra_model_paths.yaml adds")
    add("--all", action="store_true", help="also list files that are no CLIP models, and why")
    add("--download", metavar="NAME", help="first fetch this repository of the Hugging Face hub into its cache")
    add("--json", action="store_true", help="print everything that is known about each as JSON")
    add("--quiet", action="store_true", help="no notes")
    parser.set_defaults(run=list_models)


def list_models(args: argparse.Namespace) -> int:
    """The table of what was found; in a pipe, lines as long as they come."""
    fetched = [f"{args.download} is in {download_model(args.download)}"] if args.download else []
    config = find_model_folders(args.paths, comfyui=args.comfyui)
    is_all = not (args.paths or args.comfyui)
    everything = find_models(config, everything=True)
    shown = [model for model in everything if args.all or model.is_of_interest]
    default, default_note = _default(everything if is_all else find_models(), shown, is_all)
    is_default = [model.path.resolve() == default for model in shown]
    notes = [*fetched, *config.notes, *([] if any(is_default) else [default_note])]
    if args.json:
        models = [model.to_dict() | {"is_default": mark} for model, mark in zip(shown, is_default, strict=True)]
        print_json({"models": models, "notes": notes})
    width = shutil.get_terminal_size((_UNBROKEN, 24)).columns
    show([] if args.json else table_lines(shown, width, is_default))
    hidden = len(everything) - len(shown)
    left_out = f"{hidden} {'files are' if hidden > 1 else 'file is'} no CLIP model; --all lists what was left out"
    if shown:
        note(args, [*notes, *([left_out] if hidden else [])])
        return DONE
    note(args, [*fetched, *config.notes, *([left_out] if hidden else [])])
    where = ", ".join(map(str, config.all_paths())) or "the usual places"
    cure = "give the folder where your models are, as in: clip-grid models FOLDER, or: clip-grid models --comfyui ROOT"
    return fail(f"there is no CLIP model in {where}; {cure}; or {how_to_get_one(LISTING)}", FAILED)


def _default(on_machine: Sequence[FoundModel], shown: Sequence[FoundModel], is_all: bool) -> tuple[Path | None, str]:
    """The file that is used without ``--model``, if there is one, and a sentence on it or on how to get one.

    is_all: whether the models that are shown are those that are found by their names.
    """
    try:
        name, told = default_model(find=lambda: on_machine, wording=LISTING)
    except InputError as error:
        return None, str(error) if is_all else _by_path(shown)
    try:
        path = find_model(name, find=lambda: on_machine, wording=LISTING)
    except InputError as error:
        return None, f"{MODEL_VARIABLE} names no model: {error}"
    return path.resolve(), f"without --model, {told}"


def _by_path(shown: Sequence[FoundModel]) -> str:
    """How models are used whose folder is not searched for names."""
    named = [replace(model, name=str(model.path)) for model in shown]
    complete = [model for model in named if not model.problem and model.info and model.info.has_both_encoders]
    if not complete:
        return no_complete_model(named, LISTING)
    return f"without --model no model is used; give this one by its path: --model {shlex.quote(complete[0].name)}"


HEADINGS = ("name", "family", "towers", "size", "embeds", "dtype", "file")
_GAP = "  "
_INDENT = "    "
#: Space for names below which each stands on a line of its own.
_NARROWEST_NAME = 24
_DTYPES = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}


@dataclass(frozen=True)
class ModelRow:
    """One model as it is shown; cells are in the order of HEADINGS, the name first."""

    cells: tuple[str, ...]
    #: Sentences that stand below the line.
    notes: tuple[str, ...] = ()


def table_lines(found: Sequence[FoundModel], width: int, is_default: Sequence[bool] = ()) -> list[str]:
    """The table in lines of at most ``width`` columns, no line for no models.

    is_default: for each of them, whether it is the one that is used without ``--model``.
    A name that does not fit stands on a line of its own, and all of them do where there is little space for names.
    Characters that would move the cursor are shown as their escapes.
    """
    marks = is_default or [False] * len(found)
    rows = [row_of(model, is_default=mark) for model, mark in zip(found, marks, strict=True)]
    if not rows:
        return []
    widths = _widths([HEADINGS, *(row.cells for row in rows)], width)
    lines = list(_line(HEADINGS, widths, width))
    for row in rows:
        lines += _line(row.cells, widths, width)
        for line in row.notes:
            lines += _wrapped(line, width)
    return lines


def _widths(lines: Sequence[Sequence[str]], width: int) -> list[int]:
    """Columns of each cell; a first one that is narrower than its names only makes space before the others."""
    widths = [max(display_width(line[column]) for line in lines) for column in range(len(HEADINGS))]
    space = width - sum(widths[1:]) - len(_GAP) * (len(widths) - 1)
    if space < min(widths[0], _NARROWEST_NAME):
        return [len(_INDENT) - len(_GAP), *widths[1:]]
    return [min(widths[0], space), *widths[1:]]


def row_of(model: FoundModel, *, is_default: bool = False) -> ModelRow:
    """What is shown of a model."""
    info = model.info
    name = printable(model.name)
    if info is None:
        return ModelRow((name, *[""] * (len(HEADINGS) - 1)), _notes(model, is_default))
    towers = [name for name, shape in (("vision", info.vision), ("text", info.text)) if shape]
    # nobody counted what is in a pickle
    dtype = _DTYPES.get(info.dtype, info.dtype) if info.parameters else ""
    embedding = str(info.projection or ("none" if towers else ""))
    cells = (name, info.family, "+".join(towers), size_name(info), embedding, dtype, file_size(info.size_bytes))
    return ModelRow(cells, _notes(model, is_default))


def file_size(count: int) -> str:
    """Bytes with three digits that matter, as file managers show them: 1.26 GB."""
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB" if size < 999.5 else f"{size:.0f} GB"


def _notes(model: FoundModel, is_default: bool) -> tuple[str, ...]:
    lines = ["default: used without --model"] if is_default else []
    if model.info and model.info.unknown and not model.problem:
        lines.append(f"assumed: {', '.join(model.info.unknown)}")
    if model.problem:
        lines.append(f"problem: {model.problem}")
    lines += [f"note: {note}" for note in (model.info.notes if model.info else ())]
    return tuple(map(printable, lines))


def _line(cells: Sequence[str], widths: Sequence[int], width: int) -> Iterator[str]:
    name = cells[0]
    if display_width(name) > widths[0]:
        yield from _cut(name, width)
        name = ""
    padded = [cell + " " * (size - display_width(cell)) for cell, size in zip((name, *cells[1:]), widths, strict=True)]
    line = _GAP.join(padded).rstrip()
    if line:
        yield line


def _cut(text: str, width: int) -> Iterator[str]:
    """The text in pieces of at most that many columns."""
    piece, taken = "", 0
    for char in text:
        taken += char_width(char)
        if taken > width and piece:
            yield piece
            piece, taken = "", char_width(char)
        piece += char
    yield piece


def _wrapped(line: str, width: int) -> list[str]:
    space = max(width - len(_INDENT), _NARROWEST_NAME)
    lines = textwrap.wrap(line, space, break_on_hyphens=False)
    return [_INDENT + piece for line in lines for piece in _cut(line, space)]
