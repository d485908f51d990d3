from __future__ import annotations

from pathlib import Path

import pytest
from clip_grid.errors import InputError
from clip_grid.grid.text.font_files import Face, builtin_face, coverage, read_faces
from clip_grid.grid.text.fonts import find_faces

from .font_maker import make_font

ROBOTO = find_faces(machine_fonts=()).base.path
CJK = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")
EMOJI = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")


def test_the_characters_of_roboto_are_those_that_fonttools_finds():
    tables = pytest.importorskip("fontTools.ttLib", reason="fonttools is the oracle")
    assert coverage(ROBOTO, 0).tolist() == sorted(tables.TTFont(ROBOTO).getBestCmap())


@pytest.mark.skipif(not CJK.is_file(), reason="Noto Sans CJK is not installed")
def test_a_collection_has_its_faces_and_characters_beyond_the_basic_plane():
    tables = pytest.importorskip("fontTools.ttLib", reason="fonttools is the oracle")
    faces = read_faces(CJK)
    assert [face.family for face in faces[:3]] == ["Noto Sans CJK JP", "Noto Sans CJK KR", "Noto Sans CJK SC"]
    assert coverage(CJK, 2).tolist() == sorted(tables.TTFont(CJK, fontNumber=2).getBestCmap())


@pytest.mark.skipif(not EMOJI.is_file(), reason="Noto Color Emoji is not installed")
def test_a_font_of_colour_bitmaps_names_its_sizes():
    face = read_faces(EMOJI)[0]
    assert (face.is_color, face.strikes) == (True, (109,))


def test_family_weight_and_characters_are_read(tmp_path):
    face = read_faces(make_font(tmp_path / "a.ttf", "Square Sans", "ab\U0001f600", weight=700))[0]
    assert (face.family, face.weight, face.is_plain, face.is_color) == ("Square Sans", 700, True, False)
    assert "square sans" in face.names
    assert [face.has(char) for char in "abc\U0001f600"] == [True, True, False, True]


@pytest.mark.parametrize(
    ("axes", "weight", "weights"),
    [({"wght": (100, 900)}, 400, (100, 900)), ({"wght": (500, 650)}, 500, (500, 650)), ({"opsz": (8, 14)}, 700, None)],
)
def test_a_variable_font_is_drawn_as_near_to_regular_as_it_can(tmp_path, axes, weight, weights):
    face = read_faces(make_font(tmp_path / "a.ttf", "Variable", "a", weight=700, axes=axes))[0]

    assert (face.weight, face.weights) == (weight, weights)
    assert [face.has_weight(one) for one in (300, 700)] == [weights == (100, 900), weights == (100, 900)]


def test_a_font_of_no_characters_has_none(tmp_path):
    assert not read_faces(make_font(tmp_path / "a.ttf", "Empty", ""))[0].has("a")


def test_a_file_that_is_no_font_is_refused_by_name(tmp_path):
    path = tmp_path / "notes.ttf"
    path.write_bytes(b"this is no font at all")
    with pytest.raises(InputError, match=r"notes\.ttf"):
        read_faces(path)


def test_a_font_that_ends_too_early_is_refused_or_has_no_characters(tmp_path):
    whole = ROBOTO.read_bytes()
    for length in (3, 11, 40, 200, 2000):
        path = tmp_path / f"{length}.ttf"
        path.write_bytes(whole[:length])
        assert not Face(path).has("a")


def test_the_font_built_into_pillow_has_latin_and_no_cyrillic():
    assert [builtin_face().has(char) for char in "aЖ"] == [True, False]
