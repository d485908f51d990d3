"""``clip-grid models``: what is on stdout, what on stderr, and the exit statuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from clip_grid.cli import main

from .clip_backend.checkpoints.layout_files import OTHER_MODELS, layout_named, write_layout
from .clip_backend.checkpoints.safetensors_files import write_sparse

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder of a vision tower, a whole CLIP, a broken file and something else."""
    folder = tmp_path / "models"
    for name in ("clip_vision_h", "hf_b32"):
        write_layout(layout_named(name), folder)
    (folder / "broken.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    write_sparse(folder / "t5.safetensors", {name: ("F16", shape) for name, shape in OTHER_MODELS["t5"]().items()})
    return folder


def test_the_table_is_on_stdout_and_the_talk_on_stderr(models: Path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")

    status = main(["models", str(models)])

    out, err = capsys.readouterr()
    assert status == 0
    lines = out.splitlines()
    assert lines[0].split() == ["name", "family", "towers", "size", "embeds", "dtype", "file"]
    assert "problem: " in out and "LFS" in out
    assert any(line.split()[:4] == ["hf_b32.safetensors", "clip", "vision+text", "ViT-B/32"] for line in lines)
    assert "t5" not in out
    assert err == "note: 1 file is no CLIP model; --all lists what was left out\n"


def test_all_lists_the_rest_with_reasons(models: Path, capsys):
    status = main(["models", "--all", str(models)])

    out, err = capsys.readouterr()
    assert (status, err) == (0, "")
    assert "t5.safetensors" in out


@pytest.mark.parametrize("width", [80, 100])
def test_the_table_fits_the_terminal(models: Path, capsys, monkeypatch, width: int):
    monkeypatch.setenv("COLUMNS", str(width))
    (models / ("wide-" * 30 + ".safetensors")).write_bytes(b"")

    main(["models", str(models), "--all"])

    assert max(map(len, capsys.readouterr().out.splitlines())) <= width


def test_json_holds_every_fact_and_nothing_else_is_on_stdout(models: Path, capsys):
    status = main(["models", str(models), "--json", "--quiet"])

    out, err = capsys.readouterr()
    report = json.loads(out)
    found = {model["name"]: model for model in report["models"]}
    assert (status, err) == (0, "")
    assert sorted(found) == ["broken.safetensors", "clip_vision_h.safetensors", "hf_b32.safetensors"]
    assert found["broken.safetensors"]["info"] is None
    assert found["clip_vision_h.safetensors"]["info"]["vision"]["width"] == 1280
    assert "activation" in found["clip_vision_h.safetensors"]["unknown"]
    assert found["clip_vision_h.safetensors"]["info"]["sources"]["activation"] == "assumed"


def test_a_comfyui_is_searched_by_its_root(tmp_path, capsys):
    root = tmp_path / "ComfyUI"
    (root / "custom_nodes").mkdir(parents=True)
    write_layout(layout_named("hf_b32"), root / "models" / "clip_vision")

    assert main(["models", "--comfyui", str(root), "--quiet"]) == 0
    assert "hf_b32.safetensors" in capsys.readouterr().out


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_nothing_found_is_said_with_the_cure(tmp_path, capsys, flags: list[str]):
    status = main(["models", str(tmp_path), *flags])

    out, err = capsys.readouterr()
    assert status == 1
    assert json.loads(out)["models"] == [] if flags else out == ""
    assert err.startswith(f"error: there is no CLIP model in {tmp_path}; give the folder")
    assert err.count("\n") == 1


def test_a_folder_that_does_not_exist_is_one_line_on_stderr(tmp_path, capsys):
    assert main(["models", str(tmp_path / "nowhere")]) == 1

    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: there is no folder or file") and err.count("\n") == 1


def test_an_unknown_flag_is_wrong_usage():
    with pytest.raises(SystemExit) as stop:
        main(["models", "--nonsense"])
    assert stop.value.code == 2


def test_listing_models_does_not_import_torch(models: Path):
    code = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location("clip_grid", {str(ROOT / "__init__.py")!r},
                                              submodule_search_locations=[{str(ROOT)!r}])
sys.modules["clip_grid"] = package = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
from clip_grid.cli import main
status = main(["models", {str(models)!r}, "--json", "--quiet"])
print([name for name in ("torch", "safetensors", "transformers") if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)

    assert done.stderr == "[]\n"
    assert len(json.loads(done.stdout)["models"]) == 3
