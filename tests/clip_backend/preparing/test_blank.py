"""Which pictures show nothing: blank ones and noise, of many sizes and in every form in which pictures come."""

from __future__ import annotations

import io

import numpy as np
import pytest
from clip_grid.clip_backend.preparing.blank import emptiness, pixel_statistics
from PIL import Image, ImageDraw

RNG = np.random.default_rng(7)
SIDES = (64, 96, 200, 512, 1000)


def noise(side, kind):
    if kind == "colour":
        return RNG.integers(0, 256, (side, side, 3))
    if kind == "grey":
        return np.repeat(np.clip(RNG.normal(128, 60, (side, side, 1)), 0, 255), 3, axis=2)
    return np.repeat(255 * (RNG.random((side, side, 1)) < 0.5), 3, axis=2)


def flat(side, kind):
    y, x = np.mgrid[:side, :side][..., None]
    levels = {
        "black": np.zeros((side, side, 3)),
        "white": np.full((side, side, 3), 255),
        "colour": np.full((side, side, 3), (200, 30, 90)),
        "shade": 40 + 170 * (0.3 * x + 0.7 * y) / side * np.ones(3),
        "faint noise": 128 + RNG.normal(0, 4, (side, side, 3)),
    }
    return np.clip(levels[kind], 0, 255)


def picture(levels):
    return Image.fromarray(levels.astype(np.uint8))


def as_jpeg(image):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=85)
    return Image.open(file).convert("RGB")


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("kind", ["black", "white", "colour", "shade", "faint noise"])
def test_flat_pictures_and_shades_are_blank(side, kind):
    image = picture(flat(side, kind))

    assert emptiness(pixel_statistics(image)) == "blank"
    assert emptiness(pixel_statistics(as_jpeg(image))) == "blank"


@pytest.mark.parametrize("side", SIDES[:-1])
@pytest.mark.parametrize("kind", ["colour", "grey", "salt"])
def test_noise_is_noise(side, kind):
    image = picture(noise(side, kind))

    assert emptiness(pixel_statistics(image)) == "noise"
    assert emptiness(pixel_statistics(as_jpeg(image))) == "noise"


def test_noise_of_a_thousand_pixels_shows_nothing_either():
    assert {emptiness(pixel_statistics(picture(noise(1000, kind)))) for kind in ("colour", "grey")} <= {
        "blank",
        "noise",
    }


def drawing(size, paint):
    image = Image.new("RGB", size, (240, 240, 235))
    paint(ImageDraw.Draw(image), *size)
    return image


DRAWINGS = {
    "a line": lambda draw, w, h: draw.line((w // 8, h // 2, 7 * w // 8, h // 2), fill=(0, 0, 0), width=max(2, h // 30)),
    "a small circle": lambda draw, w, h: draw.ellipse((w // 3, h // 3, w // 2, h // 2), fill=(200, 40, 40)),
    "text": lambda draw, w, h: draw.text((w // 10, h // 3), "A page of words", fill=(20, 20, 20), font_size=h // 8),
    "a grid": lambda draw, w, h: [draw.line((x, 0, x, h), fill=(90, 90, 90), width=3) for x in range(0, w, w // 6)],
}


@pytest.mark.parametrize("name", DRAWINGS)
@pytest.mark.parametrize("size", [(224, 224), (640, 480), (300, 900)], ids=str)
def test_plain_drawings_show_something(name, size):
    assert emptiness(pixel_statistics(drawing(size, DRAWINGS[name]))) == ""


@pytest.mark.parametrize("width", [1, 2, 5])
@pytest.mark.parametrize("is_turned", [False, True])
def test_stripes_show_something(width, is_turned):
    levels = np.repeat(np.arange(96) // width % 2 * 200, 96).reshape(96, 96)
    levels = (levels if is_turned else levels.T)[:, :, None] * np.ones(3)

    assert emptiness(pixel_statistics(picture(levels))) == ""


def test_colours_of_one_brightness_show_something():
    """A green circle on red of the same grey."""
    levels = np.full((200, 200, 3), (200, 0, 40))
    y, x = np.mgrid[:200, :200]
    levels[(y - 100) ** 2 + (x - 100) ** 2 < 60**2] = (0, 110, 0)

    assert emptiness(pixel_statistics(picture(levels))) == ""


def test_a_mosaic_shows_something():
    levels = np.kron(RNG.integers(0, 256, (16, 16, 3)), np.ones((16, 16, 1)))

    assert emptiness(pixel_statistics(picture(levels))) == ""


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3, 2), (9, 1), (63, 64), (65, 300)])
def test_pictures_of_any_size_have_finite_statistics(shape):
    found = pixel_statistics(picture(RNG.integers(0, 256, (*shape, 3))))

    assert (found.dtype, found.shape) == (np.float32, (2,))
    assert np.isfinite(found).all()


@pytest.mark.parametrize("shape", [(64, 64, 3), (130, 200, 3), (97, 101, 1), (80, 80, 4)])
def test_a_tensor_has_the_statistics_of_its_picture(shape):
    torch = pytest.importorskip("torch")
    smooth = np.cumsum(RNG.integers(-9, 10, shape), axis=1)
    levels = np.clip(128 + smooth, 0, 255).astype(np.uint8)
    image = Image.fromarray(levels[:, :, 0] if shape[2] == 1 else levels[:, :, :3])

    of_image = pixel_statistics(image)

    # Pillow rounds the means of blocks
    np.testing.assert_allclose(pixel_statistics(torch.from_numpy(levels)), of_image, atol=0.05)
    np.testing.assert_allclose(pixel_statistics(torch.from_numpy(levels) / 255), of_image, atol=0.05)


def test_the_statistics_are_those_of_their_definition():
    """On 64 x 64 pixels, which are not averaged: the residuals of numpy's least squares, and numpy's correlations."""
    levels = np.clip(128 + np.cumsum(RNG.normal(0, 6, (64, 64)), axis=0), 0, 255).round()
    y, x = np.mgrid[:64, :64]
    design = np.stack([np.ones(64 * 64), x.ravel(), y.ravel()], axis=1)
    rest = levels.ravel() - design @ np.linalg.lstsq(design, levels.ravel(), rcond=None)[0]
    across = np.corrcoef(levels[:, 1:].ravel(), levels[:, :-1].ravel())[0, 1]
    down = np.corrcoef(levels[1:].ravel(), levels[:-1].ravel())[0, 1]

    found = pixel_statistics(Image.fromarray(levels.astype(np.uint8)))

    np.testing.assert_allclose(found, [rest.std(), max(across, down)], rtol=1e-5)
