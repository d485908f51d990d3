"""The report of a training: JSON with stable keys, and the same in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..measures.estimates import Measured
from ..measures.verdict import Verdict
from .run import Run

#: Version of the report's layout.
VERSION = 1
#: Classes whose confusion is shown as a table.
_MOST_CLASSES = 20


@dataclass(frozen=True, kw_only=True, eq=False)
class Report:
    """What was compared on the test split, and what follows."""

    run: Run
    #: Sizes of train, val and test, and how the groups were made.
    data: Mapping[str, Any]
    #: Results by the names of ``measures/verdict.py``; empty without a test split.
    arms: Mapping[str, Measured]
    #: None without a test split.
    verdict: Verdict | None
    #: How often the test split was used, this time included.
    test_openings: int
    #: The values that were chosen, by name.
    chosen: Mapping[str, float]
    #: Everything that was compared to choose them.
    tried: Sequence[Mapping[str, Any]]
    #: What the temperature or Platt's numbers did to probabilities of rows that were left out; empty if nothing.
    calibration: Mapping[str, float]
    notes: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What follows, in words."""
        if self.verdict:
            return self.verdict.sentence
        cure = "give test a share above 0"
        if self.run.options.get("test"):
            cure = "too few pictures are unlike; add others, or turn group_prompts off if they share only the prompt"
        return f"There is no test split, so nothing is known about new pictures; {cure}."

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; keys are added, never renamed."""
        return {
            "clip_grid": "training report", "version": VERSION, "method": self.run.method, "kind": self.run.kind,
            "model": self.run.base.name, "classes": list(self.run.classes), "data": dict(self.data),
            "test_openings": self.test_openings,
            "results": {name: measured.to_dict() for name, measured in self.arms.items()},
            "metric": next((measured.metric for measured in self.arms.values()), None),
            **(self.verdict.to_dict() if self.verdict else {"verdict": None, "sentence": self.sentence}),
            "chosen": dict(self.chosen), "tried": [dict(one) for one in self.tried],
            "calibration": dict(self.calibration), "options": dict(self.run.options),
            "versions": dict(self.run.versions), "notes": list(self.notes),
        }  # fmt: skip

    def to_markdown(self) -> str:
        """The report as Markdown."""
        return "\n".join(self._lines()) + "\n"

    def table(self) -> list[list[str]]:
        """See ``metric_table``."""
        return metric_table(self.arms)

    def _lines(self) -> Iterator[str]:
        run, data = self.run, self.data
        yield f"# {run.method} on {run.data}"
        yield ""
        yield f"**{self.sentence}**"
        yield ""
        yield f"- base model: {run.base.name} (`{run.base.fingerprint}`)"
        sizes = ", ".join(f"{data.get(part, 0)} {part}" for part in ("train", "val", "test"))
        yield f"- data: {data.get('layout', run.kind)}; {sizes}, {data.get('groups', 0)} groups"
        if run.classes:
            yield f"- classes: {', '.join(run.classes)}"
        yield f"- chosen: {', '.join(f'{name} {value:g}' for name, value in self.chosen.items()) or 'nothing'}"
        yield f"- the test split was used {_times(self.test_openings)}"
        if self.arms:
            yield from ("", "## Test split", "", "With intervals of 95 %, by drawing groups again.", "")
            yield from _markdown_table(self.table())
        trained = self.arms.get("trained")
        if trained and trained.confusion and len(run.classes) <= _MOST_CLASSES:
            yield from (
                "",
                "## Which class is taken for which",
                "",
                "Rows are true classes, columns predicted ones.",
                "",
            )
            names = run.classes or ("no match", "match")
            cells = [[name, *map(str, row)] for name, row in zip(names, trained.confusion, strict=True)]
            yield from _markdown_table([["", *names], *cells])
        if self.calibration:
            yield from ("", "## Probabilities, on rows that were left out", "")
            yield from (f"- {name.replace('_', ' ')}: {value:.4g}" for name, value in self.calibration.items())
        if self.notes:
            yield from ("", "## Notes", "")
            yield from (f"- {note}" for note in self.notes)


#: The metrics of the table, as far as the kind of data has them.
_SHOWN = (
    "accuracy", "balanced accuracy", "macro F1", "ROC-AUC", "average precision", "recall at 1",
    "recall at 5, picture to text", "recall at 5, text to picture", "log-loss", "ECE, equal mass",
)  # fmt: skip


def metric_table(arms: Mapping[str, Measured]) -> list[list[str]]:
    """A row for each arm: its name and its main metrics, each with its interval; the first row names them."""
    if not arms:
        return []
    measured = next(iter(arms.values()))
    shown = [name for name in _SHOWN if name in measured.estimates]
    return [["", *shown], *([name, *(str(arm.estimates[metric]) for metric in shown)] for name, arm in arms.items())]


def _times(count: int) -> str:
    return {0: "never", 1: "once"}.get(count, f"{count} times")


def _markdown_table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    # names of classes may have line breaks
    head, *others = [[" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in rows]
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    yield from (f"| {' | '.join(row)} |" for row in others)
