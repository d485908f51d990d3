"""IMAGE tensors to arrays of single images, and finished pages back to IMAGE."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from ...arrays import Pixels, Tensor, tensor_to_array
from ...errors import InputError

if TYPE_CHECKING:
    import torch


def picture_arrays(images: object) -> list[NDArray[np.generic]]:
    """Every image as [H, W] or [H, W, C], in order.

    images: a tensor [B, H, W, C] or [H, W, C], or nested lists of them.
    float32 and float16 on the CPU are not copied. Raises InputError for other values and shapes, and for no images.
    """
    pictures = [picture for batch in _batches(images) for picture in _pictures(batch)]
    if not pictures:
        raise InputError("images holds no picture; the node before made an empty batch")
    return pictures


def _batches(images: object) -> Iterator[NDArray[np.generic]]:
    if isinstance(images, (list, tuple)):
        for item in cast("Iterable[object]", images):
            yield from _batches(item)
    elif isinstance(images, np.ndarray):
        yield images
    elif isinstance(images, Tensor):
        yield tensor_to_array(images)
    else:
        raise InputError(f"images holds a {type(images).__name__}; connect an IMAGE output")


def _pictures(batch: NDArray[np.generic]) -> list[NDArray[np.generic]]:
    if batch.ndim == 4:
        return list(batch)
    if batch.ndim in (2, 3):
        return [batch]
    raise InputError(f"images holds the shape {tuple(batch.shape)}; it must be (pictures, height, width, channels)")


def checked_batches(images: Sequence[object]) -> list[torch.Tensor]:
    """The tensors [B, H, W, C] of a linked IMAGE input, with at least one image in all.

    Raises InputError for anything else; a path in particular, which a workflow must not name here.
    """
    import torch

    batches = []
    for batch in images:
        if not isinstance(batch, torch.Tensor):
            raise InputError(f"image holds a {type(batch).__name__}; connect an IMAGE output")
        if batch.ndim != 4:
            raise InputError(
                f"image holds the shape {tuple(batch.shape)}; it must be (pictures, height, width, channels): "
                "a mask goes through Convert Mask to Image first"
            )
        batches.append(batch)
    if not any(map(len, batches)):
        raise InputError("image holds no picture; the node before made an empty batch")
    return batches


def single_images(images: Sequence[object]) -> list[torch.Tensor]:
    """Every image of a linked IMAGE input as a view [1, H, W, C], in order; raises as ``checked_batches``."""
    return [batch[place : place + 1] for batch in checked_batches(images) for place in range(len(batch))]


def page_floats(page: Pixels) -> NDArray[np.float32]:
    """float32 [1, H, W, C] in 0..1 from a painted page, uint8 [H, W, C]."""
    floats: NDArray[np.float32] = np.divide(page, np.float32(255), dtype=np.float32)
    return floats[None]
