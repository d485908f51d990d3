"""The check of models looks at drawings, whatever is installed here, or at files in the places of photographs."""

from __future__ import annotations

from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from clip_grid.clip_backend.model_check import pictures as picture_module
from PIL import Image

from .synthetic_model import PHOTOGRAPHS


@pytest.fixture(autouse=True)
def without_photographs(monkeypatch):
    """Drawings, whatever is installed here."""
    monkeypatch.setattr(picture_module, "find_spec", lambda name: None)


@pytest.fixture
def photographs(monkeypatch, tmp_path: Path) -> Path:
    """A scikit-image with files in the places of the five photographs; gives their folder."""
    folder = tmp_path / "skimage" / "data"
    folder.mkdir(parents=True)
    for name in PHOTOGRAPHS:
        Image.new("RGB", (8, 8)).save(folder / name)
    spec = ModuleSpec("skimage", None, is_package=True)
    spec.submodule_search_locations = [str(folder.parent)]
    monkeypatch.setattr(picture_module, "find_spec", {"skimage": spec}.get)
    return folder
