"""From a model's path or name to an encoder, which is cached for the next call."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..errors import CheckpointError, InputError, MissingPackage
from .checkpoints.fingerprints import identified
from .checkpoints.info import CheckpointInfo
from .checkpoints.joined import joined_space
from .checkpoints.read import read_checkpoint
from .checkpoints.trained_file import hashed, read_trained_file, training_of
from .encoding.cache import EncoderCache, cache_bytes, shared_encoders
from .encoding.devices import WEIGHT_BYTES, LoadOptions, check_fits, choose_device, choose_dtype, free_bytes
from .finding.folders import StrPath
from .finding.names import find_model
from .learning.trained_model import find_base, is_learnt, read_learnt, with_trained
from .tokenizing.tokenizer import Tokenizer
from .towers.config import KINDS

if TYPE_CHECKING:
    import torch
    from torch import nn

    from .encoding.batching import Placement
    from .encoding.encoder import Encoder

Model = StrPath | CheckpointInfo
#: Options of ``Preprocessing`` that no model file decides; ``read_checkpoint`` takes the others.
_PREPROCESSING_ONLY = ("reference", "resampling", "background", "pad_color", "short_side", "value_range")


def load_encoder(
    model: Model,
    *,
    text_encoder: Model | None = None,
    device: str | torch.device = "auto",
    dtype: str | torch.dtype = "auto",
    placement: Callable[[nn.Module], Placement] | None = None,
    tokenizer: Tokenizer | StrPath | None = None,
    vocabularies: Sequence[StrPath] = (),
    cache_folder: StrPath | None = None,
    cache_gb: float | None = None,
    budget_bytes: int | None = None,
    allow_pickle: bool = False,
    download: bool = False,
    trust_space: bool = False,
    base: Model | None = None,
    strength: float | None = None,
    encoders: EncoderCache[Encoder] | None = None,
    **overrides: Any,
) -> Encoder:
    """An encoder for a model's file or folder, for a name that ``clip-grid models`` lists, or for what was trained.

    model: also the folder of a run, a LoRA of our own, of PEFT or kohya, or a head, whose model is looked for.

    text_encoder: the file with the text tower, if the model has none of its own or another is wanted.
    dtype: "auto" (fp32 on the CPU; on other devices fp16, and fp32 once its numbers are not finite), "fast" (bf16 where
    the CPU computes fast in it), "fp32", "fp16" or "bf16". placement: moves each tower to its device instead of plain
    torch.
    tokenizer: a tokenizer, or the vocabulary file or folder of one. vocabularies: folders that are searched for one
    after the model's own. cache_folder: stores embeddings on disk, not in memory alone. cache_gb: their largest size
    there; else as CLIP_GRID_CACHE_SIZE says, else 4. budget_bytes: memory that a batch may need beside the weights;
    without it what suits the device.
    base: the model that a run or a LoRA is for, where it is not found or not told. strength: with which a LoRA or
    trained weights are used; None for that which training chose, or 1.
    trust_space: join two files although one does not name its embedding space. download: fetch a name of the Hugging
    Face hub that is not on this machine. overrides: what the file lacks or has wrong (``activation``, ``heads``,
    ``mean``, ``std``, ``fit``, ...) and fields of ``Preprocessing``, such as ``reference``;
    ``background`` also by name.
    encoders: where the encoder is cached; without it in the process's own cache, or nowhere if there is a placement.
    Raises InputError for an unknown name or option, CheckpointError for a file that cannot be used, SpaceError for two
    files that do not belong together, LimitError for a model larger than the free memory, MissingPackage without torch.
    """
    if missing := [name for name in ("torch", "safetensors") if find_spec(name) is None]:
        cure = "install CLIP's packages with: pip install 'clip-grid[clip]'"
        raise MissingPackage(f"{' and '.join(missing)} must be there to load a model; {cure}")
    if budget_bytes is not None and budget_bytes < 1:
        raise InputError(f"budget_bytes is {budget_bytes}; give at least 1, or None for what suits the device")
    preprocessing = {name: overrides.pop(name) for name in _PREPROCESSING_ONLY if name in overrides}
    infos = find_checkpoints(
        model, base=base, strength=strength, download=download, allow_pickle=allow_pickle, overrides=overrides
    )
    if text_encoder is not None and len(infos) == 1:
        other = _checkpoint(text_encoder, download, allow_pickle, {})
        if (other.path.resolve(), other.prefix) != (infos[0].path.resolve(), infos[0].prefix):
            infos.append(replace(other, trained=infos[0].trained))
            joined_space(*infos, trust_space=trust_space)
    chosen_device = choose_device(device)
    options = LoadOptions(
        device=chosen_device, dtype=choose_dtype(dtype, chosen_device), placement=placement, tokenizer=tokenizer,
        vocabularies=tuple(vocabularies),
        cache_folder=None if cache_folder is None else Path(cache_folder).expanduser(),
        cache_bytes=cache_bytes(cache_gb),
        budget_bytes=budget_bytes, allow_pickle=allow_pickle, preprocessing=preprocessing,
        is_dtype_forced=str(dtype) not in ("auto", "fast"),
    )  # fmt: skip
    cache = encoders or (EncoderCache() if placement else cast("EncoderCache[Encoder]", shared_encoders()))
    files = [file for info in infos for file in (*info.files, *(one.file.file for one in info.trained))]
    # two strings of one path are two objects, but one tokenizer
    tokenizer_key = os.fspath(tokenizer) if isinstance(tokenizer, (str, os.PathLike)) else id(tokenizer)
    key = (repr(infos), repr(options), tokenizer_key, trust_space)
    return cache.get(files, key, lambda: _load(infos, options, trust_space))


def find_checkpoints(
    model: Model,
    *,
    base: Model | None = None,
    strength: float | None = None,
    download: bool = False,
    allow_pickle: bool = False,
    overrides: Mapping[str, Any] | None = None,
) -> list[CheckpointInfo]:
    """What ``load_encoder`` loads: one file, or a second one with the text encoder of a run's model.

    Each says in ``trained`` what it is computed with. Raises InputError for a model that is not found, CheckpointError
    for one that cannot be loaded.
    """
    path = model.path if isinstance(model, CheckpointInfo) else find_model(model, download=download)
    if isinstance(model, CheckpointInfo) or not is_learnt(path):
        if base is not None or strength is not None:
            name = "base" if base is not None else "strength"
            raise InputError(f"{path} is no run, LoRA or head, which alone take {name}; leave {name} out")
        return [_checkpoint(model, download, allow_pickle, overrides or {})]
    learnt = read_learnt(path)
    infos = find_base(learnt.base, str(path)) if base is None else [_checkpoint(base, download, allow_pickle, {})]
    infos = [_checkpoint(info, download, allow_pickle, overrides or {}) for info in infos]
    if learnt.trained is None:
        return infos
    text = next((info.text for info in infos[::-1] if info.text), None)
    trained = training_of(read_trained_file(learnt.trained.path, text_width=text.width if text else None), strength)
    notes = trained.file.notes
    if not trained.file.base.fingerprint:
        notes = (f"{path.name} does not tell which model it was trained on, so that this was not checked", *notes)
    return [replace(info, trained=(trained,), notes=(*info.notes, *notes)) for info in infos]


def _checkpoint(model: Model, download: bool, allow_pickle: bool, overrides: Mapping[str, Any]) -> CheckpointInfo:
    """What the model is; raises CheckpointError if it cannot be loaded."""
    if isinstance(model, CheckpointInfo) and not overrides and not (model.problem and allow_pickle):
        info = model
    else:
        path = model.path if isinstance(model, CheckpointInfo) else find_model(model, download=download)
        trained = model.trained if isinstance(model, CheckpointInfo) else ()
        info = replace(read_checkpoint(path, allow_pickle=allow_pickle, **overrides), trained=trained)
    if info.problem:
        raise CheckpointError(str(info.path), info.problem)
    return info


def _load(infos: list[CheckpointInfo], options: LoadOptions, trust_space: bool) -> Encoder:
    needed = sum(info.parameters for info in infos) * WEIGHT_BYTES[options.dtype]
    device = options.build_device
    check_fits(" + ".join(str(info.path) for info in infos), needed, free_bytes(device), str(device))
    trained = infos[0].trained
    infos = [identified(info) for info in infos]
    if trained:
        infos = with_trained(infos, [hashed(one) for one in trained])
    if infos[0].family in KINDS:
        from .encoding.assembly import assemble

        return assemble(infos[0], infos[-1], options, trust_space=trust_space)
    if infos[0].trained:
        reason = f"it is for CLIP and SigLIP, and {infos[0].path.name} is of the family {infos[0].family}"
        raise CheckpointError(str(infos[0].trained[0].file.path), f"{reason}; choose another model")
    if len(infos) > 1:
        reason = f"models of the family {infos[0].family} take no text encoder from another file; leave it out"
        raise CheckpointError(str(infos[0].path), reason)
    from .hub import encoder as hub_encoder

    return hub_encoder.load(infos[0], options)
