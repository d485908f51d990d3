"""What a sheet looks like: texts that can be read where they stand, and nothing said twice."""

from __future__ import annotations

import json

import numpy as np
import pytest
from clip_grid.grid.arrange.heat_map import STEPS, heat_color
from clip_grid.grid.table.table import parse_table
from clip_grid.grid.text.fonts import find_faces

from ..samples import FACES, WHITE, flat, flats, paint_job, painted, plan

GREY, GOLD = (120, 120, 120), (255, 196, 0)


def cut(pixels, box):
    return pixels[box.y : box.bottom, box.x : box.right]


def table(**columns):
    count = len(next(iter(columns.values())))
    return parse_table(json.dumps([{k: v[i] for k, v in columns.items()} for i in range(count)]), name="t.json")


def texts_of(planned, kind: str):
    return [text.text for page in planned.plan.pages for band in page.bands for text in band.texts if text.kind == kind]


def test_no_label_over_a_small_picture_touches_the_page_around_it():
    planned = plan(
        [flat(GREY, 102, 76)], {"labels": ["astronaut_000.png"]}, cell_width=256, cell_height=256, label_position="over"
    )

    page, (cell,) = painted(planned), planned.plan.pages[0].cells
    inside = cut(page, cell.image).copy()
    cut(page, cell.image)[:] = WHITE
    assert (page == WHITE).all()
    assert (inside == WHITE).all(axis=2).any()


def test_a_label_below_a_tiny_picture_is_black_on_the_white_page():
    planned = plan([flat(GREY, 20, 20)], {"labels": ["a.png"]}, cell_width=200, cell_height=200, label_position="over")

    page, (cell,) = painted(planned), planned.plan.pages[0].cells
    assert cut(page, cell.label).min() == 0
    assert (cut(page, cell.image) == GREY).all()


def test_a_caption_begins_six_pixels_below_its_picture():
    planned = plan([flat(GREY, 200, 100)], {"labels": ["ÅÅÅ"]}, font_size=20)

    page, (cell,) = painted(planned), planned.plan.pages[0].cells
    between = page[cell.image.bottom : cell.image.bottom + 6]
    assert (between == WHITE).all()
    assert (page[cell.image.bottom + 6 : cell.image.bottom + 14] != WHITE).any()


def test_a_badge_and_the_frame_of_a_winner_belong_to_the_picture_and_not_to_its_cell():
    scores = {"scores": [{"cosine": 0.4}, {"cosine": 0.1}]}
    planned = plan(
        [flat(GREY, 120, 100), flat(GREY, 240, 200)], scores, badge="cosine", winner="highest", label_position="none"
    )

    page, (cell, _) = painted(planned), planned.plan.pages[0].cells
    around = cut(page, cell.area).copy()
    box = cell.image._replace(x=cell.image.x - cell.area.x, y=cell.image.y - cell.area.y)
    around[box.y : box.bottom, box.x : box.right] = WHITE
    assert (around == WHITE).all()
    assert (page[cell.image.y, cell.image.x : cell.image.right] == GOLD).all()


def test_titles_and_headers_are_bold_and_the_legend_is_not():
    planned = plan(
        flats(4, 200, 200),
        {"table": table(cfg=["3", "7"] * 2, sampler=["a", "a", "b", "b"], seed=["5"] * 4)},
        title="Title",
    )
    style = paint_job(planned).style

    families = {kind: style.faces_of(kind).base.weight for kind in ("title", "row", "column", "legend", "footer")}
    assert families == {"title": 700, "row": 700, "column": 700, "legend": 400, "footer": 400}
    muted, plain = style.text_style("legend", 16).fill, style.text_style("title", 16).fill
    assert plain == (0, 0, 0) and muted == (89, 89, 89)


@pytest.mark.parametrize("font", ["DejaVu Sans", "Liberation Serif"])
def test_the_bold_face_is_of_the_font_that_was_asked_for(font):
    faces = find_faces(font) if font.casefold() in names_of_the_machine() else pytest.skip(f"{font} is not installed")

    assert (faces.bold.base.weight, faces.bold.base.family) == (700, faces.base.family)


def names_of_the_machine() -> set[str]:
    from clip_grid.grid.text.font_search import font_folders, machine_faces

    return {face.family.casefold() for face in machine_faces(font_folders())}


def test_headers_are_drawn_in_the_bold_face_of_roboto():
    regular, bold = FACES.base, FACES.bold.base

    assert (regular.family, regular.weight, bold.family, bold.weight) == ("Roboto", 400, "Roboto", 700)
    assert FACES.bold.bold.base.weight == 700


def test_cells_do_not_repeat_the_headers():
    inputs = {"table": table(cfg=["3", "7"] * 2, sampler=["a", "a", "b", "b"], width=["8"] * 4, seed=["5"] * 4)}

    planned = plan(flats(4), inputs)

    assert [(label.text, label.source) for label in planned.labels] == [("", "none")] * 4
    # nor does the legend say what is seen
    assert texts_of(planned, "legend") == ["seed: 5"]


def test_cells_say_what_the_headers_do_not():
    inputs = {"table": table(cfg=["3", "7"] * 2, sampler=["a", "a", "b", "b"], seed=["1", "2", "3", "4"])}

    planned = plan(flats(4), inputs, x_axis="cfg", y_axis="sampler")

    assert [label.text for label in planned.labels] == ["seed: 1", "seed: 2", "seed: 3", "seed: 4"]


def test_pictures_that_share_a_place_in_the_table_keep_their_file_names():
    inputs = {"table": table(cfg=["3", "3", "7", "7"], steps=["9"] * 4)}

    planned = plan(flats(4), inputs, x_axis="cfg", y_axis="none", page_axis="none")

    assert {label.source for label in planned.labels} == {"filename"}


def test_long_headers_show_the_words_in_which_they_differ_and_the_legend_the_rest():
    start = "cinematic photo of a lighthouse keeper on a rocky shore at dusk, shot on"
    prompts = [f"{start} {film}" for film in ("Polaroid", "Kodak Portra")]
    inputs = {"table": table(prompt=prompts * 2, cfg=["3", "3", "7", "7"])}

    planned = plan(flats(4, 300, 300), inputs, x_axis="prompt", y_axis="cfg")

    assert texts_of(planned, "column") == ["… Kodak Portra", "… Polaroid"]
    assert texts_of(planned, "column_axis") == ["prompt"]
    assert texts_of(planned, "legend") == [f"prompt: {start} …"]


def test_long_labels_show_the_words_in_which_they_differ_and_the_report_all():
    start = "a quiet sea under a large red moon with soft light and"
    labels = [f"{start} {thing}" for thing in ("rain", "snow")]

    planned = plan(flats(2, 300, 300), {"labels": labels})

    assert list(planned.texts.labels) == ["… rain", "… snow"]
    assert [label.text for label in planned.labels] == labels


def test_the_bar_of_a_heat_map_goes_from_its_lowest_to_its_highest_colour():
    planned = plan(flats(3, 300, 200), {"scores": [{"cosine": s} for s in (0.1, 0.2, 0.3)]}, heatmap="on")

    (box,) = [text.box for text in planned.plan.pages[0].bands[0].texts if text.kind == "scale_bar"]
    bar = cut(painted(planned), box)
    assert tuple(bar[0, 0]) == heat_color(0) and tuple(bar[-1, -1]) == heat_color(STEPS - 1)
    assert texts_of(planned, "scale") == ["cosine", "0.100", "0.300"]


def test_noise_is_not_stretched_over_all_colours():
    planned = plan(flats(3, 300, 200), {"scores": [{"cosine": s} for s in (0.25, 0.251, 0.252)]}, heatmap="on")

    # four times 0.01, the difference of two cosines that means something
    scale = planned.heat_map.scale
    assert (scale.low, scale.high) == (pytest.approx(0.231), pytest.approx(0.271))
    assert {planned.badges.tints[i] for i in range(3)} <= {heat_color(step) for step in range(45, 55)}


def test_the_characters_without_a_font_are_counted_in_badges_and_cut_texts_too():
    planned = plan(
        flats(2, 64, 64),
        {"labels": ["猫犬鳥" * 400, "a"], "table": table(rating=["狐", "x"])},
        badge="rating",
        label_position="over",
    )
    job = paint_job(planned)
    list(painted_bands(planned, job))

    assert job.missing == set("猫犬鳥狐")


def painted_bands(planned, job):
    from clip_grid.grid.paint.render import paint_page

    return paint_page(planned.plan.pages[0], job)


def test_every_page_text_stays_inside_its_box():
    inputs = {"table": table(cfg=["3", "7"] * 2, sampler=["a b c", "a b c", "b", "b"])}
    planned = plan(flats(4, 90, 90), inputs, title="A title of several words", legend="on")

    page = painted(planned)
    for band in planned.plan.pages[0].bands:
        for text in band.texts:
            cut(page, text.box)[:] = WHITE
        for cell in band.cells:
            cut(page, cell.box)[:] = WHITE
    assert np.array_equal(page, np.broadcast_to(np.uint8(WHITE), page.shape))
