"""An index by the API and the command line, with the bundled model and real files."""

from __future__ import annotations

import json
import os
import struct
from contextlib import closing
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from clip_grid.api import export_grid, open_encoder
from clip_grid.api.index import (
    default_index_folder,
    export_index,
    import_index,
    index_images,
    purge_index,
    status_of_index,
)
from clip_grid.cli import main
from clip_grid.clip_backend.search.database import FILE, open_for_reading
from clip_grid.clip_backend.search.vectors import read_vectors, vector_file
from clip_grid.errors import InputError
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo
from safetensors import safe_open
from safetensors.numpy import save_file

MODEL = "shapes-demo"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLIP_GRID_INDEX", str(tmp_path / "index"))
    return tmp_path / "index"


@pytest.fixture
def renders(tmp_path: Path) -> Path:
    """Four pictures with generation data, and one broken file."""
    folder = tmp_path / "renders"
    folder.mkdir()
    for n, color in enumerate(("red", "blue", "green", "yellow")):
        image = Image.new("RGB", (96, 64), "white")
        ImageDraw.Draw(image).ellipse((20, 10, 60, 50), color)
        texts = PngInfo()
        texts.add_text(
            "parameters", f"a {color} circle\nNegative prompt: blurry\nSteps: 20, Seed: {40 + n}, CFG scale: 7"
        )
        image.save(folder / f"{n}.png", pnginfo=texts)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    for path in folder.iterdir():
        # what had just changed would be read again at the next update
        os.utime(path, (1_600_000_000, 1_600_000_000))
    return folder


def rows(index: Path, sql: str) -> list[tuple]:
    with closing(open_for_reading(index)) as connection:
        return connection.execute(sql).fetchall()


def test_the_vectors_of_an_index_are_those_of_the_encoder_with_sizes_and_generation_data(index, renders):
    done = index_images(renders, model=MODEL)

    assert (done.found, done.computed, [Path(one.path).name for one in done.failed]) == (5, 4, ["broken.png"])
    found = rows(
        index, "SELECT name, row, width, height FROM files JOIN pictures ON pictures.id = picture ORDER BY name"
    )
    assert [(name, *size) for name, _, *size in found] == [(b"%d.png" % n, 96, 64) for n in range(4)]
    encoder = open_encoder(MODEL)
    vectors = read_vectors(vector_file(index, 1), encoder.dim, encoder.space, 4)
    own = encoder.encode_images([renders / f"{n}.png" for n in range(4)]).to_features().vectors
    np.testing.assert_allclose(vectors[[row for _, row, _, _ in found]], own, atol=1e-6)
    assert rows(index, "SELECT text, number FROM properties WHERE name = 'seed' ORDER BY text") == [
        (str(seed), float(seed)) for seed in range(40, 44)
    ]
    assert rows(index, "SELECT rowid FROM prompts WHERE prompts MATCH 'yellow'") == rows(
        index, "SELECT picture FROM files WHERE name = CAST('3.png' AS BLOB)"
    )


def test_the_model_of_an_index_is_taken_again_where_nobody_names_one(index, renders):
    index_images(renders, model=MODEL)
    Image.new("RGB", (30, 30), "red").save(renders / "new.png")

    assert index_images().computed == 1
    assert status_of_index().model == "shapes-demo"


def test_in_python_no_model_is_opened_where_nothing_is_to_be_read(index, renders):
    (renders / "broken.png").unlink()
    index_images(renders, model=MODEL)

    assert index_images(model="no model of this name").unchanged == 4


def test_the_command_says_that_a_named_model_is_not_there_even_where_nothing_is_to_be_read(index, renders, capsys):
    index_images(renders, model=MODEL)
    before = status_of_index()
    capsys.readouterr()

    for flag in ("--model", "--text-encoder"):
        assert main(["index", str(renders), "--model", MODEL, flag, "no model of this name"]) == 1
        assert "no model of this name" in capsys.readouterr().err
    assert main(["index", str(index.parent / "gone"), "--index", str(index.parent / "new"), "--model", "nosuch"]) == 1

    assert status_of_index() == before
    assert not (index.parent / "new").exists()


def test_our_own_sheets_are_no_pictures(index, renders):
    export_grid(renders, renders / "sheet.png")

    done = index_images(renders, model=MODEL)

    assert (done.computed, done.left_out) == (4, 1)
    assert status_of_index().failed == 1


def test_an_exported_index_spares_another_one_all_computing(index, renders, tmp_path):
    (renders / "broken.png").unlink()
    index_images(renders, model=MODEL)
    assert export_index(tmp_path / "all.safetensors") == 4

    other = tmp_path / "other"
    assert import_index(tmp_path / "all.safetensors", other) == 4
    assert import_index(tmp_path / "all.safetensors", other) == 0
    done = index_images(renders, index=other, model=MODEL)

    assert (done.computed, done.known) == (0, 4)
    sql = "SELECT hash, width, height FROM pictures ORDER BY hash"
    assert rows(index, sql) == rows(other, sql)
    sql = "SELECT hash, name, text, number FROM properties JOIN pictures ON id = picture ORDER BY 1, 2"
    assert rows(index, sql) == rows(other, sql)
    assert (vector_file(index, 1)).read_bytes() == (vector_file(other, 1)).read_bytes()


@pytest.mark.parametrize("content", [b"", b"no safetensors", b"\x10\x00\x00\x00\x00\x00\x00\x00{}              "])
def test_what_was_not_exported_is_refused(index, tmp_path, content):
    (tmp_path / "other.safetensors").write_bytes(content)

    with pytest.raises(InputError, match="clip-grid index --export"):
        import_index(tmp_path / "other.safetensors")


def test_a_file_that_cannot_be_taken_leaves_no_new_index_behind(tmp_path):
    (tmp_path / "other.safetensors").write_bytes(b"no safetensors")

    with pytest.raises(InputError):
        import_index(tmp_path / "other.safetensors", tmp_path / "new")

    assert not (tmp_path / "new").exists()


def test_files_that_real_folders_have_cost_themselves_alone(index, renders, bound_by_permissions):
    whole = (renders / "3.png").read_bytes()
    (renders / "half.png").write_bytes(whole[: len(whole) * 2 // 3])
    (renders / "empty.png").touch()
    (renders / "locked.png").write_bytes(whole + b"x")
    (renders / "locked.png").chmod(0)
    header = b"IHDR" + struct.pack(">II5B", 60_000, 60_000, 8, 2, 0, 0, 0)
    (renders / "huge.png").write_bytes(whole[:12] + header + struct.pack(">I", crc32(header)) + whole[33:])
    (renders / "loop.png").symlink_to("loop.png")
    (renders / "gone.png").write_bytes(whole + b"y")
    deep = renders.joinpath(*["folder " * 8] * 7) / "deep.png"
    deep.parent.mkdir(parents=True)
    deep.write_bytes(whole)
    assert len(os.fspath(deep)) > 400

    done = index_images(renders, model=MODEL, wait=lambda: (renders / "gone.png").unlink(missing_ok=True))

    why = {Path(one.path).name: one.reason for one in done.failed}
    assert sorted(why) == ["broken.png", "empty.png", "gone.png", "half.png", "huge.png", "locked.png", "loop.png"]
    assert all(why.values()) and "permission" in why["locked.png"].lower() and "leads nowhere" in why["loop.png"]
    assert (done.computed, done.known) == (4, 1)

    (renders / "half.png").write_bytes(whole)
    (renders / "locked.png").chmod(0o644)
    done = index_images(model=MODEL)
    # of a known content: the one that was half, and the deep one, which had just been written when it was read
    assert (done.computed, done.known, done.gone) == (1, 2, 1)
    assert status_of_index().failed == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vectors": 100.0}, "lengths other than 1"),
        ({"vectors": np.nan}, "lengths other than 1"),
        ({"dim": 7}, "have 7 dimensions, not 64"),
        ({"hash": "../../../elsewhere"}, "no hash of a picture"),
        ({"width": 10**30}, "pixels"),
        ({"width": -1}, "pixels"),
        ({"height": "tall"}, "tall"),
        ({"properties": ["seed"]}, "damaged"),
    ],
)
def test_a_damaged_export_is_refused_and_leaves_the_index_as_it_is(index, renders, tmp_path, change, message):
    index_images(renders, model=MODEL)
    export_index(tmp_path / "all.safetensors")
    with safe_open(tmp_path / "all.safetensors", framework="np") as file:
        metadata, vectors = file.metadata(), file.get_tensor("vectors")
    pictures = json.loads(metadata["pictures"])
    for name in set(change) - {"vectors", "dim"}:
        pictures[1][name] = change[name]
    vectors[1] *= change.get("vectors", 1)
    if "dim" in change:
        vectors = np.eye(len(vectors), change["dim"], dtype=np.float32)
    save_file({"vectors": vectors}, tmp_path / "bad.safetensors", {**metadata, "pictures": json.dumps(pictures)})
    before = rows(index, "SELECT * FROM pictures")

    with pytest.raises(InputError, match=message):
        import_index(tmp_path / "bad.safetensors")

    assert rows(index, "SELECT * FROM pictures") == before


def test_an_index_tells_its_size_while_files_of_it_come_and_go(index, renders, monkeypatch):
    index_images(renders, model=MODEL)
    (index / "thumbs" / "one.part").write_bytes(b"a thumbnail that is being written")
    state = Path.stat

    def gone(path: Path, **options) -> os.stat_result:
        if path.suffix == ".part":
            path.unlink(missing_ok=True)
        return state(path, **options)

    monkeypatch.setattr(Path, "stat", gone)
    monkeypatch.setattr(Path, "is_file", os.path.isfile)
    assert status_of_index().size_bytes > 1000


@pytest.mark.parametrize("days", [-1, float("nan")])
def test_days_of_a_purge_are_at_least_0(index, days):
    with pytest.raises(InputError, match=r"older_than_days is .*; it must be at least 0"):
        purge_index(older_than_days=days)


def test_the_command_indexes_and_says_what_it_holds(index, renders, capsys):
    assert main(["index", str(renders), "--model", MODEL]) == 3
    out, err = capsys.readouterr()
    assert "5 pictures in" in out and "4 new, 1 failed" in out
    assert "broken.png" in err
    assert main(["index", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["unchanged"] == 5

    assert main(["index", "--status", "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert (status["pictures"], status["failed"], status["roots"][0]["files"]) == (4, 1, 5)
    assert main(["index", "--failed"]) == 0
    assert "broken.png: " in capsys.readouterr().out
    (renders / "0.png").unlink()
    assert main(["index", "--quiet"]) == 0
    assert "1 is gone, and forgotten with --purge" in capsys.readouterr().out
    assert main(["index", "--purge", "30"]) == 0
    assert main(["index", "--purge"]) == 0
    assert capsys.readouterr().out == "forgot 0 files\nforgot 1 file\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["index", "--status"], "there is no index in"),
        (["index", "--failed"], "there is no index in"),
        (["index", "--purge"], "there is no index in"),
        (["index", "--purge", "-1"], "--purge takes a number of days of at least 0, not -1"),
        (["index", "nowhere"], "nowhere is no folder"),
        (["index", "a", "--status"], "--status takes no folders"),
        (["index", "--import", "nothing.safetensors"], "nothing.safetensors cannot be read"),
    ],
)
def test_wrong_use_is_said_in_a_line(index, arguments, message, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) in (1, 2)
    out, err = capsys.readouterr()
    assert out == "" and message in err and err.count("\n") == 1
    assert "Traceback" not in err


def test_without_folders_and_without_comfyui_an_index_says_what_it_needs(index, monkeypatch):
    monkeypatch.setattr("clip_grid.api.index.detect_comfyui_installation", lambda: None)

    with pytest.raises(InputError, match="no folder was given, and no ComfyUI was found"):
        index_images(model=MODEL)


def test_without_folders_a_new_index_takes_those_of_comfyui(index, monkeypatch, tmp_path):
    for name in ("output", "input"):
        (tmp_path / "ComfyUI" / name).mkdir(parents=True)
        Image.new("RGB", (20, 20), (name == "input" and "red") or "blue").save(tmp_path / "ComfyUI" / name / "1.png")
    monkeypatch.setattr("clip_grid.api.index.detect_comfyui_installation", lambda: tmp_path / "ComfyUI")

    assert index_images(model=MODEL).computed == 2


@pytest.mark.parametrize(
    ("environment", "platform", "folder"),
    [
        ({"CLIP_GRID_INDEX": "/a/b"}, "linux", "/a/b"),
        ({"XDG_DATA_HOME": "/data"}, "linux", "/data/clip-grid/index"),
        ({"XDG_DATA_HOME": "relative"}, "linux", "~/.local/share/clip-grid/index"),
        ({}, "darwin", "~/Library/Application Support/clip-grid/index"),
        ({"LOCALAPPDATA": "/local"}, "win32", "/local/clip-grid/index"),
    ],
)
def test_the_index_is_in_the_folder_for_data_of_programs(environment, platform, folder):
    assert default_index_folder(environment, platform=platform) == Path(folder).expanduser()


def test_an_index_file_is_not_readable_as_another_program_left_it(index, renders, capsys):
    index.mkdir()
    (index / FILE).write_text("not a database" * 100)

    assert main(["index", str(renders)]) in (1, 2)
    assert "damaged or no index" in capsys.readouterr().err


def test_what_failed_is_read_again_when_asked(index, renders, capsys):
    index_images(renders, model=MODEL)

    assert main(["index", str(renders), "--model", MODEL, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["failed"] == []
    assert main(["index", str(renders), "--model", MODEL, "--json", "--retry-failed"]) == 3
    assert [one["stage"] for one in json.loads(capsys.readouterr().out)["failed"]] == ["read"]


def test_a_pause_is_refused_where_it_would_have_no_effect(index, renders):
    with pytest.raises(InputError, match="wait pauses the local engine alone"):
        index_images(renders, engine="ray", wait=lambda: None)
