"""A node pack for tests: tiny random models in place of checkpoints, and latents as numbers.

It lies beside a copy of this repository in ComfyUI's folder of packs.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[1] / "ComfyUI-CLIP-Grid"
sys.path[:0] = [str(ROOT / "tests" / "clip_backend" / "ip_adapter"), str(ROOT / "tests" / "comfyui" / "ip_adapter")]
# what makes the models imports the package by its name, which ComfyUI does not give it
package = ModuleType("clip_grid")
package.__path__ = [str(ROOT)]
sys.modules.setdefault("clip_grid", package)

import bench
import tiny_unets as tiny


class TinyClip:
    """Prompts to random states that depend on the text."""

    def tokenize(self, text: str, **_: object) -> str:
        return text

    def encode_from_tokens_scheduled(self, tokens: str, **_: object) -> list[Any]:
        return [[tiny.numbers(tokens, 1, 7, tiny.CONTEXT), {"pooled_output": torch.zeros(1, 1280)}]]


class TinyVae:
    """Latents to pictures of eight times their size."""

    def decode(self, samples: torch.Tensor, **_: object) -> torch.Tensor:
        pixels = torch.sigmoid(samples[:, :3]).movedim(1, -1)
        return pixels.repeat_interleave(8, dim=1).repeat_interleave(8, dim=2)


class TinyCheckpoint:
    """Stands for CheckpointLoaderSimple."""

    RETURN_TYPES = ("MODEL", "CLIP", "VAE")
    FUNCTION = "load"
    CATEGORY = "tests"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"ckpt_name": ("STRING", {"default": "sd15"})}}

    def load(self, ckpt_name: str) -> tuple[Any, TinyClip, TinyVae]:
        family = "sdxl" if "xl" in ckpt_name else "sd15"
        return bench.model(family), TinyClip(), TinyVae()


class TinyNumbers:
    """The numbers of a latent, for the test."""

    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "show"
    CATEGORY = "tests"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"samples": ("LATENT",)}}

    def show(self, samples: dict[str, torch.Tensor]) -> dict[str, Any]:
        return {"ui": {"numbers": samples["samples"].float().flatten().tolist()}}


NODE_CLASS_MAPPINGS = {"TinyCheckpoint": TinyCheckpoint, "TinyNumbers": TinyNumbers}
