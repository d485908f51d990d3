"""Patches that ComfyUI shares between clones of a model: nothing in them changes."""

from __future__ import annotations

from copy import copy, deepcopy
from typing import TYPE_CHECKING, Any

from ...errors import InputError

if TYPE_CHECKING:
    from typing_extensions import Self

    from .applied import Applied


class ChainedPatch:
    """Replaces one part of a model, around the patch that was there; another adapter is another patch around it."""

    def __init__(self, applied: Applied, site: int, base: Any = None, *, is_base_of_block: bool = False) -> None:
        self.applied = applied
        self.site = site
        #: The patch that was there before; None: ComfyUI's own code.
        self.base = base
        #: Whether ``base`` replaces all attentions of its block, as patches without a transformer index do.
        self.is_base_of_block = is_base_of_block

    def with_another(self, patch: Self) -> Self:
        """Both, and those of ours inside this one, in the order of their adapters, whichever was applied first.

        Sums of floats depend on their order; so the picture does not depend on that of the nodes.
        """
        if self.applied.order <= patch.applied.order:
            return patch.around(self)
        if isinstance(self.base, ChainedPatch):
            return type(self)(self.applied, self.site, self.base.with_another(patch))
        inner = patch.around(self.base, is_base_of_block=self.is_base_of_block)
        return type(self)(self.applied, self.site, inner)

    def around(self, base: Any, *, is_base_of_block: bool = False) -> Self:
        """This patch and those of ours inside it, around another innermost one."""
        if isinstance(self.base, ChainedPatch):
            return type(self)(self.applied, self.site, self.base.around(base, is_base_of_block=is_base_of_block))
        return type(self)(self.applied, self.site, base, is_base_of_block=is_base_of_block)

    def restored(self, current: Any, of_block: Any) -> Any:
        """What belongs where ``current`` stands now, after nodes behind ours replaced it.

        of_block: what stands now for all attentions of the block; where ``current`` is ours, ComfyUI would not see it.
        """
        if not isinstance(current, ChainedPatch) or not current.holds(self.applied):
            return self.around(of_block if current is None else current, is_base_of_block=current is None)
        inner = current.innermost
        if of_block is not None and inner.base is not of_block and (inner.base is None or inner.is_base_of_block):
            return current.around(of_block, is_base_of_block=True)
        return current

    @property
    def innermost(self) -> ChainedPatch:
        """The patch of ours that is applied first."""
        return self.base.innermost if isinstance(self.base, ChainedPatch) else self

    def holds(self, applied: Applied) -> bool:
        """Whether the adapter acts in this patch."""
        return self.applied is applied or (isinstance(self.base, ChainedPatch) and self.base.holds(applied))

    def models(self) -> list[Any]:
        """What ComfyUI loads together with the diffusion model."""
        return [self.applied.weights, *(self.base.models() if hasattr(self.base, "models") else [])]

    def to(self, device_or_dtype: Any) -> Self:
        """ComfyUI asks first for a device, then for the model's dtype, which may be fp8: ours needs neither."""
        if not hasattr(self.base, "to"):
            return self
        moved = self.base.to(device_or_dtype)
        if moved is self.base:
            return self
        return type(self)(self.applied, self.site, moved, is_base_of_block=self.is_base_of_block)

    def cleanup(self) -> None:
        """Tells a foreign patch inside that the run is over."""
        if hasattr(self.base, "cleanup"):
            self.base.cleanup()

    def add(self, *_: object, **__: object) -> None:
        """What other IP-Adapter nodes call to add themselves to a patch; raises InputError with the cure."""
        # ComfyUI would share what they add with every other use of the model
        raise InputError(
            "another IP-Adapter node adds itself to CLIP Grid's; put CLIP Grid's Apply IP-Adapter after the other "
            "node, which then keeps its effect"
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        twin = copy(self)
        twin.base = deepcopy(self.base, memo)
        return twin
