"""Devices and dtypes by their names, and whether a model fits into memory."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from clip_grid.clip_backend.encoding.devices import check_fits, choose_dtype
from clip_grid.clip_backend.towers.cpu import has_fast_bf16
from clip_grid.errors import LimitError


@pytest.mark.parametrize(
    ("given", "device", "chosen"),
    [
        ("auto", "cpu", "fp32"),
        ("auto", "cuda", "fp16"),
        ("fast", "cuda", "fp16"),
        ("bf16", "cpu", "bf16"),
        ("float16", "cpu", "fp16"),
        (torch.bfloat16, "cuda", "bf16"),
    ],
)
def test_a_dtype_is_named_by_a_word_or_by_torch(given, device, chosen):
    assert choose_dtype(given, torch.device(device)) == chosen


def test_fast_is_bf16_where_the_cpu_computes_fast_in_it():
    assert choose_dtype("fast", torch.device("cpu")) == ("bf16" if has_fast_bf16() else "fp32")


def test_memory_of_unknown_size_counts_as_enough():
    check_fits("m", 10**15, None, "cpu")
    check_fits("m", 10, 10, "cpu")
    with pytest.raises(
        LimitError, match=r"m does not fit: it needs 2\.0 GiB and cuda:0 has 1\.0 GiB free.* or use cpu"
    ):
        check_fits("m", 2 << 30, 1 << 30, "cuda:0")
