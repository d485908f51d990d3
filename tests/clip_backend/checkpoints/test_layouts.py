"""Every layout that a model file may have is read from its header alone."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from clip_grid.clip_backend.checkpoints.info import CheckpointInfo
from clip_grid.clip_backend.checkpoints.read import read_checkpoint
from clip_grid.errors import CheckpointError

from .layout_files import LAYOUTS, OTHER_MODELS, Layout, entries_of, layout_named, write_layout
from .safetensors_files import size_of, write_sparse, write_tensors
from .tensor_names import Shapes, Text, Vision, dinov2, dinov3, hf_clip, hf_siglip, hf_text

DTYPES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_everything_about_a_layout_is_read(layout: Layout, tmp_path: Path):
    path = write_layout(layout, tmp_path)

    info = read_checkpoint(path, **layout.arguments)

    assert info.family == layout.family
    assert info.projection == layout.projection
    assert (info.has_vision_projection, info.has_text_projection) == (layout.vision_projection, layout.text_projection)
    assert info.dtype == DTYPES[layout.dtype]
    for shape, expected in ((info.vision, layout.vision), (info.text, layout.text)):
        if expected is None:
            assert shape is None
        else:
            assert {name: getattr(shape, name) for name in expected} == expected
    assert (not info.problem) == layout.loads, info.problem
    check_assumed(layout, info)


def check_assumed(layout: Layout, info: CheckpointInfo) -> None:
    """What no file states is listed as assumed; the activation of a CLIP is only stated by a config."""
    has_config = any(name.endswith("config.json") for name in layout.folder)
    assert set(info.unknown) <= set(info.sources)
    if not has_config and layout.family in ("clip", "longclip") and not info.problem:
        assert "activation" in info.unknown


def test_there_are_enough_layouts():
    assert len(LAYOUTS) >= 40
    assert len({layout.name for layout in LAYOUTS}) == len(LAYOUTS)


@pytest.mark.parametrize("name", OTHER_MODELS)
def test_nothing_is_made_up_about_models_of_other_kinds(name: str, tmp_path: Path):
    shapes = OTHER_MODELS[name]()
    path = write_sparse(tmp_path / "x.safetensors", {part: ("F16", shape) for part, shape in shapes.items()})

    try:
        info = read_checkpoint(path)
    except CheckpointError as error:
        assert "x.safetensors" in str(error)
        return
    assert (info.family, info.projection) == ("other", None)
    assert info.problem


@pytest.mark.parametrize(
    ("name", "size"), [("clip_vision_h", 1_264_153_600), ("clip_vision_g", 3_689_814_528), ("clip_g", 1_389_319_680)]
)
def test_the_examples_have_the_sizes_of_the_published_files(name: str, size: int):
    layout = layout_named(name)

    assert sum(map(size_of, entries_of(layout).values())) == size


def test_parameters_and_bytes_are_counted(tmp_path: Path):
    layout = layout_named("clip_vision_h")

    path = write_layout(layout, tmp_path)
    info = read_checkpoint(path)

    assert info.parameters == 1_264_153_600 // 2
    assert info.size_bytes == path.stat().st_size


def clip_config() -> dict[str, dict[str, int]]:
    block = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    vision = block | {"image_size": 32, "patch_size": 8}
    return {"vision_config": vision, "text_config": block | {"max_position_embeddings": 16, "vocab_size": 32000}}


def saved_shapes(folder: Path) -> Shapes:
    """The names and shapes in the file of a saved model."""
    with (folder / "model.safetensors").open("rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    header.pop("__metadata__", None)
    return {name: tuple(entry["shape"]) for name, entry in header.items()}


TINY_TEXT = Text(32, 2, 64, 16, 32000)


@pytest.mark.parametrize("family", ["CLIP", "Siglip", "Siglip2"])
def test_the_names_are_those_that_transformers_writes(family: str, tmp_path: Path):
    transformers = pytest.importorskip("transformers")
    config = clip_config()
    vision = Vision(32, 2, 64, 8, 17 if family == "CLIP" else 16)
    if family == "CLIP":
        made = transformers.CLIPConfig(**config, projection_dim=24)
        expected = hf_clip(vision, TINY_TEXT, 24)
    else:
        if family == "Siglip2":
            config["vision_config"]["num_patches"] = 16
        config["text_config"] |= {"bos_token_id": 1, "eos_token_id": 1, "pad_token_id": 1}
        made = getattr(transformers, f"{family}Config")(**config)
        expected = hf_siglip(vision, TINY_TEXT, naflex=family == "Siglip2")

    getattr(transformers, f"{family}Model")(made).save_pretrained(tmp_path)

    assert saved_shapes(tmp_path) == expected


@pytest.mark.parametrize("gated", [False, True])
def test_the_names_of_dinov2_are_those_that_transformers_writes(gated: bool, tmp_path: Path):
    transformers = pytest.importorskip("transformers")
    config = transformers.Dinov2Config(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=14, use_swiglu_ffn=gated
    )
    mlp = (int(128 * 2 / 3) + 7) // 8 * 8 if gated else 128

    transformers.Dinov2Model(config).save_pretrained(tmp_path)

    assert saved_shapes(tmp_path) == dinov2(Vision(32, 2, mlp, 14, 5), gated=gated)


def test_the_names_of_dinov3_are_those_that_transformers_writes(tmp_path: Path):
    transformers = pytest.importorskip("transformers")
    config = transformers.DINOv3ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, num_register_tokens=4
    )

    transformers.DINOv3ViTModel(config).save_pretrained(tmp_path)

    assert saved_shapes(tmp_path) == dinov3(Vision(32, 2, 64, 16, 0))


def test_a_sparse_file_is_read_like_one_with_numbers(tmp_path: Path):
    entries = {name: ("F16", shape) for name, shape in hf_text(Text(32, 2, 64, 16, 99)).items()}

    real = read_checkpoint(write_tensors(tmp_path / "a.safetensors", entries))
    sparse = read_checkpoint(write_sparse(tmp_path / "b.safetensors", entries))

    assert (real.text, real.family, real.layout) == (sparse.text, sparse.family, sparse.layout)
    assert real.fingerprint != sparse.fingerprint


def test_the_order_of_the_tensors_does_not_matter(tmp_path: Path):
    entries = entries_of(layout_named("tiny"))
    backwards = dict(reversed(entries.items()))

    one = read_checkpoint(write_sparse(tmp_path / "a.safetensors", entries))
    other = read_checkpoint(write_sparse(tmp_path / "b.safetensors", backwards))

    assert (one.vision, one.text, one.projection) == (other.vision, other.text, other.projection)
    assert one.fingerprint == other.fingerprint
