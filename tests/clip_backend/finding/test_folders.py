"""Which folders are searched for models: those of ComfyUI and its yaml file, the hub's cache, and any others."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from clip_grid.clip_backend.finding.folders import (
    ModelPathConfig,
    ModelType,
    detect_comfyui_installation,
    extra_folders,
    find_model_folders,
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


@pytest.fixture
def comfyui(tmp_path: Path) -> Path:
    """A folder of ComfyUI with empty model folders."""
    root = (tmp_path / "ComfyUI").resolve()
    for folder in ("checkpoints", "loras", "clip_vision", "text_encoders", "clip", "vae", "LLM"):
        (root / "models" / folder).mkdir(parents=True)
    (root / "folder_paths.py").write_text("")
    return root


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("lora", ModelType.LORA), ("loras", ModelType.LORA), ("clip", ModelType.TEXT_ENCODER),
        ("text_encoders", ModelType.TEXT_ENCODER), ("clip_vision", ModelType.CLIP_VISION),
        ("unet", ModelType.DIFFUSION_MODEL), ("LLM", ModelType.LLM), ("Checkpoints", ModelType.CHECKPOINT),
    ],
)  # fmt: skip
def test_kinds_have_their_own_names_and_those_of_comfyui(name, kind):
    assert ModelType(name) is kind


def test_clip_is_another_name_of_text_encoder():
    assert ModelType.CLIP is ModelType.TEXT_ENCODER


def test_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match=r"no kind of model 'lorra'.*clip_vision.*lora"):
        ModelType("lorra")


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


def test_adding_a_path_changes_no_list_of_the_caller_and_no_other_configuration(tmp_path):
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


def test_a_path_may_start_with_a_tilde(tmp_path, monkeypatch):
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


_ALIASES = "a: &a [x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
_MERGES = "a: &a {x: y}\n" + "".join(
    f"m{n}: &m{n} {{<<: [*{'a' if n == 0 else f'm{n - 1}'}, *a]}}\n" for n in range(40)
)


@pytest.mark.parametrize(
    "text", [_ALIASES, _MERGES, "a: " + "[" * 50_000, "a: " + "{b: " * 30 + "}" * 30, "#" * 300_000],
    ids=["aliases", "merges", "lists", "objects", "size"],
)  # fmt: skip
def test_a_yaml_file_that_would_grow_without_end_is_a_note(comfyui, text):
    pytest.importorskip("yaml", reason="PyYAML is optional")
    (comfyui / "extra_model_paths.yaml").write_text(text)

    (note,) = ModelPathConfig.from_root(comfyui).notes

    assert "cannot be read" in note or "is larger than" in note
    assert "the folders that it names are not searched" in note


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files in folders")
def test_a_pipe_in_place_of_the_yaml_file_is_not_waited_for(comfyui):
    pytest.importorskip("yaml", reason="PyYAML is optional")
    os.mkfifo(comfyui / "extra_model_paths.yaml")

    assert "it is a pipe, not a file" in ModelPathConfig.from_root(comfyui).notes[0]


def test_a_list_in_place_of_a_text_is_a_note(tmp_path):
    folders, notes = extra_folders({"a": {"vae": ["v"], "clip": "c"}}, tmp_path / "extra_model_paths.yaml")

    assert [name for name, _, _ in folders] == ["clip"]
    assert "vae in a is no text; write one folder per line" in notes[0]


def test_without_pyyaml_the_file_is_named_in_a_note_with_the_cure(comfyui, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    (comfyui / "extra_model_paths.yaml").write_text("a:\n  vae: v\n")

    config = ModelPathConfig.from_root(comfyui)

    assert "extra_model_paths.yaml is not read" in config.notes[0]
    assert "pip install pyyaml" in config.notes[0]


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


def test_folders_files_and_a_comfyui_are_searched_together(tmp_path, comfyui):
    file = touch(tmp_path / "x" / "é.safetensors")

    config = find_model_folders([tmp_path / "x", file], comfyui=comfyui)

    assert config.get_paths(ModelType.OTHER) == [tmp_path / "x", file]
    assert config.get_paths(ModelType.VAE) == [comfyui / "models" / "vae"]


def test_a_folder_that_is_a_comfyui_counts_as_one(comfyui):
    assert find_model_folders([comfyui]).get_paths("loras") == [comfyui / "models" / "loras"]
    assert find_model_folders([comfyui / "models"]).get_paths("other") == [comfyui / "models"]


def test_a_folder_that_does_not_exist_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match=r"no folder or file .*nowhere"):
        find_model_folders([tmp_path / "nowhere"])
