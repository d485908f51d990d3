"""Tests: what the host asks of ComfyUI, with stand-ins for ComfyUI's modules."""

from __future__ import annotations

import sys
import types

import pytest
from clip_grid.nodes.host.comfy import ComfyHost


def stub(monkeypatch, **modules):
    """Modules of ComfyUI with these attributes; ``a__b`` stands for ``a.b``."""
    for name, attributes in modules.items():
        full = name.replace("__", ".")
        module = types.ModuleType(full)
        module.__dict__.update(attributes)
        monkeypatch.setitem(sys.modules, full, module)
        parent, _, last = full.rpartition(".")
        if parent:
            setattr(sys.modules[parent], last, module)


def test_embeddings_are_stored_in_the_user_folder_unless_the_environment_variable_is_set(tmp_path, monkeypatch):
    stub(monkeypatch, folder_paths={"get_user_directory": lambda: str(tmp_path)})

    places = {}
    for value in ("", "off", str(tmp_path / "mine")):
        monkeypatch.setenv("CLIP_GRID_CACHE", value)
        places[value] = ComfyHost().embeddings_folder

    assert list(places.values()) == [tmp_path / "clip_grid" / "embeddings", None, tmp_path / "mine"]


def test_embeddings_of_comfyuis_own_models_are_cached_until_the_program_ends():
    assert ComfyHost().embeddings is ComfyHost().embeddings


def test_the_blocker_shows_no_error_in_the_browser(monkeypatch):
    class ExecutionBlocker:
        def __init__(self, message):
            self.message = message

    stub(monkeypatch, comfy_execution={}, comfy_execution__graph_utils={"ExecutionBlocker": ExecutionBlocker})

    assert ComfyHost().blocker().message is None


def test_the_routes_are_those_of_the_running_server(monkeypatch):
    table = []
    running = types.SimpleNamespace(instance=types.SimpleNamespace(routes=table))
    stub(monkeypatch, server={"PromptServer": running})

    assert ComfyHost().routes() is table


@pytest.mark.parametrize("attributes", [{}, {"PromptServer": types.SimpleNamespace()}])
def test_a_module_of_another_server_has_no_routes(monkeypatch, attributes):
    stub(monkeypatch, server=attributes)

    assert ComfyHost().routes() is None


def test_without_a_server_there_are_no_routes_and_none_is_imported(monkeypatch):
    monkeypatch.delitem(sys.modules, "server", raising=False)

    assert ComfyHost().routes() is None and "server" not in sys.modules


def test_models_are_searched_in_all_of_comfyuis_model_folders(tmp_path, monkeypatch):
    vision = [str(tmp_path / "a"), str(tmp_path / "yaml")]
    known = {"clip_vision": (vision, {".bin"}), "llm": ([str(tmp_path / "l")], set())}
    stub(monkeypatch, folder_paths={"folder_names_and_paths": known, "models_dir": str(tmp_path / "models")})
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))

    config = ComfyHost().model_folders

    assert config.get_paths("clip_vision") == [tmp_path / "a", tmp_path / "yaml", tmp_path / "models/clip_vision"]
    assert config.get_paths("llm") == [tmp_path / "l", tmp_path / "models/LLM"]
    assert config.get_paths("hub") == [tmp_path / "hub"]
    assert config.get_paths("lora") == []


class Patcher:
    """As much of ComfyUI's ModelPatcher as a placement uses."""

    def __init__(self, model, load_device, offload_device):
        self.model, self.load_device, self.offload_device = model, load_device, offload_device

    def detach(self):
        self.model.to(self.offload_device)


@pytest.fixture
def management(monkeypatch):
    """ComfyUI's model management, as far as a placement uses it, and what it was asked for."""
    torch = pytest.importorskip("torch")
    asked = []
    cpu = torch.device("cpu")
    state = types.SimpleNamespace(NO_VRAM="no", NORMAL_VRAM="normal")
    stub(
        monkeypatch,
        comfy={},
        comfy__model_patcher={"ModelPatcher": Patcher},
        comfy__model_management={
            "OOM_EXCEPTION": torch.OutOfMemoryError,
            "VRAMState": state,
            "vram_state": state.NORMAL_VRAM,
            "text_encoder_device": lambda: torch.device("meta"),
            "text_encoder_offload_device": lambda: cpu,
            "soft_empty_cache": lambda: asked.append("empty"),
            "throw_exception_if_processing_interrupted": lambda: asked.append("interrupt?"),
            "load_models_gpu": lambda models, **how: asked.append((models[0].load_device.type, how)),
        },
    )
    module = sys.modules["comfy.model_management"]
    module.asked = asked
    return module


def test_before_every_batch_an_interrupt_is_checked_and_the_whole_model_loaded(management):
    import torch

    placement = ComfyHost().place_model(torch.nn.Linear(2, 2))
    placement.ready(1000)

    assert placement.device.type == "meta"
    assert management.asked == ["interrupt?", ("meta", {"memory_required": 1000, "force_full_load": True})]


def test_a_model_of_comfyui_may_be_loaded_in_parts(management):
    import torch

    ComfyHost().place_patcher(Patcher(None, torch.device("cpu"), torch.device("cpu"))).ready(7)

    assert management.asked[1] == ("cpu", {"memory_required": 7, "force_full_load": False})


def test_a_model_that_does_not_fit_moves_to_the_cpu_for_good(management):
    import torch

    placement = ComfyHost().place_model(torch.nn.Linear(2, 2))
    placement.move_to_cpu()
    placement.ready(1)

    assert placement.device.type == "cpu" and management.asked[0] == "empty"
    assert management.asked[-1][0] == "cpu"


def test_who_uses_comfyuis_model_is_told_the_patcher_that_computes_on_the_cpu(management):
    import torch

    told = []
    placement = ComfyHost().place_patcher(Patcher(torch.nn.Linear(2, 2), torch.device("meta"), "cpu"), told.append)
    placement.move_to_cpu()
    placement.ready(1)

    (patcher,) = told
    assert patcher.load_device.type == "cpu" and management.asked[-1][0] == "cpu"


def test_with_no_vram_our_models_compute_on_the_cpu(management):
    management.vram_state = management.VRAMState.NO_VRAM

    assert ComfyHost().model_device.type == "cpu"


def test_only_errors_that_comfyui_calls_out_of_memory_count_as_such(management):
    import torch

    placement = ComfyHost().place_model(torch.nn.Linear(2, 2))
    errors = (torch.OutOfMemoryError("x"), MemoryError(), RuntimeError("x"))

    assert [placement.is_out_of_memory(error) for error in errors] == [True, True, False]
    assert placement.is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"))
    management.is_oom = lambda error: "accelerator" in str(error)
    assert placement.is_out_of_memory(RuntimeError("accelerator"))
    management.OOM_EXCEPTION = Exception
    del management.is_oom
    assert not placement.is_out_of_memory(RuntimeError("x"))


def test_comfyui_can_set_attributes_on_the_model_it_moves(management):
    import torch

    class Tower(torch.nn.Linear):
        @property
        def device(self):
            return self.weight.device

    patcher = ComfyHost().place_model(Tower(2, 2))._patcher
    patcher.model.device = "cuda"

    assert type(patcher.model).__name__ == "Tower" and len(patcher.model.state_dict()) == 2
