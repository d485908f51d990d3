"""Which vision encoder an adapter needs, and where it is among the user's files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ...errors import InputError
from ..checkpoints.info import Activation, CheckpointInfo, Family
from ..finding.advice import CLIP_VISION_G, CLIP_VISION_H, CLIP_VISION_L_336, FIRST_CLIP, SIGLIP_384, ModelFile
from ..finding.catalog import find_models
from ..finding.folders import ModelPathConfig, find_model_folders
from .detection import AdapterInfo
from .variants import PictureInput

if TYPE_CHECKING:
    from torch import Tensor

    from ..encoding.encoder import Encoder

#: Which blank picture the unconditional side of guidance sees: one in the color that preprocessing turns into zeros, as
#: the reference and diffusers have it, or a black one, as ComfyUI_IPAdapter_plus has it.
Blank = Literal["mean color", "black"]


@dataclass(frozen=True, kw_only=True)
class VisionEncoder:
    """A vision encoder that adapters were trained with."""

    title: str
    file: ModelFile
    #: Width of its states, and tokens; 257 tokens are a class token and 16 x 16 patches.
    width: int
    layers: int
    tokens: int
    #: The length of its embedding; of SigLIP that of the output of its pooling.
    embedding: int
    activation: Activation
    #: In pixels.
    image_size: int = 224
    family: Family = "clip"

    def is_that_of(self, info: CheckpointInfo) -> bool:
        """Whether a model file has it; by its sizes, and by the activation where others have the same sizes."""
        vision = info.vision
        if vision is None or (info.activation, info.family) != (self.activation, self.family):
            return False
        # SigLIP has no projection of its own
        embedding = info.projection if info.has_vision_projection else vision.width
        return (vision.width, vision.layers, vision.tokens, embedding) == (
            self.width, self.layers, self.tokens, self.embedding
        )  # fmt: skip


VIT_H = VisionEncoder(title="CLIP ViT-H/14", file=CLIP_VISION_H, width=1280, layers=32, tokens=257, embedding=1024,
                      activation="gelu")  # fmt: skip
VIT_G = VisionEncoder(title="CLIP ViT-bigG/14", file=CLIP_VISION_G, width=1664, layers=48, tokens=257, embedding=1280,
                      activation="gelu")  # fmt: skip
VIT_L = VisionEncoder(title="CLIP ViT-L/14", file=FIRST_CLIP, width=1024, layers=24, tokens=257, embedding=768,
                      activation="quick_gelu")  # fmt: skip
VIT_L_336 = VisionEncoder(title="CLIP ViT-L/14 336", file=CLIP_VISION_L_336, width=1024, layers=24, tokens=577,
                          embedding=768, activation="quick_gelu", image_size=336)  # fmt: skip
SIGLIP = VisionEncoder(title="SigLIP so400m 384", file=SIGLIP_384, width=1152, layers=27, tokens=729, embedding=1152,
                       activation="gelu_tanh", image_size=384, family="siglip")  # fmt: skip
#: The known encoders for each kind of picture input, whose widths identify them.
_BY_INPUT: dict[PictureInput, Sequence[VisionEncoder]] = {
    "embeds": (VIT_H, VIT_G, VIT_L), "pooled": (SIGLIP,), "penultimate": (VIT_H, VIT_L_336, VIT_G, SIGLIP),
    "face+penultimate": (VIT_H, VIT_L_336, VIT_G),
}  # fmt: skip


def encoder_of(picture_input: PictureInput, width: int) -> VisionEncoder | None:
    """The vision encoder that gives so many numbers for this input of adapters; None for no or an unknown one."""
    is_hidden = "penultimate" in picture_input
    known = _BY_INPUT.get(picture_input, ())
    return next((one for one in known if (one.width if is_hidden else one.embedding) == width), None)


def needed_encoder(info: AdapterInfo) -> VisionEncoder | None:
    """The vision encoder that an adapter was trained with; None for one of faces alone, and for unknown sizes."""
    return encoder_of(info.picture_input, info.sizes.input_width)


def encoder_cure(info: AdapterInfo) -> str:
    """What to load for an adapter: the name of the encoder, its file, its size and where it goes."""
    encoder = needed_encoder(info)
    if encoder is None:
        return f"load the vision encoder that it was trained with, whose output has {info.sizes.input_width} dimensions"
    file = encoder.file
    place = f"as {file.name} in ComfyUI's {file.folder}"
    return f"load {encoder.title}: {file.file} ({file.size}) of {file.repository} {place}"


def find_encoder(info: AdapterInfo, config: ModelPathConfig | None = None) -> Path:
    """The file of the vision encoder that an adapter needs, recognised by its content among the user's files.

    config: where to look; without it in ComfyUI's folders and the Hugging Face cache. Raises InputError that names the
    encoder and its file if there is none, and for an adapter that needs none or an unknown one.
    """
    encoder = needed_encoder(info)
    if encoder is None:
        if info.picture_input == "face":
            raise InputError(f"{info.label} needs no vision encoder; it reads vectors of faces")
        raise InputError(f"{info.label} needs a vision encoder that is not known; {encoder_cure(info)}")
    found = find_vision_encoders((encoder,), config)
    if encoder.title in found:
        return found[encoder.title]
    raise InputError(
        f"{info.label} ({info.variant.title}) needs a vision encoder that is not here; {encoder_cure(info)}"
    )


def find_vision_encoders(wanted: Sequence[VisionEncoder], config: ModelPathConfig | None = None) -> dict[str, Path]:
    """The first file of each of these encoders that is there, by the encoder's title; see ``find_encoder``."""
    known = find_model_folders() if config is None else config
    searched = ModelPathConfig(
        clip_vision_paths=known.get_paths("clip_vision"),
        hub_paths=known.get_paths("hub"),
        other_paths=known.get_paths("other"),
    )
    found: dict[str, Path] = {}
    for model in find_models(searched):
        if model.info and not model.problem:
            for encoder in wanted:
                if encoder.is_that_of(model.info):
                    found.setdefault(encoder.title, model.path)
    return found


def blank_states(encoder: Encoder, blank: Blank = "mean color") -> Tensor:
    """The states [1, T, W] before the last layer of a blank picture, for adapters that read such states.

    Raises InputError for a model without a vision encoder.
    """
    from PIL import Image

    preprocessing = encoder.preprocessing
    if preprocessing is None:
        raise InputError(f"{encoder.identity.name} takes no pictures; choose a model with a vision encoder")
    if blank == "mean color":
        # black less a mean of 0 is exactly 0, which no picture of 8 bits becomes with the mean of the model
        preprocessing = replace(preprocessing, mean=(0.0, 0.0, 0.0))
    picture = Image.new("RGB", (preprocessing.size, preprocessing.size))
    wants = ("penultimate_hidden",)
    return encoder.encode_images(picture, wants=wants, preprocessing=preprocessing).require("penultimate_hidden")
