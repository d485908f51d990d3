"""Which files a sheet takes: those of its own earlier export, and nobody else's."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from clip_grid.api import SheetInputs, export_grid
from clip_grid.errors import InputError, OutputError
from clip_grid.grid.pictures.own import is_clip_grid_sheet

from ..samples import flats, save


def sheet(path: Path, pages: int = 1, **options):
    """A sheet of pages with one picture each."""
    return export_grid(flats(pages), path, rows=1, columns=1, **options)


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def first_page(sidecar: Path) -> str:
    return Path(json.loads(sidecar.read_text("utf-8"))["pages"][0]["path"]).name


def test_pages_that_a_newer_sheet_does_not_have_vanish(tmp_path):
    sheet(tmp_path / "s.png", 4)

    report = sheet(tmp_path / "s.png", 2)

    assert [Path(page.path).name for page in report.pages] == ["s.png", "s-2.png"]
    assert names(tmp_path) == ["s-2.png", "s.json", "s.png"]


def test_only_pages_of_the_replaced_sheet_vanish(tmp_path):
    sheet(tmp_path / "s.png", 5)
    (tmp_path / "s-3.png").unlink()
    sheet(tmp_path / "s-3.png")
    save(tmp_path / "s-6.png")
    (tmp_path / "s-4.png").unlink()
    save(tmp_path / "s-4.png")

    sheet(tmp_path / "s.png", 1)

    assert names(tmp_path) == ["s-3.json", "s-3.png", "s-4.png", "s-6.png", "s.json", "s.png"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_page_never_takes_the_file_of_another_sheet(tmp_path, overwrite):
    sheet(tmp_path / "s-2.png")
    before = (tmp_path / "s-2.png").read_bytes()

    with pytest.raises(OutputError, match=r"s-2\.png exists and is a sheet of its own, but would be page 2"):
        sheet(tmp_path / "s.png", 2, overwrite=overwrite)

    assert names(tmp_path) == ["s-2.json", "s-2.png"]
    assert (tmp_path / "s-2.png").read_bytes() == before


def test_a_sheet_takes_the_place_of_another_sheets_page_only_on_request(tmp_path):
    sheet(tmp_path / "s.png", 2)

    with pytest.raises(OutputError, match=r"s-2\.png exists and is page 2 of another sheet"):
        sheet(tmp_path / "s-2.png")
    sheet(tmp_path / "s-2.png", overwrite=True)

    assert names(tmp_path) == ["s-2.json", "s-2.png", "s.json", "s.png"]


def test_sheets_that_differ_in_their_ending_have_sidecars_and_scores_of_their_own(tmp_path):
    inputs = SheetInputs(scores=[{"cosine": 0.5}])
    for _ in range(2):
        for ending in ("png", "jpg"):
            sheet(tmp_path / f"z.{ending}", inputs=inputs, scores_csv=True)

    assert names(tmp_path) == ["z.jpg", "z.jpg.json", "z.jpg.scores.csv", "z.json", "z.png", "z.scores.csv"]
    assert (first_page(tmp_path / "z.json"), first_page(tmp_path / "z.jpg.json")) == ("z.png", "z.jpg")


def test_no_old_sidecar_or_scores_stay_beside_a_new_sheet(tmp_path):
    sheet(tmp_path / "s.png", inputs=SheetInputs(scores=[{"cosine": 0.5}]), scores_csv=True)
    sheet(tmp_path / "other.png")

    sheet(tmp_path / "s.png", sidecar=False)

    assert names(tmp_path) == ["other.json", "other.png", "s.png"]


def test_a_json_file_of_the_user_stays_when_no_sidecar_is_asked_for(tmp_path):
    (tmp_path / "s.json").write_text('{"mine": 1}')

    sheet(tmp_path / "s.png", sidecar=False)

    assert (tmp_path / "s.json").read_text() == '{"mine": 1}'


def test_an_empty_file_that_a_shell_made_is_in_nobodys_way(tmp_path):
    for name in ("s.json", "s.png"):
        (tmp_path / name).touch()

    sheet(tmp_path / "s.png")

    assert is_clip_grid_sheet(tmp_path / "s.png")
    assert first_page(tmp_path / "s.json") == "s.png"


def test_an_error_in_the_middle_keeps_all_older_pages_sidecar_and_scores(tmp_path):
    inputs = SheetInputs(scores=[{"cosine": 0.5}] * 3)
    sheet(tmp_path / "s.png", 3, inputs=inputs, scores_csv=True)
    before = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sheet(tmp_path / "s.png", 3, inputs=inputs, scores_csv=True, progress=stop, title="new")

    assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == before


@pytest.mark.parametrize("format", ["png", "jpg", "webp", "tiff", "pdf", "html"])
def test_texts_that_a_file_cannot_hold_cost_themselves_alone(tmp_path, format):
    if format == "pdf":
        pytest.importorskip("fpdf")
    texts = {"prompt": "{}", "": "a", "two\nlines": "b", "k" * 80: "c", "日本": "d", "broken": "\ud800", "nul": "a\0b"}

    report = sheet(tmp_path / f"s.{format}", inputs=SheetInputs(texts=texts))

    assert is_clip_grid_sheet(tmp_path / f"s.{format}")
    assert len([warning for warning in report.warnings if "is not in the sheet" in warning]) == 6
    assert not any("'prompt'" in warning for warning in report.warnings)


@pytest.mark.parametrize("ending", ["gif", "bmp", "jxl", "csv", "json", "txt", "GIF"])
def test_an_ending_of_another_kind_of_file_is_refused_and_not_renamed(tmp_path, ending):
    with pytest.raises(InputError, match=rf"sheet\.{ending} ends in \.{ending}; sheets are written as \.png, \.jpg"):
        sheet(tmp_path / f"sheet.{ending}")

    assert names(tmp_path) == []


def test_a_name_with_a_dot_is_no_ending(tmp_path):
    report = sheet(tmp_path / "run_v1.5")

    assert Path(report.pages[0].path).name == "run_v1.5.png"


def test_a_message_names_the_sheet_once(tmp_path):
    with pytest.raises(OutputError) as raised:
        sheet(tmp_path / ("x" * 300 + ".html"))

    assert str(raised.value).count("xxx…") == str(raised.value).count("cannot be written") == 1
