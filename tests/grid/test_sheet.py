"""A sheet as a whole: no picture lost, a sidecar that is the report, the same bytes every time."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from clip_grid.api import SheetInputs, export_batch, export_grid
from clip_grid.errors import OutputError
from clip_grid.grid.table.table import parse_table
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from .samples import colour, export, flat, flats, noise, pixels_of, save, survey, truncated


def cells_with(colour_: tuple[int, int, int], report, pages) -> int:
    """The number of cells of which all pixels have a colour."""
    found = 0
    for cell in report.cells:
        x, y, width, height = cell.image_box
        found += bool((pages[cell.page][y : y + height, x : x + width] == colour_).all())
    return found


@settings(max_examples=30, deadline=None)
@given(count=st.integers(1, 120), rows=st.integers(0, 12), columns=st.integers(0, 12))
def test_every_picture_is_in_exactly_one_cell_of_the_written_pages(tmp_path_factory, count, rows, columns):
    path = tmp_path_factory.mktemp("r1") / "sheet.png"
    options = {"cell_width": 4, "cell_height": 4, "margin": 1, "label_position": "none", "sidecar": False}

    report = export(flats(count), path, rows=rows, columns=columns, **options)

    pages = [pixels_of(page.path) for page in report.pages]
    assert report.images_processed + len(report.skipped) == report.images_found == count
    assert len(report.cells) == count
    for index in range(count):
        assert cells_with(colour(index), report, pages) == 1
        assert sum((page == colour(index)).all(axis=2).sum() for page in pages) == 16


def test_broken_files_cost_only_themselves(tmp_path):
    for index in range(4):
        save(tmp_path / "in" / f"{index}.png", flat(colour(index), 64, 64))
    truncated(tmp_path / "in" / "2.png")
    (tmp_path / "in" / "9.png").write_bytes(b"")

    report = export(survey(tmp_path / "in"), tmp_path / "out.png", label_position="none")

    pages = [pixels_of(tmp_path / "out.png")]
    assert (report.images_found, report.images_processed, report.status) == (5, 3, "partial")
    assert sorted((Path(skip.name).name, skip.reason) for skip in report.skipped) == [
        ("2.png", "cannot be decoded (image file is truncated); it is damaged, make or fetch it again"),
        ("9.png", "the file is empty; make or fetch it again"),
    ]
    assert [cells_with(colour(index), report, pages) for index in (0, 1, 3)] == [1, 1, 1]


def test_broken_color_profiles_are_noted_and_the_pictures_shown(tmp_path):
    for index in range(5):
        save(tmp_path / "in" / f"{index}.png", flat(colour(index), 64, 64))
        with Image.open(tmp_path / "in" / f"{index}.png") as image:
            image.save(tmp_path / "in" / f"{index}.png", icc_profile=b"no profile" if index else None)

    report = export(survey(tmp_path / "in"), tmp_path / "out.png", label_position="none")

    assert report.images_processed == 5
    (warning,) = [text for text in report.warnings if "profile" in text]
    assert warning.startswith("4 pictures are taken without color profile: 1.png (its color profile cannot be used")
    assert warning.endswith("and 1 more")


def test_the_sidecar_is_the_report_and_cuts_the_sheet_back_into_its_pictures(tmp_path):
    pictures = [noise(30 + i, 40 - i, i) for i in range(7)]

    report = export(pictures, tmp_path / "sheet.png", rows=2, columns=2, label_position="none", margin=3)

    facts = json.loads((tmp_path / "sheet.json").read_text("utf-8"))
    assert facts == report.to_dict()
    assert len(facts["cells"]) == 7
    for cell in facts["cells"]:
        x, y, width, height = cell["image_box"]
        page = pixels_of(facts["pages"][cell["page"]]["path"])
        index = int(cell["path"].removeprefix("image ")) - 1
        assert (page[y : y + height, x : x + width] == pictures[index]).all()


def test_scores_that_are_no_numbers_leave_the_report_valid_json(tmp_path):
    report = export(flats(2), tmp_path / "s.png", {"scores": [{"s": float("nan")}, {"s": float("inf")}]})

    facts = json.loads(report.to_json(), parse_constant=lambda constant: pytest.fail(constant))
    assert [cell["scores"] for cell in facts["cells"]] == [{"s": None}, {"s": None}]


def test_half_a_surrogate_pair_in_a_prompt_does_not_cost_the_sidecar(tmp_path):
    table = parse_table('[{"note": "half \\ud83d"}]', name="metadata")

    export(flats(1), tmp_path / "s.png", {"table": table})

    facts = json.loads((tmp_path / "s.json").read_text("utf-8"))
    assert facts["cells"][0]["values"] == {"note": "half \ud83d"}


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names of files are Unicode there")
def test_names_that_are_no_utf8_leave_report_and_sidecar_readable(tmp_path):
    folder = tmp_path / os.fsdecode(b"fotos \xe9")
    folder.mkdir()
    for place, name in enumerate((b"caf\xe9.png", b"ok.png")):
        Image.new("RGB", (8, 8), (place, 0, 0)).save(tmp_path / "x.png")
        (tmp_path / "x.png").rename(folder / os.fsdecode(name))
    (folder / os.fsdecode(b"br\xff.png")).write_bytes(b"")
    empty = tmp_path / os.fsdecode(b"leer \xe9")
    empty.mkdir()

    report = export_batch([folder, empty], tmp_path / os.fsdecode(b"out \xe9"), sidecar=True)

    sidecar = next((tmp_path / os.fsdecode(b"out \xe9")).glob("*_grid.json"))
    (grid,) = report.grids
    assert all(os.path.exists(page.path) for page in grid.pages)
    for text in (report.to_json(), sidecar.read_bytes().decode("utf-8")):
        facts = json.loads(text)
        json.dumps(facts, ensure_ascii=False).encode("utf-8")
        facts = facts.get("grids", [facts])[0]
        assert [cell["label"] for cell in facts["cells"]] == ["caf?.png", "ok.png"]
        assert facts["pages"][0]["path"].endswith("out ?/fotos ?_grid.png")
        assert facts["skipped"][0]["path"].endswith("fotos ?/br?.png")
    assert report.to_dict()["failed"][0]["directory"].endswith("leer ?")


def test_the_sidecar_never_replaces_somebody_elses_file(tmp_path):
    (tmp_path / "sheet.json").write_text('{"filename": "a.png"}')

    with pytest.raises(OutputError, match=r"sheet\.json exists and is not the sidecar of a sheet"):
        export(flats(1), tmp_path / "sheet.png")

    assert (tmp_path / "sheet.json").read_text() == '{"filename": "a.png"}'
    assert not (tmp_path / "sheet.png").exists()


def test_a_sheet_made_again_replaces_its_own_sidecar(tmp_path):
    export(flats(1), tmp_path / "sheet.png")
    export(flats(2), tmp_path / "sheet.png")

    assert len(json.loads((tmp_path / "sheet.json").read_text("utf-8"))["cells"]) == 2


def test_texts_that_were_shortened_and_characters_without_a_glyph_are_reported(tmp_path):
    report = export(flats(2), tmp_path / "s.png", {"labels": ["\ue123", "word " * 900]}, cell_width=40, cell_height=40)

    assert any("U+E123" in warning for warning in report.warnings)
    assert any("1 text was shortened" in warning for warning in report.warnings)


def test_every_character_without_a_glyph_is_counted_and_twenty_are_named(tmp_path):
    missing = "".join(map(chr, range(0xE100, 0xE11F)))
    report = export(flats(1), tmp_path / "s.png", {"labels": [missing]}, cell_width=60, cell_height=60)

    (warning,) = [warning for warning in report.warnings if warning.startswith("no font")]
    assert warning.count("U+E1") == 20
    assert "(U+E113) and 11 more, 31 in all; install one" in warning


def test_two_runs_give_the_same_bytes_and_the_same_report(tmp_path):
    pictures = [noise(50, 40, i) for i in range(5)]
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        export(pictures, tmp_path / folder / "s.png", {"labels": list("abcde")}, title="t")

    assert (tmp_path / "a/s.png").read_bytes() == (tmp_path / "b/s.png").read_bytes()


def pictures(*shades):
    return [Image.new("RGB", (20, 20), (shade,) * 3) for shade in shades]


def test_cells_name_the_place_of_their_picture_in_whatever_order_they_stand(tmp_path):
    inputs = SheetInputs(labels=["a", "b", "c"])

    report = export_grid(pictures(10, 20, 30), tmp_path / "s.png", inputs=inputs, sort_by="given", reverse=True)

    assert [(cell.label, cell.index) for cell in report.cells] == [("c", 2), ("b", 1), ("a", 0)]
    saved = json.loads((tmp_path / "s.json").read_text("utf-8"))
    assert [cell["index"] for cell in saved["cells"]] == [2, 1, 0]


def test_labels_written_by_these_places_come_back_in_the_same_cells(tmp_path):
    first = export_grid(pictures(1, 2, 3, 4), tmp_path / "a.png", columns=2, reverse=True, sort_by="given")
    lines = ["", "", "", ""]
    for cell in first.cells:
        lines[cell.index] = f"row {cell.row} column {cell.column}"

    inputs = SheetInputs(labels=lines)
    second = export_grid(
        pictures(1, 2, 3, 4), tmp_path / "b.png", columns=2, reverse=True, sort_by="given", inputs=inputs
    )

    assert [cell.label for cell in second.cells] == [f"row {cell.row} column {cell.column}" for cell in second.cells]
