"""Where a text may be broken into lines, and the best of these places that fits."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence

import regex

_SPACES = " \u200b\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2008\u2009\u200a\u205f\u3000"
_FILE_NAME_BREAKS = "_-./\\:,;"
_WIDE = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\u3000-\u303F\uFF00-\uFF60\p{Extended_Pictographic}]")
_HANGUL = regex.compile(r"\p{Hangul}")
#: Characters that no line of Chinese or Japanese begins with, and that none ends with.
_NOT_FIRST = set("、。，．・：；？！）」』】〉》〕…ー々ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ,.!?:;)]}%’”")
_NOT_LAST = set("（「『【〈《〔([{‘“")
#: Ranks of a place to break, the best first.
AT_SPACE, IN_NAME, ANYWHERE = 0, 1, 2


def break_rank(before: str, after: str) -> int:
    """The rank of the place between two grapheme clusters.

    AT_SPACE after a space and beside a Chinese or Japanese character, IN_NAME after punctuation of file names and
    between Korean syllables, else ANYWHERE.
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
    """Where the lines of one paragraph of grapheme clusters end."""

    def __init__(self, clusters: Sequence[str]) -> None:
        n = len(clusters)
        ranks = [break_rank(clusters[i - 1], clusters[i]) for i in range(1, n)]
        #: For each rank the places of that rank or a better one, ascending, and the end of the paragraph.
        self._places = [
            [i for i, r in enumerate(ranks, 1) if r <= rank] + [n] for rank in (AT_SPACE, IN_NAME, ANYWHERE)
        ]

    def line_end(self, start: int, fits: Callable[[int, int], bool]) -> int | None:
        """The end of the line that begins at `start`: the last place that fits, of the best rank that has one.

        fits: whether the clusters from start to end fit on a line. None if not even one cluster fits.
        """
        for places in self._places:
            end = _farthest(places, bisect_right(places, start), lambda end: fits(start, end))
            if end is not None:
                return end
        return None


def _farthest(places: Sequence[int], first: int, fits: Callable[[int], bool]) -> int | None:
    """The last of places[first:] that fits, by doubling and then halving the step: long texts are slow to measure."""
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
