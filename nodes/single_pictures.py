"""IMAGE inputs as single pictures, which is how scores, labels and ranks go with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from ..errors import InputError
from .encoding import check_images

if TYPE_CHECKING:
    from torch import Tensor

    from ..clip_backend.image_features import FailedPicture


def unread(failed: Sequence[FailedPicture]) -> InputError:
    """The error where none of the pictures can be read."""
    first = failed[0]
    return InputError(f"none of the {len(failed)} pictures can be read; {first.name}: {first.reason}")


def single_pictures(images: Sequence[object]) -> list[Tensor]:
    """Every picture as [1, H, W, C], in order; views of what was given.

    images: tensors [B, H, W, C] of any sizes. Raises InputError for anything else.
    """
    check_images(images)
    batches = cast("Sequence[Tensor]", images)
    return [batch[place : place + 1] for batch in batches for place in range(len(batch))]
