"""A finished run, measured on pictures that it was not trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import InputError, SpaceError
from ..calibration.calibration import read_calibration
from ..checkpoints.trained_file import hashed, read_trained_file, training_of
from ..finding.catalog import short_model_name
from .arms.captions import CaptionArms
from .arms.classes import ClassArms
from .arms.pairs import MATCH, PairArms
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
    SpaceError for an encoder that is not that of the run.
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
        check_unseen(saved, dataset, prepared.inspected, by_prompt=run.train_options().group_prompts)
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
    """Raises SpaceError unless the encoder is the base of the run, with the weights that the run trained if it did."""
    if not (folder / BEST).is_file():
        run.base.check_pictures(encoder, f"the run {folder.name}")
        return
    own = hashed(training_of(read_trained_file(folder / BEST)))
    # torch is imported where it computes, not with the API
    from ..encoding.encoder import ClipEncoder

    built = encoder.built_from if isinstance(encoder, ClipEncoder) else None
    if own.strength and (built is None or own.digest not in {one.digest for one in built.vision.trained}):
        name = short_model_name(encoder.identity.name)
        what = f"is the model that {folder} was trained on, without what was trained"
        if encoder.identity.fingerprint != run.base.fingerprint:
            what = f"is another model than that of {folder}, which was trained on {run.base.name}"
        raise SpaceError(f"{name} {what}; leave model out, or load the run itself")


def _arms(run: Run, folder: Path, rows: PictureRows, encoder: Encoder) -> dict[str, Measured]:
    wanted = run.train_options()
    options = replace(TrainOptions(), seed=wanted.seed, templates=wanted.templates)
    if run.kind == "classes":
        head = read_head(folder / HEAD) if (folder / HEAD).is_file() else None
        classes = ClassArms.of(rows, encoder, options, head.classes if head else run.classes)
        plain = classes.base()
        if head is None:
            return {TRAINED: plain} if plain else {}
        head.check(encoder)
        # what trained towers give without a head is not the base model's
        base = {BASE: plain} if plain and run.method not in TOWER_METHODS else {}
        return {**base, TRAINED: classes.head(head)}
    if run.kind == "pairs":
        pairs = PairArms(rows=rows, encoder=encoder, options=options, metric="ROC-AUC")
        if not np.any(pairs.labels) or np.all(pairs.labels):
            raise InputError("all pairs have one label; give some that match and some that do not")
        if not (folder / CALIBRATION).is_file():
            return {TRAINED: pairs.base()}
        calibration = read_calibration(folder / CALIBRATION)
        calibration.check(encoder, MATCH)
        found = {TRAINED: pairs.platt(calibration)}
        return found if run.method in TOWER_METHODS else {BASE: pairs.base(), **found}
    return {TRAINED: CaptionArms(rows=rows, encoder=encoder, options=options).base()}
