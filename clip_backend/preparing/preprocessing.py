"""What a model wants its pictures to look like, and the computation that turns any picture into that."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from PIL import Image

from ...arrays import picture_of, tensor_to_array
from ...errors import InputError
from ...imaging import Size, content_hash, flattened
from ..checkpoints.info import CheckpointInfo, Fit, Interpolation, Rgb
from .resize import Span, float_resize, premultiplied, product_resize, unpremultiplied

if TYPE_CHECKING:
    import torch

#: Whose rounding of sizes and offsets is followed; of "comfy" also the arithmetic of the filter.
Reference = Literal["openclip", "hf", "comfy"]
#: "close", "exact": Pillow's pixels, but on Apple's GPUs a few may be a level off; "fast": torch's filter, which is a
#: level or two off in some percent of the pixels.
Resampling = Literal["close", "exact", "fast"]
#: What the floats of arrays and tensors mean; uint8, files and PIL pictures have levels of 0 to 255.
ValueRange = Literal["0..1", "-1..1"]
Triple = tuple[float, float, float]
#: Names for ``Preprocessing.background``: what the reference does, or a colour below transparent pixels.
REFERENCE = "reference"
BACKGROUNDS: dict[str, Rgb | None] = {
    REFERENCE: None,
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "black": (0, 0, 0),
}

#: Pictures are resized whole and then cropped, as the references do. Where the resized picture is this many times the
#: square, which only long thin pictures reach, the square alone is computed: with torch's filter because memory does
#: not allow the whole, with Pillow's because it is faster and gives the same pixels.
MAX_WASTE = 64
MAX_PILLOW_WASTE = 7
_FILTERS: dict[Interpolation, Image.Resampling] = {
    name: Image.Resampling[name.upper()] for name in get_args(Interpolation)
}
#: The filters that torch has.
_OF_TORCH = ("bilinear", "bicubic")


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """The settings that lead from a picture of any size to the numbers that a model takes.

    Raises InputError for a value outside its range.
    """

    #: Height and width in pixels of what the model takes.
    size: int
    mean: Triple
    std: Triple
    fit: Fit = "crop"
    interpolation: Interpolation = "bicubic"
    #: "openclip" rounds half of an odd margin to even, "hf" down; both cut the long side to whole pixels, "comfy"
    #: rounds it.
    reference: Reference = "openclip"
    resampling: Resampling = "close"
    #: The short side before the crop, where it is not ``size``, such as DINOv2's 256 for 224.
    short_side: int | None = None
    #: The color below transparent pixels. None does as the reference: it drops the alpha channel and shows the colors
    #: that are stored below it; open_clip does so after resizing, which weights colors by their opacity.
    background: Rgb | None = None
    #: The color beside the picture where fit is "pad".
    pad_color: Rgb = (0, 0, 0)
    #: Range of float values that a caller gives as pictures.
    value_range: ValueRange = "0..1"

    def __post_init__(self) -> None:
        choices = {
            "fit": ("crop", "squash", "pad"),
            "interpolation": get_args(Interpolation),
            "reference": ("openclip", "hf", "comfy"),
            "resampling": ("close", "exact", "fast"),
            "value_range": get_args(ValueRange),
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
    def weights_by_alpha(self) -> bool:
        """Whether colors are weighted by their opacity when they are resized, before the alpha channel is dropped.

        Source: open_clip's transform, which resizes by Pillow and converts to RGB at the end.
        """
        return self.background is None and self.reference == "openclip"

    @property
    def bytes_per_pixel(self) -> int:
        """Bytes per pixel of a decoded picture that preparing it needs beside the picture."""
        # ComfyUI computes in float32; for the others it is a copy without transparency, or for torch's filter
        return 15 if self.reference == "comfy" else 4

    @property
    def key(self) -> str:
        """Equal for equal settings, in every process; a part of the keys of cached embeddings."""
        return "; ".join(f"{field.name}={getattr(self, field.name)!r}" for field in fields(self))

    @property
    def fingerprint(self) -> str:
        """Equal for pictures that a model takes alike, whichever program's way of resizing is followed; 16 digits."""
        own = (self.size, self.mean, self.std, self.fit, self.interpolation, self.short_side)
        return hashlib.sha256(repr(own).encode()).hexdigest()[:16]


def preprocessing_of(info: CheckpointInfo, **changes: object) -> Preprocessing:
    """The preprocessing that a checkpoint asks for; changes: any fields of ``Preprocessing``.

    The background may be one of ``BACKGROUNDS`` too. Raises InputError for a model without a vision tower, and for an
    unknown field or background.
    """
    if info.vision is None:
        raise InputError(f"{info.path} has no vision tower, so it takes no pictures; choose a model with one")
    known = [field.name for field in fields(Preprocessing)]
    if unknown := sorted(changes.keys() - set(known)):
        raise InputError(f"preprocessing has no {', '.join(unknown)}; it has {', '.join(known)}")
    if isinstance(name := changes.get("background"), str):
        if name not in BACKGROUNDS:
            raise InputError(f"background is {name!r}; it must be one of {', '.join(BACKGROUNDS)}, or levels (r, g, b)")
        changes["background"] = BACKGROUNDS[name]
    own = Preprocessing(
        size=info.vision.image_size, mean=info.mean, std=info.std, fit=info.fit, interpolation=info.interpolation,
        short_side=_beyond(info.short_side, info.vision.image_size), pad_color=info.pad_color or (0, 0, 0),
    )  # fmt: skip
    if changes.get("fit", info.fit) != info.fit:
        # the short side of another fit means nothing
        own = replace(own, short_side=None)
    return replace(own, **changes)  # type: ignore[arg-type]


def _beyond(short_side: int | None, size: int) -> int | None:
    return short_side if short_side is not None and short_side > size else None


@dataclass(frozen=True)
class Crop:
    """Where the square that the model takes lies in the resized picture."""

    #: Width and height of the whole resized picture.
    resized: Size
    #: The upper left corner of the square; negative where the picture is padded.
    left: int
    top: int


def crop_of(size: Size, preprocessing: Preprocessing) -> Crop:
    """Sizes and offsets for a picture of this width and height, rounded as the reference rounds them.

    Sources: torchvision's Resize and CenterCrop, transformers' CLIPImageProcessor, ComfyUI's clip_preprocess;
    for "pad" open_clip's resize mode "longest".
    """
    side, reference = preprocessing.size, preprocessing.reference
    if reference == "comfy" and size == (side, side):
        return Crop((side, side), 0, 0)
    if preprocessing.fit == "pad":
        ratio = max(size) / side
        resized = max(1, round(size[0] / ratio)), max(1, round(size[1] / ratio))
        return Crop(resized, -((side - resized[0]) // 2), -((side - resized[1]) // 2))
    short = preprocessing.short_side or side
    if preprocessing.fit == "squash":
        resized = short, short
    elif reference == "comfy":
        scale = short / min(size)
        resized = round(scale * size[0]), round(scale * size[1])
    else:
        long = int(short * max(size) / min(size))
        resized = (short, long) if size[0] <= size[1] else (long, short)
    margins = resized[0] - side, resized[1] - side
    left, top = (round(margin / 2) if reference == "openclip" else margin // 2 for margin in margins)
    return Crop(resized, left, top)


def prepare(picture: Image.Image | torch.Tensor, preprocessing: Preprocessing) -> torch.Tensor:
    """uint8 [S, S, 3], as the model takes it but for the normalization; on the picture's device.

    picture: PIL, or a tensor [H, W, C] with C = 1, 3 or 4, floats of 0..1 or uint8.
    Raises InputError for a picture without pixels.
    """

    size = picture.size if isinstance(picture, Image.Image) else (int(picture.shape[1]), int(picture.shape[0]))
    if not all(size):
        raise InputError(f"a picture of {size[0]} x {size[1]} pixels has nothing to see; leave it out")
    crop = crop_of(size, preprocessing)
    across, down = _spans(size, crop, preprocessing.size)
    # a picture of the wanted size is not resized, and open_clip then only drops its alpha channel
    weights_by_alpha = preprocessing.weights_by_alpha and size != crop.resized
    if preprocessing.reference == "comfy":
        part = _comfy_part(unit_floats(picture, preprocessing), across, down, preprocessing)
    elif isinstance(picture, Image.Image) or picture.device.type == "cpu":
        image = picture if isinstance(picture, Image.Image) else picture_of(tensor_to_array(picture))
        shown = image.convert("RGBa") if weights_by_alpha and image.mode == "RGBA" else None
        part = _resized_part(shown or flattened(image, preprocessing.background), across, down, preprocessing)
    else:
        levels = ((255.0 * unit_floats(picture, preprocessing, keeps_alpha=weights_by_alpha)).clip(0, 255) + 0.5).byte()
        shown_levels = premultiplied(levels) if levels.shape[2] == 4 else levels
        part = product_resize(shown_levels, across, down, preprocessing.interpolation)
    return _padded(unpremultiplied(part) if part.shape[2] == 4 else part, crop, preprocessing)


def normalised(
    pixels: Sequence[torch.Tensor] | torch.Tensor, preprocessing: Preprocessing, device: torch.device | str
) -> torch.Tensor:
    """float32 [B, 3, S, S] on the device, from prepared pictures: uint8 [B, S, S, 3], or a sequence of [S, S, 3].

    Raises InputError if there are none.
    """
    import torch

    if not len(pixels):
        raise InputError("there is no picture to encode; give at least one")
    device = torch.device(device)
    batch = on_device(pixels, device) if isinstance(pixels, torch.Tensor) else stacked(pixels, device)
    mean, std = preprocessing.mean, preprocessing.std
    scale = torch.tensor([1 / (255 * one) for one in std], device=device).view(3, 1, 1)
    shift = torch.tensor([-one / spread for one, spread in zip(mean, std, strict=True)], device=device)
    planes = batch.permute(0, 3, 1, 2)
    # one conversion: temporary tensors cost page faults
    floats = planes.to(torch.float32, memory_format=torch.contiguous_format)
    return floats.mul_(scale).add_(shift.view(3, 1, 1))


def stacked(pictures: Sequence[torch.Tensor], device: torch.device) -> torch.Tensor:
    """Pictures of one shape [...] as a batch [B, ...] on the device, those in main memory by a single copy."""
    import torch

    if any(one.device.type != "cpu" for one in pictures):
        return torch.stack([one.to(device) for one in pictures])
    return on_device(torch.stack(list(pictures)), device)


def on_device(batch: torch.Tensor, device: torch.device) -> torch.Tensor:
    """The batch on the device; to a CUDA device from pinned memory, so that the copy runs beside other work."""
    if device.type == "cuda" and batch.device.type == "cpu":
        return batch.pin_memory().to(device, non_blocking=True)
    return batch.to(device)


def pixel_hash(prepared: torch.Tensor) -> str:
    """The hash of a prepared picture's pixels and shape."""
    height, width = prepared.shape[:2]
    return f"{content_hash(prepared.cpu().contiguous().numpy().data.cast('B'))} {width}x{height}"


def _spans(size: Size, crop: Crop, side: int) -> tuple[Span, Span]:
    """The part of the resized picture that is inside the square, across and down."""
    starts = max(crop.left, 0), max(crop.top, 0)
    across, down = (
        Span(source, resized, start, min(resized, start + side))
        for source, resized, start in zip(size, crop.resized, starts, strict=True)
    )
    return across, down


def _resized_part(image: Image.Image, across: Span, down: Span, preprocessing: Preprocessing) -> torch.Tensor:
    """uint8 [h, w, C]: the part of the resized RGB or RGBa picture that is inside the square."""
    import torch

    resized, interpolation = (across.resized, down.resized), preprocessing.interpolation
    is_fast = preprocessing.resampling == "fast" and interpolation in _OF_TORCH
    max_waste = MAX_WASTE if is_fast else MAX_PILLOW_WASTE
    if resized[0] * resized[1] > max_waste * preprocessing.size**2:
        return product_resize(torch.from_numpy(np.array(image)), across, down, interpolation)
    if is_fast and image.size != resized:
        whole = _torch_resize(torch.from_numpy(np.array(image)), resized, interpolation)
        return whole[down.start : down.stop, across.start : across.stop].contiguous()
    if image.size != resized:
        image = image.resize(resized, _FILTERS[interpolation])
    return torch.from_numpy(np.array(image.crop((across.start, down.start, across.stop, down.stop))))


def _comfy_part(levels: torch.Tensor, across: Span, down: Span, preprocessing: Preprocessing) -> torch.Tensor:
    """uint8 [h, w, 3] from floats [H, W, 3] of 0..1: both directions at once, rounded at the end.

    Source: ComfyUI's clip_preprocess.
    """
    resized = across.resized, down.resized
    is_wasteful = resized[0] * resized[1] > MAX_WASTE * preprocessing.size**2
    if is_wasteful or preprocessing.interpolation not in _OF_TORCH:
        part = float_resize(levels, across, down, preprocessing.interpolation)
    else:
        if (levels.shape[1], levels.shape[0]) != resized:
            levels = _torch_resize(levels, resized, preprocessing.interpolation)
        part = levels[down.start : down.stop, across.start : across.stop]
    return (255.0 * part).clip(0, 255).round().byte()


def _torch_resize(pixels: torch.Tensor, size: Size, interpolation: Interpolation) -> torch.Tensor:
    """[H, W, C] -> [h, w, C] by torch's own filter."""
    from torch.nn.functional import interpolate

    planes = pixels.permute(2, 0, 1)[None]  # [1, C, H, W], channels last in memory
    return interpolate(planes, size[::-1], mode=interpolation, antialias=True)[0].permute(1, 2, 0)


def _padded(part: torch.Tensor, crop: Crop, preprocessing: Preprocessing) -> torch.Tensor:
    """uint8 [S, S, 3]: the part in the middle of a square of ``pad_color``."""
    height, width = part.shape[:2]
    side = preprocessing.size
    if (height, width) == (side, side):
        return part
    square = part.new_tensor(preprocessing.pad_color).repeat(side, side, 1)
    left, top = max(-crop.left, 0), max(-crop.top, 0)
    square[top : top + height, left : left + width] = part
    return square


def unit_floats(
    picture: Image.Image | torch.Tensor, preprocessing: Preprocessing, *, keeps_alpha: bool = False
) -> torch.Tensor:
    """float32 [H, W, 3] of 0..1, transparent pixels on the background; [H, W, 4] where alpha is there and kept."""
    import torch

    background = preprocessing.background
    if isinstance(picture, Image.Image):
        return torch.from_numpy(np.array(flattened(picture, background))).float().div_(255)
    values = picture.float() / 255 if picture.dtype == torch.uint8 else picture.float()
    if values.shape[2] == 4 and background:
        opacity = values[:, :, 3:].clamp(0, 1)
        values = values[:, :, :3] * opacity + (1 - opacity) * values.new_tensor(background) / 255
    if values.shape[2] == 4 and keeps_alpha:
        return values
    return values.expand(-1, -1, 3) if values.shape[2] == 1 else values[:, :, :3]
