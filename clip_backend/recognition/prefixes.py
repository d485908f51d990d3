"""Where diffusion checkpoints keep their encoders, and which published model each place holds."""

from __future__ import annotations

from dataclasses import dataclass

from .spaces import LAION_BIGG, LAION_H, OPENAI_L


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
