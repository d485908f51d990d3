"""A model file for the tests of models."""

from __future__ import annotations

from pathlib import Path

import pytest
from clip_grid.nodes.host.fake import FakeHost


@pytest.fixture
def model(host: FakeHost) -> Path:
    """tiny.safetensors in the folder of vision models."""
    # the tests that use it are skipped without torch
    from .model_files import write_model

    return write_model(host.models_folder / "clip_vision" / "tiny.safetensors")
