"""``clip-grid info``: what a run would use here (device, model, cache, folders), or what an IP-Adapter file is."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from ..api import FoundModel
from ..api.configuration import Configuration, configuration
from ..clip_backend.finding.catalog import size_name
from ..clip_backend.ip_adapter.catalog import adapter_named
from ..clip_backend.ip_adapter.detection import AdapterInfo
from ..clip_backend.ip_adapter.encoders import find_encoder, needed_encoder
from ..clip_backend.ip_adapter.variants import FAMILY_TITLES, READS, variant_named
from ..errors import InputError
from .flags import add_model_flags, model_choice
from .models import file_size
from .output import DONE, aligned_lines, print_json, show

USAGE = "[ADAPTER] [options]"
HELP = """\
show which device, model, verdict, cache and folders are in force, or what an IP-Adapter file is

  clip-grid info
  clip-grid info ip-adapter-plus_sd15.safetensors
  clip-grid info --model clip_vision_g --text-encoder clip_g --device cpu
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the command."""
    parser.add_argument(
        "adapter", nargs="?", metavar="ADAPTER", help="an IP-Adapter file, or its name in ComfyUI's models/ipadapter"
    )
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    add_model_flags(parser)
    parser.set_defaults(run=show_info)


def show_info(args: argparse.Namespace) -> int:
    """The configuration, or what an adapter is, as a table or JSON; nothing is loaded."""
    if args.adapter is not None:
        return _show_adapter(args)
    found = configuration(model_choice(args))
    if args.json:
        print_json(found.to_dict())
    else:
        show(aligned_lines(list(rows_of(found))))
    return DONE


def _show_adapter(args: argparse.Namespace) -> int:
    found = adapter_named(args.adapter, allow_pickle=args.allow_pickle)
    try:
        encoder = str(find_encoder(found)) if needed_encoder(found) else ""
    except InputError as error:
        encoder = str(error)
    if args.json:
        print_json(found.to_dict() | {"encoder": encoder})
    else:
        show(aligned_lines(list(adapter_rows(found, encoder))))
    return DONE


def adapter_rows(found: AdapterInfo, encoder: str) -> Iterator[tuple[str, str]]:
    """A name and a value per line; encoder: its file, or what to do to have one."""
    sizes, family = found.sizes, f" for {FAMILY_TITLES[found.family]}" if found.family else ""
    yield "adapter", str(found.path)
    yield "kind", f"{found.variant.title}{family}"
    if len(found.possible) > 1:
        yield "alike", ", ".join(variant_named(name).title for name in found.possible[1:])
    yield "reads", f"{READS[found.picture_input]} ({sizes.input_width} numbers)"
    if encoder:
        yield "vision encoder", encoder
    yield "gives", f"{found.tokens or 'as many'} tokens of {sizes.token_width} numbers for each picture"
    yield "weights", f"{found.pairs} attention layers, {found.dtype}, {file_size(found.size_bytes)}"
    if found.lora_rank:
        yield "LoRA", f"of rank {found.lora_rank}, in the same file"
    yield from ((name, text) for name, texts in (("assumed", found.assumed), ("note", found.notes)) for text in texts)
    if found.problem:
        yield "not used", found.problem


def rows_of(found: Configuration) -> Iterator[tuple[str, str]]:
    """A name and a value per line."""
    yield "clip-grid", f"{found.version}, Python {found.python}"
    yield "packages", ", ".join(f"{name} {number or 'not installed'}" for name, number in found.packages.items())
    computes = f"{found.device}, {found.dtype}"
    yield "device", computes if found.device else "none: CLIP needs torch; pip install 'clip-grid[clip]'"
    yield "model", _model(found.model) if found.model else "none"
    if found.text_encoder:
        yield "text encoder", _model(found.text_encoder)
    if found.model_note:
        yield "", found.model_note
    match = found.match
    yield "match", f"preset {match['preset']}: a match from a {match['threshold_scale']} of {match['threshold']:g} on"
    size = f"{file_size(found.cache_bytes)} of at most {file_size(found.cache_limit)}"
    rows = f"{found.cache_rows:,} embeddings" if not found.cache_problem else f"cannot be used: {found.cache_problem}"
    yield "cache", f"{found.cache_folder}: {rows}, {size}" if found.cache_folder else "off"
    yield "ComfyUI", str(found.comfyui or "not found")
    for place, folder in enumerate(found.model_folders):
        yield "" if place else "model folders", str(folder)


def _model(model: FoundModel) -> str:
    """The file, and what it is or why it cannot be used."""
    info = model.info
    if model.problem or info is None:
        return f"{model.path}: cannot be used: {model.problem}"
    return f"{model.path}: {info.family} {size_name(info)}, {file_size(info.size_bytes)}"
