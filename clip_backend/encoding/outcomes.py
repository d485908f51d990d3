"""What a stream of pictures hands over: each picture with its rows, or the reason why it has none."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..preparing.pictures import FileContent, NamedPicture
from .cache import Row
from .features import unit_rows
from .image_features import FailedPicture, StateName

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Ok:
    """A picture with the wanted states, or without them where the caller knows it already."""

    #: Its index among the given pictures.
    index: int
    #: The path, or "picture 3", counted from 1.
    name: str
    #: The hash of the file's content; for what is no file, and for a file above 64 MB, of the prepared pixels.
    key: str
    #: The states as the model gives them, without the axis of the batch, not to be written to; empty for a known one.
    rows: Mapping[StateName, Row] = field(default_factory=dict)
    #: What the caller's ``observe`` returned.
    observed: Any = None
    #: Status of the file when it was read; None for what is no file, and for a file that changed meanwhile.
    status: os.stat_result | None = None
    #: ``pixel_statistics`` [2], where they are wanted.
    statistics: Row | None = None
    #: Why its color profile was not used, if it was not.
    profile_problem: str = ""

    @property
    def embedding(self) -> Row | None:
        """The embedding made length 1 [P]; None if it was not computed. Raises InputError for one that is zero."""
        raw = self.rows.get("embeds")
        return None if raw is None else unit_rows(raw[None], [self.name])[0]


Outcome = Ok | FailedPicture
#: Gets the picture, the content of its file if it was read at once, and the decoded picture.
Observe = Callable[[NamedPicture, FileContent | None, "Image.Image | Tensor"], Any]
#: Gets the key of a picture.
IsKnown = Callable[[str], bool]
