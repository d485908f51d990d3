"""How the peak memory of one big sheet grows with the number of pictures: one process per size.

    python benchmarks/memory.py [--counts 400 2000 10000] [--work FOLDER]

The files are 400 different ones, linked as often as needed. Memory is the peak resident set above that after import.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from work import make_files, source_pictures

CHILD = """
import json, resource, sys, time
from clip_grid.api import export_grid
import clip_grid.grid.png, clip_grid.grid.fonts, numpy, PIL.JpegImagePlugin
start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began = time.perf_counter()
options = {"cell_width": 256, "cell_height": 256, "columns": int(sys.argv[3]), "overwrite": True}
report = export_grid(sys.argv[1], sys.argv[2], **options)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
page = report.pages[0]
print(json.dumps({"start": start, "peak": peak, "s": time.perf_counter() - began, "size": [page.width, page.height],
                  "placed": report.images_processed}))
"""


def main() -> None:
    """Run each size and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[400, 2000, 10000])
    parser.add_argument("--pictures", type=Path, help="folder of pictures to cut the work from")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "clip-grid-benchmark")
    args = parser.parse_args()
    files = make_files(args.work / "1024.jpg", source_pictures(args.pictures), 400, 1024, ".jpg")
    print("| pictures | page | time, s | peak above start, MB | page itself, MB |\n|---|---|---|---|---|")
    for count in args.counts:
        measure(linked(files, count, args.work / f"linked-{count}"), count, args.work)


def linked(files: list[Path], count: int, folder: Path) -> Path:
    """A folder with ``count`` links to the files in turn."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        link = folder / f"picture_{number:05}.jpg"
        if not link.exists():
            link.hardlink_to(files[number % len(files)])
    return folder


def measure(folder: Path, count: int, work: Path) -> None:
    """One row of the table, from a process of its own."""
    columns = 100 if count >= 10_000 else 45 if count >= 2_000 else 20
    command = [sys.executable, "-c", CHILD, str(folder), str(work / "big.png"), str(columns)]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    width, height = result["size"]
    grown = (result["peak"] - result["start"]) / 1024
    page = width * height * 3 / 1e6
    print(
        f"| {result['placed']:,} | {width:,} x {height:,} | {result['s']:.1f} | {grown:.0f} | {page:.0f} |", flush=True
    )


if __name__ == "__main__":
    main()
