"""The header of a safetensors file is read as the safetensors library reads it, and little more of the file."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from clip_grid.clip_backend.checkpoints.read import read_checkpoint
from clip_grid.clip_backend.checkpoints.safetensors_header import read_header
from clip_grid.errors import CheckpointError

from .layout_files import layout_named, write_layout
from .safetensors_files import CountingOpener, write_sparse

VALID = {"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "b": {"dtype": "F16", "shape": [], "data_offsets": [24, 26]}}  # fmt: skip


def written(path: Path, header: object, data: int = 26) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"\1" * data)
    return path


def test_tensors_have_their_dtype_shape_and_offsets(tmp_path: Path):
    path = written(tmp_path / "x.safetensors", VALID | {"__metadata__": {"format": "pt", "odd": 3}})

    tensors, metadata = read_header(path)

    start = path.stat().st_size - 26
    a, b = tensors["a"], tensors["b"]
    assert (a.dtype, a.shape, a.begin, a.end, a.count) == ("F32", (2, 3), start, start + 24, 6)
    assert (b.shape, b.begin, b.count) == ((), start + 24, 1)
    assert metadata == {"format": "pt"}


def test_the_library_itself_writes_what_is_read(tmp_path: Path):
    torch = pytest.importorskip("torch")
    save_file = pytest.importorskip("safetensors.torch").save_file
    tensors = {"x": torch.arange(6.0).reshape(2, 3), "y": torch.ones(4, dtype=torch.bfloat16)}
    save_file(tensors, tmp_path / "x.safetensors", metadata={"who": "me"})

    entries, metadata = read_header(tmp_path / "x.safetensors")

    assert {name: entry.shape for name, entry in entries.items()} == {"x": (2, 3), "y": (4,)}
    assert metadata == {"who": "me"}
    x = entries["x"]
    assert (tmp_path / "x.safetensors").read_bytes()[x.begin : x.end] == tensors["x"].numpy().tobytes()


def entry(**changes: object) -> dict[str, object]:
    return {"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]} | changes}


@pytest.mark.parametrize(
    ("header", "what"),
    [
        (entry(data_offsets=[0, 20]), "does not fit F32"),
        (entry(data_offsets=[2, 26]), "after a hole"),
        (entry(data_offsets=[24, 0]), "impossible"),
        (entry(data_offsets=[0]), "impossible"),
        (entry(data_offsets=[0, 24.0]), "no sound"),
        (entry(data_offsets=[-24, 0]), "no sound"),
        (entry(shape=[2, -3]), "no sound"),
        (entry(shape=[True, 6]), "no sound"),
        (entry(shape=[1] * 40), "impossible|does not fit"),
        (entry(shape=[2**40, 2**40]), "does not fit"),
        (entry(shape="23"), "no sound"),
        (entry(dtype=5), "no sound"),
        ({"a": 5}, "no entry"),
        ({}, "without a tensor"),
        ({"__metadata__": {}}, "without a tensor"),
        (VALID | {"c": {"dtype": "F16", "shape": [1], "data_offsets": [24, 26]}}, "overlaps"),
        (b'{"a": {"dtype":"U8","shape":[1],"data_offsets":[0,1]}, "a": {}}', "twice"),
        (b'{"a": NaN}', "no number"),
        (b'{"a": [}', "damaged"),
        (b'{"\xff": 1}', "damaged"),
        (b'{"a":' + b"[" * 100_000 + b"}", "nested too deeply|damaged"),
        (b'{"a": 1', "no end"),
    ],
)
def test_an_invalid_header_is_refused(header: object, what: str, tmp_path: Path):
    path = written(tmp_path / "x.safetensors", header)

    with pytest.raises(CheckpointError, match=what) as caught:
        read_header(path)

    assert "x.safetensors" in str(caught.value)


def test_a_file_that_was_cut_short_says_how_much_is_there(tmp_path: Path):
    path = written(tmp_path / "x.safetensors", VALID, data=10)
    size = path.stat().st_size

    with pytest.raises(CheckpointError, match=f"cut short: {size} of at least {size + 16} bytes"):
        read_header(path)


def test_bytes_after_the_last_tensor_are_refused(tmp_path: Path):
    with pytest.raises(CheckpointError, match="4 bytes after its last tensor"):
        read_header(written(tmp_path / "x.safetensors", VALID, data=30))


def test_an_unknown_dtype_is_accepted(tmp_path: Path):
    header = {"a": {"dtype": "F5_NEW", "shape": [100], "data_offsets": [0, 26]}}

    tensors, _ = read_header(written(tmp_path / "x.safetensors", header))

    assert tensors["a"].dtype == "F5_NEW"


@pytest.mark.parametrize("name", ["hf_bigg", "oc_bigg", "siglip2_g", "dinov2_g", "sdxl"])
def test_no_more_than_the_header_and_a_few_kilobytes_are_read(name: str, tmp_path: Path):
    path = write_layout(layout_named(name), tmp_path)
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
    opener = CountingOpener()

    info = read_checkpoint(path, opener=opener)

    # of a file of gigabytes
    assert info.size_bytes > 10**9
    assert 0 < opener.bytes - length < 100_000
    assert opener.reads < 100


def test_shards_are_one_model(tmp_path: Path):
    folder = write_layout(layout_named("hf_sharded"), tmp_path)
    shard = folder / "model-00002-of-00003.safetensors"

    whole, by_shard = read_checkpoint(folder), read_checkpoint(shard)

    assert len(whole.files) == 3
    assert by_shard.files == whole.files
    shard.unlink()
    with pytest.raises(CheckpointError, match=r"00002-of-00003\.safetensors is missing"):
        read_checkpoint(folder)


@pytest.mark.parametrize("name", ["../secret.safetensors", "/etc/passwd", "sub/x.safetensors", "x.bin"])
def test_an_index_cannot_lead_out_of_its_folder(name: str, tmp_path: Path):
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}), "utf-8")

    with pytest.raises(CheckpointError, match="no safetensors file beside it"):
        read_checkpoint(tmp_path)


def test_a_folder_of_several_models_is_refused_with_their_names(tmp_path: Path):
    for name in ("a", "b"):
        write_sparse(tmp_path / f"{name}.safetensors", {"x": ("F32", (1,))})

    with pytest.raises(CheckpointError, match=r"2 models \(a.safetensors, b.safetensors\); choose one"):
        read_checkpoint(tmp_path)
