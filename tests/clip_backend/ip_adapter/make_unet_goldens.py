"""Record what diffusers computes with IP-Adapters: ``python -m tests.clip_backend.ip_adapter.make_unet_goldens``.

Needs diffusers 0.42. Writes beside this file goldens/unet_outputs.safetensors, of whole UNets, and
goldens/sites.safetensors, of single attentions.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from .tiny_unets import DIFFUSERS, SITES, Case, adapter_tensors, cases, embeddings, inputs, weight

GOLDENS = Path(__file__).parent / "goldens"
#: Of an attention's queries; they do not look at each other.
QUERIES = 4


def main() -> None:
    """Write the outputs of all cases."""
    GOLDENS.mkdir(exist_ok=True)
    save_file({case.name: output(unet_with(case), case) for case in cases()}, GOLDENS / "unet_outputs.safetensors")
    sites: dict[str, Tensor] = {}
    for case in cases():
        for site in SITES[case.family]:
            sites.update(site_tensors(case, site))
    save_file(sites, GOLDENS / "sites.safetensors")


def unet_with(case: Case) -> Any:
    """diffusers' UNet with the adapters of a case."""
    from diffusers import UNet2DConditionModel

    unet = UNet2DConditionModel(**DIFFUSERS[case.family]).eval()
    shapes = {name: tuple(tensor.shape) for name, tensor in unet.state_dict().items()}
    unet.load_state_dict({name: weight(name, shape) for name, shape in shapes.items()})
    adapters = [adapter_tensors(case.family, name) for name, _ in case.scales]
    unet._load_ip_adapter_weights(adapters, low_cpu_mem_usage=False)
    for processor in unet.attn_processors.values():
        if hasattr(processor, "scale"):
            processor.scale = [scale for _, scale in case.scales]
    return unet


@torch.no_grad()
def output(unet: Any, case: Case) -> Tensor:
    """[2, 4, 16, 16]: of the negative and the positive side."""
    given = inputs()
    # the negative side has zeros instead of embeddings
    images = [
        torch.stack([torch.zeros_like(one), one])
        for one in (embeddings(name, case.pictures) for name, _ in case.scales)
    ]
    added = {"image_embeds": images, "text_embeds": given.pooled, "time_ids": given.sizes}
    found: Tensor = unet(given.x, given.timestep, given.text, added_cond_kwargs=added).sample
    return found.contiguous()


def site_tensors(case: Case, site: int) -> Iterator[tuple[str, Tensor]]:
    """Queries, keys and values of an attention, and what it gives, where the adapters act in no other."""
    unet = unet_with(case)
    names = [name.removesuffix(".processor") for name in unet.attn_processors if ".attn2." in name]
    for number, name in enumerate(names):
        if number != site:
            unet.get_submodule(name).processor.scale = [0.0] * len(case.scales)
    attention = unet.get_submodule(names[site])
    found: dict[str, Tensor] = {}

    def noted(name: str) -> Any:
        # keys and values of the references come from layers of the processor
        return lambda _, given, out: found.update({name: given[0] if name == "out" else out})

    parts = {"q": attention.to_q, "k": attention.to_k, "v": attention.to_v, "out": attention.to_out[0]}
    for name, part in parts.items():
        part.register_forward_hook(noted(name))
    output(unet, case)
    for name, tensor in found.items():
        kept = tensor[:, :QUERIES] if name in ("q", "out") else tensor
        yield f"{case.name if name == 'out' else case.family} {site} {name}", kept.contiguous()


if __name__ == "__main__":
    main()
