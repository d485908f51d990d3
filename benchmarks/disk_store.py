"""How fast embeddings come from disk beside diskcache and a plain table of numpy: interleaved rounds in one run.

    python benchmarks/disk_store.py [--rounds 5] [--rows 100000] [--reads 5000] [--work FOLDER]

Each contender stores the same rows of 768 dimensions once. In each round it opens its file anew and reads rows in
random order, by keys that differ from round to round. The table of numpy is the least that any store can do: one array
mapped into memory, its keys in a dictionary; it cannot grow, forgets its keys at the end, and knows no second process.
Needs ``pip install diskcache``; without it that row is left out.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from statistics import median

import numpy as np
from clip_grid.clip_backend.encoding.cache import Row, row_key
from clip_grid.clip_backend.encoding.disk_store import DiskStore
from rounds import interleaved, ratios

LENGTH = 768
#: Rows that are stored at a time.
BATCH = 1000
Rows = Mapping[str, Row]
Read = Callable[[Sequence[str]], object]


def main() -> None:
    """Store, read in turn, and print a table in Markdown."""
    args = parsed()
    keys = [row_key("picture", number) for number in range(args.rows)]
    with tempfile.TemporaryDirectory(dir=args.work) as folder:
        sizes, writes, reads = {}, {}, {}
        for name, (store, read) in contenders(Path(folder), keys).items():
            started = time.perf_counter()
            store()
            writes[name], reads[name] = time.perf_counter() - started, read
            sizes[name] = size_of(Path(folder) / name.split()[0])
        random = Random(0)
        wanted: list[str] = []

        def work(read: Read) -> Callable[[], object]:
            return lambda: read(wanted)

        times: dict[str, list[float]] = {name: [] for name in reads}
        for _ in range(args.rounds):
            wanted[:] = random.sample(keys, args.reads)
            for name, spent in interleaved({name: work(read) for name, read in reads.items()}, 1).items():
                times[name] += spent
    base = times["diskcache"] if "diskcache" in times else times["numpy"]
    print(f"{args.rows:,} rows of {LENGTH} dimensions, {args.reads:,} random reads a round, {args.rounds} rounds")
    print("| contender | a row, µs | speed-up | write all, s | file, MB |\n|---|---|---|---|---|")
    for name, spent in times.items():
        each = median(spent) / args.reads * 1e6
        print(f"| {name} | {each:.1f} | {ratios(base, spent)} | {writes[name]:.1f} | {sizes[name] / 1e6:.0f} |")


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--reads", type=int, default=5000)
    parser.add_argument("--work", type=Path, default=None, help="where the files are written for the run")
    return parser.parse_args()


def contenders(folder: Path, keys: Sequence[str]) -> dict[str, tuple[Callable[[], None], Read]]:
    """By name: what stores all rows, and what reads some of them after opening the file."""
    found = {}
    if importlib.util.find_spec("diskcache"):
        found["diskcache"] = diskcache(folder / "diskcache", keys)
    found["CLIP Grid"] = own(folder / "CLIP", keys)
    found["numpy"] = table(folder / "numpy", keys)
    return found


def batches(keys: Sequence[str]) -> Callable[[], list[Rows]]:
    """The rows of all keys, in batches."""
    numbers = np.random.default_rng(0).normal(size=(BATCH, LENGTH)).astype(np.float32)
    return lambda: [
        dict(zip(keys[start : start + BATCH], numbers, strict=False)) for start in range(0, len(keys), BATCH)
    ]


def own(folder: Path, keys: Sequence[str]) -> tuple[Callable[[], None], Read]:
    """The store of this package."""

    def store() -> None:
        new = DiskStore(folder)
        for rows in batches(keys)():
            new.put(rows)
        new.flush()

    def read(wanted: Sequence[str]) -> None:
        opened = DiskStore(folder)
        for key in wanted:
            if opened.get(key) is None:
                raise SystemExit(f"{key} is not stored")

    return store, read


def diskcache(folder: Path, keys: Sequence[str]) -> tuple[Callable[[], None], Read]:
    """The package diskcache with its own defaults; rows as bytes, which it need not pickle."""
    package = importlib.import_module("diskcache")

    def store() -> None:
        with package.Cache(folder, size_limit=1 << 33) as new:
            for rows in batches(keys)():
                with new.transact():
                    for key, row in rows.items():
                        new[key] = row.tobytes()

    def read(wanted: Sequence[str]) -> None:
        with package.Cache(folder) as opened:
            for key in wanted:
                np.frombuffer(opened[key], np.float32)

    return store, read


def table(folder: Path, keys: Sequence[str]) -> tuple[Callable[[], None], Read]:
    """One array in a file, the places of its rows by key in memory."""
    places = {key: place for place, key in enumerate(keys)}

    def store() -> None:
        folder.mkdir()
        shape = (len(keys), LENGTH)
        array = np.lib.format.open_memmap(folder / "rows.npy", mode="w+", dtype=np.float32, shape=shape)
        for rows in batches(keys)():
            first = places[next(iter(rows))]
            array[first : first + len(rows)] = list(rows.values())
        array.flush()

    def read(wanted: Sequence[str]) -> None:
        array = np.load(folder / "rows.npy", mmap_mode="r")
        for key in wanted:
            np.array(array[places[key]])

    return store, read


def size_of(folder: Path) -> int:
    """Bytes of all files."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


if __name__ == "__main__":
    main()
