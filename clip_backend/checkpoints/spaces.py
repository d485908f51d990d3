"""Which embedding space a model belongs to, by its prefix, its shapes, or the fingerprint of its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .info import Activation, CheckpointInfo, Source
from .properties import Properties


@dataclass(frozen=True)
class KnownSpace:
    """A published model with two encoders, and the shapes by which each of them is recognised."""

    name: str
    projection: int
    #: Width, layers, patch and tokens.
    vision: tuple[int, int, int, int]
    #: Width, layers, context and vocabulary.
    text: tuple[int, int, int, int]
    #: A model for which another activation is stated is not this one.
    activation: Activation
    #: Whether a text encoder of these shapes alone is taken for this model's.
    is_known_by_text: bool = False


_OPENAI_L = "openai/clip-vit-large-patch14"
_LAION_H = "laion/CLIP-ViT-H-14-laion2B-s32B-b79K"
_LAION_BIGG = "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k"
_B16, _L14 = (768, 12, 16, 197), (1024, 24, 14, 257)
_B_TEXT, _L_TEXT = (512, 12, 77, 49408), (768, 12, 77, 49408)
_H_TEXT, _BIGG_TEXT = (1024, 24, 77, 49408), (1280, 32, 77, 49408)
#: OpenAI's text encoder of L/14 for 336 px has the shapes of the one for 224 px: alone it is taken for the latter, the
#: usual one of diffusion models. The same goes for g/14 and H/14.
KNOWN_SPACES: tuple[KnownSpace, ...] = (
    KnownSpace("openai/clip-vit-base-patch32", 512, (768, 12, 32, 50), _B_TEXT, "quick_gelu"),
    KnownSpace("openai/clip-vit-base-patch16", 512, _B16, _B_TEXT, "quick_gelu"),
    KnownSpace(_OPENAI_L, 768, _L14, _L_TEXT, "quick_gelu", is_known_by_text=True),
    KnownSpace("openai/clip-vit-large-patch14-336", 768, (1024, 24, 14, 577), _L_TEXT, "quick_gelu"),
    KnownSpace("laion/CLIP-ViT-L-14-laion2B-s32B-b82K", 768, _L14, _L_TEXT, "gelu"),
    KnownSpace(_LAION_H, 1024, (1280, 32, 14, 257), _H_TEXT, "gelu", is_known_by_text=True),
    KnownSpace("apple/DFN5B-CLIP-ViT-H-14-378", 1024, (1280, 32, 14, 730), _H_TEXT, "quick_gelu"),
    KnownSpace("laion/CLIP-ViT-g-14-laion2B-s34B-b88K", 1024, (1408, 40, 14, 257), _H_TEXT, "gelu"),
    KnownSpace(_LAION_BIGG, 1280, (1664, 48, 14, 257), _BIGG_TEXT, "gelu", is_known_by_text=True),
    KnownSpace("BeichenZhang/LongCLIP-B", 512, _B16, (512, 12, 248, 49408), "quick_gelu", is_known_by_text=True),
    KnownSpace("BeichenZhang/LongCLIP-L", 768, _L14, (768, 12, 248, 49408), "quick_gelu", is_known_by_text=True),
)


@dataclass(frozen=True)
class BuiltIn:
    """An encoder that diffusion checkpoints have under this prefix; part and width distinguish several."""

    prefix: str
    part: str
    width: int
    space: str
    checkpoint: str


#: Training may have changed these encoders with the rest of the checkpoint; the space is that of the model they were.
BUILT_IN: tuple[BuiltIn, ...] = (
    BuiltIn("cond_stage_model.transformer.", "text", 768, _OPENAI_L, "SD1"),
    BuiltIn("cond_stage_model.model.", "text", 1024, _LAION_H, "SD2"),
    BuiltIn("conditioner.embedders.0.model.", "text", 1024, _LAION_H, "SD2"),
    BuiltIn("conditioner.embedders.0.transformer.", "text", 768, _OPENAI_L, "SDXL"),
    BuiltIn("conditioner.embedders.1.model.", "text", 1280, _LAION_BIGG, "SDXL"),
    BuiltIn("conditioner.embedders.0.model.", "text", 1280, _LAION_BIGG, "SDXL refiner"),
    BuiltIn("text_encoders.clip_l.transformer.", "text", 768, _OPENAI_L, "SD3 or FLUX"),
    BuiltIn("text_encoders.clip_g.transformer.", "text", 1280, _LAION_BIGG, "SD3"),
    BuiltIn("clip_l.transformer.", "text", 768, _OPENAI_L, "diffusion"),
    BuiltIn("clip_g.transformer.", "text", 1280, _LAION_BIGG, "diffusion"),
    BuiltIn("clip_h.transformer.", "text", 1024, _LAION_H, "SD2"),
    BuiltIn("embedder.model.", "vision", 1024, _OPENAI_L, "SD2 unCLIP"),
    BuiltIn("embedder.model.", "vision", 1280, _LAION_H, "SD2 unCLIP"),
    BuiltIn("cond_stage_model.model.", "vision", 1280, _LAION_H, "image-to-video"),
    BuiltIn("conditioner.embedders.0.open_clip.model.", "vision", 1280, _LAION_H, "SVD"),
    BuiltIn("clip_l_vision.", "vision", 1024, _OPENAI_L, "Stable Cascade"),
)


def built_in_encoder(info: CheckpointInfo) -> BuiltIn | None:
    """The row for the prefix of this model, by its vision encoder first; None if there is none."""
    for part, shape in (("vision", info.vision), ("text", info.text)):
        for row in BUILT_IN:
            if shape and (row.prefix, row.part, row.width) == (info.prefix, part, shape.width):
                return row
    return None


def find_space(info: CheckpointInfo, activation: Activation | None, has_other_text: bool) -> tuple[str, Source] | None:
    """The embedding space of a model for which none is stated, and its source; None if it is unknown.

    activation: the stated one; None if it is only assumed. has_other_text: the model has a text encoder that is not
    read, and so is none of the known ones. A vision encoder of no known model has a space of its own, for its pictures
    compare with each other; a lone text encoder has none.
    """
    if info.projection is not None:
        if built_in := built_in_encoder(info):
            return built_in.space, "header"
        if not has_other_text and info.family in ("clip", "longclip"):
            for known in KNOWN_SPACES:
                if activation in (None, known.activation) and _has_shapes_of(info, known):
                    return known.name, "assumed"
    has_space = info.family in ("dinov2", "dinov3") or (info.vision and (info.text or info.has_vision_projection))
    return (f"{info.family}:{info.fingerprint}", "fingerprint") if has_space and info.fingerprint else None


def _has_shapes_of(info: CheckpointInfo, known: KnownSpace) -> bool:
    vision, text = info.vision, info.text
    if info.projection != known.projection:
        return False
    is_vision = vision is not None and (vision.width, vision.layers, vision.patch, vision.tokens) == known.vision
    is_text = text is not None and (text.width, text.layers, text.context, text.vocabulary) == known.text
    if vision and text:
        return is_vision and is_text
    if vision:
        return is_vision and info.has_vision_projection
    return is_text and info.has_text_projection and known.is_known_by_text


def space_of(info: CheckpointInfo) -> str:
    """The embedding space of the features of one model by itself.

    A space that is assumed, by the shapes of a known model, is good enough to find the other encoder, but features of
    other models with these shapes cannot be compared: such a model has a space of its own.
    """
    return own_space(info) if info.space is None or info.sources.get("space") == "assumed" else info.space


def own_space(*infos: CheckpointInfo) -> str:
    """The id of a space that only these files are known to be of."""
    return "model:" + "+".join(info.fingerprint or str(info.path) for info in infos)


#: What is known about weights by their fingerprint. No published weights were at hand when this was written.
KNOWN_WEIGHTS: Mapping[str, Properties] = {}
