"""The replacement of one cross-attention: what was there before, plus the attention to the references."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from .applied import Applied, Place, place_of
from .masks import Size, token_grid
from .patches import ChainedPatch

#: In the options of one block: the adapters that acted in the patches called so far.
ACTED = "clip_grid.ip_adapter.acted"


class AttentionPatch(ChainedPatch):
    """Replaces the cross-attention of one site of a UNet."""

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, options: dict[str, Any]) -> Tensor:
        heads, applied = options["n_heads"], self.applied
        acted: set[Applied] = options.setdefault(ACTED, set())
        # of an earlier call by a foreign patch that asks twice
        acted.discard(applied)
        if self.base is not None:
            out: Tensor = self.base(q, k, v, options)
        else:
            out = applied.attention(
                q, k, v, heads, attn_precision=options.get("attn_precision"), transformer_options=options
            )
        # a foreign patch inside has called another patch of this adapter
        if applied in acted:
            return out
        acted.add(applied)
        place = place_of(applied, options, len(q), q.device, self.site)
        return out if place is None else self._added(out, q, heads, place, options)

    def _added(self, out: Tensor, q: Tensor, heads: int, place: Place, options: Mapping[str, Any]) -> Tensor:
        applied = self.applied
        k, v = applied.key_values(place.call, self.site, q, heads)
        for term, rows in zip(applied.terms, place.rows, strict=True):
            if not term.weight:
                continue
            keys, values, factor = applied.scaled(term, rows, self.site, k, v)
            seen = applied.attention(
                q,
                keys,
                values,
                heads,
                attn_precision=options.get("attn_precision"),
                transformer_options=options,
            ).to(out.dtype)
            if term.mask is None:
                out = torch.add(out, seen, alpha=factor)
            else:
                mask = place.mask(term.mask, unet_grid(place, options, q.shape[1]), out)
                out = torch.addcmul(out, seen, mask, value=factor)
        return out


def unet_grid(place: Place, options: Mapping[str, Any], tokens: int) -> Size:
    """(rows, columns) of an attention's tokens."""
    size, seen = place.size, options.get("activations_shape")
    # exact even where another node shrinks the picture inside the model
    if seen and seen[-2] * seen[-1] == tokens:
        return int(seen[-2]), int(seen[-1])
    return token_grid(size, tokens)
