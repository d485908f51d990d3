"""Checks of the LoRA in FaceID files, and of the Python service on ComfyUI's own models."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import tiny_unets as tiny
import torch
from bench import distance, model, sample
from clip_grid.api import IPAdapterConfig, IPAdapterService, ReferenceImage
from clip_grid.clip_backend.ip_adapter.apply import apply_adapter
from clip_grid.clip_backend.ip_adapter.apply_settings import ApplySettings
from clip_grid.clip_backend.ip_adapter.comfy_functions import functions_beside
from clip_grid.clip_backend.ip_adapter.face_lora import attention_layers
from clip_grid.clip_backend.ip_adapter.faces import with_lengths
from clip_grid.clip_backend.ip_adapter.projections import States
from clip_grid.clip_backend.ip_adapter.references import Reference
from clip_grid.clip_backend.ip_adapter.sites import find_sites
from clip_grid.clip_backend.ip_adapter.weights import Adapter, load_adapter
from safetensors.torch import save_file
from torch import Tensor

FACE, RANK = 8, 2


def tensors(patcher: Any) -> dict[str, Tensor]:
    """A FaceID adapter with its LoRA for a model."""
    sites, context = find_sites(patcher.model.diffusion_model), tiny.CONTEXT
    shapes = {
        "image_proj.proj.0.weight": (2 * FACE, FACE), "image_proj.proj.0.bias": (2 * FACE,),
        "image_proj.proj.2.weight": (4 * context, 2 * FACE), "image_proj.proj.2.bias": (4 * context,),
        "image_proj.norm.weight": (context,), "image_proj.norm.bias": (context,),
    }  # fmt: skip
    for place, site in enumerate(sites):
        for letter in "kv":
            shapes[f"ip_adapter.{2 * place + 1}.to_{letter}_ip.weight"] = (site.width, context)
        for odd in (0, 1):
            for letter in ("q", "k", "v", "out"):
                columns = context if odd and letter in "kv" else site.width
                root = f"ip_adapter.{2 * place + odd}.to_{letter}_lora"
                shapes |= {f"{root}.down.weight": (RANK, columns), f"{root}.up.weight": (site.width, RANK)}
    return {name: tiny.numbers(f"faceid {name}", *shape) / 4 for name, shape in shapes.items()}


def face() -> Tensor:
    return tiny.numbers("face", 1, FACE)


def applied(patcher: Any, adapter: Adapter, **settings: Any) -> Any:
    reference = Reference(States(face=face()))
    return apply_adapter(
        patcher, adapter, [reference], settings=ApplySettings(**settings), comfy=functions_beside(patcher)
    )


def check_every_attention_weight_becomes_w_plus_up_times_down() -> None:
    for family in ("sd15", "sdxl"):
        plain = model(family)
        adapter = load_adapter(tensors(plain))
        before = {name: weight.clone() for name, weight in plain.model.state_dict().items()}
        layers = attention_layers(before)
        assert len(layers) == 2 * len(find_sites(plain.model.diffusion_model))
        patched = applied(plain, adapter, lora_strength=0.5)
        assert len(patched.patches) == 4 * len(layers) and not plain.patches
        patched.patch_model()
        expected = dict(before)
        for number, layer in enumerate(layers):
            for letter, part in (("q", "to_q"), ("k", "to_k"), ("v", "to_v"), ("out", "to_out.0")):
                product = adapter.lora[number, letter, "up"] @ adapter.lora[number, letter, "down"]
                expected[f"{layer}{part}.weight"] = before[f"{layer}{part}.weight"] + 0.5 * product
        for name, weight in patched.model.state_dict().items():
            assert distance(weight, expected[name]) <= 1e-6, name
        patched.unpatch_model()
        assert all(torch.equal(weight, before[name]) for name, weight in plain.model.state_dict().items())


def check_strength_of_the_lora_is_its_own() -> None:
    plain = model("sd15")
    adapter = load_adapter(tensors(plain))
    untouched = sample(plain)
    assert torch.equal(sample(applied(plain, adapter, weight=0.0, lora_strength=1.0)), untouched)
    alone = sample(applied(plain, adapter, place_weights="0", lora_strength=1.0))
    both = sample(applied(plain, adapter, lora_strength=1.0))
    assert distance(alone, untouched) > 1e-3
    assert distance(both, alone) > 1e-3
    assert torch.equal(sample(plain), untouched)


def check_the_service_gives_a_model_what_the_node_gives_it() -> None:
    plain = model("sdxl")
    with TemporaryDirectory() as place:
        path = Path(place) / "faceid.safetensors"
        save_file(tensors(plain), path)
        service = IPAdapterService(device="cpu")
        service.load_ip_adapter(IPAdapterConfig(model_id=path, scale=0.5))
        steered = service.apply_conditioning(ReferenceImage(face=np.asarray(face()[0]), scale=0.8), plain)
        adapter = load_adapter(path)
    (reference,), _ = with_lengths(adapter.info, [Reference(States(face=face()), weight=0.8)])
    expected = apply_adapter(
        plain, adapter, [reference], settings=ApplySettings(weight=0.5), comfy=functions_beside(plain)
    )
    drawn = sample(steered)
    assert distance(drawn, sample(expected)) == 0
    assert distance(drawn, sample(plain)) > 1e-3
