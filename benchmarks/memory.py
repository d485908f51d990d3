"""How the peak memory of one big sheet grows with the number of pictures: one process per size.

    python benchmarks/memory.py [--counts 400 2000 10000] [--planned 10000 50000 100000] [--work FOLDER]

The files are 400 different ones, linked as often as needed. Memory is the peak resident set above that after import.
Of the sheets of ``--planned`` nothing is painted: files of 64² with the generation data of ComfyUI, of AUTOMATIC1111
and without are found, read, planned and reported, each with a seed and a prompt of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin
from work import make_files, source_pictures

CHILD = """
import json, resource, sys, time
from clip_grid.api import export_grid
import clip_grid.grid.write.png, clip_grid.grid.text.fonts, numpy, PIL.JpegImagePlugin
start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began = time.perf_counter()
options = {"cell_width": 256, "cell_height": 256, "columns": int(sys.argv[3]), "overwrite": True}
report = export_grid(sys.argv[1], sys.argv[2], **options)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
page = report.pages[0]
print(json.dumps({"start": start, "peak": peak, "s": time.perf_counter() - began, "size": [page.width, page.height],
                  "placed": report.images_processed}))
"""

PLANNING = """
import json, resource, sys, time
from clip_grid.api import dry_report, plan_export
import PIL.PngImagePlugin
start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
report = dry_report(*plan_export(sys.argv[1], "sheet.png", columns=250))
length = sum(map(len, report.json_parts()))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"start": start, "peak": peak, "s": time.process_time(), "placed": report.images_processed}))
"""


def main() -> None:
    """Run each size and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="*", default=[400, 2000, 10000])
    parser.add_argument("--planned", type=int, nargs="*", default=[10000, 50000, 100000])
    parser.add_argument("--pictures", type=Path, help="folder of pictures to cut the work from")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "clip-grid-benchmark")
    args = parser.parse_args()
    sources = source_pictures(args.pictures) if args.counts else []
    files = make_files(args.work / "1024.jpg", sources, 400, 1024, ".jpg") if args.counts else []
    print("| pictures | page | time, s | peak above start, MB | page itself, MB |\n|---|---|---|---|---|")
    for count in args.counts:
        measure(linked(files, count, args.work / f"linked-{count}"), count, args.work)
    print("\n| pictures planned | processor, s | peak above start, MB |\n|---|---|---|")
    for count in args.planned:
        measure_plan(made_by_many(count, args.work / f"planned-{count}"))


def linked(files: list[Path], count: int, folder: Path) -> Path:
    """A folder with ``count`` links to the files in turn."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        link = folder / f"picture_{number:05}.jpg"
        if not link.exists():
            link.hardlink_to(files[number % len(files)])
    return folder


def made_by_many(count: int, folder: Path) -> Path:
    """A folder of so many small PNG files: a half of ComfyUI, a quarter of AUTOMATIC1111, the others without data."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        info = PngImagePlugin.PngInfo()
        if number % 2 == 0:
            info.add_text("prompt", json.dumps(graph(number)))
        elif number % 4 == 1:
            settings = f"Steps: 20, Sampler: Euler a, CFG scale: {4 + number % 3}, Seed: {number}, Model: dream"
            info.add_text("parameters", f"a cat, number {number}\nNegative prompt: blurry\n{settings}")
        file = folder / f"picture_{number:06}.png"
        if not file.exists():
            Image.new("RGB", (64, 64), (number % 256, 0, 0)).save(file, pnginfo=info)
    return folder


def graph(number: int) -> dict[str, dict[str, object]]:
    """ComfyUI's default workflow with a seed and a prompt of its own."""
    links = {"model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}
    settings = {"seed": number, "steps": 20 + number % 5, "cfg": 7, "sampler_name": "euler", "scheduler": "normal"}
    nodes = {
        "3": ("KSampler", settings | {"denoise": 1.0} | links),
        "4": ("CheckpointLoaderSimple", {"ckpt_name": "dream.safetensors"}),
        "5": ("EmptyLatentImage", {"width": 64, "height": 64, "batch_size": 1}),
        "6": ("CLIPTextEncode", {"text": f"a photo of a cat, number {number}", "clip": ["4", 1]}),
        "7": ("CLIPTextEncode", {"text": "blurry", "clip": ["4", 1]}),
        "8": ("VAEDecode", {"samples": ["3", 0], "vae": ["4", 2]}),
        "9": ("SaveImage", {"filename_prefix": "ComfyUI", "images": ["8", 0]}),
    }
    return {node: {"class_type": kind, "inputs": inputs} for node, (kind, inputs) in nodes.items()}


def measure_plan(folder: Path) -> None:
    """One row of the second table, from a process of its own."""
    result = run_child(PLANNING, str(folder))
    print(f"| {result['placed']:,} | {result['s']:.1f} | {(result['peak'] - result['start']) / 1024:.0f} |", flush=True)


def run_child(code: str, *arguments: str) -> dict[str, Any]:
    """What a process of its own prints."""
    command = [sys.executable, "-c", code, *arguments]
    answer: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return answer


def measure(folder: Path, count: int, work: Path) -> None:
    """One row of the table, from a process of its own."""
    columns = 100 if count >= 10_000 else 45 if count >= 2_000 else 20
    result = run_child(CHILD, str(folder), str(work / "big.png"), str(columns))
    width, height = result["size"]
    grown = (result["peak"] - result["start"]) / 1024
    page = width * height * 3 / 1e6
    print(
        f"| {result['placed']:,} | {width:,} x {height:,} | {result['s']:.1f} | {grown:.0f} | {page:.0f} |", flush=True
    )


if __name__ == "__main__":
    main()
