"""Tests: what a small file can unpack to is bounded; the peak of a process's memory is measured in one of its own."""

from __future__ import annotations

import gc
import os
import struct
import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path

import pytest
from clip_grid.api import dry_report, plan_export
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
#: Prints the megabytes that a sheet of the files takes beside what was there before, and what is said of them.
_MEASURE = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from tests import conftest
from pathlib import Path
from clip_grid.api import export_grid
folder = Path(sys.argv[1])
# of this program alone: what getrusage tells begins with the memory of the process that started it
peak = lambda: int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) // 1024
export_grid([folder / "small.png"], folder / "out" / "first.png")
before = peak()
report = export_grid(sorted((folder / "large").iterdir()) + [folder / "small.png"], folder / "out" / "second.png")
print(peak() - before, len(report.skipped), *[skipped.reason for skipped in report.skipped[:1]])
"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="the peak is measured as Linux gives it")
#: Bytes that each further picture of a folder takes while its sheet is planned and reported.
_BYTES_PER_PICTURE = 2_900


def png_of_zeros(side: int, bits: int, kind: int, channels: int, text: bytes = b"") -> bytes:
    """A square PNG in which every number is 0; its kind is grey (0), RGB (2) or RGBA (6).

    text: what it has as "parameters".
    """
    packer, row = zlib.compressobj(1), bytes(1 + side * channels * bits // 8)
    rows = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, bits, kind, 0, 0, 0)
    parts = {b"IHDR": header, b"tEXt": b"parameters\0" + text, b"IDAT": rows, b"IEND": b""}
    chunks = (struct.pack(">I", len(data)) + name + data for name, data in parts.items())
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk + struct.pack(">I", zlib.crc32(chunk[4:])) for chunk in chunks)


@linux
def test_a_small_file_that_unpacks_to_gigabytes_is_refused_and_others_are_decoded_within_the_bound(
    tmp_path: Path,
) -> None:
    """The bound is that of all threads together, 512 MiB."""
    (tmp_path / "large").mkdir()
    (tmp_path / "out").mkdir()
    Image.new("RGB", (32, 32)).save(tmp_path / "small.png")
    bomb = tmp_path / "large" / "grey.png"
    bomb.write_bytes(png_of_zeros(13_000, 16, 0, 1))
    for number in range(3):
        (tmp_path / "large" / f"{number}.png").write_bytes(png_of_zeros(4_000, 16, 0, 1))
    assert bomb.stat().st_size < 2_000_000

    command = [sys.executable, "-c", _MEASURE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    megabytes, left_out, reason = done.stdout.strip().split(" ", 2)

    assert int(megabytes) < 512 + 64
    assert left_out == "1"
    assert "pictures that need more than 1,536 MiB are refused" in reason


#: Prints for each of the texts of a file the seconds and megabytes that it takes, and what is said of it.
_LONG_TEXTS = f"""
import json, sys, time
sys.path.insert(0, {str(ROOT)!r})
from tests import conftest
from pathlib import Path
from PIL import Image, PngImagePlugin
from clip_grid.api import SheetInputs, export_grid
from clip_grid.errors import ClipGridError
folder = Path(sys.argv[1])
# of this program alone: what getrusage tells begins with the memory of the process that started it
peak = lambda: int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) // 1024
info = PngImagePlugin.PngInfo()
info.add_text("parameters", "a cat\\nSteps: 20, " + "key: value, " * (25_000_000 // 12), zip=True)
(folder / "plain").mkdir()
(folder / "texts").mkdir()
Image.new("RGB", (32, 32)).save(folder / "plain" / "a.png")
Image.new("RGB", (32, 32)).save(folder / "texts" / "a.png", pnginfo=info)
long = "word " * 4_000_000
(folder / "header.csv").write_text(f"filename,{{long}}\\na.png,1\\n")
coco = {{"images": [{{"id": 1, "file_name": "a.png"}}], "annotations": [{{"image_id": 1, "caption": long}}]}}
(folder / "coco.json").write_text(json.dumps(coco))
export_grid(folder / "plain", folder / "out.png")
cases = {{
    "picture": ("texts", SheetInputs()),
    "label": ("plain", SheetInputs(labels=[long])),
    "header": ("plain", SheetInputs(csv=folder / "header.csv")),
    "caption": ("plain", SheetInputs(csv=folder / "coco.json")),
}}
for name, (pictures, inputs) in cases.items():
    start = time.process_time()
    try:
        said = "; ".join(export_grid(folder / pictures, folder / "out.png", inputs=inputs).warnings)
    except ClipGridError as error:
        said = str(error)
    print(name, round(time.process_time() - start, 2), peak(), said[-300:], flush=True)
"""


@linux
def test_texts_of_megabytes_are_cut_or_refused_with_a_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _LONG_TEXTS, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    answers = {line.split()[0]: line.split(" ", 3)[1:] for line in done.stdout.splitlines()}

    said = {name: answer[2] for name, answer in answers.items()}
    assert said["picture"].endswith("its text parameters is not read (damaged, or longer than 1 MiB)")
    assert said["label"].endswith("1 text was shortened to fit; larger cells or a smaller font show more")
    assert said["header"].endswith("has a name of 19999999 characters, more than the 10000 that are read; shorten it")
    assert said["caption"].startswith("a cell of row 1 has more than 1000000 characters; only these many are read")
    assert all(float(seconds) < 2 and int(megabytes) < 500 for seconds, megabytes, _ in answers.values()), answers


def peak_of_a_plan(folder: Path) -> int:
    """The bytes of Python's objects that the plan of a sheet and its report take at most."""
    gc.collect()
    tracemalloc.start()
    try:
        planned, target = plan_export(folder, folder / "sheet.png", columns=50)
        parts = dry_report(planned, target).json_parts()
        assert sum(part.count('"column":') for part in parts) == len(os.listdir(folder))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_folder_takes_some_kilobytes_of_memory_for_each_picture(tmp_path: Path) -> None:
    few, many = 100, 400
    for count in (1, few, many):
        (tmp_path / str(count)).mkdir()
        for number in range(count):
            text = f"a cat, number {number}\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: {number}, Model: dream"
            (tmp_path / str(count) / f"ComfyUI_{number:05}_.png").write_bytes(png_of_zeros(2, 8, 2, 3, text.encode()))
    # what is made once, such as fonts
    peak_of_a_plan(tmp_path / "1")

    grown = peak_of_a_plan(tmp_path / str(many)) - peak_of_a_plan(tmp_path / str(few))

    assert grown / (many - few) < _BYTES_PER_PICTURE
