"""Where the models of a user are, and how many there are of each kind."""

from __future__ import annotations

from pathlib import Path

import pytest
from clip_grid.api import (
    ComfyUIPathResolver,
    ModelPathConfig,
    ModelType,
    detect_comfyui_installation,
    find_model_folders,
)
from clip_grid.errors import InputError

FILES = (
    "clip_vision/clip_vision_h.safetensors", "clip_vision/sub/full.safetensors", "clip/clip_l.safetensors",
    "checkpoints/one.ckpt", "loras/0.safetensors", "loras/1.safetensors", "loras/2.safetensors",
)  # fmt: skip


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


@pytest.fixture
def comfyui(tmp_path: Path) -> Path:
    """A folder of ComfyUI with a model of each kind that a user has."""
    root = (tmp_path / "ComfyUI").resolve()
    for name in FILES:
        touch(root / "models" / name)
    (root / "custom_nodes").mkdir()
    return root


# --- where to look


def test_given_folders_files_and_a_comfyui_are_taken_together(tmp_path, comfyui):
    file = touch(tmp_path / "x" / "é.safetensors")

    config = find_model_folders([tmp_path / "x", file], comfyui=comfyui)

    assert config.get_paths(ModelType.OTHER) == [tmp_path / "x", file]
    assert config.get_paths(ModelType.TEXT_ENCODER) == [comfyui / "models" / "clip"]


def test_a_given_folder_that_is_a_comfyui_counts_as_one(comfyui):
    assert find_model_folders([comfyui]).get_paths("loras") == [comfyui / "models" / "loras"]
    assert find_model_folders([comfyui / "models"]).get_paths("other") == [comfyui / "models"]


def test_a_folder_that_does_not_exist_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match=r"no folder or file .*nowhere"):
        find_model_folders([tmp_path / "nowhere"])


# --- resolver


@pytest.mark.parametrize("way", ["comfyui", "config", "auto"])
def test_every_way_to_a_resolver_leads_to_the_same_models(comfyui, way):
    resolver = {
        "comfyui": lambda: ComfyUIPathResolver.from_comfyui(str(comfyui)),
        "config": lambda: ComfyUIPathResolver(ModelPathConfig.from_root(comfyui)),
        "auto": lambda: ComfyUIPathResolver.from_auto_detect([str(comfyui.parent)]),
    }[way]()

    loras = resolver.scan_models(ModelType.LORA)

    assert loras == [comfyui / "models" / "loras" / f"{index}.safetensors" for index in range(3)]


def test_stats_count_the_models_of_each_kind(comfyui):
    stats = ComfyUIPathResolver.from_comfyui(comfyui).get_stats()

    assert {kind: count for kind, count in stats.items() if count} == {
        "clip_vision": 2, "text_encoder": 1, "checkpoint": 1, "lora": 3,
    }  # fmt: skip
    assert stats["vae"] == 0


def test_scanning_opens_no_file_and_leaves_out_what_is_none(tmp_path):
    (tmp_path / "a.safetensors").write_text("not a model")
    resolver = ComfyUIPathResolver(ModelPathConfig(lora_paths=[tmp_path, tmp_path / "gone"]))

    assert resolver.scan_models("lora") == [tmp_path / "a.safetensors"]


def test_no_comfyui_in_the_search_paths_is_refused_with_their_names(tmp_path):
    with pytest.raises(InputError, match="no ComfyUI in .*" + tmp_path.name):
        ComfyUIPathResolver.from_auto_detect([tmp_path])
    assert detect_comfyui_installation([tmp_path]) is None
