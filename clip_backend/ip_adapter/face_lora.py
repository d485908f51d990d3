"""The LoRA that FaceID adapters carry: which weights of a UNet it changes, and by which products."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from ...log import logger
from .tensor_names import LORA_LETTERS
from .weights import Adapter

#: An attention layer of ComfyUI's UNet: stage, block, place in the block, transformer block, and which attention.
_ATTENTION = re.compile(
    r".*?(input_blocks|output_blocks|middle_block)\.(?:(\d+)\.)??(\d+)\.transformer_blocks\.(\d+)\.attn([12])\.to_q\.weight"
)
#: In the order of adapter files, the middle last.
_STAGES = ("input_blocks", "output_blocks", "middle_block")


@dataclass(frozen=True, eq=False)
class LoraProduct:
    """What is added to one weight [out, in]: ``up`` [out, rank] times ``down`` [rank, in]."""

    up: Tensor
    down: Tensor


def lora_products(adapter: Adapter, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, LoraProduct]:
    """The weights of a UNet that the LoRA of an adapter changes, by their names; empty without a LoRA.

    shapes: of the UNet's weights under ComfyUI's names, whatever stands before them. Raises InputError for a UNet with
    another number of attention layers, or of other sizes.
    """
    if not adapter.lora:
        return {}
    layers = attention_layers(shapes)
    count = 1 + max(number for number, _, _ in adapter.lora)
    if len(layers) != count:
        raise InputError(
            f"the LoRA of {adapter.info.label} is for {count} attention layers, but the model has {len(layers)}; load "
            "an adapter for this kind of model"
        )
    found: dict[str, LoraProduct] = {}
    for number, layer in enumerate(layers):
        for letter in LORA_LETTERS:
            name = f"{layer}to_out.0.weight" if letter == "out" else f"{layer}to_{letter}.weight"
            product = LoraProduct(adapter.lora[number, letter, "up"], adapter.lora[number, letter, "down"])
            _check_size(adapter, name, shapes.get(name), product)
            found[name] = product
    return found


def attention_layers(names: Iterable[str]) -> list[str]:
    """The start of the names of each attention layer of a UNet, in the order of adapter files.

    Down, up, then the middle block; self-attention before cross-attention.
    """
    found: dict[str, tuple[int, ...]] = {}
    for name in names:
        if match := _ATTENTION.fullmatch(name):
            stage, *numbers = match.groups()
            found[name.removesuffix("to_q.weight")] = (_STAGES.index(stage), *(int(one or 0) for one in numbers))
    return sorted(found, key=found.__getitem__)


def _check_size(adapter: Adapter, name: str, shape: tuple[int, ...] | None, product: LoraProduct) -> None:
    wanted = product.up.shape[0], product.down.shape[1]
    if shape is None or tuple(shape) != wanted:
        there = "is not in the model" if shape is None else f"has the shape {list(shape)}"
        raise InputError(
            f"the LoRA of {adapter.info.label} changes {name} of shape {list(wanted)}, which {there}; load an adapter "
            "for this kind of model"
        )


def _is_there(model: Any, name: str, product: LoraProduct) -> bool:
    """Whether a patch of this weight is the product, from another use of the adapter or from a file of its LoRA."""
    for _, patch, *_ in model.patches.get(name, ()):
        up, *_ = getattr(patch, "weights", None) or (None,)
        if isinstance(up, Tensor) and up.shape == product.up.shape and torch.equal(up.to(product.up), product.up):
            return True
    return False


def add_lora(model: Any, adapter: Adapter, strength: float, patch_of: Callable[[Tensor, Tensor], object]) -> int:
    """Adds the LoRA of an adapter to a ModelPatcher of ComfyUI, which is a clone; how many weights it changes.

    patch_of: a patch of ComfyUI for ``up`` and ``down``, which it multiplies when the model is loaded. Nothing is added
    with a strength of 0, nor where the model has this LoRA already. Raises what ``lora_products`` raises.
    """
    if not adapter.lora or strength == 0:
        return 0
    # state_dict gives quantised weights as they are stored, in other shapes
    shapes = {name: tuple(weight.shape) for name, weight in model.model.named_parameters()}
    products = lora_products(adapter, shapes)
    if any(_is_there(model, name, product) for name, product in products.items()):
        logger.warning(
            "IP-Adapter: the model already has the LoRA of %s, which is not added again; set lora_strength where it "
            "comes first",
            adapter.info.label,
        )
        return 0
    patches = {name: patch_of(product.up, product.down) for name, product in products.items()}
    return len(model.add_patches(patches, strength))
