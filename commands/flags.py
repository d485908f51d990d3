"""The flags that several commands share: options of a dataclass, the model, a sheet."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..api import ClipOptions, GridTemplate, SheetInputs
from ..api.models import ModelChoice
from ..clip_backend.encoding.cache import CACHE_GB
from ..clip_backend.encoding.devices import DTYPES
from ..clip_backend.finding.advice import COMMAND, FIRST_CLIP
from ..clip_backend.preparing.preprocessing import BACKGROUNDS
from ..errors import InputError
from ..grid.template import split_columns
from ..grid.write.output import FORMAT_OF
from ..options import Option, add_flags, check, options_of
from .output import add_output_flags

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def add_options(
    parser: argparse._ActionsContainer, cls: type[DataclassInstance], *, without: Collection[str] = ()
) -> None:
    """A flag per option of the dataclass; choices of two words get a hyphen, so that no shell needs quotes."""
    kept = [option for name, option in options_of(cls).items() if name not in without]
    add_flags(parser, [_hyphened(option) for option in kept])


def read_flags(args: argparse.Namespace, cls: type[DataclassInstance]) -> dict[str, Any]:
    """What of the options stands on the command line, under their own names and with their own choices."""
    given = {name: getattr(args, name) for name in options_of(cls) if hasattr(args, name)}
    return {name: _own_choice(options_of(cls)[name], value) for name, value in given.items()}


def read_checked_flags(args: argparse.Namespace, cls: type[DataclassInstance]) -> dict[str, Any]:
    """The same, inside their bounds; raises InputError naming the option that is not."""
    checked: dict[str, Any] = check(cls, read_flags(args, cls))
    return checked


def _hyphened(option: Option) -> Option:
    if not option.choices:
        return option
    choices = tuple(choice.replace(" ", "-") for choice in option.choices)
    return replace(option, choices=choices, default=str(option.default).replace(" ", "-"))


def _own_choice(option: Option, value: object) -> object:
    """The choice that is written with a hyphen on the command line; anything else as it is, to be checked."""
    named = {choice.replace(" ", "-"): choice for choice in option.choices}
    return named.get(str(value), value)


def add_model_flags(parser: argparse.ArgumentParser, *other_names: str) -> None:
    """``--model`` and how it is loaded. other_names: further flags that mean the same as ``--model``."""
    group = parser.add_argument_group("the model")
    add = group.add_argument
    add(
        "--model", *other_names, metavar="MODEL", dest="model",
        help="file, folder, or a name that clip-grid models lists (default: what CLIP_GRID_MODEL names, else the first "
        "one there with a vision and a text encoder)",
    )  # fmt: skip
    add("--text-encoder", metavar="MODEL", help="a second file for the texts, of the same embedding space")
    add("--device", metavar="NAME", help="auto, cpu, cuda or mps (default: auto, a graphics card if there is one)")
    add("--dtype", metavar="{" + ",".join(DTYPES) + "}", help="in which numbers it computes (default: auto, accurate)")
    add(
        "--picture-background", choices=tuple(BACKGROUNDS),
        help="what lies below transparent pixels (default: reference, as the model's own code drops transparency)",
    )  # fmt: skip
    cache = group.add_mutually_exclusive_group()
    cache.add_argument(
        "--cache", metavar="DIR",
        help="keep embeddings there (default: what CLIP_GRID_CACHE names, else a folder of the user's cache)",
    )  # fmt: skip
    cache.add_argument("--no-cache", action="store_true", help="keep no embeddings on disk")
    add(
        "--cache-size", metavar="GB",
        help="the most that embeddings may take there; those used longest ago go first (default: what "
        f"CLIP_GRID_CACHE_SIZE says, else {CACHE_GB:g})",
    )  # fmt: skip
    add(
        "--download", action="store_true",
        help=f"fetch a name of the Hugging Face hub that is not on this machine; without --model, and with no model "
        f"there, {FIRST_CLIP.repository}",
    )  # fmt: skip
    add("--allow-pickle", action="store_true", help="also open .pt and .bin files, which may hide programs")
    add("--trust-space", action="store_true", help="put two files together though one does not tell its space")


#: The flags of keywords that have other names.
_FLAG_OF = {"cache_folder": "--cache", "cache_gb": "--cache-size", "background": "--picture-background"}


def load_keywords(args: argparse.Namespace) -> dict[str, Any]:
    """What of them stands on the command line, as ``ModelChoice`` takes it."""
    given = {
        "text_encoder": args.text_encoder,
        "device": args.device,
        "dtype": args.dtype,
        "background": args.picture_background,
        "cache_folder": args.cache,
        # not read as a number here, so that 0 is refused and not taken for no size
        "cache_gb": args.cache_size,
        "download": args.download,
        "allow_pickle": args.allow_pickle,
        "trust_space": args.trust_space,
    }
    return {name: value for name, value in given.items() if value}


def model_choice(args: argparse.Namespace) -> ModelChoice:
    """The model that the flags describe, not opened yet."""
    return ModelChoice(args.model, cache=not args.no_cache, wording=COMMAND, **load_keywords(args))


def model_name(args: argparse.Namespace, name: str) -> str:
    """What the user calls the model, else its own name."""
    return args.model if args.model and not args.text_encoder else name


#: What other programs call these formats.
_FORMAT_NAMES = {suffix.lstrip("."): name for suffix, name in FORMAT_OF.items()}


def add_sheet_flags(parser: argparse.ArgumentParser) -> None:
    """Paths, talk, and every option of a template."""
    _add_inputs(parser)
    add = parser.add_argument
    add("--cols", metavar="N", default=argparse.SUPPRESS, dest="columns", help="as --columns")
    add("--cell-size", nargs=2, type=int, metavar=("W", "H"), help="as --cell-width and --cell-height")
    add("--resize", nargs=2, type=int, metavar=("W", "H"), help="resize each picture before it is placed")
    add("--resize-mode", choices=("fit", "fill", "stretch"), default="fit", help="how (default: %(default)s)")
    add("--overwrite", action="store_true", help="replace files even if they are not of this program")
    add("--dry-run", action="store_true", help="plan everything, write nothing, print the plan")
    add_output_flags(parser, verbose="also list every skipped picture")
    add_options(parser.add_argument_group("labels and scores by CLIP"), ClipOptions, without=["clip_model"])
    add_model_flags(parser, "--clip-model")
    _add_template_options(parser)


def _add_inputs(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("paths", nargs="*", metavar="IMAGES... OUT", help="folders, files, globs or .txt lists of them, then the sheet")
    add("--batch", nargs="+", metavar="DIR", help="one sheet per directory; the last one is where the sheets go")
    add("--csv", metavar="FILE", help="CSV or JSON table with a row per picture, found by its file name")
    add("--labels", nargs="+", metavar="COLUMN", help="columns to show, as --label-columns")
    add("--text", nargs="+", metavar="LABEL", help="labels, one per picture or one for all")
    add(
        "--template",
        metavar="NAME|FILE",
        default=argparse.SUPPRESS,
        help="a template to start from; see: clip-grid templates",
    )
    add("--save-template", metavar="FILE", help="write the template that results from all options")


def _add_template_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    options = dict(options_of(GridTemplate))
    add(
        "--format", metavar="FORMAT", default=argparse.SUPPRESS,
        help=f"{options.pop('format').help}: {', '.join(_FORMAT_NAMES)} (default: from the ending of OUT, else png)",
    )  # fmt: skip
    background = options.pop("background")
    add("--background", nargs="+", metavar="COLOR", default=argparse.SUPPRESS, help=background.help)
    add_flags(parser.add_argument_group("the sheet"), list(options.values()))


def split_background(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words of a colour, one or three numbers, and the paths that stand after them."""
    count = len(words) if _are_numbers(words) else 3 if _are_numbers(words[:3]) else 1
    return [*words[:count]], [*words[count:]]


def _are_numbers(words: Sequence[str]) -> bool:
    return len(words) >= 3 and all(word.rstrip(",").isdecimal() for word in words)


def template_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options of the template that stand on the command line, under their own names."""
    given = read_flags(args, GridTemplate)
    if "background" in given:
        given["background"] = " ".join(args.background)
    if "format" in given:
        given["format"] = _FORMAT_NAMES.get(args.format.lower(), args.format)
    if args.cell_size:
        given["cell_width"], given["cell_height"] = args.cell_size
    if args.labels:
        given["label_columns"] = ", ".join(name for part in args.labels for name in split_columns(part))
    return given


def clip_options(args: argparse.Namespace) -> dict[str, Any]:
    """What CLIP is to do for the sheet, as far as the command line says."""
    return read_flags(args, ClipOptions)


def unused_clip_flags(args: argparse.Namespace) -> list[str]:
    """A note for each flag of CLIP that does nothing, for want of the flag that asks for it."""
    given = clip_options(args)
    if given.get("use_clip"):
        return []
    notes = ["--vocabulary has no effect without --use-clip"] if given.get("vocabulary") else []
    if not given.get("score_text"):
        unused = ["--clip-model"] if args.model else []
        unused += [_FLAG_OF.get(name, "--" + name.replace("_", "-")) for name in load_keywords(args)]
        notes += [f"{flag} has no effect without --use-clip or --score-text" for flag in unused]
    return notes


def sheet_inputs(args: argparse.Namespace) -> SheetInputs:
    """Table, texts and resizing; raises InputError for a size below 1."""
    if args.resize and min(args.resize) < 1:
        raise InputError(f"--resize is {args.resize[0]} {args.resize[1]}; both must be 1 or more")
    resize = ((args.resize[0], args.resize[1]), args.resize_mode) if args.resize else None
    return SheetInputs(csv=args.csv, labels=args.text or (), resize=resize)
