"""How a model wants its pictures: size, fit, filter, rounding and normalisation, as one value with a key."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal

from ...errors import InputError
from ...imaging import Size
from ..checkpoints.info import CheckpointInfo, Fit, Interpolation

#: Whose rounding of sizes and offsets is followed; of "comfy" also the arithmetic of the filter.
Reference = Literal["openclip", "hf", "comfy"]
#: "close": at least 99.9 % of the numbers as Pillow's, the others one level beside; "exact": Pillow's; "fast": torch's.
Resampling = Literal["close", "exact", "fast"]
Triple = tuple[float, float, float]
Rgb = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """From a picture of any size to the numbers that a model takes."""

    #: Height and width in pixels of what the model takes.
    size: int
    mean: Triple
    std: Triple
    fit: Fit = "crop"
    interpolation: Interpolation = "bicubic"
    #: "openclip" halves of an odd margin round to even, "hf" down; both cut the long side, "comfy" rounds it.
    reference: Reference = "openclip"
    resampling: Resampling = "close"
    #: The short side before the crop, where it is not ``size``; as DINOv2's 256 for 224.
    short_side: int | None = None
    #: What transparency is laid on; None drops it and shows the colour below, as all three references do.
    background: Rgb | None = None
    #: What is beside the picture where fit is "pad".
    pad_color: Rgb = (0, 0, 0)

    def __post_init__(self) -> None:
        choices = {
            "fit": ("crop", "squash", "pad"),
            "interpolation": ("bicubic", "bilinear"),
            "reference": ("openclip", "hf", "comfy"),
            "resampling": ("close", "exact", "fast"),
        }
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise InputError(f"{name} is {getattr(self, name)!r}; choose one of {', '.join(known)}")
        if self.size < 1 or (self.short_side is not None and self.short_side < self.size):
            raise InputError(f"size is {self.size} and short_side {self.short_side}; give 1 <= size <= short_side")
        if min(self.std) <= 0:
            raise InputError(f"std is {self.std}; all of it must be above 0")
        if not all(0 <= level <= 255 for level in (*(self.background or ()), *self.pad_color)):
            raise InputError("background and pad_color must hold levels of 0 to 255")

    @property
    def key(self) -> str:
        """Equal for equal recipes, also in another process; for caches."""
        return "; ".join(f"{field.name}={getattr(self, field.name)!r}" for field in fields(self))


@dataclass(frozen=True)
class Framing:
    """Where a resized picture stands: its size, and what of it begins at which pixel of the square."""

    #: Width and height of the whole picture once it is resized.
    resized: Size
    #: The left upper corner of the square in the resized picture; negative where the picture is padded.
    left: int
    top: int


def recipe_of(info: CheckpointInfo, **changes: object) -> Recipe:
    """What a checkpoint says of its pictures; changes: any fields of ``Recipe``.

    Raises InputError for a model without a vision tower, and for a change that no recipe has.
    """
    if info.vision is None:
        raise InputError(f"{info.path} has no vision tower, so it takes no pictures; choose a model with one")
    unknown = sorted(changes.keys() - {field.name for field in fields(Recipe)})
    if unknown:
        names = ", ".join(field.name for field in fields(Recipe))
        raise InputError(f"a recipe has no {', '.join(unknown)}; it has {names}")
    told = Recipe(
        size=info.vision.image_size,
        mean=info.mean,
        std=info.std,
        fit=info.fit,
        interpolation=info.interpolation,
    )
    return replace(told, **changes)  # type: ignore[arg-type]


def framing_of(size: Size, recipe: Recipe) -> Framing:
    """Sizes and offsets of a picture, rounded as the recipe's reference does.

    Sources: torchvision's Resize and CenterCrop, transformers' CLIPImageProcessor, ComfyUI's clip_preprocess;
    of "pad" open_clip's resize mode "longest".
    """
    side = recipe.size
    if recipe.fit == "squash" or (recipe.reference == "comfy" and size == (side, side)):
        return Framing((side, side), 0, 0)
    if recipe.fit == "pad":
        ratio = max(size) / side
        resized = max(1, round(size[0] / ratio)), max(1, round(size[1] / ratio))
        return Framing(resized, -((side - resized[0]) // 2), -((side - resized[1]) // 2))
    resized = _cropped_from(size, recipe.short_side or side, recipe.reference)
    return Framing(resized, _offset(resized[0] - side, recipe.reference), _offset(resized[1] - side, recipe.reference))


def _cropped_from(size: Size, short: int, reference: Reference) -> Size:
    if reference == "comfy":
        scale = short / min(size)
        return round(scale * size[0]), round(scale * size[1])
    long = int(short * max(size) / min(size))
    return (short, long) if size[0] <= size[1] else (long, short)


def _offset(margin: int, reference: Reference) -> int:
    return round(margin / 2) if reference == "openclip" else margin // 2
