"""Tests: all threads together decode no more bytes than the bound, and a picture is held until it is resized."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from clip_grid import arrays, imaging
from clip_grid.decoding import ByteSemaphore
from clip_grid.errors import PictureError
from PIL import Image


def test_threads_never_hold_more_than_the_bound_together():
    gate, lock, held, most = ByteSemaphore(10), threading.Lock(), [0], [0]

    def work(size: int) -> None:
        with gate.until_end():
            with gate.acquire(size), lock:
                held[0] += size
                most[0] = max(most[0], held[0])
            # what is claimed within counts no further
            with gate.acquire(100), lock:
                held[0] -= size

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, [3, 4, 6, 2, 9, 1] * 50))
    assert held == [0]
    assert most[0] <= 10


def test_a_picture_above_the_bound_is_decoded_alone():
    gate = ByteSemaphore(10)
    entered = threading.Event()

    def second() -> None:
        with gate.acquire(1):
            entered.set()

    with gate.acquire(50):
        thread = threading.Thread(target=second)
        thread.start()
        assert not entered.wait(0.1)
    thread.join(5)
    assert entered.is_set()


def test_an_error_gives_the_bytes_back():
    gate = ByteSemaphore(10)

    with pytest.raises(KeyError), gate.until_end(), gate.acquire(10):
        raise KeyError
    with ThreadPoolExecutor(1) as pool, gate.acquire(10):
        waiting = pool.submit(lambda: gate.acquire(10).__enter__())
        assert not waiting.done()
    assert waiting.done()


def test_16_bit_numbers_are_converted_alike_in_one_band_and_in_many(monkeypatch):
    numbers = np.random.default_rng(0).integers(0, 65536, (37, 53)).astype(np.uint16)
    floats = (numbers / 65535).astype(np.float32)
    floats[3, 4], floats[36, 52] = np.nan, 7.5

    whole = [imaging.to_rgb(Image.fromarray(one)) for one in (numbers, floats)]
    monkeypatch.setattr(arrays, "_BAND_NUMBERS", 100)
    for one, expected in zip((numbers, floats), whole, strict=True):
        assert np.array_equal(np.asarray(imaging.to_rgb(Image.fromarray(one))), np.asarray(expected))
    expected = np.floor(numbers / 257 + 0.5)
    assert np.abs(np.asarray(whole[0])[..., 0] - expected).max() <= 1


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files in folders")
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_pipe_or_device_is_no_picture(tmp_path, kind):
    path = Path("/dev/zero") if kind == "device" else tmp_path / "a.png"
    if kind == "pipe":
        os.mkfifo(path)

    with pytest.raises(PictureError, match=f"it is a {kind}, not a file"):
        imaging.load_picture(path)
