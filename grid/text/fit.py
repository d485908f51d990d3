"""Where a text may be cut into lines, and where it is, by what fits."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import TypeVar

import numpy as np
import regex

from . import bidi
from .fonts import Faces, Piece, missing_in
from .line import Line, TextBlock, TextStyle, lay_out

_SPACES = " \u200b\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2008\u2009\u200a\u205f\u3000"
_FILE_NAME_BREAKS = "_-./\\:,;"
_WIDE = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\u3000-\u303F\uFF00-\uFF60\p{Extended_Pictographic}]")
_HANGUL = regex.compile(r"\p{Hangul}")
_NOT_FIRST = set("、。，．・：；？！）」』】〉》〕…ー々ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ,.!?:;)]}%’”")
_NOT_LAST = set("（「『【〈《〔([{‘“")
#: Ranks of a place to break: the lower is tried first.
AT_SPACE, IN_NAME, ANYWHERE = 0, 1, 2


def break_rank(before: str, after: str) -> int:
    """How good a place to break lies between two grapheme clusters.

    0 after a space and beside a Chinese or Japanese character, 1 inside a word after a sign that file names are made
    of and between Korean syllables, 2 anywhere else.
    """
    if before in _SPACES:
        return ANYWHERE if after in _SPACES else AT_SPACE
    if after in _SPACES or after[0] in _NOT_FIRST or before[-1] in _NOT_LAST:
        return IN_NAME if before in _FILE_NAME_BREAKS and after not in _SPACES else ANYWHERE
    if _WIDE.match(before) or _WIDE.match(after):
        return AT_SPACE
    if before in _FILE_NAME_BREAKS or (_HANGUL.match(before) and _HANGUL.match(after)):
        return IN_NAME
    return ANYWHERE


class Breaker:
    """Finds the ends of lines in one paragraph of grapheme clusters."""

    def __init__(self, clusters: Sequence[str]) -> None:
        n = len(clusters)
        ranks = [break_rank(clusters[i - 1], clusters[i]) for i in range(1, n)]
        #: Per rank, the places to break of that rank or a better one, ascending, the paragraph's end included.
        self._places = [
            [i for i, r in enumerate(ranks, 1) if r <= rank] + [n] for rank in (AT_SPACE, IN_NAME, ANYWHERE)
        ]

    def line_end(self, start: int, fits: Callable[[int, int], bool]) -> int | None:
        """Where the line that begins at `start` ends: the farthest best place that fits; None if not one cluster fits.

        fits(start, end) says whether the clusters from start to end fit on a line.
        """
        for places in self._places:
            end = _farthest(places, bisect_right(places, start), lambda end: fits(start, end))
            if end is not None:
                return end
        return None


def _farthest(places: Sequence[int], first: int, fits: Callable[[int], bool]) -> int | None:
    """The last of places[first:] that fits; doubles its step, then halves it, so that long texts are not measured."""
    if first >= len(places) or not fits(places[first]):
        return None
    good, step = first, 1
    while good + step < len(places) and fits(places[good + step]):
        good += step
        step *= 2
    bad = min(good + step, len(places))
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if fits(places[middle]) else (good, middle)
    return places[good]


_T = TypeVar("_T")
#: Pieces measured at first.
_PROBE = 96


class _Paragraph:
    """Text without a line end: its pieces, their levels, and where it may break."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.pieces = pieces
        clusters = [cluster for cluster, _ in pieces]
        self.levels = _cluster_levels(clusters)
        self.breaker = Breaker(clusters)


class Fitter:
    """Fits one text (its pieces, see fonts.py) into one box of width x height pixels."""

    def __init__(self, pieces: list[Piece], width: int, height: int, style: TextStyle, faces: Faces) -> None:
        self.pieces, self.style, self.faces = pieces, style, faces
        self.width, self.height = width, height
        self.missing = frozenset(missing_in(pieces))

    @cached_property
    def mark(self) -> list[Piece]:
        """What stands for the text that is left out."""
        return self.faces.pieces("…" if not self.faces.missing("…") else "...")

    def block(self) -> TextBlock:
        """The text as large as it fits; without lines if nothing fits."""
        if not self.pieces:
            return TextBlock()
        paragraphs = _paragraphs(self.pieces)
        whole = _largest(self.style.min_size, self.style.size, lambda size: self._whole(paragraphs, size))
        if whole:
            return whole
        shorten = self._without_middle if self.style.shorten == "middle" else self._without_end
        shortened = shorten(paragraphs)
        return shortened or TextBlock(shortened=True, missing=self.missing)

    def _whole(self, paragraphs: Sequence[_Paragraph], size: int, *, is_cut: bool = False) -> TextBlock | None:
        """All of the text at a size; None if it does not fit."""
        lines: list[Line] = []
        for paragraph in paragraphs:
            start = 0
            while start < len(paragraph.pieces) or not paragraph.pieces:
                # one line more than the height holds is enough to know
                if (len(lines) - 1) * self._pitch(size) > self.height:
                    return None
                end = self._line_end(paragraph, start, size)
                if end is None:
                    return None
                lines.append(self._line(paragraph, start, end, size))
                start = end
                if not paragraph.pieces:
                    break
        return self._stack(lines, size, is_cut)

    def _without_middle(self, paragraphs: Sequence[_Paragraph]) -> TextBlock | None:
        """As many characters as fit from both ends of the text, with the mark between them."""
        size = self.style.min_size

        def with_kept(count: int) -> TextBlock | None:
            head, tail = self.pieces[: count - count // 2], self.pieces[len(self.pieces) - count // 2 :]
            return self._whole(_paragraphs([*head, *self.mark, *tail]), size, is_cut=True)

        _, cuts = self._first_lines(paragraphs, size)
        # so that a very long text is not tried whole: hardly ever does twice its visible beginning fit
        most = min(len(self.pieces) - 1, 2 * sum(map(len, cuts)) + len(cuts))
        return _largest(0, most, with_kept)

    def _without_end(self, paragraphs: Sequence[_Paragraph]) -> TextBlock | None:
        """As many lines as fit, the last of them ending with the mark."""
        size = self.style.min_size
        lines, cuts = self._first_lines(paragraphs, size)
        for count in range(len(cuts), 0, -1):
            last = self._cut_line(cuts[count - 1], size)
            block = last and self._stack([*lines[: count - 1], last], size, True)
            if block:
                return block
        return None

    def _first_lines(self, paragraphs: Sequence[_Paragraph], size: int) -> tuple[list[Line], list[Sequence[Piece]]]:
        """The lines at the beginning, no fewer than the height holds, and the pieces of each."""
        lines: list[Line] = []
        cuts: list[Sequence[Piece]] = []
        for paragraph in paragraphs:
            start = 0
            while start < max(1, len(paragraph.pieces)) and len(lines) * self._pitch(size) <= self.height:
                end = self._line_end(paragraph, start, size)
                if end is None:
                    return lines, [*cuts, paragraph.pieces[start : start + 1]]
                lines.append(self._line(paragraph, start, end, size))
                cuts.append(paragraph.pieces[start:end])
                start = max(end, start + 1)
        return lines, cuts

    def _cut_line(self, pieces: Sequence[Piece], size: int) -> Line | None:
        """The longest beginning of a line that leaves room for the mark; None if the mark alone is too wide."""

        def with_kept(count: int) -> Line | None:
            kept = list(pieces[:count])
            while kept and kept[-1][0].isspace():
                kept.pop()
            paragraph = _Paragraph([*kept, *self.mark])
            line = self._line(paragraph, 0, len(paragraph.pieces), size)
            return line if self._is_narrow(line) else None

        return _largest(0, len(pieces), with_kept)

    def _line_end(self, paragraph: _Paragraph, start: int, size: int) -> int | None:
        if not paragraph.pieces:
            return 0
        return paragraph.breaker.line_end(start, lambda a, b: self._fits(paragraph, a, b, size))

    def _fits(self, paragraph: _Paragraph, start: int, end: int, size: int) -> bool:
        """Whether some pieces fit on a line; a very long word is known not to by its beginning."""
        probe = _PROBE
        while start + probe < end:
            if not self._is_narrow(self._line(paragraph, start, start + probe, size)):
                return False
            probe *= 2
        return self._is_narrow(self._line(paragraph, start, end, size))

    def _line(self, paragraph: _Paragraph, start: int, end: int, size: int) -> Line:
        return lay_out(paragraph.pieces[start:end], paragraph.levels[start:end], size, self.faces)

    def _is_narrow(self, line: Line) -> bool:
        return line.width + 2 * self.style.outline_width <= self.width

    def _pitch(self, size: int) -> int:
        return max(1, round(size * self.style.line_spacing))

    def _stack(self, lines: Sequence[Line], size: int, is_cut: bool) -> TextBlock | None:
        """The lines below each other, farther apart where their ink would touch; None if that is too high."""
        base = self.faces.at(self.faces.base, size)
        outline = self.style.outline_width
        baselines = [outline + max(base.ascent, -lines[0].top)]
        for above, below in pairwise(lines):
            baselines.append(baselines[-1] + max(self._pitch(size), above.bottom - below.top))
        height = baselines[-1] + max(base.descent, lines[-1].bottom) + outline
        width = max(line.width for line in lines) + 2 * outline
        if height > self.height or width > self.width:
            return None
        return TextBlock(tuple(lines), tuple(baselines), size, width, height, is_cut, self.missing)


def _largest(low: int, high: int, make: Callable[[int], _T | None]) -> _T | None:
    """What `make` gives for the largest number from low to high for which it gives something, found by halving."""
    best = make(high)
    if best is not None or high <= low:
        return best
    best = make(low)
    while best is not None and high - low > 1:
        middle = (low + high) // 2
        found = make(middle)
        if found is None:
            high = middle
        else:
            low, best = middle, found
    return best


def _paragraphs(pieces: Sequence[Piece]) -> list[_Paragraph]:
    ends = [i for i, (cluster, _) in enumerate(pieces) if cluster == "\n"]
    return [_Paragraph(pieces[a + 1 : b]) for a, b in pairwise([-1, *ends, len(pieces)])]


def _cluster_levels(clusters: Sequence[str]) -> list[int]:
    text = "".join(clusters)
    if text.isascii():
        return [0] * len(clusters)
    found = bidi.levels(text, bidi.base_level(text))
    starts = np.cumsum([0, *map(len, clusters)])[:-1]
    return [found[start] for start in starts]
