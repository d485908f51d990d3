"""How long a labelled PNG sheet takes beside its peers: ratios of interleaved rounds in one run.

    python benchmarks/sheets.py [--rounds 5] [--pictures FOLDER] [--work FOLDER]

Needs ``pip install 'clip-grid[benchmark]'``; ImageMagick's montage joins in when it is installed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, cast

from clip_grid.api import export_grid
from peers import has_montage, libvips, libvips_full, montage, pillow_script
from rounds import interleaved, ratios
from work import make_files, make_tensors, source_pictures

Contender = Callable[[Path], object]


def main() -> None:
    """Run every case and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pictures", type=Path, help="folder of pictures to cut the work from")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "clip-grid-benchmark")
    parser.add_argument("--only", default="", help="run the cases whose name holds this text")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    columns = ["work", "contender", "time, s", "processor, s", "speed-up", "speed-up, processor", "file, MB"]
    print("|", " | ".join(columns), "|\n" + "|---" * len(columns) + "|")
    for name, contenders in cases(args.work, args.pictures).items():
        if args.only in name:
            run_case(name, contenders(), args.rounds, args.work)


def cases(work: Path, pictures: Path | None) -> dict[str, Callable[[], dict[str, Contender]]]:
    """Each case's name, and what makes its contenders; the first one is what the others are measured by."""

    def files(count: int, side: int, suffix: str) -> list[Path]:
        return make_files(work / f"{side}{suffix}", source_pictures(pictures), count, side, suffix)

    def tensors(count: int, side: int, columns: int) -> dict[str, Contender]:
        arrays = make_tensors(source_pictures(pictures), count, side)
        ours = partial(sheet, arrays, cell=side, columns=columns)
        base = partial(pillow_script, arrays, cell=side, columns=columns, level=4)
        return {"Pillow script, level 4": lambda out: base(out)} | by_packages(ours)

    def disk(count: int, suffix: str, columns: int, *, level: int, side: int = 1024) -> dict[str, Contender]:
        paths = files(count, side, suffix)
        ours = partial(sheet, paths, cell=256, columns=columns)
        base = partial(pillow_script, paths, cell=256, columns=columns, level=level)
        peers: dict[str, Contender] = {
            "libvips thumbnail (no labels)": lambda out: libvips(paths, out, 256, columns),
            "libvips, full decode (no labels)": lambda out: libvips_full(paths, out, 256, columns),
        }
        if has_montage() and count <= 100:
            peers["montage -label"] = lambda out: montage(paths, out, 256, columns)
        by_torch = partial(sheet, paths, cell=256, columns=columns, resample="torch")
        return (
            {f"Pillow script, level {level}": lambda out: base(out)}
            | by_packages(ours, reads_png=suffix == ".png")
            | with_torch(by_torch)
            | peers
        )

    return {
        "9 tensors of 1024²": lambda: tensors(9, 1024, 3),
        "100 tensors of 512²": lambda: tensors(100, 512, 10),
        "100 PNG files of 512²": lambda: disk(100, ".png", 10, level=6, side=512),
        "100 PNG files of 1024²": lambda: disk(100, ".png", 10, level=6),
        "400 JPEG files of 1024²": lambda: disk(400, ".jpg", 20, level=4),
        "2,000 JPEG files of 1024²": lambda: disk(2000, ".jpg", 45, level=4),
    }


def sheet(pictures: Any, out: Path, *, cell: int, columns: int, resample: str = "fast") -> None:
    """The sheet as this project makes it: names as labels, all pages in one, no sidecar to be fair to the others."""
    look = {"columns": columns, "cell_width": cell, "cell_height": cell, "font_size": 16, "resample": resample}
    export_grid(pictures, out, sidecar=False, overwrite=True, **look)


def by_packages(ours: Callable[[Path], None], *, reads_png: bool = False) -> dict[str, Contender]:
    """Our sheet by the standard library's zlib and Pillow, and by isal and PyAV where they are installed."""
    contenders: dict[str, Contender] = {"CLIP Grid": lambda out: without(("isal", "av"), ours, out)}
    if find_spec("isal"):
        contenders["CLIP Grid with isal"] = lambda out: without(("av",), ours, out)
    if reads_png and find_spec("av"):
        contenders["CLIP Grid with PyAV"] = lambda out: without(("isal",), ours, out)
    if reads_png and find_spec("isal") and find_spec("av"):
        contenders["CLIP Grid with isal and PyAV"] = lambda out: ours(out)
    return contenders


def with_torch(ours: Callable[[Path], None]) -> dict[str, Contender]:
    """Our sheet, resized by torch where it is installed, with all that makes it fast."""
    if not find_spec("torch"):
        return {}
    return {"CLIP Grid with all and torch": lambda out: ours(out)}


def without(packages: tuple[str, ...], ours: Callable[[Path], None], out: Path) -> None:
    """As if these packages were not installed: None in sys.modules makes their import fail."""
    kept = {name: module for name, module in sys.modules.items() if name.split(".")[0] in packages}
    blocked = [*kept, *packages, *(["isal.isal_zlib"] if "isal" in packages else [])]
    modules = cast(dict[str, object], sys.modules)
    modules.update(dict.fromkeys(blocked))
    try:
        ours(out)
    finally:
        for name in set(blocked):
            del modules[name]
        modules.update(kept)


def run_case(name: str, contenders: dict[str, Contender], rounds: int, work: Path) -> None:
    """One row per contender that can run, with the processor's time and the size of its file."""
    sizes: dict[str, float] = {}
    busy: dict[str, list[float]] = {}

    def made(key: str) -> None:
        out, before = work / "out.png", processor_seconds()
        contenders[key](out)
        busy.setdefault(key, []).append(processor_seconds() - before)
        sizes[key] = out.stat().st_size / 1e6
        out.unlink()

    able = [key for key in contenders if can_run(partial(made, key), f"{name}, {key}")]
    # what was done to try them is no round
    busy.clear()
    times = interleaved({key: partial(made, key) for key in able}, rounds)
    base = next(iter(contenders))
    for key, spent in times.items():
        cells = [name, key, f"{median(spent):.2f}", f"{median(busy[key]):.2f}"]
        cells += [ratios(of[base], of[key]) if base in of else "unknown" for of in (times, busy)]
        print("|", " | ".join(cells), f"| {sizes[key]:.1f} |", flush=True)


def processor_seconds() -> float:
    """What this process and the programs that it ran have taken of the processor so far."""
    return time.process_time() + sum(os.times()[2:4])


def can_run(contender: Callable[[], None], name: str) -> bool:
    """Whether a contender makes its sheet once; if not, the benchmark goes on without it and says why."""
    try:
        contender()
    except (ImportError, OSError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
        told = getattr(error, "stderr", None) or str(error) or type(error).__name__
        reason = told.decode(errors="replace") if isinstance(told, bytes) else told
        print(f"{name}: left out ({reason.strip()})", file=sys.stderr, flush=True)
        return False
    return True


if __name__ == "__main__":
    main()
