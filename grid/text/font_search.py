"""Finding fonts on this machine: its font folders, the faces to try first for a script, and a font by its name.

Pillow finds a font by its file name only, not by its family; libraries that ask the system would be one more
dependency.
"""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

import regex

from ...errors import InputError
from ...input_files import may_be_there
from .font_files import Face, UnreadableFont, read_faces

_SUFFIXES = {".ttf", ".otf", ".ttc", ".otc"}
# faces that have every character, as an empty or a placeholder glyph
_PLACEHOLDERS = ("lastresort", ".lastresort", "last resort", "adobe blank", "adobe notdef")
#: Beginnings of family names by script, the preferred ones first; "" stands for all other scripts.
PREFERRED = {
    "emoji": ("noto color emoji", "apple color emoji", "segoe ui emoji", "twemoji", "twitter color", "noto emoji"),
    "japanese": (
        "noto sans cjk jp", "noto sans jp", "hiragino sans", "hiragino kaku", "yu gothic", "meiryo", "ms gothic",
        "source han sans", "ipaexgothic", "ipagothic", "takao", "vl gothic",
    ),
    "korean": (
        "noto sans cjk kr", "noto sans kr", "apple sd gothic neo", "malgun gothic", "source han sans k", "nanum",
    ),
    "chinese": (
        "noto sans cjk sc", "noto sans sc", "pingfang sc", "hiragino sans gb", "microsoft yahei", "source han sans",
        "wenquanyi", "simhei", "noto sans cjk tc", "noto sans tc", "pingfang tc", "microsoft jhenghei",
    ),
    "": (
        "roboto", "noto sans", "dejavu sans", "segoe ui", "arial", "helvetica neue", "lucida grande", "liberation sans",
        "leelawadee ui", "nirmala ui", "thonburi", "kohinoor", "geeza pro", "sf arabic", "tahoma", "arial unicode ms",
        "droid sans fallback", "freesans",
    ),
}  # fmt: skip
#: What names of files end with that are of a regular face.
_STYLE = regex.compile(r"[-_ ]?(regular|roman|book|medium|normal)?$", regex.IGNORECASE)
_BOLD, _BOLD_WEIGHT = range(600, 801), 700
_KANA = regex.compile(r"[\p{Hiragana}\p{Katakana}]")
_HANGUL = regex.compile(r"\p{Hangul}")
_HAN = regex.compile(r"[\p{Han}\u3000-\u303F\uFF00-\uFF60]")


def script_of(text: str) -> str:
    """The key of PREFERRED for a text; Han characters look different in each country, so the others decide."""
    if _KANA.search(text):
        return "japanese"
    if _HANGUL.search(text):
        return "korean"
    return "chinese" if _HAN.search(text) else ""


def font_folders() -> tuple[Path, ...]:
    """The folders in which this system keeps fonts, the user's own first."""
    home = Path.home()
    if sys.platform == "win32":
        local, windows = os.environ.get("LOCALAPPDATA", ""), os.environ.get("WINDIR", r"C:\Windows")
        own = (Path(local, "Microsoft", "Windows", "Fonts"),) if local else ()
        return (*own, Path(windows, "Fonts"))
    if sys.platform == "darwin":
        return (home / "Library/Fonts", Path("/Library/Fonts"), Path("/System/Library/Fonts"))
    share = Path(os.environ.get("XDG_DATA_HOME") or home / ".local/share")
    return (share / "fonts", home / ".fonts", Path("/usr/local/share/fonts"), Path("/usr/share/fonts"))


@lru_cache(maxsize=8)
def machine_faces(places: tuple[Path, ...]) -> tuple[Face, ...]:
    """The faces of the font files in these files and folders, with subfolders, read once per process.

    Files that cannot be read as fonts are left out.
    """
    faces: list[Face] = []
    for path in dict.fromkeys(file for place in places for file in _font_files(place)):
        try:
            faces += read_faces(path)
        except InputError:
            continue
    return tuple(face for face in faces if not face.family.casefold().startswith(_PLACEHOLDERS))


def _font_files(place: Path) -> Iterator[Path]:
    if os.path.isfile(place):
        yield place
        return
    for folder, folders, files in os.walk(place):
        folders.sort()
        yield from (Path(folder, name) for name in sorted(files) if Path(name).suffix.lower() in _SUFFIXES)


@lru_cache(maxsize=32)
def ordered_faces(places: tuple[Path, ...], script: str) -> tuple[Face, ...]:
    """The faces of the machine in the order in which they are tried for a script, a key of PREFERRED."""
    preferred = (*PREFERRED[script], *PREFERRED[""])

    def order(face: Face) -> tuple[object, ...]:
        family = face.family.casefold()
        rank = next((i for i, start in enumerate(preferred) if family.startswith(start)), len(preferred))
        return (face.is_color != (script == "emoji"), rank, *_style_order(face), family)

    return tuple(sorted(machine_faces(places), key=order))


def find_font(font: str, places: tuple[Path, ...]) -> Face:
    """The face with this path, file name, family or full name.

    Raises UnreadableFont for a file that cannot be used, and InputError with similar names where there is none.
    """
    path = Path(os.path.expanduser(font))
    if may_be_there(path) and not os.path.isdir(path):
        return read_faces(path)[0]
    faces = machine_faces(places)
    name = font.strip().casefold()
    matches = [face for face in faces if name in _names_of(face)]
    if matches:
        return min(matches, key=_style_order)
    raise InputError(
        f"the font {font!r} was not found{_similar(name, faces)}; give a font file's path or a family's name"
    )


def bold_of(face: Face) -> Face | None:
    """The bold face of a face's family, in the same file or in one beside it whose name begins alike; else None."""
    if face.is_builtin or face.is_color:
        return None
    if face.has_weight(_BOLD_WEIGHT):
        return replace(face, weight=_BOLD_WEIGHT)
    start = _STYLE.sub("", face.path.stem)
    faces: list[Face] = []
    for path in [face.path, *sorted(face.path.parent.glob(glob.escape(start) + "*"))]:
        if path.suffix.lower() in _SUFFIXES:
            with suppress(UnreadableFont):
                faces += read_faces(path)
    bold = [one for one in faces if one.is_plain and one.weight in _BOLD and one.names & face.names]
    return min(bold, key=lambda one: abs(one.weight - _BOLD_WEIGHT), default=None)


def _style_order(face: Face) -> tuple[bool, int]:
    return not face.is_plain, abs(face.weight - 400)


def _names_of(face: Face) -> frozenset[str]:
    return face.names | {face.path.name.casefold(), face.path.stem.casefold()}


def _similar(name: str, faces: Sequence[Face]) -> str:
    families = {face.family.casefold(): face.family for face in faces}
    families |= {face.path.stem.casefold(): face.path.name for face in faces}
    similar = [families[key] for key in get_close_matches(name[:200], families, 3)]
    return f" (near: {', '.join(similar)})" if similar else ""
