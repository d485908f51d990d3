"""A FLUX.1 with few channels, with the same weights in diffusers and in ComfyUI, and adapters of XLabs for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from . import tiny_unets as tiny

WIDTH, HEADS, DOUBLES, SINGLES, TEXTS = 32, 2, 2, 3, 5
#: Numbers of a text token: diffusers takes an adapter for one of 16 tokens only at the real width.
CONTEXT = 4096
#: Of the latent that is drawn, in cells, and its tokens.
SIZE, GRID = (8, 6), (4, 3)
#: diffusers' arguments of ``FluxTransformer2DModel``.
DIFFUSERS: Mapping[str, Any] = {
    "patch_size": 1, "in_channels": 64, "num_layers": DOUBLES, "num_single_layers": SINGLES,
    "attention_head_dim": WIDTH // HEADS, "num_attention_heads": HEADS, "joint_attention_dim": CONTEXT,
    "pooled_projection_dim": 8, "guidance_embeds": False, "axes_dims_rope": (4, 6, 6),
}  # fmt: skip
#: ComfyUI's configuration of the same.
COMFYUI: Mapping[str, Any] = {
    "image_model": "flux", "in_channels": 16, "out_channels": 16, "vec_in_dim": 8, "context_in_dim": CONTEXT,
    "hidden_size": WIDTH, "mlp_ratio": 4.0, "num_heads": HEADS, "depth": DOUBLES, "depth_single_blocks": SINGLES,
    "axes_dim": [4, 6, 6], "theta": 10000, "patch_size": 2, "qkv_bias": True, "guidance_embed": False,
    "txt_ids_dims": [],
}  # fmt: skip
#: Adapter -> tokens of a picture.
TOKENS = {"v1": 4, "v2": 16}


def xlabs_tensors(name: str) -> dict[str, Tensor]:
    """An adapter of XLabs under its own names."""
    tokens = TOKENS[name.partition(" ")[0]]
    start = "ip_adapter_proj_model"
    tensors = {
        f"{start}.proj.weight": tiny.numbers(f"{name}.p", tokens * CONTEXT, tiny.EMBEDDING) / 5,
        f"{start}.proj.bias": tiny.numbers(f"{name}.b", tokens * CONTEXT) / 5,
        f"{start}.norm.weight": 1 + tiny.numbers(f"{name}.n", CONTEXT) / 10,
        f"{start}.norm.bias": tiny.numbers(f"{name}.nb", CONTEXT) / 10,
    }
    for block in range(DOUBLES):
        for letter in "kv":
            start = f"double_blocks.{block}.processor.ip_adapter_double_stream_{letter}_proj"
            tensors[f"{start}.weight"] = tiny.numbers(f"{name}.{block}.{letter}", WIDTH, CONTEXT) / 64
            tensors[f"{start}.bias"] = tiny.numbers(f"{name}.{block}.{letter}b", WIDTH) / 6
    return tensors


def latent(size: tuple[int, int] = SIZE) -> Tensor:
    """[1, 16, *size]."""
    return tiny.numbers("flux x", 1, 16, *size)


def text() -> tuple[Tensor, Tensor]:
    """(states [1, TEXTS, CONTEXT], pooled [1, 8])."""
    return tiny.numbers("flux text", 1, TEXTS, CONTEXT), tiny.numbers("flux y", 1, 8)


def packed(given: Tensor) -> Tensor:
    """[1, tokens, 64] of the latent [1, 16, H, W]: 2 x 2 cells are a token."""
    height, width = given.shape[-2:]
    cells = given.reshape(1, 16, height // 2, 2, width // 2, 2)
    return cells.permute(0, 2, 4, 1, 3, 5).reshape(1, -1, 64)


def positions() -> tuple[Tensor, Tensor]:
    """(of text tokens [TEXTS, 3], of image tokens [tokens, 3])."""
    rows, columns = torch.meshgrid(torch.arange(GRID[0]), torch.arange(GRID[1]), indexing="ij")
    image = torch.stack([torch.zeros_like(rows), rows, columns], dim=-1).reshape(-1, 3)
    return torch.zeros(TEXTS, 3), image.float()


@dataclass(frozen=True)
class Case:
    """What is applied in one golden output."""

    #: Strength of each adapter, by the adapter's name.
    scales: tuple[tuple[str, float], ...]
    pictures: int = 1

    @property
    def name(self) -> str:
        """Of its output among the goldens."""
        return "+".join(f"{adapter}:{scale:g}" for adapter, scale in self.scales) + f" pictures:{self.pictures}"


def cases() -> Iterator[Case]:
    """All of which diffusers' outputs are recorded."""
    yield Case((("v1", 0.0),))
    for version in TOKENS:
        yield Case(((version, 0.6),))
        yield Case(((version, 1.0),), pictures=2)
    yield Case((("v1", 0.7), ("v2", 1.0)))
