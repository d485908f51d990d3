"""Texts before they are encoded: checked, and without the syntax of prompts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

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
