"""DINOv2, DINOv3 and NaFlex: the numbers are those of transformers, and what cannot be right is refused by name."""

from __future__ import annotations

import copy
import importlib
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
from clip_grid.clip_backend.checkpoints.fingerprints import identified
from clip_grid.clip_backend.checkpoints.read import read_checkpoint
from clip_grid.clip_backend.encoding.batching import LocalPlacement
from clip_grid.clip_backend.encoding.cache import EncoderCache
from clip_grid.clip_backend.encoding.image_features import STATE_NAMES
from clip_grid.clip_backend.hub.towers import grid_for
from clip_grid.clip_backend.loading import load_encoder
from clip_grid.clip_backend.preparing.preprocessing import Preprocessing
from clip_grid.errors import CheckpointError, InputError, MissingPackage, SpaceError
from safetensors.torch import load_file, save_file

from .encoding.toy_encoder import ToyTokenizer
from .tiny_hub_models import (
    DINOS,
    change,
    preprocessor,
    rename_to_version_4,
    tiny_model,
    tiny_naflex,
)
from .tiny_models import random_pictures

IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}


def load(model, **options):
    return load_encoder(model, device="cpu", encoders=EncoderCache(), **options)


@pytest.fixture(scope="module")
def dino(tmp_path_factory):
    """A folder with a tiny DINOv2, for tests that do not change it."""
    return with_model(tmp_path_factory)[0]


@pytest.fixture(scope="module")
def dino_and_model(tmp_path_factory):
    return with_model(tmp_path_factory)


def with_model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dino")
    return folder, tiny_model("dinov2", folder)


@pytest.fixture(scope="module")
def naflex(tmp_path_factory):
    folder = tmp_path_factory.mktemp("naflex")
    return folder, tiny_naflex(folder)


def pil_processor(module, name):
    """A processor that resizes by Pillow, under the name that this version of transformers has for it."""
    package = f"transformers.models.{module}"
    if int(transformers.__version__.split(".")[0]) >= 5:
        return getattr(importlib.import_module(f"{package}.image_processing_pil_{module}"), f"{name}Pil")
    return getattr(importlib.import_module(f"{package}.image_processing_{module}"), name)


# DINO


@pytest.mark.parametrize("version", ["as saved", "version 4"])
@pytest.mark.parametrize("kind", DINOS)
def test_every_state_of_a_dino_model_is_that_of_transformers(kind, version, tmp_path):
    model = tiny_model(kind, tmp_path)
    if version == "version 4":
        rename_to_version_4(tmp_path)
    pictures = random_pictures(3, (32, 32))

    ours = load(tmp_path, heads=4, fit="squash", image_size=64).encode_images(pictures, wants=STATE_NAMES, batch_size=2)

    registers = getattr(model.config, "num_register_tokens", 0)
    with torch.no_grad():
        theirs = model(pixel_values=imagenet_pixels(pictures, 64), output_hidden_states=True)
    close(ours.image_embeds, theirs.pooler_output)
    close(ours.last_hidden, theirs.hidden_states[-1])
    close(ours.penultimate_hidden, theirs.hidden_states[-2])
    close(ours.cls_hidden, theirs.hidden_states[-1][:, 0])
    close(ours.patch_tokens, theirs.hidden_states[-1][:, 1 + registers :])
    close(ours.projected_patches, theirs.last_hidden_state)
    assert (ours.registers, ours.num_tokens) == (registers, 17 + registers)
    assert (ours.grid, ours.projection_dim) == ((4, 4), 64)


@pytest.mark.parametrize("kind", DINOS)
def test_a_dino_model_has_one_fingerprint_under_the_names_of_both_versions(kind, tmp_path):
    tiny_model(kind, tmp_path)
    new, loaded = read_checkpoint(tmp_path).fingerprint, load(tmp_path).fingerprint
    rename_to_version_4(tmp_path)

    assert (read_checkpoint(tmp_path).fingerprint, load(tmp_path).fingerprint) == (new, loaded)


def test_every_tensor_of_a_dino_model_is_in_its_fingerprint(tmp_path):
    tiny_model("dinov2 registers", tmp_path)
    before = load(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")

    for name, tensor in tensors.items():
        save_file({**tensors, name: tensor + 0.5}, tmp_path / "model.safetensors")
        assert load(tmp_path).fingerprint != before.fingerprint, name


def test_a_dino_model_whose_file_changed_before_its_first_picture_is_refused(tmp_path):
    tiny_model("dinov2", tmp_path)
    encoder = load(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    save_file({name: tensor + 0.5 for name, tensor in tensors.items()}, tmp_path / "model.safetensors")

    with pytest.raises(CheckpointError, match="it was changed after it was opened"):
        encoder.encode_images(random_pictures(1))


def test_the_configuration_of_a_gated_dino_model_counts(tmp_path):
    tiny_model("dinov3 gated", tmp_path)

    info = read_checkpoint(tmp_path)

    assert (info.activation, info.eps) == ("silu", 1e-3)
    assert (info.sources["activation"], info.sources["eps"]) == ("config", "config")


def imagenet_pixels(pictures, side):
    resized = [np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC)) for picture in pictures]
    levels = torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(IMAGENET[name]).view(3, 1, 1) for name in ("image_mean", "image_std"))
    return (levels - mean) / std


def close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_pictures_for_dinov2_are_prepared_as_transformers_does(dino_and_model):
    dino, model = dino_and_model
    pictures = [*random_pictures(1, (300, 280)), *random_pictures(1, (90, 261))]
    processor = pil_processor("bit", "BitImageProcessor")(
        size={"shortest_edge": 256}, crop_size={"height": 224, "width": 224}, resample=3, **IMAGENET
    )

    ours = load(dino, reference="hf", resampling="exact").encode_images(pictures)

    with torch.no_grad():
        close(ours.image_embeds, model(**processor(pictures, return_tensors="pt")).pooler_output)


def test_the_size_of_pictures_is_told_by_the_folder_unless_the_caller_does(dino, tmp_path):
    tiny_model("dinov2", tmp_path)
    preprocessor(tmp_path, crop_size={"height": 98, "width": 98}, size={"shortest_edge": 112}, do_center_crop=True)

    preprocessings = [
        load(dino).preprocessing,
        load(tmp_path).preprocessing,
        load(tmp_path, image_size=196).preprocessing,
    ]

    assert [(preprocessing.size, preprocessing.short_side) for preprocessing in preprocessings] == [
        (224, 256),
        (98, 112),
        (196, 224),
    ]


def test_a_single_file_needs_no_configuration(dino, tmp_path):
    picture = random_pictures(1, (224, 224))
    (tmp_path / "dino-small.safetensors").write_bytes((dino / "model.safetensors").read_bytes())

    alone = load(tmp_path / "dino-small.safetensors", heads=4).encode_images(picture)

    close(alone.image_embeds, load(dino).encode_images(picture).image_embeds)


def test_a_dino_model_reads_no_texts(dino):
    with pytest.raises(InputError, match=r"pictures alone.*choose a CLIP or SigLIP") as refused:
        load(dino).encode_texts("a cat")
    assert "text_encoder" not in str(refused.value)


def test_features_of_a_dino_model_compare_with_no_others(dino, naflex):
    pictures = random_pictures(1)
    ours, theirs = (load(folder).encode_images(pictures).to_features() for folder in (dino, naflex[0]))

    with pytest.raises(SpaceError):
        ours.similarity(theirs)


def test_pictures_of_another_size_than_the_model_was_loaded_for_are_refused(dino):
    preprocessing = Preprocessing(size=70, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))

    with pytest.raises(InputError, match="image_size=70"):
        load(dino).encode_images(random_pictures(1), preprocessing=preprocessing)


# files that cannot be right


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"encoder__layer__1__norm2__bias": None}, r"lacks encoder\.layer\.1\.norm2\.bias.*fetch it again"),
        ({"layernorm__weight": torch.ones(32)}, r"layernorm\.weight has shape \[32\] where \[64\]"),
        ({"layernorm__weight": torch.full((64,), torch.nan)}, r"layernorm\.weight holds NaN"),
        ({"adapter__weight": torch.ones(3), "adapter__bias": torch.ones(3)}, r"also holds adapter\.bias, adapter\.w"),
        ({"layernorm__bias": torch.ones(64, dtype=torch.int32)}, r"layernorm\.bias holds int32"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_the_tensors_name(changes, reason, tmp_path):
    tiny_model("dinov2", tmp_path)
    change(tmp_path, **changes)

    with pytest.raises(CheckpointError, match=reason):
        load(tmp_path).encode_images(random_pictures(1))


def test_tables_that_follow_from_the_config_are_computed_anew(tmp_path):
    tiny_model("dinov3", tmp_path)
    before = load(tmp_path).encode_images(random_pictures(1)).image_embeds

    change(tmp_path, rope_embeddings__inv_freq=torch.full((8,), 9.0), rope_embed__periods=torch.ones(8))

    np.testing.assert_array_equal(load(tmp_path).encode_images(random_pictures(1)).image_embeds, before)


def test_what_only_training_needs_may_be_missing(tmp_path):
    tiny_model("dinov2", tmp_path)
    change(tmp_path, embeddings__mask_token=None)

    assert len(load(tmp_path).encode_images(random_pictures(1))) == 1


def test_numbers_too_large_for_the_type_are_refused(tmp_path):
    tiny_model("dinov2", tmp_path)
    change(tmp_path, layernorm__weight=torch.full((64,), 1e6))

    with pytest.raises(CheckpointError, match=r"layernorm\.weight.*choose"):
        load(tmp_path, dtype="fp16").encode_images(random_pictures(1))


def test_without_a_transformers_that_knows_the_model_the_cure_is_told(dino, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers.models.dinov2.modeling_dinov2", None)

    with pytest.raises(MissingPackage, match="pip install"):
        load(dino).encode_images(random_pictures(1))


# NaFlex


def naflex_pictures():
    sizes = [(200, 100), (77, 333), (50, 50), (900, 7)]
    return [random_pictures(1, size, seed=seed)[0] for seed, size in enumerate(sizes)]


def test_pictures_of_any_shape_have_the_embeddings_of_transformers(naflex):
    folder, model = naflex
    pictures = naflex_pictures()
    processor = pil_processor("siglip2", "Siglip2ImageProcessor")(max_num_patches=256)

    ours = load(folder, image_size=256).encode_images(pictures, batch_size=3)

    with torch.no_grad():
        close(ours.image_embeds, pooled(model.get_image_features(**processor(pictures, return_tensors="pt"))))


def pooled(output):
    return output if torch.is_tensor(output) else output.pooler_output


@pytest.mark.parametrize("front", ["", "vision_model."])
def test_a_naflex_tower_alone_is_loaded_under_the_names_of_either_version(front, tmp_path):
    model = tiny_model("naflex vision", tmp_path)
    if front:
        names = {name.removeprefix(front): tensor for name, tensor in model.state_dict().items()}
        change(tmp_path, **dict.fromkeys(names), **{front + name: tensor for name, tensor in names.items()})
    pictures = naflex_pictures()
    processor = pil_processor("siglip2", "Siglip2ImageProcessor")(max_num_patches=64)

    encoder = load(tmp_path)

    with torch.no_grad():
        theirs = model(**processor(pictures, return_tensors="pt")).pooler_output
    close(encoder.encode_images(pictures).image_embeds, theirs)
    with pytest.raises(InputError, match=r"no text tower.*choose the whole model") as refused:
        encoder.encode_texts("a cat")
    assert "text_encoder" not in str(refused.value)


def test_texts_of_a_naflex_model_have_the_embeddings_of_transformers(naflex):
    folder, model = naflex
    texts = ["a cat", "two dogs in the snow"]
    tokenizer = ToyTokenizer(context=16, trims=False)

    ours = load(folder, tokenizer=tokenizer).encode_texts(texts)

    ids = [one.ids for one in tokenizer.encode(texts)]
    longest = torch.tensor([[*row, *[0] * (16 - len(row))] for row in ids])
    with torch.no_grad():
        theirs = pooled(model.get_text_features(input_ids=longest))
    close(ours.vectors, torch.nn.functional.normalize(theirs, dim=-1))


def test_the_tower_states_single_tokens_are_absent_with_the_reason(naflex):
    features = load(naflex[0]).encode_images(naflex_pictures(), wants=("embeds", "patch_tokens"))

    assert features.image_embeds.shape == (4, 64)
    with pytest.raises(InputError, match="a grid of patches of its own"):
        features.require("patch_tokens")


def test_a_wide_white_picture_is_not_taken_for_a_high_one(naflex):
    pictures = [np.full(shape, 255, np.uint8) for shape in ((32, 512, 3), (512, 32, 3))]

    wide, high = load(naflex[0]).encode_images(pictures).image_embeds

    assert (wide - high).abs().max() > 1e-3


def test_preprocessing_that_cuts_pictures_is_refused(naflex):
    preprocessing = Preprocessing(size=128, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), fit="crop")

    with pytest.raises(InputError, match="takes pictures whole"):
        load(naflex[0]).encode_images(random_pictures(1), preprocessing=preprocessing)


@given(st.integers(1, 9000), st.integers(1, 9000), st.sampled_from([1, 64, 256, 1024]))
def test_grids_are_those_of_transformers(width, height, most):
    module = "pil_siglip2" if int(transformers.__version__.split(".")[0]) >= 5 else "siglip2"
    package = importlib.import_module(f"transformers.models.siglip2.image_processing_{module}")

    theirs = package.get_image_size_for_max_num_patches(height, width, 16, most)

    assert grid_for((width, height), 16, most) == (theirs[0] // 16, theirs[1] // 16)


# where and in which numbers


def test_half_numbers_are_held_as_such_and_computed_with_as_float32(dino_and_model):
    folder, model = dino_and_model
    placed = []

    def place(tower):
        placed.append(tower)
        return LocalPlacement(tower, torch.device("cpu"))

    ours = load(folder, dtype="fp16", fit="squash", image_size=70, placement=place).encode_images(random_pictures(2))

    rounded = copy.deepcopy(model).half().float()
    with torch.no_grad():
        close(ours.image_embeds, rounded(imagenet_pixels(random_pictures(2), 70)).pooler_output)
    assert {weight.dtype for name, weight in placed[0].named_parameters() if "mlp" in name} == {torch.float16}


@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
def test_smaller_numbers_change_little(dtype, dino, naflex):
    for folder in (dino, naflex[0]):
        pictures = random_pictures(2)
        exact, small = (load(folder, dtype=kind).encode_images(pictures).image_embeds_norm for kind in ("fp32", dtype))

        assert (exact * small).sum(-1).min() > 0.999


def test_a_host_places_the_model_and_is_told_how_much_room_a_batch_needs(dino):
    asked = []

    class Watched(LocalPlacement):
        def ready(self, working_bytes):
            asked.append(working_bytes)
            super().ready(working_bytes)

    load(dino, placement=lambda model: Watched(model, torch.device("cpu"))).encode_images(random_pictures(3))

    assert len(asked) == 1
    assert asked[0] > 3 * 257 * 64 * 4


def test_what_a_checkpoint_is_said_to_be_is_what_its_encoder_is(dino):
    info = identified(read_checkpoint(dino))

    assert (load(dino).space, load(dino).fingerprint, load(dino).dim) == (info.space, info.fingerprint, 64)
