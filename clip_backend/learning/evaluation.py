"""A finished run, measured on pictures that it was not trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import InputError, SpaceError
from ..calibration.calibration import read_calibration
from ..checkpoints.trained_file import read_trained_file
from ..finding.catalog import short_model_name
from .arms.captions import CaptionArms
from .arms.classes import ClassArms
from .arms.pairs import PairArms
from .arms.rows import PictureRows
from .data.prepare import PreparedData
from .data.split import read_split
from .data.splits import check_unseen
from .heads.head import read_head
from .measures.estimates import Measured
from .measures.verdict import BASE, TRAINED
from .options import TOWER_METHODS, TrainOptions
from .runs.run import BEST, CALIBRATION, HEAD, SPLIT, Run, open_test_split, read_run

if TYPE_CHECKING:
    from ..encoding.encoder import Encoder

#: Which of the given pictures are measured on.
EVERY, TEST = "all", "test"


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """How a run does on other pictures."""

    run: Run
    #: "base" and "trained".
    arms: Mapping[str, Measured]
    #: How often the test split of the run was used; None if none of its pictures were among these.
    test_openings: int | None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; the keys are stable."""
        return {
            "method": self.run.method, "kind": self.run.kind, "model": self.run.base.name,
            "results": {name: arm.to_dict() for name, arm in self.arms.items()},
            "test_openings": self.test_openings, "notes": list(self.notes),
        }  # fmt: skip


def evaluate_on(
    folder: Path, prepared: PreparedData, encoder: Encoder, *, which: str = EVERY, allow_trained: bool = False
) -> Evaluation:
    """The metrics of the run in a folder on prepared data, in which the parts of the split count for nothing.

    encoder: that of the run, its trained weights included. which: "test" for the pictures of the run's own test split
    alone. allow_trained: also measure on pictures whose group was trained on or chosen by, with a note.
    Raises InputError for such pictures, for labels that the run does not know, and without a picture to measure on;
    SpaceError for another model.
    """
    run, saved = read_run(folder), read_split(folder / SPLIT)
    _check_model(run, folder, encoder)
    dataset = prepared.dataset
    if dataset.kind != run.kind:
        raise InputError(
            f"the run learnt {run.kind}, and {dataset.path.name} holds {dataset.kind}; give data of one kind"
        )
    test = {one.signature.hash for one in saved.pictures if one.part == "test"}
    hashes = prepared.split.hashes
    places = [place for place, part in enumerate(prepared.split.parts) if part]
    notes = list[str]()
    if which == TEST:
        places = [place for place in places if hashes[place] in test]
    elif not allow_trained:
        by_prompt = bool(run.options.get("group_prompts", True))
        check_unseen(saved, dataset, prepared.inspected, by_prompt=by_prompt)
    else:
        notes.append("pictures that were trained on count too: what is measured says little about new pictures")
    rows = PictureRows.of(prepared, places).measuring_only()
    arms = _arms(run, folder, rows, encoder)
    # only now was the test split really used
    is_test = any(hashes[place] in test for place in places)
    openings = open_test_split(folder) if is_test else None
    if openings is not None and openings > 1:
        notes.append(
            f"the test split was used {openings} times: if anything was changed because of what it said, it does not "
            "measure new pictures any more"
        )
    return Evaluation(run=run, arms=arms, test_openings=openings, notes=tuple(notes))


def _check_model(run: Run, folder: Path, encoder: Encoder) -> None:
    """Raises SpaceError for the model that towers were trained on, without what was trained."""
    if not (folder / BEST).is_file() or not read_trained_file(folder / BEST).strength:
        return
    if encoder.identity.fingerprint == run.base.fingerprint:
        raise SpaceError(
            f"{short_model_name(encoder.identity.name)} is the model that {folder} was trained on, without what was "
            "trained; leave model out, or load the run itself"
        )


def _arms(run: Run, folder: Path, rows: PictureRows, encoder: Encoder) -> dict[str, Measured]:
    options = replace(
        TrainOptions(), seed=int(run.options.get("seed", 0)), templates=str(run.options.get("templates", ""))
    )
    if run.kind == "classes":
        head = read_head(folder / HEAD) if (folder / HEAD).is_file() else None
        classes = ClassArms.of(rows, encoder, options, run.classes)
        plain = classes.base()
        if head is None:
            return {TRAINED: plain} if plain else {}
        head.check(encoder)
        # what the encoder gives without the head of trained towers is not the base model's
        base = {BASE: plain} if plain and run.method not in TOWER_METHODS else {}
        return {**base, TRAINED: classes.head(head)}
    if run.kind == "pairs":
        pairs = PairArms(rows=rows, encoder=encoder, options=options, metric="ROC-AUC")
        if not np.any(pairs.labels) or np.all(pairs.labels):
            raise InputError("all pairs have one label; give some that match and some that do not")
        if not (folder / CALIBRATION).is_file():
            return {TRAINED: pairs.base()}
        return {BASE: pairs.base(), TRAINED: pairs.platt(read_calibration(folder / CALIBRATION))}
    return {TRAINED: CaptionArms(rows=rows, encoder=encoder, options=options).base()}
