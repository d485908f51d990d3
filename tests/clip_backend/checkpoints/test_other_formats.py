"""Files that are no safetensors are recognised and refused with the cure, and nothing in them is run."""

from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path

import pytest
from clip_grid.clip_backend.checkpoints.read import read_checkpoint
from clip_grid.errors import CheckpointError, InputError

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1710671599\n"


@pytest.mark.parametrize(
    ("content", "what", "cure"),
    [
        (b"", "an empty file", "fetch it again"),
        (POINTER, "a Git LFS pointer", "git lfs pull"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "a web page", "fetch the file itself"),
        (b"\n  <html lang='en'>" + b" " * 50, "a web page", "fetch the file itself"),
        (b'{"error": "Repository not found"}', "a text or JSON file", "choose the file"),
        (b"Entry not found", "a text or JSON file", "choose the file"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "a picture", "choose the file"),
        (b"\x1f\x8b\x08" + b"\0" * 50, "a gzip archive", "unpack"),
        (b"\0" * 5000, "nothing but zeros", "fetch it again"),
        (b"\x08\0\0", "cut short", "fetch it again"),
        (b"just some text that is no model at all", "no safetensors file", "choose a model"),
        (b"PK\x03\x04" + b"x" * 60, "damaged or cut short", "fetch it again"),
        ((2**62).to_bytes(8, "little") + b'{"a": 1}', "header claims", "fetch it again"),
        ((500).to_bytes(8, "little") + b'{"a": {}}', "cut short", "fetch it again"),
    ],
)
def test_what_is_no_model_is_refused_with_the_cure(content: bytes, what: str, cure: str, tmp_path: Path):
    path = tmp_path / "модель.safetensors"
    path.write_bytes(content)

    with pytest.raises(CheckpointError, match=what) as caught:
        read_checkpoint(path)

    assert str(path) in str(caught.value)
    assert cure in caught.value.reason


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(CheckpointError, match="not there"):
        read_checkpoint(tmp_path / "gone.safetensors")


def test_gguf_is_recognised_and_refused(tmp_path: Path):
    path = tmp_path / "clip.gguf"
    path.write_bytes(b"GGUF\x03\0\0\0" + b"\0" * 100)

    info = read_checkpoint(path)

    assert (info.layout, info.family) == ("gguf", "other")
    assert "safetensors file of the same model" in info.problem


def test_pickles_of_torch_are_recognised_and_not_opened(tmp_path: Path):
    torch = pytest.importorskip("torch")
    torch.save({"a": torch.zeros(3)}, tmp_path / "new.pt")
    torch.save({"a": torch.zeros(3)}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)

    new, old = read_checkpoint(tmp_path / "new.pt"), read_checkpoint(tmp_path / "old.pth")

    assert (new.layout, old.layout) == ("pickle", "pickle")
    assert "may run code" in new.problem
    assert "old pickle" in old.problem


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_programs_of_torch_are_recognised_and_refused(tmp_path: Path):
    torch = pytest.importorskip("torch")
    module = torch.nn.Linear(2, 2)
    torch.jit.save(torch.jit.trace(module, torch.zeros(1, 2)), tmp_path / "ViT-B-32.pt")
    torch.export.save(torch.export.export(module, (torch.zeros(1, 2),)), tmp_path / "x.pt2")

    script = read_checkpoint(tmp_path / "ViT-B-32.pt", allow_pickle=True)
    program = read_checkpoint(tmp_path / "x.pt2", allow_pickle=True)

    assert (script.layout, program.layout) == ("torchscript", "pt2")
    assert "TorchScript" in script.problem
    assert ".pt2" in program.problem


def test_a_pickle_is_never_unpickled(tmp_path: Path):
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return pytest.fail, ("it was run",)

    (tmp_path / "a.pkl").write_bytes(pickle.dumps(Bomb(), protocol=2))
    with zipfile.ZipFile(tmp_path / "b.bin", "w") as archive:
        archive.writestr("x/data.pkl", pickle.dumps(Bomb(), protocol=2))

    assert read_checkpoint(tmp_path / "a.pkl", allow_pickle=True).problem
    assert read_checkpoint(tmp_path / "b.bin", allow_pickle=True).problem


def test_a_zip_bomb_is_refused(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "x.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", b"\x80\x02}.")
        archive.writestr("x/data/0", b"\0" * 1_000_000)

    with pytest.raises(CheckpointError, match="compressed, as torch never does; do not use it"):
        read_checkpoint(tmp_path / "x.pt")


def test_another_zip_is_no_model(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")

    assert "without weights" in read_checkpoint(tmp_path / "x.zip").problem


CONFIG = {"model_type": "clip", "projection_dim": 768,
          "vision_config": {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16,
                            "intermediate_size": 4096, "patch_size": 14},
          "text_config": {"hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072}}  # fmt: skip


def pickle_folder(folder: Path, config: object) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    with zipfile.ZipFile(folder / "pytorch_model.bin", "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}.")
    return folder


def test_the_sizes_of_a_pickle_come_from_its_config(tmp_path: Path):
    folder = pickle_folder(tmp_path / "clip", CONFIG)

    refused = read_checkpoint(folder)
    info = read_checkpoint(folder, allow_pickle=True)

    assert "may run code" in refused.problem
    assert (info.problem, info.layout, info.family, info.projection) == ("", "hf-clip", "clip", 768)
    assert info.vision and (info.vision.width, info.vision.tokens, info.vision.heads) == (1024, 257, 16)
    assert info.text and (info.text.layers, info.text.context, info.text.vocabulary) == (12, 77, 49408)
    assert (info.activation, info.sources["activation"]) == ("quick_gelu", "config")
    assert info.sources["shapes"] == "config"
    assert info.space == "openai/clip-vit-large-patch14"


def test_a_pickle_without_a_config_asks_for_one(tmp_path: Path):
    folder = pickle_folder(tmp_path / "clip", CONFIG)
    (folder / "config.json").unlink()

    assert "config.json" in read_checkpoint(folder, allow_pickle=True).problem


@pytest.mark.parametrize("value", [0, -1, "x", None, 1.5, True, 10**12])
def test_a_config_with_impossible_sizes_is_refused(value: object, tmp_path: Path):
    config = CONFIG | {"vision_config": {"hidden_size": value}}

    with pytest.raises(CheckpointError, match="hidden_size"):
        read_checkpoint(pickle_folder(tmp_path / "clip", config), allow_pickle=True)


def test_what_the_config_of_a_pickle_states_and_cannot_be_obeyed_refuses_it(tmp_path: Path):
    config = {**CONFIG, "vision_config": {**CONFIG["vision_config"], "hidden_act": "relu"}}

    info = read_checkpoint(pickle_folder(tmp_path / "clip", config), allow_pickle=True)

    assert "config.json: activation is 'relu'; give one of" in info.problem


def test_an_argument_overrides_the_config_of_a_pickle(tmp_path: Path):
    folder = pickle_folder(tmp_path / "clip", CONFIG)

    info = read_checkpoint(folder, allow_pickle=True, text_heads=8)

    assert info.text and (info.text.heads, info.sources["text_heads"]) == (8, "argument")
    with pytest.raises(InputError, match="7 heads do not divide a width of 768"):
        read_checkpoint(folder, allow_pickle=True, text_heads=7)
