"""Equal weights have one fingerprint in every layout and dtype; other weights of equal shapes have another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clip_grid.clip_backend.checkpoints.properties import Properties
from clip_grid.clip_backend.checkpoints.read import read_checkpoint

from .safetensors_files import as_bytes, write_sparse
from .tensor_names import Text, Vision, hf_clip, hf_clip_vision, oc_clip

VISION, TEXT, PROJECTION = Vision(32, 2, 64, 8, 17), Text(24, 2, 48, 16, 99), 20
Arrays = dict[str, np.ndarray]
#: open_clip's names of tensors -> those of transformers, which has query, key and value apart.
NAMES = {
    "ln_1": "layer_norm1", "ln_2": "layer_norm2", "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2",
    "attn.out_proj": "self_attn.out_proj", "visual.transformer.resblocks": "vision_model.encoder.layers",
    "transformer.resblocks": "text_model.encoder.layers", "visual.ln_pre": "vision_model.pre_layrnorm",
    "visual.ln_post": "vision_model.post_layernorm", "ln_final": "text_model.final_layer_norm",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.conv1": "vision_model.embeddings.patch_embedding",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "token_embedding": "text_model.embeddings.token_embedding",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "visual.proj": "visual_projection.weight", "text_projection": "text_projection.weight",
}  # fmt: skip


def weights(seed: int = 0) -> Arrays:
    """Random weights by the names of transformers, in numbers that float16 has exactly."""
    values = np.random.default_rng(seed)
    shapes = hf_clip(VISION, TEXT, PROJECTION)
    return {name: values.standard_normal(shape).astype("f2").astype("f4") for name, shape in shapes.items()}


def in_open_clip(hf: Arrays) -> Arrays:
    arrays: Arrays = {}
    for name in oc_clip(VISION, TEXT, PROJECTION):
        target = name
        for own, theirs in NAMES.items():
            target = target.replace(own, theirs, 1) if target.startswith(own) or f".{own}." in target else target
        if "attn.in_proj_" in name:
            stem, kind = target.split("attn.in_proj_")
            arrays[name] = np.concatenate([hf[f"{stem}self_attn.{part}_proj.{kind}"] for part in "qkv"])
        else:
            arrays[name] = hf[target].T if name in ("visual.proj", "text_projection") else hf[target]
    return arrays


def saved(path: Path, arrays: Arrays, dtype: str = "F32") -> Path:
    entries = {name: (dtype, array.shape) for name, array in arrays.items()}
    return write_sparse(path, entries, fill={name: as_bytes(array, dtype) for name, array in arrays.items()})


def test_transformers_and_open_clip_have_one_fingerprint(tmp_path: Path):
    hf = read_checkpoint(saved(tmp_path / "hf.safetensors", weights()))
    other = read_checkpoint(saved(tmp_path / "oc.safetensors", in_open_clip(weights())))

    assert (hf.layout, other.layout) == ("hf-clip", "open_clip")
    assert hf.fingerprint == other.fingerprint


def test_float32_and_float16_have_one_fingerprint(tmp_path: Path):
    single = read_checkpoint(saved(tmp_path / "a.safetensors", weights()))
    half = read_checkpoint(saved(tmp_path / "b.safetensors", weights(), "F16"))

    assert (single.dtype, half.dtype) == ("float32", "float16")
    assert single.fingerprint == half.fingerprint


def test_float32_that_float16_rounds_still_has_its_fingerprint(tmp_path: Path):
    exact = {name: array * 1.0001 for name, array in weights().items()}

    single = read_checkpoint(saved(tmp_path / "a.safetensors", exact))
    half = read_checkpoint(saved(tmp_path / "b.safetensors", exact, "F16"))

    assert single.fingerprint == half.fingerprint


def test_a_lone_encoder_has_its_part_of_the_fingerprint_of_the_pair(tmp_path: Path):
    whole = weights()
    alone = {name: whole[name] for name in (*hf_clip_vision(VISION), "visual_projection.weight")}
    inside = {f"vision_tower.{name}": array for name, array in alone.items()}

    pair = read_checkpoint(saved(tmp_path / "pair.safetensors", whole))
    tower = read_checkpoint(saved(tmp_path / "tower.safetensors", alone))
    hidden = read_checkpoint(saved(tmp_path / "inside.safetensors", inside))

    assert pair.fingerprint.split("-")[0] == tower.fingerprint == hidden.fingerprint


@pytest.mark.parametrize(
    "name",
    [
        "vision_model.post_layernorm.weight",
        "vision_model.encoder.layers.1.self_attn.q_proj.weight",
        "text_model.encoder.layers.0.mlp.fc1.weight",
    ],
)
def test_weights_that_differ_have_another_fingerprint(name: str, tmp_path: Path):
    changed = weights() | {name: weights()[name] + 1}

    one = read_checkpoint(saved(tmp_path / "a.safetensors", weights()))
    other = read_checkpoint(saved(tmp_path / "b.safetensors", changed))

    assert one.fingerprint != other.fingerprint


def test_known_weights_state_their_properties(tmp_path: Path):
    path = saved(tmp_path / "a.safetensors", weights())
    half = (0.5, 0.5, 0.5)
    known = Properties(activation="gelu", mean=half, space="someone/model")
    vision_print = read_checkpoint(path).fingerprint.split("-")[0]

    info = read_checkpoint(path, known={vision_print: known})
    unknown = read_checkpoint(path, known={"0" * 16: known})

    assert (info.activation, info.mean, info.space) == ("gelu", half, "someone/model")
    assert {info.sources[name] for name in ("activation", "mean", "space")} == {"fingerprint"}
    assert (unknown.activation, unknown.sources["activation"]) == ("quick_gelu", "assumed")


@pytest.mark.parametrize("name", ["visual_projection.weight", "text_projection.weight"])
def test_a_retrained_projection_changes_the_fingerprint(tmp_path: Path, name: str):
    before, after = weights(), weights()
    after[name] = weights(seed=1)[name]

    one, other = (read_checkpoint(saved(tmp_path / f"{n}.safetensors", w)) for n, w in enumerate((before, after)))

    assert one.fingerprint != other.fingerprint
