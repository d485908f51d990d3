"""What a method made of a data set, before it is reported and written."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .measures.estimates import Measured
from .runs.curves import Panel


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """The result of one method, and what it is compared with."""

    #: Never "auto".
    method: str
    #: Results by the names of ``measures/verdict.py``; empty without a test split.
    arms: Mapping[str, Measured]
    #: The values that were chosen.
    chosen: Mapping[str, float] = field(default_factory=dict)
    #: Everything that was compared to choose them; equal names in each.
    tried: Sequence[Mapping[str, Any]] = ()
    calibration: Mapping[str, float] = field(default_factory=dict)
    #: The content of files of the run, by name, that are not written yet.
    files: Mapping[str, bytes] = field(default_factory=dict)
    #: The names of those that are.
    written: Collection[str] = ()
    panels: Sequence[Panel] = ()
    #: Classes in the order of the head's logits; empty for other kinds of data.
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
