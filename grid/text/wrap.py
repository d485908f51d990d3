"""Where a text may be broken into lines, and the best of these places that fits."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import regex

_SPACES = " \u200b\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2008\u2009\u200a\u205f\u3000"
_FILE_NAME_BREAKS = "_-./\\:,;"
#: With a space on each side, between the parts of a text.
_SEPARATORS = "·•|"
_WIDE = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\u3000-\u303F\uFF00-\uFF60\p{Extended_Pictographic}]")
_HANGUL = regex.compile(r"\p{Hangul}")
#: Characters that no line of Chinese or Japanese begins with, and that none ends with.
_NOT_FIRST = set("、。，．・：；？！）」』】〉》〕…ー々ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ,.!?:;)]}%’”")
_NOT_LAST = set("（「『【〈《〔([{‘“")
#: The end of a file's name, and a fraction: neither is parted from what stands before its point.
_ENDING = regex.compile(r"(?<=[^\s.])\.(?:\p{L}[\p{L}\p{Nd}]{0,11}|\p{Nd}+)(?=$|[\s)\]},;:])")
#: Ranks of a place to break, the best first.
AT_SPACE, IN_NAME, ANYWHERE, AFTER_POINT, IN_ENDING = range(5)
#: Lines of more places are not balanced: that would be slow, and nobody sees it.
_MOST_PLACES = 200


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
        for place in _in_endings(clusters):
            ranks[place - 1] = AFTER_POINT if clusters[place - 1] == "." else IN_ENDING
        #: For each rank the places of that rank or a better one, ascending, and the end of the paragraph.
        self._places = [
            [i for i, r in enumerate(ranks, 1) if r <= rank] + [n] for rank in range(max([ANYWHERE, *ranks]) + 1)
        ]
        #: The places behind separators, and the end of the paragraph.
        self._parts = [i for i in range(3, n) if _is_separator(clusters[i - 3 : i])] + [n]
        #: For each place where the white space before it begins.
        self._ink_ends = [0]
        for place, cluster in enumerate(clusters, 1):
            self._ink_ends.append(self._ink_ends[-1] if cluster.isspace() else place)

    def line_end(self, start: int, fits: Callable[[int, int], bool]) -> int | None:
        """The end of the line that begins at `start`: the last place that fits, of the best rank that has one.

        fits: whether the clusters from start to end fit on a line. None if not even one cluster fits.
        """
        for places in self._places:
            end = _farthest(places, bisect_right(places, start), lambda end: fits(start, end))
            if end is not None:
                return end
        return None

    def balanced(self, count: int, offsets: Sequence[float], width: float) -> list[int]:
        """The ends of ``count`` lines no wider than ``width`` that are about equally long; [] where there are none.

        They end at separators where that can be, else between words, else in names, and the last one is more than one
        short word where that can be. offsets: where each cluster begins in the unbroken paragraph, and where the last
        one ends.
        """
        first: list[int] = []
        for places in (self._parts, *self._places[: IN_NAME + 1]):
            if len(places) > _MOST_PLACES:
                continue
            ends = _Words(places, self._ink_ends, offsets).balanced(count, width)
            if ends and not (ends.is_last_short and self._is_word(ends.ends[-2])):
                return ends.ends
            first = first or (ends.ends if ends else [])
        return first

    def _is_word(self, start: int) -> bool:
        """Whether a single word stands between a place and the end."""
        return not any(place > start for place in self._places[AT_SPACE][:-1])


@dataclass(frozen=True)
class _Ends:
    ends: list[int]
    #: Whether the last line is a single word that is less than half as long as the longest line.
    is_last_short: bool


class _Words:
    """The words of a paragraph, which may be parts of file names, with their places."""

    def __init__(self, places: Sequence[int], ink_ends: Sequence[int], offsets: Sequence[float]) -> None:
        self.places = places
        self.lefts = [offsets[start] for start in (0, *places[:-1])]
        #: Without the white space that follows.
        self.rights = [offsets[ink_ends[end]] for end in places]

    def balanced(self, count: int, width: float) -> _Ends | None:
        """The ends of lines of the least width that makes no more lines; None where a word is too long."""
        low, high = max(right - left for left, right in zip(self.lefts, self.rights, strict=True)), width
        if low > high or len(lines := self._lines(high)) > count:
            return None
        while high - low >= 1:
            middle = (low + high) / 2
            tried = self._lines(middle)
            if len(tried) > count:
                low = middle
            else:
                high, lines = middle, tried
        return self._without_single_word(lines, width)

    def _lines(self, width: float) -> list[int]:
        """For each line the place of the word after its last one, as many words to a line as fit."""
        ends, left = [], self.lefts[0]
        for word, right in enumerate(self.rights):
            if right - left > width:
                ends.append(word)
                left = self.lefts[word]
        return [*ends, len(self.places)]

    def _without_single_word(self, ends: list[int], width: float) -> _Ends:
        starts = [0, *ends[:-1]]
        if len(ends) > 1 and ends[-1] - starts[-1] == 1:
            is_movable = ends[-2] - starts[-2] > 1 and self.rights[-1] - self.lefts[ends[-2] - 1] <= width
            if is_movable:
                ends = [*ends[:-2], ends[-2] - 1, ends[-1]]
                starts = [0, *ends[:-1]]
        widths = [self.rights[end - 1] - self.lefts[start] for start, end in zip(starts, ends, strict=True)]
        is_short = ends[-1] - starts[-1] == 1 and widths[-1] < max(widths) / 2
        return _Ends([self.places[end - 1] for end in ends], is_short)


def _is_separator(clusters: Sequence[str]) -> bool:
    return clusters[0] in _SPACES and clusters[1] in _SEPARATORS and clusters[2] in _SPACES


def _in_endings(clusters: Sequence[str]) -> list[int]:
    """The places before and within the endings of names."""
    text = "".join(clusters)
    if "." not in text:
        return []
    inside = {i for match in _ENDING.finditer(text) for i in range(match.start(), match.end())}
    starts = accumulate(map(len, clusters), initial=0)
    return [place for place, start in enumerate(starts) if start in inside and 0 < place < len(clusters)]


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
