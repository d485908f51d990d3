"""Pictures with a color profile are seen as they were meant; a profile that cannot be used costs nothing but a note."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from clip_grid.color_profiles import in_srgb, profile_problem
from clip_grid.imaging import load_picture, to_rgb, upright_rgb
from PIL import Image, ImageCms

#: XYZ of the primaries, adapted to D50, as the published profiles hold them: Display P3, Adobe RGB (1998), sRGB.
P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
ADOBE = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
D50 = (0.9642, 1.0, 0.8249)
#: The curve of sRGB as a parametric curve of ICC, and Adobe's gamma.
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
ADOBE_GAMMA = 2.19921875
#: Of grey on older Macs; ICC profiles hold it in steps of 1 / 256.
GREY_GAMMA = 461 / 256


def fixed(number: float) -> bytes:
    return struct.pack(">i", round(number * 65536))


def curve(values: tuple[float, ...] | float) -> bytes:
    if isinstance(values, float):
        return b"curv" + bytes(4) + struct.pack(">IH", 1, round(values * 256)) + bytes(2)
    return b"para" + bytes(4) + struct.pack(">HH", 3, 0) + b"".join(map(fixed, values))


def profile(tags: dict[bytes, bytes], space: bytes, kind: bytes = b"mntr", pcs: bytes = b"XYZ ") -> bytes:
    """An ICC profile of version 4 with these tags."""
    tags = {b"desc": b"mluc" + bytes(4) + struct.pack(">II", 0, 12), b"wtpt": xyz(D50), **tags}
    table, body, offset = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = struct.pack(">I4sI4s4s4s", 0, b"lcms", 0x04200000, kind, space, pcs)
    header += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + b"".join(map(fixed, D50)) + bytes(48)
    whole = header + table + body
    return struct.pack(">I", len(whole)) + whole[4:]


def xyz(point: tuple[float, float, float]) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(map(fixed, point))


def rgb_profile(primaries: tuple[tuple[float, float, float], ...], tone: tuple[float, ...] | float) -> bytes:
    points = {name: xyz(point) for name, point in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)}
    return profile({**points, **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve(tone))}, b"RGB ")


def grey_profile(gamma: float) -> bytes:
    return profile({b"kTRC": curve(gamma)}, b"GRAY")


def cmyk_profile() -> bytes:
    """A printer whose four inks give (1 - C)(1 - K) and so on as the amounts of red, green and blue light of sRGB."""
    ends = np.stack(np.meshgrid(*[[0, 1]] * 4, indexing="ij"), -1).reshape(-1, 4)
    rgb = (1 - ends[:, :3]) * (1 - ends[:, 3:])
    white = np.array(D50)
    lab = []
    for light in rgb @ np.array(SRGB) / white:
        f = np.where(light > (6 / 29) ** 3, np.cbrt(light), light * (29 / 6) ** 2 / 3 + 4 / 29)
        lab.append((116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])))
    levels = [(L * 655.35, (a + 128) * 257, (b + 128) * 257) for L, a, b in lab]
    table = b"".join(struct.pack(">3H", *(min(65535, max(0, round(v))) for v in one)) for one in levels)
    ramp = b"curv" + bytes(8)
    # mAB: curves B, then the table, then curves A
    curves_b, clut = ramp * 3, bytes([2] * 4 + [0] * 12) + bytes([2, 0, 0, 0]) + table
    start_b = 32
    start_clut = start_b + len(curves_b)
    start_a = start_clut + len(clut)
    lut = b"mAB " + bytes(4) + bytes([4, 3, 0, 0]) + struct.pack(">5I", start_b, 0, 0, start_clut, start_a)
    lut += curves_b + clut + ramp * 4
    return profile({b"A2B0": lut, b"A2B1": lut}, b"CMYK", b"prtr", b"Lab ")


def linear(levels: np.ndarray) -> np.ndarray:
    """sRGB's curve, from its definition."""
    v = levels / 255
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def encoded(light: np.ndarray) -> np.ndarray:
    light = np.clip(light, 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def expected(levels: np.ndarray, primaries: tuple, light: np.ndarray) -> np.ndarray:
    """By the matrices of the two color spaces."""
    return encoded(light @ np.array(primaries) @ np.linalg.inv(np.array(SRGB)))


@pytest.fixture(scope="module")
def colors() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def difference(image: Image.Image, wanted: np.ndarray) -> float:
    return float(np.abs(np.asarray(image, np.float64) - wanted).max())


def reopened(image: Image.Image, path: Path, icc: bytes, **how: object) -> Image.Image:
    image.save(path, icc_profile=icc, **how)
    return load_picture(path)


@pytest.mark.parametrize("ending", ["png", "webp", "tif"])
def test_display_p3_becomes_srgb(tmp_path, colors, ending):
    how = {"lossless": True} if ending == "webp" else {}

    shown = reopened(Image.fromarray(colors), tmp_path / f"a.{ending}", rgb_profile(P3, SRGB_CURVE), **how)

    assert difference(shown, expected(colors, P3, linear(colors))) < 1.6
    assert "icc_profile" not in shown.info and profile_problem(shown) == ""


def test_adobe_rgb_becomes_srgb(tmp_path, colors):
    light = (colors / 255) ** ADOBE_GAMMA

    shown = reopened(Image.fromarray(colors), tmp_path / "a.png", rgb_profile(ADOBE, ADOBE_GAMMA))

    assert difference(shown, expected(colors, ADOBE, light)) < 2.1


def test_transparency_stays_as_it_is(tmp_path, colors):
    image = Image.fromarray(colors)
    image.putalpha(Image.fromarray(colors[:, :, 0]))

    shown = reopened(image, tmp_path / "a.png", rgb_profile(P3, SRGB_CURVE))

    assert shown.mode == "RGBA" and np.array_equal(np.asarray(shown)[:, :, 3], colors[:, :, 0])
    assert difference(shown.convert("RGB"), expected(colors, P3, linear(colors))) < 1.6


def test_a_palette_is_converted_by_its_profile(tmp_path, colors):
    palette = Image.fromarray(colors).quantize(16)
    levels = np.asarray(palette.convert("RGB"))

    shown = reopened(palette, tmp_path / "a.png", rgb_profile(P3, SRGB_CURVE))

    assert difference(shown, expected(levels, P3, linear(levels))) < 1.6


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_grey_becomes_the_grey_of_srgb(tmp_path, mode):
    levels = np.arange(256, dtype=np.uint8)[None]
    image = Image.fromarray(levels.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(levels).convert(mode)

    shown = reopened(image, tmp_path / "a.png", grey_profile(GREY_GAMMA))

    assert difference(shown.convert("RGB"), encoded((levels / 255) ** GREY_GAMMA)[:, :, None]) < 2.1
    assert shown.mode == ("RGBA" if mode == "LA" else "RGB")


def test_cmyk_is_converted_by_its_profile(tmp_path):
    inks = np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 255, 0, 0], [0, 0, 255, 0], [0, 0, 0, 255]]], np.uint8)
    light = (1 - inks[:, :, :3] / 255) * (1 - inks[:, :, 3:] / 255)

    shown = reopened(Image.frombytes("CMYK", (5, 1), inks.tobytes()), tmp_path / "a.tif", cmyk_profile())

    assert shown.mode == "RGB" and difference(shown, encoded(light)) < 4
    assert "icc_profile" not in shown.info


@pytest.mark.parametrize("icc", ["ours", "lcms"])
def test_srgb_changes_nothing(tmp_path, colors, icc):
    made = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

    shown = reopened(
        Image.fromarray(colors), tmp_path / "a.png", rgb_profile(SRGB, SRGB_CURVE) if icc == "ours" else made
    )

    assert np.array_equal(shown, colors) and profile_problem(shown) == ""


BROKEN = {
    "nothing of a profile": b"no profile",
    "cut off": rgb_profile(P3, SRGB_CURVE)[:200],
    "without its tags": rgb_profile(P3, SRGB_CURVE)[:-200],
    "for CMYK": cmyk_profile(),
    "for grey": grey_profile(GREY_GAMMA),
}


@pytest.mark.parametrize("icc", BROKEN.values(), ids=BROKEN)
def test_a_profile_that_cannot_be_used_changes_nothing_and_is_named(tmp_path, colors, icc):
    shown = reopened(Image.fromarray(colors), tmp_path / "a.png", icc)

    assert np.array_equal(shown, colors)
    assert profile_problem(shown).startswith("its color profile ")


def test_a_picture_without_a_profile_has_no_problem(colors):
    assert profile_problem(Image.fromarray(colors)) == ""


def test_the_given_picture_is_not_changed(colors):
    image = Image.fromarray(colors)
    image.info["icc_profile"] = rgb_profile(P3, SRGB_CURVE)

    shown = upright_rgb(image, "a")

    assert np.array_equal(image, colors) and image.info["icc_profile"]
    assert not np.array_equal(shown, colors)
    assert np.array_equal(to_rgb(shown), shown), "converted once"


def test_a_picture_in_memory_is_converted_as_its_file_is(tmp_path, colors):
    image = Image.fromarray(colors)
    data = BytesIO()
    image.save(data, "PNG", icc_profile=rgb_profile(ADOBE, ADOBE_GAMMA))

    assert np.array_equal(upright_rgb(Image.open(data), "a"), in_srgb(image, rgb_profile(ADOBE, ADOBE_GAMMA)))
