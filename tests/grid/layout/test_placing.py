"""Cells, font sizes, and the place and part of a picture that is shown."""

from __future__ import annotations

import pytest
from clip_grid.grid.layout.placing import automatic_font_size, cell_size, crop_of, place_picture
from clip_grid.grid.layout.plan import Box
from clip_grid.grid.template import GridTemplate
from hypothesis import given
from hypothesis import strategies as st

FITS = ("contain", "cover", "stretch", "pad", "original")


sides = st.integers(1, 3000)


sizes = st.tuples(sides, sides)


@pytest.mark.parametrize(
    ("given_sizes", "options", "expected"),
    [
        ([(256, 256)], {}, (256, 256)),
        ([(1024, 1024)], {}, (512, 512)),
        ([(1024, 512), (512, 1024)], {}, (512, 512)),
        ([(2048, 1024)], {}, (512, 256)),
        ([(2048, 1024)], {"fit": "original"}, (2048, 1024)),
        ([(10, 5)], {}, (128, 64)),
        ([(4000, 10)], {}, (512, 48)),
        ([(300, 200), (300, 200), (10, 10)], {"cell_width": 150}, (150, 100)),
        ([(300, 200)], {"cell_height": 100}, (150, 100)),
        ([(300, 200)], {"cell_width": 7, "cell_height": 9}, (7, 9)),
        ([(5000, 1)], {"cell_width": 100}, (100, 1)),
    ],
)
def test_a_cell_takes_what_the_template_leaves_open_from_the_pictures(given_sizes, options, expected):
    assert cell_size(given_sizes, GridTemplate(**options)) == expected


def test_labels_have_16_pixels_in_a_cell_of_256_and_never_fewer_than_9():
    assert [automatic_font_size((side, side)) for side in (256, 1024, 64, 1)] == [16, 32, 9, 9]


@given(sizes, sizes, st.sampled_from(FITS), st.booleans())
def test_a_picture_never_leaves_its_area_and_is_never_empty(size, area, fit, enlarge):
    room = Box(3, 5, *area)

    box = place_picture(size, room, fit, enlarge)

    assert room.contains(box)
    assert box.width >= 1
    assert box.height >= 1


@given(sizes, sizes, st.sampled_from(FITS), st.booleans())
def test_a_picture_stands_in_the_middle_of_its_area(size, area, fit, enlarge):
    box = place_picture(size, Box(0, 0, *area), fit, enlarge)

    assert abs(box.x - (area[0] - box.right)) <= 1
    assert abs(box.y - (area[1] - box.bottom)) <= 1


@given(sizes, sizes)
def test_contain_shrinks_to_the_tighter_side_but_enlarges_only_when_asked(size, area):
    shrunk = place_picture(size, Box(0, 0, *area), "contain", False)
    enlarged = place_picture(size, Box(0, 0, *area), "contain", True)

    assert shrunk.width <= size[0]
    assert shrunk.height <= size[1]
    assert enlarged.width == area[0] or enlarged.height == area[1]


@given(sizes, sizes, st.sampled_from(FITS), st.booleans())
def test_what_is_cropped_lies_inside_the_picture(size, area, fit, enlarge):
    left, top, right, bottom = crop_of(size, place_picture(size, Box(0, 0, *area), fit, enlarge), fit)

    assert 0 <= left < right <= size[0]
    assert 0 <= top < bottom <= size[1]


def test_cover_shows_the_middle_and_keeps_the_ratio():
    assert crop_of((400, 100), Box(0, 0, 50, 50), "cover") == (150, 0, 250, 100)
    assert crop_of((100, 400), Box(0, 0, 50, 50), "cover") == (0, 150, 100, 250)


def test_original_crops_whole_pixels_around_the_middle():
    assert place_picture((101, 40), Box(0, 0, 50, 50), "original", False) == (0, 5, 50, 40)
    assert crop_of((101, 40), Box(0, 5, 50, 40), "original") == (25.0, 0.0, 75.0, 40.0)
