"""How pictures become references: options shared by the node and the Python call."""

from __future__ import annotations

from dataclasses import dataclass

from ...options import option

#: What several pictures of a reference become.
COMBINATIONS = ("concat", "separate", "per frame", "average", "norm average", "add", "subtract", "slerp")
#: How a picture that is not square becomes square.
FITS = ("crop", "pad", "tiles", "squash")
BLANKS = ("mean color", "black")


@dataclass(frozen=True)
class ReferenceSettings:
    """Strength of a reference, and what becomes of its pictures."""

    weight: float = option(1.0, "Strength of this reference beside the others; 0 leaves it out.", low=-5, high=5)
    combine: str = option(
        "concat",
        "What several pictures become: concat looks at all of them at once, separate adds the effect of each, per "
        "frame gives each frame of a batch or video its own; average, norm average (of directions), add, subtract (the "
        "first less the mean of the others) and slerp make one embedding of them.",
        choices=COMBINATIONS,
    )
    fit: str = option(
        "crop",
        "How a picture becomes square, as vision encoders need it: crop a square, pad with its mean color, tiles "
        "covers it with several squares, squash stretches it.",
        choices=FITS,
    )
    position: float = option(
        0.5, "Where crop takes its square: 0 left or top, 0.5 the middle, 1 right or bottom.", low=0, high=1
    )
    negative: bool = option(False, "The pictures say what to move away from; they need a guidance above 1.")
    picture_weights: str = option("", "A weight for each picture, such as 1, 0.5; empty = 1 for all.", advanced=True)
    blank: str = option(
        "mean color",
        "What adapters that read all tokens see where there is no picture: mean color as in the reference "
        "implementation, black as in ComfyUI_IPAdapter_plus.",
        choices=BLANKS,
        advanced=True,
    )
