"""Pictures become the pixels that a model takes, as its recipe says; sizes and offsets are worked out in recipe.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ...errors import InputError
from ...imaging import Pixels, content_hash, flattened, picture_of, tensor_to_array
from ..checkpoints.info import Interpolation
from .recipe import Framing, Recipe, framing_of
from .resize import HALF, Span, device_resize, float_resize, part_resize

if TYPE_CHECKING:
    import torch


#: Pillow resizes the whole picture before the crop; where that is so much more, only the part is computed.
WASTE = 4
#: ComfyUI does too; up to this it is done as there, for the same numbers, and above it the memory would not do.
MOST_WASTE = 64
_FILTERS: dict[Interpolation, Image.Resampling] = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
}


def prepare(picture: Image.Image | torch.Tensor, recipe: Recipe) -> torch.Tensor:
    """uint8 [S, S, 3], as the model sees it before it is normalised; where the picture lies.

    picture: PIL, or a tensor [H, W, C] with C = 1, 3 or 4, floats of 0..1 or uint8.
    Raises InputError for a picture without pixels.
    """
    import torch

    width, height = picture.size if isinstance(picture, Image.Image) else (picture.shape[1], picture.shape[0])
    if not (width and height):
        raise InputError(f"a picture of {width} x {height} pixels has nothing to see; leave it out")
    framing = framing_of((width, height), recipe)
    if recipe.reference == "comfy":
        return _padded(_comfy_part(_levels(picture, recipe), framing, recipe), framing, recipe)
    if isinstance(picture, Image.Image) or picture.device.type == "cpu":
        shown = flattened(picture if isinstance(picture, Image.Image) else _to_picture(picture), recipe.background)
        part = torch.from_numpy(_part(shown, framing, recipe))
    else:
        levels = (_in_levels(_levels(picture, recipe)) + HALF).to(torch.uint8)
        part = device_resize(levels, *_spans((width, height), framing, recipe), recipe.interpolation)
    return _padded(part, framing, recipe)


def normalised(
    pixels: Sequence[torch.Tensor] | torch.Tensor, recipe: Recipe, device: torch.device | str
) -> torch.Tensor:
    """float32 [B, 3, S, S] on the device, from prepared pictures: uint8 [B, S, S, 3], or a sequence of [S, S, 3]."""
    import torch

    if not len(pixels):
        raise InputError("there is no picture to encode; give at least one")
    batch = pixels if isinstance(pixels, torch.Tensor) else torch.stack([one.to(device) for one in pixels])
    scale = torch.tensor([1 / (255 * std) for std in recipe.std], device=device).view(3, 1, 1)
    shift = torch.tensor([-mean / std for mean, std in zip(recipe.mean, recipe.std, strict=True)], device=device)
    planes = batch.to(device).permute(0, 3, 1, 2)
    floats = planes.to(torch.float32, memory_format=torch.contiguous_format)  # in one go: temporaries cost page faults
    return floats.mul_(scale).add_(shift.view(3, 1, 1))


def pixel_hash(prepared: torch.Tensor) -> str:
    """The hash of a prepared picture's content and shape: a white one that is wide is not one that is high."""
    height, width = prepared.shape[:2]
    return f"{content_hash(prepared.cpu().contiguous().numpy().data.cast('B'))} {width}x{height}"


def _part(image: Image.Image, framing: Framing, recipe: Recipe) -> Pixels:
    """uint8 of what the square shows of the resized picture."""
    across, down = _spans(image.size, framing, recipe)
    box = across.start, down.start, across.stop, down.stop
    if image.size == framing.resized:
        return np.array(image.crop(box))
    wanted = (across.stop - across.start) * (down.stop - down.start)
    if recipe.resampling == "fast":
        return _fast_part(image, across, down, recipe)
    if recipe.resampling == "exact" and framing.resized[0] * framing.resized[1] <= WASTE * wanted:
        return np.array(image.resize(framing.resized, _FILTERS[recipe.interpolation]).crop(box))
    return part_resize(image, across, down, recipe.interpolation, exact=recipe.resampling == "exact")


def _fast_part(image: Image.Image, across: Span, down: Span, recipe: Recipe) -> Pixels:
    import torch
    from torch.nn.functional import interpolate

    if across.resized * down.resized > WASTE * recipe.size**2:
        return part_resize(image, across, down, recipe.interpolation)
    planes = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]  # [1, 3, H, W], channels last in memory
    resized = interpolate(planes, (down.resized, across.resized), mode=recipe.interpolation, antialias=True)
    part = resized[0, :, down.start : down.stop, across.start : across.stop]
    return part.permute(1, 2, 0).contiguous().numpy()


def _comfy_part(levels: torch.Tensor, framing: Framing, recipe: Recipe) -> torch.Tensor:
    """uint8 [h, w, 3] from floats [H, W, 3] of 0..1: both directions at once, rounded at the end.

    Source: ComfyUI's clip_preprocess.
    """
    import torch
    from torch.nn.functional import interpolate

    planes = levels.permute(2, 0, 1)[None]
    across, down = _spans((planes.shape[3], planes.shape[2]), framing, recipe)
    if across.resized * down.resized > MOST_WASTE * recipe.size**2:
        return _in_levels(float_resize(levels, across, down, recipe.interpolation)).round().to(torch.uint8)
    if (down.resized, across.resized) != planes.shape[2:]:
        planes = interpolate(planes, (down.resized, across.resized), mode=recipe.interpolation, antialias=True)
    part = planes[0, :, down.start : down.stop, across.start : across.stop].permute(1, 2, 0)
    return _in_levels(part).round().to(torch.uint8)


def _spans(size: tuple[int, int], framing: Framing, recipe: Recipe) -> tuple[Span, Span]:
    """What of the resized picture is in the square, across and down."""
    left, top = max(framing.left, 0), max(framing.top, 0)
    right, bottom = (min(side, start + recipe.size) for side, start in zip(framing.resized, (left, top), strict=True))
    return Span(size[0], framing.resized[0], left, right), Span(size[1], framing.resized[1], top, bottom)


def _padded(part: torch.Tensor, framing: Framing, recipe: Recipe) -> torch.Tensor:
    height, width = part.shape[:2]
    if (height, width) == (recipe.size, recipe.size):
        return part
    square = part.new_tensor(recipe.pad_color).repeat(recipe.size, recipe.size, 1)
    left, top = max(-framing.left, 0), max(-framing.top, 0)
    square[top : top + height, left : left + width] = part
    return square


def _levels(picture: Image.Image | torch.Tensor, recipe: Recipe) -> torch.Tensor:
    """float32 [H, W, 3] of 0..1, on the recipe's background."""
    import torch

    if isinstance(picture, Image.Image):
        return torch.from_numpy(np.array(flattened(picture, recipe.background))).float() / 255
    values = picture
    values = values.float() / 255 if values.dtype == torch.uint8 else values.float()
    if values.shape[2] == 4 and recipe.background:
        opaque = values[:, :, 3:].clamp(0, 1)
        values = values[:, :, :3] * opaque + (1 - opaque) * values.new_tensor(recipe.background) / 255
    return values.expand(-1, -1, 3) if values.shape[2] == 1 else values[:, :, :3]


def _in_levels(values: torch.Tensor) -> torch.Tensor:
    return (255.0 * values).clip(0, 255)


def _to_picture(values: torch.Tensor) -> Image.Image:
    return picture_of(tensor_to_array(values))
