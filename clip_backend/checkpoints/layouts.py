"""How each library names the tensors by which an encoder, its sizes and its fingerprint are recognised.

All names come after the prefix that a model has in its file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from .info import Family


@dataclass(frozen=True, kw_only=True)
class EncoderLayout:
    """One kind of encoder; it is there where ``embedding`` and all of ``needs`` are, and none of ``lacks``."""

    layout: str
    part: Literal["vision", "text"]
    family: Family
    #: The patch embedding, or the table of the vocabulary.
    embedding: str
    #: The position table; empty if the layout has none, as the names below.
    position: str
    #: The part of a name before the number of a block.
    blocks: str
    #: In a block: the first norm, the query (alone, or with key and value below it), the first matrix of the MLP.
    block: tuple[str, str, str]
    final_norm: str
    class_token: str = ""
    projection: str = ""
    #: Whether the projection is [width, embedding] instead of [embedding, width].
    is_transposed: bool = False
    needs: tuple[str, ...]
    lacks: tuple[str, ...] = ()
    #: A prefix with one of these ends belongs to another layout.
    not_below: tuple[str, ...] = ()


_HF_BLOCK = ("layer_norm1.weight", "self_attn.q_proj.weight", "mlp.fc1.weight")
_OPEN_CLIP_BLOCK = ("ln_1.weight", "attn.in_proj_weight", "mlp.c_fc.weight")
_RESBLOCK = "transformer.resblocks.0.attn.in_proj_weight"
#: Tensor of a transformer variant that is not supported.
LAYER_SCALE = "transformer.resblocks.0.ls_1.gamma"


def below(root: str, *names: str) -> tuple[str, ...]:
    return tuple(root + name for name in names)


def _hf(vision_root: str, text_root: str, suffix: str = "", not_below: tuple[str, ...] = ()) -> list[EncoderLayout]:
    """CLIP and SigLIP of transformers, with the names of their encoders in front or, as version 5 writes them, bare."""
    clip, siglip, q = f"hf-clip{suffix}", f"hf-siglip{suffix}", "encoder.layers.0.self_attn.q_proj.weight"
    class_token, head = f"{vision_root}embeddings.class_embedding", f"{text_root}head.weight"
    vision = EncoderLayout(
        layout=clip, part="vision", family="clip", blocks=f"{vision_root}encoder.layers.", block=_HF_BLOCK,
        embedding=f"{vision_root}embeddings.patch_embedding.weight", class_token=class_token,
        position=f"{vision_root}embeddings.position_embedding.weight",
        final_norm=f"{vision_root}post_layernorm.weight", projection="visual_projection.weight",
        needs=(class_token, *below(vision_root, "pre_layrnorm.weight", q)), not_below=not_below,
    )  # fmt: skip
    text = EncoderLayout(
        layout=clip, part="text", family="clip", blocks=f"{text_root}encoder.layers.", block=_HF_BLOCK,
        embedding=f"{text_root}embeddings.token_embedding.weight",
        position=f"{text_root}embeddings.position_embedding.weight",
        final_norm=f"{text_root}final_layer_norm.weight", projection="text_projection.weight",
        needs=below(text_root, "final_layer_norm.weight", q), lacks=(head, "text_projection"), not_below=not_below,
    )  # fmt: skip
    return [
        vision,
        # the pooling head of SigLIP keeps the width and counts as the projection
        replace(vision, layout=siglip, family="siglip", class_token="", projection=f"{vision_root}head.probe",
                needs=below(vision_root, "embeddings.patch_embedding.bias", "post_layernorm.weight", q),
                lacks=(class_token,)),
        replace(text, layout=siglip, family="siglip", projection=head, needs=(head, *text.needs), lacks=()),
        # as old versions of ComfyUI saved it
        replace(text, projection="text_projection", is_transposed=True, needs=("text_projection", *text.needs),
                lacks=(head,)),
        text,
    ]  # fmt: skip


def _open_clip_text(root: str) -> EncoderLayout:
    return EncoderLayout(
        layout="open_clip", part="text", family="clip", blocks=f"{root}transformer.resblocks.", block=_OPEN_CLIP_BLOCK,
        embedding=f"{root}token_embedding.weight", position=f"{root}positional_embedding",
        final_norm=f"{root}ln_final.weight", projection=f"{root}text_projection", is_transposed=True,
        needs=below(root, "positional_embedding", "ln_final.weight", _RESBLOCK), lacks=(root + LAYER_SCALE,),
    )  # fmt: skip


def _open_clip() -> list[EncoderLayout]:
    """CLIP and SigLIP of open_clip; the vision encoder of its SigLIP is timm's."""
    own_text = _open_clip_text("text.")
    projection = "text.text_projection.weight"
    return [
        EncoderLayout(
            layout="open_clip", part="vision", family="clip", blocks="visual.transformer.resblocks.",
            block=_OPEN_CLIP_BLOCK, embedding="visual.conv1.weight", position="visual.positional_embedding",
            class_token="visual.class_embedding", final_norm="visual.ln_post.weight", projection="visual.proj",
            is_transposed=True, lacks=below("visual.", "attn_pool.query", LAYER_SCALE),
            needs=below("visual.", "class_embedding", "ln_pre.weight", "ln_post.weight", _RESBLOCK)),
        replace(_open_clip_text(""), not_below=("text.",)),
        replace(own_text, lacks=("text.cls_emb", projection, *own_text.lacks)),
        EncoderLayout(
            layout="timm-siglip", part="vision", family="siglip", blocks="visual.trunk.blocks.",
            block=("norm1.weight", "attn.qkv.weight", "mlp.fc1.weight"),
            embedding="visual.trunk.patch_embed.proj.weight", position="visual.trunk.pos_embed",
            final_norm="visual.trunk.norm.weight", projection="visual.trunk.attn_pool.latent",
            needs=below("visual.trunk.", "attn_pool.latent", "blocks.0.attn.qkv.weight", "norm.weight"),
            lacks=below("visual.trunk.", "cls_token", "head.weight")),
        replace(own_text, layout="timm-siglip", family="siglip", projection=projection, is_transposed=False,
                needs=(projection, *below("text.", "ln_final.weight", _RESBLOCK)), lacks=()),
    ]  # fmt: skip


def _dino(layout: str, query: str, fc1: str) -> EncoderLayout:
    """DINOv2 of transformers."""
    return EncoderLayout(
        layout=layout, part="vision", family="dinov2", blocks="encoder.layer.", block=("norm1.weight", query, fc1),
        embedding="embeddings.patch_embeddings.projection.weight", position="embeddings.position_embeddings",
        class_token="embeddings.cls_token", final_norm="layernorm.weight",
        needs=("embeddings.cls_token", *below("encoder.layer.0.", query, fc1, "layer_scale1.lambda1")),
    )  # fmt: skip


def _dinov3(layout: str, blocks: str, fc1: str) -> EncoderLayout:
    """DINOv3 of transformers."""
    gate, query = "mlp.gate_proj.weight", "attention.q_proj.weight"
    return EncoderLayout(
        layout=layout, part="vision", family="dinov3", blocks=blocks, block=("norm1.weight", query, fc1),
        embedding="embeddings.patch_embeddings.weight", position="", class_token="embeddings.cls_token",
        final_norm="norm.weight", needs=("embeddings.cls_token", *below(f"{blocks}0.", fc1, query)),
        lacks=() if fc1 == gate else (f"{blocks}0.{gate}",),
    )  # fmt: skip


#: The encoders that are read, the more particular layout first.
ENCODERS: tuple[EncoderLayout, ...] = (
    *_hf("vision_model.", "text_model."),
    *_hf("", "", "-bare", ("vision_model.", "text_model.")),
    *_open_clip(),
    # of transformers 4 and 5, each with plain and gated MLPs
    *(_dino("dinov2", "attention.attention.query.weight", mlp) for mlp in ("mlp.fc1.weight", "mlp.weights_in.weight")),
    *(_dino("dinov2-v5", "attention.q_proj.weight", mlp) for mlp in ("mlp.fc1.weight", "mlp.gate_proj.weight")),
    *(_dinov3("dinov3", "layer.", mlp) for mlp in ("mlp.up_proj.weight", "mlp.gate_proj.weight")),
    *(_dinov3("dinov3-v5", "model.layer.", mlp) for mlp in ("mlp.up_proj.weight", "mlp.gate_proj.weight")),
)
