"""Commands that look into pictures run on drawn scenes with the bundled model."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .drawn import Shell, draw_twelve


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """The command line, on a machine that names no model of its own."""
    monkeypatch.delenv("CLIP_GRID_MODEL", raising=False)
    return Shell(capsys)


@pytest.fixture(scope="session")
def _drawn_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "scenes"
    draw_twelve(folder)
    return folder


@pytest.fixture
def scenes(_drawn_once: Path, tmp_path: Path) -> Path:
    """A folder of the twelve pictures, the test's own."""
    shutil.copytree(_drawn_once, tmp_path / "scenes")
    return tmp_path / "scenes"


@pytest.fixture
def no_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without any model, whatever this one has: a ComfyUI and a cache that are empty."""
    (tmp_path / "ComfyUI" / "models").mkdir(parents=True)
    (tmp_path / "ComfyUI" / "custom_nodes").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
