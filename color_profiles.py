"""Color profiles: a picture of another color space, such as Display P3, Adobe RGB or a printer's CMYK, becomes sRGB."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

from .decoding import PROFILE
from .plurals import counted

#: The color space that a profile must be for, by the modes of pictures that are converted.
_SPACES = {"RGB": ("RGB", "GRAY"), "RGBA": ("RGB", "GRAY"), "CMYK": ("CMYK",)}
#: A profile is taken for sRGB if it changes no color by more levels of 255: those of cameras differ a little.
_SRGB_LEVELS = 2
#: Profiles that are kept ready; most pictures share a few.
_KEPT = 32
#: Pictures that a note names.
_NAMED = 3
#: ``ImageCms`` raises these for profiles that are damaged, and ImportError where Pillow was built without it.
_ERRORS = (ImageCms.PyCMSError, OSError, ValueError, TypeError, ImportError)


def in_srgb(image: Image.Image, profile: bytes, *, is_grey: bool = False) -> Image.Image:
    """RGB or RGBA in sRGB and without a profile, from RGB, RGBA or CMYK; else the given picture.

    That is so where the profile is sRGB, and where it cannot be used: see ``profile_problem``. is_grey: all channels
    are equal, so that the profile may be one of grey. Colors are converted relative to white, black to black.
    """
    transform, _ = _conversion(profile, image.mode)
    if transform is None or (transform.input_mode == "L" and not is_grey):
        return image
    shown = transform.apply(image.getchannel(0) if transform.input_mode == "L" else image)
    if shown.mode == "RGB" and image.mode == "RGBA":
        shown.putalpha(image.getchannel("A"))
    shown.info = {name: value for name, value in image.info.items() if name != PROFILE}
    return shown


def profile_problem(image: Image.Image) -> str:
    """Why the profile that ``in_srgb`` left in RGB or RGBA was not used; empty if it is sRGB, or if there is none."""
    if PROFILE in image.info and not image.info[PROFILE]:
        return "its color profile is damaged"
    transform, problem = _conversion(image.info.get(PROFILE), image.mode)
    if not transform or problem:
        return problem
    space, picture = ("grey", "RGB") if transform.input_mode == "L" else ("RGB", "CMYK")
    return f"its color profile is for {space}, not for {picture}"


def profiles_note(problems: Mapping[str, str]) -> str:
    """A note for the user, from the problem of each picture by its name; there is at least one."""
    count = counted(len(problems), "picture", "is/are")
    named = [f"{name} ({problem})" for name, problem in sorted(problems.items())]
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return f"{count} taken without color profile: {', '.join(named[:_NAMED])}{more}"


@lru_cache(_KEPT)
def _conversion(profile: bytes | None, mode: str) -> tuple[ImageCms.ImageCmsTransform | None, str]:
    """What converts pictures of a mode, or None, and what is wrong with the profile."""
    if not profile or mode not in _SPACES:
        return None, ""
    try:
        opened = ImageCms.ImageCmsProfile(BytesIO(profile))
        space = opened.profile.xcolor_space.strip()
        if space not in _SPACES[mode]:
            return None, f"its color profile is for {space}, not for {mode}"
        given = "L" if space == "GRAY" else mode
        transform = ImageCms.buildTransform(
            opened, ImageCms.createProfile("sRGB"), given, "RGBA" if given == "RGBA" else "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )  # fmt: skip
    except _ERRORS as error:
        return None, f"its color profile cannot be used ({error})"
    return (None if given != "CMYK" and _is_srgb(transform) else transform), ""


def _is_srgb(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether a transform leaves a grid of colors and all greys as they are."""
    levels = np.linspace(0, 255, 6).astype(np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 3)
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    colors = greys if transform.input_mode == "L" else np.concatenate([grid, greys])
    image = Image.fromarray(colors[None])  # [1, N, 3]
    given = image.getchannel(0) if transform.input_mode == "L" else image.convert(transform.input_mode)
    shown = np.asarray(transform.apply(given).convert("RGB"))
    return int(np.abs(shown.astype(int) - colors[None]).max()) <= _SRGB_LEVELS
