"""Files: every format is written, opens again, has its texts, and is complete or not there."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from clip_grid.errors import InputError, LimitError, OutputError
from clip_grid.grid.pictures.metadata import embedded_texts
from clip_grid.grid.pictures.survey import Picture, Survey
from clip_grid.grid.sheet import write_planned
from clip_grid.grid.write.output import SUFFIX, Output
from PIL import Image, features

from ..samples import RED, WHITE, colour, export, flat, flats, noise, pixels_of, plan, save, survey

ROOT = Path(__file__).resolve().parents[3]
PICTURES = [name for name in ("png", "jpeg", "webp", "avif", "tiff") if name != "avif" or features.check("avif")]
LOSSLESS = ["png", "tiff"]
TEXTS = {"prompt": '{"1": {"class_type": "KSampler"}}', "workflow": '{"nodes": [], "title": "Größe"}'}


def output(path: Path, **options: object) -> Output:
    return Output(lambda page, _: path if page == 0 else path.with_stem(f"{path.stem}-{page + 1}"), **options)


def texts_in(path: Path) -> dict[str, str]:
    with Image.open(path) as image:
        return embedded_texts(image)


@pytest.mark.parametrize("format", PICTURES)
def test_a_sheet_opens_again_with_its_pictures_in_their_boxes(tmp_path, format):
    path = tmp_path / f"sheet{SUFFIX[format]}"

    report = export(flats(5, 24, 24), path, format=format, cell_width=32, cell_height=32, label_position="none")

    page = pixels_of(path).astype(int)
    assert page.shape == (report.pages[0].height, report.pages[0].width, 3)
    assert np.abs(page[:3] - WHITE).max() <= 4
    for index, cell in enumerate(report.cells):
        x, y, width, height = cell.image_box
        off = np.abs(page[y + 4 : y + height - 4, x + 4 : x + width - 4] - colour(index)).max()
        assert off <= (0 if format in LOSSLESS else 12)


@pytest.mark.parametrize("format", PICTURES)
def test_workflow_prompt_and_record_come_back_from_every_picture_format(tmp_path, format):
    path = tmp_path / f"sheet{SUFFIX[format]}"

    write_planned(plan(flats(2), {"labels": ["a", "ß"]}, format=format), output(path, texts=TEXTS))

    found = texts_in(path)
    assert {key: json.loads(found[key]) for key in TEXTS} == {key: json.loads(text) for key, text in TEXTS.items()}
    assert [cell["label"] for cell in json.loads(found["clip_grid"])["cells"]] == ["a", "ß"]


@pytest.mark.parametrize("format", ["pdf", "html"])
def test_documents_carry_workflow_prompt_and_record(tmp_path, format):
    if format == "pdf":
        pytest.importorskip("fpdf")
    path = tmp_path / f"sheet{SUFFIX[format]}"

    write_planned(plan(flats(2), format=format), output(path, texts=TEXTS))

    content = path.read_bytes()
    assert content.startswith(b"%PDF" if format == "pdf" else b"<!doctype html>")
    for key in (*TEXTS, "clip_grid"):
        assert key.encode() in content


@pytest.mark.parametrize("format", LOSSLESS)
def test_the_embedded_record_alone_cuts_the_sheet_into_its_pictures(tmp_path, format):
    pictures = [noise(20 + i, 30, i) for i in range(5)]
    path = tmp_path / f"sheet{SUFFIX[format]}"

    export(pictures, path, format=format, label_position="none", sidecar=False)

    cells = json.loads(texts_in(path)["clip_grid"])["cells"]
    page = pixels_of(path)
    for picture, cell in zip(pictures, cells, strict=True):
        x, y, width, height = cell["image_box"]
        assert np.array_equal(page[y : y + height, x : x + width], picture)


@pytest.mark.parametrize("format", ["png", "webp", "tiff"])
def test_transparency_reaches_the_file(tmp_path, format):
    path = tmp_path / f"sheet{SUFFIX[format]}"

    export(flats(1, 20, 20), path, format=format, background="transparent", label_position="none")

    with Image.open(path) as image:
        assert image.mode == "RGBA"
        assert image.getpixel((0, 0))[3] == 0
        assert image.getpixel((image.width // 2, image.height // 2))[3] == 255


@pytest.mark.parametrize("format", ["jpeg", "webp"])
def test_a_page_beyond_the_formats_side_becomes_several_valid_files(tmp_path, format):
    side = {"jpeg": 65_500, "webp": 16_383}[format]
    path = tmp_path / f"sheet{SUFFIX[format]}"
    options = {"rows": 1, "cell_width": 500, "cell_height": 2, "margin": 0, "label_position": "none"}

    report = export([flat(RED, 4, 2)] * 140, path, format=format, **options)

    assert len(report.pages) == {"jpeg": 2, "webp": 5}[format]
    assert f"the page is 70000 x 2 pixels and {format} holds sides of at most {side} pixels" in report.warnings[0]
    assert len(report.cells) == 140
    for page in report.pages:
        with Image.open(page.path) as image:
            image.load()
            assert image.width == page.width <= side


def test_a_page_too_wide_for_pdf_is_split_before_it_is_painted():
    planned = plan([flat(RED)] * 140, format="pdf", rows=1, cell_width=500, cell_height=2, margin=0)

    assert all(page.width <= 65_500 for page in planned.plan.pages)


def test_a_page_beyond_the_formats_side_is_scaled_or_refused_when_asked(tmp_path):
    options = {"format": "webp", "rows": 1, "cell_width": 500, "cell_height": 40, "label_position": "none"}

    report = export([flat(RED, 4, 2)] * 140, tmp_path / "s.webp", on_overflow="scale", **options)
    with pytest.raises(LimitError, match="on_overflow = split or scale"):
        export([flat(RED, 4, 2)] * 140, tmp_path / "t.webp", on_overflow="stop", **options)

    with Image.open(tmp_path / "s.webp") as image:
        assert image.width == report.pages[0].width <= 16_383
    assert "scaled down to cells of" in report.warnings[0]
    assert sorted(os.listdir(tmp_path)) == ["s.json", "s.webp"]


def test_a_workflow_too_long_for_jpeg_is_left_out_with_a_warning(tmp_path):
    texts = {**TEXTS, "workflow": json.dumps("w" * 70_000)}

    report = write_planned(plan(flats(1), format="jpeg"), output(tmp_path / "s.jpg", texts=texts))

    assert report.warnings == ("workflow is not in the picture: 70002 characters are more than JPEG holds",)
    assert texts_in(tmp_path / "s.jpg").keys() >= {"prompt", "clip_grid"}


@pytest.mark.parametrize("format", PICTURES)
def test_sheets_of_this_program_in_the_folder_are_left_out(tmp_path, format):
    for index in range(3):
        save(tmp_path / f"{index}.png", flat(colour(index)))
    path = tmp_path / f"sheet{SUFFIX[format]}"

    first = export(survey(tmp_path), path, format=format)
    second = export(survey(tmp_path), path, format=format)

    assert len(first.cells) == len(second.cells) == 3
    assert (second.status, second.images_found) == ("ok", 4)
    assert [(Path(skip.name).name, skip.deliberate) for skip in second.skipped] == [(path.name, True)]


@pytest.mark.parametrize("format", [*PICTURES, "pdf", "html"])
def test_a_file_that_is_not_a_sheet_is_replaced_only_on_request(tmp_path, format):
    if format == "pdf":
        pytest.importorskip("fpdf")
    path = tmp_path / f"mine{SUFFIX[format]}"
    if format in PICTURES:
        Image.fromarray(flat(RED)).save(path)
    else:
        path.write_text("%PDF-1.4 or <html> of somebody")
    before = path.read_bytes()

    with pytest.raises(OutputError, match="exists and is not a sheet of this program"):
        export(flats(1), path, format=format)
    assert path.read_bytes() == before

    write_planned(plan(flats(1), format=format), output(path, replace=True))
    assert path.read_bytes() != before
    export(flats(2), path, format=format)


def test_a_folder_in_the_way_is_named(tmp_path):
    (tmp_path / "s.png").mkdir()

    with pytest.raises(OutputError, match=r"s\.png is a folder"):
        export(flats(1), tmp_path / "s.png")
    with pytest.raises(OutputError, match=r"s\.png"):
        write_planned(plan(flats(1)), output(tmp_path / "s.png", replace=True))
    assert os.listdir(tmp_path) == ["s.png"]


def test_a_foreign_second_page_stops_the_sheet_before_the_first(tmp_path):
    save(tmp_path / "s-2.png")

    with pytest.raises(OutputError, match=r"s-2\.png exists"):
        export(flats(2), tmp_path / "s.png", rows=1, columns=1)

    assert os.listdir(tmp_path) == ["s-2.png"]


@pytest.mark.parametrize("format", [*PICTURES, "pdf", "html"])
def test_an_error_or_interrupt_leaves_no_file(tmp_path, format):
    if format == "pdf":
        pytest.importorskip("fpdf")

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    planned = plan(flats(8, 40, 40), format=format, rows=1, columns=2, cell_width=40, cell_height=40)
    with pytest.raises(KeyboardInterrupt):
        write_planned(planned, output(tmp_path / f"s{SUFFIX[format]}"), stop)

    assert os.listdir(tmp_path) == []


def test_a_sheet_larger_than_the_memory_is_refused_by_name(tmp_path):
    # 0.7 TiB in one band
    planned = plan(flats(1), cell_width=16_384, cell_height=16_384, columns=1_000, margin=0, label_position="none")

    with pytest.raises(LimitError, match="more memory than there is"):
        write_planned(planned, output(tmp_path / "s.png"))

    assert os.listdir(tmp_path) == []


def traced_peak(path: Path, rows: int) -> int:
    """The most bytes that are held while a page of 16 columns and so many rows is written."""
    survey = Survey(
        tuple(Picture(f"{i}", (128, 128), lambda _: Image.new("RGB", (128, 128))) for i in range(16 * rows)),
    )
    planned = plan(survey, columns=16, cell_width=128, cell_height=128, label_position="none", sidecar=False)
    tracemalloc.start()
    write_planned(planned, output(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_a_higher_page_needs_hardly_more_memory(tmp_path):
    low, high = traced_peak(tmp_path / "low.png", 20), traced_peak(tmp_path / "high.png", 80)

    # the pages themselves differ by 55 MB; how many blocks of 1 MB are in flight differs from run to run
    assert high - low < 15_000_000


def test_html_is_numbered_as_one_page(tmp_path):
    path = tmp_path / "s.html"

    export(flats(2), path, format="html", title="t {page}/{pages}", footer="f {page}/{pages}", rows=1, columns=1)

    content = path.read_text("utf-8")
    shown = re.sub(r"<script.*?</script>", "", content, flags=re.DOTALL)
    assert "t 1/1" in shown
    assert "f 1/1" in shown


def test_a_broken_picture_costs_only_its_cell_in_html_too(tmp_path):
    save(tmp_path / "in/a.png", noise(40, 40))
    content = save(tmp_path / "in/b.png", noise(40, 40)).read_bytes()
    (tmp_path / "in/b.png").write_bytes(content[:2000])

    report = export(survey(tmp_path / "in"), tmp_path / "s.html", format="html")

    assert (report.images_processed, len(report.skipped)) == (1, 1)
    assert "image file is truncated" in (tmp_path / "s.html").read_text("utf-8")


def test_an_encoder_that_pillow_lacks_is_named_before_anything_is_painted(tmp_path, monkeypatch):
    monkeypatch.setattr(features, "check", lambda name: False)

    with pytest.raises(InputError, match="this Pillow cannot write webp"):
        export(flats(1), tmp_path / "s.webp", format="webp")


# --- processes that die

CHILD = """
import importlib.util, sys
root = r"{root}"
spec = importlib.util.spec_from_file_location("clip_grid", root + "/__init__.py", submodule_search_locations=[root])
sys.modules["clip_grid"] = package = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
import numpy as np
from clip_grid.api import export_grid
from clip_grid.errors import OutputError
pictures = [np.random.default_rng(i).integers(0, 256, (300, 300, 3), dtype=np.uint8) for i in range({count})]
{before}
try:
    export_grid(pictures, r"{path}", label_position="none", columns=3, {options})
except OutputError as error:
    print(error, file=sys.stderr)
    sys.exit(1)
"""


def child(path: Path, *, count: int, before: str = "", options: str = "") -> list[str]:
    return [sys.executable, "-c", CHILD.format(root=ROOT, count=count, path=path, before=before, options=options)]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows knows no SIGKILL")
@pytest.mark.parametrize("older", [False, True])
def test_a_kill_while_writing_leaves_no_incomplete_file_under_the_name(tmp_path, older):
    path = tmp_path / "sheet.png"
    if older:
        export(flats(2), path)
    before = path.read_bytes() if older else None
    slow = "progress=lambda done, total: __import__('time').sleep(0.05 if done else 0)"
    process = subprocess.Popen(child(path, count=200, options=slow))
    try:
        deadline = time.monotonic() + 30
        while not any(part.stat().st_size for part in tmp_path.glob("*.part")) and not list(tmp_path.glob(".*.part")):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.02)
        time.sleep(0.1)
    finally:
        process.kill()
        process.wait()

    assert process.returncode == -signal.SIGKILL
    assert (path.read_bytes() if path.exists() else None) == before


@pytest.mark.parametrize("format", ["png", "jpeg", "tiff"])
def test_a_full_disk_is_an_error_that_tells_what_to_do_and_leaves_nothing(tmp_path, format):
    pytest.importorskip("resource")
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"

    result = subprocess.run(
        child(tmp_path / f"s{SUFFIX[format]}", count=9, before=limit), capture_output=True, text=True, timeout=60
    )

    assert result.returncode == 1
    assert "cannot be written: files may not grow as large as this" in result.stderr
    assert "Traceback" not in result.stderr
    assert os.listdir(tmp_path) == []
