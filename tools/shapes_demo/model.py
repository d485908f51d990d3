"""The demo's CLIP before it has learnt anything, and how its files are written."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save
from torch.nn.functional import unfold

if TYPE_CHECKING:
    from transformers import CLIPModel


#: Of CLIP's own preparation of pictures.
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The sizes of both towers; each head is 32 wide."""

    image_size: int = 40
    patch: int = 8
    width: int = 128
    layers: int = 4
    text_width: int = 64
    text_layers: int = 2
    context: int = 32
    projection: int = 64


def configuration(sizes: Sizes, tokens: int) -> dict[str, Any]:
    """The content of config.json; the marks of beginning and end are the last two of the tokens, as in CLIP."""
    vision = _tower(sizes.width, sizes.layers, "clip_vision_model")
    vision |= {"image_size": sizes.image_size, "patch_size": sizes.patch, "projection_dim": sizes.projection}
    text = _tower(sizes.text_width, sizes.text_layers, "clip_text_model")
    text |= {"vocab_size": tokens, "max_position_embeddings": sizes.context, "projection_dim": sizes.projection}
    text |= {"bos_token_id": tokens - 2, "eos_token_id": tokens - 1, "pad_token_id": tokens - 1}
    return {
        "architectures": ["CLIPModel"],
        "model_type": "clip",
        "projection_dim": sizes.projection,
        "logit_scale_init_value": math.log(10),
        "text_config": text,
        "vision_config": vision,
    }


def _tower(width: int, layers: int, kind: str) -> dict[str, Any]:
    sizes = {"hidden_size": width, "intermediate_size": 4 * width, "num_hidden_layers": layers}
    heads = {"num_attention_heads": width // 32, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5}
    return {"model_type": kind, **sizes, **heads}


def make_model(sizes: Sizes, tokens: int, seed: int) -> CLIPModel:
    """A CLIP with random weights from the seed."""
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(seed)
    return CLIPModel(CLIPConfig(**configuration(sizes, tokens)))


@torch.no_grad()
def see_edges(model: CLIPModel, pixels: npt.NDArray[np.uint8]) -> None:
    """Starts the vision tower with eyes for edges and places, which it would be slow to find by itself.

    Its first layer becomes the main parts of the pictures' patches, all equally loud (whitening: Jordan 2024, "94% on
    CIFAR-10 in 3.29 seconds"), and its places become sines and cosines of row and column. pixels: as in ``normalised``.
    """
    embeddings = model.vision_model.embeddings
    kernel = embeddings.patch_embedding.weight  # [width, 3, patch, patch]
    patch = kernel.shape[-1]
    patches = unfold(normalised(pixels), patch, stride=patch).transpose(1, 2).flatten(0, 1)  # [P, 3 * patch ** 2]
    patches = patches[:: max(1, len(patches) // 100_000)]
    strength, parts = torch.linalg.eigh(patches.T @ patches / len(patches))
    count = min(len(kernel), len(strength))
    loudness = 0.5 / torch.sqrt(strength[-count:] + 1e-3 * strength.mean())
    kernel.zero_()
    kernel[:count] = (parts[:, -count:] * loudness).T.reshape(count, *kernel.shape[1:])
    places = embeddings.position_embedding.weight  # [1 + side ** 2, width], the class token's place first
    places[1:] = 0.5 * _waves(math.isqrt(len(places) - 1), places.shape[1])


def _waves(side: int, width: int) -> torch.Tensor:
    """float32 [side ** 2, width]: sines and cosines of the row, then of the column, of each patch."""
    turns = torch.arange(side)[:, None] / side * math.pi * torch.arange(1, width // 4 + 1) / 2
    waves = torch.cat([turns.sin(), turns.cos()], 1)  # [side, width / 2]
    rows, columns = waves[:, None].expand(side, side, -1), waves[None].expand(side, side, -1)
    return torch.cat([rows, columns], -1).flatten(0, 1)


def normalised(pixels: npt.NDArray[np.uint8]) -> torch.Tensor:
    """float32 [N, 3, side, side] of uint8 [N, side, side, 3]."""
    mean, std = torch.tensor(MEAN) * 255, torch.tensor(STD) * 255
    return ((torch.from_numpy(pixels).float() - mean) / std).permute(0, 3, 1, 2).contiguous()


def write_model(folder: Path, model: CLIPModel, sizes: Sizes) -> None:
    """config.json, preprocessor_config.json and model.safetensors in fp16, in Hugging Face's layout."""
    tokens = len(model.text_model.embeddings.token_embedding.weight)
    side = sizes.image_size
    preparation = {
        "image_processor_type": "CLIPImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"shortest_edge": side},
        "resample": 3,
        "do_center_crop": True,
        "crop_size": {"height": side, "width": side},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(MEAN),
        "image_std": list(STD),
    }
    for name, content in (
        ("config.json", {**configuration(sizes, tokens), "torch_dtype": "float16"}),
        ("preprocessor_config.json", preparation),
    ):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", "utf-8", newline="\n")
    weights = {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()}
    (folder / "model.safetensors").write_bytes(save(weights, metadata={"format": "pt"}))
