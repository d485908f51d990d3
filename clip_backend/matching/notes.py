"""What the user should know of a run's numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..scales import assumed_notes, is_sigmoid
from .options import CUSTOM, MatchOptions
from .verdict import Limit

if TYPE_CHECKING:
    from ..encoder import Encoder

#: More pairs are told without their phrases, which would take more memory than all else.
MOST_PHRASED = 20_000


def threshold_notes(options: MatchOptions) -> Iterator[str]:
    """A note on a threshold that was changed, and that a preset takes the place of."""
    if options.preset != CUSTOM and options.threshold != MatchOptions.threshold:
        yield f"the preset {options.preset} decides, and not the threshold {options.threshold:g}; give one of them"


def notes_of(encoder: Encoder, limit: Limit, probability_scale: str, dropped: Sequence[str]) -> Iterator[str]:
    """Notes on the model, the threshold, the probabilities and the texts."""
    yield from encoder.identity.notes
    if limit.scale == "cosine" and is_sigmoid(encoder):
        yield (
            f"cosines of SigLIP are low: right texts may stay below {limit.threshold:g}, a threshold for CLIP; choose "
            "the preset percentile 95, which means the same for every model"
        )
    if probability_scale != "calibrated":
        yield from assumed_notes(encoder)
    count = sum(map(bool, dropped))
    if count:
        yield dropped_note(count, len(dropped))


def dropped_note(count: int, total: int) -> str:
    """Of so many texts, how many were not read to their end."""
    return (
        f"the end of {count} of {total} texts was not read, for the model reads only so much: see dropped; choose "
        "long_text mean to read it in parts"
    )


def phrases_note(pairs: int) -> str:
    """Why there are no phrases."""
    return (
        f"phrases are left out, for there are {pairs} pairs, and more than {MOST_PHRASED} take too much memory; match "
        "fewer pictures or texts at once to see which part of a text is missing"
    )
