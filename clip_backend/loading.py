"""From a model's path or name to an encoder, held in memory for the next who asks."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..errors import CheckpointError, InputError, MissingPackage
from .checkpoints.info import CheckpointInfo
from .checkpoints.joined import joined_space
from .checkpoints.read import read_checkpoint
from .encoding.cache import EncoderCache, shared_encoders
from .encoding.devices import LoadOptions, check_fits, choose_device, choose_dtype, free_bytes, weight_bytes
from .finding.folders import StrPath
from .finding.names import find_model
from .tokenizing.tokenizer import Tokenizer
from .towers.config import KINDS

if TYPE_CHECKING:
    import torch
    from torch import nn

    from .encoding.batching import Placement
    from .encoding.encoder import Encoder


Model = StrPath | CheckpointInfo
#: What is said of how a model wants its pictures, and not of the model.
_PREPROCESSING_ONLY = ("reference", "resampling", "background", "pad_color", "short_side")


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
    budget_bytes: int | None = None,
    allow_pickle: bool = False,
    download: bool = False,
    trust_space: bool = False,
    encoders: EncoderCache[Encoder] | None = None,
    **given: Any,
) -> Encoder:
    """An encoder for a model's file or folder, or for a name that ``clip-grid models`` lists.

    text_encoder: the file with the text tower, where the model has none of its own or another is wanted.
    dtype: "auto" (fp32 on the processor, fp16 on a device), "fast" (bf16 where the processor is fast at it), "fp32",
    "fp16" or "bf16". tokenizer: one that is ready, or the vocabulary or folder to take it from. vocabularies: folders
    that are searched for one after what lies beside the model. cache_folder: keeps embeddings on disk.
    budget_bytes: memory that a batch may need beside the weights.
    trust_space: put two files together although one does not tell its embedding space. download: fetch a name of the
    Hugging Face hub that is not on this machine. given: what a file does not tell or tells wrongly (``activation``,
    ``heads``, ``mean``, ``std``, ``fit``, ...) and fields of ``Preprocessing``, such as ``reference``.
    encoders: where it is held for the next call; without it the process's own, or nowhere if there is a placement.
    Raises InputError for an unknown name or option, CheckpointError for a file that cannot be used, SpaceError for two
    files that do not belong together, LimitError for a model larger than the free memory, MissingPackage without torch.
    """
    _check_packages()
    if budget_bytes is not None and budget_bytes < 1:
        raise InputError(f"budget_bytes is {budget_bytes}; give at least 1, or None for what suits the device")
    preprocessing = {name: given.pop(name) for name in _PREPROCESSING_ONLY if name in given}
    infos = [_info(model, download, allow_pickle, given)]
    if text_encoder is not None:
        other = _info(text_encoder, download, allow_pickle, {})
        if (other.path.resolve(), other.prefix) != (infos[0].path.resolve(), infos[0].prefix):
            infos.append(other)
            joined_space(*infos, trust_space=trust_space)
    place = choose_device(device)
    options = LoadOptions(
        device=place, dtype=choose_dtype(dtype, place), placement=placement, tokenizer=tokenizer,
        vocabularies=tuple(vocabularies),
        cache_folder=None if cache_folder is None else Path(cache_folder).expanduser(),
        budget_bytes=budget_bytes, allow_pickle=allow_pickle, preprocessing=preprocessing,
    )  # fmt: skip
    held = encoders or (EncoderCache() if placement else cast("EncoderCache[Encoder]", shared_encoders()))
    files = [file for info in infos for file in info.files]
    key = (repr(infos), repr(options), _told_apart(tokenizer), trust_space)
    return held.get(files, key, lambda: _load(infos, options, trust_space))


def _check_packages() -> None:
    missing = [name for name in ("torch", "safetensors") if find_spec(name) is None]
    if missing:
        cure = "install CLIP's packages with: pip install 'clip-grid[clip]'"
        raise MissingPackage(f"{' and '.join(missing)} must be there to load a model; {cure}")


def _told_apart(tokenizer: Tokenizer | StrPath | None) -> object:
    """A path by its name, for two strings of one path are two objects."""
    return os.fspath(tokenizer) if isinstance(tokenizer, (str, os.PathLike)) else id(tokenizer)


def _info(model: Model, download: bool, allow_pickle: bool, given: dict[str, Any]) -> CheckpointInfo:
    """What a model is; raises CheckpointError for one that cannot be loaded."""
    if isinstance(model, CheckpointInfo) and not given and not (model.problem and allow_pickle):
        info = model
    else:
        path = model.path if isinstance(model, CheckpointInfo) else find_model(model, download=download)
        info = read_checkpoint(path, allow_pickle=allow_pickle, **given)
    if info.problem:
        raise CheckpointError(str(info.path), info.problem)
    return info


def _load(infos: list[CheckpointInfo], options: LoadOptions, trust_space: bool) -> Encoder:
    # what a host places is built in main memory, and the host sees to its device
    where = choose_device("cpu") if options.placement else options.device
    needed = sum(weight_bytes(info.parameters, options.dtype) for info in infos)
    check_fits(" + ".join(str(info.path) for info in infos), needed, free_bytes(where), str(where))
    if infos[0].family not in KINDS:
        if len(infos) > 1:
            reason = f"models of the family {infos[0].family} take no text encoder from another file; leave it out"
            raise CheckpointError(str(infos[0].path), reason)
        from .hub import encoder as transformers_encoder

        return transformers_encoder.load(infos[0], options)
    from .encoding.assembly import assemble

    return assemble(infos[0], infos[-1], options, trust_space=trust_space)
