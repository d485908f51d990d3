"""Model files with random weights, and the nodes that load and encode, called as ComfyUI calls them."""

from __future__ import annotations

import torch
from clip_grid.clip_backend.towers.config import TowerConfig
from clip_grid.clip_backend.towers.towers import TextTower, VisionTower
from clip_grid.nodes.clip_nodes import CLIPModelLoader, CLIPVisionEncode
from safetensors.torch import save_file

WIDTH, SIDE, DIM = 64, 32, 24


def write_model(path, *, seed=0, projection=True, siglip=False):
    """A vision encoder of two layers, under the names of Hugging Face."""
    config = TowerConfig(
        kind="siglip" if siglip else "clip", width=WIDTH, layers=2, heads=1, mlp=128, tokens=16 if siglip else 17,
        activation="gelu", eps=1e-5, embedding=WIDTH if siglip else DIM if projection else None, patch=8,
        image_size=SIDE,
    )  # fmt: skip
    torch.manual_seed(seed)
    tower = VisionTower(config)
    for name, weight in tower.named_parameters():
        weight.data.normal_(1.0 if "norm" in name and name.endswith("weight") else 0.0, 0.1)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: weight.contiguous() for name, weight in tower.state_dict().items()}, path)
    return path


def write_text_model(path):
    """A text encoder with embeddings of the same length."""
    config = TowerConfig(
        kind="clip", width=WIDTH, layers=2, heads=1, mlp=128, tokens=77, activation="gelu", eps=1e-5, embedding=DIM,
        vocabulary=600,
    )  # fmt: skip
    tower = TextTower(config)
    for weight in tower.parameters():
        weight.data.normal_(0, 0.1)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: weight.contiguous() for name, weight in tower.state_dict().items()}, path)


def offered_names():
    """The models that the loader offers."""
    return CLIPModelLoader.INPUT_TYPES()["required"]["model"][0]


def load(name="tiny.safetensors", **options):
    """The loaded model."""
    return CLIPModelLoader().execute(model=name, **options)["result"][0]


def encode(images, **inputs):
    """The outputs of the encoding node; every input goes in as a list."""
    lists = {name: [value] for name, value in inputs.items()}
    return CLIPVisionEncode().execute(image=images if isinstance(images, list) else [images], **lists)["result"]


def images(count=2, height=40, width=56):
    """An IMAGE batch of noise."""
    return torch.rand(count, height, width, 3, generator=torch.Generator().manual_seed(count))
