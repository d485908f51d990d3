"""The cross-attentions of a UNet in the order in which adapters number their keys and values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import InputError
from .variants import FAMILY_TITLES, UNET_FAMILIES


@dataclass(frozen=True)
class Site:
    """One attention."""

    #: Key under which ComfyUI looks up its replacement: ("input", 4, 1) is the second in input block 4.
    key: tuple[str, int, int]
    #: Number of its group of transformer blocks, from the first input block through the middle to the last output;
    #: ComfyUI's ``transformer_index``.
    place: int
    #: Width of its tokens.
    width: int
    #: Numbers per text token; None if the layer does not tell.
    context: int | None


def find_sites(unet: Any) -> tuple[Site, ...]:
    """All cross-attentions: input blocks, output blocks, and the middle block last."""
    parts = (
        ("input", list(unet.input_blocks)),
        ("middle", [unet.middle_block]),
        ("output", list(unet.output_blocks)),
    )
    found: dict[str, list[Site]] = {name: [] for name, _ in parts}
    place = 0
    for name, blocks in parts:
        for number, block in enumerate(blocks):
            for layer in block:
                if hasattr(layer, "transformer_blocks"):
                    found[name].extend(_in_layer(layer, name, number, place))
                    place += 1
    return (*found["input"], *found["output"], *found["middle"])


def _in_layer(layer: Any, part: str, number: int, place: int) -> Iterator[Site]:
    for index, block in enumerate(layer.transformer_blocks):
        if block.attn2 is not None:
            context = getattr(block.attn2.to_k, "in_features", None)
            yield Site((part, number, index), place, block.n_heads * block.d_head, context)


def check_pairs(sites: Sequence[Site], shapes: Sequence[tuple[int, int]], adapter: str, model: str) -> None:
    """Raises InputError unless the adapter has one pair (rows, columns) of keys and values for each site."""
    for site, (_, columns) in zip(sites, shapes, strict=False):
        if site.context is not None and site.context != columns:
            raise InputError(
                f"{adapter} is made for {_family(columns)}, and {model} is {_family(site.context)}; take an adapter "
                "for that model"
            )
    if len(sites) != len(shapes):
        raise InputError(
            f"{adapter} has keys and values for {len(shapes)} attentions, and {model} has {len(sites)}; an adapter "
            f"{_for_count(len(sites))} is needed, or a model {_for_count(len(shapes))}"
        )
    for site, (rows, _) in zip(sites, shapes, strict=True):
        if site.width != rows:
            raise InputError(
                f"{adapter} has {rows} rows for the attention {site.key}, which is {site.width} wide in {model}; "
                "the adapter was made for another model"
            )


def _for_count(count: int) -> str:
    known = {16: "for SD 1.5", 70: "for SDXL", 57: "for FLUX.1", 19: "for FLUX.1", 38: "for SD 3.5"}
    return known.get(count, f"with {count} of them")


def _family(context: int) -> str:
    family = UNET_FAMILIES.get(context)
    return f"{FAMILY_TITLES[family] if family else 'another family'} (text tokens of {context} dimensions)"
