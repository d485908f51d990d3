"""What a cosine of one model is worth as a probability, learned from pairs that people labelled, and kept as a file."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...atomic import atomic_file
from ...errors import InputError, SpaceError
from ..scales import Wide, sigmoid
from .metrics import Labels, Scores, checked, roc_auc, roc_auc_interval
from .platt import fit_platt

if TYPE_CHECKING:
    from ..encoder import Encoder

#: Of the file.
VERSION = 1
#: Fewer labelled pairs say next to nothing.
LEAST_PAIRS = 10
#: Below this area under the ROC curve, cosines hardly tell matches from mismatches.
LEAST_AREA = 0.6


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """p = sigmoid(slope * cosine + intercept), for the model that it was fitted to and for no other."""

    #: What messages call the model, and what tells it from others.
    model: str
    fingerprint: str
    space: str
    slope: float
    intercept: float
    #: Labelled pairs, and those of them that match.
    pairs: int
    positives: int
    #: Of the cosines of these pairs, with where the true area lies with 95 % confidence.
    roc_auc: float
    roc_auc_interval: tuple[float, float]

    @property
    def threshold(self) -> float:
        """The cosine of probability 0.5."""
        return -self.intercept / self.slope

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of its worth."""
        if self.roc_auc >= LEAST_AREA:
            return ()
        return (
            f"the cosines of {self.model} hardly tell these matches from mismatches (ROC-AUC {self.roc_auc:.2f}); "
            "probabilities from them say little; look at the labels, or choose another model",
        )

    def probability(self, cosines: NDArray[np.floating] | Scores) -> Wide:
        """How likely each is a match, 0..1; any shape."""
        return sigmoid(self.slope * np.asarray(cosines, np.float64) + self.intercept)

    def check(self, encoder: Encoder) -> None:
        """Raises SpaceError for another model than it was fitted to, whose cosines mean something else."""
        if (self.fingerprint, self.space) != (encoder.fingerprint, encoder.space):
            raise SpaceError(
                f"the calibration is for {self.model}, not for {encoder.identity.name}, whose cosines mean something "
                "else; use that model, or fit a calibration for this one"
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, as they stand in the file."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        interval = {"roc_auc_interval": list(self.roc_auc_interval), "threshold": self.threshold}
        return {"clip_grid": "calibration", "version": VERSION} | own | interval

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the file, whole or not at all; raises OutputError if it cannot be written."""
        with atomic_file(Path(os.path.expanduser(path))) as file:
            file.write(json.dumps(self.to_dict(), indent=2, ensure_ascii=False).encode() + b"\n")


def fit_calibration(cosines: Scores, labels: Labels, encoder: Encoder) -> Calibration:
    """A calibration from the cosines of labelled pairs [N], in which 1 or true is a match.

    Raises InputError for fewer than 10 pairs, for labels of one kind alone, for cosines that are not finite or all
    equal, and where mismatches have the higher cosines.
    """
    is_match, values = checked(labels, cosines)
    if len(values) < LEAST_PAIRS:
        raise InputError(f"a calibration needs at least {LEAST_PAIRS} labelled pairs; there are {len(values)}")
    slope, intercept = fit_platt(values, is_match)
    area, positives = roc_auc(is_match, values), int(is_match.sum())
    if slope <= 0:
        raise InputError(
            f"the mismatches have higher cosines than the matches (ROC-AUC {area:.2f}), so the labels look swapped; "
            "1 must stand for a match"
        )
    return Calibration(
        model=encoder.identity.name,
        fingerprint=encoder.fingerprint,
        space=encoder.space,
        slope=slope,
        intercept=intercept,
        pairs=len(values),
        positives=positives,
        roc_auc=area,
        roc_auc_interval=roc_auc_interval(area, positives, len(values) - positives),
    )
