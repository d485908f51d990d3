"""A text in the phrases that it is made of, and what is left of it without each of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

#: A clause of more words than these is split before its prepositions too.
MOST_WORDS = 4
#: The end of a text with more phrases than these is one phrase.
MOST_PHRASES = 64

#: Not the comma of 1,000, the colon of 16:9 nor the stops of "5 p.m.".
_BETWEEN = re.compile(
    r"(?:[\n|;，。；：、！？]|(?<!\d),|,(?!\d)|[:!?](?=\s|$)|(?<=\w\w)\.(?=\s|$)|\s[-–—]+\s)[\s,.:;!?|]*"
)
_LINKS = (
    r"in\s+front\s+of|on\s+top\s+of|next\s+to|on|onto|in|into|inside|at|under|underneath|over|above|below|beneath|"
    r"near|behind|beside|beyond|between|among|against|across|along|around|through|by|with|"
    r"(?:and|while)(?=\s+(?:an?|the|his|her|their|its|some|many|one|two|three)\s)"
)
_VERBS = r"wearing|holding|carrying|riding|without"
#: Before a preposition or conjunction, which is left out of the phrase, or before a verb, which is a part of it.
_INSIDE = re.compile(rf"\s+((?:(?:{_LINKS})\s+)+)(?=\S)|\s+(?=(?:{_VERBS})\s)", re.IGNORECASE)
_LEADING = re.compile(rf"^(?:(?:{_LINKS})\s+)+(?=\S)", re.IGNORECASE)
_WORD = re.compile(r"\w")


@dataclass(frozen=True)
class Phrase:
    """A part of a text that can be asked for alone."""

    text: str
    #: The text without it; empty if there is nothing else.
    rest: str


@dataclass(frozen=True)
class _Piece:
    """Words with what stands before them in the text: a preposition, or the end of the clause before."""

    before: str
    words: str
    #: The number of its clause.
    clause: int


def phrases_of(text: str) -> tuple[Phrase, ...]:
    """The phrases in their order: "a red circle" and "a blue ground" of "a red circle on a blue ground".

    A text is split at punctuation and line ends; a clause of more than four words is also split before prepositions,
    before conjunctions that an article follows, and before verbs such as wearing. A text that cannot be split is one
    phrase.
    """
    pieces = _first(list(_pieces(text)), MOST_PHRASES)
    if len(pieces) < 2:
        return (Phrase(text.strip(), ""),)
    return tuple(
        Phrase(_without_link(piece.words), _joined([*pieces[:place], *pieces[place + 1 :]]))
        for place, piece in enumerate(pieces)
    )


def _pieces(text: str) -> Iterator[_Piece]:
    start, before = 0, ""
    ends = [(match.start(), match.end()) for match in _BETWEEN.finditer(text)]
    for number, (end, after) in enumerate([*ends, (len(text), len(text))]):
        clause = " ".join(text[start:end].split())
        if _WORD.search(clause):
            yield from _split_clause(clause, before, number)
            before = ""
        before = before or text[end:after]
        start = after


def _split_clause(clause: str, before: str, number: int) -> Iterator[_Piece]:
    if len(clause.split()) <= MOST_WORDS:
        yield _Piece(before, clause, number)
        return
    start = 0
    for match in _INSIDE.finditer(clause):
        if match.start() > start:
            yield _Piece(before, clause[start : match.start()], number)
            before, start = match[0], match.end()
    yield _Piece(before, clause[start:], number)


def _first(pieces: list[_Piece], most: int) -> list[_Piece]:
    """At most so many; those that are too many become the last one."""
    if len(pieces) <= most:
        return pieces
    end = pieces[most - 1 :]
    return [*pieces[: most - 1], replace(end[0], words=_joined(end))]


def _joined(pieces: Sequence[_Piece]) -> str:
    """The pieces as a text; where the first of a clause is gone, the next one stands for it without its preposition."""
    text = _without_link(pieces[0].words)
    for last, piece in pairwise(pieces):
        is_orphan = piece.clause != last.clause and not _BETWEEN.match(piece.before)
        text += (", " if is_orphan else piece.before) + piece.words
    return text


def _without_link(words: str) -> str:
    return _LEADING.sub("", words)
