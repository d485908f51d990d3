"""What long texts share is left out, so that what they differ in is seen."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import Match, SequenceMatcher
from itertools import groupby, takewhile

#: Only texts that are longer than this are made shorter.
LONG_TEXT = 40
#: How many consecutive words all texts must share before these are left out.
_SHARED_WORDS = 3
#: Beyond so many texts or words only beginnings and ends are compared, since comparing all would be slow.
_MOST_TEXTS, _MOST_WORDS = 64, 300
_GAP = "…"
#: The name of a column before its value.
_NAME = re.compile(r"[^\W\d][\w ]{0,30}: ")


def without_shared(texts: Sequence[str]) -> tuple[list[str], str]:
    """The texts with "…" for what they share, and the shared words with "…" for what differs.

    The texts as they are and "" where they are short, share little, or would not all be told apart.
    """
    different = list(dict.fromkeys(texts))
    if len(different) < 2 or max(map(len, different)) <= LONG_TEXT:
        return list(texts), ""
    words = [text.split() for text in different]
    marks = _shared_marks(words)
    cut = {text: _own_words(*one) or text for text, one in zip(different, zip(words, marks, strict=True), strict=True)}
    if len(set(cut.values())) < len(different) or cut == dict(zip(different, different, strict=True)):
        return list(texts), ""
    return [cut[text] for text in texts], " ".join(_with_gaps(words[0], [not mark for mark in marks[0]], 1))


def labels_without_shared(labels: Sequence[str]) -> list[str]:
    """The labels, each line of which leaves out what it shares with the same line of the others."""
    counts = {label.count("\n") for label in labels if label}
    if not labels or len(counts) != 1 or max(map(len, labels)) <= LONG_TEXT:
        return list(labels)
    shown = [index for index, label in enumerate(labels) if label]
    columns = zip(*(labels[index].split("\n") for index in shown), strict=True)
    rows = zip(*(_line_without_shared(lines) for lines in columns), strict=True)
    found = dict(zip(shown, map("\n".join, rows), strict=True))
    return [found.get(index, label) for index, label in enumerate(labels)]


def _line_without_shared(lines: Sequence[str]) -> list[str]:
    """One line of every label; the name of its column stays."""
    name = _NAME.match(lines[0])
    start = name[0] if name and all(line.startswith(name[0]) for line in lines) else ""
    return [start + text for text in without_shared([line[len(start) :] for line in lines])[0]]


def _shared_marks(texts: Sequence[Sequence[str]]) -> list[list[bool]]:
    """For each word of each text whether all texts have it, in the same order."""
    if len(texts) > _MOST_TEXTS or max(map(len, texts)) > _MOST_WORDS:
        start = _equal_columns(texts)
        least = min(map(len, texts)) - start
        end = min(least, _equal_columns([text[::-1] for text in texts]))
        return [[True] * start + [False] * (len(text) - start - end) + [True] * end for text in texts]
    shared = list(texts[0])
    for text in texts[1:]:
        shared = [word for block in _matches(shared, text) for word in shared[block.a : block.a + block.size]]
    marks = [[False] * len(text) for text in texts]
    for text, own in zip(texts, marks, strict=True):
        for block in _matches(shared, text):
            own[block.b : block.b + block.size] = [True] * block.size
    return marks


def _equal_columns(texts: Sequence[Sequence[str]]) -> int:
    """How many words at the beginning are the same in all texts."""
    return sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, zip(*texts, strict=False)))


def _matches(first: Sequence[str], second: Sequence[str]) -> list[Match]:
    return SequenceMatcher(None, first, second, autojunk=False).get_matching_blocks()


def _own_words(words: Sequence[str], marks: Sequence[bool]) -> str:
    """The words with "…" for longer runs of those that are marked; "" if all are."""
    if all(marks):
        return ""
    parts = _with_gaps(words, marks, _SHARED_WORDS)
    if parts[-1] == _GAP:
        parts[-2] = parts[-2].rstrip(",;")
    return " ".join(parts)


def _with_gaps(words: Sequence[str], marks: Sequence[bool], least: int) -> list[str]:
    """The words with "…" for each run of at least so many that are marked."""
    parts: list[str] = []
    for is_marked, run in groupby(zip(words, marks, strict=True), lambda pair: pair[1]):
        own = [word for word, _ in run]
        parts += [_GAP] if is_marked and len(own) >= least else own
    return parts
