"""Ten thousand broken headers: each is refused by name or read, without a crash and in little memory."""

from __future__ import annotations

import contextlib
import json
import random
import tracemalloc
from pathlib import Path

import pytest
from clip_grid.clip_backend.checkpoints.read import read_checkpoint
from clip_grid.errors import CheckpointError

from .broken_headers import ODD, broken_files
from .safetensors_files import CountingOpener, write_sparse
from .tensor_names import Text, Vision, hf_clip

MB = 1_000_000


def outcome(path: Path) -> str:
    """One of "read", "problem" and "refused"; any other error fails the test."""
    try:
        info = read_checkpoint(path)
    except CheckpointError as error:
        assert path.name in str(error)
        assert 10 < len(error.reason) < 1000
        return "refused"
    return "problem" if info.problem else "read"


@pytest.mark.parametrize("seed", range(10))
def test_a_broken_file_is_refused_or_read_and_never_crashes(seed: int, tmp_path: Path):
    path = tmp_path / "broken.safetensors"
    counts = dict.fromkeys(("read", "problem", "refused"), 0)

    for broken in broken_files(1050, seed):
        counts[outcome(broken.write(path))] += 1

    # the generator reaches the header, the detection, and what comes after it
    assert min(counts.values()) > 20


@pytest.mark.parametrize("suffix", [".gguf", ".pt", ".bin", ".ckpt", ".pth", ".pkl", ".sft", ""])
def test_a_broken_file_of_any_suffix_is_refused_or_read(suffix: str, tmp_path: Path):
    path = tmp_path / f"broken{suffix}"

    for broken in broken_files(60, 77):
        assert outcome(broken.write(path)) in ("read", "problem", "refused")


def test_a_broken_config_is_refused_or_read(tmp_path: Path):
    chance = random.Random(5)
    shapes = hf_clip(Vision(16, 1, 32, 8, 5), Text(16, 1, 32, 8, 49), 12)
    write_sparse(tmp_path / "model.safetensors", {name: ("F32", shape) for name, shape in shapes.items()})
    keys = ("hidden_act", "layer_norm_eps", "num_attention_heads", "image_size", "patch_size", "projection_dim")

    for _ in range(150):
        tower: dict[str, object] = {key: chance.choice(ODD) for key in chance.sample(keys, 3)}
        config = {"model_type": "clip", "vision_config": chance.choice((tower, tower, chance.choice(ODD)))}
        text = json.dumps(chance.choice((config, config, config, chance.choice(ODD))))
        (tmp_path / "config.json").write_bytes(text.encode()[: chance.choice((None, None, None, 30))])
        preprocessor = {key: chance.choice(ODD) for key in ("image_mean", "image_std", "size", "crop_size", "resample")}
        (tmp_path / "preprocessor_config.json").write_text(json.dumps(preprocessor), "utf-8")
        assert outcome(tmp_path) in ("read", "problem", "refused")


def test_memory_stays_in_proportion_to_the_file(tmp_path: Path):
    path = tmp_path / "broken.safetensors"
    warm_up(path)
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


def warm_up(path: Path) -> None:
    """So that what is imported on first use is not counted."""
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


def test_the_work_for_a_broken_file_is_bounded_by_its_header(tmp_path: Path):
    path = tmp_path / "broken.safetensors"
    for broken in broken_files(300, 123):
        counter = CountingOpener()
        with contextlib.suppress(CheckpointError):
            read_checkpoint(broken.write(path), opener=counter)

        assert counter.bytes <= 2 * len(broken.data) + 64_000
