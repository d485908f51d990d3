from __future__ import annotations

import pytest
from clip_grid.errors import InputError
from clip_grid.grid.colors import css_color, parse_color, readable_on, relative_luminance


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("white", (255, 255, 255, 255)),
        (" RebeccaPurple ", (102, 51, 153, 255)),
        ("#0af", (0, 170, 255, 255)),
        ("#0af8", (0, 170, 255, 136)),
        ("#102030", (16, 32, 48, 255)),
        ("#10203040", (16, 32, 48, 64)),
        ("30,30,30", (30, 30, 30, 255)),
        ("248, 248,248", (248, 248, 248, 255)),
        ("255 255 255", (255, 255, 255, 255)),
        ("1,2,3,4", (1, 2, 3, 4)),
        ("transparent", (0, 0, 0, 0)),
        ("Transparent", (0, 0, 0, 0)),
        ("rgb(1, 2, 3)", (1, 2, 3, 255)),
        ("hsl(120, 100%, 50%)", (0, 255, 0, 255)),
    ],
)
def test_every_way_to_write_a_colour_is_read(text, expected):
    assert parse_color(text, "background") == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "blurple",
        "#12",
        "#12345",
        "#gggggg",
        "256,0,0",
        "-1,0,0",
        "1,2",
        "1,2,3,4,5",
        "1.5,2,3",
        "rgb(300,0,0)",
        "rgba(0,0,0,300)",
        "hsl(0,200%,50%)",
        "9" * 5000 + ",1,1",
        "x" * 500,
        "¹,²,³",
    ],
)
def test_what_is_no_colour_is_refused_by_option(text):
    with pytest.raises(InputError, match=r"background is .* must be a colour"):
        parse_color(text, "background")


def test_css_leaves_the_opacity_out():
    assert css_color((1, 171, 255)) == css_color((1, 171, 255, 3)) == "#01abff"


def test_luminance_ends_at_black_and_white():
    assert relative_luminance((0, 0, 0)) == 0
    assert relative_luminance((255, 255, 255)) == pytest.approx(1)
    assert relative_luminance((255, 0, 0)) == pytest.approx(0.2126)


@pytest.mark.parametrize(
    ("background", "expected"),
    [
        ((255, 255, 255), 0),
        ((0, 0, 0), 255),
        ((118, 118, 118), 0),
        ((117, 117, 117), 255),
        ((0, 0, 255), 255),
        ((255, 255, 0), 0),
        ((30, 30, 30), 255),
    ],
)
def test_the_text_that_reads_better_is_chosen(background, expected):
    # on grey 117 white has a contrast of 4.61 and black one of 4.56; from 118 on it is the other way round
    assert readable_on((*background, 255)) == (expected,) * 3


def test_the_chosen_text_always_has_a_contrast_of_four_and_a_half():
    for grey in range(256):
        luminance = relative_luminance((grey, grey, grey))
        text = relative_luminance(readable_on((grey, grey, grey, 255)))
        lighter, darker = max(luminance, text), min(luminance, text)

        assert (lighter + 0.05) / (darker + 0.05) >= 4.5
