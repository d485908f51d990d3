"""The adapters of XLabs and InstantX for FLUX.1, through the hooks that ComfyUI has in its blocks.

XLabs adds the attention to the picture after a double block. InstantX adds it to the attention of double and single
blocks, before its projection. Both ask with the image's queries after their norm and before the rotary embedding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from .applied import Applied, Place, place_of
from .masks import Size
from .patches import ChainedPatch
from .sites import Site

#: In the options of a block: what its attention saw in the references, by adapter.
SEEN = "clip_grid.ip_adapter.seen"
#: The hooks of a block that are needed.
HOOKS = ("attn1_patch", "attn1_output_patch")


def flux_sites(transformer: Any) -> tuple[Site, ...]:
    """The attentions of all double blocks, then of all single blocks."""
    blocks = [("double", block) for block in transformer.double_blocks]
    blocks += [("single", block) for block in transformer.single_blocks]
    doubles = len(transformer.double_blocks)
    return tuple(
        Site((kind, place - doubles if kind == "single" else place, 0), place, block.hidden_size, None)
        for place, (kind, block) in enumerate(blocks)
    )


def check_hooks(transformer: Any, adapter: str, version: str) -> None:
    """Raises InputError where this ComfyUI's blocks call no patches before and after their attention."""
    for blocks in (transformer.double_blocks, transformer.single_blocks):
        code = getattr(type(blocks[0]).forward, "__code__", None)
        if code is None or not set(HOOKS) <= set(code.co_consts):
            raise InputError(
                f"{adapter} needs a ComfyUI whose FLUX blocks can be patched, which 0.33.0 is; this one is {version}: "
                "update ComfyUI"
            )


@dataclass(frozen=True)
class _Tokens:
    """Which tokens of a block's attention look at the references."""

    #: The first and the one after the last.
    start: int
    stop: int
    #: How many of them are text; the others are the picture's.
    texts: int


class FluxQueryPatch:
    """Before the attention of every block: what its queries see in the references is left for whoever adds it."""

    def __init__(self, applied: Applied, doubles: int, *, with_singles: bool) -> None:
        self.applied = applied
        self._doubles = doubles
        self._with_singles = with_singles

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, extra_options: dict[str, Any], **_: object) -> dict[str, Any]:
        is_double = extra_options["block_type"] == "double"
        site = extra_options["block_index"] + (0 if is_double else self._doubles)
        if (is_double or self._with_singles) and self.applied.site_weights[site].factor:
            place = place_of(self.applied, extra_options, len(q), q.device, site)
            if place is not None:
                seen = self._seen(q, site, place, _tokens(extra_options, is_double=is_double), extra_options)
                extra_options.setdefault(SEEN, {})[self.applied] = seen
        return {}

    def _seen(
        self, q: Tensor, site: int, place: Place, tokens: _Tokens, options: Mapping[str, Any]
    ) -> tuple[_Tokens, Tensor]:
        """(which tokens, what they see [B, tokens, width])."""
        applied, heads = self.applied, q.shape[1]
        k, v = applied.key_values(place.call, site, q, heads)
        asking = q[:, :, tokens.start : tokens.stop]
        total: Tensor | None = None
        for term, rows in zip(applied.terms, place.rows, strict=True):
            if not term.weight:
                continue
            *held, factor = applied.scaled(term, rows, site, k, v)
            given = (one.reshape(*one.shape[:2], heads, -1).transpose(1, 2) for one in held)
            seen = applied.attention(asking, *given, heads, skip_reshape=True, transformer_options=options)
            seen = seen * factor
            if term.mask is not None:
                seen = seen * _mask(place, term.mask, tokens, seen)
            total = seen if total is None else total + seen
        return tokens, torch.zeros_like(asking).transpose(1, 2).flatten(2) if total is None else total

    def models(self) -> list[Any]:
        """What ComfyUI loads together with the diffusion model."""
        return [self.applied.weights]

    def __deepcopy__(self, memo: dict[int, Any]) -> FluxQueryPatch:
        return self


def _tokens(options: Mapping[str, Any], *, is_double: bool) -> _Tokens:
    texts, total = options["img_slice"]
    # pictures that are given to the model itself stand behind the one that is drawn
    stop = total - sum(options.get("reference_image_num_tokens") or ())
    # InstantX was trained with the text's queries of single blocks, too
    return _Tokens(texts, stop, 0) if is_double else _Tokens(0, stop, texts)


def _mask(place: Place, mask: Tensor, tokens: _Tokens, like: Tensor) -> Tensor:
    """[B, tokens, 1]; of text tokens the mean over the picture."""
    height, width = place.size
    grid: Size = (-(-height // 2), -(-width // 2))
    if grid[0] * grid[1] != tokens.stop - tokens.start - tokens.texts:
        raise InputError(
            f"a mask cannot be placed: FLUX has {tokens.stop - tokens.start - tokens.texts} tokens for a picture of "
            f"{height} x {width} latent cells; take the mask away, or the node that changes the tokens"
        )
    image = place.mask(mask, grid, like)
    return torch.cat([image.mean(1, keepdim=True).expand(-1, tokens.texts, -1), image], dim=1)


class FluxOutputPatch:
    """After the attention of every block, before its projection: adds what was seen."""

    def __init__(self, applied: Applied) -> None:
        self.applied = applied

    def __call__(self, attention: Tensor, extra_options: dict[str, Any]) -> Tensor:
        found = extra_options.get(SEEN, {}).pop(self.applied, None)
        if found is None:
            return attention
        tokens, seen = found
        out = attention.clone()
        out[:, tokens.start : tokens.stop] += seen.to(out.dtype)
        return out

    def __deepcopy__(self, memo: dict[int, Any]) -> FluxOutputPatch:
        return self


def sort_last(patches: list[Any]) -> None:
    """Puts those of ours at the end of a list in the order of their adapters, as ``ChainedPatch`` does."""
    count = sum(1 for _ in takewhile(lambda one: isinstance(one, FluxOutputPatch), reversed(patches)))
    patches[-count:] = sorted(patches[-count:], key=lambda one: one.applied.order)


class FluxBlockPatch(ChainedPatch):
    """Replaces a double block: as it was, plus what its image tokens saw."""

    def __call__(self, given: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
        options = given["transformer_options"]
        # a foreign patch may have called this one already: then both leave what was seen in one place
        left: dict[Applied, Any] = options.get(SEEN, {})
        inside = {**given, "transformer_options": {**options, SEEN: left}}
        run = extra["original_block"] if self.base is None else self.base
        out: dict[str, Any] = run(inside) if self.base is None else run(inside, extra)
        found = left.pop(self.applied, None)
        if found is None:
            return out
        _, seen = found
        image = out["img"].clone()
        image[:, : seen.shape[1]] += seen.to(image.dtype)
        return {**out, "img": image}
