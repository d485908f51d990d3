"""``clip-grid info``: what a command would use here; what a model, a run, a LoRA, a head or an IP-Adapter is."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from ..api import FoundModel
from ..api.configuration import Configuration, configuration
from ..api.describe import Description, describe
from ..clip_backend.finding.catalog import size_name
from ..clip_backend.ip_adapter.catalog import adapter_named
from ..clip_backend.ip_adapter.detection import AdapterInfo
from ..clip_backend.ip_adapter.encoders import find_encoder, needed_encoder
from ..clip_backend.ip_adapter.variants import FAMILY_TITLES, READS, variant_named
from ..errors import ClipGridError, InputError
from ..plurals import counted
from .flags import add_model_flags, model_choice
from .models import file_size
from .output import DONE, aligned_lines, fail, print_json, show

USAGE = "[options] [MODEL]"
HELP = """\
show which model, device and folders are used, or what a model or adapter is

  clip-grid info
  clip-grid info runs/cats
  clip-grid info lora.safetensors --base clip-vit-large-patch14
  clip-grid info ip-adapter-plus_sd15.safetensors
  clip-grid info --model clip_vision_g --text-encoder clip_g --device cpu
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the command."""
    parser.add_argument(
        "described", nargs="?", metavar="MODEL",
        help="a model, the folder of a run, a LoRA or a head: what it is, on what it was learnt, what can open it; or "
        "an IP-Adapter file, or its name in ComfyUI's models/ipadapter",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    add_model_flags(parser)
    parser.set_defaults(run=show_info)


def show_info(args: argparse.Namespace) -> int:
    """The configuration, or what a model or an adapter is, as a table or JSON; nothing is loaded."""
    if args.described:
        if args.model:
            return fail("give the model once: after info it is described, with --model it is the one that is used")
        return _show_described(args)
    found = configuration(model_choice(args))
    if args.json:
        print_json(found.to_dict())
    else:
        show(aligned_lines(list(rows_of(found))))
    return DONE


def _show_described(args: argparse.Namespace) -> int:
    try:
        adapter = adapter_named(args.described, allow_pickle=args.allow_pickle)
    except ClipGridError as not_adapter:
        try:
            found = describe(model_choice(args).with_model(args.described))
        except ClipGridError as error:
            raise InputError(f"{error}; as an IP-Adapter: {not_adapter}") from error
        return _show_description(found, args)
    return _show_adapter(adapter, args)


def _show_adapter(found: AdapterInfo, args: argparse.Namespace) -> int:
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
    yield "reads", f"{READS[found.picture_input]} ({sizes.input_width} dimensions)"
    if encoder:
        yield "vision encoder", encoder
    yield "gives", f"{found.tokens or 'as many'} tokens of {sizes.token_width} dimensions for each picture"
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


def _show_description(found: Description, args: argparse.Namespace) -> int:
    if args.json:
        print_json(found.to_dict())
    else:
        show(aligned_lines(list(description_rows(found))))
    return DONE


def description_rows(found: Description) -> Iterator[tuple[str, str]]:
    """A name and a value per line."""
    yield found.kind, str(found.path)
    yield from _learnt_rows(found)
    for info in found.infos:
        sizes = f"{info.family} {size_name(info)}, {info.parameters:,} parameters in {info.dtype}"
        yield "model", f"{info.path}: {sizes}, embeddings of {info.projection or 0} dimensions"
        yield "fingerprint", info.fingerprint
    if found.missing:
        yield "model", f"not here: {found.missing}"
    if found.infos:
        held, trained = (file_size(size * found.parameters) for size in (4, 16))
        yield (
            "memory",
            f"{held} in fp32; to train a LoRA that and the activations, to train all of it {trained} and these",
        )
        for name, why in found.programs().items():
            yield f"ComfyUI's {name}", f"cannot open it: {why}" if why else "opens it, after clip-grid export-model"
        yield "CLIP Model Loader", "; ".join(["opens the model", *_takers(found)])


def _takers(found: Description) -> Iterator[str]:
    """What takes that which was learnt on the model."""
    if found.trained:
        yield "CLIP LoRA takes what was trained, from models/loras"
    if found.head:
        yield "Load Head takes the head, from input/heads"
    if found.learnt and found.learnt.calibration:
        yield "match and match-batch take the calibration"


def _learnt_rows(found: Description) -> Iterator[tuple[str, str]]:
    if run := found.run:
        yield "method", f"{run.method} on {run.kind}" + (f": {', '.join(run.classes[:10])}" if run.classes else "")
    if head := found.head:
        yield "head", f"{head.kind}, {len(head.classes)} classes, {counted(head.pictures, 'picture')}"
    if file := found.trained:
        ranks = ", ".join(map(str, sorted({one.rank for one in file.low_rank.values()})))
        rank = f", rank {ranks}" if ranks else ""
        yield "changes", f"{' and '.join(file.changes)}: {len(file.names)} weights{rank}, strength {file.strength:g}"
        yield from (("", note) for note in file.notes)
    if found.learnt:
        base = found.learnt.base
        yield "learnt on", f"{base.name} ({base.fingerprint})" if base.fingerprint else "not told"
        if found.learnt.calibration:
            yield "calibration", str(found.learnt.calibration)
