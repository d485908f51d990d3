"""Tiny models of the ComfyUI that runs this, adapters for them, and runs of its samplers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import comfy.model_base
import comfy.model_patcher
import comfy.sample
import comfy.samplers
import comfy.supported_models
import comfy.utils
import tiny_unets as tiny
import torch
from clip_grid.clip_backend.ip_adapter import applied
from clip_grid.clip_backend.ip_adapter.apply import apply_adapter
from clip_grid.clip_backend.ip_adapter.apply_settings import ApplySettings
from clip_grid.clip_backend.ip_adapter.comfy_functions import ComfyFunctions
from clip_grid.clip_backend.ip_adapter.projections import States
from clip_grid.clip_backend.ip_adapter.references import Reference
from clip_grid.clip_backend.ip_adapter.weights import Adapter, load_adapter
from comfy.ldm.modules.attention import optimized_attention
from comfyui_version import __version__
from torch import Tensor


class TinySDXL(comfy.model_base.SDXL):
    """SDXL with a short second conditioning."""

    def encode_adm(self, **_: object) -> Tensor:
        """The same for all prompts."""
        return tiny.numbers("vector", 1, tiny.POOLED + 6 * tiny.SIZE_NUMBERS)


CPU = torch.device("cpu")
TEXT = {"pooled_output": torch.zeros(1, 1280)}


def manage(module: torch.nn.Module) -> Any:
    """The module in ComfyUI's memory management."""
    return comfy.model_patcher.ModelPatcher(module, load_device=CPU, offload_device=CPU)


COMFY = ComfyFunctions(optimized_attention, manage, __version__)


def model(family: str, dtype: torch.dtype = torch.float32, compute: torch.dtype | None = None) -> Any:
    """A ModelPatcher of the tiny UNet with the weights that diffusers had; compute: where it is not dtype."""
    config = {**tiny.COMFYUI[family], "dtype": dtype}
    kind = comfy.supported_models.SD15 if family == "sd15" else comfy.supported_models.SDXL
    made = kind(config)
    # the class sets the size of real heads
    made.unet_config.update(config)
    if compute is not None:
        made.set_inference_dtype(dtype, compute)
    base = comfy.model_base.BaseModel if family == "sd15" else TinySDXL
    inner = base(made)
    names = comfy.utils.unet_to_diffusers(config)
    # another name of the same weights
    names = {theirs: ours for theirs, ours in names.items() if not theirs.startswith("class_embedding")}
    shapes = {name: tuple(one.shape) for name, one in inner.diffusion_model.state_dict().items()}
    tensors = {ours: tiny.weight(theirs, shapes[ours]).to(dtype) for theirs, ours in names.items() if ours in shapes}
    missing, unexpected = inner.diffusion_model.load_state_dict(tensors, strict=False)
    assert not missing, missing
    assert not unexpected, unexpected
    inner.diffusion_model.requires_grad_(False).eval()
    return comfy.model_patcher.ModelPatcher(inner, load_device=CPU, offload_device=CPU)


def adapter(family: str, name: str = "first") -> Adapter:
    """A base adapter for the tiny UNet."""
    return load_adapter(tiny.adapter_tensors(family, name))


def picture(name: str = "first", pictures: int = 1, **fields: Any) -> Reference:
    """A reference of random pictures."""
    return Reference(States(embeds=tiny.embeddings(name, pictures)), **fields)


def apply(patcher: Any, given: Adapter, *references: Reference, **settings: Any) -> Any:
    """The model with the adapter."""
    return apply_adapter(patcher, given, references, settings=ApplySettings(**settings), comfy=COMFY)


def conditioning(name: str, **fields: Any) -> list[Any]:
    """Random text."""
    return [[tiny.numbers(name, 1, 7, tiny.CONTEXT), {**TEXT, **fields}]]


POSITIVE, NEGATIVE = conditioning("positive"), conditioning("negative")


def sample(
    patcher: Any,
    positive: Any = POSITIVE,
    negative: Any = NEGATIVE,
    *,
    cfg: float = 3.0,
    size: tuple[int, int] = (16, 16),
    batch: int = 1,
    steps: int = 2,
    callback: Callable[..., None] | None = None,
) -> Tensor:
    """[batch, 4, *size]: the latent that ComfyUI's KSampler makes; callback: after each step."""
    noise = tiny.numbers("noise", batch, 4, *size)
    result: Tensor = comfy.sample.sample(
        patcher, noise, steps, cfg, "euler", "normal", positive, negative, torch.zeros_like(noise),
        callback=callback, disable_pbar=True, seed=1,
    )  # fmt: skip
    return result


def guide(guider: Any, batch: int = 1) -> Tensor:
    """The latent of one step with a guider."""
    noise = tiny.numbers("noise", batch, 4, 16, 16)
    sampling = guider.model_patcher.get_model_object("model_sampling")
    sigmas = comfy.samplers.calculate_sigmas(sampling, "normal", 1)
    result: Tensor = guider.sample(
        noise, torch.zeros_like(noise), comfy.samplers.sampler_object("euler"), sigmas, disable_pbar=True, seed=1
    )
    return result


def distance(one: Tensor, other: Tensor) -> float:
    """The largest difference."""
    return float((one - other).abs().max())


@contextmanager
def noted_places() -> Iterator[list[tuple[list[str], tuple[int, ...], list[Any]]]]:
    """Collects (role of each entry, frames, areas) of every attention to references."""
    found: list[tuple[list[str], tuple[int, ...], list[Any]]] = []
    original = applied.Applied.rows

    def rows(self: Any, call: Any, entries: Any, frames: Any, *rest: Any) -> Any:
        sides = ["unconditional" if entry.is_unconditional else "conditional" for entry in entries]
        found.append((sides, frames, [entry.area for entry in entries]))
        return original(self, call, entries, frames, *rest)

    applied.Applied.rows = rows
    try:
        yield found
    finally:
        applied.Applied.rows = original
