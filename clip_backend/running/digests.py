"""A digest of large files that is quick to take."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from ...errors import CheckpointError

#: Pieces of a file that are looked at, spread evenly from its beginning to its end, and their bytes.
PIECES = 512
PIECE = 4096


def sampled_digest(files: Sequence[Path]) -> str:
    """Of size and evenly spread pieces of each file: another for weights that were trained on, all of which change."""
    digest = hashlib.sha256()
    for file in files:
        try:
            _add(digest, file)
        except OSError as error:
            raise CheckpointError(str(file), "it is gone or cannot be read; choose the model again") from error
    return digest.hexdigest()


def _add(digest: hashlib._Hash, file: Path) -> None:
    with open(file, "rb") as opened:
        size = os.fstat(opened.fileno()).st_size
        digest.update(size.to_bytes(8, "little"))
        step = max(PIECE, (size - PIECE) // (PIECES - 1))
        for start in (*range(0, size, step), max(0, size - PIECE)):
            opened.seek(start)
            digest.update(opened.read(PIECE))
