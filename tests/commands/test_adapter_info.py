"""``clip-grid info ADAPTER``: what an IP-Adapter file is, as text and as JSON."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..clip_backend.checkpoints.layout_files import layout_named, write_layout
from ..clip_backend.checkpoints.safetensors_files import write_sparse
from ..clip_backend.ip_adapter.adapter_shapes import PUBLISHED
from .drawn import Shell
from .test_info import values_of

pytestmark = pytest.mark.usefixtures("no_models")


def write_adapter(folder: Path, name: str) -> Path:
    shapes = next(file for file in PUBLISHED if file.file == name).shapes()
    return write_sparse(folder / f"{name}.safetensors", {name: ("F16", shape) for name, shape in shapes.items()})


def test_an_adapter_is_described_with_its_encoder(shell: Shell, tmp_path: Path):
    path = write_adapter(tmp_path, "ip-adapter-faceid-plusv2_sd15")
    encoder = write_layout(layout_named("clip_vision_h"), tmp_path / "ComfyUI" / "models" / "clip_vision")

    answer = shell("info", path)

    assert (answer.status, answer.err) == (0, "")
    values = values_of(answer.lines)
    assert values["kind"] == "IP-Adapter FaceID Plus v2 for SD 1.5" and values["alike"] == "IP-Adapter FaceID Plus"
    assert values["reads"].startswith("the vector of a face, and the states") and "1280" in values["reads"]
    assert values["vision encoder"] == str(encoder)
    assert values["gives"] == "4 tokens of 768 dimensions for each picture"
    assert values["weights"].startswith("16 attention layers, float16, ")
    assert values["LoRA"] == "of rank 128, in the same file"
    assert "by the name of the file" in values["assumed"]


def test_an_encoder_that_is_missing_is_named_in_text_and_json(shell: Shell, tmp_path: Path):
    path = write_adapter(tmp_path, "ip-adapter-plus_sdxl_vit-h")

    report = shell("info", path, "--json").json

    assert (report["variant"], report["family"], report["tokens"], report["pairs"]) == ("plus", "sdxl", 16, 70)
    assert report["possible"] == ["plus", "plus-face", "composition"] and len(report["assumed"]) == 1
    assert "load CLIP ViT-H/14" in report["encoder"] and report["encoder"] in " ".join(shell("info", path).out.split())


def test_a_name_in_the_folder_of_comfyui_is_enough(shell: Shell, tmp_path: Path):
    write_adapter(tmp_path / "ComfyUI" / "models" / "ipadapter", "ip-adapter-faceid_sdxl")

    assert "IP-Adapter FaceID for SDXL" in shell("info", "faceid_sdxl").out


def test_what_is_recognised_and_not_used_says_why(shell: Shell, tmp_path: Path):
    values = values_of(shell("info", write_adapter(tmp_path, "instantx-sd35")).lines)

    assert values["kind"] == "InstantX SD 3.5 IP-Adapter for SD 3.5 Large" and "are used" in values["not used"]


def test_another_model_is_described_as_what_it_is(shell: Shell, tmp_path: Path):
    answer = shell("info", write_layout(layout_named("hf_b32"), tmp_path))

    assert answer.status == 0 and answer.lines[0].startswith("model ")


def test_a_file_that_is_nothing_says_why_it_is_neither_model_nor_adapter(shell: Shell, tmp_path: Path):
    (tmp_path / "odd.safetensors").write_bytes(b"no tensors at all")

    answer = shell("info", tmp_path / "odd.safetensors")

    assert answer.status == 1 and answer.err.count("odd.safetensors") >= 2 and "as an IP-Adapter: " in answer.err
