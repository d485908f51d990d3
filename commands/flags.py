"""The flags that several commands share: options of a dataclass, and the model."""

from __future__ import annotations

import argparse
import os
from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..api.models import ModelChoice
from ..clip_backend.encoding.cache import CACHE_GB
from ..clip_backend.encoding.devices import DTYPES
from ..clip_backend.finding.advice import COMMAND, FIRST_CLIP
from ..clip_backend.finding.catalog import short_model_name
from ..clip_backend.preparing.preprocessing import BACKGROUNDS
from ..options import Option, add_flags, check, options_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


#: Options of several commands that say how a text is given to the model.
TEXT_OPTIONS = ("template", "prompt_syntax", "long_text")


def add_options(
    parser: argparse._ActionsContainer,
    cls: type[DataclassInstance],
    *,
    only: Collection[str] | None = None,
    without: Collection[str] = (),
) -> None:
    """A flag per option of the dataclass; choices of two words get a hyphen, so that no shell needs quotes.

    only: the names of the options that are meant; None for all.
    """
    meant = options_of(cls) if only is None else {name: options_of(cls)[name] for name in only}
    kept = [option for name, option in meant.items() if name not in without]
    add_flags(parser, [_hyphened(option) for option in kept])


def add_text_options(parser: argparse.ArgumentParser, cls: type[DataclassInstance]) -> None:
    """A group with the options of the dataclass in TEXT_OPTIONS."""
    group = parser.add_argument_group("how the texts are read")
    add_options(group, cls, only=[name for name in TEXT_OPTIONS if name in options_of(cls)])


def read_flags(args: argparse.Namespace, cls: type[DataclassInstance]) -> dict[str, Any]:
    """What of the options stands on the command line, under their own names and with their own choices."""
    given = {name: getattr(args, name) for name in options_of(cls) if hasattr(args, name)}
    return {name: _own_choice(options_of(cls)[name], value) for name, value in given.items()}


def read_checked_flags(args: argparse.Namespace, cls: type[DataclassInstance]) -> dict[str, Any]:
    """The options of ``read_flags``, checked against their bounds; raises InputError naming one that is outside."""
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
        help="file, folder, or a name that clip-grid models lists, or a run of clip-grid train, a LoRA or a head "
        "(default: what CLIP_GRID_MODEL names, else the first one there with a vision and a text encoder)",
    )  # fmt: skip
    add("--text-encoder", metavar="MODEL", help="a second file for the texts, of the same embedding space")
    add(
        "--base",
        metavar="MODEL",
        help="the model that a run, LoRA or head is for, if the file does not name it or it is not found",
    )
    add(
        "--strength", metavar="NUMBER", type=float,
        help="how strongly a LoRA or trained weights act (default: as training chose, or 1)",
    )  # fmt: skip
    add("--device", metavar="NAME", help="auto, cpu, cuda or mps (default: auto, a graphics card if there is one)")
    add(
        "--dtype",
        metavar="{" + ",".join(DTYPES) + "}",
        help="precision of the computation (default: auto, accurate)",
    )
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
        help="limit of that folder; the least recently used embeddings are removed first (default: what "
        f"CLIP_GRID_CACHE_SIZE says, else {CACHE_GB:g})",
    )  # fmt: skip
    add(
        "--download", action="store_true",
        help=f"fetch a name of the Hugging Face hub that is not on this machine; without --model, and with no model "
        f"there, {FIRST_CLIP.repository}",
    )  # fmt: skip
    add("--allow-pickle", action="store_true", help="also open .pt and .bin files, which can contain programs")
    add(
        "--trust-space",
        action="store_true",
        help="use two files together although they do not say that they belong together",
    )


#: The flags of keywords that have other names.
FLAG_OF = {"cache_folder": "--cache", "cache_gb": "--cache-size", "background": "--picture-background"}


def load_keywords(args: argparse.Namespace) -> dict[str, Any]:
    """What of them stands on the command line, as ``ModelChoice`` takes it."""
    given = {
        "text_encoder": args.text_encoder,
        "base": args.base,
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
    strength = {} if args.strength is None else {"strength": args.strength}
    return {name: value for name, value in given.items() if value} | strength


def model_choice(args: argparse.Namespace) -> ModelChoice:
    """The model that the flags describe, not opened yet."""
    return ModelChoice(args.model, cache=not args.no_cache, wording=COMMAND, **load_keywords(args))


def model_name(args: argparse.Namespace, name: str) -> str:
    """What the user calls the model, unless by a path, else its own name."""
    given = args.model if args.model and not args.text_encoder else ""
    return given if given and not os.path.exists(os.path.expanduser(given)) else short_model_name(name)
