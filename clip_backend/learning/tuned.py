"""Methods that train weights of the model itself, and what comes of them beside the base model and ridge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...imaging import Progress
from ...json_text import to_json
from ...options import check_templates
from ..checkpoints.trained_file import read_trained_file, training_of
from ..encoding.assembly import assemble
from ..encoding.encoder import ClipEncoder, Encoder
from ..words.vocabulary import GIVEN_TEMPLATES
from .arms.captions import CaptionArms
from .arms.classes import ClassArms
from .arms.pairs import PairArms
from .arms.rows import Ints, PictureRows
from .base import Base
from .data.dataset import Example, Kind
from .heads.learn import learn_head
from .measures.estimates import Measured
from .measures.verdict import BASE, CHANCE, RIDGE, TRAINED
from .options import TrainOptions
from .outcome import Outcome
from .runs.curves import Panel
from .runs.run import CALIBRATION, LOG
from .trained_model import with_trained
from .tuning.base import TrainableBase
from .tuning.pairs import Pairs
from .tuning.result import OnStep, Tuned
from .tuning.tune import tune

#: The least pairs of each label on val for Platt's numbers.
_LEAST_EACH = 10
#: Arms of one kind of data.
Arms = ClassArms | CaptionArms | PairArms


def tower_outcome(
    rows: PictureRows, kind: Kind, encoder: Encoder, options: TrainOptions, folder: Path, *, resume: bool = False,
    on_prepare: Progress | None = None, on_step: OnStep | None = None,
) -> Outcome:  # fmt: skip
    """The towers of the encoder trained on the rows, ``best.safetensors`` and checkpoints in the folder of the run.

    Raises as ``tune``, and InputError for data without a row to train on.
    """
    base = TrainableBase.of(encoder)
    train = rows_as_pairs(rows, np.setdiff1d(rows.learnt, rows.val), kind, options)
    val = rows_as_pairs(rows, rows.val, kind, options) if len(rows.val) else None
    tuned = tune(base, train, val, options, folder, resume=resume, on_prepare=on_prepare, on_step=on_step)
    trained = encoder_with(base, tuned.path)
    measured, calibration = _measured(rows, kind, encoder, trained, options)
    files = {LOG: (folder / LOG).read_bytes()} | ({CALIBRATION: calibration} if calibration else {})
    return Outcome(
        method=options.method, arms=measured, files=files, written=[tuned.path.name], panels=_panels(tuned),
        notes=_notes(tuned),
        chosen={
            "strength": tuned.strength, "own answers kept": tuned.retained, "learning rate": tuned.learning_rate,
            "step": float(tuned.best_step),
        },
        tried=[asdict(one) for one in tuned.strengths],
        classes=ClassArms.of(rows, encoder, options).classes if kind == "classes" else (),
    )  # fmt: skip


def rows_as_pairs(rows: PictureRows, places: Ints, kind: Kind, options: TrainOptions) -> Pairs:
    """Some of the rows as pairs of pictures and texts; a class has the text of the first template."""
    examples = [rows.examples[place] for place in places]
    if kind == "classes":
        classes = list(dict.fromkeys(str(one.label) for one in rows.examples))
        templates = [line.strip() for line in options.templates.splitlines() if line.strip()] or GIVEN_TEMPLATES
        check_templates(templates)
        texts = [templates[0].replace("{}", name.replace("_", " ").strip() or name) for name in classes]
        found = [(one, texts[classes.index(str(one.label))], 1.0) for one in examples]
    else:
        texts = list(dict.fromkeys(text for one in examples for text in one.texts))
        found = [(one, text, 0.0 if one.label is False else 1.0) for one in examples for text in one.texts]
    if not found:
        raise InputError("there is no example to train on; give val and test smaller shares, or add examples")
    return _pairs(kind, found, texts)


def _pairs(kind: Kind, found: Sequence[tuple[Example, str, float]], texts: Sequence[str]) -> Pairs:
    pictures = list(dict.fromkeys(one.picture for one, _, _ in found))
    picture_at = {picture: place for place, picture in enumerate(pictures)}
    text_at = {text: place for place, text in enumerate(texts)}
    return Pairs(
        kind=kind, pictures=pictures, texts=texts,
        picture_of=np.array([picture_at[one.picture] for one, _, _ in found], np.int64),
        text_of=np.array([text_at[text] for _, text, _ in found], np.int64),
        labels=np.array([label for _, _, label in found], np.float32),
    )  # fmt: skip


def encoder_with(base: TrainableBase, path: Path) -> ClipEncoder:
    """The base model with what was trained, at the strength that training chose."""
    infos = [base.vision] if base.text is base.vision else [base.vision, base.text]
    infos = with_trained(infos, [training_of(read_trained_file(path))])
    built = base.encoder.built_from
    if built is None:
        raise InputError(f"{base.encoder.identity.name} was not built from files")
    # the two files were joined before
    return assemble(infos[0], infos[-1], built.options, trust_space=True)


def _measured(
    rows: PictureRows, kind: Kind, encoder: Encoder, trained: Encoder, options: TrainOptions
) -> tuple[dict[str, Measured], bytes]:
    """The arms on the test split, and for pairs the file of a calibration of the trained model, by val alone."""
    own = _arms(rows, kind, encoder, options)
    other = _arms(_seen_by(rows, trained), kind, trained, options)
    calibration = b""
    if isinstance(other, PairArms):
        counts = np.bincount(other.labels[rows.val].astype(int), minlength=2)
        if counts.min() >= _LEAST_EACH:
            # on the pairs that were trained on the model is surer than on new ones
            fitted = replace(other, rows=replace(other.rows, learnt=rows.val)).calibration()
            calibration = to_json(fitted.to_dict(), indent=2).encode() + b"\n"
    if not len(rows.test):
        return {}, calibration
    arms = {BASE: own.base(), RIDGE: _ridge(own, encoder), TRAINED: other.base(), CHANCE: own.chance()}
    return {name: one for name, one in arms.items() if one is not None}, calibration


def _arms(rows: PictureRows, kind: Kind, encoder: Encoder, options: TrainOptions) -> Arms:
    if kind == "classes":
        return ClassArms.of(rows, encoder, options)
    if kind == "captions":
        return CaptionArms(rows=rows, encoder=encoder, options=options)
    return PairArms(rows=rows, encoder=encoder, options=options, metric="ROC-AUC")


def _ridge(arms: Arms, encoder: Encoder) -> Measured | None:
    if not isinstance(arms, ClassArms):
        return arms.ridge()
    pool = arms.pool()
    if not pool.checkable.any():
        return None
    return arms.head(learn_head(pool, Base.of(encoder, with_texts=False), "ridge").head)


def _seen_by(rows: PictureRows, trained: Encoder) -> PictureRows:
    """The rows with the embeddings of the trained model, of those that are measured on."""
    vectors = np.zeros_like(rows.vectors)
    if len(rows.test):
        found = trained.encode_images([rows.examples[place].picture for place in rows.test]).to_features()
        vectors[rows.test] = found.vectors
    return replace(rows, vectors=vectors)


def _panels(tuned: Tuned) -> list[Panel]:
    loss = [(step, value) for step, value, _, _ in tuned.log if value is not None]
    metric = [(step, value) for step, _, _, value in tuned.log if value is not None]
    metrics = [(one.strength, one.metric) for one in tuned.strengths if one.metric is not None]
    kept = [(one.strength, one.retained) for one in tuned.strengths]
    panels = [
        Panel(title="Loss", across="step", lines={"loss": loss}),
        Panel(title=f"{tuned.metric_name}, val", across="step", lines={tuned.metric_name: metric}),
        Panel(
            title="Strength: what is learnt, and what is kept", across="strength",
            lines={f"{tuned.metric_name}, val": metrics, "own answers kept": kept},
        ),
    ]  # fmt: skip
    if tuned.tried_rates:
        rates = Panel(
            title="Learning rates that were tried", across="rate", lines={"result": tuned.tried_rates}, is_log=True
        )
        panels.append(rates)
    return panels


def _notes(tuned: Tuned) -> tuple[str, ...]:
    return (f"training ended at step {tuned.steps}: {tuned.stopped}", *tuned.notes)
