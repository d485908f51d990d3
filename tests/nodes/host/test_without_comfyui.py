"""Tests: the documented way to run nodes without ComfyUI works, and without it nodes say what to do."""

from __future__ import annotations

import logging
import re
import runpy
import sys
from pathlib import Path

import clip_grid
import pytest
from clip_grid.errors import MissingPackage
from clip_grid.nodes.host import get_host, set_host
from clip_grid.nodes.host.comfy import ComfyHost
from clip_grid.nodes.host.fake import FakeHost, Interrupted

ROOT = Path(clip_grid.__file__).resolve().parent


def test_the_example_of_the_documentation_runs(tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch")
    pytest.importorskip("tokenizers")
    section = (ROOT / "docs" / "comfyui.md").read_text("utf-8").partition("## Testing without ComfyUI")[2]
    code = re.search("```python\n(.*?)```", section, re.DOTALL)
    assert code
    monkeypatch.chdir(tmp_path)
    usual = get_host()

    (tmp_path / "example.py").write_text(code[1], "utf-8")
    runpy.run_path(str(tmp_path / "example.py"))

    declared, files, verdicts = capsys.readouterr().out.splitlines()
    assert declared.startswith("('INT', ")
    assert "ClipGrid_00001_.png" in files
    assert (tmp_path / "test-folder" / "output" / "ClipGrid_00001_.png").stat().st_size > 0
    assert len(re.findall(r"'\w+'", verdicts)) == 2
    assert get_host() is usual


def test_a_fake_host_stops_a_run_as_a_user_would(tmp_path):
    pytest.importorskip("torch")
    import torch

    host = FakeHost(str(tmp_path), interrupt_after=1)
    before = set_host(host)
    try:
        with pytest.raises(Interrupted):
            node = clip_grid.NODE_CLASS_MAPPINGS["ClipGrid_LabeledGridExporter"]()
            node.execute(images=[torch.rand(3, 16, 16, 3)])
    finally:
        set_host(before)
    assert host.steps[-1][0] >= 1
    assert list(host.folders.output.iterdir()) == []


@pytest.fixture
def no_comfyui(monkeypatch):
    """The real host, where no ComfyUI is."""
    monkeypatch.setitem(sys.modules, "folder_paths", None)
    before = set_host(ComfyHost())
    yield
    set_host(before)


@pytest.mark.usefixtures("no_comfyui")
@pytest.mark.parametrize("node_id", list(clip_grid.NODE_CLASS_MAPPINGS))
def test_inputs_are_declared_without_comfyui(node_id, caplog):
    with caplog.at_level(logging.CRITICAL):
        declared = clip_grid.NODE_CLASS_MAPPINGS[node_id].INPUT_TYPES()

    assert declared.get("required") or declared.get("optional")
    if node_id == "ClipGrid_CLIPModelLoader":
        assert declared["required"]["model"][0] == ["none found", "shapes-demo"]


@pytest.mark.usefixtures("no_comfyui")
def test_a_node_that_needs_comfyui_says_how_to_test_it_without():
    with pytest.raises(MissingPackage, match=r"call set_host\(FakeHost\(folder\)\)"):
        _ = get_host().folders
