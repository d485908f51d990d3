"""How each layout calls the tensors of a tower, as far as they tell its sizes and its fingerprint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .info import Family


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


Part = Literal["vision", "text"]


@dataclass(frozen=True, kw_only=True)
class TowerRow:
    """One kind of tower; it is there where the embedding and all of ``needs`` are, and none of ``lacks``."""

    layout: str
    part: Part
    family: Family
    names: TowerNames
    needs: tuple[str, ...]
    lacks: tuple[str, ...] = ()
    #: A prefix that ends so belongs to another row.
    not_below: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RefusedRow:
    """A kind of model that is known and not loaded; told by one tensor, with ``needs`` and without ``lacks``."""

    layout: str
    family: Family
    sentinel: str
    needs: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    problem: str
    #: The matrix that ends the picture tower, and whether it is [width, embedding].
    projection: str = ""
    is_transposed: bool = False


_CURE = "choose a CLIP or SigLIP model with a plain vision transformer, such as ViT-L-14"
_Q = "encoder.layers.0.self_attn.q_proj.weight"
_RESBLOCK = "transformer.resblocks.0.attn.in_proj_weight"
_SCALED = "transformer.resblocks.0.ls_1.gamma"
_HF_CLIP_VISION = ("embeddings.class_embedding", "pre_layrnorm.weight", _Q)
_HF_SIGLIP_VISION = ("embeddings.patch_embedding.bias", "post_layernorm.weight", _Q)
_HF_TEXT = ("final_layer_norm.weight", _Q)
_DINO = "embeddings.cls_token"


def _below(root: str, tensors: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(root + name for name in tensors)


def _hf_rows(root: str, text_root: str, suffix: str, not_below: tuple[str, ...]) -> tuple[TowerRow, ...]:
    """The towers of transformers with their prefixes, or bare, as transformers 5 writes single towers."""
    head, class_token = f"{text_root}head.weight", f"{root}embeddings.class_embedding"
    clip, siglip = f"hf-clip{suffix}", f"hf-siglip{suffix}"
    return (
        TowerRow(layout=clip, part="vision", family="clip", names=hf_vision(root),
                 needs=_below(root, _HF_CLIP_VISION), not_below=not_below),
        TowerRow(layout=siglip, part="vision", family="siglip", names=hf_siglip_vision(root),
                 needs=_below(root, _HF_SIGLIP_VISION), lacks=(class_token,), not_below=not_below),
        TowerRow(layout=siglip, part="text", family="siglip", names=hf_text(text_root, head),
                 needs=(head, *_below(text_root, _HF_TEXT)), not_below=not_below),
        # as old versions of ComfyUI saved it, turned
        TowerRow(layout=clip, part="text", family="clip",
                 names=hf_text(text_root, "text_projection", is_transposed=True),
                 needs=("text_projection", *_below(text_root, _HF_TEXT)), lacks=(head,), not_below=not_below),
        TowerRow(layout=clip, part="text", family="clip", names=hf_text(text_root),
                 needs=_below(text_root, _HF_TEXT), lacks=(head, "text_projection"), not_below=not_below),
    )  # fmt: skip


def _dino_rows() -> tuple[TowerRow, ...]:
    """DINOv2 of transformers 4.x and 5.x, with plain and gated blocks, and DINOv3."""
    four, five = "attention.attention.query.weight", "attention.q_proj.weight"
    kinds = (("dinov2", four, "mlp.fc1.weight"), ("dinov2", four, "mlp.weights_in.weight"),
             ("dinov2-v5", five, "mlp.fc1.weight"), ("dinov2-v5", five, "mlp.gate_proj.weight"))  # fmt: skip
    second = tuple(
        TowerRow(layout=layout, part="vision", family="dinov2", names=dinov2(query, fc1),
                 needs=(_DINO, *_below("encoder.layer.0.", (query, fc1, "layer_scale1.lambda1"))))
        for layout, query, fc1 in kinds
    )  # fmt: skip
    third = tuple(
        TowerRow(layout=layout, part="vision", family="dinov3", names=dinov3(blocks, fc1),
                 needs=(_DINO, f"{blocks}0.{fc1}", f"{blocks}0.attention.q_proj.weight"),
                 lacks=(f"{blocks}0.mlp.gate_proj.weight",) if fc1 == "mlp.up_proj.weight" else ())
        for layout, blocks in (("dinov3", "layer."), ("dinov3-v5", "model.layer."))
        for fc1 in ("mlp.up_proj.weight", "mlp.gate_proj.weight")
    )  # fmt: skip
    return second + third


#: The towers that are read, the more particular row first.
TOWERS: tuple[TowerRow, ...] = (
    *_hf_rows("vision_model.", "text_model.", "", ()),
    *_hf_rows("", "", "-bare", ("vision_model.", "text_model.")),
    TowerRow(layout="open_clip", part="vision", family="clip", names=open_clip_vision("visual."),
             needs=_below("visual.", ("class_embedding", "ln_pre.weight", "ln_post.weight", _RESBLOCK)),
             lacks=("visual.attn_pool.query", f"visual.{_SCALED}")),
    TowerRow(layout="open_clip", part="text", family="clip", names=open_clip_text(""),
             needs=("positional_embedding", "ln_final.weight", _RESBLOCK), lacks=(_SCALED,), not_below=("text.",)),
    TowerRow(layout="open_clip", part="text", family="clip", names=open_clip_text("text."),
             needs=_below("text.", ("positional_embedding", "ln_final.weight", _RESBLOCK)),
             lacks=("text.cls_emb", "text.text_projection.weight", f"text.{_SCALED}")),
    TowerRow(layout="timm-siglip", part="vision", family="siglip", names=TIMM_SIGLIP_VISION,
             needs=_below("visual.trunk.", ("attn_pool.latent", "blocks.0.attn.qkv.weight", "norm.weight")),
             lacks=("visual.trunk.cls_token", "visual.trunk.head.weight")),
    TowerRow(layout="timm-siglip", part="text", family="siglip",
             names=open_clip_text("text.", "text_projection.weight", is_transposed=False),
             needs=("text.text_projection.weight", *_below("text.", ("ln_final.weight", _RESBLOCK)))),
    *_dino_rows(),
)  # fmt: skip
_EVA = f"an EVA-CLIP model: its towers turn and gate in ways that are not built here; {_CURE}"
_RESNET = f"a CLIP model with a ResNet instead of a transformer for pictures; {_CURE}"
_COCA = f"a CoCa model, which pools its pictures in another way and writes captions; {_CURE}"
_OTHER = f"a CLIP model whose picture tower is of another kind (such as ConvNeXt, MobileCLIP, ViTamin or PE); {_CURE}"
_VARIANT = f"a variant of open_clip's transformer (such as CLIPA) that is not built here; {_CURE}"
_META_DINO = "DINOv2 or DINOv3 under the names of its first release; use the same model in the layout of transformers"
#: The models that are known and refused, the more particular row first.
REFUSED: tuple[RefusedRow, ...] = (
    RefusedRow(layout="coca", family="coca", sentinel="visual.attn_pool.query", problem=_COCA,
               projection="visual.proj", is_transposed=True),
    RefusedRow(layout="coca", family="coca", sentinel="text_decoder.resblocks.0.ln_1.weight", problem=_COCA,
               projection="visual.proj", is_transposed=True),
    RefusedRow(layout="resnet", family="resnet", sentinel="visual.layer1.0.conv1.weight", problem=_RESNET,
               projection="visual.attnpool.c_proj.weight"),
    RefusedRow(layout="timm-eva", family="eva", sentinel="visual.trunk.blocks.0.attn.q_proj.weight", problem=_EVA,
               projection="visual.trunk.head.weight"),
    RefusedRow(layout="timm-eva", family="eva", sentinel="visual.trunk.blocks.0.attn.q_bias", problem=_EVA,
               projection="visual.trunk.head.weight"),
    RefusedRow(layout="eva", family="eva", sentinel="visual.blocks.0.attn.q_bias", problem=_EVA,
               projection="visual.head.weight"),
    RefusedRow(layout="eva", family="eva", sentinel="visual.blocks.0.attn.q_proj.weight", problem=_EVA,
               projection="visual.head.weight"),
    RefusedRow(layout="eva", family="eva", sentinel="visual.blocks.0.mlp.w1.weight", problem=_EVA,
               projection="visual.head.weight"),
    RefusedRow(layout="timm", family="other", sentinel="visual.head.proj.weight", problem=_OTHER,
               projection="visual.head.proj.weight"),
    RefusedRow(layout="timm", family="other", sentinel="visual.trunk.head.weight", problem=_OTHER,
               projection="visual.trunk.head.weight"),
    RefusedRow(layout="timm", family="other", sentinel="visual.trunk.stem.0.weight", problem=_OTHER),
    RefusedRow(layout="timm", family="other", sentinel="visual.trunk.stem.0.conv_kxk.0.conv.weight", problem=_OTHER),
    RefusedRow(layout="timm", family="other", sentinel="visual.trunk.blocks.0.norm1.weight",
               lacks=("visual.trunk.attn_pool.latent",), problem=_OTHER),
    RefusedRow(layout="timm", family="other", sentinel="visual.trunk.cls_token", problem=_OTHER),
    RefusedRow(layout="open_clip-variant", family="other", sentinel="visual.conv1.weight", needs=("visual.proj",),
               lacks=("visual.ln_pre.weight",), problem=_VARIANT,
               projection="visual.proj", is_transposed=True),
    RefusedRow(layout="open_clip-variant", family="other", sentinel=f"visual.{_SCALED}", problem=_VARIANT,
               projection="visual.proj", is_transposed=True),
    RefusedRow(layout="dino", family="other", sentinel="blocks.0.ls1.gamma", needs=("cls_token",), problem=_META_DINO),
)  # fmt: skip
#: Text towers that are not read, beside a picture tower that is.
FOREIGN_TEXT = (
    "text.transformer.embeddings.word_embeddings.weight",
    "text.transformer.shared.weight",
    "text.token_embedding.weight",
    "text.transformer.embed_tokens.weight",
    "text_model.embeddings.word_embeddings.weight",
    "text_model.roberta.embeddings.word_embeddings.weight",
)
