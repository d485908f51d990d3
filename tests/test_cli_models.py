"""``clip-grid models``: what is on stdout, what on stderr, and the exit statuses."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from clip_grid.cli import main
from clip_grid.clip_backend.finding.names import default_model

from .clip_backend.checkpoints.layout_files import OTHER_MODELS, layout_named, write_layout
from .clip_backend.checkpoints.safetensors_files import write_sparse

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with an empty ComfyUI, whatever this one has; answers its folder of models."""
    root = tmp_path / "home" / "ComfyUI"
    (root / "models").mkdir(parents=True)
    (root / "custom_nodes").mkdir()
    monkeypatch.chdir(tmp_path / "home")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("CLIP_GRID_MODEL", raising=False)
    return root / "models"


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
    assert err.splitlines()[-1] == "note: 1 file is no CLIP model; --all lists what was left out"


def test_all_lists_the_rest_with_reasons(models: Path, capsys):
    status = main(["models", "--all", str(models)])

    out, err = capsys.readouterr()
    assert (status, err.count("\n")) == (0, 1)
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


# --- which one is used without --model


def test_the_model_that_is_used_without_a_name_is_marked(machine: Path, capsys):
    write_layout(layout_named("clip_vision_h"), machine / "clip_vision")
    write_layout(layout_named("hf_b32"), machine / "clip_vision")
    write_layout(layout_named("hf_l14"), machine / "text_encoders")

    assert main(["models"]) == 0
    out, err = capsys.readouterr()
    main(["models", "--json"])

    lines = out.splitlines()
    marked = [place for place, line in enumerate(lines) if line.strip() == "default: used without --model"]
    assert len(marked) == 1
    # a long path of the folder breaks the row of a model into two lines
    above = [line for line in lines[: marked[0]] if ".safetensors" in line]
    assert above[-1].startswith("hf_b32.safetensors")
    assert err == ""
    report = {model["name"]: model["is_default"] for model in json.loads(capsys.readouterr().out)["models"]}
    assert [name for name, is_default in report.items() if is_default] == ["hf_b32.safetensors"]
    assert default_model()[0] == machine / "clip_vision" / "hf_b32.safetensors"


def test_the_variable_moves_the_mark(machine: Path, capsys, monkeypatch):
    for name in ("hf_b32", "hf_l14"):
        write_layout(layout_named(name), machine / "clip_vision")
    monkeypatch.setenv("CLIP_GRID_MODEL", "hf_l14")

    main(["models", "--json"])

    report = json.loads(capsys.readouterr().out)
    assert [model["name"] for model in report["models"] if model["is_default"]] == ["hf_l14.safetensors"]
    monkeypatch.setenv("CLIP_GRID_MODEL", "nobody/nothing")
    assert main(["models"]) == 0
    out, err = capsys.readouterr()
    assert "default:" not in out
    assert err.startswith("note: CLIP_GRID_MODEL names no model: there is no model 'nobody/nothing'")


def test_a_default_that_is_not_in_the_list_is_named_below_it(machine: Path, models: Path, capsys):
    write_layout(layout_named("hf_l14"), machine / "clip_vision")

    main(["models", str(models)])

    out, err = capsys.readouterr()
    assert "default:" not in out
    assert err.startswith("note: without --model, the model is hf_l14.safetensors\n")


def test_models_of_a_folder_that_is_not_searched_are_given_by_their_path(models: Path, capsys):
    main(["models", str(models)])

    err = capsys.readouterr().err
    assert f"give this one by its path: --model {models / 'hf_b32.safetensors'}\n" in err


def test_two_files_that_make_a_pair_are_named_with_the_command(machine: Path, tmp_path: Path, capsys):
    for folder in (machine / "clip_vision", tmp_path / "else where"):
        for name in ("clip_vision_g", "clip_g"):
            write_layout(layout_named(name), folder)

    main(["models"])
    by_name = capsys.readouterr().err
    main(["models", str(tmp_path / "else where")])
    by_path = capsys.readouterr().err

    assert "--model clip_vision_g.safetensors --text-encoder clip_g.safetensors\n" in by_name
    paths = (tmp_path / "else where" / name for name in ("clip_vision_g.safetensors", "clip_g.safetensors"))
    assert "--model '{}' --text-encoder '{}'\n".format(*paths) in by_path


def test_without_a_complete_model_the_command_that_fetches_one_is_told_and_works(
    machine: Path, tmp_path: Path, capsys, monkeypatch
):
    write_layout(layout_named("clip_vision_h"), machine / "clip_vision")
    main(["models"])
    err = capsys.readouterr().err
    command = re.search("clip-grid (models --download [^;]+);", err)
    snapshot = tmp_path / "hub" / "models--openai--clip-vit-large-patch14" / "snapshots" / ("0" * 40)

    def fetch(name: str) -> Path:
        assert name == "openai/clip-vit-large-patch14"
        return write_layout(layout_named("hf_l14"), snapshot)

    monkeypatch.setattr("clip_grid.commands.models.download_model", fetch)
    assert command and main(command[1].split()) == 0

    out, err = capsys.readouterr()
    assert "openai/clip-vit-large-patch14/hf_l14.safetensors" in out and "default: used without --model" in out
    assert err.startswith("note: openai/clip-vit-large-patch14 is in ")
