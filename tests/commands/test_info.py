"""``clip-grid info``: the configuration that a run would use, as text and as JSON."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from clip_grid import api
from clip_grid.clip_backend.encoding.disk_store import DiskStore
from clip_grid.clip_backend.finding.advice import FIRST_CLIP
from clip_grid.clip_backend.matching.scores import limit_of
from clip_grid.clip_backend.shapes_demo import shapes_demo_path
from clip_grid.commands.models import file_size
from PIL import Image

from ..clip_backend.checkpoints.layout_files import layout_named, write_layout
from .drawn import Shell

torch = pytest.importorskip("torch")
pytest.importorskip("tokenizers")
pytestmark = pytest.mark.usefixtures("no_models")


def values_of(lines: list[str]) -> dict[str, str]:
    """The values by their names; further lines of a value are joined to it."""
    values: dict[str, str] = {}
    name = ""
    for line in lines:
        head, _, rest = line.partition("  ")
        name = head or name
        values[name] = f"{values.get(name, '')} {rest.strip()}".strip()
    return values


def test_everything_that_decides_a_run_is_shown(shell: Shell, tmp_path: Path):
    store = DiskStore(tmp_path / "kept")
    store.put({str(number): np.zeros(1024, np.float32) for number in range(600)})
    store.flush()
    del store
    (tmp_path / "ComfyUI" / "models" / "clip_vision").mkdir()

    answer = shell(
        "info",
        "--model",
        "shapes-demo",
        "--device",
        "cpu",
        "--dtype",
        "bf16",
        "--cache",
        tmp_path / "kept",
        "--cache-size",
        "3",
    )

    assert (answer.status, answer.err) == (0, "")
    values = values_of(answer.lines)
    options = api.MatchOptions()
    assert values["device"] == "cpu, bf16"
    assert values["model"] == f"{shapes_demo_path()}: clip 4x128/8 40, 2 MB"
    limit = limit_of(options, is_calibrated=False)
    assert values["match"] == f"preset {options.preset}: a match from a {limit.scale} of {limit.threshold:g} on"
    size = (tmp_path / "kept" / "embeddings.sqlite").stat().st_size
    assert values["cache"] == f"{tmp_path / 'kept'}: 600 embeddings, {file_size(size)} of at most 3 GB"
    assert values["ComfyUI"] == str(tmp_path / "ComfyUI")
    assert values["model folders"] == str(tmp_path / "ComfyUI" / "models" / "clip_vision")
    assert f"torch {torch.__version__}" in values["packages"]


def test_json_holds_the_same(shell: Shell, tmp_path: Path):
    write_layout(layout_named("hf_b32"), tmp_path / "ComfyUI" / "models" / "clip_vision")

    report = shell("info", "--no-cache", "--device", "cpu", "--json").json

    assert (report["device"], report["dtype"]) == ("cpu", "fp32")
    assert report["model"]["path"] == str(tmp_path / "ComfyUI" / "models" / "clip_vision" / "hf_b32.safetensors")
    assert report["model_note"] == "the model is hf_b32.safetensors"
    assert report["cache"] == {"folder": None, "bytes": 0, "limit": 4_000_000_000, "rows": 0}
    used = api.match(Image.new("RGB", (64, 64), "red"), "a red circle", model="shapes-demo").results[0]
    assert report["match"].pop("preset") == api.MatchOptions().preset
    assert report["match"] == {"threshold": used.threshold, "threshold_scale": used.threshold_scale}
    assert report["comfyui"] == str(tmp_path / "ComfyUI")
    assert report["packages"]["torch"] == torch.__version__


def test_a_pair_is_shown_with_both_files(shell: Shell, tmp_path: Path):
    for folder, name in (("clip_vision", "clip_vision_g"), ("text_encoders", "clip_g")):
        write_layout(layout_named(name), tmp_path / "ComfyUI" / "models" / folder)

    values = values_of(shell("info", "--model", "clip_vision_g", "--text-encoder", "clip_g").lines)

    assert values["model"].endswith("clip_vision_g.safetensors: clip ViT-bigG/14 224, 3.69 GB")
    assert values["text encoder"].endswith("clip_g.safetensors: clip 32x1280 text, 1.39 GB")


def test_without_a_model_the_cure_is_shown_and_nothing_fails(shell: Shell):
    answer = shell("info")

    assert (answer.status, answer.err) == (0, "")
    assert values_of(answer.lines)["model"].startswith("none there is no CLIP on this machine")
    assert f"--model {FIRST_CLIP.repository} --download" in answer.out
    assert shell("info", "--json").json["model"] is None


def test_the_variables_of_the_machine_are_in_force(shell: Shell, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("CLIP_GRID_MODEL", "shapes-demo")
    monkeypatch.setenv("CLIP_GRID_CACHE", str(tmp_path / "mine"))
    monkeypatch.setenv("CLIP_GRID_CACHE_SIZE", "0.5")

    report = shell("info", "--json").json

    assert report["model"]["path"] == str(shapes_demo_path())
    assert report["model_note"] == "the model is shapes-demo, which CLIP_GRID_MODEL names"
    assert report["cache"] == {"folder": str(tmp_path / "mine"), "bytes": 0, "limit": 500_000_000, "rows": 0}


def test_a_cache_that_is_broken_is_shown_and_left_alone(shell: Shell, tmp_path: Path):
    (tmp_path / "embeddings.sqlite").write_bytes(b"garbage " * 500)

    values = values_of(shell("info", "--cache", tmp_path).lines)

    problem = "cannot be used: file is not a database, 4 kB of at most 4 GB"
    assert values["cache"] == f"{tmp_path}: {problem}"
    assert shell("info", "--cache", tmp_path, "--json").json["cache"]["problem"] == "file is not a database"
    assert (tmp_path / "embeddings.sqlite").read_bytes() == b"garbage " * 500


def test_a_model_that_cannot_be_used_is_shown_with_the_reason(shell: Shell, tmp_path: Path):
    (tmp_path / "broken.safetensors").write_bytes(b"<html>")

    values = values_of(shell("info", "--model", tmp_path / "broken.safetensors").lines)

    assert "cannot be used: " in values["model"]


def test_without_torch_it_is_told_what_to_install(shell: Shell, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)

    answer = shell("info")

    assert answer.status == 0
    assert "CLIP needs torch; pip install 'clip-grid[clip]'" in values_of(answer.lines)["device"]


def test_a_device_that_is_not_there_is_refused(shell: Shell):
    answer = shell("info", "--device", "warp")

    assert (answer.status, answer.out) == (1, "")
    assert "device is 'warp'; give auto, cpu, cuda or mps" in answer.err
