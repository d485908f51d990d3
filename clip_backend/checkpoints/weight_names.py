"""Where each tensor of a model stands in its file: every layout of names told in those of Hugging Face."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

Shape = tuple[int, ...]
#: LongCLIP keeps the first rows of CLIP's own position table and takes the others from its second table.
LONGCLIP_KEPT_ROWS = 20
_HF = ("vision_model.", "text_model.", "visual_projection.", "text_projection.")
_TOWER_PARTS = ("embeddings.", "encoder.", "pre_layrnorm.", "post_layernorm.", "final_layer_norm.", "head.")
#: open_clip and timm outside their layers. A name that ends with a dot stands for the weight and the bias.
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
#: Matrices that are kept the other way round.
_TRANSPOSED = {"visual.proj": "visual_projection.weight", "text_projection": "text_projection.weight"}
_LAYER = re.compile(
    r"(?P<tower>visual\.trunk\.blocks|visual\.transformer\.resblocks|transformer\.resblocks)\.(?P<n>\d+)\."
)
_IN_LAYER = {
    "ln_1.": "layer_norm1.",
    "ln_2.": "layer_norm2.",
    "norm1.": "layer_norm1.",
    "norm2.": "layer_norm2.",
    "attn.out_proj.": "self_attn.out_proj.",
    "attn.proj.": "self_attn.out_proj.",
    "mlp.c_fc.": "mlp.fc1.",
    "mlp.c_proj.": "mlp.fc2.",
    "mlp.fc1.": "mlp.fc1.",
    "mlp.fc2.": "mlp.fc2.",
}
_FUSED = {"attn.in_proj_weight": "weight", "attn.in_proj_bias": "bias", "attn.qkv.weight": "weight"}


_FUSED |= {"attn.qkv.bias": "bias"}


@dataclass(frozen=True)
class Piece:
    """Some rows of a tensor of the file; all of them if ``stop`` is None."""

    name: str
    start: int = 0
    stop: int | None = None


@dataclass(frozen=True)
class Place:
    """A tensor of the model: pieces of the file, one below the other, perhaps turned."""

    pieces: tuple[Piece, ...]
    is_transposed: bool = False


def places(shapes: Mapping[str, Shape], prefix: str = "") -> dict[str, Place]:
    """Hugging Face's name of every tensor that is understood -> where it stands in the file.

    shapes: of all tensors of the file, by their names there. Names without the prefix, and buffers, are left out.
    """
    files_name = {_plain(name[len(prefix) :]): name for name in shapes if name.startswith(prefix)}
    files_name = _with_tower(files_name)
    found: dict[str, Place] = {}
    for name, in_file in files_name.items():
        for target, place in _translated(name, in_file, shapes[in_file]):
            found[target] = place
    return found | dict(_joined(files_name, shapes))


def _plain(name: str) -> str:
    """open_clip's text tower of its own, ``text.``, has the names of its first one, which stood at the top."""
    return name[len("text.") :] if name.startswith("text.") else name


def _with_tower(names: Mapping[str, str]) -> dict[str, str]:
    """Names of a lone tower get the tower's name in front, as they have it in a whole model."""
    if "conv1.weight" in names or "trunk.pos_embed" in names:
        return {f"visual.{name}": in_file for name, in_file in names.items()}
    tower = {"embeddings.patch_embedding.weight": "vision_model.", "embeddings.token_embedding.weight": "text_model."}
    for sentinel, front in tower.items():
        if sentinel in names:
            return {_fronted(name, front): in_file for name, in_file in names.items()}
    return dict(names)


def _fronted(name: str, front: str) -> str:
    return front + name if name.startswith(_TOWER_PARTS) else name


def _translated(name: str, in_file: str, shape: Shape) -> Iterator[tuple[str, Place]]:
    whole = Place((Piece(in_file),))
    if name in _TRANSPOSED:
        yield _TRANSPOSED[name], Place((Piece(in_file),), is_transposed=True)
    elif in_file.endswith("text.text_projection.weight") or name == "text_projection.bias":
        # open_clip's SigLIP calls by this name what Hugging Face calls the head of the text tower
        yield name.replace("text_projection", "text_model.head"), whole
    elif name.startswith(_HF):
        yield name, whole
    elif match := _LAYER.match(name):
        yield from _in_layer(match, name[match.end() :], in_file, shape)
    elif (target := _looked_up(_TOP, name)) is not None:
        yield target, whole


def _in_layer(match: re.Match[str], rest: str, in_file: str, shape: Shape) -> Iterator[tuple[str, Place]]:
    tower = "vision_model" if match["tower"].startswith("visual") else "text_model"
    layer = f"{tower}.encoder.layers.{match['n']}."
    if rest in _FUSED:
        rows = shape[0] // 3
        for share, part in enumerate("qkv"):
            piece = Piece(in_file, share * rows, (share + 1) * rows)
            yield f"{layer}self_attn.{part}_proj.{_FUSED[rest]}", Place((piece,))
    elif (target := _looked_up(_IN_LAYER, rest)) is not None:
        yield layer + target, Place((Piece(in_file),))


def _looked_up(table: Mapping[str, str], name: str) -> str | None:
    if name in table:
        return table[name]
    stem, dot, last = name.rpartition(".")
    if last in ("weight", "bias") and stem + dot in table:
        return table[stem + dot] + last
    return None


def _joined(names: Mapping[str, str], shapes: Mapping[str, Shape]) -> Iterator[tuple[str, Place]]:
    """What depends on more than one tensor of the file."""
    for kind in ("weight", "bias"):
        query, others = (names.get(f"visual.trunk.attn_pool.{part}.{kind}") for part in ("q", "kv"))
        if query and others:
            yield f"vision_model.head.attention.in_proj_{kind}", Place((Piece(query), Piece(others)))
    first, second = names.get("positional_embedding"), names.get("positional_embedding_res")
    if first and second:
        kept = Piece(first, 0, LONGCLIP_KEPT_ROWS)
        rest = Piece(second, LONGCLIP_KEPT_ROWS, shapes[second][0])
        yield "text_model.embeddings.position_embedding.weight", Place((kept, rest))
