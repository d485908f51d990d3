"""Every model in the folders of a user is listed once, and one that fails hides no other."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from clip_grid.api import FoundModel, ModelPathConfig, find_models
from clip_grid.clip_backend.finding import catalog

from ..checkpoints.layout_files import OTHER_MODELS, layout_named, write_layout
from ..checkpoints.safetensors_files import write_sparse


def write_named(name: str, folder: Path) -> Path:
    return write_layout(layout_named(name), folder)


def write_other(name: str, path: Path) -> Path:
    return write_sparse(path, {part: ("F16", shape) for part, shape in OTHER_MODELS[name]().items()})


@pytest.fixture
def comfyui(tmp_path: Path) -> Path:
    """A folder of ComfyUI with a model of each kind that matters, and some that do not."""
    models = tmp_path / "ComfyUI" / "models"
    (tmp_path / "ComfyUI" / "custom_nodes").mkdir(parents=True)
    write_named("clip_vision_h", models / "clip_vision")
    write_named("clip_g", models / "text_encoders")
    write_named("sdxl", models / "checkpoints")
    write_named("hf_folder", models / "diffusers")
    write_named("siglip_b16", models / "LLM")
    write_other("t5", models / "text_encoders" / "t5xxl.safetensors")
    write_other("unet", models / "checkpoints" / "unet.safetensors")
    write_named("clip_l", models / "loras")
    return tmp_path / "ComfyUI"


def facts(found: list[FoundModel]) -> dict[str, str]:
    return {model.name: model.info.family if model.info else "" for model in found}


def test_every_folder_that_may_hold_a_clip_is_searched(comfyui: Path):
    found = find_models(ModelPathConfig.from_root(comfyui))

    assert facts(found) == {
        "clip_vision_h.safetensors": "clip", "clip_g.safetensors": "clip", "sdxl.safetensors": "clip",
        "hf_folder": "clip", "siglip_b16.safetensors": "siglip",
    }  # fmt: skip
    assert [model.problem for model in found] == [""] * 5


def test_everything_also_lists_the_rest_with_reasons(comfyui: Path):
    found = find_models(ModelPathConfig.from_root(comfyui), everything=True)

    others = {model.name: model.problem for model in found if not model.is_of_interest}
    assert sorted(others) == ["t5xxl.safetensors", "unet.safetensors"]
    assert all(others.values())


def test_folders_of_other_kinds_are_not_opened(comfyui: Path):
    names = facts(find_models(ModelPathConfig.from_root(comfyui), everything=True))

    assert "clip_l.safetensors" not in names


def test_a_model_that_is_not_supported_is_listed_with_the_reason(tmp_path: Path):
    for name in ("eva02_l", "coca_b32", "rn50", "convnext"):
        write_named(name, tmp_path)

    found = find_models(ModelPathConfig(other_paths=tmp_path))

    assert len(found) == 4
    assert all(model.info and model.problem == model.info.problem != "" for model in found)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "LFS"),
        (b"<!DOCTYPE html><html></html>", "page"),
        (b"\xff\x00\x00\x00\x00\x00\x00\x00{}", "cut short"),
    ],
)
def test_a_broken_file_is_listed_with_its_reason_and_hides_no_other(tmp_path, content: bytes, reason: str):
    (tmp_path / "broken.safetensors").write_bytes(content)
    write_named("clip_vision_l", tmp_path)

    broken, good = find_models(ModelPathConfig(clip_vision_paths=tmp_path))

    assert (broken.name, broken.info) == ("broken.safetensors", None)
    assert reason in broken.problem
    assert (good.name, good.problem) == ("clip_vision_l.safetensors", "")


@pytest.mark.parametrize("kind", ["clip_vision", "checkpoint"])
def test_a_pickle_is_listed_among_clip_vision_models_and_not_among_checkpoints(tmp_path, kind: str):
    (tmp_path / "old.ckpt").write_bytes(b"\x80\x02}q\x00(X\x05\x00\x00\x00stateq\x01K\x01u.")
    config = ModelPathConfig()
    config.add_model_path(kind, tmp_path)

    assert len(find_models(config, everything=True)) == 1
    assert len(find_models(config)) == (1 if kind == "clip_vision" else 0)


def test_a_model_in_two_folders_or_under_two_names_is_listed_once(tmp_path: Path):
    path = write_named("clip_vision_l", tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "link.safetensors").symlink_to(path)
    config = ModelPathConfig(clip_vision_paths=[tmp_path / "a", tmp_path / "b"], other_paths=[tmp_path, path])

    found = find_models(config, everything=True)

    assert [model.name for model in found] == ["clip_vision_l.safetensors"]


def test_a_link_that_leads_nowhere_is_listed_with_the_cure(tmp_path: Path):
    (tmp_path / "gone.safetensors").symlink_to(tmp_path / "nothing.safetensors")

    (model,) = find_models(ModelPathConfig(other_paths=tmp_path))

    assert "leads nowhere" in model.problem


def test_a_file_that_disappears_between_listing_and_reading_hides_no_other(tmp_path: Path, monkeypatch):
    for name in ("clip_vision_g", "clip_vision_h", "clip_vision_l"):
        write_named(name, tmp_path)
    gone = tmp_path / "clip_vision_h.safetensors"
    is_file = os.path.isfile

    def is_file_and_then_gone(path: str) -> bool:
        answer = is_file(path)
        if Path(path) == gone and answer:
            gone.unlink()
        return answer

    monkeypatch.setattr(os.path, "isfile", is_file_and_then_gone)
    found = find_models(ModelPathConfig(clip_vision_paths=tmp_path))

    assert [(model.name, bool(model.problem)) for model in found] == [
        ("clip_vision_g.safetensors", False), ("clip_vision_h.safetensors", True), ("clip_vision_l.safetensors", False),
    ]  # fmt: skip


def test_folders_that_do_not_exist_hold_nothing(tmp_path: Path):
    assert find_models(ModelPathConfig(other_paths=[tmp_path / "gone"])) == []
    assert find_models(ModelPathConfig()) == []


def test_a_name_of_any_script_is_kept(tmp_path: Path):
    os.rename(write_named("clip_vision_l", tmp_path), tmp_path / "視覚 é.safetensors")

    (model,) = find_models(ModelPathConfig(other_paths=tmp_path))

    assert model.name == "視覚 é.safetensors"


def test_a_model_as_a_dictionary_has_every_field_and_is_valid_json(tmp_path: Path):
    path = write_named("hf_folder", tmp_path)

    (model,) = find_models(ModelPathConfig(other_paths=tmp_path))
    facts_of = json.loads(json.dumps(model.to_dict()))

    assert facts_of["name"] == "hf_folder"
    assert facts_of["info"]["vision"]["width"] == 768
    assert facts_of["info"]["files"] == [str(path / "model.safetensors")]
    assert facts_of["info"]["sources"]["activation"] == "config"
    assert facts_of["unknown"] == list(model.info.unknown)
    assert set(facts_of["info"]) == set(type(model.info).__dataclass_fields__) - {"digest", "states"}


def test_the_folders_searched_are_those_of_the_machine_when_none_are_given(tmp_path, monkeypatch):
    hub = tmp_path / "hub" / "models--a--b" / "snapshots" / "1"
    write_named("hf_folder", hub.parent)
    os.rename(hub.parent / "hf_folder", hub)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))

    names = [model.name for model in find_models()]

    assert "a/b" in names


def test_folders_of_kinds_that_hold_no_clip_are_not_searched():
    assert not {kind.value for kind in catalog.SEARCHED_TYPES} & {"lora", "vae", "controlnet", "upscaler", "ipadapter"}
