"""What a caller gives for a sheet beside its pictures and its template."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..errors import InputError
from .fonts import Faces
from .labels import FoundLabel
from .pictures import Picture
from .render import Resizer
from .table import Table

#: A label for each of these pictures, None where it is not sure; raises ClipGridError when it cannot work at all.
Labeller = Callable[[Sequence[Picture]], Sequence[FoundLabel | None]]
#: Scores by name for each of these pictures; raises ClipGridError when it cannot work at all.
Scorer = Callable[[Sequence[Picture]], Sequence[Mapping[str, float]]]


@dataclass(frozen=True)
class Wishes:
    """What the caller gives beside pictures and template. Lists go with the pictures in the order they were given."""

    #: One label per picture, or one for all.
    labels: Sequence[str] = ()
    table: Table | None = None
    scores: Sequence[Mapping[str, float]] = ()
    #: Asked once, for the pictures that no earlier source of labels knows, and not at all if there are none.
    labeller: Labeller | None = None
    #: Asked once, for all pictures; given scores beat what it finds.
    scorer: Scorer | None = None
    #: What these two want the user to know, read once they have answered.
    found_notes: Sequence[str] = ()
    #: Instead of the template's own resampling.
    resizer: Resizer | None = None
    #: Fonts of the machine are looked for unless faces are given.
    faces: Faces | None = None

    def missing(self, reason: str, warning: str) -> list[str]:
        """The warning, where what is missing may be what CLIP did not find; else raises InputError with the reason."""
        if not (self.labeller or self.scorer):
            raise InputError(reason)
        return [warning]
