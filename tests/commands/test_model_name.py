"""Commands print the model by its name: of its file, or on the hub, not by its path."""

from __future__ import annotations

from argparse import Namespace

import pytest
from clip_grid.clip_backend.finding.catalog import short_model_name
from clip_grid.clip_backend.shapes_demo import shapes_demo_path
from clip_grid.commands.flags import model_name

SNAPSHOT = "/home/me/.cache/huggingface/hub/models--openai--clip-vit-base-patch32/snapshots/0123abc"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("/models/clip_vision/vit-l.safetensors", "vit-l.safetensors"),
        ("/models/vision_g.safetensors + /models/clip_g.safetensors", "vision_g.safetensors + clip_g.safetensors"),
        ("shapes-demo", "shapes-demo"),
        ("openai/clip-vit-base-patch32", "openai/clip-vit-base-patch32"),
    ],
)  # fmt: skip
def test_a_path_is_shown_by_the_name_of_its_file(name, shown):
    assert short_model_name(name) == shown


def test_a_model_of_the_hubs_cache_has_its_name_on_the_hub():
    assert short_model_name(SNAPSHOT).partition("@")[0] == "openai/clip-vit-base-patch32"


def test_a_name_that_the_user_gave_is_kept_and_a_path_is_not(tmp_path):
    file = tmp_path / "mine.safetensors"
    file.write_bytes(b"")

    assert model_name(Namespace(model="clip-vit", text_encoder=None), str(file)) == "clip-vit"
    assert model_name(Namespace(model=str(file), text_encoder=None), str(file)) == "mine.safetensors"
    assert model_name(Namespace(model=str(shapes_demo_path()), text_encoder=None), "shapes-demo") == "shapes-demo"
