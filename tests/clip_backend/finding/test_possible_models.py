"""Which files and folders may be models, by their names alone; and the counts of a ComfyUI's models."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from clip_grid.api import ComfyUIPathResolver, ModelPathConfig, ModelType, detect_comfyui_installation
from clip_grid.clip_backend.finding.catalog import possible_models
from clip_grid.errors import InputError

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
FILES = (
    "clip_vision/clip_vision_h.safetensors", "clip_vision/sub/full.safetensors", "clip/clip_l.safetensors",
    "checkpoints/one.ckpt", "loras/0.safetensors", "loras/1.safetensors", "loras/2.safetensors",
)  # fmt: skip


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def names(folder: Path) -> list[str]:
    return [model.name for model in possible_models(folder)]


@pytest.fixture
def resolver_root(tmp_path: Path) -> Path:
    """A folder of ComfyUI with a model of each kind that a user has."""
    root = (tmp_path / "ComfyUI").resolve()
    for name in FILES:
        touch(root / "models" / name)
    (root / "custom_nodes").mkdir()
    return root


def test_weights_are_found_at_any_depth_with_forward_slashes_in_order(tmp_path):
    for name in ("b.safetensors", "A.bin", "sub/é/c.SAFETENSORS", "sub/d.ckpt", "readme.txt", "e.json", "f.gguf"):
        touch(tmp_path / name)

    assert names(tmp_path) == ["A.bin", "b.safetensors", "f.gguf", "sub/d.ckpt", "sub/é/c.SAFETENSORS"]


def test_an_empty_folder_holds_no_model(tmp_path):
    assert names(tmp_path) == []


def test_hidden_files_and_folders_are_left_out(tmp_path):
    touch(tmp_path / "._a.safetensors")
    touch(tmp_path / ".cache" / "b.safetensors")

    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("config", "weights"),
    [
        ("config.json", "model.safetensors"),
        ("config.json", "model.fp16.safetensors"),
        ("config.json", "model-00001-of-00002.safetensors"),
        ("config.json", "pytorch_model.bin"),
        ("config.json", "model.safetensors.index.json"),
        ("open_clip_config.json", "open_clip_model.safetensors"),
        ("open_clip_config.json", "open_clip_pytorch_model.bin"),
    ],
)
def test_a_config_with_weights_makes_a_folder_one_model(tmp_path, config, weights):
    for name in (config, weights, "optimizer.pt", "training_args.bin"):
        touch(tmp_path / "my" / "clip" / name)

    assert [(found.name, found.path) for found in possible_models(tmp_path)] == [("my/clip", tmp_path / "my" / "clip")]


def test_a_config_without_weights_of_its_own_hides_no_model(tmp_path):
    for name in ("config.json", "clip_vision_h.safetensors", "clip_l.safetensors"):
        touch(tmp_path / name)

    assert names(tmp_path) == ["clip_l.safetensors", "clip_vision_h.safetensors"]


def test_models_inside_and_beside_a_model_folder_are_found(tmp_path):
    for name in ("config.json", "model.safetensors", "extra.safetensors", "vision/config.json"):
        touch(tmp_path / "m" / name)
    touch(tmp_path / "m" / "vision" / "model.safetensors")

    assert names(tmp_path) == ["m", "m/extra.safetensors", "m/vision"]


def test_the_folder_itself_may_be_the_model_and_so_may_a_file(tmp_path):
    for name in ("config.json", "model.safetensors"):
        touch(tmp_path / "m" / name)

    assert names(tmp_path / "m") == ["m"]
    assert names(tmp_path / "m" / "model.safetensors") == ["model.safetensors"]


@needs_links
def test_a_cached_model_has_the_name_that_the_hub_gives_it(tmp_path):
    snapshots = tmp_path / "models--openai--clip-vit-base-patch32" / "snapshots"
    blob = touch(snapshots.parent / "blobs" / "abc")
    for revision in ("3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268", "aaaaaaaa0000"):
        touch(snapshots / revision / "config.json")
        (snapshots / revision / "model.safetensors").symlink_to(blob)
    (snapshots.parent / "refs").mkdir()
    (snapshots.parent / "refs" / "main").write_text("3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268")

    found = list(possible_models(tmp_path))

    assert [model.name for model in found] == [
        "openai/clip-vit-base-patch32",
        "openai/clip-vit-base-patch32@aaaaaaaa",
    ]
    assert found[0].path == snapshots / "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268"


def test_a_file_inside_a_cached_repository_is_named_below_it(tmp_path):
    touch(tmp_path / "models--h94--IP-Adapter" / "snapshots" / "1" / "models" / "x.safetensors")

    assert names(tmp_path) == ["h94/IP-Adapter/models/x.safetensors"]
    assert names(tmp_path / "models--h94--IP-Adapter") == ["h94/IP-Adapter/models/x.safetensors"]


def test_cached_data_sets_and_configs_without_weights_are_no_models(tmp_path):
    touch(tmp_path / "datasets--a--b" / "snapshots" / "1" / "x.bin")
    touch(tmp_path / "models--a--b" / "snapshots" / "1" / "config.json")

    assert names(tmp_path) == []


@needs_links
def test_a_link_back_has_a_problem_and_is_not_followed(tmp_path):
    touch(tmp_path / "sub" / "a.safetensors")
    (tmp_path / "sub" / "loop").symlink_to(tmp_path)

    found = {model.name: model.problem for model in possible_models(tmp_path)}

    assert list(found) == ["sub/a.safetensors", "sub/loop"]
    assert found["sub/a.safetensors"] == ""
    assert "leads back" in found["sub/loop"]


@needs_links
def test_a_folder_with_two_links_to_it_is_searched_once(tmp_path):
    touch(tmp_path / "elsewhere" / "a.safetensors")
    (tmp_path / "models").mkdir()
    for name in ("one", "two"):
        (tmp_path / "models" / name).symlink_to(tmp_path / "elsewhere")

    assert names(tmp_path / "models") == ["one/a.safetensors"]


@needs_links
def test_a_link_to_nowhere_has_a_problem(tmp_path):
    (tmp_path / "a.safetensors").symlink_to(tmp_path / "gone")
    (tmp_path / "b.safetensors").symlink_to(tmp_path / "b.safetensors")

    found = {model.name: model.problem for model in possible_models(tmp_path)}

    assert list(found) == ["a.safetensors", "b.safetensors"]
    assert all("leads nowhere" in problem for problem in found.values())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.safetensors")

    assert [model.problem[:16] for model in possible_models(tmp_path)] == ["no ordinary file"]


@pytest.mark.usefixtures("bound_by_permissions")
def test_a_folder_that_may_not_be_listed_has_a_problem_and_hides_no_other(tmp_path):
    touch(tmp_path / "z" / "a.safetensors")
    (tmp_path / "closed").mkdir(mode=0)

    found = {model.name: model.problem for model in possible_models(tmp_path)}

    (tmp_path / "closed").chmod(0o700)
    assert list(found) == ["closed", "z/a.safetensors"]
    assert "cannot be listed (Permission denied)" in found["closed"]


def test_a_missing_folder_has_a_problem(tmp_path):
    found = list(possible_models(tmp_path / "gone"))

    assert [(model.name, model.problem[:16]) for model in found] == [("gone", "cannot be listed")]


@pytest.mark.parametrize("made", ["from_comfyui", "config", "auto_detect"])
def test_every_resolver_of_a_comfyui_finds_the_same_models(resolver_root, made):
    resolver = {
        "from_comfyui": lambda: ComfyUIPathResolver.from_comfyui(str(resolver_root)),
        "config": lambda: ComfyUIPathResolver(ModelPathConfig.from_root(resolver_root)),
        "auto_detect": lambda: ComfyUIPathResolver.from_auto_detect([str(resolver_root.parent)]),
    }[made]()

    loras = resolver.scan_models(ModelType.LORA)

    assert loras == [resolver_root / "models" / "loras" / f"{index}.safetensors" for index in range(3)]


def test_stats_count_the_models_of_each_kind(resolver_root):
    stats = ComfyUIPathResolver.from_comfyui(resolver_root).get_stats()

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
