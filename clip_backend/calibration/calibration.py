"""Calibration: what z is worth as a probability for one model, fitted to labelled pairs and kept as a file."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...atomic import atomic_file, check_replaceable
from ...errors import InputError, SpaceError
from ...input_files import read_file
from ...json_text import JsonError, parse_json, parse_object, to_json
from ..matching.result import MatchOptions
from ..scoring.scales import Float64s, bank, sigmoid
from .metrics import Labels, Scores, checked, roc_auc, roc_auc_interval

if TYPE_CHECKING:
    from ..encoding.encoder import Encoder

MOST_STEPS = 100
MOST_HALVINGS = 60
#: The gradient per pair that counts as 0.
_FLAT = 1e-10
#: The version of the file format; calibrations of version 1 were fitted to cosines.
VERSION = 2
#: Fewer labelled pairs are refused.
LEAST_PAIRS = 10
#: Below this area under the ROC curve, z hardly tells matches from mismatches.
LEAST_AREA = 0.6


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """p = sigmoid(slope * z + intercept), for the model that it was fitted to, and texts encoded as then."""

    #: The model's name in messages, and what identifies it.
    model: str
    fingerprint: str
    space: str
    slope: float
    intercept: float
    #: The version of the bank of texts among which z was taken.
    bank: int
    #: How texts were encoded; see ``MatchOptions``.
    template: str
    long_text: str
    prompt_syntax: bool
    #: Labelled pairs, and those of them that match.
    pairs: int
    positives: int
    #: Area under the ROC curve of these pairs' z, and its 95 % confidence interval.
    roc_auc: float
    roc_auc_interval: tuple[float, float]

    @property
    def threshold(self) -> float:
        """The z of probability 0.5."""
        return -self.intercept / self.slope

    @property
    def notes(self) -> tuple[str, ...]:
        """A warning for the user if z hardly separates the labels."""
        if self.roc_auc >= LEAST_AREA:
            return ()
        return (
            f"the scores of {self.model} hardly tell these matches from mismatches (ROC-AUC {self.roc_auc:.2f}); "
            "probabilities from them say little; look at the labels, or choose another model",
        )

    def probability(self, z: NDArray[np.floating] | Scores) -> Float64s:
        """How likely each is a match, 0..1; any shape."""
        return sigmoid(self.slope * np.asarray(z, np.float64) + self.intercept)

    def check(self, encoder: Encoder, options: MatchOptions) -> None:
        """Raises SpaceError for another model than it was fitted to, and InputError for another encoding of texts."""
        if (self.fingerprint, self.space) != (encoder.fingerprint, encoder.space):
            raise SpaceError(
                f"the calibration is for {self.model}, not for {encoder.identity.name}, whose scores mean something "
                "else; use that model, or fit a calibration for this one"
            )
        now = text_settings(options)
        own = {name: getattr(self, name) for name in now}
        if differing := [f"{name} {own[name]!r}, not {now[name]!r}" for name in now if own[name] != now[name]]:
            raise InputError(
                f"the calibration was fitted with {', '.join(differing)}; choose the same, or fit a calibration anew"
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, as they stand in the file."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        interval = {"roc_auc_interval": list(self.roc_auc_interval), "threshold": self.threshold}
        return {"clip_grid": "calibration", "version": VERSION} | own | interval

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Writes the file, whole or not at all; raises OutputError if it cannot be written or holds something else.

        overwrite: also replace a file that is no calibration.
        """
        with atomic_file(calibration_target(path, overwrite=overwrite)) as file:
            file.write(to_json(self.to_dict(), indent=2).encode() + b"\n")


def text_settings(options: MatchOptions) -> dict[str, Any]:
    """Everything beside the model that z depends on, by the names of ``Calibration``."""
    names = ("template", "long_text", "prompt_syntax")
    return {"bank": bank().version} | {name: getattr(options, name) for name in names}


def fit_calibration(z: Scores, labels: Labels, encoder: Encoder, options: MatchOptions | None = None) -> Calibration:
    """A calibration from z of labelled pairs [N], in which 1 or true is a match.

    options: how the texts were encoded; None for the defaults.
    Raises InputError for fewer than 10 pairs, for labels of one kind alone, for z that are not finite or all equal, and
    where mismatches have the higher z.
    """
    is_match, values = checked(labels, z)
    if len(values) < LEAST_PAIRS:
        raise InputError(f"a calibration needs at least {LEAST_PAIRS} labelled pairs; there are {len(values)}")
    slope, intercept = fit_platt(values, is_match)
    area, positives = roc_auc(is_match, values), int(is_match.sum())
    if slope <= 0:
        raise InputError(
            f"the mismatches have higher scores than the matches (ROC-AUC {area:.2f}), so the labels look swapped; "
            "1 must stand for a match"
        )
    return Calibration(
        model=encoder.identity.name,
        fingerprint=encoder.fingerprint,
        space=encoder.space,
        slope=slope,
        intercept=intercept,
        **text_settings(options or MatchOptions()),
        pairs=len(values),
        positives=positives,
        roc_auc=area,
        roc_auc_interval=roc_auc_interval(area, positives, len(values) - positives),
    )


def calibration_target(path: str | os.PathLike[str], *, overwrite: bool) -> Path:
    """The file to write; raises OutputError for one that is no calibration and may not be replaced."""
    target = Path(os.path.expanduser(path))
    check_replaceable(target, _is_calibration, "a calibration of this program", overwrite=overwrite)
    return target


def _is_calibration(path: Path) -> bool:
    """Whether a calibration of any version is in the file."""
    try:
        values = parse_object(read_file(path, "the calibration"))
    except InputError:
        return False
    return values.get("clip_grid") == "calibration"


def read_calibration(path: str | os.PathLike[str]) -> Calibration:
    """The calibration in a file that ``save`` wrote; raises InputError, naming the file, if it holds none."""
    file = Path(os.path.expanduser(path))
    try:
        values = parse_json(read_file(file, "the calibration"))
    except JsonError as error:
        raise InputError(f"calibration {file} is not JSON: {error}; fit it anew") from error
    if problem := _problem(values):
        raise InputError(f"{file} cannot be used as a calibration: {problem}; fit it anew")
    own = {field.name: values[field.name] for field in fields(Calibration)}
    return Calibration(**own | {"roc_auc_interval": tuple(values["roc_auc_interval"])})


def _problem(values: Any) -> str:
    """Why these values are no calibration; empty if they are."""
    if not isinstance(values, dict) or values.get("clip_grid") != "calibration":
        return "it is JSON of something else"
    if values.get("version") != VERSION:
        return f"it is of version {values.get('version')!r}, and this program reads version {VERSION}"
    if missing := [field.name for field in fields(Calibration) if field.name not in values]:
        return f"it lacks {', '.join(missing)}"
    for field in fields(Calibration):
        if not _is_valid(field.name, values[field.name]):
            return f"its {field.name} is {values[field.name]!r}"
    return ""


def _is_valid(name: str, value: Any) -> bool:
    """Whether the field of this name can have the value."""
    if name in ("model", "fingerprint", "space", "template", "long_text"):
        return isinstance(value, str)
    if name == "prompt_syntax":
        return isinstance(value, bool)
    if name in ("bank", "pairs", "positives"):
        return type(value) is int and value > 0
    if name == "roc_auc_interval":
        return isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))
    return _is_number(value) and (name != "slope" or value > 0) and (name != "roc_auc" or 0 <= value <= 1)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def fit_platt(scores: Scores, labels: Labels) -> tuple[float, float]:
    """Slope and intercept of p = sigmoid(slope * score + intercept).

    The targets are near 1 and 0 rather than equal to them, so that perfectly separable labels have a finite solution.
    Source: Platt 1999; by Newton's method with halved steps, after Lin, Lin & Weng 2007 ("A note on Platt's
    probabilistic outputs for support vector machines").
    Raises InputError for scores that are not finite or all equal, and for labels of one kind alone.
    """
    is_match, values = checked(labels, scores)
    mean, spread = values.mean(), values.std()
    # the spread of equal numbers may be a rounding error, and that of the smallest numbers 0
    if values.min() == values.max() or not spread:
        raise InputError(f"all scores are {values[0]:g}, which tells no pair from another; give pairs that differ")
    # standardised, so that step sizes and the gradient's limit do not depend on the scale
    standardised = (values - mean) / spread
    positives, negatives = int(is_match.sum()), int((~is_match).sum())
    targets = np.where(is_match, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    slope, intercept = _newton(np.stack([standardised, np.ones_like(standardised)]), targets)
    return float(slope / spread), float(intercept - slope * mean / spread)


def _newton(inputs: Float64s, targets: Float64s) -> Float64s:
    """The two weights [2] of least cross-entropy; inputs: [2, N]."""
    weights = np.zeros(2)
    loss = _loss(weights @ inputs, targets)
    for _ in range(MOST_STEPS):
        shares = sigmoid(weights @ inputs)
        gradient = inputs @ (shares - targets)
        if np.abs(gradient).max() <= _FLAT * len(targets):
            break
        curvature = (inputs * (shares * (1 - shares))) @ inputs.T + 1e-12 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        for halving in range(MOST_HALVINGS):
            candidate = weights - step / 2**halving
            if (less := _loss(candidate @ inputs, targets)) <= loss:
                break
        else:
            # no step lowers the loss: converged to the precision of the numbers
            break
        weights, loss = candidate, less
    return weights


def _loss(logits: Float64s, targets: Float64s) -> float:
    """Cross-entropy, summed, for logits of any size."""
    return float((np.logaddexp(0, logits) - targets * logits).sum())
