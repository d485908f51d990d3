"""How fast and exact an index is searched, beside numpy and faiss: interleaved rounds in one run.

    python benchmarks/search.py [--rows 100000] [--dim 512] [--rounds 5] [--work FOLDER]

The vectors are random ones around 1,000 centres, in an index on the disk that is made once per size. Each contender
returns the 50 best rows of one query, or of 64 at once. CLIP Grid's answer to one query is a whole one: the filter that
leaves out missing pictures, the statistics of the index, near-duplicates, paths, percentiles and the line of weak hits;
"rows alone" is the part of it that compares the vectors. Recall is counted against float64.
Needs ``pip install 'clip-grid[clip]'``; with numkong vectors are read in int8 first, and with faiss-cpu its exact index
and IVF with 16 of sqrt(N) lists searched (as ComfyUI-Majoor-AssetsManager does from 4,096 pictures on) take part.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import numpy as np
from clip_grid.clip_backend.search.database import transaction, write_settings
from clip_grid.clip_backend.search.first_pass import scan_of
from clip_grid.clip_backend.search.index import Index
from clip_grid.clip_backend.search.query import Part, Query
from clip_grid.clip_backend.search.scan import best_of_many
from clip_grid.clip_backend.search.search import search
from clip_grid.clip_backend.search.writer import IndexWriter
from rounds import ratios

TOP, MANY, CENTRES, PROBED = 50, 64, 1000, 16
BLOCK = 20_000
Contenders = dict[str, Callable[[], object]]


def main() -> None:
    """Measure, count what is found, and print tables in Markdown."""
    args = parsed()
    folder = made_index(args.work / f"search-{args.rows}-{args.dim}", args.rows, args.dim)
    with Index.open(folder) as index, Index.open(folder) as plain:
        with patch("clip_grid.clip_backend.search.index.is_usable", return_value=False):
            vectors = plain.state().vectors
        queries = queries_for(np.asarray(vectors))
        part = Part(kind="text", name="a text", vector=queries[0], bank=queries)
        query = Query(parts=[part], top=TOP, duplicates=0.98)
        before = resident("RssAnon")
        search(index, query)
        kept = (resident("RssAnon") - before) / args.rows
        print(f"{args.rows:,} x {args.dim}, {os.cpu_count()} cores, {args.rounds} rounds")
        mapped = 4 * args.dim + (args.dim + 12 if index.state().quantized else 0)
        print(f"memory beside the mapped files: {kept:.0f} bytes a picture (the files: {mapped})\n")
        single: Contenders = {"numpy X @ q, argpartition": partial(by_numpy, vectors, queries[:1])}
        found = {}
        for name, one in {"CLIP Grid": plain, "CLIP Grid, numkong": index}.items():
            if one is plain or index.state().quantized:
                single[name] = partial(search, one, query)
                single[f"{name}, rows alone"] = partial(rows_alone, one, queries[:1])
                found[name] = np.array([[hit.picture.id - 1 for hit in search(one, query).hits]])
        allowed = np.ones(args.rows, np.bool_)
        many: Contenders = {
            "numpy X @ Q, argpartition": partial(by_numpy, vectors, queries),
            "CLIP Grid": lambda: best_of_many(vectors, allowed, queries, TOP)[0],
        }
        if importlib.util.find_spec("faiss"):
            add_faiss(single, many, vectors, queries)
        truth = exact(vectors, queries)
        table(f"one query, {TOP} best", single, args.rounds, truth[:1], found)
        table(f"{MANY} queries at once, {TOP} best of each", many, args.rounds, truth, {})


def rows_alone(index: Index, queries: np.ndarray) -> np.ndarray:
    """The best rows of one query, by the scan of an index alone."""
    state = index.state()
    rows, scores = scan_of(state, queries, np.ones(1)).best(state.has_file, TOP)
    return rows[np.argsort(-scores)][None, :TOP]


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "clip-grid-benchmark")
    return parser.parse_args()


def made_index(folder: Path, rows: int, dim: int) -> Path:
    """An index of so many pictures without files on the disk."""
    if folder.exists():
        with IndexWriter(folder):
            # makes what is derived from the vectors
            return folder
    random = np.random.default_rng(0)
    centres = random.standard_normal((CENTRES, dim), np.float32)
    made, root = folder.with_suffix(".tmp"), folder.parent
    with IndexWriter(made) as writer:
        writer.bind("benchmark", dim, "random vectors")
        id, _ = writer.root_of(root)
        if writer.vectors is None:
            raise SystemExit("the index has no file of vectors")
        for start in range(0, rows, BLOCK):
            count = min(BLOCK, rows - start)
            drawn = centres[random.integers(CENTRES, size=count)] + random.standard_normal((count, dim), np.float32)
            writer.vectors.append(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))
            places = range(start, start + count)
            with transaction(writer.connection):
                writer.connection.executemany(
                    "INSERT INTO pictures (id, hash, row, width, height) VALUES (?, ?, ?, 512, 512)",
                    [(place + 1, f"{place:032x}", place) for place in places],
                )
                writer.connection.executemany(
                    "INSERT INTO files (root, folder, name, size, mtime_ns, inode, picture)"
                    " VALUES (?, ?, ?, 1, ?, ?, ?)",
                    [
                        (id, b"%d" % (place // 1000), b"%d.png" % place, place, str(place), place + 1)
                        for place in places
                    ],
                )
                writer.connection.executemany(
                    "INSERT INTO properties VALUES (?, 'seed', ?, ?)",
                    [(place + 1, str(place), float(place)) for place in places],
                )
                write_settings(writer.connection, rows=start + count)
            writer.vectors.commit(count)
        writer.quantize()
    made.rename(folder)
    return folder


def queries_for(vectors: np.ndarray) -> np.ndarray:
    """64 unit vectors near rows of the index."""
    random = np.random.default_rng(1)
    near = vectors[random.integers(len(vectors), size=MANY)]
    drawn = near + 0.03 * random.standard_normal(near.shape, np.float32)
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


def by_numpy(vectors: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """The best rows of each query, query by query."""
    return np.array([np.argpartition(vectors @ query, -TOP)[-TOP:] for query in queries])


def add_faiss(single: Contenders, many: Contenders, vectors: np.ndarray, queries: np.ndarray) -> None:
    """The two indexes of faiss."""
    import faiss

    rows, dim = vectors.shape
    flat = faiss.IndexFlatIP(dim)
    flat.add(vectors)
    lists = int(rows**0.5)
    coarse = faiss.IndexFlatIP(dim)
    inverted = faiss.IndexIVFFlat(coarse, dim, lists, faiss.METRIC_INNER_PRODUCT)
    inverted.cp.niter = 5
    inverted.train(vectors[: 50 * lists])
    inverted.add(vectors)
    inverted.nprobe = PROBED
    for name, one in (("faiss IndexFlatIP", flat), (f"faiss IVF, nprobe {PROBED}", inverted)):
        single[name] = partial(of_faiss, one, queries[:1])
        many[name] = partial(of_faiss, one, queries)


def of_faiss(index: Any, queries: np.ndarray) -> np.ndarray:
    """The best rows of each query."""
    return np.asarray(index.search(queries, TOP)[1])


def exact(vectors: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """The best rows of each query in float64."""
    wide = queries.T.astype(np.float64)
    cosines = np.concatenate(
        [vectors[start : start + BLOCK].astype(np.float64) @ wide for start in range(0, len(vectors), BLOCK)]
    )
    return np.asarray(np.argpartition(cosines, -TOP, axis=0)[-TOP:].T)


def table(
    title: str,
    contenders: Mapping[str, Callable[[], object]],
    rounds: int,
    truth: np.ndarray,
    found: Mapping[str, np.ndarray],
) -> None:
    """Times and recall of each contender; found: the rows of those that return something else."""
    recalls = {}
    for name, contender in contenders.items():
        rows = np.asarray(found[name] if name in found else contender())
        recalls[name] = np.mean(
            [len({*own} & {*best}) / TOP for own, best in zip(rows.tolist(), truth.tolist(), strict=True)]
        )
    walls: dict[str, list[float]] = {name: [] for name in contenders}
    works: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name in list(contenders) if number % 2 == 0 else reversed(list(contenders)):
            wall, work = time.perf_counter(), time.process_time()
            contenders[name]()
            walls[name].append(time.perf_counter() - wall)
            works[name].append(time.process_time() - work)
    base = "faiss IndexFlatIP" if "faiss IndexFlatIP" in contenders else next(iter(contenders))
    print(f"| {title} | median, ms | processor time, ms | times {base} | by processor time | recall |")
    print("|---|---|---|---|---|---|")
    for name in contenders:
        times = f"{1e3 * median(walls[name]):.1f} | {1e3 * median(works[name]):.1f}"
        print(
            f"| {name} | {times} | {ratios(walls[base], walls[name])} | {ratios(works[base], works[name])} "
            f"| {recalls[name]:.3f} |",
            flush=True,
        )
    print()


def resident(name: str) -> int:
    """Bytes of this process of a kind that Linux counts; 0 elsewhere."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    line = next(line for line in status.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
