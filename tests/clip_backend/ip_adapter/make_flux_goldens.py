"""Record what diffusers computes with adapters of XLabs: ``python -m tests.clip_backend.ip_adapter.make_flux_goldens``.

Needs diffusers 0.42. Writes goldens/flux_outputs.safetensors beside this file: the outputs of a whole FLUX.1, and of
its first block what the image's tokens see in the pictures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from . import tiny_flux as flux
from . import tiny_unets as tiny

GOLDENS = Path(__file__).parent / "goldens" / "flux_outputs.safetensors"


def main() -> None:
    """Write the outputs of all cases."""
    save_file({name: one for case in flux.cases() for name, one in recorded(case).items()}, GOLDENS)


def renamed(name: str) -> dict[str, dict[str, Tensor]]:
    """An adapter under the names that diffusers reads."""
    found: dict[str, dict[str, Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    for key, tensor in flux.xlabs_tensors(name).items():
        first, _, rest = key.partition(".")
        if first == "ip_adapter_proj_model":
            found["image_proj"][rest] = tensor
        else:
            block, (letter, end) = rest.split(".")[0], (rest.split("stream_")[1][0], rest.rpartition(".")[2])
            found["ip_adapter"][f"{block}.to_{letter}_ip.{end}"] = tensor
    return found


def transformer() -> Any:
    """diffusers' FLUX.1 with few channels."""
    from diffusers import FluxTransformer2DModel

    made = FluxTransformer2DModel(**flux.DIFFUSERS).eval()
    shapes = {name: tuple(tensor.shape) for name, tensor in made.state_dict().items()}
    made.load_state_dict({name: tiny.weight(name, shape) for name, shape in shapes.items()})
    return made


@torch.no_grad()
def recorded(case: flux.Case) -> dict[str, Tensor]:
    """The output [1, tokens, 64], and of the first block the image's queries and what they saw."""
    made = transformer()
    names = [name for name, _ in case.scales]
    made._load_ip_adapter_weights([renamed(name) for name in names], low_cpu_mem_usage=False)
    for processor in made.attn_processors.values():
        if hasattr(processor, "scale"):
            processor.scale = [scale for _, scale in case.scales]
    found: dict[str, Tensor] = {}
    attention = made.transformer_blocks[0].attn
    attention.norm_q.register_forward_hook(lambda _, __, out: found.update({"q": out}))
    attention.register_forward_hook(lambda _, __, out: found.update({f"{case.name} seen": out[2]}))
    (text, pooled), (text_ids, image_ids) = flux.text(), flux.positions()
    embeds = [tiny.embeddings(f"flux {name}", case.pictures)[None] for name in names]
    found[case.name] = made(
        hidden_states=flux.packed(flux.latent()), encoder_hidden_states=text, pooled_projections=pooled,
        timestep=torch.tensor([0.5]), img_ids=image_ids, txt_ids=text_ids,
        joint_attention_kwargs={"ip_adapter_image_embeds": embeds},
    ).sample  # fmt: skip
    return {name: one.contiguous() for name, one in found.items()}


if __name__ == "__main__":
    main()
