"""A property that the shapes do not tell comes from the strongest source that states it, and the source is listed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from clip_grid.clip_backend.checkpoints.config_files import encoder_configs
from clip_grid.clip_backend.checkpoints.info import CheckpointInfo
from clip_grid.clip_backend.checkpoints.properties import Properties
from clip_grid.clip_backend.checkpoints.read import read_checkpoint
from clip_grid.errors import CheckpointError, InputError

from .layout_files import layout_named, write_layout
from .safetensors_files import write_sparse
from .tensor_names import Shapes, Text, Vision, hf_clip, hf_siglip

VISION, TEXT = Vision(64, 2, 128, 8, 17), Text(64, 2, 128, 16, 99)
TOWER = {
    "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128, "patch_size": 8,
    "image_size": 32,
}  # fmt: skip
HALF = (0.5, 0.5, 0.5)


def model(folder: Path, shapes: Shapes | None = None, metadata: Mapping[str, str] | None = None) -> Path:
    """A small CLIP in a folder of its own."""
    entries = {name: ("F32", shape) for name, shape in (shapes or hf_clip(VISION, TEXT, 24)).items()}
    return write_sparse(folder / "model.safetensors", entries, metadata)


def write_beside(path: Path, name: str, content: object) -> None:
    path.with_name(name).write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")


def config(**changes: object) -> dict[str, object]:
    return {"model_type": "clip", "vision_config": TOWER | changes, "text_config": TOWER}


def with_source(info: CheckpointInfo, name: str) -> tuple[object, str]:
    return getattr(info, name), info.sources[name]


def test_each_source_beats_those_below_it(tmp_path: Path):
    path = model(tmp_path)
    known = {read_checkpoint(path).fingerprint: Properties(eps=5e-5)}
    found = []

    found.append(with_source(read_checkpoint(path), "eps"))
    found.append(with_source(read_checkpoint(path, known=known), "eps"))
    model(tmp_path, metadata={"clip_grid": '{"eps": 4e-5}'})
    found.append(with_source(read_checkpoint(path, known=known), "eps"))
    write_beside(path, "config.json", config(layer_norm_eps=3e-5))
    found.append(with_source(read_checkpoint(path, known=known), "eps"))
    write_beside(path, "model.clip.json", {"eps": 2e-5})
    found.append(with_source(read_checkpoint(path, known=known), "eps"))
    found.append(with_source(read_checkpoint(path, known=known, eps=1e-4), "eps"))

    assert found == [
        (1e-5, "assumed"),
        (5e-5, "fingerprint"),
        (4e-5, "metadata"),
        (3e-5, "config"),
        (2e-5, "sidecar"),
        (1e-4, "argument"),
    ]


def test_each_property_has_a_source_of_its_own(tmp_path: Path):
    path = model(tmp_path)
    write_beside(path, "config.json", config(hidden_act="gelu", num_attention_heads=4))
    write_beside(path, "preprocessor_config.json", {"image_mean": HALF, "resample": 2, "do_center_crop": True})
    write_beside(path, "model.json", {"mean": [0.1, 0.2, 0.3], "unrelated": "words"})

    info = read_checkpoint(path, fit="pad")

    assert with_source(info, "activation") == ("gelu", "config")
    assert with_source(info, "mean") == ((0.1, 0.2, 0.3), "sidecar")
    assert with_source(info, "interpolation") == ("bilinear", "config")
    assert with_source(info, "fit") == ("pad", "argument")
    assert info.sources["std"] == "assumed"
    assert (info.sources["shapes"], info.sources["image_size"]) == ("header", "config")
    assert info.vision and (info.vision.heads, info.sources["heads"]) == (4, "config")
    assert "std" in info.unknown and "activation" not in info.unknown


def test_without_any_source_all_properties_are_unknown(tmp_path: Path):
    info = read_checkpoint(write_layout(layout_named("clip_vision_h"), tmp_path))

    properties = {"activation", "eps", "mean", "std", "fit", "interpolation", "heads", "space"}
    assert set(info.unknown) == properties


def test_missing_keys_of_a_configuration_mean_the_defaults_of_its_class(tmp_path: Path):
    path = model(tmp_path, hf_clip(Vision(768, 2, 3072, 32, 50), Text(512, 2, 2048), 512))
    two = {"num_hidden_layers": 2}
    write_beside(path, "config.json", {"model_type": "clip", "vision_config": two, "text_config": two})

    info = read_checkpoint(path)

    assert with_source(info, "activation") == ("quick_gelu", "config")
    assert with_source(info, "eps") == (1e-5, "config")
    assert info.vision and info.text and (info.vision.heads, info.text.heads) == (12, 8)
    assert info.sources["text_heads"] == "config"


@pytest.mark.parametrize(
    ("name", "part", "defaults"),
    [
        ("CLIPVisionConfig", "vision", {"model_type": "clip_vision_model"}),
        ("CLIPTextConfig", "text", {"model_type": "clip_text_model"}),
        ("SiglipVisionConfig", "vision", {"model_type": "siglip_vision_model"}),
        ("SiglipTextConfig", "text", {"model_type": "siglip_text_model"}),
        ("Siglip2VisionConfig", "vision", {"model_type": "siglip2_vision_model"}),
        ("Dinov2Config", "vision", {"model_type": "dinov2"}),
        ("Dinov2WithRegistersConfig", "vision", {"model_type": "dinov2_with_registers"}),
        ("DINOv3ViTConfig", "vision", {"model_type": "dinov3_vit"}),
    ],
)
def test_the_defaults_are_those_of_transformers(name: str, part: str, defaults: dict[str, object]):
    transformers = pytest.importorskip("transformers")
    theirs = getattr(transformers, name)()

    _, vision, text = encoder_configs(defaults)
    ours = vision if part == "vision" else text

    assert {key: getattr(theirs, key) for key in ours if hasattr(theirs, key)} == {
        key: value for key, value in ours.items() if hasattr(theirs, key)
    }
    assert {"hidden_size", "num_attention_heads", "hidden_act", "layer_norm_eps"} <= set(ours)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"hidden_size": 768}, "width 768 where the tensors say 64"),
        ({"num_hidden_layers": 12}, "layers 12 where the tensors say 2"),
        ({"patch_size": 16}, "patch size 16"),
        ({"image_size": 224}, "pictures of 224 px do not fit 17 tokens"),
    ],
)
def test_a_configuration_of_another_model_is_ignored_with_a_note(changes: dict[str, object], what: str, tmp_path: Path):
    path = model(tmp_path)
    write_beside(path, "config.json", config(**changes))

    info = read_checkpoint(path)

    assert any(what in note and note.endswith("ignored") for note in info.notes), info.notes
    heads = 4 if "image_size" in changes else 1
    assert info.vision and (info.vision.width, info.vision.heads, info.vision.image_size) == (64, heads, 32)


@pytest.mark.parametrize(
    ("changes", "what", "instead"),
    [
        ({"hidden_act": "relu"}, "config.json: activation is 'relu'; give one of", {"activation": "gelu"}),
        ({"layer_norm_eps": "tiny"}, "eps is 'tiny'; give a number", {"eps": 1e-5}),
        ({"num_attention_heads": 7}, "7 heads do not divide a width of 64; give another number", {"heads": 4}),
    ],
)
def test_what_a_configuration_states_and_cannot_be_obeyed_refuses_the_model_unless_another_value_is_given(
    changes: dict[str, object], what: str, instead: dict[str, object], tmp_path: Path
):
    path = model(tmp_path)
    write_beside(path, "config.json", config(**changes))

    assert what in read_checkpoint(path).problem
    assert not read_checkpoint(path, **instead).problem


def test_a_configuration_of_another_family_is_ignored(tmp_path: Path):
    path = model(tmp_path)
    write_beside(path, "config.json", config() | {"model_type": "siglip"})

    info = read_checkpoint(path)

    assert "another family" in info.notes[0]
    assert with_source(info, "activation") == ("quick_gelu", "assumed")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00", '{"model_type": 5}', "[" * 100_000])
def test_a_broken_configuration_is_ignored_with_a_note(text: str, tmp_path: Path):
    path = model(tmp_path)
    write_beside(path, "config.json", text)

    info = read_checkpoint(tmp_path)

    assert "config.json" in info.notes[0] and info.notes[0].endswith("ignored")
    assert info.vision and info.vision.width == 64


def test_a_config_too_large_to_be_one_is_ignored_with_a_note(tmp_path: Path):
    path = model(tmp_path)
    write_beside(path, "config.json", " " * 16_000_001)

    assert "config.json: is larger than 16,000,000 bytes" in read_checkpoint(path).notes[0]


@pytest.mark.parametrize(
    ("metadata", "what"), [('{"eps": 2}', "clip_grid: eps is 2; give a number"), ("{", "clip_grid is no sound JSON")]
)
def test_invalid_metadata_is_ignored_with_a_note(metadata: str, what: str, tmp_path: Path):
    info = read_checkpoint(model(tmp_path, metadata={"clip_grid": metadata}))

    assert f"__metadata__ {what}" in info.notes[0] and info.notes[0].endswith("ignored")


def test_an_invalid_clip_json_is_an_error(tmp_path: Path):
    path = model(tmp_path)
    write_beside(path, "model.clip.json", {"activation": "gelu2"})

    with pytest.raises(CheckpointError, match=r"model\.clip\.json.*'gelu2'; give one of quick_gelu"):
        read_checkpoint(path)


@pytest.mark.parametrize("content", ["{", {"mean": "grey"}, {"sha256": "ab", "tags": []}, []])
def test_the_json_of_another_program_is_ignored(content: object, tmp_path: Path):
    path = model(tmp_path)
    write_beside(path, "model.json", content)

    assert read_checkpoint(path).sources["mean"] == "assumed"


def test_a_sidecar_may_be_a_copy_of_either_configuration(tmp_path: Path):
    one, other = model(tmp_path / "a"), model(tmp_path / "b")
    write_beside(one, "model.json", config(hidden_act="gelu", num_attention_heads=4))
    vision_config = {"width": 64, "layers": 2, "patch_size": 8, "head_width": 16}
    model_cfg = {"quick_gelu": False, "vision_cfg": vision_config, "text_cfg": {"width": 64, "layers": 2, "heads": 2}}
    write_beside(
        other, "model.clip.json", {"model_cfg": model_cfg, "preprocess_cfg": {"mean": HALF, "resize_mode": "squash"}}
    )

    for path in (one, other):
        info = read_checkpoint(path)
        assert with_source(info, "activation") == ("gelu", "sidecar")
        assert info.vision and (info.vision.heads, info.sources["heads"]) == (4, "sidecar")
    assert with_source(read_checkpoint(other), "fit") == ("squash", "sidecar")


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({"activation": "relu"}, "relu"),
        ({"mean": (1, 2)}, "three numbers"),
        ({"mean": (10**400, 0, 0)}, "three numbers"),
        ({"std": (0, 1, 1)}, "above 0"),
        ({"eps": 2}, "between 0 and 1"),
        ({"heads": 0}, "whole number"),
        ({"heads": 7}, "7 heads do not divide a width of 64"),
        ({"image_size": 224}, "do not fit 17 tokens"),
        ({"colour": "red"}, "colour is no property of a model"),
    ],
)
def test_an_invalid_argument_is_refused(arguments: dict[str, object], what: str, tmp_path: Path):
    with pytest.raises(InputError, match=what):
        read_checkpoint(model(tmp_path), **arguments)


def test_a_config_in_a_folder_of_several_models_belongs_to_none_of_them(tmp_path: Path):
    entries = {name: ("F32", shape) for name, shape in hf_clip(VISION, TEXT, 24).items()}
    path = write_sparse(tmp_path / "mine.safetensors", entries)
    write_beside(path, "config.json", config(hidden_act="gelu"))
    alone = read_checkpoint(path)

    write_sparse(tmp_path / "other.safetensors", entries)
    among = read_checkpoint(path)

    assert (alone.sources["activation"], among.sources["activation"]) == ("config", "assumed")


def test_the_configuration_of_open_clip_is_read(tmp_path: Path):
    info = read_checkpoint(write_layout(layout_named("oc_folder"), tmp_path))

    assert with_source(info, "activation") == ("gelu", "config")
    assert with_source(info, "mean") == (HALF, "config")
    assert info.space == "laion/CLIP-ViT-L-14-laion2B-s32B-b82K"


def test_a_config_tells_378_from_384(tmp_path: Path):
    path = model(tmp_path, hf_siglip(Vision(1152, 27, 4304, 14, 729), Text(1152, 27, 4304, 64, 32000)))
    tower = {"hidden_size": 1152, "num_hidden_layers": 27, "num_attention_heads": 16}
    vision_config = tower | {"image_size": 378, "patch_size": 14}
    write_beside(path, "config.json", {"model_type": "siglip", "vision_config": vision_config, "text_config": tower})

    info = read_checkpoint(path)

    assert info.vision and (info.vision.image_size, info.sources["image_size"]) == (378, "config")


def test_the_model_type_of_a_config_does_not_decide_for_siglip2(tmp_path: Path):
    path = model(tmp_path, hf_siglip(Vision(64, 2, 128, 8, 16), Text(64, 2, 128, 16, 32000)))
    write_beside(path, "config.json", config() | {"model_type": "siglip2"})

    assert read_checkpoint(path).family == "siglip"


def test_naflex_needs_no_image_size(tmp_path: Path):
    path = model(tmp_path, hf_siglip(Vision(768, 12, 3072, 16, 256), Text(768, 12, 3072, 64, 256000), naflex=True))
    write_beside(path, "config.json", {"model_type": "siglip2", "text_config": {"vocab_size": 256000}})

    info = read_checkpoint(path)

    assert (info.family, info.notes) == ("naflex", ())
