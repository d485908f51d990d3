"""``clip-grid export-model``: a trained model as files that other programs open."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from ..api.export_model import export_model
from ..clip_backend.learning.exports.result import TARGETS, Exported
from .models import file_size
from .output import DONE, add_output_flags, note, print_json, show

USAGE = "[options] RUN --to {hf,comfy-vision,comfy-text,kohya,peft,open-clip}"
HELP = """\
write a trained model for transformers, open_clip, ComfyUI, kohya or PEFT

  clip-grid export-model runs/cats --to hf --out cats
  clip-grid export-model runs/cats --to comfy-vision --dtype fp16 --out clip_vision_cats.safetensors
  clip-grid export-model runs/cats --to kohya --strength 0.5
  clip-grid export-model lora.safetensors --base clip-vit-large-patch14 --to open-clip

RUN is the folder of a run, a LoRA or a model. Weights are merged in fp32; the
largest change is told, and how much of it the number type can hold.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the command."""
    add = parser.add_argument
    add("model", metavar="RUN", help="the folder of a run, a LoRA, or a model's file, folder or name")
    add(
        "--to",
        required=True,
        choices=TARGETS,
        help="what it is for: hf (transformers), open-clip, "
        "peft, kohya (a LoRA), or ComfyUI: comfy-vision (Load CLIP Vision) and comfy-text (Load CLIP)",
    )
    add("--out", metavar="PATH", help="the folder (hf, peft, open-clip) or file (default: named after RUN, here)")
    add(
        "--strength",
        metavar="NUMBER",
        type=float,
        help="how much of the training is written (default: as it chose, or 1)",
    )
    add(
        "--dtype", choices=("auto", "fp32", "fp16", "bf16"), default="auto",
        help="type of number (default: auto, fp16 for ComfyUI and fp32 for the others)",
    )  # fmt: skip
    add(
        "--base",
        metavar="MODEL",
        help="the model that it was trained on, if the run does not name it or it is not found",
    )
    add("--overwrite", action="store_true", help="replace files, and write into folders, of other programs too")
    add_output_flags(parser)
    parser.set_defaults(run=write_model)


def write_model(args: argparse.Namespace) -> int:
    """What was written, as a table or JSON."""
    done = export_model(
        args.model, args.to, args.out, base=args.base, strength=args.strength, dtype=args.dtype,
        overwrite=args.overwrite,
    )  # fmt: skip
    if args.json:
        print_json(done.to_dict())
    else:
        show(lines_of(done))
    note(args, done.notes)
    return DONE


def lines_of(done: Exported) -> Iterator[str]:
    """The file, what is in it, and what training changed in it."""
    strength = "" if done.strength is None else f", strength {done.strength:g}"
    yield f"{done.path}: {done.tensors} tensors, {done.dtype}, {file_size(done.size_bytes)}{strength}"
    changes = done.changes
    if changes and changes.changed:
        yield f"largest change: {changes.largest:.3g}, in {changes.where}"
        kept = f"{changes.survived:,} of {changes.changed:,} changed numbers ({changes.share:.1%})"
        yield f"{kept} differ from the base model's in {done.dtype}"
    elif changes:
        yield "no number differs from the base model's"
