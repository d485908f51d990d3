"""Tests: LoRAs, trained weights and runs as models, whatever program wrote them, and the refusal of other bases."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
safetensors_torch = pytest.importorskip("safetensors.torch")
pytest.importorskip("tokenizers")

from clip_grid.clip_backend.checkpoints.read import read_checkpoint
from clip_grid.clip_backend.checkpoints.trained_file import read_trained_file, training_of
from clip_grid.clip_backend.checkpoints.trained_weights import TrainedWeights, save_trained_file
from clip_grid.clip_backend.checkpoints.training import TrainedOn
from clip_grid.clip_backend.checkpoints.weights import open_weights
from clip_grid.clip_backend.encoding.cache import EncoderCache
from clip_grid.clip_backend.learning.trained_model import find_base, is_learnt
from clip_grid.clip_backend.loading import load_encoder as load_shared
from clip_grid.clip_backend.shapes_demo import shapes_demo_path
from clip_grid.errors import CheckpointError, InputError, SpaceError
from PIL import Image

from .trained import ALPHA, RANK, base_of, embeddings, random_lora, save_lora, save_weights

DEMO = shapes_demo_path()
PICTURES = [Image.new("RGB", (50, 50), colour) for colour in ("red", "navy")]
TEXTS = ["a red circle", "a blue star"]


def load_encoder(model, **given):
    # two encoders are kept for the whole process, and these are of files that vanish
    return load_shared(model, encoders=EncoderCache(), **given)


@pytest.fixture(scope="module")
def base():
    return load_encoder("shapes-demo")


@pytest.fixture
def lora(tmp_path):
    return save_lora(tmp_path / "lora.safetensors", DEMO)


def read(path, name, strength):
    own = open_weights(read_checkpoint(DEMO)).read(name)
    return own, TrainedWeights(read_trained_file(path)).merged(name, own, strength)


@pytest.mark.parametrize(("rule", "scale"), [("alpha/r", ALPHA / RANK), ("alpha/sqrt(r)", ALPHA / math.sqrt(RANK))])
@pytest.mark.parametrize("strength", [-0.5, 0.3, 1.0, 2.0])
def test_a_lora_adds_its_product_times_its_factor_and_the_strength(tmp_path, rule, scale, strength):
    path = save_lora(tmp_path / "a.safetensors", DEMO, rule=rule)
    module = "vision_model.encoder.layers.2.self_attn.k_proj"
    tensors = {name: one.double() for name, one in safetensors_torch.load_file(path).items()}

    own, merged = read(path, f"{module}.weight", strength)

    product = tensors[f"{module}.lora_B.weight"] @ tensors[f"{module}.lora_A.weight"]
    assert merged.dtype == torch.float32
    assert torch.allclose(merged.double(), own.double() + strength * scale * product, atol=1e-6, rtol=0)


def test_strength_0_is_the_base_and_1_the_trained_weights_to_the_bit(tmp_path):
    path = save_weights(tmp_path / "best.safetensors", DEMO)
    name = "visual_projection.weight"
    own, at_none = read(path, name, 0.0)
    _, whole = read(path, name, 1.0)
    _, half = read(path, name, 0.5)
    trained = safetensors_torch.load_file(path)[name]

    assert torch.equal(at_none, own) and torch.equal(whole, trained)
    # WiSE-FT (Wortsman et al. 2022), equation 1
    assert torch.allclose(half, 0.5 * own.float() + 0.5 * trained, atol=1e-6, rtol=0)


def test_a_model_at_strength_0_is_the_base_to_the_bit_and_of_its_space(base, lora):
    none = load_encoder(lora, strength=0)

    expected = embeddings(base, PICTURES, TEXTS)
    assert all(
        np.array_equal(one, other) for one, other in zip(embeddings(none, PICTURES, TEXTS), expected, strict=True)
    )
    assert none.space == base.space and none.identity.fingerprint == base.identity.fingerprint


def test_a_lora_gives_the_embeddings_of_its_merged_model(base, lora, tmp_path):
    merged = dict(safetensors_torch.load_file(DEMO / "model.safetensors"))
    weights = TrainedWeights(read_trained_file(lora))
    merged = {name: weights.merged(name, one, 1.0).float().contiguous() for name, one in merged.items()}
    folder = tmp_path / "merged"
    folder.mkdir()
    for file in DEMO.iterdir():
        if file.suffix != ".safetensors":
            (folder / file.name).write_bytes(file.read_bytes())
    safetensors_torch.save_file(merged, folder / "model.safetensors", {"format": "pt"})

    found = embeddings(load_encoder(lora), PICTURES, TEXTS)

    for one, other, own in zip(
        found, embeddings(load_encoder(folder), PICTURES, TEXTS), embeddings(base, PICTURES, TEXTS), strict=True
    ):
        assert np.abs(one - other).max() <= 1e-6
        assert np.abs(one - own).max() > 1e-3


def test_a_trained_model_has_a_space_of_its_own_and_keeps_the_fingerprint_of_what_was_not_trained(base, tmp_path):
    path = save_lora(tmp_path / "text.safetensors", DEMO, parts=("text_model",))
    trained, other = load_encoder(path), load_encoder(path, strength=0.5)

    assert len({base.space, trained.space, other.space}) == 3
    vision, text, scale = trained.identity.fingerprint.split("-")
    assert (vision, scale) == tuple(base.identity.fingerprint.split("-")[place] for place in (0, 2))
    assert text != base.identity.fingerprint.split("-")[1]
    with pytest.raises(SpaceError):
        base.encode_texts(TEXTS).similarity(trained.encode_texts(TEXTS))


def test_two_trainings_add_up(base, lora, tmp_path):
    other = save_weights(tmp_path / "best.safetensors", DEMO)
    info = read_checkpoint(DEMO)
    both = replace(
        info, trained=(training_of(read_trained_file(lora), 0.5), training_of(read_trained_file(other), 0.25))
    )

    encoder = load_encoder(both)

    assert encoder.logit_scale == pytest.approx(math.exp(0.75 * math.log(base.logit_scale) + 0.25 * 3.0), rel=1e-5)
    assert np.abs(embeddings(encoder, PICTURES, TEXTS)[0] - embeddings(base, PICTURES, TEXTS)[0]).max() > 1e-3


def peft_folder(folder, tensors, **config):
    folder.mkdir()
    named = {f"base_model.model.{name}": one.contiguous() for name, one in tensors.items()}
    safetensors_torch.save_file(named, folder / "adapter_model.safetensors")
    whole = {"peft_type": "LORA", "r": RANK, "lora_alpha": ALPHA, **config}
    (folder / "adapter_config.json").write_text(json.dumps(whole))
    return folder


def test_a_folder_of_peft_is_read_with_its_patterns_and_rule(tmp_path):
    tensors = random_lora(DEMO, targets=("q", "v"))
    folder = peft_folder(
        tmp_path / "peft", tensors, use_rslora=True,
        alpha_pattern={"layers.1.self_attn.q_proj": 9.0, "v_proj": 0.5}, fan_in_fan_out=True,
    )  # fmt: skip

    found = read_trained_file(folder).low_rank

    alphas = {
        name.split("layers.")[1].removesuffix("_proj.weight"): one.alpha
        for name, one in found.items() if name.startswith("text_model")
    }  # fmt: skip
    assert alphas == {"0.self_attn.q": ALPHA, "0.self_attn.v": 0.5, "1.self_attn.q": 9.0, "1.self_attn.v": 0.5}
    assert {one.rule for one in found.values()} == {"alpha/sqrt(r)"}
    assert is_learnt(folder)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"use_dora": True}, "it is a DoRA"),
        ({"peft_type": "LOHA"}, "PEFT's LOHA, not a LoRA"),
        ({"lora_alpha": "x"}, "lora_alpha is x"),
        ({"lora_alpha": True}, "lora_alpha is True"),
        ({"lora_alpha": 10**400}, "lora_alpha is 1000"),
        ({"alpha_pattern": [1]}, r"alpha_pattern is \[1\]"),
        ({"alpha_pattern": {"q_proj": "much"}}, "q_proj is much"),
        ({"alpha_pattern": {"q_proj(": 1}}, r"alpha_pattern 'q_proj\(' is damaged"),
        # which would be tried for years
        ({"alpha_pattern": {"(([a-z_.0-9])+)+!": 1}}, "too complex to be read"),
    ],
)
def test_what_is_no_plain_lora_of_peft_is_refused_by_name(tmp_path, config, message):
    folder = peft_folder(tmp_path / "peft", random_lora(DEMO), **config)

    with pytest.raises(CheckpointError, match=message):
        read_trained_file(folder)


def kohya(tensors, prefix="lora_te_", alpha=None):
    named = {}
    for name, one in tensors.items():
        module, _, matrix = name.partition(".lora_")
        stem = prefix + module.replace(".", "_")
        named[f"{stem}.lora_{'down' if matrix.startswith('A') else 'up'}.weight"] = one.contiguous()
        if alpha is not None:
            named[f"{stem}.alpha"] = torch.tensor(alpha, dtype=torch.bfloat16)
    return named


@pytest.mark.parametrize("alpha", [None, 1.5])
def test_a_file_of_kohya_divides_its_alpha_by_the_rank_and_has_the_factor_1_without_one(tmp_path, alpha):
    tensors = random_lora(DEMO, parts=("text_model",))
    denoiser = {"lora_unet_down.lora_up.weight": torch.zeros(4, 2)}
    safetensors_torch.save_file(kohya(tensors, alpha=alpha) | denoiser, tmp_path / "k.safetensors")

    file = read_trained_file(tmp_path / "k.safetensors")

    assert file.changes == ("text",) and file.notes == ("its 1 tensors of other models are not used",)
    assert {one.scale for one in file.low_rank.values()} == {1.0 if alpha is None else alpha / RANK}
    assert np.isfinite(
        embeddings(load_encoder(tmp_path / "k.safetensors", base="shapes-demo"), PICTURES, TEXTS)[1]
    ).all()


def test_of_two_text_encoders_in_a_file_the_one_of_the_models_width_is_taken(tmp_path):
    small = random_lora(DEMO, parts=("text_model",))
    wide = {name: torch.zeros(RANK, 1280) if ".lora_A" in name else torch.zeros(1280, RANK) for name in small}
    path = tmp_path / "sdxl.safetensors"
    safetensors_torch.save_file(kohya(wide, "lora_te1_") | kohya(small, "lora_te2_"), path)

    file = read_trained_file(path, text_width=64)

    assert {one.down.split("_text")[0] for one in file.low_rank.values()} == {"lora_te2"}
    assert file.notes == ("its text encoder te is not used",)


@pytest.mark.parametrize("prefix", ["text_encoder.", "text_encoders.clip_l.transformer.", ""])
def test_the_names_of_diffusers_and_comfyui_are_read(tmp_path, prefix):
    tensors = {f"{prefix}{name}": one for name, one in random_lora(DEMO, parts=("text_model",)).items()}
    safetensors_torch.save_file(tensors, tmp_path / "a.safetensors")

    assert len(read_trained_file(tmp_path / "a.safetensors").names) == 6


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"lora_te_text_model_encoder_layers_0_mlp_fc1.hada_w1_a": (2, 2)}, "it is a LoHa"),
        ({"text_model.encoder.layers.0.mlp.fc1.lora_A.weight": (2, 64)}, "one of its two matrices"),
        ({"lora_unet_x.lora_up.weight": (2, 2), "lora_unet_x.lora_down.weight": (2, 2)}, "it changes no CLIP"),
        ({"text_model.encoder.layers.0.mlp.gate.lora_A.weight": (2, 64),
          "text_model.encoder.layers.0.mlp.gate.lora_B.weight": (64, 2)}, r"mlp\.gate\.weight, which no CLIP"),
        ({"text_model.encoder.layers.0.mlp.fc1.lora_A.weight": (2, 64),
          "text_model.encoder.layers.0.mlp.fc1.lora_B.weight": (256, 3)}, "their ranks must be equal"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_used_are_refused_with_what_they_are(tmp_path, tensors, message):
    safetensors_torch.save_file(
        {name: torch.zeros(shape) for name, shape in tensors.items()}, tmp_path / "a.safetensors"
    )

    with pytest.raises(CheckpointError, match=message):
        read_trained_file(tmp_path / "a.safetensors")


def test_a_lora_of_other_shapes_is_refused_before_anything_is_computed(tmp_path):
    tensors = {name: torch.zeros(RANK, 8) if ".lora_A" in name else one for name, one in random_lora(DEMO).items()}
    save_trained_file(tmp_path / "a.safetensors", tensors, "lora", TrainedOn())

    with pytest.raises(CheckpointError, match=r"of shape \[64, 8\], which weights has as \[64, 64\]"):
        load_encoder(tmp_path / "a.safetensors", base="shapes-demo").encode_texts(TEXTS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fingerprint": "00aa-11bb"}, "fingerprint 00aa-11bb, not on .* with 566c2f022b27cb33-"),
        ({"preprocessing": "abc"}, "preparation of pictures abc, and this model has "),
        ({"tokenizer": "xyz"}, "tokenizer xyz, and this model has "),
    ],
)  # fmt: skip
def test_another_base_resolution_or_tokenizer_is_refused_with_both_fingerprints(tmp_path, change, message):
    path = save_lora(tmp_path / "a.safetensors", DEMO, base=replace(base_of(DEMO), **change))

    with pytest.raises(SpaceError, match=message):
        load_encoder(path, base="shapes-demo").encode_texts(TEXTS)


def test_a_base_that_is_not_there_is_named_with_its_fingerprint():
    wanted = TrainedOn(name="my-clip.safetensors", fingerprint="12ab")

    with pytest.raises(
        InputError, match=r"learnt on my-clip\.safetensors with the fingerprint 12ab, .* give its file as"
    ):
        find_base(wanted, "run", find=list)


def test_a_file_without_its_base_wants_one_and_says_that_it_was_not_checked(tmp_path):
    safetensors_torch.save_file(kohya(random_lora(DEMO, parts=("text_model",))), tmp_path / "k.safetensors")

    with pytest.raises(InputError, match="does not say which model it was trained on; give that model as base"):
        load_encoder(tmp_path / "k.safetensors")
    notes = load_encoder(tmp_path / "k.safetensors", base="shapes-demo").identity.notes
    assert "k.safetensors does not tell which model it was trained on, so that this was not checked" in notes


def test_a_model_that_is_none_of_these_takes_no_strength():
    with pytest.raises(InputError, match="no run, LoRA or head, which alone take strength"):
        load_encoder("shapes-demo", strength=0.5)


def test_another_version_of_our_files_is_refused(tmp_path, lora):
    tensors = safetensors_torch.load_file(lora)
    safetensors_torch.save_file(
        tensors, tmp_path / "new.safetensors", {"clip_grid.kind": "lora", "clip_grid.version": "9"}
    )

    with pytest.raises(CheckpointError, match="a trained file of version '9', and 1 is read"):
        load_encoder(tmp_path / "new.safetensors")
