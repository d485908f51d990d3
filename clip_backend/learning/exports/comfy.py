"""The files for ComfyUI's own loaders, and the names of a LoRA for its text encoders.

Source: comfy/clip_vision.py, comfy/sd.py and comfy/lora.py of ComfyUI 0.3.64 and 0.33.0.
"""

from __future__ import annotations

import re
from typing import Any

from ...checkpoints.info import CheckpointInfo
from ...checkpoints.safetensors_file import TensorToWrite
from ...checkpoints.training import TrainedFile
from .merge import Merged


def vision_tensors(merged: Merged) -> list[TensorToWrite]:
    """``vision_model.*`` and ``visual_projection.weight``."""
    return merged.to_write(merged.names("vision"))


def text_tensors(merged: Merged) -> list[TensorToWrite]:
    """``text_model.*`` and ``text_projection.weight``."""
    return merged.to_write(merged.names("text"))


def properties(info: CheckpointInfo, part: str) -> dict[str, Any]:
    """What the weights of the "vision" or the "text" encoder do not tell, as our own loader reads it from metadata."""
    shape = info.vision if part == "vision" else info.text
    told: dict[str, Any] = {"activation": info.activation, "eps": info.eps, "heads": shape and shape.heads}
    if part == "text":
        told |= {"text_pool": info.text_pool, "is_causal": info.is_causal}
        told |= {"activation": info.text_activation or info.activation, "eps": info.text_eps or info.eps}
    elif info.vision:
        told |= {
            "image_size": info.vision.image_size, "mean": info.mean, "std": info.std, "fit": info.fit,
            "short_side": info.short_side, "interpolation": info.interpolation, "pool": info.pool,
        }  # fmt: skip
    return {name: value for name, value in told.items() if value is not None}


def kohya_prefix(info: CheckpointInfo) -> str:
    """What stands in front of a text encoder's modules in a LoRA; ComfyUI takes each weight once."""
    is_g = info.text is not None and (info.text.width, info.text.layers) == (1280, 32)
    return "lora_te2_" if is_g else "lora_te1_"


def kohya_module(name: str, prefix: str) -> str:
    """A module of the text encoder as kohya's tools and ComfyUI name it."""
    return prefix + re.sub(r"\.weight$", "", name).replace(".", "_")


def text_of(file: TrainedFile) -> list[str]:
    """The weights of the text encoder that a LoRA changes."""
    return [name for name in file.names if name in file.low_rank and name.startswith("text_")]
