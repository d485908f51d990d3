"""What a node's sheet, the files beside it and its report do not tell: where folders are, and data switched off."""

from __future__ import annotations

import base64
import json
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
from clip_grid.api import SheetInputs, export_grid
from clip_grid.errors import InputError
from clip_grid.grid.write.output import SUFFIX
from clip_grid.nodes.grid_nodes import BatchLabeledGridExporterNode, LabeledGridExporterNode
from clip_grid.nodes.host.fake import FakeHost
from clip_grid.nodes.host.folders import AllowedFolders
from clip_grid.nodes.score_nodes import CLIPLabel
from PIL import ExifTags, Image, PngImagePlugin

SECRET = "zebra-quartz-77"
WORKFLOW = {"prompt": {"1": {"class_type": "T", "inputs": {"text": SECRET}}}, "extra_pnginfo": {"workflow": [SECRET]}}
BASE64 = re.compile(rb"[A-Za-z0-9+/]{40,}={0,2}")
ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]")


def everything_in(data: bytes, depth: int = 2) -> bytes:
    """The bytes, and what they hold in deflate and Base64."""
    parts = [data]
    for found in ZLIB.finditer(data) if depth else ():
        try:
            parts.append(everything_in(zlib.decompressobj().decompress(data[found.start() :]), depth - 1))
        except zlib.error:
            continue
    for found in BASE64.finditer(data) if depth else ():
        parts.append(everything_in(base64.b64decode(found[0][: len(found[0]) // 4 * 4]), depth - 1))
    return b"\0".join(parts)


def holds(data: bytes, text: str) -> bool:
    return any(text.encode(encoding) in everything_in(data) for encoding in ("utf-8", "utf-16-le", "utf-16-be"))


@pytest.fixture
def run(host: FakeHost) -> Path:
    """A folder with a PNG and a JPEG whose generation data, comment and EXIF hold the secret."""
    folder = host.folders.input / "run"
    folder.mkdir()
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", f"{SECRET}\nSteps: 20, Sampler: {SECRET}a, Model: {SECRET}")
    Image.new("RGB", (40, 30), "red").save(folder / "a.png", pnginfo=info)
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = exif[ExifTags.Base.Make] = SECRET
    xmp = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'>{SECRET}</x:xmpmeta>".encode()
    comment = f"{SECRET}\nSteps: 21, Sampler: {SECRET}b"
    Image.new("RGB", (40, 30), "blue").save(folder / "b.jpg", exif=exif, comment=comment, xmp=xmp)
    return folder


def made(host: FakeHost, **inputs: object) -> tuple[dict[str, bytes], dict[str, object]]:
    """All files of the sheets, and what the node returned."""
    answer = BatchLabeledGridExporterNode().execute(["run"], **{name: [value] for name, value in inputs.items()})
    files = [
        path for folder in (host.folders.output, host.folders.temp) for path in folder.rglob("*") if path.is_file()
    ]
    return {path.name: path.read_bytes() for path in files}, answer


@pytest.mark.parametrize("format", SUFFIX)
def test_without_metadata_no_file_holds_prompt_workflow_or_generation_data(host, run, format):
    if format == "pdf":
        pytest.importorskip("fpdf")
    host.embeds_metadata = False

    files, answer = made(host, format=format, scores_csv=True, **WORKFLOW)

    assert [name for name, data in files.items() if holds(data, SECRET)] == []
    assert SECRET not in json.dumps([answer["ui"], answer["result"][1:]])
    assert any("--disable-metadata" in text for text in json.loads(answer["result"][2])["grids"][0]["warnings"])


@pytest.mark.parametrize("format", SUFFIX)
def test_with_metadata_each_format_holds_the_prompt(host, run, format):
    if format == "pdf":
        pytest.importorskip("fpdf")

    files, _ = made(host, format=format, **WORKFLOW)

    assert holds(files[f"ClipGrid_run_00001_{SUFFIX[format]}"], SECRET)


@pytest.mark.parametrize("format", SUFFIX)
def test_no_file_and_no_report_says_where_folders_are(host, run, format, tmp_path):
    if format == "pdf":
        pytest.importorskip("fpdf")
    (run / "broken.png").write_bytes(b"nothing")
    font = host.folders.input / "own.ttf"
    font.write_bytes(b"no font")
    (host.folders.input / "t.csv").write_text("file,label\na.png,x\nmissing.png,y\n", "utf-8")

    files, answer = made(host, format=format, csv="t.csv", scores_csv=True, sidecar=True)

    assert [name for name, data in files.items() if holds(data, str(tmp_path))] == []
    assert str(tmp_path) not in json.dumps([answer["ui"], answer["result"][2]])
    report = json.loads(answer["result"][2])["grids"][0]
    assert report["pages"][0]["path"] == f"output/ClipGrid_run_00001_{SUFFIX[format]}"
    assert [cell["path"] for cell in report["cells"]] == ["input/run/a.png", "input/run/b.jpg"]
    assert report["skipped"][0]["path"] == "input/run/broken.png"
    assert answer["result"][1] == [str(host.folders.output / f"ClipGrid_run_00001_{SUFFIX[format]}")]


@pytest.mark.parametrize("format", SUFFIX)
def test_no_sheet_of_the_command_line_and_of_python_says_where_its_pictures_are(run, format, tmp_path):
    if format == "pdf":
        pytest.importorskip("fpdf")
    (tmp_path / "t.csv").write_text("file,label\na.png,x\nb.jpg,y\n", "utf-8")
    sheet = tmp_path / f"sheet.{SUFFIX[format]}"

    export_grid(run, sheet, inputs=SheetInputs(csv=tmp_path / "t.csv"), format=format, title="Shared", footer="{page}")

    assert not holds(sheet.read_bytes(), str(tmp_path))
    assert holds(sheet.read_bytes(), "a.png") == (format == "html")


@pytest.mark.parametrize("content", [b"", b'{"a": ', b"a\0b"])
def test_no_error_says_where_folders_are(host, run, tmp_path, content):
    (host.folders.input / "t.json").write_bytes(content)

    refused = [
        LabeledGridExporterNode.VALIDATE_INPUTS(csv=["no.csv"]),
        BatchLabeledGridExporterNode.VALIDATE_INPUTS(directories=["no"]),
        CLIPLabel.VALIDATE_INPUTS(vocabulary=["t.json"]),
    ]
    for table in ("no.csv", "t.json", "run"):
        for node, inputs in (
            (LabeledGridExporterNode, {"images": [np.zeros((1, 8, 8, 3), np.float32)]}),
            (BatchLabeledGridExporterNode, {"directories": ["run"]}),
        ):
            with pytest.raises(InputError) as error:
                node().execute(csv=[table], **inputs)
            refused.append(str(error.value))

    assert [message for message in refused if str(tmp_path) in message] == []
    assert [message for message in refused if "input" not in message] == []


def test_paths_are_shown_without_the_place_of_the_folders(tmp_path):
    folders = AllowedFolders(tmp_path / "in", tmp_path / "out", tmp_path / "out" / "temp", (tmp_path / "renders",))

    assert folders.shown_path(str(tmp_path / "out" / "sub" / "x.png")) == "output/sub/x.png"
    assert folders.shown_path(str(tmp_path / "out" / "temp" / "x.png")) == "temp/x.png"
    assert folders.shown_path(str(tmp_path / "renders" / "x.png")) == "renders/x.png"
    assert folders.shown_path("/home/ann lee/x.png") == "x.png"
    assert folders.shown_path("picture 3") == "picture 3"
    text = f"{tmp_path}/in/a b.csv: no column; /usr/share/fonts/x.ttf and {tmp_path}/in, 1/2 of a/b, https://a.b/c"
    shown = "input/a b.csv: no column; x.ttf and input, 1/2 of a/b, https://a.b/c"
    assert folders.shown_text(text) == shown
