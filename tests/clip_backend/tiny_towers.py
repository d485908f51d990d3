"""Tiny towers of every family with weights from whole-number arithmetic, equal on every machine, in every layout."""

from __future__ import annotations

import zlib
from pathlib import Path

import torch
from clip_grid.clip_backend.checkpoints.info import Activation, CheckpointInfo, Family, TextShape, VisionShape
from safetensors.torch import save_file

State = dict[str, torch.Tensor]

VISION = VisionShape(width=32, layers=3, heads=4, mlp=64, patch=8, tokens=10, image_size=24)
SIGLIP_VISION = VisionShape(
    width=32, layers=3, heads=4, mlp=64, patch=8, tokens=9, image_size=24, has_class_token=False
)
TEXT = TextShape(width=24, layers=2, heads=3, mlp=48, context=10, vocabulary=50)
PROJECTION = {"clip": 12, "longclip": 12, "siglip": 32, "siglip2": 32}
#: The last of the vocabulary, by which transformers finds the end of a text.
END = TEXT.vocabulary - 1


def info(
    path: Path, family: Family = "clip", activation: Activation = "quick_gelu", **changes: object
) -> CheckpointInfo:
    """What recognition would say of a tiny model in this file."""
    is_clip = family in ("clip", "longclip")
    told = {
        "path": path,
        "files": (path,),
        "layout": "tiny",
        "family": family,
        "vision": VISION if is_clip else SIGLIP_VISION,
        "text": TEXT,
        "projection": PROJECTION.get(family),
        "has_vision_projection": True,
        "has_text_projection": True,
        "activation": activation,
        "eps": 1e-5 if is_clip else 1e-6,
    }
    return CheckpointInfo(**(told | changes))


def drawn(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Numbers between -1 and 1 that depend on the name alone: a hash of whole numbers, exact everywhere."""
    count = int(torch.Size(shape).numel())
    x = (torch.arange(count, dtype=torch.int64) + zlib.crc32(name.encode())) * 0x9E3779B1 % 2**32
    for factor, shift in ((0x85EBCA6B, 15), (0xC2B2AE35, 13)):
        x = (x ^ (x >> shift)) * factor % 2**32
    return ((x ^ (x >> 16)).double() / 2**31 - 1).float().reshape(shape)


def weight(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """A weight of a size that keeps the states near 1."""
    numbers = drawn(name, shape)
    if len(shape) == 1:
        return 0.3 * numbers + (1 if name.endswith(("norm.weight", "norm1.weight", "norm2.weight")) else 0)
    if "embedding" in name and "patch" not in name:
        return numbers
    return numbers * (3 / torch.Size(shape[1:]).numel()) ** 0.5


def pictures(count: int = 2) -> torch.Tensor:
    return 2 * drawn("pictures", (count, 3, 24, 24))


def texts() -> tuple[torch.Tensor, torch.Tensor]:
    """Ids [3, 10] and where the texts end; after the end comes what must not matter to CLIP."""
    ids = (drawn("texts", (3, 10)).abs() * (END - 1)).long()
    ends = torch.tensor([9, 4, 1])
    ids[torch.arange(3), ends] = END
    return ids, ends


def hf(family: Family = "clip") -> State:
    """A whole model by the names of transformers."""
    is_clip = family in ("clip", "longclip")
    shapes = _vision(is_clip) | _text(is_clip, PROJECTION[family], 248 if family == "longclip" else TEXT.context)
    return {name: weight(name, shape) for name, shape in shapes.items()} | _scale(is_clip)


def _scale(is_clip: bool) -> State:
    if is_clip:
        return {"logit_scale": torch.tensor(4.5)}
    return {"logit_scale": torch.tensor([4.5]), "logit_bias": torch.tensor([-12.5])}


def _vision(is_clip: bool) -> dict[str, tuple[int, ...]]:
    shape = VISION if is_clip else SIGLIP_VISION
    w, root = shape.width, "vision_model."
    shapes: dict[str, tuple[int, ...]] = {
        f"{root}embeddings.patch_embedding.weight": (w, 3, shape.patch, shape.patch),
        f"{root}embeddings.position_embedding.weight": (shape.tokens, w),
    }
    shapes |= _layers(root, w, shape.mlp, shape.layers) | _norm(f"{root}post_layernorm", w)
    if is_clip:
        shapes |= {f"{root}embeddings.class_embedding": (w,), "visual_projection.weight": (PROJECTION["clip"], w)}
        return shapes | _norm(f"{root}pre_layrnorm", w)
    shapes |= {f"{root}embeddings.patch_embedding.bias": (w,), f"{root}head.probe": (1, 1, w)}
    shapes |= {f"{root}head.attention.in_proj_weight": (3 * w, w), f"{root}head.attention.in_proj_bias": (3 * w,)}
    shapes |= _linear(f"{root}head.attention.out_proj", w, w) | _norm(f"{root}head.layernorm", w)
    return shapes | _linear(f"{root}head.mlp.fc1", shape.mlp, w) | _linear(f"{root}head.mlp.fc2", w, shape.mlp)


def _text(is_clip: bool, projection: int, context: int) -> dict[str, tuple[int, ...]]:
    w, root = TEXT.width, "text_model."
    shapes: dict[str, tuple[int, ...]] = {
        f"{root}embeddings.token_embedding.weight": (TEXT.vocabulary, w),
        f"{root}embeddings.position_embedding.weight": (context, w),
    }
    shapes |= _layers(root, w, TEXT.mlp, TEXT.layers) | _norm(f"{root}final_layer_norm", w)
    if is_clip:
        return shapes | {"text_projection.weight": (projection, w)}
    return shapes | _linear(f"{root}head", projection, w)


def _layers(root: str, width: int, mlp: int, count: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in (f"{root}encoder.layers.{number}." for number in range(count)):
        for part in "q_proj", "k_proj", "v_proj", "out_proj":
            shapes |= _linear(f"{layer}self_attn.{part}", width, width)
        shapes |= _norm(f"{layer}layer_norm1", width) | _norm(f"{layer}layer_norm2", width)
        shapes |= _linear(f"{layer}mlp.fc1", mlp, width) | _linear(f"{layer}mlp.fc2", width, mlp)
    return shapes


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _linear(name: str, out: int, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (out, width), f"{name}.bias": (out,)}


def write(state: State, path: Path, dtype: torch.dtype = torch.float32) -> Path:
    """The state as a safetensors file."""
    save_file({name: tensor.to(dtype).contiguous() for name, tensor in state.items()}, path)
    return path


_OPEN_CLIP = (
    ("vision_model.embeddings.patch_embedding.", "visual.conv1."),
    ("vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"),
    ("vision_model.embeddings.", "visual."),
    ("vision_model.pre_layrnorm.", "visual.ln_pre."),
    ("vision_model.post_layernorm.", "visual.ln_post."),
    ("vision_model.encoder.layers.", "visual.transformer.resblocks."),
    ("visual_projection.weight", "visual.proj"),
    ("text_model.embeddings.position_embedding.weight", "positional_embedding"),
    ("text_model.embeddings.", ""),
    ("text_model.final_layer_norm.", "ln_final."),
    ("text_model.encoder.layers.", "transformer.resblocks."),
    ("text_projection.weight", "text_projection"),
    ("text_model.head.", "text_projection."),
    (".layer_norm", ".ln_"),
    (".self_attn.", ".attn."),
    (".fc1.", ".c_fc."),
    (".fc2.", ".c_proj."),
)
_TIMM = (
    ("vision_model.embeddings.patch_embedding.", "visual.trunk.patch_embed.proj."),
    ("vision_model.embeddings.position_embedding.weight", "visual.trunk.pos_embed"),
    ("vision_model.post_layernorm.", "visual.trunk.norm."),
    ("vision_model.encoder.layers.", "visual.trunk.blocks."),
    ("vision_model.head.probe", "visual.trunk.attn_pool.latent"),
    ("vision_model.head.attention.out_proj.", "visual.trunk.attn_pool.proj."),
    ("vision_model.head.layernorm.", "visual.trunk.attn_pool.norm."),
    ("vision_model.head.", "visual.trunk.attn_pool."),
    (".layer_norm", ".norm"),
    (".self_attn.out_proj.", ".attn.proj."),
    (".self_attn.", ".attn."),
)


def to_open_clip(state: State, *, text: str = "") -> State:
    """The same model by the names of open_clip; text: "text." for a text tower of its own."""
    renamed = {_renamed(name, _OPEN_CLIP): tensor for name, tensor in _fused(state, "in_proj_").items()}
    for name in ("visual.proj", "text_projection"):
        renamed[name] = renamed[name].T
    return {_with_text(name, text): tensor for name, tensor in renamed.items()}


def to_timm_siglip(state: State) -> State:
    """The same SigLIP as open_clip has it, whose picture tower is timm's."""
    found: State = {}
    for name, tensor in _fused({n: t for n, t in state.items() if n.startswith("vision_model.")}, "qkv.").items():
        if name.startswith("vision_model.head.attention.in_proj_"):
            kind = name.rsplit("_", 1)[1]
            found[f"visual.trunk.attn_pool.q.{kind}"] = tensor[: len(tensor) // 3]
            found[f"visual.trunk.attn_pool.kv.{kind}"] = tensor[len(tensor) // 3 :]
        else:
            found[_renamed(name, _TIMM)] = tensor
    found["visual.trunk.pos_embed"] = found["visual.trunk.pos_embed"][None]
    others = {name: tensor for name, tensor in state.items() if not name.startswith("vision_model.")}
    for name, tensor in _fused(others, "in_proj_").items():
        is_number = name.startswith("logit_")
        found[_with_text(_renamed(name, _OPEN_CLIP), "text.")] = tensor.reshape(()) if is_number else tensor
    return found


def _with_text(name: str, text: str) -> str:
    return name if name.startswith(("visual.", "logit_")) else text + name


def _renamed(name: str, table: tuple[tuple[str, str], ...]) -> str:
    for old, new in table:
        name = name.replace(old, new)
    return name


def _fused(state: State, fused: str) -> State:
    """Query, key and value of a layer as one tensor."""
    found = {name: tensor for name, tensor in state.items() if not any(f".{x}_proj." in name for x in "qkv")}
    for name, tensor in state.items():
        if ".q_proj." in name:
            parts = [tensor, *(state[name.replace(".q_proj.", f".{x}_proj.")] for x in "kv")]
            found[name.replace("q_proj.", fused)] = torch.cat(parts)
    return found
