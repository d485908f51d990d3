"""The words that a node's inputs name; files of them are in the folders that workflows may read from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ...clip_backend.words.files import ENDINGS
from ...clip_backend.words.find import PLUS, find_vocabulary, given_labels
from ...clip_backend.words.vocabulary import Vocabulary
from ...errors import ClipGridError, InputError
from ..host.host import Host

#: What a text ends with that names a file: its ending, with the quotes of a copied path and a mark such as [output].
_FILE = re.compile(rf"({'|'.join(map(re.escape, ENDINGS))})[\"']?\s*(\[(input|output|temp)\])?\s*$", re.IGNORECASE)
#: How the input for it is explained.
VOCABULARY_HELP = (
    "Words of a .txt, .csv or .json file in ComfyUI's input folder, or words between commas; +FILE = the pack's own "
    "words and those of the file; empty = the pack's own"
)


def vocabulary_file(text: str, host: Host) -> Path | None:
    """The file that a vocabulary input names; None if it names none.

    Raises ForbiddenPath outside the allowed folders, InputError where there is no such file.
    """
    if "\n" in text.strip() or not _FILE.search(text):
        return None
    return host.folders.find(text.strip().removeprefix(PLUS))


def find_words(text: str, host: Host) -> Vocabulary:
    """The words of a vocabulary input; raises as ``vocabulary_file``, and InputError for what cannot be used."""
    file = vocabulary_file(text, host)
    plus = PLUS if text.strip().startswith(PLUS) else ""
    return find_vocabulary(text if file is None else f"{plus}{file}")


def chosen_words(labels: Sequence[object], vocabulary: str, host: Host) -> Vocabulary:
    """The words of ``labels``, or those that ``vocabulary`` names; the pack's own where both are empty.

    labels: a single text with one label per line, or on one line between commas; or several texts of one label each.
    Raises InputError if both are given, and as ``find_words``.
    """
    texts = [str(value) for value in labels if value is not None]
    if not any(text.strip() for text in texts):
        return find_words(vocabulary, host)
    if vocabulary:
        raise InputError("both labels and vocabulary are given; empty one of them")
    if len(texts) > 1:
        return given_labels(texts)
    if _FILE.search(texts[0]):
        raise InputError(f"labels is {texts[0].strip()!r}; write the name of a file into vocabulary")
    return given_labels(split_labels(texts[0]))


def split_labels(text: str) -> list[str]:
    """Labels on lines, or between commas where there is but one line; those that are empty are left out."""
    text = text.strip()
    parts = text.splitlines() if "\n" in text else text.split(",")
    return [part.strip() for part in parts if part.strip()]


def vocabulary_problem(values: Sequence[object], host: Host) -> str:
    """Why the vocabulary cannot be used, known before anything runs; empty when all is well or it is linked."""
    try:
        for text in (str(value).strip() for value in values if value is not None):
            if text:
                find_words(text, host)
    except ClipGridError as error:
        return str(error)
    return ""
