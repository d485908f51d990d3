"""LANCZOS by torch, for sheets: Pillow's result but for a level, and Pillow itself where torch cannot."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from clip_grid.api import SheetInputs, export_grid
from clip_grid.api.torch_resize import torch_resizer
from clip_grid.errors import MissingPackage
from PIL import Image


def photo(width: int, height: int) -> Image.Image:
    """Smooth shapes under noise, as photographs have."""
    y, x = np.mgrid[0:height, 0:width]
    smooth = 127 + 90 * np.sin(x[..., None] / (7 + np.arange(3))) * np.cos(y[..., None] / 11)
    return Image.fromarray(
        np.clip(smooth + np.random.default_rng(0).normal(0, 8, smooth.shape), 0, 255).astype(np.uint8)
    )


@pytest.mark.parametrize(("source", "size"), [((640, 480), (256, 192)), ((333, 500), (97, 210)), ((64, 64), (1, 1))])
def test_torch_resizes_as_pillows_lanczos_does(source, size):
    pytest.importorskip("torch", reason="torch is optional")
    picture = photo(*source)

    resized = np.asarray(torch_resizer()(picture, size, (0, 0, *source)), int)

    expected = np.asarray(picture.resize(size, Image.Resampling.LANCZOS), int)
    assert np.abs(resized - expected).max() <= 1


@pytest.mark.parametrize("crop", [(20, 10, 420, 310), (20.5, 10, 420.5, 310)])
def test_a_part_of_a_picture_is_resized(crop):
    pytest.importorskip("torch", reason="torch is optional")
    picture = photo(640, 480)

    resized = np.asarray(torch_resizer()(picture, (200, 150), crop), int)

    expected = np.asarray(picture.resize((200, 150), Image.Resampling.LANCZOS, box=crop), int)
    # Pillow lets the filter look past the edge of a part, torch does not
    assert np.abs(resized - expected)[4:-4, 4:-4].max() <= 1


def test_transparent_and_small_pictures_are_left_to_pillow():
    pytest.importorskip("torch", reason="torch is optional")
    resize = torch_resizer()

    for picture, size in ((photo(64, 64).convert("RGBA"), (32, 32)), (photo(16, 16), (32, 32))):
        expected = picture.resize(size, Image.Resampling.LANCZOS)
        assert resize(picture, size, (0, 0, *picture.size)).tobytes() == expected.tobytes()


def test_a_sheet_may_be_resized_by_torch(tmp_path):
    pytest.importorskip("torch", reason="torch is optional")
    look = {"cell_width": 128, "cell_height": 96, "label_position": "none"}

    export_grid([photo(640, 480)], tmp_path / "torch.png", resample="torch", **look)
    export_grid([photo(640, 480)], tmp_path / "pillow.png", resample="lanczos", **look)

    by_torch, by_pillow = (np.asarray(Image.open(tmp_path / f"{name}.png"), int) for name in ("torch", "pillow"))
    assert np.abs(by_torch - by_pillow).max() <= 1


def test_without_torch_the_cure_is_told(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch", None)

    with pytest.raises(MissingPackage, match="choose fast, or install torch"):
        export_grid([photo(64, 64)], tmp_path / "sheet.png", resample="torch")


@pytest.mark.parametrize(("resample", "by"), [("fast", "torch"), ("lanczos", "lanczos")])
def test_programs_that_use_torch_resize_by_it_unless_lanczos_is_asked_for(resample, by, tmp_path):
    pytest.importorskip("torch", reason="torch is optional")
    look = {"cell_width": 128, "cell_height": 96, "label_position": "none"}

    export_grid([photo(640, 480)], tmp_path / "a.png", resample=resample, inputs=SheetInputs(uses_torch=True), **look)
    export_grid([photo(640, 480)], tmp_path / "b.png", resample=by, **look)

    assert Image.open(tmp_path / "a.png").tobytes() == Image.open(tmp_path / "b.png").tobytes()


def test_programs_whose_torch_knows_no_lanczos_resize_by_pillow(monkeypatch, tmp_path):
    functional = pytest.importorskip("torch.nn.functional", reason="torch is optional")
    look = {"cell_width": 128, "cell_height": 96, "label_position": "none"}
    export_grid([photo(640, 480)], tmp_path / "a.png", **look)

    def old_interpolate(*_: object, mode: str, **__: object) -> None:
        raise NotImplementedError(f"mode {mode} is not known")

    monkeypatch.setattr(functional, "interpolate", old_interpolate)
    export_grid([photo(640, 480)], tmp_path / "b.png", inputs=SheetInputs(uses_torch=True), **look)

    assert Image.open(tmp_path / "a.png").tobytes() == Image.open(tmp_path / "b.png").tobytes()
