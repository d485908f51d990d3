"""What models are checked with: pictures that show something or nothing, texts, published cosines."""

from __future__ import annotations

import json
import sys
import zlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from clip_grid.clip_backend.model_check import pictures as module
from clip_grid.clip_backend.model_check.pictures import check_pictures, draw, nothing_pictures, published_cosines
from clip_grid.clip_backend.preparing.blank import emptiness, pixel_statistics
from clip_grid.clip_backend.scoring.scales import bank, length_class
from PIL import Image

from ..fresh import answer, start
from .synthetic_model import PHOTOGRAPHS

REAL = Path(__file__).resolve().parents[4] / "shared" / "real" / "notebook_8x8.json"


# pictures that show something


def test_without_scikit_image_there_are_twelve_different_drawings():
    shown = check_pictures()

    assert (shown.kind, len(shown.pictures)) == ("drawings", 12)
    assert {(one.mode, one.size) for one in shown.pictures.values()} == {("RGB", (224, 224))}
    assert len({one.tobytes() for one in shown.pictures.values()}) == 12
    assert [name for name, one in shown.pictures.items() if emptiness(pixel_statistics(one))] == []


def test_scikit_images_photographs_take_the_places_of_five_drawings(photographs, monkeypatch):
    monkeypatch.delitem(sys.modules, "skimage", raising=False)
    shown = check_pictures()

    assert (shown.kind, len(shown.pictures)) == ("photographs", 12)
    assert [one for one in shown.pictures.values() if isinstance(one, Path)] == [
        photographs / name for name in PHOTOGRAPHS
    ]
    assert list(shown.pictures)[:5] == list(shown.words) == list(shown.captions)[:5]
    assert "skimage" not in sys.modules


def test_drawings_are_taken_where_a_photograph_would_have_to_be_downloaded(photographs):
    (photographs / "rocket.jpg").unlink()

    assert check_pictures().kind == "drawings"


def test_the_photographs_of_an_installed_scikit_image_show_something(monkeypatch):
    monkeypatch.setattr(module, "find_spec", find_spec)
    folder = Path(pytest.importorskip("skimage").__file__).parent / "data"

    shown = check_pictures()

    assert [path.parent for path in shown.pictures.values() if isinstance(path, Path)] == [folder] * 5
    for name in shown.words:
        with Image.open(shown.pictures[name]) as picture:
            assert emptiness(pixel_statistics(picture)) == ""


def test_shapes_are_drawn_where_their_percentages_say():
    ground, disc = ["rectangle", "#0000ff", 0, 0, 100, 100], ["ellipse", "#ff0000", 25, 25, 75, 75]
    picture = draw([ground, disc, ["line", "#00ff00", 10, 0, 90, 100, 90]])

    assert [picture.getpixel(at) for at in ((2, 2), (112, 112), (112, 202))] == [(0, 0, 255), (255, 0, 0), (0, 255, 0)]


# texts


@pytest.mark.parametrize("kind", ["drawings", "photographs"])
def test_captions_are_long_and_words_short_and_none_is_of_the_bank(request, kind):
    if kind == "photographs":
        request.getfixturevalue(kind)
    shown = check_pictures()

    assert len(shown.captions) == 8 and len(shown.words) == 5
    assert {length_class(text) for text in shown.captions.values()} == {"long"}
    assert {length_class(text) for text in shown.words.values()} == {"short"}
    assert {*shown.words.values()} & {*bank().nouns, *bank().nouns.values()} == set()
    assert {*shown.words, *shown.pictures} & {*bank().nouns} == set()


def test_captions_describe_pictures_that_are_there_or_nothing_that_is():
    shown = check_pictures()

    assert {*shown.words} <= {*shown.captions} <= {*shown.pictures}


# published cosines


def test_the_published_cosines_are_highest_for_the_own_captions(photographs):
    names = list(check_pictures().captions)

    assert len(published_cosines()) == 2
    for rows in published_cosines().values():
        assert [names[int(np.argmax(row))] for row in rows.values()] == list(rows)
        assert {len(row) for row in rows.values()} == {8}


def test_the_published_cosines_are_those_of_the_figures(photographs):
    if not REAL.is_file():
        pytest.skip("the folder shared/real with published figures is not beside the checkout")
    figures, names = json.loads(REAL.read_text("utf-8")), list(check_pictures().captions)
    places = [figures["pictures"].index(name) for name in names]
    tables = {"OpenAI ViT-B/32": "OpenAI B/32", "LAION-400M ViT-B/32": "B/32-quickgelu laion400m_e32"}

    for model, rows in published_cosines().items():
        table = np.array(figures[tables[model]])
        for name, row in rows.items():
            assert table[places, figures["pictures"].index(name)].tolist() == row


# pictures that show nothing


def test_there_are_thirty_different_pictures_of_nothing_in_nine_kinds():
    every = [one for several in nothing_pictures().values() for one in several]

    assert (len(nothing_pictures()), len(every)) == (9, 30)
    assert {(one.shape, one.dtype) for one in every} == {((96, 96, 3), np.dtype(np.uint8))}
    assert len({one.tobytes() for one in every}) == 30


def test_all_but_mosaics_and_clouds_are_told_by_their_pixels():
    told = {
        kind: {emptiness(pixel_statistics(Image.fromarray(one))) for one in several}
        for kind, several in nothing_pictures().items()
    }

    noise, blank = {"noise"}, {"blank"}
    assert told == {
        "colour noise": noise, "grey noise": noise, "salt and pepper": noise, "coarse mosaic": {""},
        "faint noise": noise, "plain grey": blank, "gradient": blank, "clouds": {""}, "plain colours": blank,
    }  # fmt: skip


def test_pictures_of_nothing_are_the_same_in_another_process():
    code = (
        "import zlib; from clip_grid.clip_backend.model_check.pictures import nothing_pictures;"
        "print(json.dumps([[zlib.crc32(one.tobytes()) for one in kind] for kind in nothing_pictures().values()]))"
    )

    assert answer(start(code)) == [[zlib.crc32(one.tobytes()) for one in kind] for kind in nothing_pictures().values()]
