"""``clip-grid export-model``: each target read back, what is printed, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
safetensors_torch = pytest.importorskip("safetensors.torch")
pytest.importorskip("tokenizers")

from clip_grid.api import load_encoder
from clip_grid.clip_backend.checkpoints.training import BEST
from clip_grid.clip_backend.encoding.cache import EncoderCache
from clip_grid.clip_backend.shapes_demo import shapes_demo_path

from ..clip_backend.learning.trained import embeddings, save_lora, save_weights
from .drawn import DEMO, Shell, draw_twelve

#: A folder of this name must not be found in any file.
MARKER = "marker-7f3a"
TEXTS = ["a red circle", "a large blue star"]
FOLDERS = ("hf", "open-clip", "peft")
TARGETS = (*FOLDERS, "kohya", "comfy-vision", "comfy-text")


def pictures() -> list[Image.Image]:
    return [Image.new("RGB", (50, 40), colour) for colour in ("red", "navy")]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a LoRA and trained weights of the bundled model, and pictures in two classes."""
    folder = tmp_path_factory.mktemp(MARKER) / MARKER
    folder.mkdir()
    save_lora(folder / "lora.safetensors", shapes_demo_path())
    save_weights(folder / "weights.safetensors", shapes_demo_path())
    draw_twelve(folder / "scenes")
    rows = [f"scenes/{number:02}.png,{'pale' if number % 2 else 'dark'}" for number in range(1, 13)]
    (folder / "classes.csv").write_text("\n".join(["image_path,label", *rows]) + "\n", "utf-8")
    return folder


@pytest.fixture
def there(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder as the current one."""
    monkeypatch.chdir(trained)
    return trained


@pytest.fixture
def runs(shell: Shell, there: Path) -> Path:
    """Two runs, made once: ``heads`` with a head, and ``lora-run`` with the LoRA in its place."""
    if not (there / "heads").exists():
        data = there / "classes.csv"
        answer = shell("train", data, "--out", there / "heads", "--method", "ridge", "--val", "0", "--test", "0", *DEMO)
        assert answer.status == 0, answer.err
        shutil.copytree(there / "heads", there / "lora-run")
        (there / "lora-run" / "head.safetensors").unlink()
        shutil.copy(there / "lora.safetensors", there / "lora-run" / BEST)
        run = json.loads((there / "lora-run" / "run.json").read_text("utf-8"))
        (there / "lora-run" / "run.json").write_text(json.dumps(run | {"method": "lora"}), "utf-8")
    return there


def read_back(target: str, out: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Unit vectors of pictures and of texts, as far as the export holds them, by our own loader."""
    given: dict[str, Any] = {"encoders": EncoderCache()}
    if target == "comfy-vision":
        return {"images": load_encoder(out, **given).encode_images(pictures()).to_features().vectors}
    if target == "comfy-text":
        # ComfyUI's files have no tokenizer, and ComfyUI brings OpenAI's: the bundled model has another
        whole = load_encoder(
            shapes_demo_path(), text_encoder=out, tokenizer=shapes_demo_path(), trust_space=True, **given
        )
        return {"texts": whole.encode_texts(TEXTS).vectors}
    base = {} if target in ("hf", "open-clip") else {"base": "shapes-demo"}
    images, texts = embeddings(load_encoder(out, **base, **given), pictures(), TEXTS)
    return {"texts": texts} if target == "kohya" else {"images": images, "texts": texts}


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_is_written_and_read_back_as_the_merged_model(
    shell: Shell, there: Path, tmp_path: Path, target: str
):
    out = tmp_path / ("out" if target in FOLDERS else "out.safetensors")

    answer = shell("export-model", "lora.safetensors", "--to", target, "--strength", "0.5", "--out", out)

    assert answer.status == 0, answer.err
    dtype = "fp16" if target.startswith("comfy") else "fp32"
    tensors = 36 if target == "peft" else 18 if target == "kohya" else None
    assert f"{dtype}," in answer.lines[0] and answer.lines[0].startswith(f"{out}: ")
    assert "strength 0.5" in answer.lines[0]
    assert tensors is None or f"{out}: {tensors} tensors" in answer.lines[0]
    assert ("largest change" in answer.out) == (target not in ("peft", "kohya"))
    merged = load_encoder("lora.safetensors", strength=0.5, encoders=EncoderCache())
    expected = dict(zip(("images", "texts"), embeddings(merged, pictures(), TEXTS), strict=True))
    for name, own in read_back(target, out).items():
        assert np.abs(own - expected[name]).max() <= (2e-3 if dtype == "fp16" else 1e-5), name


def test_transformers_opens_what_the_command_wrote(shell: Shell, there: Path, tmp_path: Path):
    answer = shell("export-model", "weights.safetensors", "--to", "hf", "--dtype", "fp16", "--out", tmp_path / "hf")
    assert answer.status == 0, answer.err

    model = transformers.CLIPModel.from_pretrained(tmp_path / "hf", dtype=torch.float32).eval()
    tokens = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        found = model.get_text_features(**tokens)
    found = torch.nn.functional.normalize(getattr(found, "pooler_output", found)).numpy()

    own = embeddings(load_encoder("weights.safetensors", encoders=EncoderCache()), pictures(), TEXTS)[1]
    assert np.abs(found - own).max() <= 2e-3
    stored = safetensors_torch.load_file(tmp_path / "hf" / "model.safetensors")
    assert {one.dtype for one in stored.values()} == {torch.float16}


def test_without_a_name_the_export_is_named_after_the_run_and_json_tells_it(
    shell: Shell, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)

    report = shell("export-model", runs / "lora-run", "--to", "kohya", "--json").json

    assert report["path"] == "lora-run-kohya.safetensors" and Path(report["path"]).is_file()
    assert (report["target"], report["dtype"], report["strength"]) == ("kohya", "fp32", 1.0)
    assert report["size_bytes"] <= Path(report["path"]).stat().st_size
    assert any("ComfyUI has no LoRA for CLIP_VISION" in note for note in report["notes"])


def test_what_cannot_be_exported_is_refused_with_the_cure(shell: Shell, runs: Path, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    refusals = {
        ("heads", "--to", "hf"): "heads trained no model: what it learnt is in heads/head.safetensors, which label",
        ("weights.safetensors", "--to", "peft"): "it holds whole weights, and peft is for a LoRA; export the merged",
        ("shapes-demo", "--to", "kohya"): "nothing was trained in it that kohya could hold; give a run with a LoRA",
        ("shapes-demo", "--to", "hf", "--strength", "1"): "is no run, LoRA or head, which alone take strength",
        ("lora.safetensors", "--to", "hf", "--out", tmp_path / "mine"): "holds notes.txt already; choose a new folder",
        ("lora.safetensors", "--to", "hf", "--base", "nowhere"): "nowhere",
        ("gone.safetensors", "--to", "hf"): "gone.safetensors",
    }

    for arguments, sentence in refusals.items():
        answer = shell("export-model", *arguments)
        assert (answer.status, answer.out) == (1, ""), arguments
        assert sentence in answer.err, arguments
    assert sorted(one.name for one in (tmp_path / "mine").iterdir()) == ["notes.txt"]


def test_no_export_run_head_or_lora_holds_a_path_of_this_machine(shell: Shell, runs: Path, tmp_path: Path):
    folder = tmp_path / MARKER
    folder.mkdir()
    for target in TARGETS:
        out = folder / (target if target in FOLDERS else f"{target}.safetensors")
        assert shell("export-model", runs / "lora-run", "--to", target, "--out", out).status == 0
    written = [
        runs / "lora.safetensors",
        runs / "weights.safetensors",
        *(runs / "heads").rglob("*"),
        *folder.rglob("*"),
    ]
    files = [one for one in written if one.is_file()]

    names = (
        "run.json split.json report.md report.json head.safetensors data_report.json findings.csv log.csv curves.png"
    )
    assert {*names.split(), "adapter_config.json", "config.json", "open_clip_config.json"} <= {
        one.name for one in files
    }
    for file in files:
        content = file.read_bytes()
        for name in (MARKER, str(tmp_path), str(Path.home()), str(shapes_demo_path().parent)):
            assert len(name) < 4 or name.encode() not in content, f"{file}: {name}"
            assert len(name) < 4 or name.encode("utf-16-le") not in content, f"{file}: {name}"


def rows_of(lines: list[str]) -> dict[str, str]:
    return {line.split("  ")[0]: line.partition("  ")[2].strip() for line in lines}


def test_info_says_what_a_run_a_lora_a_head_and_a_model_are(shell: Shell, runs: Path):
    found = {
        name: rows_of(shell("info", name).lines)
        for name in (
            "lora-run", "heads", "lora.safetensors", "weights.safetensors", "heads/head.safetensors", "shapes-demo",
        )
    }  # fmt: skip

    base = "shapes-demo (566c2f022b27cb33-065711c8c033abf6-f7cf39dbfbb6b7ea)"
    assert {one["learnt on"] for name, one in found.items() if name != "shapes-demo"} == {base}
    assert found["lora-run"]["run"] == "lora-run" and found["lora-run"]["method"] == "lora on classes: pale, dark"
    assert found["lora-run"]["changes"] == "vision and text: 18 weights, rank 3, strength 1"
    assert found["heads"]["head"] == "ridge, 2 classes, 12 pictures" == found["heads/head.safetensors"]["head"]
    assert found["heads/head.safetensors"]["ComfyUI's Load CLIP Vision"] == (
        "cannot open it: its vision encoder has 4 layers, and ComfyUI knows those with 24, 32 or 48"
    )
    assert "LoRA" in found["lora.safetensors"] and "head" in found["heads/head.safetensors"]
    loads = "opens the model; CLIP LoRA takes what was trained, from models/loras"
    assert found["lora-run"]["CLIP Model Loader"] == loads == found["weights.safetensors"]["CLIP Model Loader"]
    assert found["heads"]["CLIP Model Loader"] == "opens the model; Load Head takes the head, from input/heads"
    assert found["weights.safetensors"]["changes"] == "vision and text and scale: 4 weights, strength 1"
    assert found["shapes-demo"]["CLIP Model Loader"] == "opens the model" and "learnt on" not in found["shapes-demo"]


def test_info_as_json_has_the_same_and_a_base_that_is_not_here_is_no_error(shell: Shell, runs: Path):
    report = shell("info", "lora-run", "--json").json
    assert (report["kind"], report["run"]["method"]) == ("run", "lora")
    assert report["trained"] == {
        "kind": "lora", "changes": ["vision", "text"], "weights": 18, "ranks": [3], "strength": 1.0, "notes": [],
    }  # fmt: skip
    run = json.loads((runs / "lora-run" / "run.json").read_text("utf-8"))
    shutil.copytree(runs / "lora-run", runs / "orphan")
    run["base"] |= {"name": "my-clip.safetensors", "fingerprint": "12ab-34cd"}
    (runs / "orphan" / "run.json").write_text(json.dumps(run), "utf-8")

    answer = shell("info", "orphan")

    assert answer.status == 0
    assert "not here: orphan was learnt on my-clip.safetensors with the fingerprint 12ab" in answer.out
