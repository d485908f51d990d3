"""A second run over files that did not change: what it costs to find their embeddings again.

    python benchmarks/second_run.py [--count 2000] [--side 512] [--rounds 5] [--work FOLDER]

Each run is a process of its own, with the bundled demo model and a cache folder that the first run filled; the time is
that of ``encode_images``. "Read again" is the second run without the hashes of files that the first one kept, so that
every file is read and hashed. The files are in the system's own cache all the time, so that no disk is measured.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image
from rounds import ratios

CHILD = """
import sys, time
from pathlib import Path
from clip_grid.clip_backend.loading import load_encoder
folder, cache = map(Path, sys.argv[1:3])
files = sorted(folder.iterdir())
encoder = load_encoder("shapes-demo", device="cpu", cache_folder=cache)
began = time.perf_counter()
encoder.encode_images(files)
print(time.perf_counter() - began)
"""


def main() -> None:
    """Run every contender and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000, help="number of pictures")
    parser.add_argument("--side", type=int, default=512, help="width and height of each picture")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "clip-grid-benchmark")
    args = parser.parse_args()
    folder = make_noise(args.work / f"noise_{args.side}_{args.count}", args.count, args.side)
    cache = args.work / "second_run_cache"
    shutil.rmtree(cache, ignore_errors=True)
    first = run(folder, cache)
    again, second = [], []
    for _ in range(args.rounds):
        (cache / "file_hashes.sqlite").unlink()
        again.append(run(folder, cache))
        second.append(run(folder, cache))
    print("| run | time, s | a file, ms | times as fast as reading again |\n|---|---|---|---|")
    for name, times in (("first", [first]), ("read again", again), ("second", second)):
        ratio = ratios(again, times) if len(times) > 1 else ""
        print(f"| {name} | {median(times):.2f} | {1000 * median(times) / args.count:.3f} | {ratio} |")


def run(folder: Path, cache: Path) -> float:
    """The seconds of one run, from a process of its own."""
    command = [sys.executable, "-c", CHILD, str(folder), str(cache)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


def make_noise(folder: Path, count: int, side: int) -> Path:
    """A folder of different PNG files that were written an hour ago; those that are there already are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, hour_ago = np.random.default_rng(0), time.time() - 3600
    for number in range(count):
        file = folder / f"{number:06}.png"
        pixels = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
        if not file.exists():
            Image.fromarray(pixels).save(file, compress_level=1)
            os.utime(file, (hour_ago, hour_ago))
    return folder


if __name__ == "__main__":
    main()
