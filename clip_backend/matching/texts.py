"""The texts of a run, checked, and in the form that a model reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...errors import InputError
from ..words.vocabulary import SLOT, check_templates
from .options import MatchOptions
from .prompt_syntax import plain_text


def given_texts(texts: str | Sequence[str]) -> tuple[str, ...]:
    """The texts; a string alone is one. Raises InputError for none at all, and for one that is empty or no string."""
    if isinstance(texts, str):
        texts = (texts,)
    if not isinstance(texts, Iterable):
        raise InputError(f"texts are a {type(texts).__name__}; give a string or a list of strings")
    found = tuple(texts)
    if not found:
        raise InputError("no texts were given; give at least one")
    for number, text in enumerate(found, 1):
        _check(text, _which(number, len(found)))
    return found


def plain_texts(texts: Sequence[str], *, prompt_syntax: bool) -> tuple[str, ...]:
    """What the texts ask for; prompt_syntax: whether they are read as prompts, of which the syntax is left out.

    Raises InputError for a text of which nothing is left.
    """
    if not prompt_syntax:
        return tuple(texts)
    plain = tuple(map(plain_text, texts))
    for number, (given, left) in enumerate(zip(texts, plain, strict=True), 1):
        if not left.strip():
            raise InputError(
                f"{_which(number, len(plain))} is {given[:60]!r}, which holds nothing but prompt syntax; say what the "
                "picture shows, or switch prompt_syntax off to read it as it stands"
            )
    return plain


def in_template(texts: Iterable[str], options: MatchOptions) -> list[str]:
    """The texts, each in the sentence of the options; raises InputError if that has no place for one."""
    check_templates((options.template,))
    return [options.template.replace(SLOT, text) for text in texts]


def _check(text: object, which: str) -> None:
    if not isinstance(text, str):
        raise InputError(f"{which} is a {type(text).__name__}; give a string")
    if not text.strip():
        raise InputError(f"{which} is empty; say what the picture shows")


def _which(number: int, count: int) -> str:
    return f"text {number} of {count}" if count > 1 else "the text"
