"""A LoRA as PEFT and kohya's tools have it: the matrices as they are, the strength in the alpha."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch

from ....errors import CheckpointError
from ...checkpoints.info import CheckpointInfo
from ...checkpoints.safetensors_file import TensorToWrite
from ...checkpoints.trained_file import metadata_of
from ...checkpoints.training import LowRank, Training
from ...checkpoints.weights import SafetensorsFiles
from .comfy import kohya_module, kohya_prefix, text_of


def check_lora(training: Training | None, path: str, target: str) -> Training:
    """The training, if it is a LoRA; raises CheckpointError with the layouts that take the others."""
    if training is None:
        raise CheckpointError(path, f"nothing was trained in it that {target} could hold; give a run with a LoRA")
    if training.file.kind != "lora" or not training.file.low_rank:
        reason = f"it holds whole weights, and {target} is for a LoRA; export the merged model to hf, open-clip, "
        raise CheckpointError(path, reason + "comfy-vision or comfy-text")
    return training


def peft_tensors(training: Training, dtype: torch.dtype) -> list[TensorToWrite]:
    """The matrices under PEFT's names."""
    return _matrices(
        training, tuple(training.file.low_rank), dtype,
        lambda name: f"base_model.model.{_module(name)}", (".lora_A.weight", ".lora_B.weight"),
    )  # fmt: skip


def peft_config(training: Training) -> dict[str, Any]:
    """``adapter_config.json``, with the strength in its alphas and no path in it."""
    own = training.file.low_rank
    rule = next(iter(own.values())).rule
    modules = {_module(name): one for name, one in own.items()}
    ranks = {name: one.rank for name, one in modules.items()}
    alphas = {name: one.alpha * training.strength for name, one in modules.items()}
    rank, alpha = _commonest(ranks.values()), _commonest(alphas.values())
    return {
        "peft_type": "LORA", "task_type": "FEATURE_EXTRACTION", "base_model_name_or_path": None, "inference_mode": True,
        "r": rank, "lora_alpha": alpha, "use_rslora": rule == "alpha/sqrt(r)", "lora_dropout": 0.0, "bias": "none",
        "fan_in_fan_out": False, "use_dora": False, "init_lora_weights": True, "modules_to_save": None,
        "target_modules": sorted(modules),
        "rank_pattern": {name: one for name, one in ranks.items() if one != rank},
        "alpha_pattern": {name: one for name, one in alphas.items() if one != alpha},
    }  # fmt: skip


def kohya_tensors(training: Training, text: CheckpointInfo, path: str, dtype: torch.dtype) -> list[TensorToWrite]:
    """The text encoder's matrices under kohya's names, each once, with alphas for a reader that divides by the rank.

    Raises CheckpointError if the LoRA changes the vision encoder alone, for which ComfyUI has no LoRA.
    """
    names = text_of(training.file)
    if not names:
        reason = "its LoRA is for the vision encoder, for which ComfyUI and kohya's tools have none; export it to "
        raise CheckpointError(path, reason + "comfy-vision, or use it by CLIP LoRA of this pack")
    prefix = kohya_prefix(text)
    written = _matrices(
        training, names, dtype, lambda name: kohya_module(name, prefix), (".lora_down.weight", ".lora_up.weight")
    )
    for name in names:
        one = training.file.low_rank[name]
        alpha = torch.tensor(kohya_alpha(one) * training.strength, dtype=torch.float32)
        written.append(TensorToWrite(f"{kohya_module(name, prefix)}.alpha", (), torch.float32, _given(alpha)))
    return written


def kohya_alpha(one: LowRank) -> float:
    """The alpha that gives the same factor where it is divided by the rank: alpha * sqrt(r) for rsLoRA."""
    return one.alpha if one.rule == "alpha/r" else one.alpha * math.sqrt(one.rank)


def kohya_metadata(training: Training) -> dict[str, str]:
    """What kohya's tools say about a file, and the fingerprint of the base model."""
    first = next(iter(training.file.low_rank.values()))
    own = metadata_of("lora", training.file.base, strength=training.strength, alpha=first.alpha, rule=first.rule)
    facts = {name: value for name, value in own.items() if name.endswith(("base", "base_fingerprint")) and value}
    return facts | {
        "ss_network_module": "networks.lora", "ss_network_dim": str(first.rank),
        "ss_network_alpha": repr(kohya_alpha(first) * training.strength),
    }  # fmt: skip


def lost(training: Training) -> list[str]:
    """Parameters that were trained whole, which a LoRA file has no place for."""
    return sorted(training.file.whole)


def _matrices(
    training: Training,
    names: Sequence[str],
    dtype: torch.dtype,
    renamed: Callable[[str], str],
    ends: tuple[str, str],
) -> list[TensorToWrite]:
    files = SafetensorsFiles([training.file.file])
    written = []
    for name in names:
        one = training.file.low_rank[name]
        for end, stored in zip(ends, (one.down, one.up), strict=True):
            make = partial(_read, files, stored, dtype)
            written.append(TensorToWrite(renamed(name) + end, tuple(files.shapes[stored]), dtype, make))
    return written


def _read(files: SafetensorsFiles, name: str, dtype: torch.dtype) -> torch.Tensor:
    return files.read(name).to(dtype)


def _given(tensor: torch.Tensor) -> Callable[[], torch.Tensor]:
    return lambda: tensor


def _module(name: str) -> str:
    return name.removesuffix(".weight")


def _commonest(values: Any) -> Any:
    several = list(values)
    return max(several, key=several.count)


def json_file(value: object) -> bytes:
    """JSON as other programs keep it in their folders."""
    return json.dumps(value, ensure_ascii=False, indent=2).encode() + b"\n"
