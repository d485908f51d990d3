"""Updates of an index that end at any moment: ``python -m clip_grid.tests.clip_backend.search.kill_updates 200``.

Each update runs in a process of its own that kills itself before, in the middle of or after one of its writes; every
other one meets a full disk there instead. Then the index must open, hold only whole vectors of the right pictures, and
have lost at most one batch.
"""

from __future__ import annotations

import argparse
import errno
import os
import random
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from clip_grid.clip_backend.search import quantized
from clip_grid.clip_backend.search import update as update_module
from clip_grid.clip_backend.search import writer as writer_module
from clip_grid.clip_backend.search.index import Index
from clip_grid.clip_backend.search.vectors import HEADER_BYTES, VectorWriter, vector_file
from clip_grid.errors import InputError, OutputError

from .counting_encoder import CountingEncoder, vector_of
from .folders import LONG_AGO, check_whole, draw, stored, update

#: Files that an update keeps at once here, so that it has many batches.
BATCH = 4


class Moments:
    """Counts the moments at which a process may end, and ends it at one of them."""

    def __init__(self, at: int, end: Callable[[], None]) -> None:
        self.at, self.end, self.count = at, end, 0

    def pass_one(self) -> None:
        """One more moment."""
        self.count += 1
        if self.count == self.at:
            self.end()


def instrument(moments: Moments) -> None:
    """Puts moments before, into and after every write of this process."""
    append, transaction, thumbnail = VectorWriter.append, writer_module.transaction, writer_module.write_thumbnail

    def torn_append(self: VectorWriter, vectors: np.ndarray) -> int:
        moments.pass_one()
        data = np.ascontiguousarray(vectors, "<f4").tobytes()
        self._file.seek(HEADER_BYTES + self.rows * self.dim * 4)
        self._file.write(data[: random.randrange(len(data))])
        self._file.flush()
        moments.pass_one()
        first = append(self, vectors)
        moments.pass_one()
        return first

    class Transaction:
        def __init__(self, connection: Any) -> None:
            self.whole = transaction(connection)

        def __enter__(self) -> None:
            moments.pass_one()
            self.whole.__enter__()

        def __exit__(self, *error: Any) -> bool | None:
            if error[0] is None:
                try:
                    moments.pass_one()
                except BaseException as stop:
                    self.whole.__exit__(type(stop), stop, stop.__traceback__)
                    raise
            answer = self.whole.__exit__(*error)
            moments.pass_one()
            return answer

    def counted_thumbnail(*given: Any) -> None:
        moments.pass_one()
        thumbnail(*given)

    add_block, write_moments = quantized._add_block, quantized._write_moments

    def counted_block(*given: Any) -> Any:
        moments.pass_one()
        return add_block(*given)

    def torn_moments(path: Path, state: Any) -> None:
        moments.pass_one()
        path.with_name(f"{path.name}.part").write_bytes(b"CLIP")
        moments.pass_one()
        write_moments(path, state)
        moments.pass_one()

    quantized._add_block, quantized._write_moments = counted_block, torn_moments
    VectorWriter.append = torn_append  # type: ignore[method-assign]
    writer_module.transaction = Transaction  # type: ignore[assignment]
    writer_module.write_thumbnail = counted_thumbnail
    update_module.KEPT_AT_ONCE = BATCH


def kill() -> None:
    """Ends this process at once."""
    os.kill(os.getpid(), signal.SIGKILL)


def fill_disk() -> None:
    """What a write says when the disk is full."""
    raise OutputError("the disk is full") from OSError(errno.ENOSPC, "No space left on device")


def ended_update(index: Path, folder: Path, at: int, end: Callable[[], None]) -> int:
    """Runs an update in a process that ends at a moment; returns its status."""
    process = os.fork()
    if process == 0:
        status = 1
        try:
            instrument(Moments(at, end))
            update(index, [folder])
            status = 0
        except OutputError:
            status = 2
        finally:
            os._exit(status)
    return os.waitpid(process, 0)[1]


def break_updates(rounds: int, seed: int) -> int:
    """Breaks so many updates; returns how many of them were really ended. Raises AssertionError for a broken index."""
    random.seed(seed)
    ended = 0
    with tempfile.TemporaryDirectory() as place, patch.object(quantized, "ROWS", BATCH):
        folder, index = Path(place) / "out", Path(place) / "index"
        for number in range(rounds):
            for n in range(3 * BATCH):
                draw(folder / f"{n}.png", random.randrange(1 << 16), LONG_AGO + 10 * number)
            if number % 10 == 0:
                (folder / "0.png").unlink()
            before = stored(index) if (index / "clip_grid.sqlite").exists() and number else {}
            status = ended_update(index, folder, random.randrange(1, 45), fill_disk if number % 2 else kill)
            ended += status != 0
            check_kept(index, before)
            check_int8(index)
            if random.random() < 0.5:
                encoder = CountingEncoder()
                update(index, [folder], encoder)
                check_whole(index, sorted(folder.glob("*.png"), key=str))
                assert check_int8(index), "an update has left no rows in int8"
    return ended


def check_kept(index: Path, before: dict[str, np.ndarray]) -> None:
    """Asserts that every vector of the index is that of its file as it is now, or as it was before the update."""
    if not (index / "clip_grid.sqlite").exists():
        return
    try:
        now = stored(index)
    except KeyError:
        # ended before it was bound to a space
        return
    for path, vector in now.items():
        own = vector_of(Path(path).read_bytes()) if os.path.exists(path) else None
        allowed = [before[path]] if path in before else []
        if own is not None:
            allowed.append(own / np.linalg.norm(own))
        assert any(np.allclose(vector, one, rtol=1e-6) for one in allowed), f"{path} has a vector that is not its own"


def check_int8(index: Path) -> int:
    """Asserts that every row in int8 is that of its vector; returns how many there are."""
    try:
        with Index.open(index) as opened:
            vectors, generation = opened.state().vectors, opened.state().generation
    except InputError:
        # ended before it was bound to a space
        return 0
    found = quantized.read_quantized(vector_file(index, generation), CountingEncoder().space, vectors)
    if found is None:
        return 0
    rows = found.blocks["rows"] * found.blocks["scales"][:, :, None] + found.mean
    lost = np.linalg.norm(vectors[: found.count] - rows.reshape(found.count, -1), axis=1)
    assert (lost <= found.blocks["errors"].ravel() + 1e-6).all(), "a row in int8 is that of another vector"
    return found.count


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", type=int, nargs="?", default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    ended = break_updates(arguments.rounds, arguments.seed)
    sys.stdout.write(f"{ended} of {arguments.rounds} updates were ended; all were whole\n")
