"""An adapter with its references on a model, and what an attention looks at in one step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from ...log import logger
from .apply_settings import ApplySettings
from .key_values import PairWeights, head_norm, scaled
from .masks import Size, clip_area, stretch_note, token_weights
from .roles import Call, Entry, call_of
from .terms import Term, TermRows, plan_rows
from .weights_per_site import SiteWeight
from .windows import frames_of


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
    #: (start, end) as shares of the steps between which the references act; None: always.
    shares: tuple[float, float] | None
    #: The noise level at a share, of the model when the adapter was applied.
    sigma_at: Callable[[float], float]
    #: ComfyUI's ``optimized_attention``.
    attention: Callable[..., Tensor]
    #: Keys and values have unit heads, as InstantX has them.
    has_head_norm: bool = False
    #: One of ``SCALINGS``.
    scaling: str = "V only"
    #: A hash of all above: the order in which adapters at one place add up, whichever was applied first.
    order: bytes = b""
    #: Shows the user a sentence about a run.
    note: Callable[[str], None] = logger.warning

    def acts(self, call: Call) -> bool:
        """Whether the step is one of those that the user chose."""
        if self.shares is None:
            return True
        start, end = (call.run.sigma_at(share, self.sigma_at) for share in self.shares)
        return end <= call.sigma <= start

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

    def scaled(self, term: Term, rows: TermRows, site: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, float]:
        """(keys, values, factor on what is read) of a term at a site."""
        weight = self.weight * self.site_weights[site].factor * term.weight
        return scaled(self.scaling, rows.take(k), rows.take_scaled(v), weight)

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


def order_of(tokens: Tensor, terms: Sequence[Term], weight: Tensor, settings: ApplySettings) -> bytes:
    """A hash of what an adapter adds to a model; weight: one of its tensors."""
    masks = (term.mask for term in terms if term.mask is not None)
    plain = [(term.given, term.unconditional, term.weight, term.per_frame) for term in terms]
    found = blake2b(repr((settings, plain)).encode(), digest_size=16)
    for one in (tokens, weight, *masks):
        found.update(one.detach().to("cpu", torch.float32).contiguous().numpy().tobytes())
    return found.digest()


@dataclass(frozen=True, eq=False)
class Place:
    """Where in a batch and picture an attention stands."""

    applied: Applied
    call: Call
    entries: tuple[Entry, ...]
    frames: tuple[int, ...]
    rows: list[TermRows]
    #: What the model was given, in latent cells; None for models that do not tell.
    seen: Size | None

    @property
    def size(self) -> Size:
        """Size of the visible part of the picture, in latent cells; raises InputError where the sampler hides it."""
        if self.call.size is None:
            raise InputError("a mask cannot be placed: this sampler hides the picture's size; take the mask away")
        size = clip_area(self.entries[0].area, self.call.size)[:2]
        if self.seen is not None and self.seen != size:
            raise InputError(
                f"a mask cannot be placed: another node gives the model {_cells(self.seen)} latent cells of "
                f"{_cells(size)}, as tiled samplers do, and does not tell which; take the mask away, or that node"
            )
        return size

    def mask(self, mask: Tensor, grid: Size, like: Tensor) -> Tensor:
        """[B, tokens, 1]: how much of a term each token of the grid takes.

        mask: [frames, H, W] of the whole picture.
        """
        areas = tuple(entry.area for entry in self.entries)
        full = self.call.size
        name = (mask, areas, full, grid, self.frames, like.device, like.dtype)
        held = self.call.run.held
        if name not in held:
            self._note_stretching(mask)
            parts = [token_weights(mask, full or grid, area, grid, self.frames) for area in areas]
            held[name] = torch.cat(parts).to(like.device, like.dtype)
        found: Tensor = held[name]
        return found

    def _note_stretching(self, mask: Tensor) -> None:
        """Says once per run that a mask has another shape than the picture."""
        full, held = self.call.size, self.call.run.held
        text = stretch_note((int(mask.shape[-2]), int(mask.shape[-1])), full) if full else ""
        if text and (self.applied, text) not in held:
            held[self.applied, text] = True
            self.applied.note(text)


def place_of(applied: Applied, options: Mapping[str, Any], batch: int, device: torch.device, site: int) -> Place | None:
    """The place of an attention over a batch of so many rows; None where the references do not act now.

    Raises InputError where another node changed the rows, so that nobody knows which prompt each belongs to.
    """
    call = call_of(options)
    if not applied.acts(call):
        return None
    is_swapped = applied.site_weights[site].is_unconditional
    indices = tuple(options.get("cond_or_uncond") or (0,))
    given = options.get("original_shape")
    _check_rows(batch, given[0] if given else batch, len(indices))
    seen = (int(given[-2]), int(given[-1])) if given else None
    frames = frames_of(options, batch // len(indices))
    name = (applied, is_swapped, indices, tuple(options.get("uuids") or ()), frames, device, seen)
    if name not in call.plans:
        entries = call.entries(options)
        rows = applied.rows(call, entries, frames, device, is_swapped)
        call.plans[name] = Place(applied, call, entries, frames, rows, seen)
    found: Place = call.plans[name]
    return found


def _cells(size: Size) -> str:
    return f"{size[0]} x {size[1]}"


def _check_rows(batch: int, given: int, entries: int) -> None:
    if batch != given or batch % entries:
        raise InputError(
            f"another node, such as Attention Couple, gives an attention {batch} rows where the model has {given} for "
            f"{entries} prompts, so that nobody can tell which prompt a row belongs to; take that node away, and give "
            "prompts an area and references a mask instead"
        )
