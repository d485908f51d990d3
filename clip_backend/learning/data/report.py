"""The report of a data set: what it is, what is wrong in it, and how it is split."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from ....atomic import atomic_file
from ....csv_cells import csv_text
from ....errors import InputError, OutputError
from ....input_files import open_file
from .checks import CHECKS, STOPPING
from .dataset import Dataset, Finding
from .split import Split

#: The columns of the file of findings.
COLUMNS = ("severity", "check", "file", "row", "line", "picture", "message")
#: Findings of one check that a report shows; the file has all of them.
SHOWN = 10
Status = Literal["ok", "warnings", "errors"]


@dataclass(frozen=True, eq=False)
class DataReport:
    """What was found in a data set."""

    dataset: Dataset
    #: Errors before warnings, then in the order of ``CHECKS`` and of rows.
    findings: tuple[Finding, ...]
    #: Indices of examples that must not be trained on: unreadable pictures, contradictions and repetitions.
    left_out: frozenset[int]
    #: What was not checked, and why.
    unchecked: tuple[str, ...] = ()
    #: Share of random other texts that fit a picture better than its own, to the model; it is 0.5 by chance.
    lost_to_others: float | None = None
    split: Split | None = None
    #: What training the towers will take, see ``tuning/cost.py``; empty for methods that leave the model as it is.
    training: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, dataset: Dataset, findings: Sequence[Finding], left_out: frozenset[int], **others: Any) -> DataReport:
        """The report of these findings and of those of the data set itself."""
        return cls(dataset, _ordered([*dataset.findings, *findings]), left_out, **others)

    def with_split(self, split: Split) -> DataReport:
        """A copy with the split and its findings."""
        return replace(self, split=split, findings=_ordered([*self.findings, *split.findings]))

    @property
    def status(self) -> Status:
        """The worst of the findings."""
        if any(one.severity == "error" for one in self.findings):
            return "errors"
        return "warnings" if self.findings else "ok"

    @property
    def stops(self) -> tuple[Finding, ...]:
        """The errors for which nothing should be trained at all."""
        return tuple(one for one in self.findings if one.severity == "error" and one.check in STOPPING)

    def check_trainable(self) -> None:
        """Raises InputError where nothing should be trained."""
        if self.stops:
            more = f"; and {len(self.stops) - 1} more" if len(self.stops) > 1 else ""
            where = f"{self.stops[0].where}: " if self.stops[0].where else ""
            raise InputError(f"{self.dataset.path} cannot be trained on: {where}{self.stops[0].message}{more}")

    @cached_property
    def labels(self) -> dict[str, int]:
        """How many usable examples have each class or label; empty for captions."""
        used = [one.label for place, one in enumerate(self.dataset.examples) if place not in self.left_out]
        counts = Counter(str(int(one)) if isinstance(one, bool) else one for one in used if one is not None)
        return dict(counts.most_common())

    def by_check(self) -> dict[str, list[Finding]]:
        """All findings of each check, in the order of ``findings``."""
        found: dict[str, list[Finding]] = {}
        for one in self.findings:
            found.setdefault(one.check, []).append(one)
        return found

    def to_dict(self) -> dict[str, Any]:
        """For JSON; at most ``SHOWN`` findings of each check."""
        checks = [
            {"check": check, "what": CHECKS[check], "severity": of_check[0].severity, "count": len(of_check),
             "findings": [one.to_dict() for one in of_check[:SHOWN]]}
            for check, of_check in self.by_check().items()
        ]  # fmt: skip
        severities = Counter(one.severity for one in self.findings)
        return {
            "status": self.status, **self.dataset.to_dict(), "usable": len(self.dataset.examples) - len(self.left_out),
            "labels": self.labels, "errors": severities["error"], "warnings": severities["warning"], "checks": checks,
            "unchecked": list(self.unchecked), "lost_to_others": self.lost_to_others,
            "split": self.split.to_dict() if self.split else None, "training": dict(self.training),
        }  # fmt: skip

    def findings_csv(self) -> str:
        """All findings as a CSV file."""
        rows = [
            (one.severity, one.check, one.file, one.row, one.line, one.picture, one.message) for one in self.findings
        ]
        return csv_text(COLUMNS, rows)

    def save_findings(self, path: Path, *, overwrite: bool = False) -> None:
        """Writes all findings to a CSV file, whole or not at all.

        Raises OutputError if it cannot be written, and, without ``overwrite``, for a file of anything else.
        """
        check_findings_target(path, overwrite=overwrite)
        with atomic_file(path) as file:
            file.write(self.findings_csv().encode("utf-8", "replace"))


def check_findings_target(path: Path, *, overwrite: bool = False) -> None:
    """Raises OutputError, without ``overwrite``, for a file of anything but findings."""
    if os.path.lexists(path) and not overwrite and not _is_findings(path):
        raise OutputError(f"{path} is there and holds no findings; choose another name, or allow overwriting")


def _is_findings(path: Path) -> bool:
    head = ",".join(COLUMNS).encode()
    try:
        with open_file(path) as file:
            return file.read(len(head)) == head
    except (InputError, OSError):
        return False


def _ordered(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Each once."""
    order = {check: place for place, check in enumerate(CHECKS)}

    def key(one: Finding) -> tuple[object, ...]:
        return one.severity != "error", order[one.check], one.file, one.row is None, one.row or 0, one.picture

    return tuple(sorted(dict.fromkeys(findings), key=key))
