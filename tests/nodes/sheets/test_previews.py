"""Tests: painted pages are collected band by band, and reduced for the output and for the browser."""

from __future__ import annotations

import numpy as np
from clip_grid.nodes.sheets.sheet import PREVIEW_SIDE, CollectedPages, reduction, save_preview
from PIL import Image


def test_pages_that_fit_are_kept_as_they_are():
    page = np.arange(7 * 5 * 3, dtype=np.uint8).reshape(7, 5, 3)
    collected = CollectedPages()

    for start in (0, 3, 4):
        collected.add(0, page[start : {0: 3, 3: 4, 4: 7}[start]])

    assert np.array_equal(collected.whole()[0], page)


def test_bands_of_any_height_are_reduced_as_the_whole_page_would_be():
    page = np.random.default_rng(1).integers(0, 256, (23, 17, 3), np.uint8)
    collected = CollectedPages(4)

    for start, end in ((0, 1), (1, 3), (3, 14), (14, 15), (15, 23)):
        collected.add(0, page[start:end])

    assert np.array_equal(collected.whole()[0], np.asarray(Image.fromarray(page).reduce(4)))


def test_pages_do_not_mix():
    collected = CollectedPages(2)

    collected.add(0, np.zeros((3, 4, 3), np.uint8))
    collected.add(1, np.full((4, 4, 3), 9, np.uint8))

    assert [(page.shape, page.max()) for page in collected.whole()] == [((2, 2, 3), 0), ((2, 2, 3), 9)]


def test_the_reduction_keeps_all_pages_together_inside_the_budget():
    assert reduction([(100, 100)], 10_000) == 1
    assert reduction([(100, 100), (100, 100)], 10_000) == 2
    assert reduction([(1000, 1000)], 10_000) == 10


def test_a_preview_is_no_larger_than_a_browser_likes(tmp_path):
    name = save_preview(np.zeros((100, 4096, 3), np.uint8), tmp_path)

    with Image.open(tmp_path / name) as image:
        assert image.size == (PREVIEW_SIDE, 50)
