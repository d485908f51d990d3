"""What a store holds of a picture beside its vector, so that the filters of an index can be asked there too."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

from ..database import path_text
from ..filters import field_name
from ..index import folded

#: Version of the payload; a collection with another one is refused.
VERSION = 1
_NAMESPACE = UUID("8d7f6c1e-52a4-5c0b-9f5e-3b6f0a4d2c71")
#: Fields that filters and the indexes of a store are named by. What is yes or no is 1 or 0.
FILES, HAS_FILE, HASH, DIGEST, IS_MISSING, DATE = "files", "has_file", "hash", "digest", "is_missing", "date"
_FOLDED = "_folded"


def point_id(hash: str) -> str:
    """The id of the point of a content, which is the same in every store."""
    return str(uuid5(_NAMESPACE, hash))


def text_key(field: str) -> str:
    """Where the text of a property is, in small ASCII letters."""
    return f"texts.{_escaped(field)}"


def number_key(field: str) -> str:
    """Where the number of a property is that is one."""
    return f"numbers.{_escaped(field)}"


def folded_key(key: str) -> str:
    """Where the same text is without case, if it is not ASCII alone; see ``index.folded``."""
    return f"{key}{_FOLDED}"


def small_letters(text: str) -> str:
    """A text as SQLite compares it without case: of ASCII alone."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


def storable(text: str) -> str:
    """A text that JSON can hold: of names that are no text, the bytes that are none are replaced."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def payloads(connection: sqlite3.Connection, pictures: Sequence[int]) -> dict[int, dict[str, Any]]:
    """The payload of each of up to 900 pictures, by their ids."""
    marks = ", ".join("?" * len(pictures))
    found = {
        id: {HASH: hash, "width": width, "height": height, "ratio": width / max(height, 1), FILES: [], HAS_FILE: 0}
        for id, hash, width, height in connection.execute(
            f"SELECT id, hash, width, height FROM pictures WHERE id IN ({marks})", pictures
        )
    }
    for picture, name, text, number in connection.execute(
        f"SELECT picture, name, text, number FROM properties WHERE picture IN ({marks}) ORDER BY picture, name",
        pictures,
    ):
        _add_property(found[picture], field_name(name), storable(text), number)
    for picture, root, folder, name, mtime_ns, missing in connection.execute(
        "SELECT picture, roots.path, folder, name, mtime_ns, missing FROM files JOIN roots ON roots.id = root"
        f" WHERE picture IN ({marks}) ORDER BY picture, files.id",
        pictures,
    ):
        found[picture][FILES].append(_file(root, folder, name, mtime_ns, missing is not None))
        found[picture][HAS_FILE] |= int(missing is None)
    for payload in found.values():
        payload[DIGEST] = _digest(payload)
    return found


def _add_property(payload: dict[str, Any], field: str, text: str, number: float | None) -> None:
    _add(payload, text_key(field), small_letters(text))
    if not text.isascii():
        _add(payload, folded_key(text_key(field)), folded(text))
    if number is not None:
        _add(payload, number_key(field), number)


def _add(payload: dict[str, Any], key: str, value: str | float) -> None:
    """Adds a value below a key of two parts; of two fields with one name both are kept."""
    group, _, name = key.partition(".")
    values = payload.setdefault(group, {})
    if name in values:
        before = values[name]
        values[name] = [*(before if isinstance(before, list) else [before]), value]
    else:
        values[name] = value


def _file(root: bytes, folder: bytes, name: bytes, mtime_ns: int, is_missing: bool) -> dict[str, Any]:
    texts = {
        "root": os.fsdecode(root),
        "folder": os.fsdecode(folder),
        "name": os.fsdecode(name),
        "path": path_text(root, folder, name),
    }
    # whole seconds, since filters know no parts of them and a store compares numbers as float64
    file: dict[str, Any] = {DATE: mtime_ns // 1_000_000_000, IS_MISSING: int(is_missing)}
    for key, text in texts.items():
        shown = storable(text)
        file[key] = small_letters(shown)
        if not shown.isascii():
            file[folded_key(key)] = folded(shown)
    return file


def _digest(payload: Mapping[str, Any]) -> str:
    text = json.dumps([VERSION, payload], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def _escaped(field: str) -> str:
    """A field as a part of a key, in which dots, brackets and quotes have a meaning."""
    return re.sub(r"[^a-z0-9_]", lambda found: f"-{ord(found[0]):x}-", field)
