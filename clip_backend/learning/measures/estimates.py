"""A metric with its interval: the groups of the data are drawn again with replacement, a thousand times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ....errors import InputError
from ...scoring.scales import Float64s

#: Draws, and their least number where the rows are so many that fewer are taken.
DRAWS, LEAST_DRAWS = 1000, 200
#: Numbers of all draws together.
_MOST_WEIGHTS = 20_000_000


@dataclass(frozen=True)
class Estimate:
    """A metric, and where it lies with 95 % confidence."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float | list[float]]:
        """Plain JSON values."""
        return {"value": self.value, "interval": [self.low, self.high]}

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """The metrics of one model on one set of rows."""

    rows: int
    groups: int
    #: The metric that models are compared by; one of ``estimates``.
    metric: str
    estimates: Mapping[str, Estimate]
    #: ``metric`` of each draw [R], negated where less of it is better, in which two models that are measured on the
    #: same rows may be compared.
    draws: Float64s
    #: Rows by true class and by predicted class, in the order of the classes; empty for other kinds of data.
    confusion: tuple[tuple[int, ...], ...] = ()
    #: Points of the curve of precision and recall, for pairs.
    curve: tuple[tuple[float, float], ...] = ()

    @property
    def main(self) -> Estimate:
        """What models are compared by."""
        return self.estimates[self.metric]

    def to_dict(self) -> dict[str, object]:
        """Plain JSON values."""
        found = {name: one.to_dict() for name, one in self.estimates.items()}
        more = {"confusion": [list(row) for row in self.confusion]} if self.confusion else {}
        curve = {"precision_recall": [list(point) for point in self.curve]} if self.curve else {}
        return {"rows": self.rows, "groups": self.groups, **found, **more, **curve}


def draw_weights(groups: Sequence[str], seed: int) -> Float64s:
    """How often each row counts in each draw [R, N]; the first draw is the data itself, each row once.

    Groups are drawn, as many as there are, so that rows that belong together count together. Equal for equal groups
    and seeds, so that two models are compared in the same draws. Raises InputError without rows.
    """
    if not groups:
        raise InputError("there is nothing to measure on; give at least one picture")
    _, place = np.unique(np.array(groups), return_inverse=True)
    count = int(place.max()) + 1
    draws = int(np.clip(_MOST_WEIGHTS // len(groups), LEAST_DRAWS, DRAWS))
    random = np.random.default_rng(seed)
    counts = np.stack([np.ones(count), *(np.bincount(random.integers(count, size=count), minlength=count)
                                         for _ in range(draws))])  # fmt: skip
    weights: Float64s = counts[:, place.reshape(-1)]
    return weights


def estimated(values: Float64s) -> Estimate:
    """The value on the data, and its interval, from those of all draws [R], the data first; NaN ones do not count."""
    known = values[1:][~np.isnan(values[1:])]
    low, high = np.percentile(known, [2.5, 97.5]) if known.size else (np.nan, np.nan)
    return Estimate(float(values[0]), float(low), float(high))


def difference(one: Measured, other: Measured) -> Estimate:
    """How much better ``one`` is in the metric of both, from the same draws.

    Raises InputError for two metrics, and for different rows.
    """
    if (one.metric, one.rows, len(one.draws)) != (other.metric, other.rows, len(other.draws)):
        raise InputError(f"{one.metric} of {one.rows} rows cannot be compared with {other.metric} of {other.rows}")
    return estimated(one.draws - other.draws)


def ratio(above: Float64s, below: Float64s) -> Float64s:
    """above / below, and NaN where below is 0."""
    quotient: Float64s = np.divide(above, below, out=np.full(np.broadcast(above, below).shape, np.nan), where=below > 0)
    return quotient
