from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from clip_grid.errors import InputError, PictureError
from clip_grid.grid.arrange.sorting import sort_pictures
from clip_grid.grid.pictures.clip_grid_sheets import RECORD_KEY, SOFTWARE
from clip_grid.grid.pictures.find import find_files, folder_files, readable
from clip_grid.grid.pictures.survey import (
    Picture,
    picture_properties,
    pictures_from_arrays,
    resized_survey,
    survey_files,
)
from PIL import ExifTags, Image, PngImagePlugin

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
needs_byte_names = pytest.mark.skipif(sys.platform != "linux", reason="only here names may hold any bytes")


def draw(path: Path, size: tuple[int, int] = (4, 3), color: str = "red") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)
    return path


def names_of(*sources: str | os.PathLike[str]) -> list[str]:
    return [name for _, name in find_files(sources)]


# folders


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

    assert names_of(tmp_path) == ["a.png"]


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


# names that do not exist or cannot


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


# globs


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


# lists


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


def test_a_list_that_is_not_utf8_or_names_a_missing_file_says_so(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\xff")
    (tmp_path / "b.txt").write_text("gone.png\n")

    with pytest.raises(InputError, match=r"a\.txt cannot be read .* UTF-8"):
        find_files([tmp_path / "a.txt"])
    with pytest.raises(InputError, match=r"'gone\.png'"):
        find_files([tmp_path / "b.txt"])


# the survey


def test_every_file_is_a_picture_or_skipped_with_its_reason(tmp_path):
    draw(tmp_path / "good.png")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "words.png").write_text("not a picture")
    found = [*find_files([tmp_path]), (tmp_path / "gone.png", "gone.png")]

    survey = survey_files(found)

    assert [picture.name for picture in survey.pictures] == ["good.png"]
    reasons = {Path(skip.name).name: skip.reason for skip in survey.skipped}
    assert reasons["empty.png"] == "the file is empty; make or fetch it again"
    assert reasons["words.png"].startswith("not a picture")
    assert "No such file" in reasons["gone.png"]
    assert not any(skip.deliberate for skip in survey.skipped)


def test_the_survey_knows_the_upright_size_and_the_picture_fits_it(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    for ending in ("jpg", "png", "tif", "webp"):
        Image.new("RGB", (40, 20)).save(tmp_path / f"a.{ending}", exif=exif)

    pictures = survey_files(find_files([tmp_path])).pictures

    assert [picture.size for picture in pictures] == [(20, 40)] * 4
    assert [picture.load(None).size for picture in pictures] == [(20, 40)] * 4


def test_the_chosen_frame_is_surveyed_and_loaded(tmp_path):
    pages = [Image.new("RGB", (2, 2), "red"), Image.new("RGB", (5, 3), "blue")]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])

    [first] = survey_files(find_files([tmp_path])).pictures
    [last] = survey_files(find_files([tmp_path]), frame=7).pictures

    assert (first.size, first.load(None).getpixel((0, 0))) == ((2, 2), (255, 0, 0))
    assert (last.size, last.load(None).getpixel((0, 0))) == ((5, 3), (0, 0, 255))


def test_generation_data_is_read_and_holds_nothing_that_cannot_be_written(tmp_path):
    text = PngImagePlugin.PngInfo()
    text.add_text("parameters", "a cat\nSteps: 20, Sampler: Euler, Seed: 9007199254740993")
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png", pnginfo=text)
    text = PngImagePlugin.PngInfo()
    graph = {"1": {"class_type": "CLIPTextEncode", "inputs": {"text": "half \ud83d"}}}
    sampler = {"class_type": "KSampler", "inputs": {"seed": 5, "positive": ["1", 0]}}
    text.add_text("prompt", json.dumps({**graph, "2": sampler}))
    Image.new("RGB", (2, 2)).save(tmp_path / "b.png", pnginfo=text)

    first, second = survey_files(find_files([tmp_path])).pictures

    assert first.values["seed"] == "9007199254740993"
    assert first.values["sampler"] == "Euler"
    assert second.values["seed"] == "5"
    json.dumps(dict(second.values), ensure_ascii=False).encode("utf-8")


@pytest.mark.parametrize(("key", "text"), [(RECORD_KEY, "{}"), ("Software", f"{SOFTWARE} 0.1")])
def test_our_own_earlier_sheets_are_skipped_on_purpose(tmp_path, key, text):
    info = PngImagePlugin.PngInfo()
    info.add_text(key, text)
    Image.new("RGB", (2, 2)).save(tmp_path / "sheet.png", pnginfo=info)
    draw(tmp_path / "a.png")

    survey = survey_files(find_files([tmp_path]))

    assert [picture.name for picture in survey.pictures] == ["a.png"]
    assert [(Path(skip.name).name, skip.deliberate) for skip in survey.skipped] == [("sheet.png", True)]


@pytest.mark.parametrize("ending", ["jpg", "webp", "tif"])
def test_our_own_sheets_are_known_by_exif_too(tmp_path, ending):
    exif = Image.Exif()
    exif[ExifTags.Base.Software] = SOFTWARE
    Image.new("RGB", (2, 2)).save(tmp_path / f"sheet.{ending}", exif=exif)

    assert survey_files(find_files([tmp_path])).skipped[0].deliberate


def test_progress_may_stop_the_survey(tmp_path):
    draw(tmp_path / "a.png")

    class Stop(Exception):
        pass

    def stop(done: int, total: int) -> None:
        assert total == 1
        raise Stop

    with pytest.raises(Stop):
        survey_files(find_files([tmp_path]), stop)


def test_a_file_that_breaks_after_the_survey_is_a_picture_error(tmp_path):
    draw(tmp_path / "a.png")
    [picture] = survey_files(find_files([tmp_path])).pictures
    (tmp_path / "a.png").unlink()

    with pytest.raises(PictureError, match=r"a\.png"):
        picture.load(None)


# arrays


def test_arrays_of_any_size_and_channel_count_become_pictures():
    arrays = [np.ones((2, 3)), np.ones((4, 5, 1), np.float16), np.ones((6, 7, 3), np.float32), np.zeros((8, 9, 4))]

    pictures = pictures_from_arrays(arrays, ["first"]).pictures

    assert [picture.size for picture in pictures] == [(3, 2), (5, 4), (7, 6), (9, 8)]
    assert [picture.name for picture in pictures] == ["first", "image 2", "image 3", "image 4"]
    assert [picture.load(None).mode for picture in pictures] == ["RGB", "RGB", "RGB", "RGBA"]
    assert pictures[0].load(None).size == (3, 2)


@pytest.mark.parametrize("shape", [(), (5,), (2, 2, 2), (0, 4, 3), (1, 2, 2, 3)])
def test_arrays_of_other_shapes_are_refused_at_once(shape):
    with pytest.raises(InputError, match="shape"):
        pictures_from_arrays([np.zeros(shape)])


def test_a_pil_picture_stands_upright_and_keeps_its_owner_untouched(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (40, 20)).save(tmp_path / "a.jpg", exif=exif)

    with Image.open(tmp_path / "a.jpg") as image:
        [picture] = pictures_from_arrays([image]).pictures

        assert picture.size == (20, 40)
        assert picture.load(None).size == picture.load(None).size == (20, 40)
        assert image.size == (40, 20)


def test_a_pil_picture_of_a_broken_file_is_a_picture_error(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (50, 50, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:3000])

    with Image.open(tmp_path / "a.png") as image, pytest.raises(PictureError, match="mine"):
        pictures_from_arrays([image], ["mine"]).pictures[0].load(None)


# resizing


@pytest.mark.parametrize(("mode", "expected"), [("fit", (20, 10)), ("fill", (20, 20)), ("stretch", (20, 20))])
def test_pictures_are_resized_before_they_are_placed(mode, expected):
    survey = resized_survey(pictures_from_arrays([np.zeros((40, 80, 3))]), (20, 20), mode)

    [picture] = survey.pictures
    assert picture.size == picture.load(None).size == expected


def test_fill_crops_the_centre_where_stretch_squeezes():
    left_middle_right = np.repeat([[[255, 0, 0]] * 20 + [[0, 255, 0]] * 20 + [[0, 0, 255]] * 20], 20, axis=0)
    survey = pictures_from_arrays([left_middle_right.astype(np.uint8)])

    [filled] = resized_survey(survey, (20, 20), "fill").pictures
    [stretched] = resized_survey(survey, (20, 20), "stretch").pictures

    assert filled.load(None).getpixel((10, 10)) == filled.load(None).getpixel((2, 10)) == (0, 255, 0)
    assert [stretched.load(None).getpixel((x, 10)) for x in (1, 18)] == [(255, 0, 0), (0, 0, 255)]


def test_fit_never_makes_a_side_of_nothing():
    [picture] = resized_survey(pictures_from_arrays([np.zeros((1, 1000, 3))]), (10, 10), "fit").pictures

    assert picture.size == picture.load(None).size == (10, 1)


# order


def named(*names: str, times: tuple[float, ...] = ()) -> list[Picture]:
    return [
        Picture(name, (1, 1), lambda wanted: Image.new("RGB", (1, 1)), time=times[i] if times else 0)
        for i, name in enumerate(names)
    ]


def order_of(pictures: list[Picture], by: str, *, reverse: bool = False, keys: tuple[object, ...] = ()) -> list[str]:
    order = sort_pictures(pictures, by, reverse=reverse, keys=keys)
    return [pictures[i].name for i in order]


def test_names_are_sorted_naturally_and_backwards():
    pictures = named("img_10", "img_2", "img_1")

    assert order_of(pictures, "name") == ["img_1", "img_2", "img_10"]
    assert order_of(pictures, "name", reverse=True) == ["img_10", "img_2", "img_1"]


def test_the_given_order_is_kept_and_reversed():
    pictures = named("c", "a", "b")

    assert order_of(pictures, "given") == ["c", "a", "b"]
    assert order_of(pictures, "given", reverse=True) == ["b", "a", "c"]


@pytest.mark.parametrize("reverse", [False, True])
def test_pictures_of_one_time_keep_the_order_of_their_names(reverse):
    pictures = named("late", "b10", "b2", times=(9, 5, 5))

    expected = ["late", "b2", "b10"] if reverse else ["b2", "b10", "late"]
    assert order_of(pictures, "time", reverse=reverse) == expected


@pytest.mark.parametrize("reverse", [False, True])
def test_pictures_of_one_value_keep_the_order_of_their_names_and_unknown_ones_come_last(reverse):
    pictures = named("none", "b10", "b2", "big")

    expected = ["big", "b2", "b10", "none"] if reverse else ["b2", "b10", "big", "none"]
    assert order_of(pictures, "cfg", reverse=reverse, keys=(None, "7", "7.0", "12")) == expected


def test_values_are_sorted_as_numbers_then_as_texts():
    keys = ("10", "9", "euler 10", "-1.5", "euler 9", "nan", 2.0)

    assert order_of(named(*"abcdefg"), "x", keys=keys) == ["d", "g", "b", "a", "e", "c", "f"]


def test_seeds_beyond_the_precision_of_floats_are_told_apart():
    keys = ("9007199254740993", "9007199254740992", "1e400", "9" * 5000)

    assert order_of(named(*"abcd"), "seed", keys=keys) == ["b", "a", "c", "d"]


# facts


def test_the_facts_of_a_file(tmp_path):
    draw(tmp_path / "run" / "a.b.png", (40, 30))
    os.utime(tmp_path / "run" / "a.b.png", (0, 86_400 * 365))
    [picture] = survey_files(find_files([f"{tmp_path}/*/*.png"])).pictures

    facts = picture_properties(picture, 4)

    assert facts.pop("date")[:4] in ("1970", "1971")
    assert facts == {"name": "a.b.png", "stem": "a.b", "folder": "run", "index": "5", "width": "40", "height": "30"}


def test_a_file_given_without_a_folder_knows_its_folder(tmp_path, monkeypatch):
    draw(tmp_path / "run" / "a.png")
    monkeypatch.chdir(tmp_path / "run")

    assert picture_properties(survey_files(find_files(["a.png"])).pictures[0], 0)["folder"] == "run"


@pytest.mark.parametrize("time", [0, 1e12, 1e30, -1e30])
def test_a_time_that_no_calendar_has_is_left_empty(time):
    assert picture_properties(named("a", times=(time,))[0], 0)["date"] == ""


def test_a_picture_from_memory_has_no_folder_and_no_date():
    facts = picture_properties(named("image 1")[0], 0)

    assert (facts["folder"], facts["date"], facts["stem"]) == ("", "", "image 1")
