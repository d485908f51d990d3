"""Methods that leave the model as it is: heads for classes, and Platt's two numbers for pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, cast

import numpy as np

from ...errors import InputError
from ...json_text import to_json
from .arms.classes import ClassArms
from .arms.pairs import PairArms
from .arms.rows import PictureRows
from .base import Base
from .heads.head import HeadKind, head_bytes
from .heads.learn import Learnt, Tried, learn_best, learn_head
from .measures.estimates import Measured
from .measures.verdict import BASE, CHANCE, RIDGE, TRAINED
from .options import TrainOptions
from .outcome import Outcome
from .runs.curves import Panel
from .runs.run import CALIBRATION, HEAD

if TYPE_CHECKING:
    from ..encoding.encoder import Encoder


def head_outcome(rows: PictureRows, encoder: Encoder, options: TrainOptions) -> Outcome:
    """A head for the classes of the examples; raises as ``learn_head``."""
    arms = ClassArms.of(rows, encoder, options)
    pool, base = arms.pool(), Base.of(encoder, with_texts=False)
    if options.method == "auto":
        learnt = learn_best(pool, base, options)
    else:
        learnt = learn_head(pool, base, cast(HeadKind, options.method), options)
    is_ridge = learnt.head.kind == "ridge"
    baseline = learnt if is_ridge else learn_head(pool, base, "ridge") if pool.checkable.any() else None
    measured = dict[str, Measured]()
    if len(rows.test):
        found = {BASE: arms.base(), RIDGE: arms.head(baseline.head) if baseline else None}
        measured = {name: one for name, one in found.items() if one}
        measured |= {TRAINED: arms.head(learnt.head), CHANCE: arms.chance()}
    has_ridge = any(one.method == "ridge" for one in learnt.tried)
    tried = (*learnt.tried, *(baseline.tried if baseline and not has_ridge else ()))
    notes = (*learnt.notes, *_unused(options))
    if arms.texts is None:
        notes = (*notes, f"{base.name} has no text encoder, so there is no result of the base model by the names alone")
    return Outcome(
        method=learnt.head.kind, arms=measured, chosen=_chosen(learnt), tried=_tried(tried),
        calibration=asdict(learnt.calibrated) if learnt.calibrated else {}, files={HEAD: head_bytes(learnt.head)},
        panels=list(_panels(tried)), classes=pool.classes, notes=notes,
    )  # fmt: skip


def platt_outcome(rows: PictureRows, encoder: Encoder, options: TrainOptions) -> Outcome:
    """A calibration for labelled pairs; raises as ``fit_calibration``."""
    arms = PairArms(rows=rows, encoder=encoder, options=options, metric="log-loss")
    calibration = arms.calibration()
    measured = dict[str, Measured]()
    if len(rows.test):
        kinds = np.unique(arms.labels[rows.test])
        if len(kinds) < 2:
            raise InputError(
                f"all {len(rows.test)} pairs of the test split have the label {int(kinds[0])}; give test a larger "
                "share, or add pairs of the other label that are not copies of these"
            )
        measured = {
            BASE: arms.base(), RIDGE: arms.ridge(), TRAINED: arms.platt(calibration), CHANCE: arms.chance(),
        }  # fmt: skip
    panel = Panel(
        title="Precision over recall, test split", x="recall", y="precision",
        lines={name: one.curve for name, one in measured.items() if name in (BASE, RIDGE)},
    )  # fmt: skip
    return Outcome(
        method="platt", arms=measured, chosen={"slope": calibration.slope, "intercept": calibration.intercept},
        files={CALIBRATION: to_json(calibration.to_dict(), indent=2).encode() + b"\n"}, panels=[panel],
        notes=(*calibration.notes, *_unused(options)),
    )  # fmt: skip


def _unused(options: TrainOptions) -> Iterator[str]:
    """A note on options that mean something to other methods only."""
    if given := [name for name in ("epochs", "steps") if getattr(options, name)]:
        yield f"{' and '.join(given)} had no effect: a frozen model is learnt from at once; lora takes steps"


def _chosen(learnt: Learnt) -> dict[str, float]:
    return {**learnt.setting, "temperature": learnt.head.temperature}


def _tried(tried: Sequence[Tried]) -> list[dict[str, object]]:
    names = dict.fromkeys(name for one in tried for name in one.setting)
    return [
        {"method": one.method, **{name: one.setting.get(name) for name in names}, "loss": one.loss,
         "accuracy": one.accuracy}
        for one in tried
    ]  # fmt: skip


def _panels(tried: Sequence[Tried]) -> Iterator[Panel]:
    """The accuracy on left out pictures over the setting of each method that has one."""
    methods = dict.fromkeys(one.method for one in tried if one.setting and one.accuracy is not None)
    for method in methods:
        own = [one for one in tried if one.method == method and one.accuracy is not None]
        first, *others = own[0].setting
        lines: dict[str, list[tuple[float, float]]] = {}
        for one in own:
            name = ", ".join(f"{other} {one.setting[other]:.3g}" for other in others) or "accuracy"
            lines.setdefault(name, []).append((one.setting[first], one.accuracy or 0.0))
        # of many lines the best ones
        best = sorted(lines, key=lambda name: -max(height for _, height in lines[name]))[:5]
        yield Panel(
            title=f"{method}: accuracy on left out pictures", x=first, y="accuracy",
            lines={name: lines[name] for name in lines if name in best},
            is_log=all(one.setting[first] > 0 for one in own),
        )  # fmt: skip
