"""Painting: every fit by its pixels, badges and labels inside their cells, few pictures in memory at a time."""

from __future__ import annotations

import os
import threading
import weakref

import numpy as np
import pytest
from clip_grid.errors import PictureError
from clip_grid.grid.arrange.badges import Badges
from clip_grid.grid.layout.plan import Box
from clip_grid.grid.paint.render import paint_page
from clip_grid.grid.paint.resize import resize_fast, resize_lanczos
from clip_grid.grid.pictures.survey import Picture, Survey, pictures_from_arrays
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ..samples import BLACK, RED, WHITE, flat, flats, noise, paint_job, painted, plan

GREEN, BLUE, GOLD = (0, 200, 0), (0, 0, 255), (255, 196, 0)
LONG = {
    "one": "x",
    "prose": "a small planet over a quiet sea " * 30,
    "no spaces": "masterpiece" * 40,
    "file name": "sdxl_lightning_8step-epoch.0012_very-long-merged-checkpoint-name-with-more_v12.final.safetensors",
    "newlines": "\n" * 30,
    "tabs": "a\tb\tc\n\n\td",
    "4000": "word " * 800,
}


def cut(pixels: np.ndarray, box: Box) -> np.ndarray:
    return pixels[box.y : box.bottom, box.x : box.right]


def is_all(pixels: np.ndarray, colour: tuple[int, ...]) -> bool:
    return bool(pixels.size) and bool((pixels == colour).all())


def outside(pixels: np.ndarray, *boxes: Box) -> np.ndarray:
    """The pixels [n, channels] in none of the boxes."""
    keep = np.ones(pixels.shape[:2], bool)
    for box in boxes:
        keep[box.y : box.bottom, box.x : box.right] = False
    return pixels[keep]


def bare(pictures, **options):
    """The page of a sheet without labels, and its only cells."""
    defaults = {"label_position": "none", "margin": 0, "cell_width": 40, "cell_height": 40}
    planned = plan(pictures, **{**defaults, **options})
    return painted(planned), planned.plan.pages[0].cells


def test_contain_shrinks_to_the_middle_and_leaves_the_page_around_it():
    page, (cell,) = bare([flat(RED, 80, 40)], background="lime")

    assert cell.image == (0, 10, 40, 20)
    assert is_all(cut(page, cell.image), RED)
    assert is_all(outside(page, cell.image), (0, 255, 0))


def test_contain_keeps_small_pictures_small_unless_enlarge_is_on():
    small, (cell,) = bare([flat(RED, 20, 10)])
    large, (grown,) = bare([flat(RED, 20, 10)], enlarge=True)

    assert (cell.image, grown.image) == ((10, 15, 20, 10), (0, 10, 40, 20))
    assert is_all(cut(small, cell.image), RED)
    assert is_all(cut(large, grown.image), RED)
    assert is_all(outside(large, grown.image), WHITE)


def test_cover_crops_both_ends_and_fills_the_cell():
    stripes = np.concatenate([flat(GREEN, 40, 40), flat(RED, 40, 40), flat(BLUE, 40, 40)], axis=1)

    page, (cell,) = bare([stripes], fit="cover")

    assert cell.image == (0, 0, 40, 40)
    assert is_all(page, RED)


@pytest.mark.parametrize("size", [(15, 1), (1, 15), (7, 3), (333, 2)])
def test_cover_takes_pictures_of_any_shape(size):
    page, _ = bare([flat(RED, *size)], fit="cover", cell_width=275, cell_height=1)

    assert is_all(page, RED)


def test_stretch_shows_all_of_the_picture_in_all_of_the_cell():
    two_halves = np.concatenate([flat(GREEN, 60, 20), flat(BLUE, 60, 20)], axis=1)

    page, _ = bare([two_halves], fit="stretch")

    assert is_all(page[:, :17], GREEN)
    assert is_all(page[:, 23:], BLUE)


def test_pad_lays_its_colour_behind_the_picture():
    page, (cell,) = bare([flat(RED, 80, 40)], fit="pad", pad_color="0,0,255")

    assert is_all(cut(page, cell.image), RED)
    assert is_all(outside(page, cell.image), BLUE)


def test_original_keeps_every_pixel_and_crops_around_the_middle():
    picture = noise(61, 33)

    page, (cell,) = bare([picture], fit="original")

    assert np.array_equal(cut(page, cell.image), picture[:, 10:50])


@pytest.mark.parametrize("resample", ["fast", "lanczos"])
@pytest.mark.parametrize("fit", ["contain", "cover", "stretch", "pad", "original"])
def test_a_picture_of_the_cells_size_is_shown_as_it_is(fit, resample):
    picture = noise(40, 40)

    page, _ = bare([picture], fit=fit, resample=resample)

    assert np.array_equal(page, picture)


@pytest.mark.parametrize("resize", [resize_fast, resize_lanczos])
def test_resizing_is_pillows_own_within_a_few_steps(resize):
    image = Image.fromarray(noise(300, 200))

    shown = np.asarray(resize(image, (50, 40), (20.0, 0.0, 270.0, 200.0))).astype(int)

    oracle = np.asarray(image.resize((50, 40), Image.Resampling.LANCZOS, box=(20, 0, 270, 200))).astype(int)
    assert np.abs(shown - oracle).max() <= (0 if resize is resize_lanczos else 24)


@pytest.mark.parametrize(("fit", "ring"), [("contain", (3, 12, 40, 22)), ("cover", (3, 3, 40, 40))])
def test_a_border_lies_around_the_picture_and_inside_the_cell(fit, ring):
    page, (cell,) = bare([flat(RED, 80, 35)], fit=fit, border_width=4, border_color="0,0,255", margin=3)

    frame = Box(*ring)
    assert cell.image == frame.shrunk(4)
    assert is_all(cut(page, cell.image), RED)
    assert is_all(outside(cut(page, frame), Box(4, 4, frame.width - 8, frame.height - 8)), BLUE)
    assert is_all(outside(page, frame), WHITE)


def test_a_border_wider_than_the_cell_stays_in_it():
    page, (cell,) = bare([flat(RED, 80, 40)], border_width=400, border_color="0,0,255", margin=5)

    assert is_all(outside(page, cell.box), WHITE)


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
@pytest.mark.parametrize(("side", "font"), [(32, 0), (32, 200), (64, 6), (200, 60), (512, 0), (512, 200)])
def test_a_label_over_the_picture_changes_nothing_outside_its_cell(text, side, font):
    options = {"cell_width": side, "cell_height": side, "margin": 7, "columns": 2, "font_size": font}
    options["label_position"] = "over"
    pictures = flats(2, side, side)
    labelled = plan(pictures, {"labels": [text, ""]}, **options)
    without = plan(pictures, {"labels": [""]}, **options)

    changed = (painted(labelled) != painted(without)).any(axis=2)

    first, second = labelled.plan.pages[0].cells
    assert not outside(changed[..., None], first.label).any()
    assert first.box.contains(first.label)
    assert not cut(changed, second.box).any()


@pytest.mark.parametrize("position", ["below", "above"])
@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
@pytest.mark.parametrize("side", [32, 200])
def test_a_label_beside_the_picture_stays_in_its_strip(position, text, side):
    options = {"cell_width": side, "cell_height": side, "margin": 7, "columns": 2, "label_position": position}
    planned = plan(flats(2, side, side), {"labels": [text, "b"]}, **options)

    page = painted(planned)

    cells = planned.plan.pages[0].cells
    assert is_all(outside(page, *(cell.image for cell in cells), *(cell.label for cell in cells)), WHITE)
    for cell, picture in zip(cells, flats(2, side, side), strict=True):
        assert np.array_equal(cut(page, cell.image), picture)


def test_a_label_is_drawn_white_with_a_black_outline():
    page, (cell,) = bare([flat(RED, 200, 200)], cell_width=200, cell_height=200, label_position="over")

    label = cut(page, cell.label).reshape(-1, 3)
    assert (label == WHITE).all(axis=1).any()
    assert (label == BLACK).all(axis=1).any()


@pytest.mark.parametrize("side", [1, 4, 16, 40, 128])
@pytest.mark.parametrize("badge", ["7", "0.312", "a very long badge that says far too much for a corner"])
def test_badges_and_winner_frames_stay_in_their_cell(side, badge):
    options = {"cell_width": side, "cell_height": side, "margin": 9, "columns": 2, "label_position": "none"}
    planned = plan(flats(2, side, side), font_size=20, **options)

    page = painted(planned, badges=Badges(texts={0: badge}, winners=frozenset({0})))

    first, second = planned.plan.pages[0].cells
    assert is_all(outside(page, first.box, second.box), WHITE)
    assert np.array_equal(cut(page, second.box), flats(2, side, side)[1])
    assert (cut(page, first.box) == GOLD).all(axis=2).any()


def test_a_winner_is_framed_all_around():
    planned = plan(flats(1, 60, 60), cell_width=60, cell_height=60, margin=5, label_position="none")

    page = painted(planned, badges=Badges(winners=frozenset({0})))

    edge = Box(5, 5, 60, 60)
    for line in (page[edge.y, 5:65], page[edge.bottom - 1, 5:65], page[5:65, edge.x], page[5:65, edge.right - 1]):
        assert is_all(line, GOLD)


@pytest.mark.parametrize("format", ["png", "webp", "tiff", "avif"])
def test_a_transparent_page_stays_transparent_in_formats_with_transparency(format):
    page, (cell,) = bare([flat(RED, 80, 40)], background="transparent", format=format)

    assert is_all(cut(page, cell.image), (*RED, 255))
    assert is_all(outside(page, cell.image), (0, 0, 0, 0))


@pytest.mark.parametrize("format", ["jpeg", "pdf"])
@pytest.mark.parametrize(("background", "shown"), [("transparent", WHITE), ("#ff000080", (255, 127, 127))])
def test_a_transparent_page_is_white_in_other_formats(format, background, shown):
    page, (cell,) = bare([flat(RED, 80, 40)], background=background, format=format)

    assert is_all(outside(page, cell.image), shown)


def test_the_page_is_seen_through_transparent_pictures():
    picture = np.concatenate([flat((*RED, 255), 20, 40), flat((*RED, 0), 20, 40)], axis=1)

    opaque, _ = bare([picture], background="0,0,255")
    transparent, _ = bare([picture], background="transparent")

    assert is_all(opaque[:, :18], RED)
    assert is_all(opaque[:, 22:], BLUE)
    assert is_all(transparent[:, 22:, 3], 0)


def test_page_colours_never_hide_the_page_text():
    for background, text in (("black", WHITE), ("white", BLACK), ("navy", WHITE)):
        planned = plan(flats(1), title="Title", background=background, cell_width=90, label_position="none")

        head = cut(painted(planned), planned.plan.pages[0].bands[0].texts[0].box).reshape(-1, 3)

        assert (head == text).all(axis=1).any()


def broken(survey: Survey, *places: int) -> Survey:
    def load(wanted: object) -> Image.Image:
        raise PictureError("x.png", "the file is cut off")

    pictures = [
        Picture(picture.name, picture.size, load) if place in places else picture
        for place, picture in enumerate(survey.pictures)
    ]
    return Survey(tuple(pictures))


@pytest.mark.parametrize("side", [1, 5, 16, 64, 200])
def test_a_picture_that_fails_gets_a_placeholder_and_the_others_are_untouched(side):
    pictures = flats(3, side, side)
    options = {"cell_width": side, "cell_height": side, "margin": 4, "columns": 3, "label_position": "none"}
    planned = plan(broken(pictures_from_arrays(pictures), 1), **options)
    job = paint_job(planned)

    page = np.concatenate(list(paint_page(planned.plan.pages[0], job)))

    left, middle, right = planned.plan.pages[0].cells
    assert job.failures == [(1, "the file is cut off")]
    assert np.array_equal(cut(page, left.box), pictures[0])
    assert np.array_equal(cut(page, right.box), pictures[2])
    assert is_all(outside(page, left.box, middle.box, right.box), WHITE)
    assert not is_all(cut(page, middle.box), WHITE)


def test_threads_do_not_change_a_pixel(monkeypatch):
    pictures = [noise(90 + i, 70 + i, i) for i in range(12)]
    pages = []
    for count in (1, 2, 7):
        monkeypatch.setattr(os, "cpu_count", lambda count=count: count)
        pages.append(painted(plan(pictures, {"labels": [f"label {i}" for i in range(12)]}, cell_width=50)))

    assert np.array_equal(pages[0], pages[1])
    assert np.array_equal(pages[0], pages[2])


class Counted:
    """Pictures that know how many of them are alive."""

    def __init__(self) -> None:
        self.alive = self.most = 0
        self._lock = threading.Lock()

    def picture(self, index: int) -> Picture:
        def load(wanted: object) -> Image.Image:
            image = Image.new("RGB", (64, 64), (index, 0, 0))
            with self._lock:
                self.alive += 1
                self.most = max(self.most, self.alive)
            weakref.finalize(image, self._gone)
            return image

        return Picture(f"{index}.png", (64, 64), load)

    def _gone(self) -> None:
        with self._lock:
            self.alive -= 1


def test_only_a_few_pictures_are_in_memory_at_a_time(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    counted = Counted()
    survey = Survey(tuple(counted.picture(i) for i in range(200)))
    planned = plan(survey, columns=4, cell_width=32, cell_height=32, label_position="over")

    for band in paint_page(planned.plan.pages[0], paint_job(planned)):
        assert band.shape[0] <= 42

    assert 1 <= counted.most <= 3 + 3
    assert counted.alive == 0


def test_an_error_of_the_caller_stops_the_painting_and_its_threads():
    planned = plan(flats(40), columns=4, cell_width=8, cell_height=8)
    job = paint_job(planned)
    done = []

    def stop() -> None:
        done.append(1)
        if len(done) == 5:
            raise KeyboardInterrupt

    job.on_picture = stop
    with pytest.raises(KeyboardInterrupt):
        list(paint_page(planned.plan.pages[0], job))
    assert len(done) == 5
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("clip-grid-band")]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 90), st.integers(1, 90)), min_size=1, max_size=7),
    st.sampled_from(["contain", "cover", "stretch", "pad", "original"]),
    st.integers(0, 12),
    st.integers(1, 60),
    st.integers(1, 60),
)
def test_pictures_fill_their_boxes_whatever_their_sizes(sizes, fit, margin, width, height):
    pictures = [flat((10 * i + 9, 0, 99), *size) for i, size in enumerate(sizes)]
    options = {"fit": fit, "margin": margin, "cell_width": width, "cell_height": height, "label_position": "none"}
    planned = plan(pictures, pad_color="white", **options)

    page = painted(planned)

    cells = planned.plan.pages[0].cells
    for cell in cells:
        assert is_all(cut(page, cell.image), (10 * cell.index + 9, 0, 99))
    rest = outside(page, *(cell.image for cell in cells))
    assert not rest.size or is_all(rest, WHITE)
