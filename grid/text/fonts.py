"""Which face draws which character: the requested font, then fallback fonts.

The fallbacks are Roboto (of the package fontpkg-roboto), the fonts of this machine, which are read only when a
character is still missing, since that takes a moment, and the font built into Pillow.
"""

from __future__ import annotations

import importlib.util
import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from unicodedata import normalize

import regex

from .font_files import Face, UnreadableFont, builtin_face, read_faces
from .font_search import bold_of, find_font, font_folders, ordered_faces, script_of
from .glyphs import GlyphCache, SizedFace

#: A grapheme cluster (what a reader sees as one character) and the face that draws it.
Piece = tuple[str, Face]
_CLUSTER = regex.compile(r"\X")
_INVISIBLE = regex.compile(r"[\p{Default_Ignorable_Code_Point}\p{White_Space}\p{Cc}]")
_EMOJI = regex.compile(r"\p{Emoji_Presentation}|\p{Emoji}\uFE0F|\p{Regional_Indicator}")
_TEXT_PRESENTATION = "\ufe0e"
_OPEN_FONTS = 64
_TRYING = threading.Lock()
_CACHED_SIZES = 256
#: The packages that bring Roboto and its files in them; the second one, which has no wheel, was required before.
_ROBOTO_FILES = {"fontpkg_roboto": "Roboto[wdth,wght].ttf", "font_roboto": "Roboto-Regular.ttf"}
_NO_ROBOTO = (
    "the package fontpkg-roboto is not installed, so other fonts draw the labels; run: pip install fontpkg-roboto"
)


class Faces:
    """Faces in their order of preference, for several threads.

    Each thread opens fonts of its own, since Pillow's must not be shared: at most 64 at a time, then the least recently
    used one is closed. What was measured and drawn is shared.
    """

    def __init__(self, first: Sequence[Face], machine_fonts: tuple[Path, ...], notes: Sequence[str] = ()) -> None:
        self._first = tuple(first)
        self._machine_fonts = machine_fonts
        self._builtin = builtin_face()
        self._fallbacks: dict[tuple[str, str], Face | None] = {}
        self._opened = threading.local()
        self._caches: dict[tuple[Face, int], GlyphCache] = {}
        #: Warnings for the user.
        self.notes = tuple(notes)
        #: The face that is tried first; its ascent and descent set the height of a line.
        self.base = self._first[0] if self._first else self._choose("x", "", [])
        self._plain = _plain_characters(self.base)

    @cached_property
    def bold(self) -> Faces:
        """A copy with the bold faces of the same families, where they lie beside the regular ones."""
        return Faces([_bold(face) for face in self._first], self._machine_fonts)

    def pieces(self, text: str) -> list[Piece]:
        """The grapheme clusters of a text in their order, each with its face."""
        if self._plain.issuperset(text):
            return [(char, self.base) for char in text]
        script = script_of(text)
        pieces: list[Piece] = []
        used: list[Face] = []
        for cluster in _CLUSTER.findall(text):
            face = self._choose(cluster, script, used)
            pieces.append((cluster, face))
            used = [face, *(other for other in used if other != face)]
        return pieces

    def is_plain(self, text: str) -> bool:
        """Whether the first face draws all of a text's letters, which are of ASCII."""
        return self._plain.issuperset(text)

    def missing(self, text: str) -> set[str]:
        """The characters of a text that no face has a glyph for; they are drawn as an empty box."""
        return missing_in(self.pieces(text))

    def at(self, face: Face, size: int) -> SizedFace:
        """The face opened at a size in pixels, for this thread."""
        opened: OrderedDict[tuple[Face, int], SizedFace] | None = getattr(self._opened, "fonts", None)
        if opened is None:
            opened = self._opened.fonts = OrderedDict()
        key = (face, size)
        if key not in opened:
            if len(self._caches) > _CACHED_SIZES:
                self._caches.clear()
            opened[key] = SizedFace(face, size, self._caches.setdefault(key, GlyphCache()))
            if len(opened) > _OPEN_FONTS:
                opened.popitem(last=False)
        opened.move_to_end(key)
        return opened[key]

    def _choose(self, cluster: str, script: str, used: Sequence[Face]) -> Face:
        """The face for a cluster; used: those of the text so far, the latest first."""
        visible = _INVISIBLE.sub("", cluster)
        if not visible:
            continues = used and not used[0].is_color and (not cluster.isspace() or used[0].has(cluster[0]))
            return used[0] if continues else self.base
        is_emoji = _TEXT_PRESENTATION not in cluster and bool(_EMOJI.search(cluster))
        for face in (*self._first, *used):
            # an emoji is looked for in colour fonts first; the requested font draws all else that it can
            is_candidate = face.is_color == is_emoji or (face in self._first[:1] and not is_emoji)
            if is_candidate and not _lacking(face, visible):
                return face
        key = (visible, "emoji" if is_emoji else script)
        if key not in self._fallbacks:
            self._fallbacks[key] = self._fallback(*key)
        # what no face has is drawn as an empty box
        return self._fallbacks[key] or (self._first[0] if self._first else self._builtin)

    def _fallback(self, visible: str, script: str) -> Face | None:
        """The first face with all characters of a cluster, else the first with the character that it begins with."""
        machine = ordered_faces(self._machine_fonts, script)
        color_first = [face for face in machine if face.is_color] if script == "emoji" else []
        faces = (*color_first, *self._first, *machine, self._builtin)
        whole = next((face for face in faces if not _lacking(face, visible)), None)
        return whole or next((face for face in faces if face.has(visible[0])), None)


def missing_in(pieces: Sequence[Piece]) -> set[str]:
    """The characters that the faces of their pieces have no glyph for."""
    return {char for cluster, face in dict.fromkeys(pieces) for char in _lacking(face, cluster)}


def find_faces(font: str = "", *, machine_fonts: Sequence[Path] | None = None) -> Faces:
    """The faces to draw text with; font: the path, file name or family name of the first one, "" for Roboto.

    machine_fonts: files and folders to search instead of this system's font folders; () for none.
    A font that is damaged or may not be read is dropped with a note. Raises InputError if there is none of that name.
    """
    places = font_folders() if machine_fonts is None else tuple(machine_fonts)
    return _cached_faces(font, places, _changed(font))


@lru_cache(maxsize=16)
def _cached_faces(font: str, places: tuple[Path, ...], changed: tuple[int, int]) -> Faces:
    """The faces and all letters that they drew, until the font's file changes."""
    roboto = _roboto()
    notes = [] if roboto else [_NO_ROBOTO]
    requested: list[Face] = []
    if font.strip():
        try:
            requested.append(_usable(find_font(font, places)))
        except UnreadableFont as error:
            notes.append(f"{error}; the labels are drawn in {roboto[0].family if roboto else 'other fonts'}")
    return Faces([*requested, *roboto], places, notes)


def _changed(font: str) -> tuple[int, int]:
    """The time and size of a font's file, one of which differs once it was written to; zeros where there is none."""
    try:
        status = os.stat(os.path.expanduser(font))
    except (OSError, ValueError):
        return 0, 0
    return status.st_mtime_ns, status.st_size


def _roboto() -> tuple[Face, ...]:
    """The regular face of the first package that brings Roboto; () when none is installed."""
    for package, name in _ROBOTO_FILES.items():
        # not imported: its files are all that is needed of it
        spec = importlib.util.find_spec(package)
        path = Path(*(spec.submodule_search_locations or ())[:1] if spec else (), "files", name)
        if spec and path.is_file():
            return (read_faces(path)[0],)
    return ()


def _usable(face: Face) -> Face:
    """The face, if it draws the letters of ASCII that it has; raises UnreadableFont."""
    letters = "".join(char for char in map(chr, range(33, 127)) if face.has(char))
    try:
        SizedFace(face, 16).font.getmask(letters)
    except (OSError, ValueError, MemoryError) as error:
        raise UnreadableFont(face.path, error) from error
    return face


@lru_cache(maxsize=8)
def _opened(face: Face) -> SizedFace:
    return SizedFace(face, 16)


def _bold(face: Face) -> Face:
    """The bold face of the same family, or the face itself where there is none that can be used."""
    bold = bold_of(face)
    try:
        return _usable(bold) if bold else face
    except UnreadableFont:
        return face


def _draws(face: Face, text: str) -> bool:
    """Whether the glyphs of a text can be drawn: a damaged font may have some that cannot."""
    try:
        # Pillow's fonts must not be shared
        with _TRYING:
            _opened(face).font.getmask(text)
    except (OSError, ValueError, MemoryError):
        return False
    return True


def _plain_characters(face: Face) -> frozenset[str]:
    """The characters of ASCII that a face draws or that have nothing to draw."""
    ascii = [*map(chr, range(128))]
    inked = [char for char in ascii if not _INVISIBLE.match(char)]
    # all at once, since each costs a quarter of a millisecond
    if all(map(face.has, inked)) and _draws(face, "".join(inked)):
        return frozenset(ascii)
    return frozenset(char for char in ascii if not _lacking(face, char))


@lru_cache(maxsize=1 << 16)
def _lacking(face: Face, cluster: str) -> list[str]:
    """The characters of a cluster that a face has no glyph for, whether accents are composed or not."""
    visible = _INVISIBLE.sub("", cluster)
    lacking = [char for char in visible if not face.has(char)]
    if not lacking:
        return [] if not visible or _draws(face, visible) else list(visible)
    composed = _INVISIBLE.sub("", normalize("NFC", cluster))
    return [] if composed != cluster and all(map(face.has, composed)) else lacking
