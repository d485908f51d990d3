"""Vectors like those of CLIP models, files of them, and products of int8 without numkong."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from clip_grid.clip_backend.search import first_pass, index, quantized
from clip_grid.clip_backend.search.index import IndexState
from clip_grid.clip_backend.search.quantized import QuantizedWriter, read_quantized
from clip_grid.clip_backend.search.vectors import VectorWriter, read_vectors, vector_file

SPACE = "test space"
BLOCK = 64


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 64 rows; the products of int8 are numpy's where numkong is not installed."""
    monkeypatch.setattr(quantized, "ROWS", BLOCK)
    if not find_spec("numkong"):
        monkeypatch.setattr(index, "is_usable", lambda: True)
        monkeypatch.setattr(first_pass, "products", numpy_products)


def numpy_products(queries, rows):
    return (queries.astype(np.int64) @ rows.T.astype(np.int64)).astype(np.float64)


def clip_like(rows, dim=48, seed=0, *, with_zeros=True):
    """Unit vectors with three large numbers that hardly vary, clusters, copies and rows of zeros."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((12, dim))
    found = 0.7 * centres[random.integers(12, size=rows)] + 0.7 * random.standard_normal((rows, dim))
    found[:, :3] = (9, -7, 5) + 0.2 * random.standard_normal((rows, 3))
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    found[rows // 2 : rows // 2 + 9] = found[3]
    if with_zeros:
        found[rows // 3] = found[-1] = 0
    return found.astype(np.float32)


def texts_like(count, dim=48, seed=0):
    """Unit vectors of texts: their large numbers are others than those of pictures."""
    random = np.random.default_rng(seed)
    found = random.standard_normal((count, dim))
    found[:, 1:5] = (-4, 8, 11, 0)
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def state_of(folder: Path, vectors, is_used=None) -> IndexState:
    """The state of an index with these vectors."""
    writer = VectorWriter(vector_file(folder, 1), vectors.shape[1], SPACE, 0)
    writer.append(vectors)
    writer.commit(len(vectors))
    QuantizedWriter(writer).update()
    writer.close()
    stored = np.asarray(read_vectors(writer.path, writer.dim, SPACE, len(vectors)))
    ids = np.arange(1, len(vectors) + 1)
    if is_used is not None:
        ids[~is_used] = 0
    found = read_quantized(writer.path, SPACE, stored)
    return IndexState(SPACE, "a model", "", writer.dim, 1, stored, ids, ids > 0, found)
