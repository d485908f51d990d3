"""The default vocabulary, and the vocabulary that the text of an option names."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ...errors import InputError
from .files import EXTENSIONS, read_vocabulary
from .vocabulary import Vocabulary, merge_vocabularies, vocabulary_from_labels

#: The facets of the default vocabulary, one file in ``data`` each.
DEFAULT_FACETS = ("medium", "subject", "style", "lighting", "colour", "composition", "mood", "defects")
#: Stands before a file or labels that are added to the default vocabulary.
ADD_PREFIX = "+"
#: The end of a text that names a file, with the quotes of a copied path or a folder tag such as [output] after it.
_FILE = re.compile(rf"({'|'.join(map(re.escape, EXTENSIONS))})[\"']?\s*(\[(input|output|temp)\])?\s*$", re.IGNORECASE)


@cache
def default_vocabulary() -> Vocabulary:
    """About 500 labels for pictures of any kind; no artists among them."""
    folder = Path(__file__).parent / "data"
    read = [read_vocabulary(folder / f"{name}.json") for name in DEFAULT_FACETS]
    return Vocabulary(name="own words", facets=tuple(facet for one in read for facet in one.facets))


@dataclass(frozen=True)
class VocabularyText:
    """What the text of an option names: a file, or labels, or nothing, which stands for the default vocabulary."""

    #: Whether it is added to the default vocabulary.
    is_added: bool
    #: The path of a file as written, a folder tag such as [output] included; empty where there is none.
    file: str
    #: The text of labels; empty where a file is named.
    labels: str

    @classmethod
    def parse(cls, text: str) -> VocabularyText:
        """``+`` at the beginning adds; a text of one line that ends like a vocabulary file is its path."""
        rest = text.strip()
        is_added = rest.startswith(ADD_PREFIX)
        rest = rest.removeprefix(ADD_PREFIX).strip()
        is_file = len(rest.splitlines()) == 1 and bool(_FILE.search(rest))
        return cls(is_added, rest if is_file else "", "" if is_file else rest)


def vocabulary_from_text(text: str, *, resolve: Callable[[str], Path] = Path) -> Vocabulary:
    """The default vocabulary for an empty text, a file's for its path, else labels between commas or line breaks.

    ``+`` before a path or labels adds them to the default vocabulary. resolve: turns the path into that of a file; no
    other path is opened.
    Raises InputError for a path without a file, a file that cannot be used, and a text without labels; and what
    ``resolve`` raises.
    """
    parsed = VocabularyText.parse(text)
    if parsed.file:
        chosen = read_vocabulary(resolve(parsed.file))
    elif not parsed.labels and not parsed.is_added:
        return default_vocabulary()
    else:
        labels = [label for part in re.split(r"[,\n]", parsed.labels) if (label := part.strip())]
        if not labels:
            raise InputError(
                f"{parsed.labels!r} names no labels; give words between commas, or the path of a file of them"
            )
        chosen = vocabulary_from_labels(labels)
    return merge_vocabularies(default_vocabulary(), chosen) if parsed.is_added else chosen
