"""open_clip's names of the parameters that we have under those of Hugging Face."""

from __future__ import annotations

import re

from ...checkpoints.safetensors_file import TensorToWrite
from .merge import Merged

_VISION = {
    "embeddings.class_embedding": "class_embedding", "embeddings.patch_embedding.weight": "conv1.weight",
    "embeddings.position_embedding.weight": "positional_embedding", "pre_layrnorm.": "ln_pre.",
    "post_layernorm.": "ln_post.",
}  # fmt: skip
_TEXT = {
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "embeddings.position_embedding.weight": "positional_embedding", "final_layer_norm.": "ln_final.",
}  # fmt: skip
_LAYER = {
    "layer_norm1.": "ln_1.", "layer_norm2.": "ln_2.", "mlp.fc1.": "mlp.c_fc.", "mlp.fc2.": "mlp.c_proj.",
    "self_attn.out_proj.": "attn.out_proj.",
}  # fmt: skip
_IN_LAYER = re.compile(r"encoder\.layers\.(\d+)\.(.+)")
_QUERY = re.compile(r"(.+\.self_attn\.)q_proj\.(weight|bias)")
_PROJECTIONS = {"visual_projection.weight": "visual.proj", "text_projection.weight": "text_projection"}


def open_clip_tensors(merged: Merged) -> list[TensorToWrite]:
    """All parameters in the layout of open_clip: query, key and value in one, the projections transposed."""
    names = [*merged.names("vision"), *merged.names("text")]
    plain = [name for name in names if not re.search(r"\.[qkv]_proj\.", name)]
    written = merged.to_write([*plain, *merged.logits()], open_clip_name, _PROJECTIONS.__contains__)
    for name in names:
        if query := _QUERY.fullmatch(name):
            parts = [f"{query[1]}{part}_proj.{query[2]}" for part in "qkv"]
            written.append(_stacked(merged, parts, open_clip_name(f"{query[1]}in_proj_{query[2]}")))
    return written


def _stacked(merged: Merged, parts: list[str], name: str) -> TensorToWrite:
    import torch

    rows, *rest = merged.shape(parts[0])
    shape = (3 * rows, *rest)
    return TensorToWrite(name, shape, merged.dtype, lambda: torch.cat([merged.tensor(part) for part in parts]))


def open_clip_name(name: str) -> str:
    """The name of a parameter; that of query, key and value together ends in ``self_attn.in_proj_weight`` or bias."""
    if name in _PROJECTIONS or name.startswith("logit_"):
        return _PROJECTIONS.get(name, name)
    is_vision = name.startswith("vision_model.")
    root, rest = (
        ("visual.", name.removeprefix("vision_model.")) if is_vision else ("", name.removeprefix("text_model."))
    )
    if layer := _IN_LAYER.fullmatch(rest):
        inner = layer[2].replace("self_attn.in_proj_", "attn.in_proj_")
        return f"{root}transformer.resblocks.{layer[1]}.{_looked_up(inner, _LAYER)}"
    return root + _looked_up(rest, _VISION if is_vision else _TEXT)


def _looked_up(name: str, table: dict[str, str]) -> str:
    """The name with the beginning that the table has; one that ends in a dot stands for weight and bias."""
    for own, other in table.items():
        if name == own or (own.endswith(".") and name.startswith(own)):
            return other + name.removeprefix(own)
    return name
