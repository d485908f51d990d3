"""Models that are recognised and not loaded: what each of them is, and what to use instead."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .info import Family
from .layouts import LAYER_SCALE, below


@dataclass(frozen=True, kw_only=True)
class UnsupportedLayout:
    """A kind of model that is recognised and not loaded: by any one of ``tensors``, with ``needs`` and no ``lacks``."""

    layout: str
    family: Family
    tensors: tuple[str, ...]
    needs: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    problem: str
    #: The projection of the vision encoder, and whether it is [width, embedding].
    projection: str = ""
    is_transposed: bool = False


_CURE = "choose a CLIP or SigLIP model with a plain vision transformer, such as ViT-L-14"
_SIGLIP2 = "choose SigLIP 2 of a similar size instead, such as google/siglip2-so400m-patch14-384"
_EVA = f"an EVA-CLIP model, whose rotary positions and gated MLPs are not supported; {_CURE}"
_RESNET = f"a CLIP model with a ResNet instead of a transformer for pictures; {_CURE}"
_COCA = f"a CoCa model, which pools its pictures in another way and writes captions; {_CURE}"
_PE = f"a Perception Encoder (PE) of Meta, whose rotary positions and attention pooling are not supported; {_SIGLIP2}"
_MOBILE = (
    "a MobileCLIP or MobileCLIP2 model of Apple, whose vision encoder is built of convolutions or for timm; "
    "choose Apple's DFN2B-CLIP-ViT-B-16 or another CLIP with a plain vision transformer"
)
_TIMM_CLIP = (
    "a CLIP model whose vision transformer has timm's names (such as MobileCLIP2-L-14), which are not read; "
    "choose Apple's DFN2B-CLIP-ViT-L-14 or another CLIP in the layout of open_clip or transformers"
)
_OTHER = f"a CLIP model whose vision encoder is of another kind (such as ConvNeXt, Swin or ViTamin); {_CURE}"
_VARIANT = f"a variant of open_clip's transformer (such as CLIPA or PE-Spatial) that is not built here; {_CURE}"
_META_DINO = (
    "DINOv2, DINOv3 or TIPS under the names of its first release or of timm; "
    "choose DINOv2 or DINOv3 in the layout of transformers, such as facebook/dinov2-large"
)
_TIMM_DINO = (
    "DINOv3 under the names of timm; choose the same model in the layout of transformers, such as "
    "facebook/dinov3-vitl16-pretrain-lvd1689m"
)
_MLCD = (
    "the MLCD vision encoder of DeepGlint, which has rotary positions and no text encoder; "
    "choose openai/clip-vit-large-patch14-336, whose shapes it has"
)
TIPS = (
    "a TIPS or TIPSv2 model of Google, whose encoders are of another kind; choose SigLIP 2 of Google instead, such as "
    "google/siglip2-so400m-patch14-384"
)
_GMP = (
    "a CLIP whose weights are still split into length and direction (GmP, geometric parametrization); choose the "
    "version that its author converted back, such as the model.safetensors of zer0int/CLIP-GmP-ViT-L-14"
)
_JINA = (
    "a jina-clip model, whose encoders (EVA-02 for pictures, a BERT for texts) are computed by code of its own; choose "
    "SigLIP 2 for texts in many languages, such as google/siglip2-so400m-patch14-384"
)
_TRUNK, _GMP_MLP = "visual.trunk.", "transformer.resblocks.0.mlp.c_fc.theta"
#: The more particular layout first.
UNSUPPORTED: tuple[UnsupportedLayout, ...] = (
    UnsupportedLayout(layout="coca", family="coca", problem=_COCA, projection="visual.proj", is_transposed=True,
                      tensors=("visual.attn_pool.query", "text_decoder.resblocks.0.ln_1.weight")),
    # under the names of Meta, and of timm in open_clip
    UnsupportedLayout(layout="pe", family="other", problem=_PE, projection="visual.proj", is_transposed=True,
                      tensors=("visual.attn_pool.probe",)),
    UnsupportedLayout(layout="pe", family="other", problem=_PE, projection="proj", is_transposed=True,
                      tensors=("attn_pool.probe",), needs=("class_embedding", "conv1.weight")),
    UnsupportedLayout(layout="timm-pe", family="other", problem=_PE, projection=f"{_TRUNK}head.weight",
                      tensors=(f"{_TRUNK}attn_pool.latent",), needs=(f"{_TRUNK}norm_pre.weight",)),
    UnsupportedLayout(layout="resnet", family="resnet", problem=_RESNET, projection="visual.attnpool.c_proj.weight",
                      tensors=("visual.layer1.0.conv1.weight",)),
    UnsupportedLayout(layout="timm-eva", family="eva", problem=_EVA, projection=f"{_TRUNK}head.weight",
                      tensors=below(f"{_TRUNK}blocks.0.attn.", "q_proj.weight", "q_bias")),
    UnsupportedLayout(layout="eva", family="eva", problem=_EVA, projection="visual.head.weight",
                      tensors=below("visual.blocks.0.", "attn.q_bias", "attn.q_proj.weight", "mlp.w1.weight")),
    UnsupportedLayout(layout="mobileclip", family="other", problem=_MOBILE, projection=f"{_TRUNK}head.fc.weight",
                      tensors=(*below(_TRUNK, "stem.0.conv_kxk.0.conv.weight", "patch_embed.backbone.0.conv.weight"),
                               "text_encoder.embedding_layer.weight", "image_encoder.model.head.proj")),
    UnsupportedLayout(layout="timm-clip", family="other", problem=_TIMM_CLIP, projection=f"{_TRUNK}head.weight",
                      tensors=(f"{_TRUNK}norm_pre.weight",),
                      needs=below(_TRUNK, "cls_token", "patch_embed.proj.weight")),
    *(UnsupportedLayout(layout="timm", family="other", problem=_OTHER, projection=name, tensors=(name,))
      for name in ("visual.head.proj.weight", f"{_TRUNK}head.weight")),
    UnsupportedLayout(layout="timm", family="other", problem=_OTHER,
                      tensors=below(_TRUNK, "stem.0.weight", "cls_token")),
    UnsupportedLayout(layout="timm", family="other", problem=_OTHER, tensors=(f"{_TRUNK}blocks.0.norm1.weight",),
                      lacks=(f"{_TRUNK}attn_pool.latent",)),
    UnsupportedLayout(layout="gmp", family="other", problem=_GMP, projection="visual.proj", is_transposed=True,
                      tensors=(f"visual.{_GMP_MLP}", _GMP_MLP, "vision_model.encoder.layers.0.mlp.fc1.theta",
                               "text_model.encoder.layers.0.mlp.fc1.theta")),
    UnsupportedLayout(layout="open_clip-variant", family="other", problem=_VARIANT, projection="visual.proj",
                      is_transposed=True, tensors=("visual.conv1.weight",), needs=("visual.proj",),
                      lacks=("visual.ln_pre.weight",)),
    UnsupportedLayout(layout="open_clip-variant", family="other", problem=_VARIANT, projection="visual.proj",
                      is_transposed=True, tensors=(f"visual.{LAYER_SCALE}",)),
    UnsupportedLayout(layout="jina-clip", family="other", problem=_JINA,
                      tensors=below("vision_model.blocks.0.", "attn.q_proj.weight", "attn.qkv.weight", "norm1.weight")),
    *(UnsupportedLayout(layout="mlcd", family="other", problem=_MLCD, tensors=(f"{root}class_pos_emb",),
                        needs=(f"{root}embeddings.class_embedding",)) for root in ("vision_model.", "")),
    UnsupportedLayout(layout="tips", family="other", problem=TIPS, needs=("vision_encoder.cls_token",),
                      tensors=("vision_encoder.blocks.0.norm1.weight",)),
    # in transformers; its vision encoder alone has the names of DINOv2 and is known by its config
    UnsupportedLayout(layout="tips", family="other", problem=TIPS, needs=("vision_model.embeddings.cls_token",),
                      tensors=("text_model.embeddings.token_embedding.weight",)),
    UnsupportedLayout(layout="timm-dinov3", family="other", problem=_TIMM_DINO, tensors=("blocks.0.gamma_1",),
                      needs=("cls_token", "reg_token"), lacks=("pos_embed",)),
    UnsupportedLayout(layout="dino", family="other", problem=_META_DINO, tensors=("blocks.0.ls1.gamma",),
                      needs=("cls_token",)),
)  # fmt: skip

#: A table of tokens or a layer that only language models have, and anything for pictures.
_LANGUAGE = re.compile(
    r"(.*\.)?(embed_tokens\.weight|layers\.0\.(input_layernorm|attention_norm|post_attention_layernorm)\.weight"
    r"|tok_embeddings\.weight|word_embeddings\.weight|wte\.weight|decoder\.layers\.0\..*|shared\.weight)"
)
_SEES = re.compile(
    r"(.*\.)?(vision|visual|vit|vpm|image_encoder|img_processor|vision_\w+|embed_vision|image_tower)\..*"
)
_JOINS = re.compile(
    r"(.*\.)?(multi_modal_projector|mm_projector|merger|connector|aligner|qformer|language_projection|mlp1|resampler"
    r"|multimodal_projector|vision_projection|image_proj\w*|img_projection\w*|image_to_text_projection"
    r"|cross_attn_attn_gate|language_model)\..*"
)
#: By a name inside, the family of vision-language models; the first that fits.
_VLM_NAMES: tuple[tuple[str, str], ...] = (
    (r"qformer", "BLIP-2 or InstructBLIP"),
    (r"visual\.(blocks\.0|patch_embed|merger)", "Qwen-VL or GLM-V"),
    (r"cross_attn_attn_gate|gated_positional_embedding", "Llama 3.2 Vision"),
    (r"(^|\.)vpm\.", "MiniCPM-V"),
    (r"aligner", "Janus or DeepSeek-VL"),
    (r"(^|\.)mlp1\.|vision_tower\.encoder\.layer\.0", "InternVL"),
    (r"connector", "Idefics or SmolVLM"),
    (r"mm_projector|multi_modal_projector", "LLaVA, PaliGemma or Gemma 3"),
)


def vision_language_problem(names: Iterable[str]) -> str:
    """Why a state dict with a language model for its texts cannot be used; empty if it has none."""
    listed = list(names)
    has_all = all(any(pattern.fullmatch(name) for name in listed) for pattern in (_LANGUAGE, _SEES, _JOINS))
    if not has_all:
        return ""
    kinds = (kind for pattern, kind in _VLM_NAMES if any(re.search(pattern, name) for name in listed))
    kind = next(kinds, "")
    return (
        f"a vision-language model{f' (such as {kind})' if kind else ''}, which answers in words: a language model "
        "stands in place of a text encoder, and pictures have no projection into a space that texts share; "
        "choose a whole CLIP or SigLIP model, such as openai/clip-vit-large-patch14"
    )
