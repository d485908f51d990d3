"""Picture files are found in folders, globs and lists, each once, in the order that people expect."""

from __future__ import annotations

import json
import os
import random
import sys
import unicodedata
from pathlib import Path

import pytest
from clip_grid.api import export_batch, export_grid
from clip_grid.api.pictures import gather
from clip_grid.errors import InputError
from clip_grid.grid.pictures.find import find_files, folder_files, natural_key, readable
from clip_grid.grid.pictures.lists import as_line
from clip_grid.grid.pictures.survey import (
    picture_properties,
    survey_files,
)
from PIL import Image

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")


needs_byte_names = pytest.mark.skipif(sys.platform != "linux", reason="only here names may hold any bytes")


def draw(path: Path, size: tuple[int, int] = (4, 3), color: str = "red") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)
    return path


def names_of(*sources: str | os.PathLike[str]) -> list[str]:
    return [name for _, name in find_files(sources)]


def test_a_folder_gives_its_pictures_in_natural_order(tmp_path):
    for name in ("img_10.png", "img_2.png", "IMG_1.png", "b.JPG", "c.webp", "d.tiff", "e.bmp", "f.gif", "g.jfif"):
        (tmp_path / name).write_bytes(b"x")

    expected = ["b.JPG", "c.webp", "d.tiff", "e.bmp", "f.gif", "g.jfif", "IMG_1.png", "img_2.png", "img_10.png"]
    assert names_of(tmp_path) == names_of(f"{tmp_path}/") == expected


def test_other_files_hidden_files_and_folders_called_like_pictures_are_left_out(tmp_path):
    draw(tmp_path / "a.png")
    draw(tmp_path / ".hidden.png")
    draw(tmp_path / "x.png" / "inner.png")
    (tmp_path / "notes.md").write_text("")
    (tmp_path / "png").write_text("")

    assert names_of(tmp_path) == ["a.png"]
    assert folder_files(tmp_path) == [tmp_path / "a.png"]


def test_an_empty_folder_has_no_pictures(tmp_path):
    assert find_files([tmp_path]) == []
    assert survey_files([]).pictures == ()


@needs_links
def test_links_that_lead_nowhere_or_to_themselves_do_not_cost_the_folder(tmp_path):
    draw(tmp_path / "a.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "no.png")
    (tmp_path / "self.png").symlink_to("self.png")

    survey = survey_files(find_files([tmp_path]))

    assert [picture.name for picture in survey.pictures] == ["a.png"]
    reasons = {Path(skip.name).name: skip.reason for skip in survey.skipped}
    assert reasons["gone.png"] == f"a link to {tmp_path / 'no.png'}, which is not there; mend or remove it"
    assert "cannot be opened" in reasons["self.png"] and len(reasons) == 2


@pytest.mark.usefixtures("bound_by_permissions")
def test_a_folder_without_permission_says_so(tmp_path):
    tmp_path.chmod(0)
    try:
        with pytest.raises(InputError, match="cannot be read"):
            find_files([tmp_path])
    finally:
        tmp_path.chmod(0o700)


def test_a_folder_that_cannot_be_listed_says_so(tmp_path):
    with pytest.raises(InputError, match=r"cannot be read \(No such file"):
        folder_files(tmp_path / "no")


@pytest.mark.parametrize("source", ["", "  ", '""', "no such folder", "a\0b", "x" * 5000, "~nobody_of_that_name/a"])
def test_a_source_that_is_nothing_is_refused_by_name(tmp_path, monkeypatch, source):
    draw(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(InputError, match="there is no folder or file"):
        find_files([source])


@pytest.mark.parametrize("pattern", ["*.jpg", "no/*.png", "**/no*", "a\0*", "x" * 5000 + "*", "[", "*/*/*.png"])
def test_a_pattern_that_matches_nothing_is_refused_by_name(tmp_path, monkeypatch, pattern):
    draw(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(InputError, match=r"no picture matches|there is no folder or file"):
        find_files([pattern])


def test_quotes_and_blanks_around_a_source_are_taken_off(tmp_path):
    draw(tmp_path / "a b.png")

    assert names_of(f'"{tmp_path}"', f"  {tmp_path / 'a b.png'} ") == ["a b.png"]


@needs_links
@pytest.mark.parametrize(
    "name", ["it's.png", "'q'.png", '"', " a.png", "[1].png", "new\nline.png", "#1.png", "né 日本.png"]
)
def test_odd_names_are_found_by_their_folder_and_by_themselves(tmp_path, monkeypatch, name):
    draw(tmp_path / "x.png").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)

    assert names_of(name) == [name]
    if name.endswith(".png"):
        assert names_of(tmp_path) == names_of("*.png") == [name]


@needs_byte_names
def test_a_name_that_is_not_utf8_becomes_text_that_can_be_written(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.png"
    Path(os.fsdecode(path)).write_bytes(draw(tmp_path / "x.png").read_bytes())
    broken = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")
    Path(broken).write_bytes(b"")

    survey = survey_files(find_files([tmp_path]))

    picture = survey.pictures[0]
    assert picture.name == "caf?.png" and picture.load(None).size == (4, 3)
    assert picture.path_text == f"{tmp_path}/caf?.png"
    assert [skip.name for skip in survey.skipped] == [f"{tmp_path}/?.png"]
    json.dumps([picture.name, picture_properties(picture, 0)], ensure_ascii=False).encode("utf-8")


def test_readable_text_is_not_changed():
    assert readable("né 日本 👩‍🚀\n") == "né 日本 👩‍🚀\n"
    assert readable("a\udcffb\ud83d") == "a?b?"


def test_each_file_appears_once_at_its_first_place(tmp_path, monkeypatch):
    for name in ("a.png", "b.png"):
        draw(tmp_path / name)
    monkeypatch.chdir(tmp_path)

    assert names_of("b.png", tmp_path, "./b.png", "*.png", tmp_path / "a.png") == ["b.png", "a.png"]


def test_a_glob_names_pictures_below_its_fixed_folder(tmp_path):
    for name in ("run1/a.png", "run2/a.png", "run10/deep/a.png"):
        draw(tmp_path / name)

    assert names_of(f"{tmp_path}/*/a.png") == ["run1/a.png", "run2/a.png"]
    assert (
        names_of(f"{tmp_path}/**/*.png")
        == names_of(f"{tmp_path}/**")
        == ["run1/a.png", "run2/a.png", "run10/deep/a.png"]
    )
    assert names_of(f"{tmp_path}/run1*/**/a.png") == ["run1/a.png", "run10/deep/a.png"]
    assert names_of(f"{tmp_path}/run?/*") == ["run1/a.png", "run2/a.png"]
    assert names_of(f"{tmp_path}/run[0-1]/../run2/*.png") == ["run1/../run2/a.png"]


def test_a_glob_does_not_see_what_is_hidden_unless_it_says_so(tmp_path):
    for name in (".cache/a.png", ".b.png", "c.png"):
        draw(tmp_path / name)

    assert names_of(f"{tmp_path}/**/*.png") == names_of(f"{tmp_path}/*") == ["c.png"]
    assert names_of(f"{tmp_path}/.c*/*.png") == [".cache/a.png"]
    assert names_of(f"{tmp_path}/.*.png") == [".b.png"]


def test_a_folder_called_like_a_picture_does_not_match_a_glob(tmp_path):
    draw(tmp_path / "x.png" / "in.png")

    assert names_of(f"{tmp_path}/**/*.png") == ["x.png/in.png"]


@needs_links
def test_folders_that_link_to_each_other_are_searched_once(tmp_path):
    draw(tmp_path / "a" / "a.png")
    draw(tmp_path / "b" / "b.png")
    for number in range(4):
        (tmp_path / "a" / f"loop{number}").symlink_to(tmp_path)
        (tmp_path / "b" / f"loop{number}").symlink_to("../a")

    assert names_of(f"{tmp_path}/**/*.png") == ["a/a.png", "b/b.png"]


@needs_links
def test_a_linked_folder_is_searched(tmp_path):
    draw(tmp_path / "elsewhere" / "a.png")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "link").symlink_to(tmp_path / "elsewhere")

    assert names_of(f"{tmp_path}/here/**/*.png") == names_of(f"{tmp_path}/here/*/*.png") == ["link/a.png"]


def test_a_list_holds_sources_with_comments_blank_lines_quotes_and_a_mark(tmp_path):
    for name in ("b.png", "a.png", "more/c.png", "#1.png", "a b.png"):
        draw(tmp_path / name)
    lines = ["# pictures", "b.png", "", '  "a b.png"', "   # later", "more", f"{tmp_path}/a.png", "./#1.png", "*.png"]
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())

    assert names_of(tmp_path / "list.txt") == ["b.png", "a b.png", "c.png", "a.png", "#1.png"]


def test_a_list_in_a_folder_with_brackets_may_hold_globs(tmp_path):
    draw(tmp_path / "set [1]" / "a.png")
    (tmp_path / "set [1]" / "list.txt").write_text("*.png\n")

    assert names_of(tmp_path / "set [1]" / "list.txt") == ["a.png"]


def test_a_list_that_names_itself_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("b.txt\n")
    (tmp_path / "b.txt").write_text("./a.txt\n")

    with pytest.raises(InputError, match="names itself"):
        find_files([tmp_path / "a.txt"])


def test_a_list_may_be_named_twice(tmp_path):
    draw(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("a.png\n")
    (tmp_path / "both.txt").write_text("a.txt\na.txt\n")

    assert names_of(tmp_path / "both.txt") == ["a.png"]


def test_a_line_that_names_nothing_costs_itself_alone(tmp_path):
    for name in ("a.png", "b.png"):
        draw(tmp_path / name)
    (tmp_path / "list.txt").write_text("b.png\ngone.png\nno*.png\na.png\n")

    survey = survey_files(find_files([tmp_path / "list.txt"]))

    assert [picture.name for picture in survey.pictures] == ["b.png", "a.png"]
    assert [skip.name for skip in survey.skipped] == [str(tmp_path / "gone.png"), str(tmp_path / "no*.png")]
    assert all("No such file" in skip.reason for skip in survey.skipped)


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("né 日本.png", "utf-16"), ("né 日本.png", "utf-16-le"), ("né 日本.png", "utf-16-be"), ("né.png", "cp1252"),
        ("né.png", "cp850"), ("né.png", "cp437"), ("日本.png", "cp932"), ("中文.png", "gbk"), ("фото.png", "cp1251"),
        ("zdjęcie.png", "cp1250"), ("εικόνα.png", "cp1253"), ("é.png", "utf-8-sig"), ("é.png", "utf-32"),
    ],
)  # fmt: skip
def test_a_list_may_be_in_unicode_or_a_code_page(tmp_path, name, encoding):
    draw(tmp_path / name)
    draw(tmp_path / "plain.png")
    (tmp_path / "list.txt").write_bytes(f"{name}\r\nplain.png\r\n".encode(encoding))
    notes: list[str] = []

    assert [found for _, found in find_files([tmp_path / "list.txt"], notes)] == [name, "plain.png"]
    assert notes == []


@pytest.mark.parametrize("order", ["le", "be"])
def test_a_list_in_utf_16_with_a_mark_may_have_either_order_of_bytes(tmp_path, order):
    draw(tmp_path / "né 日本.png")
    (tmp_path / "list.txt").write_bytes("\ufeffné 日本.png\n".encode(f"utf-16-{order}"))

    assert names_of(tmp_path / "list.txt") == ["né 日本.png"]


def test_a_nul_in_a_list_of_utf_8_costs_its_line_alone(tmp_path):
    names = ["né.png", "日本.png", "plain.png"]
    for name in names:
        draw(tmp_path / name)
    (tmp_path / "list.txt").write_bytes(b"x\0y.png\n" + "\n".join(names).encode())

    survey = survey_files(find_files([tmp_path / "list.txt"]))

    assert [picture.name for picture in survey.pictures] == names
    (skipped,) = survey.skipped
    assert "no file can have this name" in skipped.reason


def test_a_code_page_that_names_of_files_do_not_prove_is_told(tmp_path):
    draw(tmp_path / "plain.png")
    (tmp_path / "list.txt").write_bytes("plain.png\nфотография.png\n".encode("cp1251"))

    report = export_grid(tmp_path / "list.txt", tmp_path / "out.png")

    assert f"the list {tmp_path / 'list.txt'} is not UTF-8; by its letters it was read as cp1251" in report.warnings[0]
    assert [skip.name for skip in report.skipped] == [str(tmp_path / "фотография.png")]
    assert any("cp1251" in note for note in gather([tmp_path / "list.txt"]).notes)


@needs_byte_names
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "cp850", "ascii"])
def test_the_lines_of_odd_names_lead_back_to_their_files(tmp_path, encoding):
    names = [
        "a.png",
        "né 日本.png",
        "new\nline.png",
        "#1.png",
        " blank.png ",
        "'q'.png",
        "100%.png",
        os.fsdecode(b"\xff.png"),
    ]
    paths = [draw(tmp_path / "x.png").rename(tmp_path / name) for name in names]
    lines = [as_line(str(path), encoding) for path in paths]
    (tmp_path / "list.txt").write_bytes("\r\n".join(lines).encode(encoding))

    assert [path for path, _ in find_files([tmp_path / "list.txt"])] == paths


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_an_address_may_hold_bytes_that_are_not_utf8(tmp_path):
    picture = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png"))
    draw(picture)
    (tmp_path / "list.txt").write_bytes(b"file://" + os.fsencode(tmp_path) + b"/\xff.png\n")

    assert [path for path, _ in find_files([tmp_path / "list.txt"])] == [picture]


def test_lists_that_name_each_other_twice_are_read_once(tmp_path):
    draw(tmp_path / "a.png")
    for number in range(40):
        (tmp_path / f"{number}.txt").write_text(f"{number + 1}.txt\n{number + 1}.txt\n")
    (tmp_path / "40.txt").write_text("a.png\n")

    assert names_of(tmp_path / "0.txt") == ["a.png"]


@pytest.mark.usefixtures("bound_by_permissions")
def test_folders_that_cannot_be_read_are_reported_and_cost_themselves_alone(tmp_path):
    closed, unlisted, unentered = (tmp_path / name for name in ("closed", "unlisted", "unentered"))
    for folder in (closed, unlisted, unentered, tmp_path / "open"):
        draw(folder / "a.png")
    closed.chmod(0)
    unlisted.chmod(0o300)
    unentered.chmod(0o600)
    try:
        found = survey_files(find_files([f"{tmp_path}/**/*.png"]))
        several = survey_files(find_files([closed, tmp_path / "open"]))
        entered = survey_files(find_files([unentered]))
    finally:
        for folder in (closed, unlisted, unentered):
            folder.chmod(0o700)

    assert [picture.name for picture in found.pictures] == ["open/a.png"]
    assert [Path(skip.name).name for skip in found.skipped] == ["closed", "a.png", "unlisted"]
    assert [picture.name for picture in several.pictures] == ["a.png"]
    assert [skip.name for skip in several.skipped] == [str(closed)]
    assert all("Permission denied" in skip.reason for skip in (*found.skipped, *several.skipped, *entered.skipped))
    assert len(entered.skipped) == 1


@needs_links
def test_links_to_folders_that_lead_to_themselves_are_reported(tmp_path, monkeypatch):
    draw(tmp_path / "a.png")
    (tmp_path / "loop").symlink_to("loop")
    monkeypatch.chdir(tmp_path)

    for sources in (["**/*.png"], ["a.png", "loop/b.png"]):
        survey = survey_files(find_files(sources))

        assert [picture.name for picture in survey.pictures] == ["a.png"]
        assert [(Path(skip.name).parts[0], "symbolic links" in skip.reason) for skip in survey.skipped] == [
            ("loop", True)
        ]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no folders that cannot be named")
def test_folders_too_deep_to_be_named_are_reported(tmp_path, monkeypatch):
    draw(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    for _ in range(24):
        os.mkdir("d" * 200)
        os.chdir("d" * 200)
    draw(Path("deep.png"))
    os.chdir(tmp_path)

    survey = survey_files(find_files(["**/*.png"]))

    assert [picture.name for picture in survey.pictures] == ["a.png"]
    assert ["File name too long" in skip.reason for skip in survey.skipped] == [True]


@pytest.mark.usefixtures("bound_by_permissions")
def test_folders_of_a_batch_that_cannot_be_told_are_named(tmp_path, monkeypatch):
    for name in ("open", "closed", "unentered"):
        draw(tmp_path / "in" / name / "a.png")
    (tmp_path / "in/loop").symlink_to("loop")
    (tmp_path / "in/file.txt").write_text("x")
    monkeypatch.chdir(tmp_path)
    Path("in/closed").chmod(0)
    Path("in/unentered").chmod(0o600)
    try:
        report = export_batch(["in/*", "in/unentered/below", "in/file.txt", "no"], "out")
    finally:
        Path("in/closed").chmod(0o700)
        Path("in/unentered").chmod(0o700)

    assert len(report.grids) == 1
    reasons = {failure.directory: failure.reason for failure in report.failed}
    assert list(reasons) == ["in/closed", "in/loop", "in/unentered", "in/unentered/below", "in/file.txt", "no"]
    assert all("Permission denied" in reasons[name] for name in list(reasons)[:4] if name != "in/loop")
    assert "symbolic links" in reasons["in/loop"]
    assert reasons["in/file.txt"] == "'in/file.txt' is a file; give the folder that it is in"
    assert reasons["no"] == "there is no folder 'no'; check the spelling"


@pytest.mark.usefixtures("bound_by_permissions")
def test_files_that_cannot_be_read_and_pipes_cost_themselves_alone(tmp_path):
    draw(tmp_path / "a.png")
    draw(tmp_path / "locked.png").chmod(0)
    os.mkfifo(tmp_path / "pipe.png")

    survey = survey_files(find_files([tmp_path]))

    assert [picture.name for picture in survey.pictures] == ["a.png"]
    reasons = {Path(skip.name).name: skip.reason for skip in survey.skipped}
    assert "Permission denied" in reasons["locked.png"]
    assert reasons["pipe.png"] == "it is a pipe, not a file; give a file"


def test_pictures_of_other_kinds_are_reported_with_what_to_do(tmp_path):
    draw(tmp_path / "a.png")
    Image.new("RGB", (5, 4), "blue").save(tmp_path / "b.tga")
    Image.new("RGB", (6, 5)).save(tmp_path / "c.apng", "PNG", save_all=True, append_images=[Image.new("RGB", (6, 5))])
    contents = {
        "d.jxl": b"\xff\x0a" + bytes(20), "e.heic": b"\0\0\0\x18ftypheic" + bytes(20),
        "f.jpg": b"\0\0\0\x18ftypheic" + bytes(20),
        "g.psd": b"8BPS" + bytes(20), "h.svg": b"<svg/>", "i.mp4": b"\0\0\0\x18ftypisom" + bytes(20), "j.exr": bytes(9),
    }  # fmt: skip
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)

    survey = survey_files(find_files([tmp_path]))

    assert [picture.name for picture in survey.pictures] == ["a.png", "b.tga", "c.apng"]
    assert [picture.load(None).size for picture in survey.pictures[1:]] == [(5, 4), (6, 5)]
    reasons = {Path(skip.name).name: skip.reason for skip in survey.skipped}
    assert list(reasons) == list(contents)
    assert "JPEG XL" in reasons["d.jxl"] and "pillow-jxl-plugin" in reasons["d.jxl"]
    assert reasons["e.heic"] == reasons["f.jpg"] and "pillow-heif" in reasons["e.heic"]
    assert reasons["g.psd"] == "Photoshop, which is not read; export it as PNG"
    assert reasons["h.svg"] == "SVG, which is not read; it holds shapes, not pixels: export it as PNG"
    assert reasons["i.mp4"] == "video, which is not read; save the frame that you want to see as PNG"
    assert reasons["j.exr"] == "OpenEXR, which is not read; save it as PNG or TIFF"


def natural(texts: list[str]) -> list[str]:
    return sorted(texts, key=natural_key)


def test_numbers_in_names_count_as_numbers():
    assert natural(["img_10.png", "img_2.png", "img_1.png"]) == ["img_1.png", "img_2.png", "img_10.png"]


def test_later_numbers_count_too():
    assert natural(["a1b10", "a1b9", "a10b1", "a2b1"]) == ["a1b9", "a1b10", "a2b1", "a10b1"]


def test_case_does_not_separate_names():
    assert natural(["Zoe", "adam", "Bea"]) == ["adam", "Bea", "Zoe"]


def test_names_equal_but_for_case_have_one_order():
    assert natural(["a.png", "A.png"]) == natural(["A.png", "a.png"]) == ["A.png", "a.png"]


def test_names_equal_but_for_leading_zeros_have_one_order():
    assert (
        natural(["img_1", "img_01", "img_2"]) == natural(["img_01", "img_2", "img_1"]) == ["img_01", "img_1", "img_2"]
    )


def test_numbers_come_before_letters_and_the_empty_text_first():
    assert natural(["b", "7", "", "a7", "a"]) == ["", "7", "a", "a7", "b"]


def test_digits_of_every_script_count():
    arabic_ten, arabic_two = "\u0661\u0660", "\u0662"
    assert natural([f"x{arabic_ten}", "x5", f"x{arabic_two}"]) == [f"x{arabic_two}", "x5", f"x{arabic_ten}"]


def test_superscripts_are_no_numbers_and_do_no_harm():
    assert natural(["m³", "m²"]) == ["m²", "m³"]


def test_very_long_runs_of_digits_are_compared():
    small, large = "x" + "1" * 100_000, "x" + "1" * 99_999 + "2"
    assert natural([large, small, "x2"]) == ["x2", small, large]


def test_composed_and_decomposed_names_are_neighbours():
    composed = unicodedata.normalize("NFC", "é1")
    decomposed = unicodedata.normalize("NFD", "é1")
    assert natural_key(composed)[0] == natural_key(decomposed)[0]


def test_the_order_does_not_depend_on_the_order_given():
    names = ["10", "9", "a", "A", "ä", "a1", "a01", "", " ", "ß", "ss", "SS", "img_2", "img-2", "img 2", "²", "日本 3"]
    expected = natural(names)
    for seed in range(20):
        shuffled = names.copy()
        random.Random(seed).shuffle(shuffled)
        assert natural(shuffled) == expected
