"""Pictures of one word each, and a model that reads them."""

from __future__ import annotations

import pytest

from .toy_match import ToyModel


@pytest.fixture
def folder(tmp_path):
    """Pictures a, é and so on, each with its own word, and one that cannot be read."""
    for word in ("a", "b", "c", "é"):
        (tmp_path / f"{word}.png").write_text(word, "utf-8")
    (tmp_path / "broken.png").write_text("broken")
    (tmp_path / "nan.png").write_text("nan")
    return tmp_path


@pytest.fixture
def toy():
    return ToyModel()
