"""Texts before they are encoded: checked, without the syntax of prompts, and split into phrases."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ...errors import InputError

_ESCAPED = re.compile(r"\\([()\[\]{}<>\\])")
_TAG = re.compile(r"<[^<>\n]*>")
_EMBEDDING = re.compile(r"\bembedding:[^\s,()\[\]{}]+", re.IGNORECASE)
_BREAK = re.compile(r"\bBREAK\b")
#: [from:to:when] and [to:when], where the picture ends with the second of them.
_SWITCH = re.compile(r"\[(?:[^\[\]:]*:)?([^\[\]:]*):\s*(?:\d+(?:\.\d*)?|\.\d+)\s*\]")
_WEIGHT = re.compile(r":\s*[-+]?(?:\d+(?:\.\d*)?|\.\d+)\s*(?=[)\]}])")
_BRACKETS = re.compile(r"[()\[\]{}]")
_SPACES = re.compile(r"[^\S\n]+")
_ORPHANS = re.compile(r"(?:\s*,)+")
#: Escaped brackets are kept here, in Unicode's private use area, while the others are removed.
_HIDDEN = 0xE000
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


def plain_text(prompt: str) -> str:
    r"""A prompt for picture generators without its syntax; a text that has none is returned unchanged.

    Removed: weights and emphasis as in (cat:1.2), ((cat)), [cat] and {cat}; <lora:names> and other tags, and
    embedding:names. BREAK becomes a comma, [cat:dog:0.5] the dog that it ends with, and \( a bracket.
    Empty if nothing is left.
    """
    text = _ESCAPED.sub(lambda match: chr(_HIDDEN + ord(match[1])), prompt)
    text = _EMBEDDING.sub("", _TAG.sub("", text))
    text = _SWITCH.sub(r"\1", _BREAK.sub(",", text))
    text = _unhide(_BRACKETS.sub("", _WEIGHT.sub("", text)))
    return prompt if text == prompt else _tidy(text)


def _unhide(text: str) -> str:
    return re.sub("[\ue000-\ue07f]", lambda match: chr(ord(match[0]) - _HIDDEN), text)


def _tidy(text: str) -> str:
    """Without the spaces and commas around what was removed."""
    lines = (_ORPHANS.sub(",", _SPACES.sub(" ", line)).strip(" ,") for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def check_texts(texts: str | Sequence[str]) -> tuple[str, ...]:
    """The texts; a string alone is one. Raises InputError for none at all, and for one that is empty or no string."""
    if isinstance(texts, str):
        texts = (texts,)
    if not isinstance(texts, Iterable):
        raise InputError(f"texts are a {type(texts).__name__}; give a string or a list of strings")
    checked = tuple(texts)
    if not checked:
        raise InputError("no texts were given; give at least one")
    for number, text in enumerate(checked, 1):
        _check(text, _which(number, len(checked)))
    return checked


def plain_texts(texts: Sequence[str], *, prompt_syntax: bool) -> tuple[str, ...]:
    """The texts without prompt syntax, or unchanged when ``prompt_syntax`` is off.

    Raises InputError for a text of which nothing is left.
    """
    if not prompt_syntax:
        return tuple(texts)
    plain = tuple(map(plain_text, texts))
    for number, (text, left) in enumerate(zip(texts, plain, strict=True), 1):
        if not left.strip():
            raise InputError(
                f"{_which(number, len(plain))} is {text[:60]!r}, which holds nothing but prompt syntax; say what the "
                "picture shows, or switch prompt_syntax off to read it as it stands"
            )
    return plain


def _check(text: object, which: str) -> None:
    if not isinstance(text, str):
        raise InputError(f"{which} is a {type(text).__name__}; give a string")
    if not text.strip():
        raise InputError(f"{which} is empty; say what the picture shows")


def _which(number: int, count: int) -> str:
    return f"text {number} of {count}" if count > 1 else "the text"


@dataclass(frozen=True)
class Phrase:
    """A part of a text that can be scored alone."""

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
    pieces = _limited(list(_pieces(text)), MOST_PHRASES)
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


def _limited(pieces: list[_Piece], most: int) -> list[_Piece]:
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
