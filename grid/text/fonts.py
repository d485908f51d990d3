"""The faces that labels are drawn with: which face draws which part of a text.

The order is: the font asked for, Roboto (the package font-roboto), the fonts of this machine (looked for only when a
character is still missing, because that takes a moment), and Pillow's own face as the last resort.
"""

from __future__ import annotations

import importlib.util
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from unicodedata import normalize

import regex

from ...errors import InputError
from .font_search import find_font, font_folders, ordered_faces, way_of_writing
from .glyphs import Kept, SizedFace
from .sfnt import Face, builtin_face, read_faces

#: A grapheme cluster, what a reader takes for one character, and the face that draws it.
Piece = tuple[str, Face]
_CLUSTER = regex.compile(r"\X")
_INVISIBLE = regex.compile(r"[\p{Default_Ignorable_Code_Point}\p{White_Space}\p{Cc}]")
_EMOJI = regex.compile(r"\p{Emoji_Presentation}|\p{Emoji}\uFE0F|\p{Regional_Indicator}")
_AS_TEXT = "\ufe0e"
_OPEN_FONTS = 64
_KEPT_SIZES = 256
_NO_ROBOTO = "the package font-roboto is not installed, so other fonts draw the labels; run: pip install font-roboto"


class Faces:
    """Faces in their order of preference.

    May be used from several threads: each thread opens fonts of its own (Pillow's must not be shared), at most 64 at
    a time, the longest unused closed first; what they measured and drew is shared.
    """

    def __init__(self, first: Sequence[Face], machine_places: tuple[Path, ...], notes: Sequence[str] = ()) -> None:
        self._first = tuple(first)
        self._places = machine_places
        self._last = builtin_face()
        self._found: dict[tuple[str, str], Face | None] = {}
        self._opened = threading.local()
        self._kept: dict[tuple[Face, int], Kept] = {}
        #: What the user should know about the fonts; nothing when all is well.
        self.notes = tuple(notes)
        #: The face that is tried first; its ascent and descent set the height of a line.
        self.base = self._first[0] if self._first else self._choose("x", "", [])
        self._plain = frozenset(char for char in map(chr, range(128)) if not _lacking(self.base, char))

    def pieces(self, text: str) -> list[Piece]:
        """The grapheme clusters of a text in their order, each with its face."""
        if self._plain.issuperset(text):
            return [(char, self.base) for char in text]
        writing = way_of_writing(text)
        pieces: list[Piece] = []
        used: list[Face] = []
        for cluster in _CLUSTER.findall(text):
            face = self._choose(cluster, writing, used)
            pieces.append((cluster, face))
            used = [face, *(other for other in used if other != face)]
        return pieces

    def runs(self, text: str) -> list[tuple[Face, str]]:
        """The text cut where its face changes; the parts joined are the text."""
        groups = groupby(self.pieces(text), lambda piece: piece[1])
        return [(face, "".join(cluster for cluster, _ in group)) for face, group in groups]

    def missing(self, text: str) -> set[str]:
        """The characters of a text that would be drawn as an empty box, because no face has a glyph for them."""
        return missing_in(self.pieces(text))

    def at(self, face: Face, size: int) -> SizedFace:
        """The face opened at a size in pixels, for this thread."""
        opened: OrderedDict[tuple[Face, int], SizedFace] | None = getattr(self._opened, "fonts", None)
        if opened is None:
            opened = self._opened.fonts = OrderedDict()
        key = (face, size)
        if key not in opened:
            if len(self._kept) > _KEPT_SIZES:
                self._kept.clear()
            opened[key] = SizedFace(face, size, self._kept.setdefault(key, Kept()))
            if len(opened) > _OPEN_FONTS:
                opened.popitem(last=False)
        opened.move_to_end(key)
        return opened[key]

    def _choose(self, cluster: str, writing: str, used: Sequence[Face]) -> Face:
        visible = _INVISIBLE.sub("", cluster)
        if not visible:
            goes_along = used and not used[0].is_colour and (not cluster.isspace() or used[0].has(cluster[0]))
            return used[0] if goes_along else self.base
        is_emoji = _AS_TEXT not in cluster and bool(_EMOJI.search(cluster))
        fitting = (face for face in self._candidates(is_emoji, used) if not _lacking(face, visible))
        near = next(fitting, None)
        return near or self._search(visible, "emoji" if is_emoji else writing) or self._default

    def _candidates(self, is_emoji: bool, used: Sequence[Face]) -> Iterator[Face]:
        """The faces tried before the machine's; an emoji is looked for in faces with colours alone at first."""
        for face in (*self._first, *used):
            if face.is_colour == is_emoji or (face in self._first[:1] and not is_emoji):
                yield face

    def _search(self, visible: str, writing: str) -> Face | None:
        key = (visible, writing)
        if key not in self._found:
            self._found[key] = self._search_anew(visible, writing)
        return self._found[key]

    def _search_anew(self, visible: str, writing: str) -> Face | None:
        """The first face with all of a cluster; if there is none, the first with the character that it begins with."""
        colour_first = (face for face in self._machine(writing) if face.is_colour) if writing == "emoji" else ()
        everything = (*colour_first, *self._first, *self._machine(writing), self._last)
        whole = next((face for face in everything if not _lacking(face, visible)), None)
        return whole or next((face for face in everything if face.has(visible[0])), None)

    def _machine(self, writing: str) -> tuple[Face, ...]:
        return ordered_faces(self._places, writing)

    @property
    def _default(self) -> Face:
        """The face that draws what no face has, as an empty box."""
        return self._first[0] if self._first else self._last


def missing_in(pieces: Sequence[Piece]) -> set[str]:
    """The characters of the pieces that their faces have no glyph for."""
    return {char for cluster, face in dict.fromkeys(pieces) for char in _lacking(face, cluster)}


def find_faces(font: str = "", *, machine_fonts: Sequence[Path] | None = None) -> Faces:
    """The faces to draw labels with, led by `font`: a path, a file name, or a family's name; "" for the default.

    machine_fonts: files and folders to look in instead of this system's font folders; () for none.
    Raises InputError if the font cannot be found or opened.
    """
    places = font_folders() if machine_fonts is None else tuple(machine_fonts)
    file = Path(font).expanduser()
    return _kept_faces(font, places, file.stat().st_mtime_ns if font.strip() and file.is_file() else 0)


@lru_cache(maxsize=16)
def _kept_faces(font: str, places: tuple[Path, ...], changed: int) -> Faces:
    """The faces, kept with all letters that they drew, until the font's file changes."""
    asked = [_openable(find_font(font, places))] if font.strip() else []
    roboto = _roboto()
    return Faces([*asked, *roboto], places, [] if roboto else [_NO_ROBOTO])


def _roboto() -> tuple[Face, ...]:
    """The face that is always there; () when its package is not."""
    # importing the package would import a font registry with it
    spec = importlib.util.find_spec("font_roboto")
    if spec is None or not spec.submodule_search_locations:
        return ()
    path = Path(spec.submodule_search_locations[0], "files", "Roboto-Regular.ttf")
    return (read_faces(path)[0],) if path.is_file() else ()


def _openable(face: Face) -> Face:
    try:
        SizedFace(face, 16)
    except OSError as error:
        raise InputError(f"the font {face.path} cannot be opened: {error}; give another font") from error
    return face


@lru_cache(maxsize=1 << 16)
def _lacking(face: Face, cluster: str) -> list[str]:
    """The characters of a cluster that a face has no glyph for; a letter with its accents may be one character."""
    lacking = [char for char in _INVISIBLE.sub("", cluster) if not face.has(char)]
    if not lacking:
        return []
    composed = _INVISIBLE.sub("", normalize("NFC", cluster))
    return [] if composed != cluster and all(map(face.has, composed)) else lacking
