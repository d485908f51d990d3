"""Writes a trained model in the layout of another program, all of its files together or none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ....atomic import FileSet, check_replaceable, file_set, make_folder
from ....errors import CheckpointError, InputError, LimitError, OutputError
from ....json_text import to_json
from ...checkpoints.fingerprints import identified
from ...checkpoints.info import CheckpointInfo
from ...checkpoints.safetensors_file import TensorToWrite, write_safetensors
from ...checkpoints.training import ADAPTER_WEIGHTS, Training
from ...tokenizing.find import find_tokenizer
from ...tokenizing.tokenizer import FastTokenizer
from ..trained_model import with_trained
from . import adapters, comfy, configs, programs
from .merge import DTYPES, Merged
from .names import open_clip_tensors
from .result import FOLDERS, TARGETS, Exported, Target
from .tokenizers import tokenizer_files

_HALF = ("comfy-vision", "comfy-text")
_FORMAT = {"format": "pt"}


@dataclass
class _Content:
    """What goes into a folder, or into one file of the name ""."""

    tensors: Sequence[TensorToWrite]
    metadata: dict[str, str] = field(default_factory=dict)
    weights: str = ""
    others: dict[str, bytes] = field(default_factory=dict)
    merged: Merged | None = None
    notes: list[str] = field(default_factory=list)


def export_checkpoints(
    infos: Sequence[CheckpointInfo],
    target: Target,
    out: Path,
    *,
    dtype: str = "auto",
    vocabularies: Sequence[str | os.PathLike[str]] = (),
    overwrite: bool = False,
) -> Exported:
    """Writes a model of one file or two, with what it is computed with, for another program.

    infos: as ``find_checkpoints`` gives them. dtype: "fp32", "fp16", "bf16", or "auto": fp16 for ComfyUI, else fp32.
    vocabularies: as for ``load_encoder``. overwrite: also replace a file, or write into a folder, of another program.
    Raises CheckpointError for a model that the target has no layout for, SpaceError for a training of another model,
    OutputError and LimitError if it cannot be written.
    """
    if target not in TARGETS:
        raise InputError(f"there is no target {target!r}; choose one of {', '.join(TARGETS)}")
    dtype = ("fp16" if target in _HALF else "fp32") if dtype == "auto" else dtype
    if dtype not in DTYPES:
        raise InputError(f"dtype is {dtype!r}; choose one of auto, {', '.join(DTYPES)}")
    # raises for a training of other weights
    with_trained([identified(info) for info in infos], infos[0].trained)
    content = _content(list(infos), target, dtype, vocabularies)
    _check_space(out, content)
    if target in FOLDERS:
        _check_folder(out, overwrite=overwrite)
        make_folder(out)
        with file_set(out) as files:
            _write(files, out / content.weights, content)
            for name, data in content.others.items():
                with files.open(out / name) as file:
                    file.write(data)
    else:
        check_replaceable(out, _is_ours, "a file that this program exported", overwrite=overwrite)
        with file_set(out.parent) as files:
            _write(files, out, content)
    trained = infos[0].trained
    return Exported(
        target, out, dtype, trained[0].strength if trained else None, len(content.tensors), _size(content),
        content.merged.changes if content.merged and trained else None, tuple(content.notes),
    )  # fmt: skip


def _write(files: FileSet, path: Path, content: _Content) -> None:
    write_safetensors(files, path, content.tensors, content.metadata)


def _content(
    infos: list[CheckpointInfo], target: Target, dtype: str, vocabularies: Sequence[str | os.PathLike[str]]
) -> _Content:
    trained = infos[0].trained
    if target in ("peft", "kohya"):
        training = adapters.check_lora(trained[0] if trained else None, str(infos[0].path), target)
        return _adapter(training, infos[-1], target, dtype)
    merged = Merged(tuple(replace(info) for info in infos), DTYPES[dtype])
    if target in _HALF:
        return _for_comfyui(merged, target)
    tokenizer = find_tokenizer(merged.text, search=vocabularies)
    if not isinstance(tokenizer, FastTokenizer):
        raise CheckpointError(str(merged.text.path), "its tokenizer cannot be written; export it to comfy-vision")
    configs.check_usual(merged.vision, merged.text, target)
    words = tokenizer_files(merged.text, tokenizer)
    if target == "open-clip":
        config = configs.open_clip_config(merged.vision, merged.text)
        return _Content(
            open_clip_tensors(merged), {}, "open_clip_model.safetensors",
            {"open_clip_config.json": adapters.json_file(config), **words}, merged,
        )  # fmt: skip
    names = [*merged.names("vision"), *merged.names("text"), *merged.logits()]
    others = {
        "config.json": adapters.json_file(configs.transformers_config(merged.vision, merged.text, tokenizer)),
        "preprocessor_config.json": adapters.json_file(configs.transformers_pictures(merged.vision)),
    }
    return _Content(merged.to_write(names), dict(_FORMAT), "model.safetensors", others | words, merged)


def _adapter(training: Training, text: CheckpointInfo, target: Target, dtype: str) -> _Content:
    notes = []
    if whole := adapters.lost(training):
        notes.append(f"{', '.join(whole)} were trained too and have no place in a LoRA of {target}; they are left out")
    if target == "peft":
        config = {"adapter_config.json": adapters.json_file(adapters.peft_config(training))}
        tensors = adapters.peft_tensors(training, DTYPES[dtype])
        return _Content(tensors, dict(_FORMAT), ADAPTER_WEIGHTS, config, None, notes)
    if "vision" in training.file.changes:
        notes.append(
            "its part for the vision encoder is left out: ComfyUI has no LoRA for CLIP_VISION; use comfy-vision"
        )
    if problem := programs.text_problem(text):
        notes.append(f"ComfyUI's Load LoRA cannot use it: {problem}")
    notes.append(_DIFFUSION)
    tensors = adapters.kohya_tensors(training, text, str(training.file.path), DTYPES[dtype])
    return _Content(tensors, adapters.kohya_metadata(training), notes=notes)


_DIFFUSION = (
    "models that draw pictures were trained with the base text encoder: with another one they draw other pictures; "
    "a lower strength changes them less"
)


def _for_comfyui(merged: Merged, target: Target) -> _Content:
    is_vision = target == "comfy-vision"
    info = merged.vision if is_vision else merged.text
    if (info.vision if is_vision else info.text) is None:
        raise CheckpointError(str(info.path), f"it has no {'vision' if is_vision else 'text'} encoder to export")
    problem = programs.vision_problem(info) if is_vision else programs.text_problem(info)
    notes = [] if is_vision else [_DIFFUSION]
    if problem:
        loader = "Load CLIP Vision" if is_vision else "Load CLIP"
        notes.insert(0, f"ComfyUI's {loader} cannot use this file: {problem}; {programs.OWN_LOADER}")
    tensors = comfy.vision_tensors(merged) if is_vision else comfy.text_tensors(merged)
    told = to_json(comfy.properties(info, "vision" if is_vision else "text"))
    metadata = {**_FORMAT, "clip_grid": told, "clip_grid.exported": target}
    return _Content(tensors, metadata, merged=merged, notes=notes)


def _size(content: _Content) -> int:
    import torch

    numbers = sum(one.dtype.itemsize * torch.Size(one.shape).numel() for one in content.tensors)
    return numbers + sum(map(len, content.others.values()))


def _check_space(out: Path, content: _Content) -> None:
    needed = _size(content)
    place = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(place).free
    if needed > free:
        raise LimitError(
            f"{out} would take {needed / 1e9:.2f} GB, and {free / 1e9:.2f} GB are free there; free some space, or "
            "choose another folder"
        )


def _check_folder(out: Path, *, overwrite: bool) -> None:
    if out.is_dir() and not overwrite and (there := [name for name in os.listdir(out) if not name.startswith(".")]):
        raise OutputError(f"{out} holds {there[0]} already; choose a new folder, or allow overwriting")


def _is_ours(path: Path) -> bool:
    from ...checkpoints.safetensors_header import read_header

    try:
        return any(name.startswith("clip_grid.") for name in read_header(path)[1])
    except CheckpointError:
        return False
