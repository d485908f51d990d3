"""The vision and text towers of CLIP, LongCLIP, SigLIP and SigLIP 2: pictures or token ids in, embeddings out.

Parameters have the names of transformers. Nothing here reads files: see ``build.py``.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional

from ...errors import InputError
from .config import TowerConfig
from .cpu import Linear, computes_on_cpu, fast_products
from .transformer import AttentionHead, Encoder, LayerNorm


@dataclass(frozen=True)
class VisionOutput:
    """The output of a vision tower for B pictures, in float32."""

    #: [B, P] projected, not of unit length; None for a tower without projection or pooling.
    embeds: torch.Tensor | None
    #: [B, T, W] after the last layer and before the post-layernorm; only if the states were asked for.
    last_hidden: torch.Tensor | None = None
    #: [B, T, W] after the last layer but one; only if the states were asked for.
    penultimate: torch.Tensor | None = None


class Tower(nn.Module, ABC):
    """What both towers share: device, dtype, packing and loading."""

    #: The position table's name: a parameter that is never packed, with the device and dtype of all.
    positions: str

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.config = config

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.get_parameter(self.positions).device

    @property
    def dtype(self) -> torch.dtype:
        """The dtype in which the weights are held."""
        return self.get_parameter(self.positions).dtype

    @property
    def compute_dtype(self) -> torch.dtype:
        """The dtype in which it computes where it is now."""
        return self._compute_dtype_on(self.device)

    def _compute_dtype_on(self, device: torch.device) -> torch.dtype:
        """On a processor float32, or bfloat16 where that is fast; elsewhere that of the weights."""
        return self.dtype if device.type != "cpu" or computes_on_cpu(self.dtype) else torch.float32

    def unpack(self) -> None:
        """Makes all weights plain parameters, which can be trained, saved and moved."""
        for module in self.modules():
            if isinstance(module, Linear):
                module.unpack()

    def memory_bytes(self, batch: int, device: torch.device) -> int:
        """About how many bytes a batch needs beside the weights on a device, where the tower need not be yet."""
        config = self.config
        # the state twice, its norm, query, key, value and their mixture, and the wide layer with its activation
        numbers = config.tokens * (7 * config.width + 2 * config.mlp)
        size = self._compute_dtype_on(device).itemsize
        pixels = 3 * config.image_size**2 * (4 if size == 4 else 4 + size)
        return batch * (numbers * size + pixels)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """torch's load_state_dict for transformers' names; separate q, k and v are fused, packed weights unpacked."""
        self.unpack()
        state = dict(state_dict)
        for name, module in self.named_modules():
            if isinstance(module, Linear) and module.names:
                for key, _ in module.named_parameters(recurse=False):
                    names = module.names_in_state(f"{name}.", key)
                    if all(part in state for part in names):
                        state[f"{name}.{key}"] = torch.cat([state.pop(part) for part in names])
        return super().load_state_dict(state, strict, assign)


class VisionTower(Tower):
    """Pictures -> embeddings and token states."""

    positions = "vision_model.embeddings.position_embedding.weight"

    def __init__(self, config: TowerConfig) -> None:
        super().__init__(config)
        self.vision_model = VisionModel(config)
        has_projection = config.kind == "clip" and config.embedding is not None
        self.visual_projection = Linear(config.width, config.embedding or 0, bias=False) if has_projection else None

    def forward(self, pixels: torch.Tensor, *, states: bool = False) -> VisionOutput:
        """pixels: float32 [B, 3, S, S], normalised, of the model's size; raises InputError for another size."""
        side = self.config.image_size
        if pixels.ndim != 4 or tuple(pixels.shape[1:]) != (3, side, side):
            raise InputError(
                f"pixels of shape {list(pixels.shape)} do not fit the model, which takes [B, 3, {side}, {side}]; "
                "prepare the pictures with the model's own preprocessing"
            )
        with fast_products(self.device):
            return self._output(self._tokens(pixels), 0, states)

    def tokens_before(self, pixels: torch.Tensor, layer: int) -> torch.Tensor:
        """[B, 3, S, S] -> [B, T, W]: the state that enters the layer of this number, counted from 0."""
        with fast_products(self.device):
            return self.vision_model.encoder.before(self._tokens(pixels), layer)

    def embeds_from(self, tokens: torch.Tensor, layer: int) -> torch.Tensor:
        """What ``tokens_before`` gives for a layer -> float32 [B, P]; raises InputError for a tower without any."""
        with fast_products(self.device):
            embeds = self._output(tokens, layer, False).embeds
        if embeds is None:
            raise InputError("this vision tower has no projection, so that it gives no embeddings")
        return embeds

    def _tokens(self, pixels: torch.Tensor) -> torch.Tensor:
        model = self.vision_model
        x: torch.Tensor = model.embeddings(pixels.to(self.device, self.compute_dtype))  # [B, T, W]
        return x if model.pre_layrnorm is None else model.pre_layrnorm(x)

    def _output(self, x: torch.Tensor, layer: int, states: bool) -> VisionOutput:
        """From the state [B, T, W] that enters a layer."""
        model = self.vision_model
        # such an embedding needs only the class token of the last layer
        only_class = self.config.kind == "clip" and self.config.pool == "class" and not states
        rows = torch.zeros(len(x), dtype=torch.int64, device=x.device) if only_class else None
        last, penultimate = model.encoder(x, rows, layer)
        embeds: torch.Tensor | None = None  # [B, P]
        if self.visual_projection is not None:
            embeds = self.visual_projection(self._pooled(last)).float()
        elif model.head is not None:
            embeds = model.head(model.post_layernorm(last)).float()
        return VisionOutput(embeds, last.float(), penultimate.float()) if states else VisionOutput(embeds)

    def _pooled(self, last: torch.Tensor) -> torch.Tensor:
        """[B, T, W] -> [B, W], after the last norm; Source: open_clip, VisionTransformer._pool."""
        norm, pool = self.vision_model.post_layernorm, self.config.pool
        if pool == "class":
            return cast(torch.Tensor, norm(last[:, 0]))
        if pool == "mean":
            return cast(torch.Tensor, norm(last[:, 1:]).mean(dim=1))
        return cast(torch.Tensor, norm(last[:, 1:].mean(dim=1)))

    def project(self, tokens: torch.Tensor) -> torch.Tensor:
        """Last states [B, T, W] -> [B, T, P]: every token through the norm and projection of the class token.

        Raises InputError for models without a projection.
        """
        if self.visual_projection is None:
            raise InputError("this model has no projection for single tokens; use its token states as they are")
        with fast_products(self.device):
            normed = self.vision_model.post_layernorm(tokens.to(self.device, self.compute_dtype))
            return cast(torch.Tensor, self.visual_projection(normed)).float()  # [B, T, P]


class VisionModel(nn.Module):
    """The vision tower without its projection."""

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        is_clip = config.kind == "clip"
        self.embeddings = PatchEmbeddings(config)
        self.pre_layrnorm = LayerNorm(config.width, config.eps) if is_clip else None
        self.encoder = Encoder(config)
        self.post_layernorm = LayerNorm(config.width, config.eps)
        self.head = None if is_clip or config.embedding is None else AttentionHead(config)


class Conv(nn.Conv2d):
    """A convolution without random weights, for drawing them imports torch's compiler (0.9 s); a file gives them."""

    def reset_parameters(self) -> None:
        """Does nothing."""


class Table(nn.Embedding):
    """An embedding table without random weights; see ``Conv``."""

    def reset_parameters(self) -> None:
        """Does nothing."""


class PatchEmbeddings(nn.Module):
    """Pixels -> the class token, if there is one, and one token per patch, each with its position."""

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        is_clip = config.kind == "clip"
        self.class_embedding = nn.Parameter(torch.empty(config.width), requires_grad=False) if is_clip else None
        self.patch_embedding = Conv(3, config.width, config.patch, config.patch, bias=not is_clip)
        self.position_embedding = Table(config.tokens, config.width)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """[B, 3, S, S] -> [B, T, W]."""
        conv, dtype = self.patch_embedding, pixels.dtype
        bias = None if conv.bias is None else conv.bias.to(dtype)
        patches = functional.conv2d(pixels, conv.weight.to(dtype), bias, conv.stride)  # [B, W, G, G]
        x = patches.flatten(2).transpose(1, 2)  # [B, G * G, W]
        if self.class_embedding is not None:
            x = torch.cat([self.class_embedding.to(dtype).expand(len(x), 1, -1), x], dim=1)  # [B, 1 + G * G, W]
        return x + self.position_embedding.weight.to(dtype)


class TextTower(Tower):
    """Token ids -> embeddings."""

    positions = "text_model.embeddings.position_embedding.weight"

    def __init__(self, config: TowerConfig) -> None:
        super().__init__(config)
        self.text_model = TextModel(config)
        is_clip = config.kind == "clip"
        self.text_projection = Linear(config.width, config.embedding or 0, bias=False) if is_clip else None

    def forward(self, ids: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
        """int64 [B, L] -> float32 [B, P], not of unit length.

        ends: int64 [B], the position of the end-of-text token, whose state CLIP pools; in a causal encoder what comes
        after it has no effect. SigLIP pools the last position instead. Raises InputError for more tokens than
        positions.
        """
        if ids.ndim != 2 or ids.shape[1] > self.config.tokens or ends.shape != ids.shape[:1]:
            raise InputError(
                f"ids of shape {list(ids.shape)} with ends {list(ends.shape)} do not fit the model, which takes up to "
                f"{self.config.tokens} tokens a text; shorten the texts"
            )
        return self.embeds_from(self.tokens_before(ids, 0), ends, 0)

    def tokens_before(self, ids: torch.Tensor, layer: int) -> torch.Tensor:
        """int64 [B, L] -> [B, L, W]: the state that enters the layer of this number, counted from 0."""
        with fast_products(self.device):
            x = self.text_model.embeddings(ids.to(self.device), self.compute_dtype)
            return self.text_model.encoder.before(x, layer)

    def embeds_from(self, tokens: torch.Tensor, ends: torch.Tensor, layer: int) -> torch.Tensor:
        """What ``tokens_before`` gives for a layer -> float32 [B, P]; ends: as for the whole tower."""
        model, pool, ends = self.text_model, self.config.text_pool, ends.to(self.device)
        rows = ends if pool == "end" else torch.full_like(ends, 0 if pool == "first" else tokens.shape[1] - 1)
        with fast_products(self.device):
            pooled = model.final_layer_norm(model.encoder(tokens, rows, layer)[0][:, 0])  # [B, W]
            linear = cast(Linear, model.head if self.text_projection is None else self.text_projection)
            return cast(torch.Tensor, linear(pooled)).float()  # [B, P]


class TextModel(nn.Module):
    """The text tower without CLIP's projection; SigLIP's projection is the head."""

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        is_clip = config.kind == "clip"
        self.embeddings = TokenEmbeddings(config)
        self.encoder = Encoder(config, is_causal=config.is_causal)
        self.final_layer_norm = LayerNorm(config.width, config.eps)
        self.head = None if is_clip else Linear(config.width, config.embedding or 0)


class TokenEmbeddings(nn.Module):
    """Token ids -> tokens with their positions."""

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.token_embedding = Table(config.vocabulary, config.width)
        self.position_embedding = Table(config.tokens, config.width)

    def forward(self, ids: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """[B, L] -> [B, L, W] in the given type; the tables may be held in a smaller one."""
        places = self.position_embedding.weight[: ids.shape[1]]
        return functional.embedding(ids, self.token_embedding.weight).to(dtype) + places.to(dtype)
