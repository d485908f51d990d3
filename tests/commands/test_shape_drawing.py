"""How scenes are drawn."""

from __future__ import annotations

import numpy as np
import pytest
from clip_grid.commands.shape_drawing import SHAPES, Scene, draw, random_scene


def rng(seed=0):
    return np.random.default_rng(seed)


def red_circle(**changes):
    words = {"kind": "shape", "colour": "red", "shape": "circle", "size": "large", "background": "blue"}
    return Scene(**{**words, **changes})


@pytest.mark.parametrize(
    "scene", [red_circle(), Scene(kind="empty", colour="red", background="red"), Scene(kind="noise")]
)
def test_a_picture_is_the_same_for_the_same_seed(scene):
    first, again, other = (np.asarray(draw(scene, 48, rng(seed))) for seed in (1, 1, 2))

    assert first.shape == (48, 48, 3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_has_its_colour_and_lies_within_the_picture(shape):
    for seed in range(5):
        pixels = np.asarray(draw(red_circle(shape=shape), 64, rng(seed))).astype(int)
        is_red = pixels[..., 0] - pixels[..., 2] > 60
        is_blue = pixels[..., 2] - pixels[..., 0] > 60

        assert is_red.mean() > 0.05
        assert is_blue[[0, -1]].mean() > 0.9 and is_blue[:, [0, -1]].mean() > 0.9


def test_large_shapes_are_larger_than_small_ones():
    def area(size, seed):
        pixels = np.asarray(draw(red_circle(size=size), 64, rng(seed))).astype(int)
        return (pixels[..., 0] - pixels[..., 2] > 60).mean()

    assert max(area("small", seed) for seed in range(10)) < min(area("large", seed) for seed in range(10))


def test_a_shape_never_has_the_colour_of_its_background():
    scenes = [random_scene(rng(seed)) for seed in range(300)]

    assert all(scene.colour != scene.background for scene in scenes if scene.kind == "shape")
