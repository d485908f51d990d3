"""Tests: the loader offers the models in the host's folders, and reads each file only once."""

from __future__ import annotations

import json
import os

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from clip_grid.clip_backend.finding.catalog import inspect_model
from clip_grid.nodes.models.choice import ModelList
from safetensors.torch import save_file

from .model_files import offered_names, write_model


def test_files_are_offered_if_they_hold_a_model(host, model):
    (model.parent / "clip_vision_h.safetensors").write_text("<html>not found</html>")
    save_file({"weight": torch.zeros(2, 2)}, model.parent / "lora.safetensors")

    assert [name for name in offered_names() if name != "shapes-demo"] == ["tiny.safetensors"]


def test_the_demo_is_not_preselected_where_no_model_is_found(host):
    assert offered_names() == ["none found", "shapes-demo"]


def test_the_demo_is_not_preselected_where_a_model_is_found(host, model):
    assert offered_names() == ["tiny.safetensors", "shapes-demo"]


def test_models_of_equal_names_get_their_folder_in_front(host, model):
    write_model(host.models_folder / "checkpoints" / "tiny.safetensors", seed=1)

    assert offered_names()[:2] == ["clip_vision/tiny.safetensors", "checkpoints/tiny.safetensors"]


def test_headers_are_read_again_only_when_a_file_changed(host, model):
    now = 0.0
    model_list = ModelList(clock=lambda: now)
    first = model_list.models(host.model_folders)
    now = 10.0
    assert model_list.models(host.model_folders) is first

    write_model(model.parent / "new.safetensors")
    assert model_list.models(host.model_folders) is first
    now = 20.0

    assert list(model_list.models(host.model_folders)) == ["new.safetensors", "tiny.safetensors"]


def test_only_the_file_that_changed_is_read_again(host, model):
    now, read_now = 0.0, []

    def read_header(candidate, kind):
        read_now.append(candidate.name)
        return inspect_model(candidate, kind)

    model_list = ModelList(clock=lambda: now, read=read_header)

    def files_read_now():
        nonlocal now
        now += 10
        read_now.clear()
        model_list.models(host.model_folders)
        return read_now

    write_model(model.with_name("other.safetensors"), seed=1)
    assert sorted(files_read_now()) == ["other.safetensors", "tiny.safetensors"]
    assert files_read_now() == []
    write_model(model.with_name("third.safetensors"), seed=2)
    assert files_read_now() == ["third.safetensors"]
    os.utime(model, ns=(1, 1))
    assert files_read_now() == ["tiny.safetensors"]
    model.with_name("other.safetensors").unlink()
    assert files_read_now() == []
    assert list(model_list.models(host.model_folders)) == ["third.safetensors", "tiny.safetensors"]


def test_a_changed_json_file_beside_a_model_counts_at_once(host, model):
    now = 0.0
    model_list = ModelList(clock=lambda: now)
    assert model_list.models(host.model_folders)["tiny.safetensors"].activation == "quick_gelu"
    sidecar = model.with_name("tiny.clip.json")

    for activation in ("gelu", "gelu_tanh"):
        sidecar.write_text(json.dumps({"activation": activation}), "utf-8")
        now += 10
        assert model_list.models(host.model_folders)["tiny.safetensors"].activation == activation
