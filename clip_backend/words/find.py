"""A vocabulary from the one line of text that nodes and flags have for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from ...errors import InputError
from .entries import join
from .given import given_labels
from .own_words import own_vocabulary
from .vocabulary import Vocabulary
from .word_files import is_word_file, read_vocabulary

#: What stands before a file whose words are added to the own ones.
PLUS = "+"


def find_vocabulary(text: str, *, find: Callable[[str], Path] = Path) -> Vocabulary:
    """The own words for an empty text, those of a file for its path, else the words between commas or line breaks.

    A text that begins with + adds a file, or words, to the own ones. find: where a path leads; it may refuse it.
    Raises InputError for a path without a file, for a file that cannot be used, and for a text without words.
    """
    text = text.strip()
    if not text:
        return own_vocabulary()
    if text.startswith(PLUS):
        return join(own_vocabulary(), _named(text.removeprefix(PLUS).strip(), find))
    return _named(text, find)


def _named(text: str, find: Callable[[str], Path]) -> Vocabulary:
    if is_word_file(text):
        return read_vocabulary(find(text))
    words = [word.strip() for word in re.split(r"[,\n]", text)]
    if not any(words):
        raise InputError(f"{text!r} names no labels; give words between commas, or the path of a file of them")
    return given_labels([word for word in words if word])
