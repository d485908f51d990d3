"""How each layout calls the tensors of a tower, as far as they tell its sizes and its fingerprint."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TowerNames:
    """Names below the prefix of a model; a name that a layout does not have is empty."""

    #: Patch embedding, or the table of the vocabulary.
    embedding: str
    position: str
    #: What stands before the number of a block.
    blocks: str
    #: Inside a block: first norm, query (whether alone or with key and value below it), first layer of the MLP.
    block: tuple[str, str, str]
    final_norm: str
    class_token: str = ""
    projection: str = ""
    #: Whether the projection is [width, embedding] instead of [embedding, width].
    is_transposed: bool = False

    @property
    def norm(self) -> str:
        """The first norm of a block."""
        return self.block[0]

    @property
    def fc1(self) -> str:
        """The first layer of the MLP of a block."""
        return self.block[2]


_HF_BLOCK = ("layer_norm1.weight", "self_attn.q_proj.weight", "mlp.fc1.weight")


def hf_vision(root: str) -> TowerNames:
    """A picture tower as transformers calls it; ``root`` is ``vision_model.`` or nothing."""
    return TowerNames(
        embedding=f"{root}embeddings.patch_embedding.weight",
        position=f"{root}embeddings.position_embedding.weight",
        class_token=f"{root}embeddings.class_embedding",
        blocks=f"{root}encoder.layers.",
        final_norm=f"{root}post_layernorm.weight",
        projection="visual_projection.weight",
        block=_HF_BLOCK,
    )


def hf_siglip_vision(root: str) -> TowerNames:
    """As transformers calls it; its pooling head keeps the width and stands for the projection."""
    return TowerNames(
        embedding=f"{root}embeddings.patch_embedding.weight",
        position=f"{root}embeddings.position_embedding.weight",
        blocks=f"{root}encoder.layers.",
        final_norm=f"{root}post_layernorm.weight",
        projection=f"{root}head.probe",
        block=_HF_BLOCK,
    )


def hf_text(root: str, projection: str = "text_projection.weight", *, is_transposed: bool = False) -> TowerNames:
    """A text tower as transformers calls it; ``root`` is ``text_model.`` or nothing."""
    return TowerNames(
        embedding=f"{root}embeddings.token_embedding.weight",
        position=f"{root}embeddings.position_embedding.weight",
        blocks=f"{root}encoder.layers.",
        final_norm=f"{root}final_layer_norm.weight",
        projection=projection,
        is_transposed=is_transposed,
        block=_HF_BLOCK,
    )


_OPEN_CLIP_BLOCK = ("ln_1.weight", "attn.in_proj_weight", "mlp.c_fc.weight")


def open_clip_vision(root: str) -> TowerNames:
    """A picture tower as open_clip calls it; ``root`` is ``visual.`` or nothing."""
    return TowerNames(
        embedding=f"{root}conv1.weight",
        position=f"{root}positional_embedding",
        class_token=f"{root}class_embedding",
        blocks=f"{root}transformer.resblocks.",
        final_norm=f"{root}ln_post.weight",
        projection=f"{root}proj",
        is_transposed=True,
        block=_OPEN_CLIP_BLOCK,
    )


def open_clip_text(root: str, projection: str = "text_projection", *, is_transposed: bool = True) -> TowerNames:
    """A text tower as open_clip calls it; ``root`` is ``text.`` or nothing."""
    return TowerNames(
        embedding=f"{root}token_embedding.weight",
        position=f"{root}positional_embedding",
        blocks=f"{root}transformer.resblocks.",
        final_norm=f"{root}ln_final.weight",
        projection=root + projection,
        is_transposed=is_transposed,
        block=_OPEN_CLIP_BLOCK,
    )


TIMM_SIGLIP_VISION = TowerNames(
    embedding="visual.trunk.patch_embed.proj.weight",
    position="visual.trunk.pos_embed",
    blocks="visual.trunk.blocks.",
    block=("norm1.weight", "attn.qkv.weight", "mlp.fc1.weight"),
    final_norm="visual.trunk.norm.weight",
    projection="visual.trunk.attn_pool.latent",
)


def dinov2(query: str, fc1: str) -> TowerNames:
    """DINOv2 as transformers calls it; 4.x and 5.x differ inside the blocks."""
    return TowerNames(
        embedding="embeddings.patch_embeddings.projection.weight",
        position="embeddings.position_embeddings",
        class_token="embeddings.cls_token",
        blocks="encoder.layer.",
        block=("norm1.weight", query, fc1),
        final_norm="layernorm.weight",
    )


def dinov3(blocks: str, fc1: str) -> TowerNames:
    """DINOv3 as transformers calls it; it has no table of positions."""
    return TowerNames(
        embedding="embeddings.patch_embeddings.weight",
        position="",
        class_token="embeddings.cls_token",
        blocks=blocks,
        block=("norm1.weight", "attention.q_proj.weight", fc1),
        final_norm="norm.weight",
    )
