"""``clip-grid index --store`` and ``--engine ray``, and ``search --store``, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")

from clip_grid.cli import main
from clip_grid.clip_backend.search import on_ray
from clip_grid.clip_backend.search.stores import qdrant
from PIL import Image

URL = "http://127.0.0.1:6333"


@pytest.fixture
def renders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of two pictures, and the index of the user in a folder of its own."""
    monkeypatch.setenv("CLIP_GRID_INDEX", str(tmp_path / "index"))
    folder = tmp_path / "renders"
    folder.mkdir()
    for color in ("red", "blue"):
        Image.new("RGB", (64, 64), color).save(folder / f"{color}.png")
    return folder


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch):
    """Qdrant in memory, in place of the server at the URL."""
    pytest.importorskip("qdrant_client", reason="qdrant-client is not installed")
    from qdrant_client import QdrantClient

    client = QdrantClient(":memory:")
    monkeypatch.setattr(client, "close", lambda: None)
    monkeypatch.setattr(qdrant, "_connected", lambda server, key: client)
    return client


def test_an_index_is_copied_and_searched_in_its_copy(renders, server, capsys):
    assert main(["index", str(renders), "--model", "shapes-demo", "--store", URL]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "copy: 2 added"
    assert main(["index", "--store", URL, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["copied"] == {"added": 0, "changed": 0, "removed": 0, "unchanged": 2}

    found = []
    for flags in ([], ["--store", URL], ["--store", URL, "--exact"]):
        assert main(["search", "a red circle", "--where", "width=64", "--json", *flags]) == 0
        found.append(json.loads(capsys.readouterr().out))

    assert found[0] == found[1] == found[2]
    assert len(found[0]["hits"]) == 2


def test_what_a_store_does_not_hold_is_said(renders, server, capsys):
    assert main(["index", str(renders), "--model", "shapes-demo", "--quiet"]) == 0

    assert main(["search", "red", "--store", URL]) == 1
    assert "has no copy of the index" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["index", "--status", "--store", URL], "--status leaves the copy as it is"),
        (["index", "--store", "here"], "is no URL of a Qdrant server; write one such as http://127.0.0.1:6333"),
        (["index", "--workers", "2"], "--workers is for --engine ray"),
        (["search", "fox", "--exact"], "--exact is for --store"),
    ],
)
def test_wrong_use_is_said_in_a_line(renders, arguments, message, capsys):
    assert main(arguments) in (1, 2)
    assert message in capsys.readouterr().err


def test_packages_that_are_missing_are_named_with_the_command_that_installs_them(renders, capsys, monkeypatch):
    monkeypatch.setattr(on_ray, "find_spec", lambda name: None)
    monkeypatch.setattr(qdrant, "find_spec", lambda name: None)

    assert main(["index", str(renders), "--model", "shapes-demo", "--engine", "ray"]) == 1
    assert "pip install 'clip-grid[ray]'" in capsys.readouterr().err
    assert main(["index", str(renders), "--store", URL]) == 1
    assert "pip install 'clip-grid[qdrant]'" in capsys.readouterr().err
