"""Record what diffusers computes with IP-Adapters: ``python -m tests.clip_backend.ip_adapter.make_unet_goldens``.

Needs diffusers 0.42. Writes goldens/unet_outputs.safetensors beside this file.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from .tiny_unets import DIFFUSERS, Case, adapter_tensors, cases, embeddings, inputs, weight

GOLDENS = Path(__file__).parent / "goldens" / "unet_outputs.safetensors"


def main() -> None:
    """Write the outputs of all cases."""
    GOLDENS.parent.mkdir(exist_ok=True)
    save_file({case.name: diffusers_output(case) for case in cases()}, GOLDENS)


@torch.no_grad()
def diffusers_output(case: Case) -> Tensor:
    """[2, 4, 16, 16]: of the negative and the positive side."""
    from diffusers import UNet2DConditionModel

    unet = UNet2DConditionModel(**DIFFUSERS[case.family]).eval()
    shapes = {name: tuple(tensor.shape) for name, tensor in unet.state_dict().items()}
    unet.load_state_dict({name: weight(name, shape) for name, shape in shapes.items()})
    adapters = [adapter_tensors(case.family, name) for name, _ in case.scales]
    unet._load_ip_adapter_weights(adapters, low_cpu_mem_usage=False)
    for processor in unet.attn_processors.values():
        if hasattr(processor, "scale"):
            processor.scale = [scale for _, scale in case.scales]
    given = inputs()
    # the negative side has zeros instead of embeddings
    images = [
        torch.stack([torch.zeros_like(one), one])
        for one in (embeddings(name, case.pictures) for name, _ in case.scales)
    ]
    added = {"image_embeds": images, "text_embeds": given.pooled, "time_ids": given.sizes}
    output: Tensor = unet(given.x, given.timestep, given.text, added_cond_kwargs=added).sample
    return output.contiguous()


if __name__ == "__main__":
    main()
