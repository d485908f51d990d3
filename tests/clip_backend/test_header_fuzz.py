"""Ten thousand broken headers: each is refused by name or read, never a crash, never more memory than is fair."""

from __future__ import annotations

import contextlib
import io
import json
import random
import tracemalloc
from pathlib import Path
from typing import BinaryIO

import pytest
from clip_grid.clip_backend.checkpoints.read import read_checkpoint
from clip_grid.errors import CheckpointError

from .broken_headers import ODD, broken_files
from .header_files import write_header
from .layout_names import Text, Vision, hf_clip

MB = 1_000_000


def outcome(path: Path) -> str:
    """ "read", "known" for a model with a problem, or "refused"; any other error fails the test."""
    try:
        info = read_checkpoint(path)
    except CheckpointError as error:
        assert path.name in str(error)
        assert 10 < len(error.reason) < 1000
        return "refused"
    return "known" if info.problem else "read"


@pytest.mark.parametrize("seed", range(10))
def test_a_broken_file_is_refused_or_read_and_never_crashes(seed: int, tmp_path: Path):
    path = tmp_path / "broken.safetensors"
    counts = dict.fromkeys(("read", "known", "refused"), 0)

    for broken in broken_files(1050, seed):
        counts[outcome(broken.write(path))] += 1

    # the generator reaches every part: the header, the recognition, and what lies beyond
    assert min(counts.values()) > 20


@pytest.mark.parametrize("suffix", [".gguf", ".pt", ".bin", ".ckpt", ".pth", ".pkl", ".sft", ""])
def test_whatever_a_file_is_called_it_is_refused_or_read(suffix: str, tmp_path: Path):
    path = tmp_path / f"broken{suffix}"

    for broken in broken_files(60, 77):
        assert outcome(broken.write(path)) in ("read", "known", "refused")


def test_a_broken_configuration_is_refused_or_read(tmp_path: Path):
    chance = random.Random(5)
    shapes = hf_clip(Vision(16, 1, 32, 8, 5), Text(16, 1, 32, 8, 49), 12)
    write_header(tmp_path / "model.safetensors", {name: ("F32", shape) for name, shape in shapes.items()})
    keys = ("hidden_act", "layer_norm_eps", "num_attention_heads", "image_size", "patch_size", "projection_dim")

    for _ in range(150):
        tower: dict[str, object] = {key: chance.choice(ODD) for key in chance.sample(keys, 3)}
        config = {"model_type": "clip", "vision_config": chance.choice((tower, tower, chance.choice(ODD)))}
        text = json.dumps(chance.choice((config, config, config, chance.choice(ODD))))
        (tmp_path / "config.json").write_bytes(text.encode()[: chance.choice((None, None, None, 30))])
        sight = {key: chance.choice(ODD) for key in ("image_mean", "image_std", "size", "crop_size", "resample")}
        (tmp_path / "preprocessor_config.json").write_text(json.dumps(sight), "utf-8")
        assert outcome(tmp_path) in ("read", "known", "refused")


def test_memory_stays_in_proportion_to_the_file(tmp_path: Path):
    path = tmp_path / "broken.safetensors"
    outcome_of_warming_up(path)
    tracemalloc.start()
    try:
        for broken in broken_files(150, 99):
            broken.write(path)
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            outcome(path)
            _, peak = tracemalloc.get_traced_memory()
            assert peak - before < 2 * MB + 60 * len(broken.data)
    finally:
        tracemalloc.stop()


def outcome_of_warming_up(path: Path) -> None:
    """What is imported on first use is not counted."""
    for broken in broken_files(30, 98):
        outcome(broken.write(path))


@pytest.mark.parametrize("length", [2**24, 99_999_999, 2**31, 2**40, 2**63 - 1])
def test_a_huge_header_without_an_end_is_not_read_into_memory(length: int, tmp_path: Path):
    path = tmp_path / "huge.safetensors"
    with path.open("wb") as file:
        file.write(length.to_bytes(8, "little") + b'{"a":')
        file.truncate(min(length + 8, 2**40))
    outcome(path)
    tracemalloc.start()
    try:
        result = outcome(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert result == "refused"
    assert peak < MB


def test_only_the_header_and_a_few_small_tensors_are_read(tmp_path: Path):
    shapes = hf_clip(Vision(1280, 32, 5120, 14, 257), Text(1024, 24, 4096), 1024)
    path = write_header(tmp_path / "h.safetensors", {name: ("F32", shape) for name, shape in shapes.items()})
    counter = CountingOpener()

    info = read_checkpoint(path, opener=counter)

    # the header has 106,000 bytes, the file four gigabytes
    assert info.size_bytes == path.stat().st_size > 3_900 * MB
    assert counter.bytes < MB // 4
    assert counter.reads < 100


def test_the_work_for_a_broken_file_is_bounded_by_its_header(tmp_path: Path):
    path = tmp_path / "broken.safetensors"
    for broken in broken_files(300, 123):
        counter = CountingOpener()
        with contextlib.suppress(CheckpointError):
            read_checkpoint(broken.write(path), opener=counter)

        assert counter.bytes <= 2 * len(broken.data) + 64_000


class CountingOpener:
    """Opens files as the reader does, and counts what is read from them."""

    def __init__(self) -> None:
        self.bytes = self.reads = 0

    def __call__(self, path: Path) -> BinaryIO:
        counter = self

        class Counted(io.FileIO):
            def read(self, size: int = -1, /) -> bytes:
                data = super().read(size)
                counter.bytes += len(data)
                counter.reads += 1
                return data

        return Counted(path)
