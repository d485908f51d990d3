"""Methods that train weights of the model itself, and what comes of them beside the base model and ridge."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...imaging import Progress
from ...json_text import to_json
from ...options import check_templates
from ..checkpoints.trained_file import hashed, read_trained_file, training_of
from ..encoding.assembly import assemble
from ..encoding.encoder import ClipEncoder, Encoder
from ..words.vocabulary import GIVEN_TEMPLATES
from .arms.captions import CaptionArms
from .arms.classes import ClassArms, spoken_names
from .arms.pairs import PairArms
from .arms.rows import Ints, PictureRows
from .base import Base
from .data.dataset import Example, Kind
from .heads.head import Head, head_bytes
from .heads.learn import Calibrated, calibrate, learn_head
from .measures.estimates import Measured
from .measures.verdict import BASE, CHANCE, RIDGE, TRAINED
from .options import TrainOptions
from .outcome import Outcome
from .runs.curves import Panel
from .runs.run import CALIBRATION, HEAD, LOG
from .trained_model import with_trained
from .tuning.base import TrainableBase
from .tuning.cost import Cost, Sizes, training_cost
from .tuning.pairs import Pairs
from .tuning.result import OnStep, Tuned
from .tuning.tune import tune

#: The least pairs of each label on val for Platt's numbers.
_LEAST_EACH = 10
#: Arms of one kind of data.
Arms = ClassArms | CaptionArms | PairArms


def tower_outcome(
    rows: PictureRows, kind: Kind, encoder: Encoder, options: TrainOptions, folder: Path, *, resume: bool = False,
    on_begin: Callable[[], None] | None = None, on_prepare: Progress | None = None, on_step: OnStep | None = None,
) -> Outcome:  # fmt: skip
    """The towers of the encoder trained on the rows, ``best.safetensors`` and checkpoints in the folder of the run.

    Raises as ``tune``, and InputError for data without a row to train on.
    """
    base = TrainableBase.of(encoder)
    train = rows_as_pairs(rows, np.setdiff1d(rows.learnt, rows.val), kind, options)
    val = rows_as_pairs(rows, rows.val, kind, options) if len(rows.val) else None
    tuned = tune(
        base, train, val, options, folder, resume=resume, on_begin=on_begin, on_prepare=on_prepare, on_step=on_step
    )  # fmt: skip
    trained = encoder_with(base, tuned.path)
    compared = _compared(rows, kind, encoder, trained, options)
    notes = (*_notes(tuned, options), *compared.notes)
    return Outcome(
        method=options.method, arms=compared.arms, files={LOG: (folder / LOG).read_bytes(), **compared.files},
        written=[tuned.path.name], panels=_panels(tuned, options), notes=notes,
        calibration=compared.calibration,
        chosen={
            "strength": tuned.strength, "own answers kept": tuned.retained, "learning rate": tuned.learning_rate,
            "step": float(tuned.best_step),
        },
        tried=[asdict(one) for one in tuned.strengths],
        classes=ClassArms.of(rows, encoder, options).classes if kind == "classes" else (),
    )  # fmt: skip


def cost_on(rows: PictureRows, kind: Kind, encoder: Encoder, options: TrainOptions) -> Cost:
    """What ``tower_outcome`` will take; raises InputError as it does."""
    train = rows_as_pairs(rows, np.setdiff1d(rows.learnt, rows.val), kind, options)
    val = rows_as_pairs(rows, rows.val, kind, options) if len(rows.val) else None
    texts = {*train.texts, *(val.texts if val else ())}
    sizes = Sizes(kind=kind, rows=len(train), val=len(val) if val else 0, texts=len(texts))
    return training_cost(encoder, options, sizes)


def rows_as_pairs(rows: PictureRows, places: Ints, kind: Kind, options: TrainOptions) -> Pairs:
    """Some of the rows as pairs of pictures and texts; a class has the text of the first template."""
    examples = [rows.examples[place] for place in places]
    if kind == "classes":
        classes = list(dict.fromkeys(str(one.label) for one in rows.examples))
        templates = [line.strip() for line in options.templates.splitlines() if line.strip()] or GIVEN_TEMPLATES
        check_templates(templates)
        texts = [templates[0].replace("{}", name) for name in spoken_names(classes)]
        text_of = dict(zip(classes, texts, strict=True))
        found = [(one, text_of[str(one.label)], 1.0) for one in examples]
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
    # without the hash it would have the fingerprint, and from the cache the embeddings, of any other training
    infos = with_trained(infos, [hashed(training_of(read_trained_file(path)))])
    built = base.encoder.built_from
    if built is None:
        raise InputError(f"{base.encoder.identity.name} was not built from files")
    # the two files were joined before
    return assemble(infos[0], infos[-1], built.options, trust_space=True)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Compared:
    """The arms on the test split, and how the probabilities of the trained model were calibrated by val alone."""

    arms: Mapping[str, Measured]
    files: Mapping[str, bytes] = field(default_factory=dict)
    calibration: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def _compared(rows: PictureRows, kind: Kind, encoder: Encoder, trained: Encoder, options: TrainOptions) -> _Compared:
    own = _arms(rows, kind, encoder, options)
    other = _arms(_seen_by(rows, trained), kind, trained, options)
    if isinstance(other, ClassArms):
        return _with_texts_head(other, own, encoder)
    files = dict[str, bytes]()
    if isinstance(other, PairArms):
        counts = np.bincount(other.labels[rows.val].astype(int), minlength=2)
        if counts.min() >= _LEAST_EACH:
            # on the pairs that were trained on the model is surer than on new ones
            fitted = replace(other, rows=replace(other.rows, learnt=rows.val)).calibration()
            files[CALIBRATION] = to_json(fitted.to_dict(), indent=2).encode() + b"\n"
    return _Compared(arms=_beside(own, encoder, other.base) if len(rows.test) else {}, files=files)


def _with_texts_head(trained: ClassArms, own: Arms, encoder: Encoder) -> _Compared:
    """The trained model's texts of the classes as a head, with the temperature that val gives their logits."""
    found = texts_head(trained)
    if found is None:
        return _Compared(arms={})
    head, calibrated = found
    arms = _beside(own, encoder, lambda: trained.head(head)) if len(trained.rows.test) else {}
    note = "there is no val, so the temperature of the probabilities is 1: they are as sure as training made them"
    return _Compared(
        arms=arms, files={HEAD: head_bytes(head)}, calibration=asdict(calibrated) if calibrated else {},
        notes=() if calibrated else (note,),
    )  # fmt: skip


def texts_head(trained: ClassArms) -> tuple[Head, Calibrated | None] | None:
    """The head that has the texts of the classes for weights, by which trained towers score; None without texts.

    Its temperature is fitted on val, which the weights were not trained on; without val it is 1.
    """
    if trained.texts is None:
        return None
    head = Head(
        kind="texts", classes=trained.classes, weights=trained.texts * np.float32(trained.encoder.logit_scale),
        bias=np.zeros(len(trained.classes), np.float32), temperature=1.0,
        base=Base.of(trained.encoder, with_texts=False), pictures=len(trained.rows.learnt),
    )  # fmt: skip
    val = trained.rows.val
    if not len(val):
        return head, None
    calibrated = calibrate(head.logits(trained.rows.vectors[val]), trained.labels[val])
    return replace(head, temperature=calibrated.temperature), calibrated


def _beside(own: Arms, encoder: Encoder, trained: Callable[[], Measured | None]) -> dict[str, Measured]:
    """What was trained on the test split, and what it is compared with."""
    arms = {BASE: own.base(), RIDGE: _ridge(own, encoder), TRAINED: trained(), CHANCE: own.chance()}
    return {name: one for name, one in arms.items() if one is not None}


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
    """The rows with the embeddings of the trained model, of those of val and of the test split."""
    vectors = np.zeros_like(rows.vectors)
    places = np.union1d(rows.val, rows.test)
    if len(places):
        found = trained.encode_images([rows.examples[place].picture for place in places]).to_features()
        vectors[places] = found.vectors
    return replace(rows, vectors=vectors)


def _panels(tuned: Tuned, options: TrainOptions) -> list[Panel]:
    loss = [(step, value) for step, value, _, _ in tuned.log if value is not None]
    metric = [(step, value) for step, _, _, value in tuned.log if value is not None]
    metrics = [(one.strength, one.metric) for one in tuned.strengths if one.metric is not None]
    kept = [(one.strength, one.retained) for one in tuned.strengths]
    panels = [
        Panel(title="Loss", x="step", y="loss", lines={"loss": loss}),
        Panel(title=f"{tuned.metric_name}, val", x="step", y=tuned.metric_name, lines={tuned.metric_name: metric}),
        Panel(
            title="What is learnt and what is kept, by strength", x="strength", y="fraction",
            lines={f"{tuned.metric_name}, val": metrics, "own answers kept": kept},
        ),
    ]  # fmt: skip
    if tuned.tried_rates:
        told = "loss" if options.rate_search == "range" else tuned.metric_name
        lines = {told: tuned.tried_rates}
        panels.append(
            Panel(title="Learning rates that were tried", x="learning rate", y=told, lines=lines, is_log=True)
        )
    return panels


def _notes(tuned: Tuned, options: TrainOptions) -> tuple[str, ...]:
    ended = f"training ended at step {tuned.steps}: {tuned.stopped}"
    if tuned.changes == ("text",) and options.vision_tower == "auto":
        cure = "vision_tower lora, or keep 0, trains it too, which takes longer and forgets more"
        return (ended, f"the vision tower was left as it is, so that it forgets nothing; {cure}", *tuned.notes)
    return (ended, *tuned.notes)
