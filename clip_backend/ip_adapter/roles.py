"""Which side of the guidance each part of a model's batch belongs to, for every guider, and the state of one run."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from ...log import logger
from .masks import Area, Size

if TYPE_CHECKING:
    import torch

#: Key of our wrappers in ComfyUI, and of what they store in ``transformer_options``.
KEY = "clip_grid.ip_adapter"
#: ComfyUI's names of the calls that can be wrapped.
OUTER_SAMPLE, CALC_COND_BATCH = "outer_sample", "calc_cond_batch"
#: Beginnings of the names that guiders give to conditionings without the wanted content.
_UNCONDITIONAL = ("negative", "empty")


@dataclass(frozen=True)
class Entry:
    """One conditioning of a batch."""

    is_unconditional: bool
    #: The part of the picture it sees; None: all of it.
    area: Area | None = None


@dataclass(eq=False)
class Run:
    """One sampling run, and what is computed once for it."""

    #: None where a sampler bypasses ComfyUI's guiders.
    guider: Any = None
    #: Keys, values, rows and masks, by what they depend on.
    held: dict[Any, Any] = field(default_factory=dict)

    def sigma_at(self, share: float, otherwise: Callable[[float], float]) -> float:
        """The noise level at a share of the steps, which nodes behind ours may have changed.

        otherwise: tells it where a sampler bypasses ComfyUI's guiders. As ComfyUI compares noise levels, in float32.
        """
        if ("sigma", share) not in self.held:
            patcher = getattr(self.guider, "model_patcher", None)
            told = otherwise if patcher is None else patcher.get_model_object("model_sampling").percent_to_sigma
            (self.held["sigma", share],) = array("f", [float(told(share))])
        found: float = self.held["sigma", share]
        return found

    def name_of(self, conds: Sequence[Mapping[str, Any]], index: int) -> str:
        """The guider's name of a list of conditionings.

        Context windows hand over copies, which still carry the uuids; a uuid alone says little, because a conditioning
        with an area has a twin of the same uuid on the other side.
        """
        named: dict[str, Any] = getattr(self.guider, "conds", None) or {}
        for name, those in named.items():
            if those is conds:
                return name
        mine = [cond.get("uuid") for cond in conds]
        uuids = {name: [cond.get("uuid") for cond in those] for name, those in named.items()}
        same = [name for name, those in uuids.items() if those == mine]
        # windows may be given a part of the list
        same = same or [name for name, those in uuids.items() if set(mine) <= set(those)]
        if len(same) == 1:
            return same[0]
        if not self.held.get("warned"):
            self.held["warned"] = True
            logger.warning(
                "IP-Adapter: this sampler hides which prompt is the negative one; the first is taken for positive"
            )
        return "positive" if index == 0 else "negative"


@dataclass(eq=False)
class Call:
    """One evaluation of the model for all conditionings of a step."""

    run: Run
    #: (index in the batch list, uuid) -> what it is.
    table: Mapping[tuple[int, Any], Entry]
    #: Size of the latent, in cells.
    size: Size | None
    timestep: torch.Tensor | None
    #: Plans of attentions, by what they depend on.
    plans: dict[Any, Any] = field(default_factory=dict)

    @cached_property
    def sigma(self) -> float:
        """Sigma of this step; reading it waits for the device."""
        return float("inf") if self.timestep is None else float(self.timestep.max())

    def entries(self, options: Mapping[str, Any]) -> tuple[Entry, ...]:
        """What the parts of a batch are, in their order."""
        indices, uuids = options.get("cond_or_uncond") or [0], options.get("uuids") or []
        if len(uuids) != len(indices):
            uuids = [None] * len(indices)
        return tuple(
            self.table.get((index, uuid)) or Entry(index not in (0, None))
            for index, uuid in zip(indices, uuids, strict=True)
        )


def call_of(options: Mapping[str, Any]) -> Call:
    """The call that an attention belongs to; outside ComfyUI's guiders one that knows nothing."""
    call: Call | None = options.get(KEY)
    if isinstance(call, Call):
        return call
    _warn_of_no_guider()
    shape = options.get("original_shape")
    size = (int(shape[-2]), int(shape[-1])) if shape else None
    return Call(Run(), {}, size, options.get("sigmas"))


@cache
def _warn_of_no_guider() -> None:
    logger.warning(
        "IP-Adapter: this sampler bypasses ComfyUI's guiders; the first conditioning is taken for positive, the others "
        "for negative, and keys and values are computed in every step"
    )


def note_roles(
    executor: Any,
    model: Any,
    conds: Sequence[Sequence[Mapping[str, Any]] | None],
    x: torch.Tensor,
    timestep: torch.Tensor,
    model_options: Mapping[str, Any],
) -> Any:
    """Wrapper around the evaluation of all conditionings: leaves a ``Call`` for the attentions inside it."""
    options = model_options.get("transformer_options", {})
    given = options.get(KEY)
    run = given if isinstance(given, Run) else getattr(given, "run", None) or Run()
    table = {
        (index, cond.get("uuid")): Entry(run.name_of(those, index).startswith(_UNCONDITIONAL), _area(cond))
        for index, those in enumerate(conds)
        if those
        for cond in those
    }
    call = Call(run, table, (int(x.shape[-2]), int(x.shape[-1])), timestep)
    return executor(model, conds, x, timestep, {**model_options, "transformer_options": {**options, KEY: call}})


def _area(cond: Mapping[str, Any]) -> Area | None:
    area = cond.get("area")
    # areas of videos, with a time, are of models without such attentions
    if not area or len(area) != 4:
        return None
    height, width, y, x = (int(number) for number in area)
    return height, width, y, x
