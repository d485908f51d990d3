"""What the tests of the Ray engine send to its workers: each of it ends its process once, when it is told to."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from clip_grid.api.index import describe
from clip_grid.clip_backend.loading import load_encoder
from clip_grid.clip_backend.search.writer import Description
from clip_grid.errors import InputError


def end_process_once(flag: Path) -> None:
    """Ends this process without a word, the first time."""
    try:
        flag.touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def describe_or_die(flag: Path, picture: Any, content: Any, image: Any) -> Description:
    """``describe``; the process that first gets to the picture "poison" is ended."""
    if picture.path.stem == "poison":
        end_process_once(flag)
    return describe(picture, content, image)


class DyingEncoder:
    """An encoder whose process is ended at its second batch, once."""

    def __init__(self, model: Path, flag: Path) -> None:
        self._encoder, self._flag, self._calls = load_encoder(model), flag, 0

    def stream_images(self, pictures: Any, **options: Any) -> Iterator[Any]:
        self._calls += 1
        if self._calls == 2:
            end_process_once(self._flag)
        yield from self._encoder.stream_images(pictures, **options)


def no_encoder() -> Any:
    """Raises what opening a model may raise."""
    raise InputError("there is no such model on this machine")


def dying_describe(flag: Path) -> Any:
    """``describe_or_die`` with its flag."""
    return partial(describe_or_die, flag)


def dying_encoder(model: Path, flag: Path) -> Any:
    """What opens a ``DyingEncoder``."""
    return partial(DyingEncoder, model, flag)
