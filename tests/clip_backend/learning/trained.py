"""LoRAs and trained weights with random numbers, of the bundled model and of tiny ones of transformers."""

from __future__ import annotations

from pathlib import Path

import torch
from clip_grid.clip_backend.checkpoints.fingerprints import identified
from clip_grid.clip_backend.checkpoints.read import read_checkpoint
from clip_grid.clip_backend.checkpoints.trained_weights import save_trained_file
from clip_grid.clip_backend.checkpoints.training import TrainedOn
from clip_grid.clip_backend.checkpoints.weights import open_weights
from clip_grid.clip_backend.finding.catalog import short_model_name
from clip_grid.clip_backend.preparing.preprocessing import preprocessing_of
from clip_grid.clip_backend.tokenizing.find import find_tokenizer

RANK, ALPHA = 3, 1.5
#: What ``comfy.lora.model_lora_keys_clip`` maps for a clip_l of two layers, by the module without its last part; taken
#: from ComfyUI 0.3.64 and 0.33.0, where ``tests/comfyui/test_lora_names.py`` compares it with the program itself.
CORE_MODULES = {
    f"lora_te1_text_model_encoder_layers_{layer}_self_attn_{part}_proj": (
        f"clip_l.transformer.text_model.encoder.layers.{layer}.self_attn.{part}_proj.weight"
    )
    for layer in range(2) for part in ("q", "k", "v", "out")
}  # fmt: skip


def base_of(model: Path) -> TrainedOn:
    """What a training says of its model."""
    info = identified(read_checkpoint(model))
    return TrainedOn(
        name=short_model_name(info.label),
        fingerprint=info.fingerprint,
        preprocessing=preprocessing_of(info).fingerprint,
        tokenizer=find_tokenizer(info).fingerprint,
    )


def random_lora(model: Path, *, parts=("vision_model", "text_model"), targets=("q", "k", "v"), size=0.1, seed=0):
    """The matrices of a LoRA for these projections, by the names of our files."""
    weights, rng = open_weights(read_checkpoint(model)), torch.Generator().manual_seed(seed)
    tensors = {}
    for name in sorted(weights):
        if name.startswith(parts) and name.endswith(tuple(f"self_attn.{one}_proj.weight" for one in targets)):
            rows, columns = weights.shape(name)
            module = name.removesuffix(".weight")
            tensors[f"{module}.lora_A.weight"] = torch.randn(RANK, columns, generator=rng) * size
            tensors[f"{module}.lora_B.weight"] = torch.randn(rows, RANK, generator=rng) * size
    return tensors


def save_lora(path: Path, model: Path, *, rule="alpha/sqrt(r)", strength=1.0, base=None, **options) -> Path:
    """A LoRA file of ours for the model."""
    base = base_of(model) if base is None else base
    tensors = random_lora(model, **options)
    save_trained_file(path, tensors, "lora", base, strength=strength, alpha=ALPHA, rule=rule)
    return path


def save_weights(path: Path, model: Path, *, strength=1.0, seed=1) -> Path:
    """Trained weights of the last norm of each encoder and of a projection, beside a new logit scale."""
    weights, rng = open_weights(read_checkpoint(model)), torch.Generator().manual_seed(seed)
    names = ["vision_model.post_layernorm.weight", "text_model.final_layer_norm.bias", "visual_projection.weight"]
    tensors = {name: weights.read(name).float() for name in names}
    tensors = {name: one + 0.05 * torch.randn(one.shape, generator=rng) for name, one in tensors.items()}
    save_trained_file(path, {**tensors, "logit_scale": torch.tensor(3.0)}, "weights", base_of(model), strength=strength)
    return path


def embeddings(encoder, pictures, texts):
    """Unit vectors of pictures and texts."""
    return encoder.encode_images(pictures).to_features().vectors, encoder.encode_texts(texts).vectors
