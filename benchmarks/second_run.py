"""A second run over files that did not change: what it costs to find their embeddings again.

    python benchmarks/second_run.py [--counts 10000 100000] [--side 32] [--work FOLDER]

Each run is a process of its own, with the bundled demo model and a cache folder that the first run filled. "Read again"
is the second run without the hashes of the files that the first one kept, so that every file is read and hashed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

CHILD = """
import json, resource, sys, time
from pathlib import Path
from clip_grid.clip_backend.loading import load_encoder
folder, cache = map(Path, sys.argv[1:3])
files = sorted(folder.iterdir())
encoder = load_encoder("shapes-demo", device="cpu", cache_folder=cache)
began = time.perf_counter()
encoder.encode_images(files)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
print(json.dumps({"s": time.perf_counter() - began, "peak": peak}))
"""


def main() -> None:
    """Run every row and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--side", type=int, default=32, help="width and height of each picture")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "clip-grid-benchmark")
    args = parser.parse_args()
    print("| files | run | time, s | a file, ms | peak memory, MB |\n|---|---|---|---|---|")
    for count in args.counts:
        folder = make_noise(args.work / f"noise_{args.side}_{count}", count, args.side)
        cache = args.work / "second_run_cache"
        shutil.rmtree(cache, ignore_errors=True)
        row(count, "first", folder, cache)
        row(count, "second", folder, cache)
        (cache / "file_hashes.sqlite").unlink()
        row(count, "read again", folder, cache)


def row(count: int, name: str, folder: Path, cache: Path) -> None:
    """One line of the table, from a process of its own."""
    command = [sys.executable, "-c", CHILD, str(folder), str(cache)]
    done = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
    print(f"| {count} | {name} | {done['s']:.1f} | {1000 * done['s'] / count:.3f} | {done['peak']:.0f} |", flush=True)


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
