"""Where models are: folders of ComfyUI, its yaml file, the hub's cache, and what in them may be a model."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from clip_grid.clip_backend.finding.catalog import possible_models
from clip_grid.clip_backend.finding.folders import (
    ModelPathConfig,
    ModelType,
    detect_comfyui_installation,
    extra_folders,
    hub_cache,
    merge_configs,
    read_extra_paths,
    usual_places,
)
from clip_grid.errors import InputError

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def names(folder: Path) -> list[str]:
    return [candidate.name for candidate in possible_models(folder)]


@pytest.fixture
def comfyui(tmp_path: Path) -> Path:
    """A folder of ComfyUI with empty model folders."""
    root = (tmp_path / "ComfyUI").resolve()
    for folder in ("checkpoints", "loras", "clip_vision", "text_encoders", "clip", "vae", "LLM"):
        (root / "models" / folder).mkdir(parents=True)
    (root / "folder_paths.py").write_text("")
    return root


# --- kinds


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("lora", ModelType.LORA), ("loras", ModelType.LORA), ("clip", ModelType.TEXT_ENCODER),
        ("text_encoders", ModelType.TEXT_ENCODER), ("clip_vision", ModelType.CLIP_VISION),
        ("unet", ModelType.DIFFUSION_MODEL), ("LLM", ModelType.LLM), ("Checkpoints", ModelType.CHECKPOINT),
    ],
)  # fmt: skip
def test_kinds_are_known_by_their_own_names_and_by_those_of_comfyui(given, kind):
    assert ModelType(given) is kind


def test_clip_is_another_name_of_text_encoder():
    assert ModelType.CLIP is ModelType.TEXT_ENCODER


def test_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match=r"no kind of model 'lorra'.*clip_vision.*lora"):
        ModelType("lorra")


# --- configuration


def test_several_paths_per_kind_keep_their_order(tmp_path):
    config = ModelPathConfig(lora_paths=[str(tmp_path / "b"), tmp_path / "a"], clip_vision_paths=tmp_path / "c")

    assert config.get_paths(ModelType.LORA) == [tmp_path / "b", tmp_path / "a"]
    assert config.get_paths("clip_vision") == [tmp_path / "c"]
    assert config.get_paths(ModelType.VAE) == []


def test_every_kind_can_be_given_and_added_to(tmp_path):
    for kind in ModelType:
        config = ModelPathConfig(**{f"{kind.value}_paths": [tmp_path / "one"]})

        config.add_model_path(kind, tmp_path / "two")
        config.add_model_path(kind, tmp_path / "zero", first=True)

        assert config.get_paths(kind) == [tmp_path / "zero", tmp_path / "one", tmp_path / "two"]


def test_adding_to_one_configuration_leaves_the_given_list_and_others_alone(tmp_path):
    given = [tmp_path / "one"]
    first, second = ModelPathConfig(lora_paths=given), ModelPathConfig()

    first.add_model_path(ModelType.LORA, tmp_path / "two")

    assert (given, second.get_paths(ModelType.LORA)) == ([tmp_path / "one"], [])


@needs_links
def test_links_are_resolved_and_a_folder_counts_once(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")

    config = ModelPathConfig(vae_paths=[tmp_path / "link", tmp_path / "real", f"{tmp_path}/real/../real/"])

    assert config.get_paths(ModelType.VAE) == [(tmp_path / "real").resolve()]


def test_the_home_folder_may_be_written_short(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))

    assert ModelPathConfig(vae_paths="~/vae").get_paths("vae") == [tmp_path.resolve() / "vae"]


@pytest.mark.parametrize("given", ["", "models"])
def test_a_root_gives_the_folders_that_exist(comfyui, given):
    config = ModelPathConfig.from_root(comfyui / given)

    assert config.get_paths(ModelType.TEXT_ENCODER) == [comfyui / "models/text_encoders", comfyui / "models/clip"]
    assert config.get_paths(ModelType.LLM) == [comfyui / "models/LLM"]
    assert config.get_paths(ModelType.CONTROLNET) == []


def test_a_root_that_does_not_exist_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match=r"no folder .*nowhere"):
        ModelPathConfig.from_root(tmp_path / "nowhere")


def test_merged_configurations_keep_all_folders_and_notes_in_order(tmp_path):
    parts = [ModelPathConfig(vae_paths=tmp_path / name, notes=(name,)) for name in "ab"]

    together = merge_configs(parts)

    assert together.get_paths("vae") == [tmp_path / "a", tmp_path / "b"]
    assert together.notes == ("a", "b")


# --- extra_model_paths.yaml

SECTIONS = {
    "other": {"base_path": "shared", "clip_vision": "vision/\nmore vision\n", "is_default": True},
    "plain": {"loras": "my loras", "vae": None},
    "empty": None,
}


def test_folders_of_the_yaml_file_follow_the_rules_of_comfyui(tmp_path):
    folders, notes = extra_folders(SECTIONS, tmp_path / "extra_model_paths.yaml")

    assert folders == [
        ("clip_vision", tmp_path / "shared" / "vision", True),
        ("clip_vision", tmp_path / "shared" / "more vision", True),
        ("loras", tmp_path / "my loras", False),
    ]
    assert notes == []


def test_an_absolute_base_and_the_home_folder_are_taken(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    content = {"a": {"base_path": "~/ui", "clip": "c"}, "b": {"vae": str(tmp_path / "v")}}

    folders, _ = extra_folders(content, Path("/elsewhere/extra_model_paths.yaml"))

    assert [path for _, path, _ in folders] == [tmp_path / "ui" / "c", tmp_path / "v"]


@pytest.mark.parametrize("content", [["a"], "text", 5, {"section": ["a"]}])
def test_a_yaml_file_of_another_shape_is_a_note(tmp_path, content):
    folders, notes = extra_folders(content, tmp_path / "extra_model_paths.yaml")

    assert folders == []
    assert len(notes) == 1
    assert "extra_model_paths.yaml" in notes[0]


def test_without_a_yaml_file_or_with_an_empty_one_nothing_is_added(tmp_path):
    assert read_extra_paths(tmp_path / "extra_model_paths.yaml") == ([], [])
    assert extra_folders(None, tmp_path / "extra_model_paths.yaml") == ([], [])


def test_a_root_reads_its_yaml_file_the_last_default_first_as_comfyui_does(comfyui, tmp_path):
    pytest.importorskip("yaml", reason="PyYAML is optional")
    text = f"a:\n  base_path: {tmp_path.as_posix()}\n  is_default: true\n  clip_vision: |\n    v1\n    v2\n  odd: x\n"
    (comfyui / "extra_model_paths.yaml").write_text(text)

    config = ModelPathConfig.from_root(comfyui)

    own = comfyui / "models" / "clip_vision"
    assert config.get_paths("clip_vision") == [tmp_path / "v2", tmp_path / "v1", own]
    assert config.notes == ()


def test_a_broken_yaml_file_is_a_note(comfyui):
    pytest.importorskip("yaml", reason="PyYAML is optional")
    (comfyui / "extra_model_paths.yaml").write_text("a: [1\nb: }")

    config = ModelPathConfig.from_root(comfyui)

    assert "cannot be read" in config.notes[0]
    assert config.get_paths("vae") == [comfyui / "models" / "vae"]


def test_without_pyyaml_the_file_is_named_in_a_note_with_the_cure(comfyui, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    (comfyui / "extra_model_paths.yaml").write_text("a:\n  vae: v\n")

    config = ModelPathConfig.from_root(comfyui)

    assert "extra_model_paths.yaml is not read" in config.notes[0]
    assert "pip install pyyaml" in config.notes[0]


# --- installations


@pytest.mark.parametrize("below", ["", "ComfyUI"])
def test_comfyui_is_found_at_a_search_path_or_right_below(comfyui, tmp_path, below):
    search = comfyui if not below else tmp_path

    assert detect_comfyui_installation([tmp_path / "nowhere", search]) == comfyui


def test_a_folder_of_the_desktop_program_counts_too(tmp_path):
    for folder in ("models", "custom_nodes"):
        (tmp_path / folder).mkdir()

    assert detect_comfyui_installation([tmp_path]) == tmp_path.resolve()


def test_a_folder_of_models_alone_is_no_comfyui(tmp_path):
    (tmp_path / "models").mkdir()

    assert detect_comfyui_installation([tmp_path]) is None


def test_comfyui_is_found_from_inside_it(comfyui, monkeypatch):
    inside = comfyui / "custom_nodes" / "pack"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)

    assert detect_comfyui_installation() == comfyui


def test_the_home_folder_is_among_the_usual_places(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))

    assert tmp_path.resolve() in list(usual_places())


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"HF_HUB_CACHE": "/a", "HF_HOME": "/b"}, "/a"),
        ({"HUGGINGFACE_HUB_CACHE": "/c", "HF_HOME": "/b"}, "/c"),
        ({"HF_HOME": "/b"}, "/b/hub"),
        ({"XDG_CACHE_HOME": "/d"}, "/d/huggingface/hub"),
        ({"HF_HOME": ""}, "~/.cache/huggingface/hub"),
        ({}, "~/.cache/huggingface/hub"),
    ],
)
def test_the_hub_cache_is_where_the_hub_library_has_it(environment, expected):
    assert hub_cache(environment) == Path(os.path.realpath(os.path.expanduser(expected)))


# --- candidates


def test_weights_are_found_at_any_depth_with_forward_slashes_in_order(tmp_path):
    for name in ("b.safetensors", "A.bin", "sub/é/c.SAFETENSORS", "sub/d.ckpt", "readme.txt", "e.json", "f.gguf"):
        touch(tmp_path / name)

    assert names(tmp_path) == ["A.bin", "b.safetensors", "f.gguf", "sub/d.ckpt", "sub/é/c.SAFETENSORS"]


def test_an_empty_folder_has_none(tmp_path):
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


def test_a_stray_config_does_not_swallow_the_models_beside_it(tmp_path):
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

    assert [candidate.name for candidate in found] == [
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
def test_a_link_back_is_told_and_ends_the_search_there(tmp_path):
    touch(tmp_path / "sub" / "a.safetensors")
    (tmp_path / "sub" / "loop").symlink_to(tmp_path)

    found = {candidate.name: candidate.problem for candidate in possible_models(tmp_path)}

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
def test_a_link_to_nowhere_is_told(tmp_path):
    (tmp_path / "a.safetensors").symlink_to(tmp_path / "gone")
    (tmp_path / "b.safetensors").symlink_to(tmp_path / "b.safetensors")

    found = {candidate.name: candidate.problem for candidate in possible_models(tmp_path)}

    assert list(found) == ["a.safetensors", "b.safetensors"]
    assert all("leads nowhere" in problem for problem in found.values())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.safetensors")

    assert [candidate.problem[:16] for candidate in possible_models(tmp_path)] == ["no ordinary file"]


@pytest.mark.usefixtures("bound_by_permissions")
def test_a_folder_that_may_not_be_listed_is_told_and_costs_only_itself(tmp_path):
    touch(tmp_path / "z" / "a.safetensors")
    (tmp_path / "closed").mkdir(mode=0)

    found = {candidate.name: candidate.problem for candidate in possible_models(tmp_path)}

    (tmp_path / "closed").chmod(0o700)
    assert list(found) == ["closed", "z/a.safetensors"]
    assert "cannot be listed (Permission denied)" in found["closed"]


def test_a_folder_that_is_not_there_is_told(tmp_path):
    found = list(possible_models(tmp_path / "gone"))

    assert [(candidate.name, candidate.problem[:16]) for candidate in found] == [("gone", "cannot be listed")]
