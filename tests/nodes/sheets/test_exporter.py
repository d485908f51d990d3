"""Tests: the exporter node on a fake host, from tensors to files, outputs and reports."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from clip_grid.api import SheetInputs, export_grid
from clip_grid.errors import ForbiddenPath, OutputError
from clip_grid.grid.pictures.survey import pictures_from_arrays
from clip_grid.grid.template import GridTemplate
from clip_grid.nodes.grid_nodes import LabeledGridExporterNode
from clip_grid.nodes.host.fake import FakeHost, Interrupted
from clip_grid.nodes.sheets.request import SheetRequest
from clip_grid.nodes.sheets.sheet import make_sheet
from PIL import Image


def saved(host: FakeHost) -> list[str]:
    return sorted(path.relative_to(host.folders.output).as_posix() for path in host.folders.output.rglob("*.*"))


def report_of(answer):
    return json.loads(answer["result"][2])


def test_a_batch_becomes_one_saved_sheet_that_is_also_an_output(export, batch, host):
    answer = export(batch(0.0, 0.5, 1.0), labels="a\nb\nc", columns=3)

    images, paths, report = answer["result"]
    assert saved(host) == ["ClipGrid_00001_.json", "ClipGrid_00001_.png"]
    assert paths == [str(host.folders.output / "ClipGrid_00001_.png")]
    with Image.open(paths[0]) as sheet:
        assert np.array_equal(np.asarray(sheet), np.round(images[0][0] * 255).astype(np.uint8))
    assert json.loads(report)["label_sources"] == {"text": 3}


def test_pictures_of_different_sizes_channels_and_types_share_a_sheet(export, tensor, batch):
    grey = batch(0.5, channels=1)
    clear = tensor(np.full((1, 20, 60, 4), 0.5, np.float16), "torch.float16")
    wild = tensor(np.array([np.nan, -3.0, 7.0, np.inf], np.float32).reshape(1, 2, 2, 1).repeat(3, axis=3))

    report = report_of(export([batch(0.1, 0.2), [grey, clear], wild]))

    assert (report["images_found"], report["images_processed"], report["warnings"]) == (5, 5, [])


def test_values_outside_0_to_1_are_clipped_and_nan_is_black(export, tensor):
    wild = np.array([np.nan, -3.0, 7.0, np.inf], np.float32).reshape(1, 2, 2, 1).repeat(3, axis=3)

    answer = export(tensor(wild), label_position="none", margin=0, fit="original", cell_width=2, cell_height=2)

    assert answer["result"][0][0][0, :, :, 0].tolist() == [[0.0, 0.0], [1.0, 1.0]]


def test_the_node_writes_the_same_bytes_as_python(export, batch, host, tmp_path):
    images = batch(0.2, 0.8)
    host.embeds_metadata = False

    export(images, labels="a\nb", template="dark-theme", prompt={"1": {}})
    export_grid(list(images.values), tmp_path / "api.png", template="dark-theme", inputs=SheetInputs(labels=["a", "b"]))

    assert (host.folders.output / "ClipGrid_00001_.png").read_bytes() == (tmp_path / "api.png").read_bytes()


def test_sheets_are_never_replaced(export, batch, host):
    (host.folders.output / "ClipGrid_00004_.json").write_text("somebody's")

    export(batch(0.5))
    export(batch(0.5))

    assert [name for name in saved(host) if name.endswith("png")] == ["ClipGrid_00005_.png", "ClipGrid_00006_.png"]


def test_nodes_that_save_at_once_lose_no_sheet(export, batch, host):
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(export, batch(number / 40, 0.5), rows=1, columns=1) for number in range(24)]
        paths = [path for job in jobs for path in job.result()["result"][1]]

    assert len(set(paths)) == 48
    assert sorted(paths) == sorted(str(path) for path in host.folders.output.glob("*.png"))
    # each sheet has its pages, and the sidecar that names them
    for job in jobs:
        first, second = job.result()["result"][1]
        sidecar = json.loads(Path(first).with_suffix(".json").read_text("utf-8"))
        assert [page["path"] for page in sidecar["pages"]] == [f"output/{Path(path).name}" for path in (first, second)]
    assert not [name for name in os.listdir(host.folders.output) if name.startswith(".")]


def test_a_batch_number_in_the_prefix_never_replaces_an_earlier_sheet(export, batch, host):
    for _ in range(2):
        export(batch(0.5), filename_prefix="p%batch_num%", sidecar=False)

    assert [name for name in saved(host) if name.endswith("png")] == ["p0_00001_.png", "p0_00002_.png"]


def test_the_prefix_may_name_folders_and_the_size_of_the_page(export, batch, host):
    answer = export(
        batch(0.5),
        filename_prefix="sub/%width%x%height%",
        margin=1,
        cell_width=46,
        cell_height=30,
        label_position="over",
    )

    assert answer["ui"]["images"] == [{"filename": "48x32_00001_.png", "subfolder": "sub", "type": "output"}]
    assert (host.folders.output / "sub" / "48x32_00001_.png").is_file()


def test_files_of_a_long_prefix_get_shorter_names_and_none_is_replaced(export, batch):
    answers = [export(batch(0.5, 0.6), filename_prefix="日" * 85, rows=1, columns=1) for _ in range(2)]

    names = [Path(page["path"]).name for answer in answers for page in report_of(answer)["pages"]]
    assert len(set(names)) == 4
    assert all(len(name.encode()) <= 255 and name.endswith("_.png") for name in names)


def test_a_prefix_that_leaves_the_output_folder_is_forbidden_and_writes_nothing(export, batch, host):
    with pytest.raises(ForbiddenPath):
        export(batch(0.5), filename_prefix="../x")

    assert saved(host) == []


def test_pages_take_consecutive_numbers_and_one_sidecar(export, batch, host):
    answer = export(batch(0.1, 0.2, 0.3), rows=1, columns=1, labels="a\nb\nc")

    assert saved(host) == ["ClipGrid_00001_.json", *(f"ClipGrid_0000{i}_.png" for i in (1, 2, 3))]
    assert len(answer["result"][0]) == len(answer["result"][1]) == len(answer["ui"]["images"]) == 3


@pytest.mark.parametrize("format", ["jpeg", "webp", "tiff", "html"])
def test_every_format_is_shown_and_is_an_output(export, batch, host, format):
    answer = export(batch(0.5, 0.6), format=format, cell_width=40, cell_height=40)

    shown = answer["ui"]["images"][0]
    assert shown["type"] == ("output" if format in ("jpeg", "webp") else "temp")
    root = host.folders.output if shown["type"] == "output" else host.folders.temp
    with Image.open(root / shown["filename"]) as picture:
        assert picture.size == answer["result"][0][0].shape[2:0:-1]


def test_a_pdf_is_one_file_with_an_image_and_a_preview_per_page(export, batch, host):
    pytest.importorskip("fpdf", reason="fpdf2 is not installed")

    answer = export(batch(0.5, 0.6), format="pdf", rows=1, columns=1)

    images, paths, _ = answer["result"]
    assert (len(images), len(paths), len(answer["ui"]["images"])) == (2, 1, 2)


def test_a_large_sheet_is_announced_as_the_saved_file_and_shown_reduced(export, batch, host):
    answer = export(batch(0.5, width=2100, height=8), cell_width=2100, cell_height=8, label_position="none")

    assert answer["ui"]["images"] == [{"filename": "ClipGrid_00001_.png", "subfolder": "", "type": "output"}]
    (reduced,) = answer["ui"]["clip_grid_reduced"]
    with Image.open(host.folders.temp / reduced) as preview, Image.open(answer["result"][1][0]) as sheet:
        assert preview.width == 2048 and sheet.width == 2120


@pytest.mark.parametrize("format", ["png", "jpeg", "webp"])
def test_a_sheet_is_one_output_of_the_run(export, batch, format):
    ui = export(batch(0.5), format=format, scores=[1.0], scores_csv=True)["ui"]

    # newer ComfyUI counts every object in a list
    assert [name for name, values in ui.items() for one in values if isinstance(one, dict)] == ["images"]
    assert ui["clip_grid_reduced"] == [""]


def test_a_format_that_no_browser_shows_is_shown_by_a_picture_of_it(export, batch, host):
    ui = export(batch(0.5), format="tiff")["ui"]

    assert ui["images"][0]["type"] == "temp" and (host.folders.temp / ui["images"][0]["filename"]).is_file()
    assert ui["clip_grid_files"][0][0]["filename"] == "ClipGrid_00001_.tiff"


def test_the_grid_output_is_reduced_when_it_would_not_fit_in_memory_and_the_report_says_so(host):
    survey = pictures_from_arrays([np.zeros((40, 40, 3), np.float32)] * 6)
    request = SheetRequest(template=GridTemplate(columns=3), inputs=SheetInputs(), prefix="p", budget=2000)

    made = make_sheet(survey, request, host, host.progress())

    page = made.report.pages[0]
    assert made.images[0].size < 2000 * 3 < page.width * page.height * 3
    assert "grid output is reduced" in made.report.warnings[-1]


def test_prompt_and_workflow_are_embedded_as_save_image_does(export, batch, host):
    answer = export(batch(0.5), prompt=[{"1": {"x": "ä"}}], extra_pnginfo=[{"workflow": {"nodes": []}}])

    with Image.open(answer["result"][1][0]) as sheet:
        assert json.loads(sheet.text["prompt"]) == {"1": {"x": "ä"}}
        assert json.loads(sheet.text["workflow"]) == {"nodes": []}


@pytest.mark.parametrize("extra", [None, {}])
def test_a_prompt_from_the_api_has_no_workflow(export, batch, extra):
    answer = export(batch(0.5), prompt=[{"1": {}}], extra_pnginfo=[extra])

    with Image.open(answer["result"][1][0]) as sheet:
        assert "prompt" in sheet.text and "workflow" not in sheet.text


def test_no_metadata_is_embedded_with_the_servers_flag(export, batch, host):
    host.embeds_metadata = False

    answer = export(batch(0.5), prompt=[{"1": {}}], extra_pnginfo=[{"workflow": {}}])

    with Image.open(answer["result"][1][0]) as sheet:
        assert not {"prompt", "workflow"} & set(sheet.text)


def test_the_ui_holds_nothing_but_lists_of_json_values(export, batch):
    ui = export(batch(0.5, 0.6), metadata='{"cfg": [4, 7], "seed": [1, 1]}')["ui"]

    assert all(isinstance(values, list) for values in ui.values())
    json.dumps(ui, allow_nan=False)
    assert ui["clip_grid"][0][0]["cells"][1]["values"]["cfg"] == "7"
    assert ui["clip_grid_files"][0][1] == {"filename": "ClipGrid_00001_.json", "subfolder": "", "type": "output"}


def test_the_csv_file_is_found_in_the_input_folder_and_named(export, batch, host):
    (host.folders.input / "labels.csv").write_text("seed\n11\n22\n")

    answer = export(batch(0.1, 0.2), csv="labels.csv", label_columns="seed")

    assert [cell["label"] for cell in report_of(answer)["cells"]] == ["seed: 11", "seed: 22"]
    assert answer["ui"]["text"][0].endswith("\nlabels from input/labels.csv")


def test_a_csv_file_outside_the_folders_is_refused_before_and_in_a_run(export, batch, host, tmp_path):
    (tmp_path / "secret.csv").write_text("seed\n1\n")

    with pytest.raises(ForbiddenPath):
        export(batch(0.5), csv="../secret.csv")
    assert "outside" in LabeledGridExporterNode.VALIDATE_INPUTS(csv=["../secret.csv"])
    assert LabeledGridExporterNode.VALIDATE_INPUTS(csv=(None,)) is True
    assert LabeledGridExporterNode.VALIDATE_INPUTS() is True


@pytest.mark.parametrize("pages", [1, 2])
def test_an_interrupt_between_pictures_leaves_no_file(export, batch, host, pages):
    host.interrupt_after = 3

    with pytest.raises(Interrupted):
        export(batch(*[0.5] * 4), columns=2, rows=2 // pages)

    assert saved(host) == [] and list(host.folders.temp.iterdir()) == []
    assert host.steps[-1] == (3, 4)


def test_progress_counts_the_pictures(export, batch, host):
    export(batch(0.1, 0.2, 0.3))

    assert host.steps == [(1, 3), (2, 3), (3, 3)]


def test_an_output_folder_that_cannot_be_written_is_an_output_error(export, batch, host):
    (host.folders.output / "sub").write_text("a file in the way")

    with pytest.raises((OutputError, OSError)):
        export(batch(0.5), filename_prefix="sub/x")
