"""The pre-norm transformer that all towers share: layers of self-attention and MLP."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn
from torch.nn import functional

from .config import TowerConfig
from .cpu import QUICK, Linear


class LayerNorm(nn.LayerNorm):
    """A layer norm that computes in the dtype of its input, whatever dtype its weights have."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
        return functional.layer_norm(x, self.normalized_shape, weight, bias, self.eps)


class Attention(nn.Module):
    """Self-attention, full or causal."""

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = Linear(config.width, 3 * config.width, names=("q_proj.", "k_proj.", "v_proj."))
        self.out_proj = Linear(config.width, config.width)

    def forward(self, x: torch.Tensor, is_causal: bool, rows: torch.Tensor | None = None) -> torch.Tensor:
        """x: [B, T, W]. Returns [B, T, W]; with ``rows``, int64 [B], only that query of each: [B, 1, W]."""
        query, key, value = split_heads(self.qkv(x), self.heads)  # [B, H, T, W / H] each
        mask = None
        if rows is not None:
            query = query.take_along_dim(rows[:, None, None, None], 2)  # [B, H, 1, W / H]
            if is_causal:
                places = torch.arange(x.shape[1], device=x.device)
                mask = (places <= rows[:, None])[:, None, None]  # [B, 1, 1, T]
        mixed = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, is_causal=is_causal and rows is None
        )
        return cast(torch.Tensor, self.out_proj(mixed.transpose(1, 2).flatten(2)))


def split_heads(fused: torch.Tensor, heads: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """[B, T, 3 W] -> query, key and value, each [B, H, T, W / H]."""
    batch, tokens, width = fused.shape
    query, key, value = fused.view(batch, tokens, 3, heads, width // 3 // heads).permute(2, 0, 3, 1, 4)
    return query, key, value


class Mlp(nn.Module):
    """Two linear layers with the activation between them."""

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.activation = config.activation
        quick = QUICK if self.activation == "quick_gelu" else 1.0
        self.fc1 = Linear(config.width, config.mlp, gains=(quick, quick))
        self.fc2 = Linear(config.mlp, config.width, gains=(1 / quick, 1.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[..., W] -> [..., W]."""
        if self.fc1.is_packed != self.fc2.is_packed:
            # a host that moves modules one by one has unpacked only one of the two
            self.fc1.unpack()
            self.fc2.unpack()
        return cast(torch.Tensor, self.fc2(self.fc1(x, self.activation)))


class Layer(nn.Module):
    """One layer of the transformer."""

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.self_attn = Attention(config)
        self.layer_norm1 = LayerNorm(config.width, config.eps)
        self.layer_norm2 = LayerNorm(config.width, config.eps)
        self.mlp = Mlp(config)

    def forward(self, x: torch.Tensor, is_causal: bool, rows: torch.Tensor | None = None) -> torch.Tensor:
        """[B, T, W] -> [B, T, W]; with ``rows``, int64 [B], only that token of each: [B, 1, W]."""
        mixed = self.self_attn(self.layer_norm1(x), is_causal, rows)
        if rows is not None:
            x = x.take_along_dim(rows[:, None, None], 1)  # [B, 1, W]
        x = x + mixed
        return x + cast(torch.Tensor, self.mlp(self.layer_norm2(x)))


class Encoder(nn.Module):
    """A stack of layers."""

    def __init__(self, config: TowerConfig, *, is_causal: bool = False) -> None:
        super().__init__()
        self.is_causal = is_causal
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))

    def forward(
        self, x: torch.Tensor, rows: torch.Tensor | None = None, first: int = 0
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The last and the penultimate state.

        x: [B, T, W]. With ``rows``, int64 [B], only those tokens of the last state are computed: [B, 1, W]. first: the
        layer that x enters.
        """
        *others, last = list(self.layers)[first:]
        for layer in others:
            x = layer(x, self.is_causal)
        return last(x, self.is_causal, rows), x

    def before(self, x: torch.Tensor, layer: int) -> torch.Tensor:
        """[B, T, W] -> [B, T, W]: the state that enters the layer of this number, from that of the first."""
        for one in list(self.layers)[:layer]:
            x = one(x, self.is_causal)
        return x


class AttentionHead(nn.Module):
    """SigLIP's attention pooling: one learnt query attends to all tokens."""

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.probe = nn.Parameter(torch.empty(1, 1, config.width), requires_grad=False)
        self.attention = ProbeAttention(config)
        self.layernorm = LayerNorm(config.width, config.eps)
        self.mlp = Mlp(config)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, T, W] -> [B, W]."""
        probe = self.probe.to(x.dtype).expand(len(x), -1, -1)  # [B, 1, W]
        pooled: torch.Tensor = self.attention(probe, x)
        pooled = pooled + self.mlp(self.layernorm(pooled))
        return pooled[:, 0]


class ProbeAttention(nn.Module):
    """Attention of the query to all tokens."""

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = Linear(config.width, 3 * config.width, names=("in_proj_",))
        self.out_proj = Linear(config.width, config.width)

    def forward(self, probe: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """probe [B, 1, W], x [B, T, W] -> [B, 1, W]."""
        # one product for query, keys and values, since the weight may be packed as one
        query, key, value = split_heads(self.qkv(torch.cat([probe, x], dim=1)), self.heads)  # [B, H, 1 + T, W / H]
        mixed = functional.scaled_dot_product_attention(query[:, :, :1], key[:, :, 1:], value[:, :, 1:])
        return cast(torch.Tensor, self.out_proj(mixed.transpose(1, 2).flatten(2)))
