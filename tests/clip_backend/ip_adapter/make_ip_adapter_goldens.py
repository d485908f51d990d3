"""Writes down what diffusers computes for the small adapters of ``tiny_adapters.py``, for machines without it.

Run from the repository's root with a Python that has diffusers:

    python -m pytest -q tests/clip_backend/ip_adapter/make_ip_adapter_goldens.py

This is no test: pytest is only what makes the package importable by its name.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from . import tiny_adapters as tiny

FILE = Path(__file__).parents[1] / "goldens" / "ip_adapter_projections.json"
#: What each kind reads.
READS = {
    "base": ("embeds",), "plus": ("hidden",), "full-face": ("hidden",), "faceid": ("face",),
    "faceid-portrait": ("face",), "faceid-plus": ("face", "hidden"), "faceid-plus-v2": ("face", "hidden"),
}  # fmt: skip


def test_write_down_the_tokens_of_diffusers():
    diffusers = pytest.importorskip("diffusers")
    from diffusers.loaders.unet import UNet2DConditionLoadersMixin

    goldens = {}
    for kind, names in READS.items():
        prefix = "image_proj."
        own = {n.removeprefix(prefix): t for n, t in tiny.tensors_of(kind).items() if n.startswith(prefix)}
        module = UNet2DConditionLoadersMixin()._convert_ip_adapter_image_proj_to_diffusers(own, low_cpu_mem_usage=False)
        states = [tiny.states(name, count=1) for name in names]
        with torch.no_grad():
            if len(states) == 2:
                module.clip_embeds, module.shortcut = states[1][:, None], kind.endswith("v2")
                tokens = module(states[0][:, 0])
            else:
                tokens = module(states[0][:, 0] if names == ("face",) else states[0])
        rounded = [round(x, 6) for x in tokens.flatten().tolist()]
        goldens[kind] = {"library": f"diffusers {diffusers.__version__}", "tokens": rounded}
    FILE.write_text(json.dumps(goldens, indent=1, sort_keys=True).replace("\n   ", " ") + "\n", "utf-8")
