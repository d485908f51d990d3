"""The Python face: one call per sheet, per batch and per plan, and what it refuses."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from clip_grid.api import SheetInputs, assemble_grid_enhanced, dry_report, export_batch, export_grid, plan_export
from clip_grid.errors import ClipGridError, InputError, OutputError
from clip_grid.grid.labels.sources import ClipLabel
from clip_grid.grid.template import GridTemplate
from PIL import Image

from .grid.samples import RED, colour, flat, flats, pixels_of, save, truncated


def folder(path: Path, *names: str) -> Path:
    for index, name in enumerate(names):
        save(path / name, flat(colour(index)))
    return path


def labels_of(report) -> dict[str, str]:
    return {Path(cell.path).name: cell.label for cell in report.cells}


# --- pictures


def test_pictures_may_be_a_folder_a_file_a_glob_several_of_them_or_pixels(tmp_path):
    source = folder(tmp_path / "in", "a.png", "b.png", "c.png")
    pixels = flats(2)
    givens = {
        3: [source, str(source), str(source / "*.png"), [source / "a.png", source / "b.png", source / "c.png"]],
        1: [source / "a.png", pixels[0], pixels[0].astype(np.float32) / 255, Image.fromarray(pixels[0])],
        2: [pixels, np.stack(pixels), [Image.fromarray(picture) for picture in pixels]],
    }

    for count, ways in givens.items():
        for images in ways:
            assert len(export_grid(images, tmp_path / "out.png").cells) == count


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([], "there are no pictures"),
        (["nowhere"], "there is no folder or file 'nowhere'"),
        (["nowhere/*.png"], "no picture matches"),
        (["a.png", np.zeros((2, 2, 3), np.uint8)], "mixes paths and pictures"),
        ([np.zeros((2, 2, 7), np.uint8)], "has the shape"),
    ],
)
def test_pictures_that_cannot_be_used_are_refused(tmp_path, images, message):
    with pytest.raises(InputError, match=message):
        export_grid(images, tmp_path / "s.png")
    assert os.listdir(tmp_path) == []


def test_a_broken_file_does_not_shift_the_labels_and_scores_of_the_others(tmp_path):
    source = folder(tmp_path / "in", "a.png", "b.png", "c.png", "d.png")
    (source / "b.png").write_bytes(b"broken")
    scores = [{"s": 1.0}, {"s": 2.0}, {"s": 3.0}, {"s": 4.0}]

    report = export_grid(
        source, source / "sheet.png", inputs=SheetInputs(labels=["A", "B", "C", "D"], scores=scores), badge="s"
    )
    again = export_grid(
        source, source / "sheet.png", inputs=SheetInputs(labels=["A", "B", "C", "D"], scores=scores), badge="s"
    )

    for made in (report, again):
        assert labels_of(made) == {"a.png": "A", "c.png": "C", "d.png": "D"}
        assert [cell.scores["s"] for cell in made.cells] == [1.0, 3.0, 4.0]
        assert made.warnings == ()


def test_what_is_found_in_the_pictures_goes_onto_the_sheet_and_broken_files_are_not_looked_at(tmp_path):
    source = folder(tmp_path / "in", "a.png", "b.png", "né.png")
    (source / "b.png").write_bytes(b"broken")

    def labeller(pictures):
        return [ClipLabel(f"seen {picture.name}", {"clip probability": 0.75}, "a dog") for picture in pictures]

    def scorer(pictures):
        return [{"cosine": len(picture.name) / 100} for picture in pictures]

    inputs = SheetInputs(labeller=labeller, scorer=scorer, scores=[{"cosine": 0.5}, {"cosine": 0.6}])
    report = export_grid(source, tmp_path / "s.png", inputs=inputs, winner="highest", scores_csv=True)

    assert labels_of(report) == {"a.png": "seen a.png", "né.png": "seen né.png"}
    assert [cell.scores for cell in report.cells] == [
        {"cosine": 0.5, "clip probability": 0.75},
        {"cosine": 0.06, "clip probability": 0.75},
    ]
    assert (tmp_path / "s.scores.csv").read_text("utf-8").count("\n") == 3


def test_one_label_goes_to_all_and_a_surplus_is_told_even_beside_a_broken_file(tmp_path):
    source = folder(tmp_path / "in", "a.png", "b.png")
    (source / "b.png").write_bytes(b"broken")

    one = export_grid(source, tmp_path / "1.png", inputs=SheetInputs(labels=["all"]))
    surplus = export_grid(source, tmp_path / "2.png", inputs=SheetInputs(labels=["A", "B", "C"]))

    assert labels_of(one) == {"a.png": "all"}
    assert labels_of(surplus) == {"a.png": "A"}
    assert "the surplus labels are not used" in surplus.warnings[0]


@pytest.mark.parametrize(("mode", "drawn"), [("fit", (20, 10)), ("fill", (20, 20)), ("stretch", (20, 20))])
def test_pictures_are_resized_before_they_are_placed(tmp_path, mode, drawn):
    inputs = SheetInputs(resize=((20, 20), mode))

    report = export_grid([flat(RED, 80, 40)], tmp_path / "s.png", inputs=inputs, cell_width=50, cell_height=50)

    assert report.cells[0].image_box[2:] == drawn


def test_rows_as_python_values_label_pictures_in_order(tmp_path):
    rows = [{"seed": np.int64(2**60), "cfg": 7.0}, {"seed": 3, "cfg": 4.5}]

    report = export_grid(flats(2), tmp_path / "s.png", inputs=SheetInputs(metadata=rows), label_columns="seed")

    assert labels_of(report) == {"image 1": f"seed: {2**60}", "image 2": "seed: 3"}


def test_csv_and_metadata_together_are_refused(tmp_path):
    with pytest.raises(InputError, match="both csv and metadata"):
        export_grid(flats(1), tmp_path / "s.png", inputs=SheetInputs(csv="a.csv", metadata="[]"))


@pytest.mark.parametrize("content", ["", "seed,cfg\n1,2\n", None])
def test_a_table_that_cannot_be_used_is_refused_by_name(tmp_path, content):
    if content is not None:
        (tmp_path / "labels.csv").write_text(content)

    with pytest.raises(InputError, match=r"labels\.csv"):
        export_grid(
            folder(tmp_path / "in", "a.png"), tmp_path / "s.png", inputs=SheetInputs(csv=tmp_path / "labels.csv")
        )


# --- the file


@pytest.mark.parametrize(
    ("name", "options", "written"),
    [
        ("s.JPG", {}, "s.JPG"),
        ("s.tif", {}, "s.tif"),
        ("s", {}, "s.png"),
        ("s.v1.2", {"format": "webp"}, "s.v1.2.webp"),
        ("s.htm", {}, "s.htm"),
        ("new/deep/s.png", {}, "new/deep/s.png"),
        ("new/", {}, "new/in_grid.png"),
        (".", {"format": "jpeg"}, "in_grid.jpg"),
    ],
)
def test_the_ending_and_the_format_decide_the_file(tmp_path, name, options, written):
    source = folder(tmp_path / "in", "a.png")

    report = export_grid(f"{source}/", f"{tmp_path}/{name}", **options)

    assert [Path(page.path) for page in report.pages] == [tmp_path / written]
    assert (tmp_path / written).is_file()


@pytest.mark.parametrize("name", ["n" * 300 + ".png", "~nobody-of-this-name/s.png\0"])
def test_a_name_that_no_disk_takes_is_an_output_error(tmp_path, name):
    with pytest.raises(OutputError, match="cannot be written"):
        export_grid(flats(1), tmp_path / name)


def test_a_sheet_without_a_name_is_refused():
    with pytest.raises(InputError, match="the sheet has no file name"):
        export_grid(flats(1), "")


def test_a_home_folder_that_does_not_exist_is_a_folder_like_others(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(InputError, match="there is no folder or file '~nobody-of-this-name'"):
        export_grid("~nobody-of-this-name", "s.png")
    assert export_batch(["~nobody-of-this-name"], tmp_path).failed[0].directory == "~nobody-of-this-name"


def test_a_folder_named_by_a_dot_gives_its_real_name(tmp_path, monkeypatch):
    monkeypatch.chdir(folder(tmp_path / "in", "a.png"))

    report = export_grid(".", f"{tmp_path}/")

    assert report.pages[0].path == str(tmp_path / "in_grid.png")


def test_an_ending_that_contradicts_the_format_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"s\.png ends in \.png but format is jpeg"):
        export_grid(flats(1), tmp_path / "s.png", format="jpeg")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": -1}, "rows is -1"),
        ({"margin": -5}, "margin is -5"),
        ({"format": "gif"}, "format is 'gif'; it must be one of png, jpeg"),
        ({"colums": 3}, "there is no option 'colums'; did you mean 'columns'"),
        ({"background": "blurple"}, "background is 'blurple'"),
        ({"label_columns": "nope"}, "'nope' is not among the columns"),
        ({"label_sources": "csv, klip"}, "label_sources names 'klip'"),
        ({"template": "defualt"}, "there is no template 'defualt'; did you mean 'default'"),
        ({"font": "no such font anywhere"}, "the font 'no such font anywhere' was not found"),
    ],
)
def test_a_wrong_option_is_refused_by_name_and_nothing_is_written(tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        export_grid(flats(1), tmp_path / "s.png", **options)
    assert os.listdir(tmp_path) == []


def test_a_broken_template_file_is_refused_by_name(tmp_path):
    (tmp_path / "t.json").write_text("{rows: 3")

    with pytest.raises(InputError, match=r"t\.json is not JSON"):
        export_grid(flats(1), tmp_path / "s.png", template=tmp_path / "t.json")


def test_an_option_beats_the_template_and_the_template_beats_the_default(tmp_path):
    options = {"cols": 2, "margin": 3, "cell_size": [20, 20], "rows": None, "label_position": "over"}
    (tmp_path / "t.json").write_text(json.dumps(options))

    report = export_grid(flats(6), tmp_path / "s.png", template=tmp_path / "t.json", columns=3)

    assert report.to_dict()["grid_dimensions"] == "2x3"
    assert report.to_dict()["canvas_size"] == f"{3 * 20 + 4 * 3}x{2 * 20 + 3 * 3}"


@pytest.mark.usefixtures("bound_by_permissions")
def test_a_folder_without_permission_is_named(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)

    with pytest.raises(OutputError, match="no permission to write there"):
        export_grid(flats(1), tmp_path / "locked" / "s.png")


def test_a_file_in_place_of_the_folder_is_an_output_error(tmp_path):
    (tmp_path / "file").write_text("x")

    with pytest.raises(OutputError, match="its folder is a file"):
        export_grid(flats(1), tmp_path / "file" / "s.png")


# --- plans


def test_a_plan_writes_nothing_and_names_the_files_that_would_be_written(tmp_path):
    planned, target = plan_export(flats(5), tmp_path / "s.png", rows=1, columns=2)
    report = dry_report(planned, target)

    assert [Path(page.path).name for page in report.pages] == ["s.png", "s-2.png", "s-3.png"]
    assert (report.images_found, report.images_processed) == (5, 5)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("format", ["pdf", "html"])
def test_the_plan_of_a_document_names_its_one_file(tmp_path, format):
    planned, target = plan_export(flats(5), tmp_path / f"s.{format}", rows=1, columns=2)

    assert {page.path for page in dry_report(planned, target).pages} == {str(target)}


def test_a_plan_says_what_the_sheet_then_is(tmp_path):
    planned, target = plan_export(flats(7), tmp_path / "s.png", columns=3, inputs=SheetInputs(labels=["x"]))

    made = export_grid(flats(7), tmp_path / "s.png", columns=3, inputs=SheetInputs(labels=["x"]))

    assert dry_report(planned, target).to_dict() == made.to_dict()


# --- batches


def test_a_broken_folder_costs_only_itself(tmp_path):
    one, two = folder(tmp_path / "one", "a.png"), folder(tmp_path / "two", "a.png", "b.png")
    (tmp_path / "empty").mkdir()
    seen: list[tuple[str, bool]] = []

    report = export_batch(
        [one, tmp_path / "empty", tmp_path / "missing", two],
        tmp_path / "out",
        each=lambda name, outcome: seen.append((Path(name).name, isinstance(outcome, ClipGridError))),
    )

    assert report.status == "partial"
    assert [grid.images_processed for grid in report.grids] == [1, 2]
    assert [Path(failed.directory).name for failed in report.failed] == ["empty", "missing"]
    assert seen == [("one", False), ("empty", True), ("missing", True), ("two", False)]


@pytest.mark.skipif(sys.platform == "win32", reason="names are counted in other units there")
@pytest.mark.parametrize("letter", ["n", "日"])
def test_names_that_become_too_long_are_shortened_and_stay_apart(tmp_path, letter):
    long = letter * (255 // len(letter.encode()))
    folders = [folder(tmp_path / parent / long, "1.png", "2.png", "3.png") for parent in ("a", "b")]
    target = tmp_path / f"{long[:-4]}.png"

    batch = export_batch(folders, tmp_path / "out", rows=1, columns=1, sidecar=True, scores_csv=True)
    sheets = [export_grid(folders[0], target, rows=1, columns=1, sidecar=True, overwrite=True) for _ in range(2)]

    assert batch.status == "ok"
    written = os.listdir(tmp_path / "out")
    # three pages, the sidecar and the scores
    assert len(written) == 2 * (3 + 2)
    assert sorted(Path(page.path).name for grid in batch.grids for page in grid.pages) == sorted(
        name for name in written if name.endswith(".png")
    )
    assert sheets[0].pages[0].path == str(target)
    assert len([name for name in os.listdir(tmp_path) if len(name) > 20]) == 3 + 1


def test_folders_of_the_same_name_get_files_of_their_own(tmp_path):
    for parent in ("a", "b", "c"):
        folder(tmp_path / parent / ("Run" if parent == "c" else "run"), "x.png")

    report = export_batch([f"{tmp_path}/a/run/", f"{tmp_path}/b/run//", f"{tmp_path}/c/Run"], tmp_path / "out")

    names = [Path(grid.pages[0].path).name for grid in report.grids]
    assert names == ["run_grid.png", "run_grid_2.png", "Run_grid_3.png"]
    assert report.status == "ok"


def test_a_glob_stands_for_its_folders_in_natural_order(tmp_path):
    for name in ("run10", "run2", "run[1]", "run1"):
        folder(tmp_path / "runs" / name, "x.png")
    (tmp_path / "runs" / "notes.txt").write_text("x")

    globbed = export_batch([f"{tmp_path}/runs/run?*"], tmp_path / "out")
    literal = export_batch([f"{tmp_path}/runs/run[1]"], tmp_path / "out2")

    assert {Path(grid.pages[0].path).name for grid in globbed.grids} == {
        "run1_grid.png", "run2_grid.png", "run10_grid.png", "run[1]_grid.png"
    }  # fmt: skip
    assert [Path(grid.pages[0].path).name for grid in literal.grids] == ["run[1]_grid.png"]


def test_the_output_folder_among_the_globbed_ones_is_not_taken_for_an_input(tmp_path):
    folder(tmp_path / "a", "x.png")
    folder(tmp_path / "b", "x.png")

    first = export_batch([f"{tmp_path}/*"], tmp_path / "out")
    second = export_batch([f"{tmp_path}/*"], tmp_path / "out")

    assert (first.status, len(first.grids)) == (second.status, len(second.grids)) == ("ok", 2)


def test_an_output_folder_with_pictures_of_its_own_is_an_input_if_named(tmp_path):
    a, b = folder(tmp_path / "a", "x.png"), folder(tmp_path / "b", "x.png")

    report = export_batch([a, b], a)
    again = export_batch([a, b], a)

    assert len(report.grids) == len(again.grids) == 2
    assert [grid.images_processed for grid in again.grids] == [1, 1]


def test_a_batch_in_which_nothing_worked_is_an_error(tmp_path):
    assert export_batch([tmp_path / "missing"], tmp_path / "out").status == "error"


# --- the rest


def test_the_older_name_gives_the_older_result_keys(tmp_path):
    source = folder(tmp_path / "in", "a.png", "b.png")
    (tmp_path / "l.csv").write_text("filename,seed\na.png,1\nb.png,2\n")

    result = assemble_grid_enhanced(
        source,
        tmp_path / "s.png",
        GridTemplate(cell_width=30, cell_height=30, label_position="over"),
        ["seed"],
        tmp_path / "l.csv",
    )

    assert {key: result[key] for key in ("status", "images_processed", "grid_dimensions", "canvas_size")} == {
        "status": "ok", "images_processed": 2, "grid_dimensions": "1x2", "canvas_size": "90x50"
    }  # fmt: skip
    assert result["export_format"] == "png"


def test_a_second_run_beside_its_own_sheet_shows_the_same_pictures(tmp_path):
    source = folder(tmp_path, "a.png", "b.png")

    first = export_grid(source, source / "sheet.png", rows=1, columns=1)
    second = export_grid(source, source / "sheet.png", rows=1, columns=1)

    assert len(first.cells) == len(second.cells) == 2
    assert second.status == "ok"


def test_a_truncated_file_is_drawn_as_a_placeholder_with_its_label(tmp_path):
    source = folder(tmp_path / "in", "a.png")
    truncated(source / "b.png")

    report = export_grid(source, tmp_path / "s.png", cell_width=100, cell_height=100)

    assert (report.status, report.images_found, report.images_processed) == ("partial", 2, 1)
    assert (pixels_of(tmp_path / "s.png")[10:110, 120:220] != 255).any()


def test_what_progress_raises_stops_the_work_without_a_file(tmp_path):
    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_grid(flats(9), tmp_path / "s.png", progress=stop)
    assert os.listdir(tmp_path) == []


def test_the_frame_of_an_animation_can_be_chosen(tmp_path):
    colors = ["red", "lime", "blue"]
    frames = [Image.new("RGB", (64, 64), color) for color in colors]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    look = {"margin": 0, "cell_width": 64, "cell_height": 64, "label_position": "none"}

    for frame, color in enumerate(colors):
        export_grid(tmp_path / "moving.gif", tmp_path / "sheet.png", frame=frame, **look)
        with Image.open(tmp_path / "sheet.png") as sheet:
            assert sheet.getpixel((32, 32)) == Image.new("RGB", (1, 1), color).getpixel((0, 0))


def test_labels_stay_with_their_pictures_past_a_broken_file(tmp_path):
    for name in ("b.png", "c.png"):
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    (tmp_path / "a.png").write_bytes(b"")

    report = export_grid(tmp_path, tmp_path / "s.png", inputs=SheetInputs(labels=["first", "second"]))

    assert [cell.label for cell in report.cells] == ["second", "c.png"]


def test_the_pictures_of_a_list_keep_its_order_unless_another_is_asked_for(tmp_path):
    for name in ("a.png", "b.png"):
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    (tmp_path / "best.txt").write_text("b.png\na.png\n")

    ranked = export_grid(tmp_path / "best.txt", tmp_path / "s.png")
    sorted_ = export_grid(tmp_path / "best.txt", tmp_path / "s.png", sort_by="name")

    assert [cell.label for cell in ranked.cells] == ["b.png", "a.png"]
    assert [cell.label for cell in sorted_.cells] == ["a.png", "b.png"]


def test_tensors_of_every_usual_shape_are_pictures(tmp_path):
    torch = pytest.importorskip("torch")
    red = torch.zeros(5, 7, 3)
    red[..., 0] = 1
    shapes = [red, red.permute(2, 0, 1), red[None], red.permute(2, 0, 1)[None], (red * 255).to(torch.uint8)]

    report = export_grid(shapes, tmp_path / "s.png", background="white", label_position="none")
    alone = export_grid(red.permute(2, 0, 1), tmp_path / "t.png")

    sheet = Image.open(tmp_path / "s.png").convert("RGB")
    centres = [(x + w // 2, y + h // 2) for x, y, w, h in (cell.image_box for cell in report.cells)]
    assert [sheet.getpixel(centre) for centre in centres] == [(255, 0, 0)] * 5
    assert len(alone.cells) == 1
