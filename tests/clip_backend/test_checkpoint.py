"""What nobody can see in the shapes comes from the strongest source that states it, and the source is named."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from clip_grid.clip_backend.checkpoints.config_files import encoder_configs
from clip_grid.clip_backend.checkpoints.info import CheckpointInfo
from clip_grid.clip_backend.checkpoints.properties import Properties
from clip_grid.clip_backend.checkpoints.read import read_checkpoint
from clip_grid.errors import CheckpointError, InputError

from .header_files import write_header
from .layout_fixtures import LAYOUTS, Layout, entries_of, write_layout
from .layout_names import Shapes, Text, Vision, hf_clip, hf_siglip, hf_text, oc_clip, without

VISION, TEXT = Vision(64, 2, 128, 8, 17), Text(64, 2, 128, 16, 99)
TOWER = {"hidden_size": 64, "num_hidden_layers": 2, "intermediate_size": 128, "patch_size": 8, "image_size": 32}
HALF = (0.5, 0.5, 0.5)


def layout(name: str) -> Layout:
    return next(layout for layout in LAYOUTS if layout.name == name)


def model(folder: Path, shapes: Shapes | None = None, metadata: Mapping[str, str] | None = None) -> Path:
    """A small CLIP in a folder of its own."""
    entries = {name: ("F32", shape) for name, shape in (shapes or hf_clip(VISION, TEXT, 24)).items()}
    return write_header(folder / "model.safetensors", entries, metadata)


def beside(path: Path, name: str, content: object) -> None:
    path.with_name(name).write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")


def config(**changes: object) -> dict[str, object]:
    return {"model_type": "clip", "vision_config": TOWER | changes, "text_config": TOWER}


def told(info: CheckpointInfo, name: str) -> tuple[object, str]:
    return getattr(info, name), info.sources[name]


# --- the order of the sources


def test_each_source_beats_those_below_it(tmp_path: Path):
    path = model(tmp_path)
    known = {read_checkpoint(path).fingerprint: Properties(eps=5e-5)}
    found = []

    found.append(told(read_checkpoint(path), "eps"))
    found.append(told(read_checkpoint(path, known=known), "eps"))
    model(tmp_path, metadata={"clip_grid": '{"eps": 4e-5}'})
    found.append(told(read_checkpoint(path, known=known), "eps"))
    beside(path, "config.json", config(layer_norm_eps=3e-5))
    found.append(told(read_checkpoint(path, known=known), "eps"))
    beside(path, "model.clip.json", {"eps": 2e-5})
    found.append(told(read_checkpoint(path, known=known), "eps"))
    found.append(told(read_checkpoint(path, known=known, eps=1e-4), "eps"))

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
    beside(path, "config.json", config(hidden_act="gelu", num_attention_heads=4))
    beside(path, "preprocessor_config.json", {"image_mean": HALF, "resample": 2, "do_center_crop": True})
    beside(path, "model.json", {"mean": [0.1, 0.2, 0.3], "unrelated": "words"})

    info = read_checkpoint(path, fit="pad")

    assert told(info, "activation") == ("gelu", "config")
    assert told(info, "mean") == ((0.1, 0.2, 0.3), "sidecar")
    assert told(info, "interpolation") == ("bilinear", "config")
    assert told(info, "fit") == ("pad", "argument")
    assert info.sources["std"] == "assumed"
    assert (info.sources["shapes"], info.sources["image_size"]) == ("header", "config")
    assert info.vision and (info.vision.heads, info.sources["heads"]) == (4, "config")
    assert "std" in info.unknown and "activation" not in info.unknown


def test_nothing_but_shapes_leaves_all_habits_unknown(tmp_path: Path):
    info = read_checkpoint(write_layout(layout("clip_vision_h"), tmp_path))

    habits = {"activation", "eps", "mean", "std", "fit", "interpolation", "heads", "space"}
    assert set(info.unknown) == habits


def test_missing_keys_of_a_configuration_mean_the_defaults_of_its_class(tmp_path: Path):
    path = model(tmp_path, hf_clip(Vision(768, 2, 3072, 32, 50), Text(512, 2, 2048), 512))
    two = {"num_hidden_layers": 2}
    beside(path, "config.json", {"model_type": "clip", "vision_config": two, "text_config": two})

    info = read_checkpoint(path)

    assert told(info, "activation") == ("quick_gelu", "config")
    assert told(info, "eps") == (1e-5, "config")
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

    ours = getattr(encoder_configs(defaults), part)

    assert {key: getattr(theirs, key) for key in ours if hasattr(theirs, key)} == {
        key: value for key, value in ours.items() if hasattr(theirs, key)
    }
    assert {"hidden_size", "num_attention_heads", "hidden_act", "layer_norm_eps"} <= set(ours)


# --- sources that are wrong


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"hidden_size": 768}, "width 768 where the tensors say 64"),
        ({"num_hidden_layers": 12}, "layers 12 where the tensors say 2"),
        ({"patch_size": 16}, "patch size 16"),
        ({"hidden_act": "relu"}, "'relu'; give one of"),
        ({"layer_norm_eps": "tiny"}, "'tiny'"),
        ({"num_attention_heads": 7}, "7 heads do not divide"),
        ({"image_size": 224}, "pictures of 224 px do not fit 17 tokens"),
    ],
)
def test_a_configuration_of_another_model_is_ignored_with_a_note(changes: dict[str, object], what: str, tmp_path: Path):
    path = model(tmp_path)
    beside(path, "config.json", config(**changes))

    info = read_checkpoint(path)

    assert any(what in note and note.endswith("ignored") for note in info.notes), info.notes
    assert info.vision and (info.vision.width, info.vision.heads, info.vision.image_size) == (64, 1, 32)


def test_a_configuration_of_another_family_is_ignored(tmp_path: Path):
    path = model(tmp_path)
    beside(path, "config.json", config() | {"model_type": "siglip"})

    info = read_checkpoint(path)

    assert "another family" in info.notes[0]
    assert told(info, "activation") == ("quick_gelu", "assumed")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00", '{"model_type": 5}', "[" * 100_000])
def test_a_broken_configuration_is_ignored_with_a_note(text: str, tmp_path: Path):
    path = model(tmp_path)
    beside(path, "config.json", text)

    info = read_checkpoint(tmp_path)

    assert "config.json" in info.notes[0] and info.notes[0].endswith("ignored")
    assert info.vision and info.vision.width == 64


def test_a_sidecar_of_ours_that_is_wrong_is_an_error(tmp_path: Path):
    path = model(tmp_path)
    beside(path, "model.clip.json", {"activation": "gelu2"})

    with pytest.raises(CheckpointError, match=r"model\.clip\.json.*'gelu2'; give one of quick_gelu"):
        read_checkpoint(path)


@pytest.mark.parametrize("content", ["{", {"mean": "grey"}, {"sha256": "ab", "tags": []}, []])
def test_the_json_of_another_program_says_nothing(content: object, tmp_path: Path):
    path = model(tmp_path)
    beside(path, "model.json", content)

    assert read_checkpoint(path).sources["mean"] == "assumed"


def test_a_sidecar_may_be_a_copy_of_either_configuration(tmp_path: Path):
    one, other = model(tmp_path / "a"), model(tmp_path / "b")
    beside(one, "model.json", config(hidden_act="gelu", num_attention_heads=4))
    sight = {"width": 64, "layers": 2, "patch_size": 8, "head_width": 16}
    model_cfg = {"quick_gelu": False, "vision_cfg": sight, "text_cfg": {"width": 64, "layers": 2, "heads": 2}}
    beside(
        other, "model.clip.json", {"model_cfg": model_cfg, "preprocess_cfg": {"mean": HALF, "resize_mode": "squash"}}
    )

    for path in (one, other):
        info = read_checkpoint(path)
        assert told(info, "activation") == ("gelu", "sidecar")
        assert info.vision and (info.vision.heads, info.sources["heads"]) == (4, "sidecar")
    assert told(read_checkpoint(other), "fit") == ("squash", "sidecar")


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"activation": "relu"}, "relu"),
        ({"mean": (1, 2)}, "three numbers"),
        ({"std": (0, 1, 1)}, "above 0"),
        ({"eps": 2}, "between 0 and 1"),
        ({"heads": 0}, "whole number"),
        ({"heads": 7}, "7 heads do not divide a width of 64"),
        ({"image_size": 224}, "do not fit 17 tokens"),
        ({"colour": "red"}, "colour is no property of a model"),
    ],
)
def test_an_argument_that_cannot_be_is_refused(given: dict[str, object], what: str, tmp_path: Path):
    with pytest.raises(InputError, match=what):
        read_checkpoint(model(tmp_path), **given)


def test_a_configuration_beside_other_models_is_not_theirs(tmp_path: Path):
    entries = {name: ("F32", shape) for name, shape in hf_clip(VISION, TEXT, 24).items()}
    path = write_header(tmp_path / "mine.safetensors", entries)
    beside(path, "config.json", config(hidden_act="gelu"))
    alone = read_checkpoint(path)

    write_header(tmp_path / "other.safetensors", entries)
    among = read_checkpoint(path)

    assert (alone.sources["activation"], among.sources["activation"]) == ("config", "assumed")


def test_the_configuration_of_open_clip_is_read(tmp_path: Path):
    info = read_checkpoint(write_layout(layout("oc_folder"), tmp_path))

    assert told(info, "activation") == ("gelu", "config")
    assert told(info, "mean") == (HALF, "config")
    assert info.space == "laion/CLIP-ViT-L-14-laion2B-s32B-b82K"


# --- families by what only they have


def test_siglip_of_pictures_alone_may_be_either_of_two(tmp_path: Path):
    info = read_checkpoint(write_layout(layout("sigclip_vision_so400m"), tmp_path))

    assert told(info, "family") == ("siglip", "assumed")
    assert info.vision and (info.vision.image_size, info.sources["image_size"]) == (384, "assumed")
    assert (info.activation, info.eps, info.mean, info.fit) == ("gelu_tanh", 1e-6, HALF, "squash")


def test_a_configuration_tells_378_from_384(tmp_path: Path):
    path = model(tmp_path, hf_siglip(Vision(1152, 27, 4304, 14, 729), Text(1152, 27, 4304, 64, 32000)))
    tower = {"hidden_size": 1152, "num_hidden_layers": 27, "num_attention_heads": 16}
    sight = tower | {"image_size": 378, "patch_size": 14}
    beside(path, "config.json", {"model_type": "siglip", "vision_config": sight, "text_config": tower})

    info = read_checkpoint(path)

    assert info.vision and (info.vision.image_size, info.sources["image_size"]) == (378, "config")


def test_the_model_type_alone_makes_no_siglip2(tmp_path: Path):
    path = model(tmp_path, hf_siglip(Vision(64, 2, 128, 8, 16), Text(64, 2, 128, 16, 32000)))
    beside(path, "config.json", config() | {"model_type": "siglip2"})

    assert read_checkpoint(path).family == "siglip"


def test_naflex_needs_no_size_of_pictures(tmp_path: Path):
    path = model(tmp_path, hf_siglip(Vision(768, 12, 3072, 16, 256), Text(768, 12, 3072, 64, 256000), naflex=True))
    beside(path, "config.json", {"model_type": "siglip2", "text_config": {"vocab_size": 256000}})

    info = read_checkpoint(path)

    assert (info.family, info.notes) == ("naflex", ())


@pytest.mark.parametrize(
    ("name", "fit", "activation"), [("hf_h14_378", "squash", "quick_gelu"), ("hf_h14", "crop", "gelu")]
)
def test_the_habits_of_dfn_are_known_by_its_size(name: str, fit: str, activation: str, tmp_path: Path):
    info = read_checkpoint(write_layout(layout(name), tmp_path))

    assert (info.fit, info.activation) == (fit, activation)


def test_a_projection_that_old_comfyui_saved_turned_is_seen(tmp_path: Path):
    info = read_checkpoint(model(tmp_path, hf_text(TEXT) | {"text_projection": (64, 24)}))

    assert (info.projection, info.has_text_projection) == (24, True)


# --- models that cannot be used, or not for everything


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
    info = read_checkpoint(write_layout(layout(name), tmp_path))

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


def test_clip_l_without_projection_is_known_with_a_note(tmp_path: Path):
    info = read_checkpoint(write_layout(layout("clip_l"), tmp_path))

    assert (info.problem, info.has_text_projection, info.projection) == ("", False, None)
    assert "no text_projection" in info.notes[0]


def test_numbers_that_nobody_computes_with_are_refused(tmp_path: Path):
    entries = {name: ("F8_E4M3", shape) for name, (_, shape) in entries_of(layout("clip_g")).items()}

    info = read_checkpoint(write_header(tmp_path / "g.safetensors", entries))

    assert info.dtype == "float8_e4m3fn"
    assert "float16, bfloat16 or float32" in info.problem


def test_towers_of_two_models_are_refused(tmp_path: Path):
    shapes = hf_clip(VISION, TEXT, 24) | {"text_projection.weight": (32, 64)}

    assert "different lengths" in read_checkpoint(model(tmp_path, shapes)).problem


def test_a_missing_block_is_named(tmp_path: Path):
    shapes = hf_clip(Vision(64, 3, 128, 8, 17), TEXT, 24)
    shapes = {name: shape for name, shape in shapes.items() if "vision_model.encoder.layers.1." not in name}

    with pytest.raises(CheckpointError, match=r"lacks vision_model\.encoder\.layers\.1"):
        read_checkpoint(model(tmp_path, shapes))


# --- several models in one file


def test_the_other_models_of_a_checkpoint_are_named(tmp_path: Path):
    path = write_layout(layout("sdxl"), tmp_path)

    info = read_checkpoint(path)

    assert info.prefix == "conditioner.embedders.1.model."
    assert any("prefix 'conditioner.embedders.0.transformer.'" in note for note in info.notes)
    assert any("SDXL checkpoint" in note for note in info.notes)


def test_a_prefix_that_is_not_there_names_those_that_are(tmp_path: Path):
    path = write_layout(layout("sdxl"), tmp_path)

    with pytest.raises(
        CheckpointError, match=r"no model with the prefix 'x'; choose one of 'conditioner\.embedders\.1"
    ):
        read_checkpoint(path, prefix="x")


@pytest.mark.parametrize("root", ["", "model.", "module.", "clip.", "vision_tower.", "a.b.c."])
def test_any_prefix_will_do(root: str, tmp_path: Path):
    info = read_checkpoint(model(tmp_path, {root + name: shape for name, shape in hf_clip(VISION, TEXT, 24).items()}))

    assert (info.prefix, info.layout, info.projection) == (root, "hf-clip", 24)


def test_a_bare_tower_of_transformers_5_inside_another_model_is_found(tmp_path: Path):
    tower = without("vision_model.", layout("clip_vision_l_bare").shapes())
    shapes = {f"model.vision_tower.{name}": shape for name, shape in tower.items()}

    info = read_checkpoint(model(tmp_path, shapes | {"lm_head.weight": (32000, 4096)}))

    assert (info.prefix, info.layout) == ("model.vision_tower.", "hf-clip-bare")


def test_recognition_needs_no_torch(tmp_path: Path):
    root = Path(__file__).resolve().parents[2]
    path = model(tmp_path)
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
