"""The replacement of one cross-attention: what was there before, plus the attention to the references."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy, deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from .key_values import PairWeights, head_norm
from .masks import Size, clip_area, token_grid, token_weights
from .roles import Call, Entry, call_of
from .terms import Term, TermRows, plan_rows
from .weights_per_site import SiteWeight
from .windows import frames_of

#: In the options of one block: which adapters have acted in it.
DONE = "clip_grid.ip_adapter.done"


@dataclass(frozen=True, eq=False)
class Applied:
    """An adapter with its references and settings, shared by all its patches; nothing in it changes."""

    #: ComfyUI's ModelPatcher around ``PairWeights``.
    weights: Any
    #: [R, T, length]: every distinct picture's tokens once.
    tokens: Tensor
    terms: tuple[Term, ...]
    site_weights: tuple[SiteWeight, ...]
    weight: float
    #: (first, last) noise level at which the references act; None: always.
    sigmas: tuple[float, float] | None
    #: ComfyUI's ``optimized_attention``.
    attention: Callable[..., Tensor]
    #: Keys and values have unit heads, as InstantX has them.
    has_head_norm: bool = False

    def acts(self, call: Call) -> bool:
        """Whether the step is one of those that the user chose."""
        return self.sigmas is None or self.sigmas[1] <= call.sigma <= self.sigmas[0]

    def key_values(self, call: Call, site: int, like: Tensor, heads: int) -> tuple[Tensor, Tensor]:
        """(keys, values) [R, T, width], computed once per run and device."""
        name = (self, site, like.device, like.dtype)
        held = call.run.held
        if name not in held:
            weights: PairWeights = self.weights.model
            k, v = weights.key_values(site, self.tokens, like.device, like.dtype)
            held[name] = (head_norm(k, heads), head_norm(v, heads)) if self.has_head_norm else (k, v)
        found: tuple[Tensor, Tensor] = held[name]
        return found

    def rows(
        self, call: Call, entries: Sequence[Entry], frames: tuple[int, ...], device: torch.device, is_swapped: bool
    ) -> list[TermRows]:
        """What each row of an attention looks at, per term; the same over the steps of a run."""
        sides = tuple(is_swapped or entry.is_unconditional for entry in entries)
        name = (self, "rows", sides, frames, device)
        held = call.run.held
        if name not in held:
            held[name] = [plan_rows(term, sides, frames, len(self.tokens), device) for term in self.terms]
        found: list[TermRows] = held[name]
        return found



@dataclass(frozen=True, eq=False)
class Place:
    """Where in a batch and picture an attention stands."""

    call: Call
    entries: tuple[Entry, ...]
    frames: tuple[int, ...]
    rows: list[TermRows]

    @property
    def size(self) -> Size:
        """Of the part of the picture that is seen, in latent cells; raises InputError where the sampler hides it."""
        if self.call.size is None:
            raise InputError("a mask cannot be placed: this sampler hides the picture's size; take the mask away")
        return clip_area(self.entries[0].area, self.call.size)[:2]

    def mask(self, mask: Tensor, grid: Size, like: Tensor) -> Tensor:
        """[B, tokens, 1]: how much of a term each token of the grid takes.

        mask: [frames, H, W] of the whole picture.
        """
        areas = tuple(entry.area for entry in self.entries)
        full = self.call.size
        name = (mask, areas, full, grid, self.frames, like.device, like.dtype)
        held = self.call.run.held
        if name not in held:
            parts = [token_weights(mask, full or grid, area, grid, self.frames) for area in areas]
            held[name] = torch.cat(parts).to(like.device, like.dtype)
        found: Tensor = held[name]
        return found


def place_of(applied: Applied, options: Mapping[str, Any], batch: int, device: torch.device, site: int) -> Place | None:
    """The place of an attention over a batch of so many rows; None where the references do not act now."""
    call = call_of(options)
    if not applied.acts(call):
        return None
    is_swapped = applied.site_weights[site].is_unconditional
    indices = tuple(options.get("cond_or_uncond") or (0,))
    frames = frames_of(options, batch // len(indices))
    name = (applied, is_swapped, indices, tuple(options.get("uuids") or ()), frames)
    if name not in call.plans:
        entries = call.entries(options)
        call.plans[name] = Place(call, entries, frames, applied.rows(call, entries, frames, device, is_swapped))
    found: Place = call.plans[name]
    return found


class AttentionPatch:
    """Replaces the cross-attention of one site of a UNet.

    Nothing in it changes: ComfyUI shares it between clones of a model. Another adapter is another patch around it.
    """

    def __init__(self, applied: Applied, site: int, base: Any = None, *, is_base_of_block: bool = False) -> None:
        self.applied = applied
        self.site = site
        #: The patch that was there before; None: ComfyUI's own attention.
        self.base = base
        #: Whether ``base`` replaces all attentions of its block, as patches without a transformer index do.
        self.is_base_of_block = is_base_of_block

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, options: dict[str, Any]) -> Tensor:
        heads = options["n_heads"]
        done: set[Applied] = options.setdefault(DONE, set())
        if self.base is not None:
            out: Tensor = self.base(q, k, v, options)
        else:
            out = self.applied.attention(
                q, k, v, heads, attn_precision=options.get("attn_precision"), transformer_options=options
            )
        # a foreign patch may have called this one already
        if self.applied in done:
            return out
        done.add(self.applied)
        place = place_of(self.applied, options, len(q), q.device, self.site)
        return out if place is None else self._added(out, q, heads, place, options)

    def _added(self, out: Tensor, q: Tensor, heads: int, place: Place, options: Mapping[str, Any]) -> Tensor:
        applied = self.applied
        k, v = applied.key_values(place.call, self.site, q, heads)
        factor = applied.weight * applied.site_weights[self.site].factor
        for term, rows in zip(applied.terms, place.rows, strict=True):
            if not term.weight:
                continue
            seen = applied.attention(
                q, rows.take(k), rows.take_scaled(v), heads,
                attn_precision=options.get("attn_precision"), transformer_options=options,
            ).to(out.dtype)
            if term.mask is None:
                out = torch.add(out, seen, alpha=factor * term.weight)
            else:
                mask = place.mask(term.mask, unet_grid(place, options, q.shape[1]), out)
                out = torch.addcmul(out, seen, mask, value=factor * term.weight)
        return out

    def around(self, base: Any, *, is_base_of_block: bool = False) -> AttentionPatch:
        """This patch and those of ours inside it, around another innermost one."""
        if isinstance(self.base, AttentionPatch):
            return AttentionPatch(self.applied, self.site, self.base.around(base, is_base_of_block=is_base_of_block))
        return AttentionPatch(self.applied, self.site, base, is_base_of_block=is_base_of_block)

    def restored(self, current: Any, of_block: Any) -> AttentionPatch:
        """What belongs at this site where ``current`` stands now, after nodes behind ours replaced it.

        of_block: what stands now for all attentions of the block; where ``current`` is ours, ComfyUI would not see it.
        """
        if not isinstance(current, AttentionPatch) or not current.holds(self.applied):
            return self.around(of_block if current is None else current, is_base_of_block=current is None)
        inner = current.innermost
        if of_block is not None and inner.base is not of_block and (inner.base is None or inner.is_base_of_block):
            return current.around(of_block, is_base_of_block=True)
        return current

    @property
    def innermost(self) -> AttentionPatch:
        """The patch of ours that is applied first."""
        return self.base.innermost if isinstance(self.base, AttentionPatch) else self

    def holds(self, applied: Applied) -> bool:
        """Whether the adapter acts in this patch."""
        return self.applied is applied or (isinstance(self.base, AttentionPatch) and self.base.holds(applied))

    def models(self) -> list[Any]:
        """What ComfyUI loads together with the diffusion model."""
        return [self.applied.weights, *(self.base.models() if hasattr(self.base, "models") else [])]

    def to(self, device_or_dtype: Any) -> AttentionPatch:
        """ComfyUI asks first for a device, then for the model's dtype, which may be fp8: ours needs neither."""
        if not hasattr(self.base, "to"):
            return self
        moved = self.base.to(device_or_dtype)
        if moved is self.base:
            return self
        return AttentionPatch(self.applied, self.site, moved, is_base_of_block=self.is_base_of_block)

    def cleanup(self) -> None:
        """Tells a foreign patch inside that the run is over."""
        if hasattr(self.base, "cleanup"):
            self.base.cleanup()

    def add(self, *_: object, **__: object) -> None:
        """What other IP-Adapter nodes call to add themselves to a patch; raises InputError with the cure."""
        # ComfyUI would share what they add with every other use of the model
        raise InputError(
            "another IP-Adapter node adds itself to CLIP Grid's; put CLIP Grid's Apply IP-Adapter after the other node, "
            "which then keeps its effect"
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> AttentionPatch:
        twin = copy(self)
        twin.base = deepcopy(self.base, memo)
        return twin


def unet_grid(place: Place, options: Mapping[str, Any], tokens: int) -> Size:
    """(rows, columns) of an attention's tokens."""
    size, seen = place.size, options.get("activations_shape")
    # exact even where another node shrinks the picture inside the model
    if seen and seen[-2] * seen[-1] == tokens:
        return int(seen[-2]), int(seen[-1])
    return token_grid(size, tokens)
