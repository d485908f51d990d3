"""Record two attentions of the tiny SD 1.5 in ComfyUI: ``cd COMFYUI && python run_checks.py make_site_goldens``.

Writes tests/clip_backend/ip_adapter/goldens/sites.safetensors: what a patch was given, and what it gave.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tiny_unets as tiny
from bench import adapter, apply, model, picture
from checks_outputs import evaluated
from clip_grid.clip_backend.ip_adapter.attention import AttentionPatch
from safetensors.torch import save_file
from torch import Tensor

#: Of input block 7 and of the middle block, in an adapter's order.
SITES = (4, 15)


def check_and_write_two_sites() -> None:
    found: dict[str, Tensor] = {}
    original = AttentionPatch.__call__

    def noted(self: Any, q: Tensor, k: Tensor, v: Tensor, options: dict[str, Any]) -> Tensor:
        out = original(self, q, k, v, options)
        if self.site in SITES:
            named = {"q": q, "k": k, "v": v, "out": out}
            found.update({f"{self.site}.{name}": one.contiguous() for name, one in named.items()})
        return out

    AttentionPatch.__call__ = noted
    try:
        evaluated(apply(model("sd15"), adapter("sd15"), picture(), weight=0.6), "sd15")
    finally:
        AttentionPatch.__call__ = original
    assert len(found) == 4 * len(SITES)
    save_file(found, Path(tiny.__file__).parent / "goldens" / "sites.safetensors")
