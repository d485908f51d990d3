"""How long a labelled PNG sheet takes beside its peers: ratios of interleaved rounds in one run.

    python benchmarks/sheets.py [--rounds 5] [--pictures FOLDER] [--work FOLDER]

Needs ``pip install 'clip-grid[benchmark]'``; ImageMagick's montage joins in when it is installed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

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
    print("| work | contender | time, s | times the Pillow script | file, MB |\n|---|---|---|---|---|")
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
        return {"Pillow script, level 4": lambda out: base(out)} | with_and_without_isal(ours)

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
            | with_and_without_isal(ours)
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


def with_and_without_isal(ours: Callable[[Path], None]) -> dict[str, Contender]:
    """Our sheet by the standard library's zlib, and by isal where it is installed."""
    contenders: dict[str, Contender] = {"CLIP Grid": lambda out: without_isal(ours, out)}
    try:
        import isal.isal_zlib  # noqa: F401
    except ImportError:
        return contenders
    return contenders | {"CLIP Grid with isal": lambda out: ours(out)}


def with_torch(ours: Callable[[Path], None]) -> dict[str, Contender]:
    """Our sheet, resized by torch where it is installed, with all that makes it fast."""
    if find_spec("torch") is None:
        return {}
    return {"CLIP Grid with isal and torch": lambda out: ours(out)}


def without_isal(ours: Callable[[Path], None], out: Path) -> None:
    """As if isal were not installed: None in sys.modules makes its import fail."""
    kept = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "isal"}
    sys.modules.update(dict.fromkeys([*kept, "isal", "isal.isal_zlib"], None))  # type: ignore[arg-type]
    try:
        ours(out)
    finally:
        del sys.modules["isal"], sys.modules["isal.isal_zlib"]
        sys.modules.update(kept)


def run_case(name: str, contenders: dict[str, Contender], rounds: int, work: Path) -> None:
    """One row per contender, with the size of its file."""
    sizes: dict[str, float] = {}

    def made(key: str) -> None:
        out = work / "out.png"
        contenders[key](out)
        sizes[key] = out.stat().st_size / 1e6
        out.unlink()

    able = [key for key in contenders if can_run(partial(made, key), f"{name}, {key}")]
    times = interleaved({key: partial(made, key) for key in able}, rounds)
    base = times[next(iter(contenders))]
    for key, spent in times.items():
        print(f"| {name} | {key} | {median(spent):.2f} | {ratios(base, spent)} | {sizes[key]:.1f} |", flush=True)


def can_run(contender: Callable[[], None], name: str) -> bool:
    """Whether a contender makes its sheet once; if not, the benchmark goes on without it and says why."""
    try:
        contender()
    except (ImportError, OSError, RuntimeError, subprocess.SubprocessError) as error:
        told = getattr(error, "stderr", None) or str(error) or type(error).__name__
        reason = told.decode(errors="replace") if isinstance(told, bytes) else told
        print(f"{name}: left out ({reason.strip()})", file=sys.stderr, flush=True)
        return False
    return True


if __name__ == "__main__":
    main()
