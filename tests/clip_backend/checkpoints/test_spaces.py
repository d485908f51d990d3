"""Files that can be used together have one embedding space; files of equal shapes alone do not."""

from __future__ import annotations

from pathlib import Path

import pytest
from clip_grid.clip_backend.checkpoints.info import CheckpointInfo
from clip_grid.clip_backend.checkpoints.read import read_checkpoint

from .layout_files import layout_named, write_layout
from .safetensors_files import write_sparse
from .tensor_names import Text, hf_text

LAION_BIGG = "laion/CLIP-ViT-bigG-14-laion2B-39B-b160k"
LAION_H = "laion/CLIP-ViT-H-14-laion2B-s32B-b79K"
OPENAI_L = "openai/clip-vit-large-patch14"


def info_of(name: str, folder: Path, **arguments: object) -> CheckpointInfo:
    layout = layout_named(name)
    path = write_layout(layout, folder / "-".join(["x", *map(str, arguments)]))
    return read_checkpoint(path, **layout.arguments, **arguments)


@pytest.mark.parametrize(
    ("text", "vision", "space", "source"),
    [
        ("clip_g", "clip_vision_g", LAION_BIGG, "assumed"),
        ("sdxl", "clip_vision_g", LAION_BIGG, "header"),
        ("sdxl_refiner", "clip_vision_g", LAION_BIGG, "header"),
        ("sd3", "clip_vision_g", LAION_BIGG, "header"),
        ("sd2", "clip_vision_h", LAION_H, "header"),
        ("sd2", "svd", LAION_H, "header"),
        ("clip_l_projected", "clip_vision_l", OPENAI_L, "assumed"),
        ("sd3_asked_for_l", "clip_vision_l", OPENAI_L, "header"),
        ("sd3_asked_for_l", "unclip_asked_for_vision", OPENAI_L, "header"),
        ("clip_l_projected", "stable_cascade", OPENAI_L, "assumed"),
        ("clip_l_projected", "hf_l14", OPENAI_L, "assumed"),
    ],
)
def test_pairs_that_users_own_have_one_space(text: str, vision: str, space: str, source: str, tmp_path: Path):
    text_info, vision_info = info_of(text, tmp_path), info_of(vision, tmp_path)

    assert (text_info.space, vision_info.space) == (space, space)
    assert text_info.sources["space"] == source


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sd2", "clip_vision_g"),
        ("clip_g", "clip_vision_h"),
        ("clip_l_projected", "hf_l14_336"),
        ("hf_l14", "hf_longclip"),
        ("hf_b32", "hf_b16"),
        ("hf_h14", "hf_h14_378"),
        ("hf_h14", "hf_g14"),
        ("siglip_b16", "siglip2_b16"),
        ("sigclip_vision_so400m", "siglip_b16"),
    ],
)
def test_models_that_are_only_similar_have_two_spaces(one: str, other: str, tmp_path: Path):
    assert info_of(one, tmp_path).space != info_of(other, tmp_path).space


def test_both_layouts_of_longclip_have_one_space(tmp_path: Path):
    assert info_of("longclip", tmp_path).space == info_of("hf_longclip", tmp_path).space == "BeichenZhang/LongCLIP-L"


@pytest.mark.parametrize(
    "name", ["clip_l", "sd15", "clip_vision_l_bare", "v5_vision_l", "sd2_diffusers_text", "siglip2_text"]
)
def test_a_lone_encoder_of_no_known_model_has_no_space(name: str, tmp_path: Path):
    info = info_of(name, tmp_path)

    assert info.space is None
    assert "space" not in info.sources


def test_a_text_encoder_that_two_models_may_have_has_no_space(tmp_path: Path):
    shapes = hf_text(Text(512, 12, 2048)) | {"text_projection.weight": (512, 512)}
    path = write_sparse(tmp_path / "b.safetensors", {name: ("F16", shape) for name, shape in shapes.items()})

    # the text encoders of B/32 and B/16 have equal shapes
    assert read_checkpoint(path).space is None


def test_a_stated_activation_tells_laions_model_from_openais(tmp_path: Path):
    assert info_of("clip_vision_l", tmp_path, activation="gelu").space == "laion/CLIP-ViT-L-14-laion2B-s32B-b82K"
    assert info_of("clip_vision_l", tmp_path, activation="quick_gelu").space == OPENAI_L
    other = info_of("clip_vision_h", tmp_path, activation="quick_gelu")
    assert (other.space, other.sources["space"]) == (f"clip:{other.fingerprint}", "fingerprint")


@pytest.mark.parametrize("name", ["tiny", "siglip_b16", "dinov2_b", "naflex"])
def test_an_unknown_model_has_a_space_of_its_own(name: str, tmp_path: Path):
    info = info_of(name, tmp_path)

    assert info.space == f"{info.family}:{info.fingerprint}"


def test_a_vision_encoder_with_another_kind_of_text_encoder_is_no_known_model(tmp_path: Path):
    layout = layout_named("clip_vision_l")
    shapes = layout.shapes() | {"text_model.embeddings.word_embeddings.weight": (21128, 768)}

    info = read_checkpoint(write_sparse(tmp_path / "x.safetensors", {name: ("F16", s) for name, s in shapes.items()}))

    assert info.space == f"clip:{info.fingerprint}"
    assert "another kind" in info.notes[0]


def test_the_space_may_be_an_argument(tmp_path: Path):
    info = info_of("clip_vision_l", tmp_path, space="mine")

    assert (info.space, info.sources["space"]) == ("mine", "argument")


@pytest.mark.parametrize(
    "names",
    [("clip_g", "clip_vision_g", "hf_bigg", "sdxl", "sd3"), ("sd2", "clip_vision_h", "hf_h14", "svd", "oc_h14")],
)
def test_parts_of_one_published_model_share_a_space(names: tuple[str, ...], tmp_path: Path):
    infos = [info_of(name, tmp_path) for name in names]

    assert len({info.space for info in infos}) == 1
    assert infos[0].space


def test_models_of_different_sizes_share_no_space_and_encoders_without_projection_have_none(tmp_path: Path):
    names = ("clip_vision_l", "clip_vision_h", "clip_vision_g", "siglip_b16", "hf_b32", "dinov2_b")
    bare = ("clip_l", "clip_vision_l_bare", "v5_text_l", "sd15")

    assert len({info_of(name, tmp_path).space for name in names}) == len(names)
    assert [info_of(name, tmp_path).space for name in bare] == [None] * 4
