"""Fitting a text into a box: wrapped by measured pixels, then made smaller, then shortened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from itertools import accumulate, pairwise
from typing import TypeVar
from unicodedata import category, normalize

import regex

from . import bidi
from .fonts import Faces, Piece, missing_in
from .line import Line, TextBlock, TextStyle, lay_out, pen_offsets
from .wrap import Breaker

_TAB = "    "
_NEW_LINE = regex.compile(r"\r\n|[\r\v\f\x85\u2028\u2029]")
# soft hyphens, embeddings and isolates: what bidi.py and wrap.py do not support
_UNUSED = regex.compile("[\u00ad\u202a-\u202e\u2066-\u2069]")
#: How many pieces of a long word are measured before all of it is.
_PROBE = 96
#: The size of a font divided by this: less than its narrowest letters are wide, which take a sixth of it.
_NARROWEST = 8
_T = TypeVar("_T")


def fit_text(text: str, width: int, height: int, style: TextStyle, faces: Faces, *, balanced: bool = True) -> TextBlock:
    """The text as it fits into width x height pixels.

    It is wrapped, then made smaller, down to style.min_size, then shortened with "…". If not even "…" fits, the block
    has no lines and is `shortened`. balanced: whether all lines are about equally long, which makes no more of them.
    """
    part = visible_part(text, width, height, style)
    block = _fit(part, width, height, style, faces, balanced)
    if part == text:
        return block
    # one by one, since to look through a long text in its order takes a second
    rare = {char for char in set(text) if not char.isascii()}
    return replace(block, shortened=True, missing=block.missing.union(*map(faces.missing, rare)))


def visible_part(text: str, width: int, height: int, style: TextStyle) -> str:
    """The text, without what style.shorten leaves out of a text of more characters than the box can show.

    What is left does not fit either, and is shortened to the same lines as the whole text; should it fit, since it has
    many characters without a width, it shows by "…" where it was cut.
    """
    lines = height // _pitch(style.min_size, style) + 2
    most = lines * (width * _NARROWEST // style.min_size + 1)
    if len(text) <= most:
        return text
    text = text.strip()
    if len(text) <= most:
        return text
    is_list = _has_more_lines(text.count("\n") + 1, height, style)
    tail = most // 2 if style.shorten == "middle" and not is_list else 0
    return f"{text[: most - tail]}…{text[len(text) - tail :]}"


@lru_cache(maxsize=1024)
def _fit(text: str, width: int, height: int, style: TextStyle, faces: Faces, balanced: bool) -> TextBlock:
    return _Fitter(faces.pieces(_clean(text)), width, height, style, faces).block(balanced)


def _clean(text: str) -> str:
    """The text with line feeds between lines, spaces for tabs, composed accents and no control characters."""
    if text.isascii() and text.isprintable():
        return text.strip()
    text = _NEW_LINE.sub("\n", text).replace("\t", _TAB)
    text = _UNUSED.sub("", normalize("NFC", text))
    text = "".join("\ufffd" if category(char) == "Cs" else char for char in text)
    return "".join(char for char in text if char == "\n" or category(char) != "Cc").strip()


class _Paragraph:
    """Text without line feeds: its pieces, their bidi levels, and where it may break."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.pieces = pieces
        clusters = [cluster for cluster, _ in pieces]
        self.levels = _cluster_levels(clusters)
        self.breaker = Breaker(clusters)


class _Fitter:
    """One text, as pieces, and the box of width x height pixels to fit it into."""

    def __init__(self, pieces: list[Piece], width: int, height: int, style: TextStyle, faces: Faces) -> None:
        self.pieces, self.style, self.faces = pieces, style, faces
        self.width, self.height = width, height
        self.missing = frozenset(missing_in(pieces))

    @cached_property
    def ellipsis(self) -> list[Piece]:
        """What replaces the text that is left out."""
        return self.faces.pieces("…" if not self.faces.missing("…") else "...")

    def block(self, balanced: bool) -> TextBlock:
        """The text as large as it fits; without lines if nothing fits."""
        if not self.pieces:
            return TextBlock()
        paragraphs = _paragraphs(self.pieces)
        whole = _largest(self.style.min_size, self.style.size, lambda size: self._whole(paragraphs, size))
        if whole:
            is_wrapped = len(whole.lines) > len(paragraphs)
            return self._balanced(paragraphs, whole) if balanced and is_wrapped else whole
        # of a list without space for all of its lines the first ones are shown
        is_list = _has_more_lines(len(paragraphs), self.height, self.style)
        cuts_middle = self.style.shorten == "middle" and not is_list
        shortened = self._without_middle(paragraphs) if cuts_middle else self._without_end(paragraphs)
        return shortened or TextBlock(shortened=True, missing=self.missing)

    def _whole(self, paragraphs: Sequence[_Paragraph], size: int, *, is_cut: bool = False) -> TextBlock | None:
        """All of the text at a size; None if it does not fit."""
        lines: list[Line] = []
        for _, line in self._lines(paragraphs, size):
            # lines below the box need not be laid out
            if line is None or len(lines) * self._pitch(size) > self.height:
                return None
            lines.append(line)
        return self._stack(lines, size, is_cut)

    def _balanced(self, paragraphs: Sequence[_Paragraph], block: TextBlock) -> TextBlock:
        """The block with as many lines, but about equally long ones."""
        size = block.size
        lines: list[Line] = []
        for paragraph in paragraphs:
            ends = list(accumulate(len(pieces) for pieces, _ in self._lines([paragraph], size)))
            if len(ends) > 1:
                offsets = pen_offsets(paragraph.pieces, size, self.faces)
                balanced = paragraph.breaker.balanced(len(ends), offsets, self.width - 2 * self.style.outline_width)
                ends = balanced or ends
            lines += [self._line(paragraph, start, end, size) for start, end in pairwise([0, *ends])]
        # the offsets are rounded, so a line may turn out too wide
        return self._stack(lines, size, False) or block

    def _without_middle(self, paragraphs: Sequence[_Paragraph]) -> TextBlock | None:
        """The text with its middle replaced by an ellipsis, so that it fits."""
        size = self.style.min_size

        def shortened_to(count: int) -> TextBlock | None:
            head, tail = self.pieces[: count - count // 2], self.pieces[len(self.pieces) - count // 2 :]
            return self._whole(_paragraphs([*head, *self.ellipsis, *tail]), size, is_cut=True)

        _, cuts = self._first_lines(paragraphs, size)
        # twice the visible beginning hardly ever fits; trying more of a very long text would be slow
        most = min(len(self.pieces) - 1, 2 * sum(map(len, cuts)) + len(cuts))
        return _largest(0, most, shortened_to)

    def _without_end(self, paragraphs: Sequence[_Paragraph]) -> TextBlock | None:
        """The lines that fit, the last of them ending with the ellipsis."""
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
        for pieces, line in self._lines(paragraphs, size):
            cuts.append(pieces)
            if line is None:
                break
            lines.append(line)
            if len(lines) * self._pitch(size) > self.height:
                break
        return lines, cuts

    def _lines(self, paragraphs: Sequence[_Paragraph], size: int) -> Iterator[tuple[Sequence[Piece], Line | None]]:
        """The pieces and the layout of each line; ends with None where not even one character fits on a line."""
        for paragraph in paragraphs:
            start = 0
            while start < max(1, len(paragraph.pieces)):
                end = self._line_end(paragraph, start, size)
                if end is None:
                    yield paragraph.pieces[start : start + 1], None
                    return
                yield paragraph.pieces[start:end], self._line(paragraph, start, end, size)
                start = max(end, start + 1)

    def _cut_line(self, pieces: Sequence[Piece], size: int) -> Line | None:
        """The longest beginning of a line that fits before the ellipsis; None if the ellipsis alone is too wide."""

        def shortened_to(count: int) -> Line | None:
            beginning = list(pieces[:count])
            while beginning and beginning[-1][0].isspace():
                beginning.pop()
            paragraph = _Paragraph([*beginning, *self.ellipsis])
            line = self._line(paragraph, 0, len(paragraph.pieces), size)
            return line if self._fits_width(line) else None

        return _largest(0, len(pieces), shortened_to)

    def _line_end(self, paragraph: _Paragraph, start: int, size: int) -> int | None:
        if not paragraph.pieces:
            return 0
        return paragraph.breaker.line_end(start, lambda a, b: self._fits(paragraph, a, b, size))

    def _fits(self, paragraph: _Paragraph, start: int, end: int, size: int) -> bool:
        """Whether the pieces from start to end fit on a line; of a very long word its beginning is tried first."""
        probe = _PROBE
        while start + probe < end:
            if not self._fits_width(self._line(paragraph, start, start + probe, size)):
                return False
            probe *= 2
        return self._fits_width(self._line(paragraph, start, end, size))

    def _line(self, paragraph: _Paragraph, start: int, end: int, size: int) -> Line:
        return lay_out(paragraph.pieces[start:end], paragraph.levels[start:end], size, self.faces)

    def _fits_width(self, line: Line) -> bool:
        return line.width + 2 * self.style.outline_width <= self.width

    def _pitch(self, size: int) -> int:
        return _pitch(size, self.style)

    def _stack(self, lines: Sequence[Line], size: int, is_cut: bool) -> TextBlock | None:
        """The lines below each other, farther apart where their ink would touch; None if that does not fit."""
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


def _pitch(size: int, style: TextStyle) -> int:
    """From one baseline to the next at a font size."""
    return max(1, round(size * style.line_spacing))


def _has_more_lines(lines: int, height: int, style: TextStyle) -> bool:
    """Whether so many lines are higher than the box even at the smallest size."""
    return lines > max(1, height // _pitch(style.min_size, style))


def _largest(low: int, high: int, make: Callable[[int], _T | None]) -> _T | None:
    """make(n) for the largest n from low to high for which it is not None, by bisection; None if there is none."""
    best = make(high)
    if best is not None or high <= low:
        return best
    best = make(low)
    while best is not None and high - low > 1:
        middle = (low + high) // 2
        result = make(middle)
        if result is None:
            high = middle
        else:
            low, best = middle, result
    return best


def _paragraphs(pieces: Sequence[Piece]) -> list[_Paragraph]:
    ends = [i for i, (cluster, _) in enumerate(pieces) if cluster == "\n"]
    return [_Paragraph(pieces[a + 1 : b]) for a, b in pairwise([-1, *ends, len(pieces)])]


def _cluster_levels(clusters: Sequence[str]) -> list[int]:
    text = "".join(clusters)
    if text.isascii():
        return [0] * len(clusters)
    levels = bidi.levels(text, bidi.base_level(text))
    return [levels[start] for start in accumulate(map(len, clusters[:-1]), initial=0)]
