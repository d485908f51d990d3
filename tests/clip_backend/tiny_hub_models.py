"""Tiny random DINO and NaFlex models as transformers saves them, and their tensors under the names of its version 4."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
from safetensors.torch import load_file, save_file

_BASE = {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4}
_DINOV2 = _BASE | {"image_size": 70, "patch_size": 14, "mlp_ratio": 4}
_DINOV3 = _BASE | {"image_size": 64, "patch_size": 16, "intermediate_size": 128, "num_register_tokens": 4}
_VISION = _BASE | {"intermediate_size": 128, "num_patches": 64, "patch_size": 16}
#: Module, model, configuration and its settings.
KINDS = {
    "dinov2": ("dinov2", "Dinov2Model", "Dinov2Config", _DINOV2),
    "dinov2 gated": ("dinov2", "Dinov2Model", "Dinov2Config", _DINOV2 | {"use_swiglu_ffn": True}),
    "dinov2 registers": (
        "dinov2_with_registers",
        "Dinov2WithRegistersModel",
        "Dinov2WithRegistersConfig",
        _DINOV2 | {"num_register_tokens": 3},
    ),
    "dinov3": ("dinov3_vit", "DINOv3ViTModel", "DINOv3ViTConfig", _DINOV3 | {"rope_theta": 50.0}),
    "dinov3 gated": (
        "dinov3_vit",
        "DINOv3ViTModel",
        "DINOv3ViTConfig",
        _DINOV3
        | {
            "use_gated_mlp": True,
            "hidden_act": "silu",
            "query_bias": False,
            "value_bias": False,
            "layer_norm_eps": 1e-3,
        },
    ),
    "naflex vision": ("siglip2", "Siglip2VisionModel", "Siglip2VisionConfig", _VISION),
}
DINOS = [kind for kind in KINDS if kind.startswith("dino")]


def classes(module, *names):
    package = f"transformers.models.{module}"
    parts = [importlib.import_module(f"{package}.{part}_{module}") for part in ("modeling", "configuration")]
    return [getattr(part, name) for part, name in zip(parts, names, strict=True)]


def tiny_model(kind, folder: Path):
    """The model, and its files in the folder."""
    module, model, config, settings = KINDS[kind]
    model, config = classes(module, model, config)
    return saved(model(config(**settings)), folder)


def tiny_naflex(folder: Path):
    """A whole NaFlex model, with its text tower."""
    model, config = classes("siglip2", "Siglip2Model", "Siglip2Config")
    special = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 1}
    text = _BASE | {"intermediate_size": 128, "vocab_size": 300, "max_position_embeddings": 16} | special
    return saved(model(config(vision_config=_VISION, text_config=text)), folder)


def saved(model, folder: Path):
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            # so large that every part of it shows in the result
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.05)
    model.save_pretrained(folder)
    return model.eval()


def preprocessor(folder: Path, **content):
    (folder / "preprocessor_config.json").write_text(json.dumps(content), "utf-8")


_VERSION_4 = {
    "attention.q_proj": "attention.attention.query",
    "attention.k_proj": "attention.attention.key",
    "attention.v_proj": "attention.attention.value",
    "attention.o_proj": "attention.output.dense",
    "mlp.down_proj": "mlp.weights_out",
}


def rename_to_version_4(folder: Path):
    """The weights of a folder under the names of transformers 4; no change if they have them."""
    file = folder / "model.safetensors"
    tensors = load_file(file)
    if any(name.startswith("model.layer.") for name in tensors):
        save_file({name.removeprefix("model."): tensor for name, tensor in tensors.items()}, file)
    elif any(name.startswith("encoder.layer.") for name in tensors):
        save_file(dict(_dinov2_of_version_4(tensors)), file)


def _dinov2_of_version_4(tensors):
    for name, tensor in tensors.items():
        for new, old in _VERSION_4.items():
            name = name.replace(new, old)
        if "mlp.gate_proj" in name:
            value = tensors[name.replace("gate_proj", "up_proj")]
            yield name.replace("gate_proj", "weights_in"), torch.cat([tensor, value])
        elif "mlp.up_proj" not in name:
            yield name, tensor


def change(folder: Path, **tensors):
    """Writes the weights anew with some of them, by name with ``__`` for a dot, changed or, if None, left out."""
    file = folder / "model.safetensors"
    held = load_file(file) | {name.replace("__", "."): tensor for name, tensor in tensors.items()}
    save_file({name: tensor for name, tensor in held.items() if tensor is not None}, file)
