"""What came of the pairs of a file: a result or a reason for each, and how well the model did where labels tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..calibration.metrics import accuracy, average_precision, best_threshold, roc_auc, roc_auc_interval
from ..matching.result import MatchResult
from .pairs_file import PairRow


@dataclass(frozen=True)
class PairResult:
    """One row of the file: either a result, or why there is none."""

    row: PairRow
    result: MatchResult | None = None
    error: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; every key is there in every row, with None where there is no result."""
        scores = self.result.to_dict() if self.result else {}
        names = {"row": self.row.number, "image_path": self.row.image, "text": self.row.text, "label": self.row.label}
        return names | {key: scores.get(key) for key in SCORE_KEYS} | {"error": self.error}


#: Of ``MatchResult.to_dict``; the picture's path stands in its own column.
SCORE_KEYS = (
    "cosine", "clip_score", "clip_score_100", "probability", "probability_scale", "percentile", "noise_floor",
    "verdict", "reason", "threshold", "threshold_scale", "model", "phrases", "dropped", "clip_similarity_score",
    "clip_match_status", "clip_is_match",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class PairMetrics:
    """How well cosines tell the labelled matches from the labelled mismatches."""

    #: Labelled pairs with a result, and those of them that are labelled as matches.
    pairs: int
    positives: int
    roc_auc: float
    #: Where the true area lies with 95 % confidence (Hanley & McNeil 1982).
    roc_auc_interval: tuple[float, float]
    average_precision: float
    #: The share of verdicts, match or not, that agree with the label.
    accuracy: float
    #: The cosine of highest balanced accuracy.
    best_threshold: float


@dataclass(frozen=True, kw_only=True)
class PairsReport:
    """All rows in their order; ``resumed`` of them were done by an earlier run that was stopped."""

    pairs: str
    #: The file with the results; None if they are here alone.
    out: str | None
    model: str
    results: tuple[PairResult, ...]
    resumed: int = 0
    metrics: PairMetrics | None = None
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.results)

    @property
    def done(self) -> int:
        """Rows with a result."""
        return sum(one.result is not None for one in self.results)

    @property
    def failed(self) -> int:
        """Rows without one; each says why."""
        return self.rows - self.done

    @property
    def status(self) -> str:
        """``ok``, ``partial`` when some rows failed, ``error`` when all did."""
        return "error" if not self.done else "partial" if self.failed else "ok"

    def labelled(self) -> tuple[list[bool], list[float]]:
        """The labels of the rows that have one, and their cosines: what a calibration is fitted to."""
        pairs = [(one.row.label, one.result.cosine) for one in self.results if one.result]
        told = [(label, cosine) for label, cosine in pairs if label is not None]
        return [label for label, _ in told], [cosine for _, cosine in told]

    def summary(self) -> dict[str, Any]:
        """Plain JSON values of all but the single rows; the keys are stable."""
        counts = {"rows": self.rows, "done": self.done, "failed": self.failed, "resumed": self.resumed}
        names = {"status": self.status, "pairs": self.pairs, "out": self.out, "model": self.model}
        metrics = asdict(self.metrics) if self.metrics else None
        return names | counts | {"metrics": metrics, "notes": list(self.notes)}

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; the keys are stable."""
        return self.summary() | {"results": [one.to_dict() for one in self.results]}


def measure(results: Sequence[PairResult]) -> PairMetrics | None:
    """How well the model did on the labelled rows; None unless there are labels of both kinds."""
    told = [(one.row.label, one.result) for one in results if one.result and one.row.label is not None]
    labels = [bool(label) for label, _ in told]
    positives = sum(labels)
    if not 0 < positives < len(labels):
        return None
    cosines = [result.cosine for _, result in told]
    area = roc_auc(labels, cosines)
    return PairMetrics(
        pairs=len(labels),
        positives=positives,
        roc_auc=area,
        roc_auc_interval=roc_auc_interval(area, positives, len(labels) - positives),
        average_precision=average_precision(labels, cosines),
        accuracy=accuracy(labels, [result.is_match for _, result in told]),
        best_threshold=best_threshold(labels, cosines),
    )
