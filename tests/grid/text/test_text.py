from __future__ import annotations

import numpy as np
import pytest
from clip_grid.errors import InputError
from clip_grid.grid.text.draw import draw_text
from clip_grid.grid.text.fit import fit_text, visible_part
from clip_grid.grid.text.fonts import find_faces
from clip_grid.grid.text.line import TextStyle, plain_lines
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont, features

from .font_maker import make_font

FACES = find_faces(machine_fonts=())
MACHINE = find_faces()
NAME = "sd_xl_base_1.0_0.9vae_fp16_really_long_checkpoint_name-v2.safetensors"
PLAIN = TextStyle(size=16, min_size=8, outline_width=2)


def words(block):
    """The lines as they are read, in left-to-right text."""
    return ["".join(run.text for run in line.runs) for line in block.lines]


def changed(image, colour):
    return (np.asarray(image) != np.array(colour, np.uint8)).any(-1)  # [h, w]


TEXTS = st.one_of(
    st.sampled_from(
        ["a", "W" * 40, "no_spaces" * 44, "x" * 4000, "word " * 800, "f" * 115 + ".jpeg", "\n\n\n", "\t\t"]
    ),
    st.sampled_from(["", NAME, "a\n\nb\tc", "Ä̂̂Ǻẫ gjpqy|", "猫" * 50, "שלום abc 12", "مرحبا (1.0)", "\x00\x07a\ud800"]),
    st.text(max_size=60),
)


@settings(max_examples=50, deadline=None)
@given(
    text=TEXTS,
    width=st.integers(32, 2048),
    height=st.integers(32, 700),
    size=st.integers(6, 200),
    outline=st.integers(0, 6),
    align=st.sampled_from(["left", "center", "right"]),
    shorten=st.sampled_from(["end", "middle"]),
)
@example(text="x" * 4000, width=32, height=2048, size=6, outline=2, align="center", shorten="middle")
@example(text="fjgÅ" * 100, width=2048, height=2048, size=200, outline=6, align="right", shorten="end")
def test_every_drawn_pixel_lies_in_the_box(text, width, height, size, outline, align, shorten):
    style = TextStyle(size=size, min_size=min(6, size), outline_width=outline, align=align, shorten=shorten)
    block = fit_text(text, width, height, style, FACES)
    assert block.width <= width
    assert block.height <= height
    image = Image.new("RGB", (width + 40, height + 40), (90, 120, 150))
    draw_text(image, block, 20, 20, style, FACES)
    touched = changed(image, (90, 120, 150))
    touched[20 : 20 + block.height, 20 : 20 + block.width] = False
    assert not touched.any()


@pytest.mark.parametrize(
    "text", ["fjord AVÅgjy|_", "Ä̂̂Ǻẫ", "Привет", "→€×", "น้ำกี่", "नमस्ते क्षत्रिय", "مرحبا", "猫。", "😀🇩🇪"]
)
@pytest.mark.parametrize("size", [9, 16, 40, 90])
def test_the_box_is_large_enough_for_all_ink(text, size):
    style = TextStyle(size=size, min_size=size, outline_width=3)
    line = fit_text(text, 4000, 400, style, MACHINE).lines[0]
    canvas = np.zeros((size * 4, line.width + 200), np.uint8)
    for run in line.runs:
        sized = MACHINE.at(run.face, size)
        sized.add_ink(canvas, (100 - line.left + run.x, size * 2), run.text, run.is_rtl, 3)
    rows, columns = np.nonzero(canvas)
    assert columns.min() >= 97
    assert columns.max() < 103 + line.width
    assert size * 2 + line.top - 3 <= rows.min()
    assert rows.max() < size * 2 + line.bottom + 3


def test_a_text_that_fits_keeps_its_size_and_line():
    block = fit_text("seed: 42", 256, 40, PLAIN, FACES)
    assert (words(block), block.size, block.shortened) == (["seed: 42"], 16, False)


def test_lines_break_at_spaces_and_line_ends():
    assert words(fit_text("a quick brown fox\n\njumps", 110, 200, PLAIN, FACES)) == [
        "a quick",
        "brown fox",
        "",
        "jumps",
    ]


def test_a_file_name_breaks_after_its_signs():
    lines = words(fit_text(NAME, 200, 200, PLAIN, FACES))
    assert "".join(lines) == NAME
    assert all(line[-1] in "_-." for line in lines[:-1])


def test_text_is_made_smaller_before_it_is_shortened():
    block = fit_text("sampler: dpmpp_2m_sde_gpu, cfg 7.5", 150, 45, PLAIN, FACES)
    assert 8 <= block.size < 16
    assert not block.shortened


def test_a_list_with_too_many_lines_loses_the_last_ones_and_not_its_middle():
    style = TextStyle(size=9, min_size=9, shorten="middle")
    text = "seed: 1606\nsteps: 25\ncfg: 5\nsampler: DPM++ 2M\nmodel: noto-1"

    three = fit_text(text, 80, 32, style, FACES)
    long_name = fit_text("x" * 200 + ".png\nseed: 1606", 150, 32, style, FACES)

    assert words(three) == ["seed: 1606", "steps: 25", "cfg: 5…"]
    assert three.shortened
    assert words(long_name)[-1] == "seed: 1606"


def test_prose_loses_its_end_and_a_file_name_its_middle():
    prose = fit_text("a very long prompt " * 40, 150, 30, PLAIN, FACES)
    name = fit_text("x" * 200 + "_00042.png", 150, 30, TextStyle(size=16, min_size=8, shorten="middle"), FACES)
    assert (prose.size, prose.shortened) == (8, True)
    assert "".join(words(prose)).startswith("a very long")
    assert words(prose)[-1].endswith("…")
    assert name.shortened
    assert "".join(words(name)).startswith("xxx")
    assert "…" in "".join(words(name))
    assert words(name)[-1].endswith("_00042.png")


def test_nothing_fits_into_a_box_too_small_for_an_ellipsis():
    block = fit_text("seed", 4, 4, PLAIN, FACES)
    assert (block.lines, block.width, block.height, block.shortened) == ((), 0, 0, True)


def test_white_space_alone_is_nothing_to_draw():
    block = fit_text(" \n\t\n", 100, 100, PLAIN, FACES)
    assert (block.lines, block.height, block.shortened) == ((), 0, False)


def test_tabs_are_spaces_and_controls_are_dropped():
    assert words(fit_text("a\tb\x07c\r\nd\u200e", 300, 100, PLAIN, FACES))[0] == "a    bc"


def test_missing_characters_are_reported():
    assert fit_text("a 猫", 100, 100, PLAIN, FACES).missing == {"猫"}


def test_the_height_needed_is_the_height_that_fits_at_full_size():
    height = fit_text(NAME, 150, 1 << 30, PLAIN, FACES).height
    assert fit_text(NAME, 150, height, PLAIN, FACES).size == 16
    assert fit_text(NAME, 150, height - 1, PLAIN, FACES).size < 16


def test_labels_of_one_size_have_one_height_and_baseline():
    blocks = [fit_text(text, 200, 60, PLAIN, FACES) for text in ("acorn", "fly high", "_", "Žluť")]
    assert len({(block.height, block.baselines) for block in blocks}) == 1


def test_lines_are_aligned():
    for align, column in (("left", 0), ("center", 1), ("right", 2)):
        style = TextStyle(size=20, min_size=20, align=align)
        block = fit_text("WWWWWWWWWWWW\n|", 400, 100, style, FACES)
        image = Image.new("RGB", (block.width, block.height))
        draw_text(image, block, 0, 0, style, FACES)
        below = changed(image, (0, 0, 0))[block.baselines[0] + 8 :]
        where = np.nonzero(below.any(0))[0].mean() / block.width
        assert int(where * 3) == column


def test_the_ink_is_white_inside_a_whole_black_outline_on_any_picture():
    noise = np.random.default_rng(1).integers(0, 256, (60, 400, 3), np.uint8)
    block = fit_text("Readable_on,any: picture 0123 Ωж", 400, 60, PLAIN, FACES)
    on_noise, on_inverse = Image.fromarray(noise), Image.fromarray(255 - noise)
    draw_text(on_noise, block, 0, 0, PLAIN, FACES)
    draw_text(on_inverse, block, 0, 0, PLAIN, FACES)
    shown = np.asarray(on_noise).astype(int)
    is_covered = (np.abs(shown - np.asarray(on_inverse)) <= 8).all(-1)
    alone = Image.new("RGB", (400, 60))
    draw_text(alone, block, 0, 0, PLAIN, FACES)
    is_fill = np.asarray(alone)[..., 0] > 127
    grown = np.zeros_like(is_fill)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            grown |= np.roll(is_fill, (dy, dx), (0, 1))
    assert is_covered[grown].all()
    assert shown[is_fill].max() == 255
    assert shown[grown & ~is_fill].min() == 0


def test_no_outline_covers_the_letter_beside_it():
    thick = TextStyle(size=30, min_size=30, outline_width=6)
    thin = TextStyle(size=30, min_size=30, outline_width=0)
    with_outline, without = (_white_pixels("illicit", style, 6 - style.outline_width) for style in (thick, thin))
    assert np.array_equal(with_outline, without)


def _white_pixels(text, style, shift):
    image = Image.new("RGB", (300, 80))
    draw_text(image, fit_text(text, 300, 80, style, FACES), shift, shift, style, FACES)
    return np.asarray(image)[..., 0] == 255


def test_ink_over_a_clear_picture_is_as_opaque_as_its_letters():
    style = TextStyle(size=20, min_size=20, fill=(255, 0, 0))
    block = fit_text("abc", 100, 40, style, FACES)
    image = Image.new("RGBA", (60, 40))
    draw_text(image, block, 2, 2, style, FACES)
    pixels = np.asarray(image)
    assert pixels[..., 3].max() == 255
    assert (pixels[pixels[..., 3] > 0][:, :3] == (255, 0, 0)).all()


def test_text_over_the_edge_of_a_picture_is_cut_off():
    block = fit_text("abcdef", 200, 40, PLAIN, FACES)
    for mode in ("RGB", "RGBA"):
        whole, part = Image.new(mode, (200, 60), "teal"), Image.new(mode, (20, 10), "teal")
        draw_text(whole, block, 20, 20, PLAIN, FACES)
        draw_text(part, block, -10, -5, PLAIN, FACES)
        assert np.array_equal(np.asarray(part), np.asarray(whole.crop((30, 25, 50, 35))))


def test_a_picture_of_another_mode_is_refused():
    with pytest.raises(InputError, match="mode L"):
        draw_text(Image.new("L", (9, 9)), fit_text("a", 50, 50, PLAIN, FACES), 0, 0, PLAIN, FACES)


def test_sizes_the_wrong_way_round_are_refused():
    with pytest.raises(InputError, match="9 to 8"):
        TextStyle(size=8, min_size=9)


def test_right_to_left_runs_stand_from_right_to_left(tmp_path):
    make_font(tmp_path / "a.ttf", "Hebrew Squares", "אבגדה ")
    faces = find_faces(machine_fonts=[tmp_path])
    runs = [run for run in fit_text("אבג abc דה", 400, 60, PLAIN, faces).lines[0].runs if run.text.strip()]
    assert [run.text.strip() for run in runs] == ["דה", "abc", "אבג"]
    assert [run.is_rtl for run in runs] == [True, False, True]
    assert [run.x for run in runs] == sorted(run.x for run in runs)


@pytest.mark.skipif(not features.check("raqm") or not features.check("fribidi"), reason="this Pillow cannot shape text")
def test_arabic_is_drawn_as_raqm_draws_it():
    text, style = "صورة جميلة", TextStyle(size=80, min_size=80)
    if MACHINE.missing(text):
        pytest.skip("no font on this machine has Arabic")
    block = fit_text(text, 900, 300, style, MACHINE)
    drawn = Image.new("RGB", (block.width, block.height))
    draw_text(drawn, block, 0, 0, style, MACHINE)
    face = block.lines[0].runs[0].face
    reference = Image.new("RGB", drawn.size)
    pen = (-block.lines[0].left, block.baselines[0])
    font = ImageFont.truetype(str(face.path), 80, face.index)
    ImageDraw.Draw(reference).text(pen, text, "white", font, "ls", direction="rtl")
    assert np.array_equal(np.asarray(drawn), np.asarray(reference))


def test_an_emoji_keeps_its_colours_and_its_size():
    if MACHINE.missing("😀"):
        pytest.skip("no font on this machine has emoji")
    block = fit_text("😀", 100, 100, TextStyle(size=32, min_size=32), MACHINE)
    image = Image.new("RGB", (100, 100))
    draw_text(image, block, 0, 0, TextStyle(size=32, min_size=32), MACHINE)
    red, blue = np.asarray(image)[..., 0].max(), np.asarray(image)[..., 2].min()
    assert red > 200
    assert blue == 0
    assert 24 <= block.width <= 48


@pytest.mark.parametrize("unit", ["word ", "'", "a\n", "猫", "e\u0301", "مرحبا ", "i"])
@pytest.mark.parametrize("shorten", ["end", "middle"])
@pytest.mark.parametrize("box", [(200, 60), (400, 14)])
def test_of_a_text_of_any_length_the_same_is_shown(unit, shorten, box):
    style = TextStyle(size=16, min_size=9, shorten=shorten)
    # as much as is never cut, and does not fit either
    short = unit * (len(visible_part(unit * 100_000, *box, style)) // len(unit) - 1)
    assert visible_part(short, *box, style) == short

    whole, cut = fit_text(short, *box, style, FACES), fit_text(unit * 100_000, *box, style, FACES)

    assert words(cut) == words(whole) and words(cut)
    assert cut.shortened and whole.shortened
    assert len(visible_part(unit * 100_000, *box, style)) < 4000


def test_a_text_that_is_cut_says_so_even_where_all_that_is_left_fits():
    block = fit_text("a" + "\u200b" * 50_000 + "b", 200, 60, PLAIN, FACES)

    assert block.shortened and "…" in "".join(words(block))


@settings(max_examples=40, deadline=None)
@given(
    words=st.lists(st.text("abcWfjAVT.,-il", min_size=1, max_size=9), min_size=1, max_size=40),
    width=st.integers(150, 600),
    size=st.integers(8, 32),
)
def test_counted_lines_are_never_fewer_than_those_that_are_laid_out(words, width, size):
    text = " ".join(words)
    style = TextStyle(size=size, min_size=size)

    counted = plain_lines(text, width, size, FACES)

    laid_out = fit_text(text, width, 100_000, style, FACES)
    assert counted is None or len(laid_out.lines) <= counted <= len(laid_out.lines) * 1.3 + 1


def test_lines_of_other_letters_and_of_broken_words_are_not_counted():
    assert plain_lines("猫", 300, 16, FACES) is None
    assert plain_lines("x" * 100, 300, 16, FACES) is None
    assert plain_lines("a\nb c", 300, 16, FACES) == 2


def test_characters_without_a_font_are_all_counted_in_a_text_that_is_cut():
    block = fit_text("猫" + "a " * 4000 + "犬", 100, 30, PLAIN, FACES)

    assert block.shortened and block.missing == {"猫", "犬"}


def test_balanced_lines_are_as_many_as_the_others():
    text = "a small planet over a quiet sea, soft light, ultra detailed"
    greedy = fit_text(text, 150, 300, PLAIN, FACES, balanced=False)
    balanced = fit_text(text, 150, 300, PLAIN, FACES)

    assert len(greedy.lines) == len(balanced.lines) > 2
    assert balanced.width <= greedy.width
    assert " ".join(words(balanced)) == text
