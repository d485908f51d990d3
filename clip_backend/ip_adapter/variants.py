"""The kinds of IP-Adapters that are known, as data: what each takes of a picture and how its file looks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from ...errors import InputError

VariantName = Literal[
    "base", "light", "plus", "plus-face", "composition", "full-face",
    "faceid", "faceid-plus", "faceid-plus-v2", "faceid-portrait", "faceid-portrait-unnorm",
    "instantid", "kolors-plus", "kolors-faceid-plus", "xlabs-flux", "xlabs-flux-v2", "instantx-flux", "instantx-sd35",
]  # fmt: skip
VARIANT_NAMES: tuple[VariantName, ...] = get_args(VariantName)
#: What the tokens of a picture are computed by; see projections.py.
Projection = Literal["linear", "pooled-mlp", "token-mlp", "resampler", "face-mlp", "face-resampler", "time-resampler"]
#: What is taken of a picture: its embedding [P]; the states before the last layer, without the last norm [T, W]; the
#: output of SigLIP's attention pooling [P]; the vector of a face recognition model [512]; two of them.
PictureInput = Literal["embeds", "penultimate", "pooled", "face", "face+penultimate"]
#: Picture inputs in words.
READS: Mapping[PictureInput, str] = {
    "embeds": "the embedding of a picture", "penultimate": "the states of a picture before the last layer",
    "pooled": "the pooled states of a picture", "face": "the vector of a face",
    "face+penultimate": "the vector of a face, and the states of a picture before the last layer",
}  # fmt: skip
#: Families of diffusion models, told apart by the width of the text states that their cross-attention reads.
Family = Literal["sd15", "sd2", "sdxl", "flux", "sd35"]
FAMILY_TITLES: Mapping[Family, str] = {
    "sd15": "SD 1.5", "sd2": "SD 2", "sdxl": "SDXL", "flux": "FLUX.1", "sd35": "SD 3.5 Large",
}  # fmt: skip
UNET_FAMILIES: Mapping[int, Family] = {768: "sd15", 1024: "sd2", 2048: "sdxl"}
#: Length of the vectors that face recognition models such as ArcFace give.
FACE_WIDTH = 512


#: How the key and value weights are numbered: as the attention layers of a UNet, of which each second one is
#: cross-attention (1, 3, 5, …); as the blocks of a transformer (0, 1, 2, …); or under the names of XLabs.
Numbering = Literal["unet", "blocks", "xlabs"]


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One kind of adapter, and what it fixes of a file's shapes; empty or None where any fits."""

    name: VariantName
    title: str
    projection: Projection
    picture_input: PictureInput
    numbering: Numbering = "unet"
    families: tuple[Family, ...]
    #: Possible widths of the picture's states or embedding.
    input_widths: tuple[int, ...] = ()
    tokens: int | None = None
    has_lora: bool | None = None
    #: Found in the file names of this variant only; tells those apart that have equal shapes.
    hint: str = ""
    #: Whether it is taken for sizes that no variant has.
    is_general: bool = False
    #: Why it cannot be used although it is recognised; empty if it can.
    problem: str = ""

    def is_hinted(self, file_name: str) -> bool:
        """Whether the name of a file says that it is of this variant."""
        return bool(self.hint) and re.search(self.hint, file_name.lower()) is not None


_UNETS: tuple[Family, ...] = ("sd15", "sd2", "sdxl")
_NO_SD35 = (
    "an IP-Adapter for SD 3.5 Large, whose tokens change with the step and whose attention is another; adapters for "
    "SD 1.5, SDXL, Kolors and FLUX.1 are used"
)
_NO_KOLORS_FACE = (
    "an IP-Adapter FaceID Plus for Kolors, whose tokens of 4096 dimensions first pass the text projection of the "
    "Kolors UNet, which models in ComfyUI do not hold; choose IP-Adapter Plus for Kolors or FaceID for SDXL"
)
_FACE: tuple[Family, ...] = ("sd15", "sdxl")
#: All variants; of those with equal shapes the first is assumed unless the file's name hints at another.
VARIANTS: tuple[Variant, ...] = (
    Variant(name="base", title="IP-Adapter", projection="linear", picture_input="embeds", families=_UNETS,
            is_general=True),
    Variant(name="light", title="IP-Adapter light", projection="linear", picture_input="embeds", families=("sd15",),
            input_widths=(1024,), hint=r"light"),
    Variant(name="plus", title="IP-Adapter Plus", projection="resampler", picture_input="penultimate",
            families=_UNETS, input_widths=(1280,), is_general=True),
    Variant(name="plus-face", title="IP-Adapter Plus Face", projection="resampler", picture_input="penultimate",
            families=_FACE, input_widths=(1280,), hint=r"plus[-_ ]?face"),
    Variant(name="composition", title="IP-Adapter Plus Composition", projection="resampler",
            picture_input="penultimate", families=_FACE, input_widths=(1280,), hint=r"composition"),
    Variant(name="full-face", title="IP-Adapter Full Face", projection="token-mlp", picture_input="penultimate",
            families=_UNETS, is_general=True),
    Variant(name="faceid", title="IP-Adapter FaceID", projection="face-mlp", picture_input="face", families=_UNETS,
            tokens=4, is_general=True),
    Variant(name="faceid-plus", title="IP-Adapter FaceID Plus", projection="face-resampler",
            picture_input="face+penultimate", families=_UNETS, input_widths=(1280,), is_general=True),
    Variant(name="faceid-plus-v2", title="IP-Adapter FaceID Plus v2", projection="face-resampler",
            picture_input="face+penultimate", families=_UNETS, input_widths=(1280,), hint=r"v2", is_general=True),
    Variant(name="faceid-portrait", title="IP-Adapter FaceID Portrait", projection="face-mlp", picture_input="face",
            families=_UNETS, tokens=16, has_lora=False, is_general=True),
    Variant(name="faceid-portrait-unnorm", title="IP-Adapter FaceID Portrait unnorm", projection="resampler",
            picture_input="face", families=_UNETS, input_widths=(FACE_WIDTH,)),
    Variant(name="instantid", title="InstantID", projection="resampler", picture_input="face", families=("sdxl",),
            input_widths=(FACE_WIDTH,), hint=r"instant[-_ ]?id"),
    Variant(name="kolors-plus", title="IP-Adapter Plus for Kolors", projection="resampler",
            picture_input="penultimate", families=("sdxl",), input_widths=(1024,)),
    Variant(name="kolors-faceid-plus", title="IP-Adapter FaceID Plus for Kolors", projection="face-resampler",
            picture_input="face+penultimate", families=("sdxl",), input_widths=(1024,), problem=_NO_KOLORS_FACE),
    Variant(name="xlabs-flux", title="XLabs FLUX IP-Adapter", projection="linear", picture_input="embeds",
            numbering="xlabs", families=("flux",), tokens=4, is_general=True),
    Variant(name="xlabs-flux-v2", title="XLabs FLUX IP-Adapter v2", projection="linear", picture_input="embeds",
            numbering="xlabs", families=("flux",), tokens=16),
    Variant(name="instantx-flux", title="InstantX FLUX IP-Adapter", projection="pooled-mlp", picture_input="pooled",
            numbering="blocks", families=("flux",), is_general=True),
    Variant(name="instantx-sd35", title="InstantX SD 3.5 IP-Adapter", projection="time-resampler",
            picture_input="penultimate", numbering="blocks", families=("sd35",), is_general=True, problem=_NO_SD35),
)  # fmt: skip
#: Computed in different ways although their tensors are alike; all other variants with equal shapes are computed alike.
DIFFERENT = frozenset({"faceid-plus", "faceid-plus-v2"})


def variant_named(name: str) -> Variant:
    """The variant of this name; raises InputError if there is none."""
    for variant in VARIANTS:
        if variant.name == name:
            return variant
    raise InputError(f"there is no variant {name!r}; choose one of {', '.join(VARIANT_NAMES)}")
