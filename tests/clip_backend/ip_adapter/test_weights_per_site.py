"""Weights per place: the formulas of the named types, and the curve."""

from __future__ import annotations

import pytest
from clip_grid.clip_backend.ip_adapter.apply_settings import WEIGHT_TYPES
from clip_grid.clip_backend.ip_adapter.sites import Site
from clip_grid.clip_backend.ip_adapter.weights_per_site import read_place_weights, site_weights
from clip_grid.errors import InputError

#: (part, place) of one attention of each group, in an adapter's order: the middle last.
SD15 = [("input", p) for p in range(6)] + [("output", p) for p in range(7, 16)] + [("middle", 6)]
SDXL = [("input", p) for p in range(4)] + [("output", p) for p in range(5, 11)] + [("middle", 4)]


def factors(groups: list[tuple[str, int]], weight_type: str, place_weights: str = "") -> list[float]:
    """The factor of each place, in the order of the places; negative where it is of the unconditional side."""
    sites = [Site((part, place, 0), place, 8, None) for part, place in groups]
    found = site_weights(sites, weight_type, place_weights)
    by_place = {site.place: one for site, one in zip(sites, found, strict=True)}
    return [by_place[p].factor * (-1 if by_place[p].is_unconditional else 1) for p in range(len(groups))]


def test_curves_follow_their_formulas():
    assert factors(SD15, "full") == [1] * 16
    assert factors(SD15, "ease in") == pytest.approx([0.05 + 0.95 * (1 - t / 16) for t in range(16)])
    assert factors(SDXL, "ease out") == pytest.approx([0.05 + 0.95 * t / 11 for t in range(11)])
    assert factors(SDXL, "ease in-out") == pytest.approx([0.05 + 0.95 * (1 - abs(t - 5.5) / 5.5) for t in range(11)])
    assert factors(SD15, "reverse in-out") == pytest.approx([0.05 + 0.95 * abs(t - 8) / 8 for t in range(16)])


def test_parts_are_made_weak():
    assert factors(SDXL, "weak input") == [0.2] * 4 + [1] * 7
    assert factors(SDXL, "weak middle") == [1] * 4 + [0.2] + [1] * 6
    assert factors(SDXL, "weak output") == [1] * 5 + [0.2] * 6
    assert factors(SDXL, "strong middle") == [0.2] * 4 + [1] + [0.2] * 6


def test_style_and_composition_have_their_places():
    assert factors(SDXL, "style") == [float(t == 6) for t in range(11)]
    assert factors(SDXL, "composition") == [float(t == 3) for t in range(11)]
    assert factors(SDXL, "strong style") == [float(t != 3) for t in range(11)]
    assert factors(SD15, "style") == [float(t < 4 or t > 8) for t in range(16)]
    assert factors(SD15, "composition") == [{4: 0.25, 5: 1.0}.get(t, 0.0) for t in range(16)]
    assert factors(SDXL, "precise style") == [-1.0 if t == 3 else 1.0 for t in range(11)]
    assert factors(SDXL, "precise composition") == [1.0 if t == 3 else -0.1 for t in range(11)]


def test_every_named_type_is_known_for_both_models():
    for name in WEIGHT_TYPES:
        assert len(factors(SD15, name)) == 16
        assert len(factors(SDXL, name)) == 11


def test_numbers_are_spread_over_the_places_and_multiply_the_type():
    assert read_place_weights("", 3) == [1, 1, 1]
    assert read_place_weights("0.5", 3) == [0.5, 0.5, 0.5]
    assert read_place_weights("1, 0", 5) == [1, 0.75, 0.5, 0.25, 0]
    assert read_place_weights("1, 0, 1; 1=7", 5) == [1, 7, 0, 0.5, 1]
    assert factors(SDXL, "composition", "2")[3] == 2


@pytest.mark.parametrize("text", ["a", "1e9", "nan", "3=x", "11=1", "-1=1", "1.5=1", ", ".join("1" * 12)])
def test_a_curve_that_cannot_be_read_is_refused(text):
    with pytest.raises(InputError, match="place_weights has"):
        read_place_weights(text, 11)


def test_types_of_other_models_are_refused():
    flux = [("double", place) for place in range(19)]
    with pytest.raises(InputError, match="and SDXL only"):
        factors(flux, "style")
    with pytest.raises(InputError, match="no input blocks"):
        factors(flux, "weak input")
