"""An encoder without a model, whose vectors follow from the content alone, and which counts what it did."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from clip_grid.clip_backend.encoding.image_features import FailedPicture
from clip_grid.clip_backend.encoding.outcomes import Ok, Outcome
from PIL import Image

DIM = 8


@dataclass
class CountingEncoder:
    """Reads files one by one."""

    space: str = "test space"
    dim: int = DIM
    identity: Any = field(default_factory=lambda: SimpleNamespace(name="a test model"))
    opened: list[Path] = field(default_factory=list)
    computed: int = 0
    #: Called before each picture is computed.
    before: Callable[[], None] = lambda: None

    def stream_images(
        self, pictures: Iterable[Path], *, batch_size: int | None = None, observe: Any = None, is_known: Any = None
    ) -> Iterator[Outcome]:
        for index, path in enumerate(pictures):
            self.opened.append(path)
            try:
                data, status = path.read_bytes(), path.stat()
                key = hashlib.blake2b(data, digest_size=16).hexdigest()
                if is_known and is_known(key):
                    yield Ok(index, str(path), key, status=status)
                    continue
                image = Image.open(BytesIO(data))
                image.load()
            except OSError as error:
                yield FailedPicture(index, str(path), "read", str(error))
                continue
            self.before()
            self.computed += 1
            observed = observe(path, data, image) if observe else None
            yield Ok(index, str(path), key, {"embeds": vector_of(data)}, observed, status)


def vector_of(data: bytes) -> np.ndarray:
    """The vector [DIM] of a content, of any length."""
    seed = int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")
    return np.random.default_rng(seed).standard_normal(DIM).astype(np.float32)
