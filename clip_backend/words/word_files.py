"""Files of words that users write: lists, tables and JSON."""

from __future__ import annotations

import os
from pathlib import Path

from ...errors import InputError
from .json_words import read_json_words
from .listed_words import read_list, read_table
from .vocabulary import Vocabulary

_LARGEST = 16_000_000
_LINE_END = b"\n"
_READERS = {".txt": read_list, ".csv": read_table, ".json": read_json_words}
ENDINGS = tuple(_READERS)


def is_word_file(text: str) -> bool:
    """Whether a text names a file of words, by its ending."""
    return text.lower().endswith(ENDINGS) and "\n" not in text


def read_vocabulary(path: str | os.PathLike[str]) -> Vocabulary:
    """The words in a file, by its ending, under the file's name; see the readers for the forms.

    Raises InputError, with the file's path, when it cannot be read, is not UTF-8, holds no labels, or is malformed.
    """
    path = Path(path)
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise InputError(
            f"{path} is no vocabulary by its ending; save it as {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}"
        )
    try:
        text = _decode(_bytes(path))
        if not text.strip():
            raise InputError("is empty; write one label per line")
        return read(text, path.name)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST:
            raise InputError(f"is larger than {_LARGEST:,} bytes, which no vocabulary is")
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError("there is no such file; check the path") from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror}); check the file") from error


def _decode(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # the codec counts from behind a byte order mark
        place = error.start + len(raw) - len(error.object)
        where = f"0x{raw[place]:02X}, in line {raw.count(_LINE_END, 0, place) + 1}"
        raise InputError(f"byte {place + 1} ({where}) is not UTF-8; save the file as UTF-8") from None
    if "\0" in text:
        raise InputError(f"byte {raw.index(0) + 1} is 0, which is not text in UTF-8; save the file as UTF-8")
    return text
