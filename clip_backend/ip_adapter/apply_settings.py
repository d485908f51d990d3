"""How an adapter acts on a model: options shared by the node and the Python call."""

from __future__ import annotations

from dataclasses import dataclass

from ...options import option

#: Named weights of the places where pictures are attended to, in the order of the node's list.
WEIGHT_TYPES = (
    "full",
    "ease in",
    "ease out",
    "ease in-out",
    "reverse in-out",
    "weak input",
    "weak middle",
    "weak output",
    "strong middle",
    "style",
    "strong style",
    "precise style",
    "composition",
    "precise composition",
)
#: What the weight multiplies, by the names of ComfyUI_IPAdapter_plus.
SCALINGS = ("V only", "K+V", "K+mean(V)", "K+V w/ C penalty", "K+mean(V) w/ C penalty")


@dataclass(frozen=True)
class ApplySettings:
    """Strength of an adapter over the steps and over the model's places."""

    weight: float = option(1.0, "Strength of all references together; 0 changes nothing.", low=-2, high=5)
    weight_type: str = option(
        "full",
        "Where in the model the references act: everywhere, only where style or composition is decided, or in a curve "
        "from the first place to the last.",
        choices=WEIGHT_TYPES,
    )
    start: float = option(0.0, "Share of the steps before the references act.", low=0, high=1)
    end: float = option(1.0, "Share of the steps after which the references no longer act.", low=0, high=1)
    place_weights: str = option(
        "",
        "Factors over the model's places, which multiply those of the weight type: numbers such as 1, 0.5, 0 are "
        "spread evenly from the first place to the last; 3=0, 6=1.5 sets single places, counted from 0.",
        advanced=True,
    )
    lora_strength: float = option(
        1.0, "Strength of the LoRA that FaceID adapters contain; others have none.", low=-5, high=5, advanced=True
    )
    face_structure: float = option(
        1.0,
        "Of FaceID Plus v2: how much of the picture's face is kept beside the face vector.",
        low=0,
        high=5,
        advanced=True,
    )
    scaling: str = option(
        "V only",
        "What the weight multiplies: V only, as the reference does; K+V, the keys too, which blurs a reference below 1 "
        "and sharpens it above; K+mean(V), the keys and the mean of the values. With w/ C penalty the weight is "
        "smaller where the model is narrow.",
        choices=SCALINGS,
        advanced=True,
    )
