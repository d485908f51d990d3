"""Vocabularies that inputs name; their files must be in the folders that workflows may read from."""

from __future__ import annotations

from pathlib import Path

from ...clip_backend.words.sources import VocabularyText, vocabulary_from_text
from ...clip_backend.words.vocabulary import Vocabulary, vocabulary_from_labels
from ...errors import InputError
from ..host.host import Host
from .inputs import Values

#: The tooltip of vocabulary inputs.
VOCABULARY_HELP = (
    "Words of a .txt, .csv or .json file in ComfyUI's input folder, or words between commas; +FILE = the pack's own "
    "words and those of the file; empty = the pack's own"
)


def vocabulary_file(text: str, host: Host) -> Path | None:
    """The file that a vocabulary input names; None if it names none.

    Raises ForbiddenPath outside the allowed folders, InputError if the file does not exist.
    """
    file = VocabularyText.parse(text).file
    return host.folders.find(file) if file else None


def read_vocabulary_input(text: str, host: Host) -> Vocabulary:
    """The vocabulary of an input; raises as ``vocabulary_file``, and InputError for a file or text without words."""
    with host.folders.short_errors():
        return vocabulary_from_text(text, resolve=host.folders.find)


def choose_vocabulary(labels: Values, vocabulary: str, host: Host) -> Vocabulary:
    """The texts of ``labels``, or what ``vocabulary`` names; the pack's own words if both are empty.

    labels: a single text with one label per line, or on one line between commas; or several texts of one label each.
    Raises InputError if both are given, and as ``read_vocabulary_input``.
    """
    texts = [str(value) for value in labels if value is not None]
    if not any(text.strip() for text in texts):
        return read_vocabulary_input(vocabulary, host)
    if vocabulary:
        raise InputError("both labels and vocabulary are given; empty one of them")
    if len(texts) > 1:
        return vocabulary_from_labels(texts)
    if VocabularyText.parse(texts[0]).file:
        raise InputError(f"labels is {texts[0].strip()!r}; write the name of a file into vocabulary")
    return vocabulary_from_labels(split_labels(texts[0]))


def split_labels(text: str) -> list[str]:
    """The labels on separate lines, or between commas if there is only one line; empty ones are left out."""
    text = text.strip()
    parts = text.splitlines() if "\n" in text else text.split(",")
    return [part.strip() for part in parts if part.strip()]
