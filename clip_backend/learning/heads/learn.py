"""A head by one method or by the best of several, with its temperature and everything that was tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ....errors import InputError
from ...scoring.scales import Float64s, softmax
from ..base import Base
from ..measures.classes import calibration_error_by_chance, expected_calibration_error, log_loss
from ..options import TrainOptions
from .head import Head, HeadKind
from .lda import LdaMethod
from .logistic import LogisticMethod
from .method import Method, Setting
from .nearest import NearestMethod
from .pool import Pool
from .ridge import RidgeMethod
from .temperature import fit_temperature
from .tip import TipMethod

#: Alpha and beta of the paper, which suit its models and its data.
PUBLISHED_TIP = (1.17, 1.0)
#: Rows of a class from which on LDA can estimate a covariance, and logistic regression is worth its time.
LEAST_FOR_LDA, LEAST_FOR_LOGISTIC = 4, 65


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One setting and how it did on rows that were left out."""

    method: HeadKind
    setting: Setting
    #: What the method chooses by; smaller is better. None where no row can be left out.
    loss: float | None
    #: The share of left out rows that were right.
    accuracy: float | None


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """What the temperature did to the probabilities of the rows that were left out."""

    temperature: float
    log_loss_before: float
    log_loss_after: float
    ece_before: float
    ece_after: float
    #: What the calibration error of so few rows would be by chance if the probabilities were right.
    ece_by_chance: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Learnt:
    """A head, and how it came about."""

    head: Head
    setting: Setting
    tried: tuple[Tried, ...]
    #: None where no row can be left out.
    calibrated: Calibrated | None
    #: Which rows were right when they were left out; of those that can be [M].
    left_out_right: tuple[bool, ...]
    notes: tuple[str, ...] = ()


def learn_head(pool: Pool, base: Base, method: HeadKind, options: TrainOptions | None = None) -> Learnt:
    """The head of a method, its setting chosen by rows that are left out together with their group.

    Raises InputError for a method that the pool does not suit.
    """
    wanted = options or TrainOptions()
    makers: Mapping[HeadKind, Callable[[Pool], Method]] = {
        "nearest": NearestMethod, "ridge": RidgeMethod, "logistic": LogisticMethod, "lda": LdaMethod,
        "tip": lambda pool: TipMethod(pool, alpha=wanted.tip_alpha, beta=wanted.tip_beta),
    }  # fmt: skip
    made = makers[method](pool)
    if not pool.checkable.any():
        if method != "nearest":
            raise InputError(
                f"{method} needs two pictures of some class that are no copies of each other, since its settings and "
                "its temperature are checked on pictures that it has not learnt from; add pictures, or choose nearest"
            )
        return _unchecked(pool, base, made)
    left_out = made.left_out()
    losses = made.losses(left_out)
    best = max(range(len(losses)), key=lambda place: (-losses[place], place))
    tried = tuple(
        Tried(method=method, setting=setting, loss=loss, accuracy=float(_right(pool, logits).mean()))
        for setting, loss, logits in zip(made.settings, losses, left_out, strict=True)
    )
    rows = pool.checkable
    calibrated = calibrate(left_out[best][rows], pool.labels[rows])
    head = _head(pool, base, made, made.settings[best], calibrated.temperature)
    notes = _tip_notes(pool, wanted, tried[best]) if method == "tip" else ()
    right = tuple(bool(one) for one in _right(pool, left_out[best]))
    return Learnt(head=head, setting=made.settings[best], tried=tried, calibrated=calibrated, left_out_right=right,
                  notes=(*_unchecked_note(pool), *notes))  # fmt: skip


def calibrate(logits: Float64s, labels: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Calibrated:
    """The temperature for these logits [N, K], and what it does to their probabilities; log-loss never rises."""
    temperature = fit_temperature(logits, labels)
    before, after = softmax(logits), softmax(logits / temperature)
    if log_loss(after, labels) > log_loss(before, labels):
        temperature, after = 1.0, before
    return Calibrated(
        temperature=temperature,
        log_loss_before=log_loss(before, labels),
        log_loss_after=log_loss(after, labels),
        ece_before=expected_calibration_error(before, labels),
        ece_after=expected_calibration_error(after, labels),
        ece_by_chance=calibration_error_by_chance(after),
    )


def candidates(pool: Pool) -> tuple[HeadKind, ...]:
    """The methods that auto compares, by the pictures of the smallest class; the first is the one to beat."""
    least = int(pool.counts.min())
    if not pool.checkable.any() or least == 1:
        return ("nearest",)
    more: tuple[HeadKind, ...] = ("lda",) if least >= LEAST_FOR_LDA else ()
    return ("ridge", *more, *(("logistic",) if least >= LEAST_FOR_LOGISTIC else ()))


def learn_best(pool: Pool, base: Base, options: TrainOptions | None = None) -> Learnt:
    """The first candidate, unless another is right about more left out rows than chance explains.

    Source: McNemar 1947: of the rows that one alone is right about, the other is better where it has more than half of
    them by 1.96 standard deviations.
    """
    first, *others = (learn_head(pool, base, method, options) for method in candidates(pool))
    best, notes = first, list[str]()
    for other in others:
        own, its = np.array(first.left_out_right), np.array(other.left_out_right)
        only_its, only_own = int((its & ~own).sum()), int((own & ~its).sum())
        if only_its - only_own > 1.96 * (only_its + only_own) ** 0.5 and its.sum() > np.sum(best.left_out_right):
            best = other
        notes.append(
            f"{other.head.kind}: {its.mean():.1%} of the left out pictures right, {first.head.kind}: {own.mean():.1%}"
        )
    tried = tuple(one for learnt in (first, *others) for one in learnt.tried)
    return Learnt(head=best.head, setting=best.setting, tried=tried, calibrated=best.calibrated,
                  left_out_right=best.left_out_right, notes=(*best.notes, *notes))  # fmt: skip


def _right(pool: Pool, logits: Float64s) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    rows = pool.checkable
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = logits[rows].argmax(axis=1) == pool.labels[rows]
    return found


def _head(pool: Pool, base: Base, method: Method, setting: Setting, temperature: float) -> Head:
    parts = method.parts(setting)
    return Head(
        kind=method.kind, classes=pool.classes, weights=parts.weights.astype(np.float32),
        bias=parts.bias.astype(np.float32), temperature=temperature, base=base, examples=parts.examples,
        pictures=len(pool),
    )  # fmt: skip


def _unchecked(pool: Pool, base: Base, method: Method) -> Learnt:
    setting = method.settings[0]
    note = (
        "every class has one picture, or copies of one, so nothing could be left out to check the head on: its "
        f"text_share of {setting['text_share']:g} and its probabilities are unchecked; add pictures"
    )
    head = _head(pool, base, method, setting, 1.0)
    tried = (Tried(method=method.kind, setting=setting, loss=None, accuracy=None),)
    return Learnt(head=head, setting=setting, tried=tried, calibrated=None, left_out_right=(), notes=(note,))


def _unchecked_note(pool: Pool) -> tuple[str, ...]:
    alone = [name for name, groups in zip(pool.classes, pool.groups_per_class, strict=True) if groups == 1]
    if not alone:
        return ()
    return (
        f"settings and temperature were not checked on {', '.join(map(repr, alone))}: one picture, or copies of one, "
        "cannot be left out; add pictures of it",
    )


def _tip_notes(pool: Pool, options: TrainOptions, chosen: Tried) -> tuple[str, ...]:
    """A warning where alpha or beta were given and chosen ones do better on left out rows."""
    if not (options.tip_alpha or options.tip_beta):
        return ()
    tuned = TipMethod(pool)
    left_out = tuned.left_out()
    best = int(np.argmin(tuned.losses(left_out)))
    accuracy = float(_right(pool, left_out[best]).mean())
    if accuracy <= (chosen.accuracy or 0):
        return ()
    given, better = (
        "alpha {alpha:g} and beta {beta:g}".format(**one) for one in (chosen.setting, tuned.settings[best])
    )
    published = " of the paper" if (options.tip_alpha, options.tip_beta) == PUBLISHED_TIP else ""
    return (
        f"{given}{published} are right about {chosen.accuracy:.1%} of the left out pictures, {better} about "
        f"{accuracy:.1%}; leave out tip_alpha and tip_beta to have them chosen",
    )
