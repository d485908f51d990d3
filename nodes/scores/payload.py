"""What scoring nodes tell people and programs: ComfyUI breaks on values that are no JSON, NaN among them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, cast

from ...errors import InputError
from ..sockets.tensors import check_images

if TYPE_CHECKING:
    from torch import Tensor

    from ...clip_backend.encoding.image_features import FailedPicture


#: Lines that a node shows; the report has them all.
MOST_LINES = 30


def plain(value: object) -> object:
    """The value as JSON has it: numbers of numpy and torch become Python's, and those that are not finite null."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if value is None or isinstance(value, (str, bool, int)):
        return value
    number = value.item() if hasattr(value, "item") else value
    if isinstance(number, float):
        return number if isfinite(number) else None
    return number if isinstance(number, (bool, int)) else str(value)


def plain_json(value: object) -> str:
    """The value as text for other programs."""
    return json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False)


def shown_text(lines: Sequence[str], notes: Sequence[str] = ()) -> str:
    """The first lines for the node, how many more there are, and the notes."""
    more = [f"and {len(lines) - MOST_LINES} more; the report has all of them"] if len(lines) > MOST_LINES else []
    return "\n".join([*lines[:MOST_LINES], *more, *notes])


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
