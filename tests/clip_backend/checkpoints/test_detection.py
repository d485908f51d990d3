"""Which models a file holds, and why one of them cannot be used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from clip_grid.clip_backend.checkpoints.read import read_checkpoint
from clip_grid.errors import CheckpointError

from .layout_files import entries_of, layout_named, write_layout
from .safetensors_files import write_sparse
from .tensor_names import Shapes, Text, Vision, hf_clip, hf_text, oc_clip, without

VISION, TEXT = Vision(64, 2, 128, 8, 17), Text(64, 2, 128, 16, 99)


def model(folder: Path, shapes: Shapes) -> Path:
    """A file with these tensors in a folder of its own."""
    return write_sparse(folder / "model.safetensors", {name: ("F32", shape) for name, shape in shapes.items()})


def test_the_family_of_a_lone_siglip_vision_encoder_is_assumed(tmp_path: Path):
    info = read_checkpoint(write_layout(layout_named("sigclip_vision_so400m"), tmp_path))

    assert (info.family, info.sources["family"]) == ("siglip", "assumed")
    assert info.vision and (info.vision.image_size, info.sources["image_size"]) == (384, "assumed")
    assert (info.activation, info.eps, info.mean, info.fit) == ("gelu_tanh", 1e-6, (0.5, 0.5, 0.5), "squash")


@pytest.mark.parametrize(
    ("name", "fit", "activation"), [("hf_h14_378", "squash", "quick_gelu"), ("hf_h14", "crop", "gelu")]
)
def test_dfn_is_recognised_by_its_sizes(name: str, fit: str, activation: str, tmp_path: Path):
    info = read_checkpoint(write_layout(layout_named(name), tmp_path))

    assert (info.fit, info.activation) == (fit, activation)


def test_the_transposed_projection_of_old_comfyui_is_read(tmp_path: Path):
    info = read_checkpoint(model(tmp_path, hf_text(TEXT) | {"text_projection": (64, 24)}))

    assert (info.projection, info.has_text_projection) == (24, True)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("eva02_l", "EVA-CLIP"),
        ("eva01_g", "EVA-CLIP"),
        ("coca_b32", "CoCa"),
        ("rn50", "ResNet"),
        ("convnext", "ConvNeXt"),
        ("sd2_diffusers_text", "23 of its 24 layers"),
    ],
)
def test_a_model_that_cannot_be_used_says_why_and_what_to_do(name: str, words: str, tmp_path: Path):
    info = read_checkpoint(write_layout(layout_named(name), tmp_path))

    assert words in info.problem
    assert "choose" in info.problem


def test_clipa_is_not_taken_for_clip(tmp_path: Path):
    shapes = oc_clip(Vision(1024, 24, 4096, 14, 257), Text(768, 12, 3072, 32, 32000), 768)
    shapes = {name: shape for name, shape in shapes.items() if "ln_pre" not in name}

    info = read_checkpoint(model(tmp_path, shapes))

    assert (info.family, info.layout, info.projection) == ("other", "open_clip-variant", 768)
    assert "CLIPA" in info.problem


def test_an_sd2_text_encoder_without_projection_cannot_match(tmp_path: Path):
    info = read_checkpoint(model(tmp_path, hf_text(Text(1024, 24, 4096))))

    assert "without text_projection" in info.problem
    assert info.text and info.text.layers == 24


def test_clip_l_without_projection_has_a_note(tmp_path: Path):
    info = read_checkpoint(write_layout(layout_named("clip_l"), tmp_path))

    assert (info.problem, info.has_text_projection, info.projection) == ("", False, None)
    assert "no text_projection" in info.notes[0]


def test_dtypes_that_are_not_computed_with_are_a_problem(tmp_path: Path):
    entries = {name: ("F8_E4M3", shape) for name, (_, shape) in entries_of(layout_named("clip_g")).items()}

    info = read_checkpoint(write_sparse(tmp_path / "g.safetensors", entries))

    assert info.dtype == "float8_e4m3fn"
    assert "float16, bfloat16 or float32" in info.problem


def test_encoders_of_two_models_are_a_problem(tmp_path: Path):
    shapes = hf_clip(VISION, TEXT, 24) | {"text_projection.weight": (32, 64)}

    assert "different lengths" in read_checkpoint(model(tmp_path, shapes)).problem


def test_a_missing_block_is_named(tmp_path: Path):
    shapes = hf_clip(Vision(64, 3, 128, 8, 17), TEXT, 24)
    shapes = {name: shape for name, shape in shapes.items() if "vision_model.encoder.layers.1." not in name}

    with pytest.raises(CheckpointError, match=r"lacks vision_model\.encoder\.layers\.1"):
        read_checkpoint(model(tmp_path, shapes))


def test_the_other_models_of_a_checkpoint_are_named(tmp_path: Path):
    path = write_layout(layout_named("sdxl"), tmp_path)

    info = read_checkpoint(path)

    assert info.prefix == "conditioner.embedders.1.model."
    assert any("prefix 'conditioner.embedders.0.transformer.'" in note for note in info.notes)
    assert any("SDXL checkpoint" in note for note in info.notes)


def test_an_unknown_prefix_is_refused_with_the_known_ones(tmp_path: Path):
    path = write_layout(layout_named("sdxl"), tmp_path)

    with pytest.raises(
        CheckpointError, match=r"no model with the prefix 'x'; choose one of 'conditioner\.embedders\.1"
    ):
        read_checkpoint(path, prefix="x")


@pytest.mark.parametrize("root", ["", "model.", "module.", "clip.", "vision_tower.", "a.b.c."])
def test_a_model_is_found_below_any_prefix(root: str, tmp_path: Path):
    info = read_checkpoint(model(tmp_path, {root + name: shape for name, shape in hf_clip(VISION, TEXT, 24).items()}))

    assert (info.prefix, info.layout, info.projection) == (root, "hf-clip", 24)


def test_a_bare_encoder_of_transformers_5_inside_another_model_is_found(tmp_path: Path):
    tower = without("vision_model.", layout_named("clip_vision_l_bare").shapes())
    shapes = {f"model.vision_tower.{name}": shape for name, shape in tower.items()}

    info = read_checkpoint(model(tmp_path, shapes | {"lm_head.weight": (32000, 4096)}))

    assert (info.prefix, info.layout) == ("model.vision_tower.", "hf-clip-bare")


def test_reading_a_checkpoint_needs_no_torch(tmp_path: Path):
    root = Path(__file__).resolve().parents[3]
    path = model(tmp_path, hf_clip(VISION, TEXT, 24))
    code = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location("clip_grid", {str(root / "__init__.py")!r},
                                              submodule_search_locations=[{str(root)!r}])
package = importlib.util.module_from_spec(spec)
sys.modules["clip_grid"] = package
spec.loader.exec_module(package)
from clip_grid.clip_backend.checkpoints.read import read_checkpoint
print(read_checkpoint({str(path)!r}).family, {{"torch", "transformers", "safetensors"}} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)

    assert (done.stdout.strip(), done.stderr) == ("clip set()", "")
