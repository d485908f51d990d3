"""Where each tensor of a CLIP or SigLIP model is in its file, whatever its layout, by the names of Hugging Face."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

Shape = tuple[int, ...]
#: LongCLIP keeps the first rows of CLIP's own position table and takes the others from its second table.
LONGCLIP_KEPT_ROWS = 20
_HF = ("vision_model.", "text_model.", "visual_projection.", "text_projection.")
_BARE_HF = ("embeddings.", "encoder.", "pre_layrnorm.", "post_layernorm.", "final_layer_norm.", "head.")
#: open_clip and timm outside their layers. A name that ends with a dot stands for weight and bias.
_TOP = {
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.conv1.": "vision_model.embeddings.patch_embedding.",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.ln_pre.": "vision_model.pre_layrnorm.",
    "visual.ln_post.": "vision_model.post_layernorm.",
    "visual.trunk.patch_embed.proj.": "vision_model.embeddings.patch_embedding.",
    "visual.trunk.pos_embed": "vision_model.embeddings.position_embedding.weight",
    "visual.trunk.norm.": "vision_model.post_layernorm.",
    "visual.trunk.attn_pool.latent": "vision_model.head.probe",
    "visual.trunk.attn_pool.proj.": "vision_model.head.attention.out_proj.",
    "visual.trunk.attn_pool.norm.": "vision_model.head.layernorm.",
    "visual.trunk.attn_pool.mlp.fc1.": "vision_model.head.mlp.fc1.",
    "visual.trunk.attn_pool.mlp.fc2.": "vision_model.head.mlp.fc2.",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "ln_final.": "text_model.final_layer_norm.",
    "logit_scale": "logit_scale",
    "logit_bias": "logit_bias",
}
_TRANSPOSED = {"visual.proj": "visual_projection.weight", "text_projection": "text_projection.weight"}
_LAYER = re.compile(
    r"(?P<encoder>visual\.trunk\.blocks|visual\.transformer\.resblocks|transformer\.resblocks)\.(?P<n>\d+)\."
)
_IN_LAYER = {
    "ln_1.": "layer_norm1.", "ln_2.": "layer_norm2.", "norm1.": "layer_norm1.", "norm2.": "layer_norm2.",
    "attn.out_proj.": "self_attn.out_proj.", "attn.proj.": "self_attn.out_proj.",
    "mlp.c_fc.": "mlp.fc1.", "mlp.c_proj.": "mlp.fc2.", "mlp.fc1.": "mlp.fc1.", "mlp.fc2.": "mlp.fc2.",
}  # fmt: skip
#: Query, key and value in one tensor.
_FUSED = {
    "attn.in_proj_weight": "weight", "attn.in_proj_bias": "bias", "attn.qkv.weight": "weight", "attn.qkv.bias": "bias",
}  # fmt: skip


class TensorPart(NamedTuple):
    """Rows of a tensor of the file; all of them if ``stop`` is None."""

    name: str
    start: int = 0
    stop: int | None = None


class TensorSource(NamedTuple):
    """A tensor of the model: parts of the file, one below the other, perhaps to be transposed."""

    parts: tuple[TensorPart, ...]
    is_transposed: bool = False


def tensor_sources(shapes: Mapping[str, Shape], prefix: str = "") -> dict[str, TensorSource]:
    """Hugging Face's name of every known tensor, and where it is in the file.

    shapes: of all tensors of the file, by their names there. Names without the prefix, and buffers, are left out.
    """
    below = {name[len(prefix) :]: name for name in shapes if name.startswith(prefix)}
    # open_clip's text encoder has the same names at the top or, in newer models, below "text."
    in_file = _with_encoder({name.removeprefix("text."): stored for name, stored in below.items()})
    sources: dict[str, TensorSource] = {}
    for name, stored in in_file.items():
        for target, source in _renamed(name, stored, shapes[stored]):
            sources[target] = source
    # tensors that are made of two tensors of the file
    for kind in ("weight", "bias"):
        query, key_value = (in_file.get(f"visual.trunk.attn_pool.{part}.{kind}") for part in ("q", "kv"))
        if query and key_value:
            pair = TensorPart(query), TensorPart(key_value)
            sources[f"vision_model.head.attention.in_proj_{kind}"] = TensorSource(pair)
    first, second = in_file.get("positional_embedding"), in_file.get("positional_embedding_res")
    if first and second:
        kept = TensorPart(first, 0, LONGCLIP_KEPT_ROWS)
        rest = TensorPart(second, LONGCLIP_KEPT_ROWS, shapes[second][0])
        sources["text_model.embeddings.position_embedding.weight"] = TensorSource((kept, rest))
    return sources


def _with_encoder(names: Mapping[str, str]) -> dict[str, str]:
    """In a file of one encoder its name is put in front of the names of tensors, as in a whole model."""
    if "conv1.weight" in names or "trunk.pos_embed" in names:
        return {f"visual.{name}": stored for name, stored in names.items()}
    for table, encoder in (("patch", "vision_model."), ("token", "text_model.")):
        if f"embeddings.{table}_embedding.weight" in names:
            return {encoder + name if name.startswith(_BARE_HF) else name: stored for name, stored in names.items()}
    return dict(names)


def _renamed(name: str, stored: str, shape: Shape) -> Iterator[tuple[str, TensorSource]]:
    whole = TensorSource((TensorPart(stored),))
    if name in _TRANSPOSED:
        yield _TRANSPOSED[name], TensorSource(whole.parts, is_transposed=True)
    elif stored.endswith("text.text_projection.weight") or name == "text_projection.bias":
        # what Hugging Face calls the head of SigLIP's text encoder
        yield name.replace("text_projection", "text_model.head"), whole
    elif name.startswith(_HF):
        yield name, whole
    elif match := _LAYER.match(name):
        encoder, rest = "vision_model" if match["encoder"].startswith("visual") else "text_model", name[match.end() :]
        layer = f"{encoder}.encoder.layers.{match['n']}."
        if rest in _FUSED:
            rows = shape[0] // 3 if shape else 0
            for index, part in enumerate("qkv"):
                third = TensorPart(stored, index * rows, (index + 1) * rows)
                yield f"{layer}self_attn.{part}_proj.{_FUSED[rest]}", TensorSource((third,))
        elif target := _looked_up(_IN_LAYER, rest):
            yield layer + target, whole
    elif target := _looked_up(_TOP, name):
        yield target, whole


def _looked_up(table: Mapping[str, str], name: str) -> str | None:
    stem, dot, last = name.rpartition(".")
    if name in table:
        return table[name]
    return table[stem + dot] + last if last in ("weight", "bias") and stem + dot in table else None
