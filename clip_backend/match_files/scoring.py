"""A few pairs scored at a time, in which one that cannot be scored costs itself alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from ...errors import CheckpointError, InputError, SpaceError
from ..banks.noise import noise_pictures
from ..calibration.calibration import Calibration
from ..matching.notes import dropped_note
from ..matching.options import MatchOptions
from ..matching.result import Matches, MatchResult
from .tasks import Task

if TYPE_CHECKING:
    from ..encoder import Encoder

NOT_FINITE = "its cosine is not a number; choose dtype='fp32'"
Outcome = MatchResult | str


class Match(Protocol):
    """Scores pictures and texts as ``match_pictures`` does."""

    def __call__(
        self,
        encoder: Encoder,
        pictures: Sequence[Any],
        texts: Sequence[str],
        *,
        options: MatchOptions,
        calibration: Calibration | None,
    ) -> Matches:
        """The results, with the places of their pictures; those that cannot be read are among the failed."""


@dataclass(frozen=True)
class PairScorer:
    """A model with the settings of a run; raises SpaceError for a calibration of another model."""

    encoder: Encoder
    match: Match
    options: MatchOptions
    calibration: Calibration | None = None
    #: What the user should know, each once.
    notes: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.calibration:
            self.calibration.check(self.encoder)

    def score(self, tasks: Sequence[Task]) -> list[Outcome]:
        """The result of each task, or why it has none; raises what would go wrong with any other pair too."""
        try:
            return self._scored(tasks)
        except (SpaceError, CheckpointError):
            raise
        except InputError as error:
            # if the fault is not that of one of these pairs, this one has it too
            self._match(noise_pictures()[:1], ["a picture"])
            if len(tasks) == 1:
                return [str(error)]
            return [outcome for task in tasks for outcome in self.score([task])]

    def _scored(self, tasks: Sequence[Task]) -> list[Outcome]:
        found = self._match([task.picture for task in tasks], [task.row.text for task in tasks])
        self.notes.update(dict.fromkeys(found.notes))
        for count in range(1, len(tasks) + 1):
            # of these few tasks; the run tells it of all
            self.notes.pop(dropped_note(count, len(tasks)), None)
        outcomes: dict[int, Outcome] = {one.index: one.reason for one in found.failed}
        for result in found.results:
            # the percentile among the pictures of a run would be one among those of these few tasks
            own = replace(result, picture_percentile=None)
            outcomes[result.image_index] = own if math.isfinite(own.cosine) else NOT_FINITE
        return [outcomes[place] for place in range(len(tasks))]

    def _match(self, pictures: Sequence[Any], texts: Sequence[str]) -> Matches:
        options = replace(self.options, mode="pairs")
        return self.match(self.encoder, pictures, texts, options=options, calibration=self.calibration)
