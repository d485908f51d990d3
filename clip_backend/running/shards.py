"""One file of rows with their keys: safetensors whose metadata holds the keys, a version and a checksum."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .cache import Row

#: Written into each shard; one of another version shows no keys.
VERSION = "1"


class BadShard(Exception):
    """A shard cannot be read, now at least; it is answered by ``disk_cache.py``."""


class CorruptShard(BadShard):
    """A shard can never be read."""


def shard_bytes(rows: Mapping[str, Row]) -> bytes:
    """A shard: rows of one length, float32 [N, D], their keys and their checksum."""
    from safetensors.numpy import save

    stacked = np.stack(list(rows.values())).astype(np.float32)
    metadata = {"version": VERSION, "keys": json.dumps(list(rows)), "checksum": str(zlib.crc32(stacked.tobytes()))}
    return save({"rows": stacked}, metadata)


def read_keys(path: Path) -> tuple[str, ...]:
    """The keys of a shard's rows, from its header alone; raises CorruptShard."""
    metadata, _ = _read(path, with_rows=False)
    return _keys_of(metadata)


def read_rows(path: Path) -> NDArray[np.float32]:
    """A shard's rows; raises CorruptShard where they are not as they were written."""
    metadata, rows = _read(path, with_rows=True)
    if rows.ndim != 2 or len(rows) != len(_keys_of(metadata)):
        raise CorruptShard("its rows and its keys do not agree")
    if str(zlib.crc32(np.ascontiguousarray(rows).tobytes())) != metadata.get("checksum"):
        raise CorruptShard("its checksum is wrong")
    return rows


def _keys_of(metadata: Mapping[str, str]) -> tuple[str, ...]:
    if metadata.get("version") != VERSION:
        return ()
    try:
        return tuple(map(str, json.loads(metadata.get("keys", ""))))
    except ValueError as error:
        raise CorruptShard("its list of keys is broken") from error


def _read(path: Path, *, with_rows: bool) -> tuple[Mapping[str, str], NDArray[np.float32]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            rows = file.get_tensor("rows") if with_rows else np.empty((0, 0), np.float32)
            return file.metadata() or {}, rows
    except FileNotFoundError:
        raise
    except OSError as error:
        raise BadShard(f"it cannot be read ({error})") from error
    except (SafetensorError, ValueError, TypeError) as error:
        raise CorruptShard(f"it is broken ({error})") from error
