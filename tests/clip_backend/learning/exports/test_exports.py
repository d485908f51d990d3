"""Tests: every export is opened by the program that it is for, and computes what the merged model computes."""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
safetensors_torch = pytest.importorskip("safetensors.torch")
pytest.importorskip("tokenizers")

from clip_grid.clip_backend.checkpoints.read import read_checkpoint
from clip_grid.clip_backend.checkpoints.trained_file import read_trained_file
from clip_grid.clip_backend.encoding.cache import EncoderCache
from clip_grid.clip_backend.learning.exports.configs import open_clip_config
from clip_grid.clip_backend.learning.exports.export import export_checkpoints
from clip_grid.clip_backend.learning.exports.programs import text_problem, vision_problem
from clip_grid.clip_backend.learning.exports.result import TARGETS
from clip_grid.clip_backend.loading import find_checkpoints, load_encoder
from clip_grid.clip_backend.shapes_demo import shapes_demo_path
from clip_grid.errors import CheckpointError, OutputError, SpaceError

from ...tiny_models import SIDE, random_pictures, tiny_clip, tiny_siglip
from ..trained import ALPHA, CORE_MODULES, RANK, embeddings, save_lora, save_weights
from . import bundled

PICTURES = random_pictures(3)
TEXTS = ["a photo of a cat", "red", "two dogs and a tree"]
STRENGTH = 0.7


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return tiny_clip(tmp_path_factory.mktemp("models") / "tiny-clip").folder


@pytest.fixture(scope="module")
def lora(clip, tmp_path_factory):
    return save_lora(tmp_path_factory.mktemp("run") / "best.safetensors", clip)


@pytest.fixture(scope="module")
def merged(clip, lora):
    """Unit vectors of pictures and texts by our own encoder with the LoRA."""
    return embeddings(load_encoder(lora, base=clip, strength=STRENGTH, encoders=EncoderCache()), PICTURES, TEXTS)


def export(model, base, target, out, **options):
    infos = find_checkpoints(model, base=base, strength=options.pop("strength", STRENGTH))
    return export_checkpoints(infos, target, out, **options)


def unit(tensor):
    array = np.asarray(tensor.detach() if hasattr(tensor, "detach") else tensor, np.float64)
    return array / np.linalg.norm(array, axis=1, keepdims=True)


def pixels_of(processor):
    return processor(images=PICTURES, return_tensors="pt")["pixel_values"]


def pooled(output):
    return output.pooler_output if hasattr(output, "pooler_output") else output


def by_transformers(folder, model_class):
    """Unit vectors of pictures and texts by transformers alone, tokenizer and preprocessing included."""
    model = model_class.from_pretrained(folder, dtype=torch.float32).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(folder, use_fast=False)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    length = model.config.text_config.max_position_embeddings
    is_clip = model_class is transformers.CLIPModel
    padding = {"padding": True} if is_clip else {"padding": "max_length", "max_length": length}
    tokens = tokenizer(TEXTS, **padding, return_tensors="pt")
    inputs = tokens if is_clip else {"input_ids": tokens["input_ids"]}
    with torch.no_grad():
        return unit(pooled(model.get_image_features(pixels_of(processor)))), unit(
            pooled(model.get_text_features(**inputs))
        )


def test_transformers_opens_a_clip_and_computes_what_the_merged_model_does(clip, lora, merged, tmp_path):
    done = export(lora, clip, "hf", tmp_path / "hf")

    for found, expected in zip(by_transformers(tmp_path / "hf", transformers.CLIPModel), merged, strict=True):
        assert np.abs(found - expected).max() <= 1e-5
    assert done.changes.share == 1 and done.changes.largest > 0


def test_transformers_opens_a_siglip(tmp_path):
    base = tiny_siglip(tmp_path / "siglip").folder
    path = save_lora(tmp_path / "best.safetensors", base)
    expected = embeddings(load_encoder(path, base=base, encoders=EncoderCache()), PICTURES, TEXTS)

    export(path, base, "hf", tmp_path / "hf", strength=None)

    for found, own in zip(by_transformers(tmp_path / "hf", transformers.SiglipModel), expected, strict=True):
        assert np.abs(found - own).max() <= 1e-5


def test_open_clip_opens_a_clip_and_computes_what_the_merged_model_does(clip, lora, merged, tmp_path):
    open_clip = pytest.importorskip("open_clip")
    export(lora, clip, "open-clip", tmp_path / "oc")
    config = json.loads((tmp_path / "oc" / "open_clip_config.json").read_text())

    model = open_clip.CLIP(**config["model_cfg"]).eval()
    model.load_state_dict(safetensors_torch.load_file(tmp_path / "oc" / "open_clip_model.safetensors"), strict=False)
    stored = set(safetensors_torch.load_file(tmp_path / "oc" / "open_clip_model.safetensors"))
    assert stored == set(model.state_dict()) - {"attn_mask"}
    pictures = open_clip.image_transform(SIDE, is_train=False, mean=config["preprocess_cfg"]["mean"],
                                         std=config["preprocess_cfg"]["std"])  # fmt: skip
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "oc")
    ids = tokenizer(TEXTS, padding="max_length", max_length=77, return_tensors="pt")["input_ids"]

    with torch.no_grad():
        found = unit(model.encode_image(torch.stack([pictures(one) for one in PICTURES])))
        texts = unit(model.encode_text(ids))

    assert np.abs(found - merged[0]).max() <= 1e-5 and np.abs(texts - merged[1]).max() <= 1e-5


def test_the_files_for_open_clip_are_those_from_which_it_computed_what_we_compute(tmp_path):
    """Against ``goldens/open_clip_export.json``, which open_clip wrote from the same export:

    python -m pytest -q tests/clip_backend/learning/exports/make_open_clip_golden.py
    """
    golden, folder = json.loads(bundled.GOLDEN.read_text("utf-8")), bundled.export_bundled(tmp_path)
    stored = safetensors_torch.load_file(folder / "open_clip_model.safetensors")

    shapes = {name: [*one.shape] for name, one in stored.items()}
    assert shapes == {name: shape for name, (shape, _) in golden["parameters"].items()}
    sums = {name: float(one.double().abs().sum()) for name, one in stored.items()}
    assert sums == pytest.approx({name: own for name, (_, own) in golden["parameters"].items()}, rel=1e-5)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(bundled.TEXTS, padding="max_length", max_length=32)["input_ids"]
    assert ids == golden["tokens"]
    found = embeddings(load_encoder(folder, encoders=EncoderCache()), bundled.PICTURES, bundled.TEXTS)
    for own, expected in zip(found, (golden["images"], golden["texts"]), strict=True):
        assert np.abs(own - np.array(expected)).max() <= 1e-5


@pytest.mark.parametrize(("words", "named"), [(49408, None), (934, ".")])
def test_open_clip_is_told_of_a_vocabulary_that_is_not_its_own(words, named):
    info = read_checkpoint(shapes_demo_path())
    text = replace(info.text, vocabulary=words)

    config = open_clip_config(info, replace(info, text=text))

    # any name of a tokenizer makes open_clip read the one in the folder: HFTokenizer of open_clip 3.3
    assert config["model_cfg"]["text_cfg"].get("hf_tokenizer_name") == named


def test_our_own_loader_opens_the_open_clip_folder(clip, lora, merged, tmp_path):
    export(lora, clip, "open-clip", tmp_path / "oc")

    found = embeddings(load_encoder(tmp_path / "oc", encoders=EncoderCache()), PICTURES, TEXTS)

    assert all(np.abs(one - other).max() <= 1e-5 for one, other in zip(found, merged, strict=True))


# peft asks the model for a property that transformers 5 calls otherwise
@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")
@pytest.mark.parametrize("rule", ["alpha/r", "alpha/sqrt(r)"])
def test_peft_opens_the_lora_and_computes_what_the_merged_model_does(clip, merged, tmp_path, rule):
    peft = pytest.importorskip("peft")
    path = save_lora(tmp_path / "best.safetensors", clip, rule=rule)
    expected = embeddings(load_encoder(path, base=clip, strength=STRENGTH, encoders=EncoderCache()), PICTURES, TEXTS)
    export(path, clip, "peft", tmp_path / "peft")

    model = peft.PeftModel.from_pretrained(transformers.CLIPModel.from_pretrained(clip), tmp_path / "peft")
    merged_model = model.merge_and_unload()
    merged_model.save_pretrained(tmp_path / "merged")
    for file in clip.iterdir():
        if not (tmp_path / "merged" / file.name).exists():
            (tmp_path / "merged" / file.name).write_bytes(file.read_bytes())

    for found, own in zip(by_transformers(tmp_path / "merged", transformers.CLIPModel), expected, strict=True):
        assert np.abs(found - own).max() <= 1e-5


def test_the_files_of_peft_have_its_names_and_fields(clip, lora, tmp_path):
    # as peft 0.21.2 writes them for CLIPModel; what it computes from them is checked above where it is installed
    export(lora, clip, "peft", tmp_path / "peft")
    tensors = safetensors_torch.load_file(tmp_path / "peft" / "adapter_model.safetensors")
    config = json.loads((tmp_path / "peft" / "adapter_config.json").read_text())

    module = "base_model.model.vision_model.encoder.layers.1.self_attn.q_proj"
    assert tensors[f"{module}.lora_A.weight"].shape == (RANK, 64)
    assert tensors[f"{module}.lora_B.weight"].shape == (64, RANK)
    assert {name.split(".lora_")[0].removeprefix("base_model.model.") for name in tensors} == set(
        config["target_modules"]
    )
    assert (config["peft_type"], config["r"], config["use_rslora"]) == ("LORA", RANK, True)
    assert config["lora_alpha"] == pytest.approx(ALPHA * STRENGTH) and config["base_model_name_or_path"] is None
    again = read_trained_file(tmp_path / "peft")
    assert {one.scale for one in again.low_rank.values()} == {config["lora_alpha"] / math.sqrt(RANK)}


@pytest.mark.parametrize("rule", ["alpha/r", "alpha/sqrt(r)"])
def test_comfyui_maps_every_key_of_the_kohya_file_once_and_adds_the_same_change(clip, tmp_path, rule):
    path = save_lora(tmp_path / "best.safetensors", clip, rule=rule)
    done = export(path, clip, "kohya", tmp_path / "k.safetensors")
    tensors = safetensors_torch.load_file(tmp_path / "k.safetensors")

    modules = {name.partition(".")[0] for name in tensors}
    assert modules <= set(CORE_MODULES) and len(modules) == 6
    assert {name.partition(".")[2] for name in tensors} == {"lora_up.weight", "lora_down.weight", "alpha"}
    own = read_trained_file(path)
    stored = safetensors_torch.load_file(path)
    for module in modules:
        up, down = (tensors[f"{module}.lora_{part}.weight"] for part in ("up", "down"))
        # Source: comfy/weight_adapter/lora.py, alpha / rank
        change = tensors[f"{module}.alpha"] / down.shape[0] * (up @ down)
        name = CORE_MODULES[module].removeprefix("clip_l.transformer.")
        one = own.low_rank[name]
        assert torch.allclose(change, STRENGTH * one.scale * (stored[one.up] @ stored[one.down]), atol=1e-6)
    assert any("vision encoder is left out" in note for note in done.notes)


def test_the_kohya_file_is_read_back_as_the_same_text_encoder(clip, lora, merged, tmp_path):
    export(lora, clip, "kohya", tmp_path / "k.safetensors")

    found = embeddings(load_encoder(tmp_path / "k.safetensors", base=clip, encoders=EncoderCache()), PICTURES, TEXTS)

    assert np.abs(found[1] - merged[1]).max() <= 1e-5
    told, known = read_trained_file(tmp_path / "k.safetensors").base, read_trained_file(lora).base
    assert (told.name, told.fingerprint) == (known.name, known.fingerprint) != ("", "")


@pytest.mark.parametrize(("target", "start"), [("comfy-vision", "vis"), ("comfy-text", "text")])
def test_files_for_comfyui_hold_one_encoder_with_its_prefix_in_fp16(clip, lora, tmp_path, target, start):
    done = export(lora, clip, target, tmp_path / "one.safetensors")
    tensors = safetensors_torch.load_file(tmp_path / "one.safetensors")

    assert all(name.startswith(start) for name in tensors) and {one.dtype for one in tensors.values()} == {
        torch.float16
    }
    assert done.notes and "CLIP Model Loader of this pack opens it" in done.notes[0]
    reference = transformers.CLIPModel.from_pretrained(clip).state_dict()
    assert set(tensors) == {name for name in reference if name.startswith(start) and "position_ids" not in name}


def test_a_change_that_fp16_cannot_hold_is_counted(clip, tmp_path):
    path = save_lora(tmp_path / "best.safetensors", clip, size=3e-3)

    done = export(path, clip, "comfy-vision", tmp_path / "one.safetensors", strength=1.0)

    assert 0 < done.changes.share < 0.9
    # fp16 has 11 digits: a change below half of the last one of a weight is lost
    assert done.changes.largest < 2e-3


def test_trained_weights_are_exported_too_and_no_lora_file_takes_them(clip, tmp_path):
    path = save_weights(tmp_path / "best.safetensors", clip)
    expected = embeddings(load_encoder(path, base=clip, strength=STRENGTH, encoders=EncoderCache()), PICTURES, TEXTS)

    export(path, clip, "hf", tmp_path / "hf")

    found = by_transformers(tmp_path / "hf", transformers.CLIPModel)
    assert all(np.abs(one - own).max() <= 1e-5 for one, own in zip(found, expected, strict=True))
    with pytest.raises(CheckpointError, match="it holds whole weights, and kohya is for a LoRA"):
        export(path, clip, "kohya", tmp_path / "k.safetensors")


def test_a_lora_of_the_vision_encoder_alone_has_no_kohya_file(clip, tmp_path):
    path = save_lora(tmp_path / "best.safetensors", clip, parts=("vision_model",))

    with pytest.raises(CheckpointError, match="for the vision encoder, for which ComfyUI and kohya's tools have none"):
        export(path, clip, "kohya", tmp_path / "k.safetensors")


@pytest.mark.parametrize("target", TARGETS)
def test_no_file_names_a_folder_of_this_machine(clip, lora, tmp_path, target):
    out = tmp_path / ("out" if target in ("hf", "peft", "open-clip") else "out.safetensors")
    export(lora, clip, target, out)

    for file in [out] if out.is_file() else out.iterdir():
        content = file.read_bytes()
        for name in (str(tmp_path), str(clip.parent), str(lora.parent), os.path.expanduser("~"), "/tmp/"):
            assert len(name) < 2 or name.encode() not in content, f"{file.name}: {name}"


def test_a_folder_with_other_files_is_left_alone_unless_allowed(clip, lora, tmp_path):
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "mine.txt").write_text("x")
    (tmp_path / "other.safetensors").write_bytes(safetensors_torch.save({"a": torch.zeros(1)}))

    with pytest.raises(OutputError, match=r"holds mine\.txt already"):
        export(lora, clip, "hf", tmp_path / "hf")
    with pytest.raises(OutputError, match="exists and is not a file that this program exported"):
        export(lora, clip, "kohya", tmp_path / "other.safetensors")
    assert os.listdir(tmp_path / "hf") == ["mine.txt"]
    export(lora, clip, "hf", tmp_path / "hf", overwrite=True)
    assert "mine.txt" in os.listdir(tmp_path / "hf")


def test_an_export_has_the_same_bytes_every_time(clip, lora, tmp_path):
    for name in ("a", "b"):
        export(lora, clip, "hf", tmp_path / name)

    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


def test_a_lora_of_another_base_is_not_exported(lora, tmp_path):
    with pytest.raises(SpaceError, match="was trained on tiny-clip with the fingerprint"):
        export(lora, "shapes-demo", "peft", tmp_path / "peft")


SHAPES = {
    "ViT-B-32": ((768, 12, 32, 50, 224), "quick_gelu", "12 layers, and ComfyUI knows those with 24, 32 or 48"),
    "ViT-L-14": ((1024, 24, 14, 257, 224), "quick_gelu", ""),
    "ViT-L-14-336": ((1024, 24, 14, 577, 336), "quick_gelu", ""),
    "ViT-L-14 of LAION": (
        (1024, 24, 14, 257, 224),
        "gelu",
        "ComfyUI computes CLIP-L with quick_gelu, and this has gelu",
    ),
    "ViT-H-14": ((1280, 32, 14, 257, 224), "gelu", ""),
    "ViT-H-14-378": ((1280, 32, 14, 730, 378), "quick_gelu", "is none that ComfyUI knows"),
    "ViT-g-14": ((1408, 40, 14, 257, 224), "gelu", "is none that ComfyUI knows"),
    "ViT-bigG-14": ((1664, 48, 14, 257, 224), "gelu", ""),
}


@pytest.mark.parametrize("name", SHAPES)
def test_what_comfyui_cannot_open_is_said(clip, name):
    (width, layers, patch, tokens, size), activation, expected = SHAPES[name]
    info = read_checkpoint(clip)
    shape = replace(info.vision, width=width, layers=layers, patch=patch, tokens=tokens, image_size=size)

    problem = vision_problem(replace(info, vision=shape, activation=activation))

    assert re.search(re.escape(expected), problem) if expected else problem == ""
    assert "2 layers of 32 dimensions" in text_problem(info)
