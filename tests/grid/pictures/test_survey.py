"""Pictures are surveyed before they are decoded: sizes, generation data, and why a file cannot be shown."""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from threading import get_ident
from time import sleep

import numpy as np
import pytest
from clip_grid.errors import InputError, PictureError
from clip_grid.grid.pictures.find import find_files
from clip_grid.grid.pictures.own import RECORD_KEY, SOFTWARE
from clip_grid.grid.pictures.survey import (
    Picture,
    Skipped,
    Survey,
    data_warnings,
    picture_properties,
    pictures_from_arrays,
    resized_survey,
    survey_files,
)
from clip_grid.imaging import open_picture
from PIL import ExifTags, Image, PngImagePlugin


def draw(path: Path, size: tuple[int, int] = (4, 3), color: str = "red") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)
    return path


def test_one_picture_in_many_cells_is_right_in_all_threads():
    pixels = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(10):
            cells = pictures_from_arrays([Image.open(BytesIO(file.getvalue()))] * 16).pictures
            with ThreadPoolExecutor(8) as pool:
                shown = list(pool.map(lambda cell: np.asarray(cell.load(None)), cells))
            assert all(np.array_equal(one, pixels) for one in shown)
    finally:
        sys.setswitchinterval(switching)


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


RECORD = json.dumps({"format": 1, "page": 0, "pages": 1, "grid": "1x1", "options": {}})


def test_what_a_graph_does_not_tell_of_a_renamed_file_is_said_once(tmp_path):
    def branch(seed, prefix):
        sampler = {"seed": seed, "steps": 9, "cfg": 1, "model": "m", "latent_image": "l"}
        saver = {"images": [f"k{seed}", 0], "filename_prefix": prefix}
        return {
            f"k{seed}": {"class_type": "KSampler", "inputs": sampler},
            f"s{seed}": {"class_type": "SaveImage", "inputs": saver},
        }

    info = PngImagePlugin.PngInfo()
    info.add_text("prompt", json.dumps(branch(1, "left") | branch(2, "right")))
    for name in ("a", "b", "left_00001_"):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.png", pnginfo=info)

    pictures = survey_files(find_files([str(tmp_path)])).pictures

    assert [picture.values.get("seed") for picture in pictures] == [None, None, "1"]
    assert [warning.partition(":")[0] for warning in data_warnings(pictures)] == ["a.png and 1 more"]


def test_sheets_of_this_program_are_skipped_on_purpose(tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_text(RECORD_KEY, RECORD)
    Image.new("RGB", (2, 2)).save(tmp_path / "sheet.png", pnginfo=info)
    draw(tmp_path / "a.png")

    survey = survey_files(find_files([tmp_path]))

    assert [picture.name for picture in survey.pictures] == ["a.png"]
    assert [(Path(skip.name).name, skip.deliberate) for skip in survey.skipped] == [("sheet.png", True)]


@pytest.mark.parametrize("ending", ["jpg", "webp", "tif"])
def test_sheets_of_this_program_are_recognised_by_exif_too(tmp_path, ending):
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = f"{RECORD_KEY}:{RECORD}"
    Image.new("RGB", (2, 2)).save(tmp_path / f"sheet.{ending}", exif=exif)

    assert survey_files(find_files([tmp_path])).skipped[0].deliberate


@pytest.mark.parametrize(
    ("key", "text"), [(RECORD_KEY, "{}"), (RECORD_KEY, "[" * 100_000), ("Software", SOFTWARE), ("prompt", RECORD)]
)
def test_a_picture_that_only_mentions_this_program_is_a_picture(tmp_path, key, text):
    info = PngImagePlugin.PngInfo()
    info.add_text(key, text)
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png", pnginfo=info)

    assert [picture.name for picture in survey_files(find_files([tmp_path])).pictures] == ["a.png"]


def test_progress_may_stop_the_survey(tmp_path):
    draw(tmp_path / "a.png")

    class Stop(Exception):
        pass

    def stop(done: int, total: int) -> None:
        assert total == 1
        raise Stop

    with pytest.raises(Stop):
        survey_files(find_files([tmp_path]), stop)


@pytest.mark.parametrize(("seconds", "expected"), [(0.02, range(2, 9)), (0, [1])], ids=["slow disk", "in memory"])
def test_files_are_read_by_several_threads_only_where_they_are_waited_for(tmp_path, monkeypatch, seconds, expected):
    files = [(tmp_path / f"{number}.png", f"{number}.png") for number in range(40)]
    for path, _ in files:
        Image.new("RGB", (4, 4)).save(path)
    threads = set()

    def opened(path, **options):
        sleep(seconds)
        threads.add(get_ident())
        return open_picture(path, **options)

    monkeypatch.setattr("clip_grid.grid.pictures.survey.open_picture", opened)
    monkeypatch.setattr("os.cpu_count", lambda: 4)

    survey = survey_files(files)

    assert [picture.name for picture in survey.pictures] == [name for _, name in files]
    assert len(threads) in expected


def test_a_file_that_breaks_after_the_survey_is_a_picture_error(tmp_path):
    draw(tmp_path / "a.png")
    [picture] = survey_files(find_files([tmp_path])).pictures
    (tmp_path / "a.png").unlink()

    with pytest.raises(PictureError, match=r"a\.png"):
        picture.load(None)


def test_values_go_to_the_pictures_past_what_was_skipped():
    picture = pictures_from_arrays([np.zeros((1, 1, 3))]).pictures[0]
    survey = Survey((picture, Skipped("broken", "why"), Skipped("sheet", "why", deliberate=True), picture))

    assert survey.of_pictures(["a", "for the broken one", "b", "too many"]) == ["a", "b", "too many"]
    assert survey.of_pictures(["a"]) == ["a"]
    assert (len(survey.pictures), len(survey.skipped)) == (2, 2)


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


def named(*names: str, times: tuple[float, ...] = ()) -> list[Picture]:
    return [
        Picture(name, (1, 1), lambda wanted: Image.new("RGB", (1, 1)), time=times[i] if times else 0)
        for i, name in enumerate(names)
    ]


def test_the_properties_of_a_file(tmp_path):
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
