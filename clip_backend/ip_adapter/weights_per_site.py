"""How strongly each cross-attention looks at the references: named weight types and a curve over the places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import InputError
from .apply_settings import WEIGHT_TYPES
from .sites import Site

#: Factor at places that a weight type makes weak.
WEAK = 0.2
#: Factor at the far end of an "ease" curve.
LEAST = 0.05
#: Number of places -> the places that decide style, and those that decide composition with their share.
STYLE = {11: (6,), 16: (0, 1, 2, 3, 9, 10, 11, 12, 13, 14, 15)}
COMPOSITION = {11: {3: 1.0}, 16: {4: 0.25, 5: 1.0}}
#: Factors at the places beside the composition's in "precise composition", where SDXL is sensitive.
PRECISE_REST = {11: 0.1, 16: 1.0}
_BY_PLACE = ("style", "strong style", "precise style", "composition", "precise composition")


@dataclass(frozen=True)
class SiteWeight:
    """The weight of one cross-attention."""

    #: Factor on the references' term there; 0 leaves the attention as it is.
    factor: float
    #: The conditional side, too, looks at the tokens of the unconditional side, which takes the picture's share away.
    is_unconditional: bool = False


def site_weights(sites: Sequence[Site], weight_type: str, place_weights: str) -> tuple[SiteWeight, ...]:
    """One weight per site, in the order of the sites; raises InputError for a type that the model cannot have."""
    places = 1 + max(site.place for site in sites)
    parts = {site.place: site.key[0] for site in sites}
    by_place = [_weight(weight_type, place, places, parts.get(place, "")) for place in range(places)]
    part = weight_type.rpartition(" ")[2]
    if part in ("input", "middle", "output") and part not in parts.values():
        raise InputError(f"weight_type {weight_type!r} needs a UNet, and this model has no {part} blocks; take another")
    factors = read_place_weights(place_weights, places)
    return tuple(
        SiteWeight(by_place[site.place].factor * factors[site.place], by_place[site.place].is_unconditional)
        for site in sites
    )


def _weight(name: str, place: int, places: int, part: str) -> SiteWeight:
    if name in _BY_PLACE:
        return _named_places(name, place, places)
    return SiteWeight(_curve(name, place / places, part))


def _curve(name: str, at: float, part: str) -> float:
    """at: the place from 0 to 1; part: "input", "middle" or "output"."""
    inner = abs(2 * at - 1)
    rest = 1 - LEAST
    if name.startswith("weak "):
        return WEAK if name == f"weak {part}" else 1.0
    curves = {
        "full": 1.0,
        "ease in": LEAST + rest * (1 - at),
        "ease out": LEAST + rest * at,
        "ease in-out": LEAST + rest * (1 - inner),
        "reverse in-out": LEAST + rest * inner,
        "strong middle": 1.0 if part == "middle" else WEAK,
    }
    if name not in curves:
        raise InputError(f"weight_type is {name!r}; it must be one of {', '.join(WEIGHT_TYPES)}")
    return curves[name]


def _named_places(name: str, place: int, places: int) -> SiteWeight:
    if places not in STYLE:
        raise InputError(
            f"weight_type {name!r} is known for SD 1.5 and SDXL only, and this model has {places} places; take another "
            "weight type, or give place_weights"
        )
    is_style, composition = place in STYLE[places], COMPOSITION[places].get(place, 0.0)
    if name == "style":
        return SiteWeight(float(is_style))
    if name == "composition":
        return SiteWeight(composition)
    if name == "strong style":
        return SiteWeight(float(not composition))
    if name == "precise style":
        return SiteWeight(1.0, is_unconditional=bool(composition))
    return SiteWeight(composition or PRECISE_REST[places], is_unconditional=not composition)


def read_place_weights(text: str, places: int) -> list[float]:
    """A factor for each place.

    text: numbers, spread evenly from the first place to the last with straight lines between them, and items such as
    ``3=0``, which set one place; empty: 1 everywhere. Raises InputError naming the item that cannot be read.
    """
    items = [item.strip() for item in text.replace(";", ",").split(",") if item.strip()]
    points = [_number(item, item) for item in items if "=" not in item]
    factors = _spread(points, places) if points else [1.0] * places
    for item in items:
        if "=" in item:
            name, _, value = item.partition("=")
            place = _number(name, item)
            if not place.is_integer() or not 0 <= place < places:
                raise InputError(f"place_weights has {item!r}; the places of this model are 0 to {places - 1}")
            factors[int(place)] = _number(value, item)
    return factors


def _number(text: str, item: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not abs(number) <= 100:
        raise InputError(f"place_weights has {item!r}; give numbers such as 1, 0.5, 0, or 3=0 for a single place")
    return number


def _spread(points: Sequence[float], places: int) -> list[float]:
    if len(points) > places:
        raise InputError(f"place_weights has {len(points)} numbers, and this model has {places} places; give fewer")
    if len(points) == 1 or places == 1:
        return [points[0]] * places
    factors = []
    for place in range(places):
        at = place * (len(points) - 1) / (places - 1)
        left = min(int(at), len(points) - 2)
        factors.append(points[left] + (points[left + 1] - points[left]) * (at - left))
    return factors
