"""Several pictures or references as one: side by side, or as one embedding."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter

import torch
from torch import Tensor

from ...errors import InputError
from .projections import States
from .reference_settings import COMBINATIONS
from .references import Reference

#: Sums of weights below this do not divide.
_TINY = 1e-6
#: Sines below this: two vectors on one line, between which a straight line is taken.
_ALIGNED = 1e-6


def combine(references: Sequence[Reference], how: str) -> tuple[Reference, ...]:
    """References of which the pictures are combined; positive and negative ones apart, the positive first.

    how: one of ``COMBINATIONS``. The weight of a picture is that of its reference times its own; of a single reference
    the weight stays that of its term. Raises InputError for an unknown way, for no references, for different regions,
    encoders or shapes, and for weights that cannot be used.
    """
    if how not in COMBINATIONS:
        raise InputError(f"combine is {how!r}; it must be one of {', '.join(COMBINATIONS)}")
    if not references:
        raise InputError("there is no reference to combine; give at least one")
    if how == "separate":
        return tuple(part for one in references for part in _apart(one))
    groups = [[one for one in references if one.is_negative == is_negative] for is_negative in (False, True)]
    return tuple(_together(group, how) for group in groups if group)


def _apart(one: Reference) -> list[Reference]:
    weights = one.picture_weights or (1.0,) * len(one.states)
    return [
        replace(
            one,
            states=_mapped(one.states, itemgetter(slice(at, at + 1))),
            blank=None if one.blank is None else one.blank[at : at + 1] if len(one.blank) > 1 else one.blank,
            weight=one.weight * weight,
            picture_weights=(),
            per_frame=False,
        )
        for at, weight in enumerate(weights)
    ]


def _mapped(states: States, change: Callable[[Tensor], Tensor]) -> States:
    return States(**{name: None if one is None else change(one) for name, one in vars(states).items()})


def _together(group: Sequence[Reference], how: str) -> Reference:
    first = group[0]
    _check_alike(group)
    own = [one.picture_weights or (1.0,) * len(one.states) for one in group]
    if len(group) == 1:
        weight, weights = first.weight, list(own[0])
    else:
        weight, weights = 1.0, [one.weight * each for one, those in zip(group, own, strict=True) for each in those]
    joined = States(**{name: _joined(group, name) for name in vars(first.states)})
    blank = None if first.blank is None else first.blank[:1]
    whole = replace(first, states=joined, blank=blank, weight=weight, picture_weights=(), per_frame=how == "per frame")
    if how in ("concat", "per frame"):
        is_plain = all(one == 1 for one in weights)
        return replace(whole, picture_weights=() if is_plain else tuple(weights))
    merge = _MERGES[how]
    return replace(whole, states=_mapped(joined, lambda x: merge(x.float(), x.new_tensor(weights).float())[None]))


def _check_alike(group: Sequence[Reference]) -> None:
    first = group[0]
    for number, one in enumerate(group[1:], 2):
        if not _same_mask(first.mask, one.mask):
            raise InputError(f"references 1 and {number} have different masks; combine those of one region only")
        if first.fingerprint and one.fingerprint and first.fingerprint != one.fingerprint:
            raise InputError(
                f"references 1 and {number} come from different vision encoders, whose numbers do not compare; encode "
                "all pictures with the same one"
            )


def _same_mask(first: Tensor | None, second: Tensor | None) -> bool:
    if first is None or second is None:
        return first is second
    return first is second or (first.shape == second.shape and bool((first == second).all()))


def _joined(group: Sequence[Reference], name: str) -> Tensor | None:
    found = [getattr(one.states, name) for one in group]
    if all(one is None for one in found):
        return None
    shapes = {None if one is None else tuple(one.shape[1:]) for one in found}
    if len(shapes) > 1:
        shown = ", ".join("none" if shape is None else str(list(shape)) for shape in sorted(shapes, key=str))
        raise InputError(
            f"the references differ in their {name} states ({shown}); combine those of one encoder, all with or all "
            "without a face"
        )
    return torch.cat(found)


def average(x: Tensor, weights: Tensor) -> Tensor:
    """sum(w_i x_i) / sum(w_i) of [N, ...]."""
    total = weights.sum()
    if abs(float(total)) < _TINY:
        raise InputError("the weights of the pictures add up to 0, which has no average; change one of them")
    return add(x, weights) / total


def norm_average(x: Tensor, weights: Tensor) -> Tensor:
    """The direction of the weighted mean of the unit vectors along the features, with the weighted mean length."""
    lengths = x.norm(dim=-1, keepdim=True)
    mean = average(x / lengths.clamp_min(_TINY), weights)
    unit: Tensor = mean / mean.norm(dim=-1, keepdim=True).clamp_min(_TINY)
    return unit * average(lengths, weights)


def add(x: Tensor, weights: Tensor) -> Tensor:
    """sum(w_i x_i)."""
    total: Tensor = torch.einsum("n,n...->...", weights, x)
    return total


def subtract(x: Tensor, weights: Tensor) -> Tensor:
    """w_0 x_0 less the mean of all other w_i x_i."""
    if len(x) < 2:
        raise InputError("subtract needs two pictures or more: the first, and those that are taken from it")
    return weights[0] * x[0] - add(x[1:], weights[1:]) / (len(x) - 1)


def slerp(x: Tensor, weights: Tensor) -> Tensor:
    """Along great circles from picture to picture, each as far as its share of the weight so far.

    Directions and lengths are interpolated apart. Of two pictures with the weights a and b it is slerp(b / (a + b)).
    """
    if bool((weights < 0).any()) or float(weights.sum()) < _TINY:
        raise InputError("slerp needs weights of 0 and above, and one above 0")
    found, total = x[0], float(weights[0])
    for one, weight in zip(x[1:], weights[1:].tolist(), strict=True):
        if weight:
            total += weight
            found = _between(found, one, weight / total)
    return found


def _between(a: Tensor, b: Tensor, share: float) -> Tensor:
    lengths = [one.norm(dim=-1, keepdim=True) for one in (a, b)]
    units = [one / length.clamp_min(_TINY) for one, length in zip((a, b), lengths, strict=True)]
    angle = (units[0] * units[1]).sum(-1, keepdim=True).clamp(-1, 1).acos()
    sine = angle.sin()
    straight = (1 - share) * units[0] + share * units[1]
    curved = (((1 - share) * angle).sin() * units[0] + (share * angle).sin() * units[1]) / sine.clamp_min(_ALIGNED)
    direction = torch.where(sine < _ALIGNED, straight, curved)
    between: Tensor = direction * ((1 - share) * lengths[0] + share * lengths[1])
    return between


_MERGES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "average": average, "norm average": norm_average, "add": add, "subtract": subtract, "slerp": slerp,
}  # fmt: skip


def read_picture_weights(text: str, pictures: int) -> tuple[float, ...]:
    """One weight for each picture, from numbers between commas; empty: none. Raises InputError for others."""
    items = [item.strip() for item in text.replace(";", ",").split(",") if item.strip()]
    try:
        weights = tuple(float(item) for item in items)
    except ValueError:
        weights = (float("nan"),)
    if not all(abs(weight) <= 100 for weight in weights):
        raise InputError(f"picture_weights is {text[:80]!r}; give numbers such as 1, 0.5")
    if weights and len(weights) != pictures:
        raise InputError(f"picture_weights has {len(weights)} numbers for {pictures} pictures; give one for each")
    return weights
