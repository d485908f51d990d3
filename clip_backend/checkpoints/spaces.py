"""Which embedding space a model belongs to: the well-known ones by their shapes, others by their own fingerprint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .info import Activation, Family, TextShape, VisionShape


@dataclass(frozen=True, kw_only=True)
class KnownSpace:
    """A published model of two towers: the shapes by which each of its towers is known."""

    name: str
    projection: int
    #: Width, layers, patch and tokens.
    vision: tuple[int, int, int, int]
    #: Width, layers, context and vocabulary.
    text: tuple[int, int, int, int]
    #: A model that says another one is not this one.
    activation: Activation
    #: Whether this is the model meant by a text tower of these shapes alone.
    is_known_by_text: bool = False


_B_TEXT, _L_TEXT = (512, 12, 77, 49408), (768, 12, 77, 49408)
_H_TEXT, _BIGG_TEXT = (1024, 24, 77, 49408), (1280, 32, 77, 49408)
_L_VISION = (1024, 24, 14, 257)
OPENAI_L = "openai/clip-vit-large-patch14"
LAION_H = "laion/CLIP-ViT-H-14-laion2B-s32B-b79K"
LAION_BIGG = "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k"
#: OpenAI's text tower of L/14 for 336 px has the shapes of the one for 224 px: alone it is taken for the latter, which
#: is the one that is spread with diffusion models. The same goes for g/14 and H/14.
KNOWN: tuple[KnownSpace, ...] = (
    KnownSpace(name="openai/clip-vit-base-patch32", projection=512, vision=(768, 12, 32, 50), text=_B_TEXT,
               activation="quick_gelu"),
    KnownSpace(name="openai/clip-vit-base-patch16", projection=512, vision=(768, 12, 16, 197), text=_B_TEXT,
               activation="quick_gelu"),
    KnownSpace(name=OPENAI_L, projection=768, vision=_L_VISION, text=_L_TEXT, activation="quick_gelu",
               is_known_by_text=True),
    KnownSpace(name="openai/clip-vit-large-patch14-336", projection=768, vision=(1024, 24, 14, 577), text=_L_TEXT,
               activation="quick_gelu"),
    KnownSpace(name="laion/CLIP-ViT-L-14-laion2B-s32B-b82K", projection=768, vision=_L_VISION, text=_L_TEXT,
               activation="gelu"),
    KnownSpace(name=LAION_H, projection=1024, vision=(1280, 32, 14, 257), text=_H_TEXT, activation="gelu",
               is_known_by_text=True),
    KnownSpace(name="apple/DFN5B-CLIP-ViT-H-14-378", projection=1024, vision=(1280, 32, 14, 730), text=_H_TEXT,
               activation="quick_gelu"),
    KnownSpace(name="laion/CLIP-ViT-g-14-laion2B-s34B-b88K", projection=1024, vision=(1408, 40, 14, 257), text=_H_TEXT,
               activation="gelu"),
    KnownSpace(name=LAION_BIGG, projection=1280, vision=(1664, 48, 14, 257), text=_BIGG_TEXT, activation="gelu",
               is_known_by_text=True),
    KnownSpace(name="BeichenZhang/LongCLIP-B", projection=512, vision=(768, 12, 16, 197), text=(512, 12, 248, 49408),
               activation="quick_gelu", is_known_by_text=True),
    KnownSpace(name="BeichenZhang/LongCLIP-L", projection=768, vision=_L_VISION, text=(768, 12, 248, 49408),
               activation="quick_gelu", is_known_by_text=True),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Towers:
    """What is known of a model when its space is asked for."""

    family: Family
    vision: VisionShape | None
    text: TextShape | None
    projection: int | None
    has_vision_projection: bool
    has_text_projection: bool
    #: What a source states; None where it is only assumed.
    activation: Activation | None
    #: Whether a text tower of another kind lies beside the picture tower.
    has_foreign_text: bool = False
    #: False where both towers project, to different lengths.
    has_equal_projections: bool = True


def known_space(towers: Towers) -> KnownSpace | None:
    """The published model of these shapes; None if there is none, or nothing tells which of several it is."""
    return next(_candidates(towers), None)


def _candidates(towers: Towers) -> Iterator[KnownSpace]:
    if towers.has_foreign_text or towers.family not in ("clip", "longclip"):
        return
    for known in KNOWN:
        stated = towers.activation or known.activation
        if known.projection == towers.projection and stated == known.activation and _matches(known, towers):
            yield known


def _matches(known: KnownSpace, towers: Towers) -> bool:
    vision, text = towers.vision, towers.text
    is_vision = vision is not None and (vision.width, vision.layers, vision.patch, vision.tokens) == known.vision
    is_text = text is not None and (text.width, text.layers, text.context, text.vocabulary) == known.text
    if vision and text:
        return is_vision and is_text
    if vision:
        return is_vision and towers.has_vision_projection
    return is_text and towers.has_text_projection and known.is_known_by_text


def own_space(towers: Towers, fingerprint: str) -> str | None:
    """The space of a model that is no known one: its own; None for one tower whose other nobody knows.

    A picture tower is a space of its own even then: its pictures compare with each other.
    """
    is_pair = towers.vision is not None and towers.text is not None
    if towers.family in ("dinov2", "dinov3") or is_pair or (towers.vision and towers.has_vision_projection):
        return f"{towers.family}:{fingerprint}" if fingerprint else None
    return None


@dataclass(frozen=True)
class BuiltIn:
    """The encoder under a prefix of a checkpoint, by the width of its tower."""

    prefix: str
    part: str
    width: int
    space: str
    checkpoint: str


#: The weights of these may have been trained on with the rest of the checkpoint; the space is where they came from.
BUILT_IN: tuple[BuiltIn, ...] = (
    BuiltIn("cond_stage_model.transformer.", "text", 768, OPENAI_L, "SD1"),
    BuiltIn("cond_stage_model.model.", "text", 1024, LAION_H, "SD2"),
    BuiltIn("conditioner.embedders.0.model.", "text", 1024, LAION_H, "SD2"),
    BuiltIn("conditioner.embedders.0.transformer.", "text", 768, OPENAI_L, "SDXL"),
    BuiltIn("conditioner.embedders.1.model.", "text", 1280, LAION_BIGG, "SDXL"),
    BuiltIn("conditioner.embedders.0.model.", "text", 1280, LAION_BIGG, "SDXL refiner"),
    BuiltIn("text_encoders.clip_l.transformer.", "text", 768, OPENAI_L, "SD3 or FLUX"),
    BuiltIn("text_encoders.clip_g.transformer.", "text", 1280, LAION_BIGG, "SD3"),
    BuiltIn("clip_l.transformer.", "text", 768, OPENAI_L, "diffusion"),
    BuiltIn("clip_g.transformer.", "text", 1280, LAION_BIGG, "diffusion"),
    BuiltIn("clip_h.transformer.", "text", 1024, LAION_H, "SD2"),
    BuiltIn("embedder.model.", "vision", 1024, OPENAI_L, "SD2 unCLIP"),
    BuiltIn("embedder.model.", "vision", 1280, LAION_H, "SD2 unCLIP"),
    BuiltIn("cond_stage_model.model.", "vision", 1280, LAION_H, "image-to-video"),
    BuiltIn("conditioner.embedders.0.open_clip.model.", "vision", 1280, LAION_H, "SVD"),
    BuiltIn("clip_l_vision.", "vision", 1024, OPENAI_L, "Stable Cascade"),
)


def built_in(prefix: str, part: str, width: int) -> BuiltIn | None:
    """The encoder that a checkpoint keeps under this prefix; None if the prefix names none."""
    for row in BUILT_IN:
        if (row.part, row.width) == (part, width) and prefix == row.prefix:
            return row
    return None
