"""The colours of a heat map: ordered for the eye, and every text on them can be read."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from clip_grid.grid.arrange.heat_map import STEPS, HeatScale, heat_color
from clip_grid.grid.colors import readable_on, relative_luminance
from hypothesis import given
from hypothesis import strategies as st

COLORS = [heat_color(step) for step in range(STEPS)]
numbers = st.floats(allow_nan=False, allow_infinity=False)


def test_each_colour_is_lighter_than_the_one_before():
    luminance = [relative_luminance(color) for color in COLORS]

    assert all(lower < higher for lower, higher in pairwise(luminance))
    assert luminance[0] < 0.05 and luminance[-1] > 0.75


def test_the_steps_of_lightness_are_even():
    # CIE 1976 lightness of the luminance, another scale than the one that the colours were made from
    lightness = np.array([116 * np.cbrt(relative_luminance(color)) - 16 for color in COLORS])

    tenths = np.diff(lightness[:: STEPS // 10])
    assert tenths.min() > 0.6 * tenths.mean() and tenths.max() < 1.6 * tenths.mean()


@pytest.mark.parametrize("step", [0, STEPS // 2, STEPS - 1])
def test_texts_on_a_colour_have_the_contrast_that_accessibility_asks_for(step):
    low, high = sorted(relative_luminance(color) for color in (COLORS[step], readable_on((*COLORS[step], 255))))

    assert (high + 0.05) / (low + 0.05) >= 4.5


def test_the_ends_of_a_scale_have_the_first_and_the_last_colour():
    scale = HeatScale.over([0.3, 0.1, 0.2])

    assert [scale.color(value) for value in (0.1, 0.3)] == [COLORS[0], COLORS[-1]]


def test_a_single_value_has_the_middle_colour():
    assert HeatScale.over([0.25]).color(0.25) == heat_color(round((STEPS - 1) / 2))


@given(st.lists(numbers, min_size=1), st.data())
def test_a_larger_value_is_never_darker(values, data):
    scale = HeatScale.over(values)
    lower, higher = sorted(data.draw(st.tuples(st.sampled_from(values), st.sampled_from(values))))

    assert relative_luminance(scale.color(lower)) <= relative_luminance(scale.color(higher))
    assert not math.isnan(sum(scale.color(lower)))
