"""Tests: which paths a workflow may name, how the fake host counts files like ComfyUI, and where models go."""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path

import pytest
from clip_grid.errors import ForbiddenPath, InputError
from clip_grid.nodes.host.comfy import ComfyHost
from clip_grid.nodes.host.fake import FakeHost


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    return Path(os.path.realpath(path))


def test_a_relative_path_is_looked_for_in_the_input_folder_first_then_in_the_output_folder(tmp_path):
    host = FakeHost(tmp_path)
    in_both, only_output = touch(tmp_path / "input/a.csv"), touch(tmp_path / "output/b.csv")
    touch(tmp_path / "output/a.csv")

    assert host.folders.find("a.csv") == in_both
    assert host.folders.find("b.csv") == only_output


def test_a_mark_names_the_folder(tmp_path):
    host = FakeHost(tmp_path)
    touch(tmp_path / "input/a.csv")
    wanted = touch(tmp_path / "output/a.csv")

    assert host.folders.find("a.csv [output]") == wanted


@pytest.mark.parametrize("written", ['"sub/a.csv"', "  sub/a.csv ", "'sub\\a.csv'", "sub\\a.csv"])
def test_a_path_may_be_quoted_and_use_backslashes(tmp_path, written):
    host = FakeHost(tmp_path)

    assert touch(tmp_path / "input/sub/a.csv") == host.folders.find(written)


def test_an_absolute_path_inside_an_allowed_folder_is_accepted(tmp_path):
    host = FakeHost(tmp_path, extra=(tmp_path / "added",))
    inside = touch(tmp_path / "added/deep/a.csv")

    assert host.folders.find(str(inside)) == inside
    assert host.folders.find("deep/a.csv") == inside


@pytest.mark.parametrize(
    "written", ["../secret.csv", "{root}/secret.csv", "a/../../secret.csv", "../secret.csv [temp]"]
)
def test_a_path_outside_is_forbidden_whether_it_exists_or_not(tmp_path, written):
    host = FakeHost(tmp_path)
    text = written.format(root=tmp_path)

    with pytest.raises(ForbiddenPath, match="extra_model_paths"):
        host.folders.find(text)
    touch(tmp_path / "secret.csv")
    with pytest.raises(ForbiddenPath):
        host.folders.find(text)


def test_a_folder_whose_name_only_begins_like_an_allowed_one_is_outside(tmp_path):
    host = FakeHost(tmp_path)
    touch(tmp_path / "input2/a.csv")

    with pytest.raises(ForbiddenPath):
        host.folders.find(str(tmp_path / "input2/a.csv"))


def test_a_link_that_leads_outside_is_forbidden(tmp_path):
    host = FakeHost(tmp_path)
    touch(tmp_path / "secret.csv")
    (tmp_path / "input/link.csv").symlink_to(tmp_path / "secret.csv")

    with pytest.raises(ForbiddenPath):
        host.folders.find("link.csv")


def test_a_home_folder_sign_is_not_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "input"))
    touch(tmp_path / "input/a.csv")

    with pytest.raises(InputError, match="no file or folder"):
        FakeHost(tmp_path).folders.find("~/a.csv")


@pytest.mark.parametrize("written", ["", "  ", '""', "a\0b"])
def test_what_is_no_path_is_refused(tmp_path, written):
    with pytest.raises(InputError, match="not a path"):
        FakeHost(tmp_path).folders.find(written)


def test_a_missing_file_is_named_with_the_places_that_were_searched(tmp_path):
    with pytest.raises(InputError, match=r"'no\.csv'.*input.*output"):
        FakeHost(tmp_path).folders.find("no.csv")


def test_a_pattern_means_the_folders_that_it_matches_in_order_of_their_names(tmp_path):
    host = FakeHost(tmp_path)
    for name in ("b", "a", "c"):
        touch(tmp_path / "input/parent" / name / "x.png")
    touch(tmp_path / "input/parent/file.txt")

    found = host.folders.find_directories("parent/*")

    assert [path.name for path in found] == ["a", "b", "c"]


def test_a_folder_with_brackets_in_its_name_is_no_pattern(tmp_path):
    host = FakeHost(tmp_path)
    touch(tmp_path / "input/cats [2024]/x.png")

    assert [path.name for path in host.folders.find_directories("cats [2024]")] == ["cats [2024]"]


@pytest.mark.parametrize("pattern", ["{root}/*", "*/../../*", "../*"])
def test_a_pattern_cannot_lead_outside(tmp_path, pattern):
    host = FakeHost(tmp_path)
    touch(tmp_path / "input/a/x.png")

    with pytest.raises(ForbiddenPath):
        host.folders.find_directories(pattern.format(root=tmp_path))


def test_a_pattern_leaves_out_links_that_lead_outside(tmp_path):
    host = FakeHost(tmp_path)
    touch(tmp_path / "input/parent/a/x.png")
    touch(tmp_path / "elsewhere/x.png")
    (tmp_path / "input/parent/b").symlink_to(tmp_path / "elsewhere")

    assert [path.name for path in host.folders.find_directories("parent/*")] == ["a"]


def test_a_file_is_no_directory(tmp_path):
    host = FakeHost(tmp_path)
    touch(tmp_path / "input/a.csv")

    with pytest.raises(InputError, match="is a file"):
        host.folders.find_directories("a.csv")


def test_the_fake_host_counts_on_from_the_largest_number_of_the_prefix(tmp_path):
    host = FakeHost(tmp_path)
    touch(tmp_path / "output/sub/a_00007_.png")
    touch(tmp_path / "output/sub/a_b_00009_.png")

    place = host.save_place("sub/a", 10, 20)

    assert (place.stem, place.counter, place.subfolder) == ("a", 8, "sub")
    assert host.save_place("%width%x%height%", 10, 20).stem == "10x20"


@pytest.mark.parametrize("prefix", ["../a", "/tmp/a", "sub/../../a"])
def test_a_prefix_cannot_leave_the_output_folder(tmp_path, prefix):
    with pytest.raises(ForbiddenPath, match="filename_prefix"):
        FakeHost(tmp_path).save_place(prefix, 1, 1)


# models in ComfyUI


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


def test_embeddings_are_kept_in_the_users_folder_unless_the_environment_says_otherwise(tmp_path, monkeypatch):
    stub(monkeypatch, folder_paths={"get_user_directory": lambda: str(tmp_path)})

    places = {}
    for value in ("", "off", str(tmp_path / "mine")):
        monkeypatch.setenv("CLIP_GRID_CACHE", value)
        places[value] = ComfyHost().embeddings_folder

    assert list(places.values()) == [tmp_path / "clip_grid" / "embeddings", None, tmp_path / "mine"]


def test_embeddings_of_comfyuis_own_models_stay_for_as_long_as_the_program_runs():
    assert ComfyHost().embeddings is ComfyHost().embeddings


def test_what_follows_is_blocked_without_an_error_in_the_browser(monkeypatch):
    class ExecutionBlocker:
        def __init__(self, message):
            self.message = message

    stub(monkeypatch, comfy_execution={}, comfy_execution__graph_utils={"ExecutionBlocker": ExecutionBlocker})

    assert ComfyHost().blocker().message is None


def test_models_are_looked_for_wherever_comfyui_keeps_them(tmp_path, monkeypatch):
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


def test_before_every_batch_the_user_may_stop_and_comfyui_loads_the_whole_model(management):
    import torch

    placement = ComfyHost().place(torch.nn.Linear(2, 2))
    placement.ready(1000)

    assert placement.device.type == "meta"
    assert management.asked == ["interrupt?", ("meta", {"memory_required": 1000, "force_full_load": True})]


def test_a_model_of_comfyui_may_be_loaded_in_parts(management):
    import torch

    ComfyHost().place_core(Patcher(None, torch.device("cpu"), torch.device("cpu"))).ready(7)

    assert management.asked[1] == ("cpu", {"memory_required": 7, "force_full_load": False})


def test_without_room_on_the_device_the_processor_computes_for_good(management):
    import torch

    placement = ComfyHost().place(torch.nn.Linear(2, 2))
    placement.move_to_cpu()
    placement.ready(1)

    assert placement.device.type == "cpu" and management.asked[0] == "empty"
    assert management.asked[-1][0] == "cpu"


def test_a_card_that_is_to_hold_no_models_computes_none_of_ours(management):
    management.vram_state = management.VRAMState.NO_VRAM

    assert ComfyHost().model_device.type == "cpu"


def test_what_is_out_of_memory_is_comfyuis_word_and_never_every_error(management):
    import torch

    placement = ComfyHost().place(torch.nn.Linear(2, 2))
    errors = (torch.OutOfMemoryError("x"), MemoryError(), RuntimeError("x"))

    assert [placement.is_out_of_memory(error) for error in errors] == [True, True, False]
    management.is_oom = lambda error: "accelerator" in str(error)
    assert placement.is_out_of_memory(RuntimeError("accelerator"))
    management.OOM_EXCEPTION = Exception
    del management.is_oom
    assert not placement.is_out_of_memory(RuntimeError("x"))


def test_comfyui_may_write_on_what_it_moves(management):
    import torch

    class Tower(torch.nn.Linear):
        @property
        def device(self):
            return self.weight.device

    patcher = ComfyHost().place(Tower(2, 2))._patcher
    patcher.model.device = "cuda"

    assert type(patcher.model).__name__ == "Tower" and len(patcher.model.state_dict()) == 2
