from __future__ import annotations

import importlib.util
import os
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from clip_grid.errors import InputError
from clip_grid.grid.text.font_search import font_folders
from clip_grid.grid.text.fonts import find_faces
from PIL import Image, ImageDraw, ImageFont

from .font_maker import make_font

SCRIPTS = {
    "latin": "Ärger Čeština Łódź Việt ñ",
    "greek": "Ελλάδα",
    "cyrillic": "Привет",
    "signs": "€ → ×",
    "chinese": "梦幻森林，步数",
    "japanese": "東京の夜景、カフェ",
    "korean": "서울의 밤하늘",
    "arabic": "صورة قطة",
    "hebrew": "חתול יושב",
    "thai": "ภาพถ่ายน้ำ",
    "devanagari": "एक सुंदर बिल्ली",
    "emoji": "😀 👨‍👩‍👧‍👦 🇩🇪 1️⃣ ❤️",
}


def runs(faces, text):
    """The text cut where its face changes."""
    groups = groupby(faces.pieces(text), lambda piece: piece[1])
    return [(face, "".join(cluster for cluster, _ in group)) for face, group in groups]


def families(faces, text):
    return [(face.family, part) for face, part in runs(faces, text)]


def test_plain_text_is_one_run_of_roboto():
    assert families(find_faces(machine_fonts=()), "portrait_0001.png") == [("Roboto", "portrait_0001.png")]


def test_roboto_has_latin_greek_and_cyrillic():
    faces = find_faces(machine_fonts=())
    assert faces.missing("".join(SCRIPTS[name] for name in ("latin", "greek", "cyrillic")) + "€×") == set()


def test_characters_that_no_face_has_are_reported():
    assert find_faces(machine_fonts=()).missing("a 猫 b 한") == {"猫", "한"}


def test_a_missing_character_is_drawn_by_a_font_of_the_machine(tmp_path):
    make_font(tmp_path / "kana.ttf", "Test Kana", "あい")
    faces = find_faces(machine_fonts=[tmp_path])
    assert families(faces, "a あい b") == [("Roboto", "a "), ("Test Kana", "あい"), ("Roboto", " b")]
    assert faces.missing("a あい b") == set()


def test_a_regular_weight_is_taken_before_a_bold_one(tmp_path):
    make_font(tmp_path / "a.ttf", "A Bold", "あ", weight=700)
    make_font(tmp_path / "b.ttf", "B Regular", "あ")
    assert families(find_faces(machine_fonts=[tmp_path]), "あ") == [("B Regular", "あ")]


def test_a_well_known_family_is_taken_before_an_unknown_one(tmp_path):
    make_font(tmp_path / "a.ttf", "Anybody", "あ")
    make_font(tmp_path / "b.ttf", "Yu Gothic", "あ")
    assert families(find_faces(machine_fonts=[tmp_path]), "あ") == [("Yu Gothic", "あ")]


def test_han_characters_are_drawn_in_the_face_of_the_script_around_them(tmp_path):
    make_font(tmp_path / "a.ttf", "Microsoft YaHei", "猫あ")
    make_font(tmp_path / "b.ttf", "Yu Gothic", "猫あ")
    faces = find_faces(machine_fonts=[tmp_path])
    assert families(faces, "猫") == [("Microsoft YaHei", "猫")]
    assert families(faces, "猫あ") == [("Yu Gothic", "猫あ")]


def test_a_letter_and_its_marks_stay_in_one_face(tmp_path):
    make_font(tmp_path / "a.ttf", "Marks", "q\u0fb5")
    assert families(find_faces(machine_fonts=[tmp_path]), "qq\u0fb5") == [("Roboto", "q"), ("Marks", "q\u0fb5")]


def test_the_runs_joined_are_the_text():
    faces = find_faces(machine_fonts=())
    for text in (*SCRIPTS.values(), "", " ", "\n\t", "\u200d\u200d", "a\u0301\u0301 \u202e"):
        assert "".join(part for _, part in runs(faces, text)) == text


def test_the_font_asked_for_comes_first(tmp_path):
    path = make_font(tmp_path / "Squares.ttf", "Square Sans", "abc ")
    for asked in (str(path), "squares.ttf", "Squares", "square sans"):
        faces = find_faces(asked, machine_fonts=[tmp_path])
        assert families(faces, "abcd") == [("Square Sans", "abc"), ("Roboto", "d")]


def test_a_font_that_is_not_there_is_refused_with_near_names(tmp_path):
    make_font(tmp_path / "a.ttf", "Square Sans", "a")
    with pytest.raises(InputError, match=r"'Sqare Sans' was not found \(near: Square Sans\)"):
        find_faces("Sqare Sans", machine_fonts=[tmp_path])


def test_a_file_that_is_no_font_is_dropped_with_a_note_when_asked_for_and_passed_over_when_found(tmp_path):
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    make_font(tmp_path / "good.ttf", "Good", "あ")
    (note,) = find_faces(str(tmp_path / "broken.ttf"), machine_fonts=()).notes
    assert note.startswith("the font broken.ttf cannot be used (")
    assert note.endswith("); the labels are drawn in Roboto")
    assert families(find_faces(machine_fonts=[tmp_path]), "あ") == [("Good", "あ")]


@pytest.mark.usefixtures("bound_by_permissions")
def test_a_font_that_cannot_be_reached_is_dropped_with_the_reason(tmp_path):
    Path(make_font(tmp_path / "locked.ttf", "Locked", "a")).chmod(0)
    make_font(tmp_path / "a.ttf", "In", "a")
    (tmp_path / "closed").mkdir(0o600)
    (tmp_path / "loop.ttf").symlink_to("loop.ttf")
    os.mkfifo(tmp_path / "pipe.ttf")
    reasons = {"locked.ttf": "Permission denied", "closed/a.ttf": "Permission denied", "loop.ttf": "symbolic links"}
    for name, reason in {**reasons, "pipe.ttf": "a pipe"}.items():
        faces = find_faces(str(tmp_path / name), machine_fonts=())
        assert reason in faces.notes[0] and Path(name).name in faces.notes[0]
        assert faces.base.family == "Roboto"
    assert find_faces(str(tmp_path / "a.ttf"), machine_fonts=()).notes == ()


def test_a_font_with_damaged_glyphs_draws_none_of_them(tmp_path):
    whole = Path(find_faces().base.path).read_bytes()
    rng = random.Random(5)
    used = 0
    for number in range(3):
        damaged = bytearray(whole)
        for _ in range(100):
            damaged[rng.randrange(20_000, len(damaged))] = rng.randrange(256)
        path = tmp_path / f"{number}.ttf"
        path.write_bytes(damaged)
        faces = find_faces(str(path), machine_fonts=())
        used += not faces.notes
        for text, face in faces.pieces("Grüße, 100 € от Ягуара"):
            faces.at(face, 16).add_ink(np.zeros((64, 64), np.uint8), (20, 40), text, False, 1)
    assert used > 0


def test_a_folder_without_ascii_in_its_name_is_searched(tmp_path):
    folder = tmp_path / "шрифты 字体"
    folder.mkdir()
    make_font(folder / "a.ttf", "Far", "あ")
    faces = find_faces(machine_fonts=[tmp_path])
    assert families(faces, "あ") == [("Far", "あ")]
    assert faces.at(runs(faces, "あ")[0][0], 20).extent("あ", False).advance == 14


def test_a_variable_font_is_opened(tmp_path):
    faces = find_faces(str(make_font(tmp_path / "a.ttf", "Variable", "a", axes={"wght": (100, 900)})), machine_fonts=())
    assert faces.at(faces.base, 20).extent("a", False).advance == 14


def test_the_bold_face_of_a_variable_font_is_the_font_itself_at_another_weight(tmp_path):
    path = make_font(tmp_path / "a.ttf", "Variable", "a", axes={"wght": (100, 900)})
    narrow = make_font(tmp_path / "b.ttf", "Narrow", "a", axes={"wght": (100, 500)})

    faces = find_faces(str(path), machine_fonts=())

    assert (faces.base.weight, faces.bold.base.weight, faces.bold.base.path) == (400, 700, path)
    assert find_faces(str(narrow), machine_fonts=()).bold.base.weight == 400


@pytest.mark.parametrize("weight", [400, 700])
def test_the_letters_of_a_variable_font_are_those_that_pillow_draws_at_their_weight(weight):
    spec = importlib.util.find_spec("fontpkg_roboto") or pytest.skip("fontpkg-roboto is not installed")
    path = Path(spec.submodule_search_locations[0], "files", "Roboto[wdth,wght].ttf")
    oracle = ImageFont.truetype(str(path), 80)
    oracle.set_variation_by_axes([weight, 100])
    regular = find_faces(str(path), machine_fonts=())
    faces = regular if weight == 400 else regular.bold

    extent = faces.at(faces.base, 80).extent("Steps", False)

    assert (extent.box, extent.advance) == (oracle.getbbox("Steps", anchor="ls"), round(oracle.getlength("Steps")))


@pytest.fixture
def no_roboto(monkeypatch):
    for package in ("fontpkg_roboto", "font_roboto"):
        monkeypatch.setitem(sys.modules, package, None)


@pytest.mark.usefixtures("no_roboto")
def test_without_roboto_the_font_built_into_pillow_is_used_and_a_note_tells_it(tmp_path):
    # a folder of its own, so that the faces are not those of an earlier call
    faces = find_faces(machine_fonts=[tmp_path])
    assert "pip install fontpkg-roboto" in faces.notes[0]
    assert families(faces, "abc") == [("Pillow's built-in face", "abc")]


@pytest.mark.usefixtures("no_roboto")
def test_pillows_face_draws_what_no_other_face_has(tmp_path):
    faces = find_faces(machine_fonts=[tmp_path])
    for text in ("é", "🎉", "אב"):
        assert faces.at(faces.base, 20).extent(text, is_rtl=text == "אב").advance > 0


def test_there_is_no_note_when_roboto_is_installed():
    assert find_faces(machine_fonts=()).notes == ()


def test_the_users_own_folder_is_searched_first(monkeypatch, tmp_path):
    if sys.platform in ("win32", "darwin"):
        pytest.skip("XDG_DATA_HOME is a custom of Linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert font_folders()[0] == tmp_path / "fonts"


def test_threads_do_not_share_an_opened_font():
    faces = find_faces(machine_fonts=())
    with ThreadPoolExecutor(1) as pool:
        theirs = pool.submit(faces.at, faces.base, 16).result()
    assert theirs is not faces.at(faces.base, 16)
    assert faces.at(faces.base, 16) is faces.at(faces.base, 16)


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_empty_box_is_drawn_where_this_machine_has_a_font(script):
    faces = find_faces()
    if missing := faces.missing(SCRIPTS[script]):
        pytest.skip(f"no font on this machine has {missing}")
    for face, part in runs(faces, SCRIPTS[script]):
        boxed = _ink(face.path, face.index, "\U000ffffe", face.strikes)
        for char in part.replace("\u200d", "").replace("\ufe0f", "").split():
            assert not np.array_equal(_ink(face.path, face.index, char, face.strikes), boxed), (char, face.family)


def _ink(path: Path, index: int, text: str, strikes: tuple[int, ...]) -> np.ndarray:
    """The text drawn by Pillow alone."""
    canvas = Image.new("RGBA", (400, 200))
    font = ImageFont.truetype(str(path), strikes[0] if strikes else 40, index)
    ImageDraw.Draw(canvas).text((60, 140), text, (255, 0, 0), font, "ls", embedded_color=True)
    return np.asarray(canvas)
