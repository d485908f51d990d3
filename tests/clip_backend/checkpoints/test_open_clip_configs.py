"""What model_cfg of open_clip_config.json states about the encoders is obeyed, or refuses the model by its name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from clip_grid.clip_backend.checkpoints.info import CheckpointInfo
from clip_grid.clip_backend.checkpoints.read import read_checkpoint

from .safetensors_files import write_sparse
from .tensor_names import Shapes, Text, Vision, oc_clip, timm_siglip

V, T = Vision(32, 2, 64, 8, 17), Text(32, 2, 64, 16, 99)
VISION = {"width": 32, "layers": 2, "patch_size": 8, "image_size": 32, "head_width": 8}
TEXT = {"width": 32, "layers": 2, "heads": 4, "context_length": 16, "vocab_size": 99}


def read(
    folder: Path, vision: object = (), text: object = (), shapes: Shapes | None = None, **model: object
) -> CheckpointInfo:
    """A small model of open_clip in a folder, with these changes to its config."""
    entries = {name: ("F16", shape) for name, shape in (shapes or oc_clip(V, T, 24)).items()}
    write_sparse(folder / "open_clip_model.safetensors", entries)
    config = {"vision_cfg": VISION | dict(vision), "text_cfg": TEXT | dict(text), "embed_dim": 24, **model}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    return read_checkpoint(folder)


def test_the_defaults_of_open_clip_are_those_of_plain_clip(tmp_path: Path):
    info = read(tmp_path)

    assert not info.problem and not info.notes
    assert (info.activation, info.text_activation, info.eps, info.text_eps) == ("gelu", "gelu", 1e-5, 1e-5)
    assert (info.pool, info.text_pool, info.is_causal) == (None, "end", True)
    assert info.vision and info.text and (info.vision.heads, info.text.heads) == (4, 4)


@pytest.mark.parametrize(
    ("vision", "expected"),
    [
        ({"pool_type": "tok"}, None),
        ({"pool_type": "tok", "final_ln_after_pool": True}, None),
        ({"pool_type": "avg"}, "mean"),
        ({"pool_type": "avg", "final_ln_after_pool": True}, "mean-then-norm"),
    ],
)
def test_the_pool_of_pictures_is_the_stated_one(vision: dict[str, object], expected: str | None, tmp_path: Path):
    info = read(tmp_path, vision)

    assert not info.problem
    assert info.pool == expected


@pytest.mark.parametrize(("stated", "pool"), [("argmax", "end"), ("eos", "end"), ("last", "last"), ("first", "first")])
@pytest.mark.parametrize("no_mask", [False, True])
def test_the_pool_and_the_mask_of_texts_are_the_stated_ones(stated: str, pool: str, no_mask: bool, tmp_path: Path):
    info = read(tmp_path, text={"pool_type": stated, "no_causal_mask": no_mask})

    assert not info.problem
    assert (info.text_pool, info.is_causal) == (pool, not no_mask)


def test_activation_and_layer_norm_are_those_of_each_encoder(tmp_path: Path):
    info = read(tmp_path, {"norm_kwargs": {"eps": 1e-6}}, {"act_kwargs": {"approximate": "tanh"}})

    assert (info.activation, info.eps) == ("gelu", 1e-6)
    assert (info.text_activation, info.text_eps) == ("gelu_tanh", 1e-5)
    quick = read(tmp_path, quick_gelu=True)
    assert (quick.activation, quick.text_activation) == ("quick_gelu", "quick_gelu")


@pytest.mark.parametrize(
    ("name", "activation"),
    [
        ("vit_base_patch16_siglip_224", "gelu"),
        ("vit_base_patch32_siglip_256", "gelu_tanh"),
        ("vit_large_patch16_siglip_384", "gelu"),
        ("vit_large_patch16_siglip_512", "gelu_tanh"),
        ("vit_so400m_patch14_siglip_384", "gelu"),
        ("vit_so400m_patch16_siglip_384", "gelu_tanh"),
        ("vit_giantopt_patch16_siglip_256", "gelu_tanh"),
    ],
)
def test_the_vision_encoder_of_siglip_has_the_activation_of_timm(name: str, activation: str, tmp_path: Path):
    shapes = timm_siglip(Vision(32, 2, 64, 8, 16), T)

    info = read(tmp_path, {"timm_model_name": name}, {"norm_kwargs": {"eps": 1e-6}}, shapes)

    assert not info.problem
    assert (info.activation, info.eps, info.text_activation, info.text_eps) == (activation, 1e-6, "gelu", 1e-6)


@pytest.mark.parametrize(
    ("vision", "text", "reason"),
    [
        ({"pool_type": "none"}, {}, "vision_cfg.pool_type 'none', and tok and avg are computed here"),
        ({"attentional_pool": "parallel"}, {}, "vision_cfg.attentional_pool 'parallel'"),
        ({"no_ln_pre": True}, {}, "vision_cfg.no_ln_pre True"),
        ({"ls_init_value": 0.1}, {}, "vision_cfg.ls_init_value 0.1"),
        ({"qk_norm": True}, {}, "vision_cfg.qk_norm True"),
        ({"norm_kwargs": {"elementwise_affine": False}}, {}, "vision_cfg.norm_kwargs.elementwise_affine"),
        ({"norm_kwargs": {"eps": 0}}, {}, "eps is 0; give a number"),
        ({"act_kwargs": {"approximate": "fast"}}, {}, "activation is 'fast'; give one of"),
        ({"head_width": 5}, {}, "6 heads do not divide a width of 32"),
        ({}, {"pool_type": "none"}, "text_cfg.pool_type 'none', and argmax, eos, last, first are computed"),
        ({}, {"embed_cls": True}, "text_cfg.embed_cls True"),
        ({}, {"scale_fc": True}, "text_cfg.scale_fc True"),
        ({}, {"proj_type": "none"}, "text_cfg.proj_type 'none'"),
        ({}, {"hf_model_name": "roberta-base"}, "text_cfg.hf_model_name 'roberta-base'"),
        ({}, {"heads": 5}, "5 heads do not divide a width of 32"),
    ],
)
def test_what_is_not_computed_refuses_the_model_by_its_name(
    vision: dict[str, object], text: dict[str, object], reason: str, tmp_path: Path
):
    problem = read(tmp_path, vision, text).problem

    assert problem.startswith("open_clip_config.json") and reason in problem
    assert "choose a CLIP or SigLIP model" in problem or "give" in problem


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ({}, None),
        ({"tokenizer_kwargs": {"clean": "lower"}}, None),
        ({"hf_tokenizer_name": "google/mt5-base", "tokenizer_kwargs": {"clean": "canonicalize"}}, "canonicalize"),
        ({"tokenizer_kwargs": {"clean": "canonicalize", "strip_sep_token": False}}, "canonicalize"),
    ],
)
def test_texts_are_cleaned_as_stated(text: dict[str, object], expected: str | None, tmp_path: Path):
    info = read(tmp_path, text=text)

    assert not info.problem
    assert info.text_cleaning == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ({"tokenizer_kwargs": {"strip_sep_token": True}}, "text_cfg strip_sep_token True for texts"),
        ({"tokenizer_kwargs": {"clean": "whitespace"}}, "text_cfg clean 'whitespace' for texts"),
        ({"hf_tokenizer_name": "bert-base-uncased", "tokenizer_kwargs": {"clean": "lower"}}, "clean 'lower'"),
        ({"tokenizer_mode": "clips"}, "text_cfg tokenizer_mode 'clips'"),
    ],
)
def test_a_cleaning_of_texts_that_is_not_done_refuses_the_model(text: dict[str, object], reason: str, tmp_path: Path):
    assert reason in read(tmp_path, text=text).problem


def test_the_config_of_another_model_is_ignored_with_a_note(tmp_path: Path):
    info = read(tmp_path, {"width": 768})

    assert not info.problem
    assert "width 768 where the tensors say 32; it is ignored" in info.notes[0]
