"""The default vocabulary, and the vocabulary that the text of an option names."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from ...errors import InputError
from .files import is_vocabulary_file, read_vocabulary
from .vocabulary import Vocabulary, merge_vocabularies, vocabulary_from_labels

#: The facets of the default vocabulary, one file in ``data`` each.
DEFAULT_FACETS = ("medium", "subject", "style", "lighting", "colour", "composition", "mood", "defects")
#: Stands before a file or labels that are added to the default vocabulary.
ADD_PREFIX = "+"


@cache
def default_vocabulary() -> Vocabulary:
    """About 500 labels for pictures of any kind; no artists among them."""
    folder = Path(__file__).parent / "data"
    read = [read_vocabulary(folder / f"{name}.json") for name in DEFAULT_FACETS]
    return Vocabulary(name="own words", facets=tuple(facet for one in read for facet in one.facets))


def vocabulary_from_text(text: str, *, resolve: Callable[[str], Path] = Path) -> Vocabulary:
    """The default vocabulary for an empty text, a file's for its path, else labels between commas or line breaks.

    ``+`` before a path or labels adds them to the default vocabulary. resolve: turns the path into that of a file.
    Raises InputError for a path without a file, a file that cannot be used, and a text without labels; and what
    ``resolve`` raises.
    """
    is_added = text.strip().startswith(ADD_PREFIX)
    text = text.strip().removeprefix(ADD_PREFIX).strip()
    if not text and not is_added:
        return default_vocabulary()
    if is_vocabulary_file(text):
        chosen = read_vocabulary(resolve(text))
    else:
        labels = [label for part in re.split(r"[,\n]", text) if (label := part.strip())]
        if not labels:
            raise InputError(f"{text!r} names no labels; give words between commas, or the path of a file of them")
        chosen = vocabulary_from_labels(labels)
    return merge_vocabularies(default_vocabulary(), chosen) if is_added else chosen
