"""From a mask of the whole picture to a weight for every token of an attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...errors import InputError

if TYPE_CHECKING:
    import torch

#: (height, width, y, x) in latent cells: the part of the picture that a conditioning with an area sees.
Area = tuple[int, int, int, int]
Size = tuple[int, int]
#: How often a model may halve its input.
MAX_HALVINGS = 8
#: Pixels per latent cell in models that have adapters, for messages.
PIXELS = 8
#: Share by which the shape of a token grid may differ from the picture's.
SHAPE_TOLERANCE = 0.2


def token_grid(size: Size, tokens: int) -> Size:
    """(rows, columns) of so many tokens of a picture of this size in latent cells, halved with rounding up as UNets do.

    Raises InputError if no grid of that many tokens has the picture's shape.
    """
    height, width = size
    for _ in range(MAX_HALVINGS):
        if height * width == tokens:
            return height, width
        height, width = -(-height // 2), -(-width // 2)
    return _nearest_grid(size, tokens)


def _nearest_grid(size: Size, tokens: int) -> Size:
    """The grid whose shape is nearest, where something else than halving changed the size."""
    wanted = size[0] / size[1]
    grids = [(rows, tokens // rows) for rows in range(1, tokens + 1) if tokens % rows == 0]

    def distance(grid: Size) -> float:
        ratio = grid[0] / grid[1] / wanted
        return max(ratio, 1 / ratio) - 1

    best = min(grids, key=distance)
    if distance(best) > SHAPE_TOLERANCE:
        raise InputError(
            f"a mask cannot be placed: an attention has {tokens} tokens, which is no grid of a picture of "
            f"{size[0]} x {size[1]} latent cells; take the mask away, or the node that merges or drops tokens"
        )
    return best


def clip_area(area: Area | None, full: Size) -> Area:
    """The area inside the picture, as ComfyUI cuts it; without one the whole picture."""
    if area is None:
        return (*full, 0, 0)
    height, width, y, x = area
    return min(height, full[0] - y), min(width, full[1] - x), y, x


def read_mask(mask: torch.Tensor, name: str) -> torch.Tensor:
    """The mask as float32 [frames, H, W] in 0..1; raises InputError for one without size, with NaN, or of zeros."""
    import torch

    flat = mask.detach().to("cpu", torch.float32)
    if flat.ndim == 4:
        flat = flat[:, 0] if flat.shape[1] == 1 else flat[..., 0]
    if flat.ndim not in (2, 3) or flat.numel() == 0:
        raise InputError(f"the mask of {name} is {tuple(mask.shape)}; it must be [H, W] or [frames, H, W]")
    if not bool(torch.isfinite(flat).all()):
        raise InputError(f"the mask of {name} contains numbers that are not finite; make it anew")
    flat = flat.clamp(0, 1)
    if not bool(flat.any()):
        raise InputError(
            f"the mask of {name} is empty, so that the reference would change nothing; draw where it shall act, or "
            "leave the mask out (Load Image of ComfyUI gives an empty mask for a picture without transparency)"
        )
    return flat.reshape(-1, *flat.shape[-2:])


def stretch_note(mask: Size, full: Size) -> str:
    """Says that a mask has another shape than the picture, by more than one latent cell; empty if it has not.

    mask: in pixels. full: the picture in latent cells.
    """
    height, width = full
    if abs(mask[0] * width / mask[1] - height) <= 1 or abs(mask[1] * height / mask[0] - width) <= 1:
        return ""
    return (
        f"a mask of {mask[1]} x {mask[0]} pixels is stretched to the picture of {width * PIXELS} x {height * PIXELS}, "
        "as ComfyUI does with masks; draw it in the picture's shape to keep its proportions"
    )


def token_weights(mask: torch.Tensor, full: Size, area: Area | None, grid: Size, frames: Sequence[int]) -> torch.Tensor:
    """[frames, tokens, 1]: the mean of the mask under every token of the area.

    mask: [F, H, W] of the whole picture, of any size, to which it is stretched. full: the picture in latent cells.
    frames: which of the masks each row takes; the last one holds for later frames.
    """
    from torch.nn.functional import interpolate

    height, width, y, x = clip_area(area, full)
    rows = mask[[min(frame, len(mask) - 1) for frame in frames]]
    cells = interpolate(rows[:, None], size=full, mode="area")
    cells = cells[:, :, y : y + height, x : x + width]
    return interpolate(cells, size=grid, mode="area").flatten(1)[..., None]
