"""IMAGE inputs as single pictures, which is how scores, labels and ranks go with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from .encoding import check_images

if TYPE_CHECKING:
    from torch import Tensor


def single_pictures(images: Sequence[object]) -> list[Tensor]:
    """Every picture as [1, H, W, C], in order; views of what was given.

    images: tensors [B, H, W, C] of any sizes. Raises InputError for anything else.
    """
    check_images(images)
    batches = cast("Sequence[Tensor]", images)
    return [batch[place : place + 1] for batch in batches for place in range(len(batch))]
