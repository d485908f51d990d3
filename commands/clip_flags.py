"""The flags that say which CLIP looks at the pictures and where it computes, the same for every command."""

from __future__ import annotations

import argparse
from typing import Any

from ..api.models import ModelChoice
from ..clip_backend.encoding.devices import DTYPES


def add_model_flags(parser: argparse.ArgumentParser) -> None:
    """``--model`` and how it is loaded."""
    group = parser.add_argument_group("the model")
    add = group.add_argument
    add(
        "--model", metavar="MODEL",
        help="file, folder, or a name that clip-grid models lists (default: what CLIP_GRID_MODEL names, else the first "
        "one there that has both halves)",
    )  # fmt: skip
    add("--text-encoder", metavar="MODEL", help="a second file for the texts, of the same embedding space")
    add("--device", metavar="NAME", help="auto, cpu, cuda or mps (default: auto, a graphics card if there is one)")
    add("--dtype", metavar="{" + ",".join(DTYPES) + "}", help="in which numbers it computes (default: auto, accurate)")
    cache = group.add_mutually_exclusive_group()
    cache.add_argument(
        "--cache", metavar="DIR",
        help="keep embeddings there (default: what CLIP_GRID_CACHE names, else a folder of the user's cache)",
    )  # fmt: skip
    cache.add_argument("--no-cache", action="store_true", help="keep no embeddings on disk")
    add("--download", action="store_true", help="fetch a name of the Hugging Face hub that is not on this machine")
    add("--allow-pickle", action="store_true", help="also open .pt and .bin files, which may hide programs")
    add("--trust-space", action="store_true", help="put two files together though one does not tell its space")


def model_flags(args: argparse.Namespace) -> dict[str, Any]:
    """What of them stands on the command line, as ``ModelChoice`` takes it."""
    given = {
        "text_encoder": args.text_encoder,
        "device": args.device,
        "dtype": args.dtype,
        "cache_folder": args.cache,
        "download": args.download,
        "allow_pickle": args.allow_pickle,
        "trust_space": args.trust_space,
    }
    return {name: value for name, value in given.items() if value}


def chosen_model(args: argparse.Namespace) -> ModelChoice:
    """The model that the flags describe, not opened yet."""
    return ModelChoice(args.model, cache=not args.no_cache, **model_flags(args))


def shown_model(args: argparse.Namespace, name: str) -> str:
    """What the user calls the model, else its own name."""
    return args.model if args.model and not args.text_encoder else name
