"""UNets of the shapes of SD 1.5 and SDXL with few channels, with the same weights in diffusers and in ComfyUI."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
import torch
from torch import Tensor

#: Numbers of a text token, of a picture's embedding, tokens of a picture.
CONTEXT, EMBEDDING, TOKENS = 48, 24, 4
#: Numbers of the pooled text and of each size in SDXL's second conditioning.
POOLED, SIZE_NUMBERS = 16, 8
#: diffusers' arguments of ``UNet2DConditionModel``.
DIFFUSERS: Mapping[str, dict[str, Any]] = {
    "sd15": {
        "block_out_channels": (32, 64, 128, 128),
        "attention_head_dim": 8,
        "cross_attention_dim": CONTEXT,
        "sample_size": 16,
    },
    "sdxl": {
        "block_out_channels": (32, 64, 128),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": (1, 2, 10),
        "attention_head_dim": (4, 8, 16),
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": SIZE_NUMBERS,
        "projection_class_embeddings_input_dim": POOLED + 6 * SIZE_NUMBERS,
        "cross_attention_dim": CONTEXT,
        "sample_size": 16,
    },
}
_COMMON = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 32,
    "use_spatial_transformer": True,
    "context_dim": CONTEXT,
    "use_temporal_attention": False,
    "legacy": False,
}
#: ComfyUI's configuration of the same.
COMFYUI: Mapping[str, dict[str, Any]] = {
    "sd15": {
        **_COMMON,
        "num_res_blocks": [2, 2, 2, 2],
        "channel_mult": [1, 2, 4, 4],
        "num_heads": 8,
        "transformer_depth": [1] * 6 + [0, 0],
        "transformer_depth_output": [1] * 9 + [0] * 3,
        "transformer_depth_middle": 1,
        "use_linear_in_transformer": False,
        "adm_in_channels": None,
    },
    "sdxl": {
        **_COMMON,
        "num_res_blocks": [2, 2, 2],
        "channel_mult": [1, 2, 4],
        "num_heads": -1,
        "num_head_channels": 8,
        "transformer_depth": [0, 0, 2, 2, 10, 10],
        "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10],
        "transformer_depth_middle": 10,
        "use_linear_in_transformer": True,
        "num_classes": "sequential",
        "adm_in_channels": POOLED + 6 * SIZE_NUMBERS,
    },
}
#: The widths of their cross-attentions in an adapter's order.
WIDTHS: Mapping[str, list[int]] = {
    "sd15": [32] * 2 + [64] * 2 + [128] * 2 + [128] * 3 + [64] * 3 + [32] * 3 + [128],
    "sdxl": [64] * 4 + [128] * 20 + [128] * 30 + [64] * 6 + [128] * 10,
}
#: Attentions in an adapter's order that are recorded by themselves: one of input block 7, and the last of the middle.
SITES: Mapping[str, tuple[int, ...]] = {"sd15": (4, 15), "sdxl": (4, 69)}


def numbers(name: str, *shape: int) -> Tensor:
    """Random numbers that depend on the name alone, on every machine."""
    return torch.from_numpy(np.random.default_rng(crc32(name.encode())).standard_normal(shape, dtype=np.float32))


def weight(name: str, shape: tuple[int, ...]) -> Tensor:
    """The weight or bias of that name: such that activations stay near 1."""
    if len(shape) == 1:
        return numbers(name, *shape) * 0.1 + float(name.endswith("weight"))
    return numbers(name, *shape) / float(np.sqrt(np.prod(shape[1:])))


def adapter_tensors(family: str, name: str) -> dict[str, dict[str, Tensor]]:
    """A base adapter for the tiny UNet, as ``load_adapter`` and diffusers take it."""
    projection = {
        "proj.weight": numbers(f"{name}.proj", TOKENS * CONTEXT, EMBEDDING) / 5,
        "proj.bias": numbers(f"{name}.bias", TOKENS * CONTEXT) / 5,
        "norm.weight": 1 + numbers(f"{name}.norm", CONTEXT) / 10,
        "norm.bias": numbers(f"{name}.norm_bias", CONTEXT) / 10,
    }
    pairs = {
        f"{2 * number + 1}.to_{letter}_ip.weight": numbers(f"{name}.{number}.{letter}", width, CONTEXT) / 7
        for number, width in enumerate(WIDTHS[family])
        for letter in "kv"
    }
    return {"image_proj": projection, "ip_adapter": pairs}


def embeddings(name: str, pictures: int = 1) -> Tensor:
    """[pictures, EMBEDDING]."""
    return torch.cat([numbers(f"{name}{picture}", 1, EMBEDDING) for picture in range(pictures)])


@dataclass(frozen=True)
class Inputs:
    """One evaluation of a UNet for the negative and the positive side."""

    x: Tensor
    timestep: Tensor
    text: Tensor
    pooled: Tensor
    sizes: Tensor


def inputs() -> Inputs:
    """The same for every case."""
    return Inputs(
        x=numbers("x", 1, 4, 16, 16).expand(2, -1, -1, -1),
        timestep=torch.tensor([500.0, 500.0]),
        text=numbers("text", 2, 7, CONTEXT),
        pooled=numbers("pooled", 2, POOLED),
        sizes=torch.tensor([[512.0, 512, 0, 0, 512, 512]]).expand(2, -1),
    )


@dataclass(frozen=True)
class Case:
    """What is applied in one golden output."""

    family: str
    #: Strength of each adapter, by the adapter's name.
    scales: tuple[tuple[str, float], ...]
    pictures: int = 1

    @property
    def name(self) -> str:
        """Of its output among the goldens."""
        scales = "+".join(f"{adapter}:{scale:g}" for adapter, scale in self.scales)
        return f"{self.family} {scales} pictures:{self.pictures}"


def cases() -> Iterator[Case]:
    """All of which diffusers' outputs are recorded."""
    for family in ("sd15", "sdxl"):
        for scale in (0.0, 0.6, 1.0):
            yield Case(family, (("first", scale),))
        for pictures in (2, 3):
            yield Case(family, (("first", 1.0),), pictures)
        yield Case(family, (("first", 0.6), ("second", 1.0)))
        yield Case(family, (("first", 1.0), ("second", 0.6)), 2)
