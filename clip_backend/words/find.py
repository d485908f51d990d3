"""The vocabulary that comes with the pack, one file in ``data`` per facet."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path

from ...errors import InputError
from .files import is_word_file, read_vocabulary
from .vocabulary import LABEL, Entry, Vocabulary, build_vocabulary, join

#: The facets, in the order in which they are told.
FACETS = ("medium", "subject", "style", "lighting", "colour", "composition", "mood", "defects")


@cache
def own_vocabulary() -> Vocabulary:
    """About 500 words for pictures, made or taken; no artists among them."""
    folder = Path(__file__).parent / "data"
    read = [read_vocabulary(folder / f"{name}.json") for name in FACETS]
    return Vocabulary(name="own words", facets=tuple(facet for one in read for facet in one.facets))


def given_labels(labels: Iterable[str], *, name: str = "labels", templates: Sequence[str] = ()) -> Vocabulary:
    """One facet of the labels, without blanks around them; those that differ in case alone are one, with a note.

    Raises InputError for no labels, and for one that is empty or no text.
    """
    if isinstance(labels, str):
        raise InputError(f"the labels are the text {labels[:40]!r}; give a list of texts")
    if not isinstance(labels, Iterable):
        raise InputError(f"the labels are a {type(labels).__name__}; give a list of texts")
    labels = list(labels)
    if not labels:
        raise InputError("no labels were given; give at least one, and two or more to choose between")
    for place, label in enumerate(labels):
        _check(label, f"label {place + 1} of {len(labels)}")
    entries = [Entry(label=label) for label in labels]
    return build_vocabulary(name, entries, templates={LABEL: tuple(templates)} if templates else None)


def _check(label: object, which: str) -> None:
    if not isinstance(label, str):
        raise InputError(f"{which} is {label!r}; a label must be a text")
    if not label.strip():
        raise InputError(f"{which} is empty; take it out")


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
