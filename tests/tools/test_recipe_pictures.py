"""The recipes of the documentation: their commands make the pictures that stand below them."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from clip_grid.tools.recipe_pictures import PAGE, make_pictures, recipes
from PIL import Image


def test_there_are_five_recipes_each_with_its_picture():
    pictures = [name for name in recipes() if name]

    assert len(pictures) == PAGE.read_text("utf-8").count("\n## ") == 5
    assert all(f" {name}" in recipes()[name] for name in pictures)


@pytest.mark.skipif(sys.platform == "win32", reason="the recipes are written for a POSIX shell")
def test_the_pictures_below_the_recipes_are_those_that_their_commands_make(tmp_path):
    # the others take a model or scikit-image, which cost more time
    names = ["xy_table.jpg", "captions.jpg"]
    setup = "clip-grid demo demo"
    assert setup.replace(" demo demo", " demo --use-clip demo") in recipes()[""]

    make_pictures([setup, *(recipes()[name] for name in names)], tmp_path)

    for name in names:
        with Image.open(tmp_path / name) as made, Image.open(PAGE.parent / "images" / name) as shown:
            # another version of Roboto, or of the JPEG encoder, changes the widths of headers, and edges, a little
            assert np.allclose(made.size, shown.size, atol=3)
            small = [np.asarray(one.resize((200, 100), Image.Resampling.BOX), np.float32) for one in (made, shown)]
        assert np.abs(small[0] - small[1]).mean() < 1
