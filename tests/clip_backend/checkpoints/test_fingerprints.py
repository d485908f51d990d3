"""Equal weights have one fingerprint in every layout and dtype; other weights of equal shapes have another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clip_grid.clip_backend.checkpoints.fingerprints import identified
from clip_grid.clip_backend.checkpoints.properties import Properties
from clip_grid.clip_backend.checkpoints.read import read_checkpoint
from clip_grid.errors import CheckpointError

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


def test_a_change_of_any_one_tensor_changes_fingerprint_and_digest(tmp_path: Path):
    base = identified(read_checkpoint(saved(tmp_path / "base.safetensors", weights())))

    for number, name in enumerate(weights()):
        changed = weights() | {name: weights()[name] + 1}
        info = read_checkpoint(saved(tmp_path / f"{number}.safetensors", changed))
        # each of these is in the first or the last layer, or in none
        assert info.fingerprint != read_checkpoint(base.path).fingerprint, name
        assert identified(info).fingerprint != base.fingerprint, name
        assert identified(info).digest != base.digest, name


@pytest.mark.parametrize("kind", ["layer_norm1.bias", "self_attn.out_proj.bias", "mlp.fc2.weight"])
def test_loading_sees_tensors_of_layers_between_the_first_and_the_last(tmp_path: Path, kind: str):
    deep = Vision(32, 3, 64, 8, 17)
    before = {name: np.full(shape, 0.5, "f4") for name, shape in hf_clip(deep, TEXT, PROJECTION).items()}
    name = f"vision_model.encoder.layers.1.{kind}"

    one = identified(read_checkpoint(saved(tmp_path / "a.safetensors", before)))
    other = identified(read_checkpoint(saved(tmp_path / "b.safetensors", before | {name: before[name] + 1})))

    assert one.fingerprint.split("-")[0] != other.fingerprint.split("-")[0]
    assert one.fingerprint.split("-")[1:] == other.fingerprint.split("-")[1:]
    assert one.digest != other.digest


def test_the_end_of_a_table_counts_when_a_model_is_loaded(tmp_path: Path):
    before, after = weights(), weights()
    after["text_model.embeddings.token_embedding.weight"][-1] += 1

    one, other = (
        identified(read_checkpoint(saved(tmp_path / f"{n}.safetensors", w))) for n, w in enumerate((before, after))
    )

    assert one.fingerprint != other.fingerprint


@pytest.mark.parametrize("dtype", ["F64", "F32", "F16", "BF16", "F8_E4M3", "I8", "U8", "F5_NEW"])
def test_tensors_of_every_type_count(tmp_path: Path, dtype: str):
    shapes = hf_clip(VISION, TEXT, PROJECTION)
    name = "vision_model.encoder.layers.0.mlp.fc1.bias"
    entries = {key: (dtype if key == name else "F16", shape) for key, shape in shapes.items()}
    size = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}.get(dtype, 1)
    content = b"\x3c\x40" * int(shapes[name][0] * size / 2)

    one, other = (
        identified(read_checkpoint(write_sparse(tmp_path / f"{number}.safetensors", entries, fill={name: filled})))
        for number, filled in enumerate((content, content[:-2] + b"\x3d\x41"))
    )

    assert one.fingerprint != other.fingerprint
    assert one.digest != other.digest


def test_what_float16_rounds_away_changes_the_digest_alone(tmp_path: Path):
    exact = {name: array * np.float32(1.00001) for name, array in weights().items()}

    one = identified(read_checkpoint(saved(tmp_path / "a.safetensors", weights())))
    other = identified(read_checkpoint(saved(tmp_path / "b.safetensors", exact)))
    half = identified(read_checkpoint(saved(tmp_path / "c.safetensors", weights(), "F16")))

    assert one.fingerprint == other.fingerprint == half.fingerprint
    assert len({one.digest, other.digest, half.digest}) == 3


def test_all_tensors_of_a_model_have_one_fingerprint_in_every_layout_and_alone(tmp_path: Path):
    whole = weights()
    alone = {name: whole[name] for name in (*hf_clip_vision(VISION), "visual_projection.weight")}

    hf, other, tower = (
        identified(read_checkpoint(saved(tmp_path / f"{number}.safetensors", arrays)))
        for number, arrays in enumerate((whole, in_open_clip(whole), alone))
    )

    assert hf.fingerprint == other.fingerprint
    assert hf.fingerprint.split("-")[0] == tower.fingerprint


def test_a_file_that_is_another_model_now_is_refused(tmp_path: Path):
    info = read_checkpoint(saved(tmp_path / "a.safetensors", weights()))
    saved(tmp_path / "a.safetensors", weights(seed=1))

    with pytest.raises(CheckpointError, match=r"a\.safetensors: it was changed after it was opened.*load it again"):
        identified(info)


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
