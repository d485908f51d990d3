"""Weights are read by the names of Hugging Face from every layout, and what cannot be read is named."""

from __future__ import annotations

import copy
import zipfile
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
from clip_grid.clip_backend.checkpoints.weight_names import TensorPart, tensor_sources
from clip_grid.clip_backend.checkpoints.weights import check_pickle, open_weights
from clip_grid.clip_backend.towers.build import build_text, build_vision
from clip_grid.errors import CheckpointError

from .. import tiny_towers as tiny

CLIP, SIGLIP = tiny.hf("clip"), tiny.hf("siglip")


def opened(tmp_path, state, family="clip", **changes):
    path = tiny.write(state, tmp_path / "model.safetensors")
    return open_weights(tiny.info(path, family, **changes))


def with_prefix(prefix, state):
    return {prefix + name: tensor for name, tensor in state.items()}


def without(state, *starts):
    return {name: tensor for name, tensor in state.items() if not name.startswith(starts)}


def bare(state, tower):
    """One encoder as transformers 5 writes it."""
    return {name.removeprefix(tower): tensor for name, tensor in state.items() if name.startswith(tower)}


LAYOUTS = {
    "transformers": (CLIP, "", CLIP),
    "open_clip": (tiny.to_open_clip(CLIP), "", CLIP),
    "open_clip, text of its own": (tiny.to_open_clip(CLIP, text="text."), "", CLIP),
    "open_clip, SigLIP by timm": (tiny.to_timm_siglip(SIGLIP), "", SIGLIP),
    "transformers, SigLIP": (SIGLIP, "", SIGLIP),
    "transformers 5, vision encoder": (bare(CLIP, "vision_model."), "", without(CLIP, "text", "visual_", "logit")),
    "transformers 5, text encoder": (bare(CLIP, "text_model."), "", without(CLIP, "vis", "text_proj", "logit")),
    "transformers 5, SigLIP": (bare(SIGLIP, "vision_model."), "", without(SIGLIP, "text", "logit")),
    "ComfyUI's clip_g": (without(CLIP, "vis", "logit"), "", without(CLIP, "vis", "logit")),
    "SDXL": (
        with_prefix("conditioner.embedders.1.model.", without(tiny.to_open_clip(CLIP), "visual."))
        | {"model.diffusion_model.out.weight": torch.zeros(2)},
        "conditioner.embedders.1.model.",
        without(CLIP, "vis"),
    ),
    "SD1": (
        with_prefix("cond_stage_model.transformer.", without(CLIP, "vis", "text_proj", "logit")),
        "cond_stage_model.transformer.",
        without(CLIP, "vis", "text_proj", "logit"),
    ),
    "unCLIP": (
        with_prefix("embedder.model.", without(tiny.to_open_clip(CLIP), "text", "tok", "trans", "pos", "ln_", "log")),
        "embedder.model.visual.",
        without(CLIP, "text", "logit"),
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_tensors_of_transformers(tmp_path, layout):
    state, prefix, wanted = LAYOUTS[layout]
    weights = opened(tmp_path, state, prefix=prefix)

    assert set(weights) == set(wanted)
    for name, tensor in wanted.items():
        shape = tuple(tensor.shape)
        assert torch.equal(weights.read(name, shape), tensor), name
        assert torch.Size(weights.shape(name)).numel() == tensor.numel()


@pytest.mark.parametrize(
    ("family", "state"),
    [
        ("clip", tiny.to_open_clip(CLIP)),
        ("siglip", tiny.to_timm_siglip(SIGLIP)),
        ("clip", tiny.to_open_clip(CLIP, text="text.")),
    ],
)
def test_encoders_of_every_layout_give_equal_embeddings(tmp_path, family, state):
    known = tiny.info(tiny.write(tiny.hf(family), tmp_path / "hf.safetensors"), family)
    other = tiny.info(tiny.write(state, tmp_path / "other.safetensors"), family)

    def embed(info):
        how = {"device": "cpu", "dtype": torch.float32}
        weights = open_weights(info)
        return build_vision(info, weights, **how)(tiny.pictures()).embeds, build_text(info, weights, **how)(
            *tiny.texts()
        )

    for ours, theirs in zip(embed(other), embed(known), strict=True):
        assert torch.equal(ours, theirs)


def test_longclip_takes_twenty_rows_of_the_old_table_and_the_rest_of_the_new(tmp_path):
    long = tiny.to_open_clip(tiny.hf("longclip"))
    first, second = torch.zeros(248, 24), torch.arange(248.0)[:, None].expand(-1, 24).contiguous()
    weights = opened(tmp_path, long | {"positional_embedding": first, "positional_embedding_res": second})

    table = weights.read("text_model.embeddings.position_embedding.weight", (248, 24))

    assert table[:, 0].tolist() == [0] * 20 + list(range(20, 248))


def test_shards_are_one_model(tmp_path):
    names = list(CLIP)
    files = [
        tiny.write({name: CLIP[name] for name in names[part::2]}, tmp_path / f"part-{part}.safetensors")
        for part in (0, 1)
    ]
    weights = open_weights(replace(tiny.info(tmp_path), files=tuple(files)))

    assert set(weights) == set(CLIP)
    assert all(torch.equal(weights.read(name), tensor) for name, tensor in CLIP.items())


def test_the_scale_and_bias_are_numbers_as_stored(tmp_path):
    weights = opened(tmp_path, SIGLIP)

    assert (weights.number("logit_scale"), weights.number("logit_bias")) == (4.5, -12.5)
    assert opened(tmp_path, without(CLIP, "logit")).number("logit_scale") is None


def test_buffers_of_older_files_are_ignored(tmp_path):
    ids = {"text_model.embeddings.position_ids": torch.arange(10.0)[None]}
    info = tiny.info(tiny.write(CLIP | ids, tmp_path / "old.safetensors"))

    assert build_text(info, open_weights(info), device="cpu", dtype=torch.float32)


def build(tmp_path, state, dtype=torch.float32):
    info = tiny.info(tiny.write(state, tmp_path / "model.safetensors"))
    return build_vision(info, open_weights(info), device="cpu", dtype=dtype)


def test_a_missing_tensor_is_named(tmp_path):
    name = "vision_model.encoder.layers.1.self_attn.k_proj.bias"

    with pytest.raises(CheckpointError, match=f"model.safetensors: {name} is missing; the file is incomplete"):
        build(tmp_path, without(CLIP, name))


def test_a_tensor_of_another_shape_is_named_with_both_shapes(tmp_path):
    wrong = {"visual_projection.weight": torch.zeros(12, 31)}

    with pytest.raises(
        CheckpointError, match=r"visual_projection.weight has shape \[12, 31\] where \[12, 32\] is needed"
    ):
        build(tmp_path, CLIP | wrong)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["vision_model.post_layernorm.weight", "visual_projection.weight"])
def test_weights_that_are_not_finite_are_refused(tmp_path, name, bad):
    damaged = CLIP[name].clone()
    damaged.view(-1)[3] = bad

    with pytest.raises(CheckpointError, match=f"{name} holds NaN or infinity"):
        build(tmp_path, CLIP | {name: damaged})


def test_weights_too_large_for_float16_are_refused_with_the_cure(tmp_path):
    large = {"visual_projection.weight": CLIP["visual_projection.weight"] * 1e6}

    with pytest.raises(CheckpointError, match="too large for float16; choose bf16 or fp32"):
        build(tmp_path, CLIP | large, torch.float16)


@pytest.mark.parametrize("kind", ["int8", "float8_e4m3fn", "float8_e5m2"])
def test_quantised_weights_are_refused_with_their_dtype(tmp_path, kind):
    from safetensors.torch import save_file

    name = "vision_model.encoder.layers.0.mlp.fc1.weight"
    save_file(CLIP | {name: CLIP[name].to(getattr(torch, kind))}, tmp_path / "small.safetensors")
    info = tiny.info(tmp_path / "small.safetensors")

    with pytest.raises(CheckpointError, match=f"{name} holds {kind} numbers; get the file in float16"):
        build_vision(info, open_weights(info), device="cpu", dtype=torch.float32)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"gone.safetensors: it is gone; look for the models again"):
        open_weights(tiny.info(tmp_path / "gone.safetensors"))


def test_a_file_cut_short_is_named(tmp_path):
    path = tiny.write(CLIP, tmp_path / "cut.safetensors")
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(
        CheckpointError, match=r"cut.safetensors: it cannot be read as safetensors \(.*\); fetch it again"
    ):
        open_weights(tiny.info(path))


def test_a_file_that_goes_away_between_two_tensors_is_named(tmp_path):
    weights = opened(tmp_path, CLIP)
    weights.release()
    (tmp_path / "model.safetensors").unlink()

    with pytest.raises(CheckpointError, match="it is gone"):
        weights.read("visual_projection.weight")


def test_a_model_with_a_problem_is_not_opened(tmp_path):
    with pytest.raises(CheckpointError, match="EVA is not supported"):
        open_weights(tiny.info(tmp_path / "eva.safetensors", problem="EVA is not supported"))


def pickled(path, content):
    torch.save(content, path)
    return tiny.info(path)


def test_a_pickle_with_tensors_that_no_encoder_reads_is_refused_by_their_names(tmp_path):
    extra = {"vision_model.encoder.layers.1.self_attn.q_norm.weight": torch.ones(8)}

    with pytest.raises(CheckpointError, match=r"layers\.1\.self_attn\.q_norm\.weight \(norms of queries and keys"):
        open_weights(pickled(tmp_path / "model.bin", CLIP | extra), allow_pickle=True)


def test_a_pickle_is_read_only_if_that_is_allowed(tmp_path):
    info = pickled(tmp_path / "model.bin", CLIP)

    with pytest.raises(CheckpointError, match="it is a pickle, and these are read only if allowed"):
        open_weights(info)
    assert set(open_weights(info, allow_pickle=True)) == set(CLIP)


@pytest.mark.parametrize("key", ["state_dict", "model"])
def test_the_tensors_of_a_training_checkpoint_are_found(tmp_path, key):
    weights = open_weights(pickled(tmp_path / "model.pt", {key: CLIP, "epoch": 3}), allow_pickle=True)

    assert torch.equal(weights.read("visual_projection.weight"), CLIP["visual_projection.weight"])


class Evil:
    def __reduce__(self):
        return (print, ("owned",))


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path, capsys):
    info = pickled(tmp_path / "evil.bin", CLIP | {"evil": Evil()})

    with pytest.raises(CheckpointError, match="holds more than tensors or is broken"):
        open_weights(info, allow_pickle=True)
    assert capsys.readouterr().out == ""


def test_a_compressed_archive_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", bytes(1 << 20))

    with pytest.raises(CheckpointError, match="is compressed, as torch never does"):
        check_pickle(path)


def test_an_archive_whose_members_overlap_is_refused(tmp_path):
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("bomb/data.pkl", bytes(1 << 16))
        for number in range(9):
            twin = copy.copy(archive.filelist[0])
            twin.filename = f"bomb/data/{number}"
            archive.filelist.append(twin)

    with pytest.raises(CheckpointError, match="members overlap"):
        check_pickle(path)


def test_a_torchscript_program_is_refused(tmp_path):
    path = tmp_path / "ViT-B-32.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/code/__torch__.py", b"")
        archive.writestr("model/constants.pkl", b"")

    with pytest.raises(CheckpointError, match="a TorchScript program, which runs code"):
        check_pickle(path)


def test_a_pickle_that_is_no_archive_is_refused(tmp_path):
    path = tmp_path / "old.pth"
    path.write_bytes(b"\x80\x02}q\x00.")

    with pytest.raises(CheckpointError, match=r"no archive that torch 1\.6 or later wrote"):
        open_weights(tiny.info(path), allow_pickle=True)


def test_a_pickle_without_tensors_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="without a table of tensors"):
        open_weights(pickled(tmp_path / "empty.pt", {"epoch": 3}), allow_pickle=True)


def test_unknown_names_are_left_out():
    assert tensor_sources({"lora_unet_down.weight": (2, 2), "first_stage_model.encoder.conv_in.weight": (2, 2)}) == {}


def test_a_fused_projection_is_split_into_three():
    found = tensor_sources({"visual.transformer.resblocks.7.attn.in_proj_weight": (96, 32)})

    key = found["vision_model.encoder.layers.7.self_attn.k_proj.weight"]
    assert key.parts == (TensorPart("visual.transformer.resblocks.7.attn.in_proj_weight", 32, 64),)
