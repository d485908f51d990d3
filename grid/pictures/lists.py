"""Lists of pictures: text files of one source per line, in whatever encoding they were written."""

from __future__ import annotations

import codecs
import locale
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote_to_bytes
from urllib.request import url2pathname

from ...input_files import read_file
from ..code_pages import CODE_PAGES
from ..encodings import code_page_note, likely_code_page, marked_encoding, unmarked_encoding

#: The code page of western consoles, whose letters are those of cp850.
_CONSOLE = "cp437"
#: Lines by which the code page of a list is found.
_TRIED = 1000
_URI = "file://"


def read_list(path: Path) -> tuple[list[str], tuple[str, ...]]:
    """The sources of a list in its order, without blank lines and those that begin with #; and a note on its encoding.

    UTF-8, UTF-16, UTF-32, or the code page in which the most lines name files that are there, else the one that its
    letters make likeliest; it is noted unless all lines name files. A line ``file:///…`` is a path in which every byte
    may be written as %XX, also a line break. Raises InputError for a list that cannot be read.
    """
    text, notes = _decoded(read_file(path, "the list"), path)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    stripped = (line.strip(" \t\0") for line in lines)
    return [_from_uri(line) for line in stripped if line and not line.startswith("#")], notes


def as_line(path: str, encoding: str) -> str:
    """The path as the line of a list that ``read_list`` reads back, of characters that the encoding has.

    What has no place in a line, such as a line break or a byte that is no UTF-8, makes it a ``file://`` address.
    """
    is_unicode = codecs.lookup(encoding).name.startswith("utf")
    is_plain = path.isprintable() and path == path.strip(" \t\"'") and not path.startswith(("#", _URI))
    if is_plain and (is_unicode or path.isascii()):
        return path
    if os.name == "nt":
        return Path(os.path.abspath(path)).as_uri()
    return _URI + _percent(os.fsencode(os.path.abspath(path)))


def _percent(raw: bytes) -> str:
    plain = b"/._-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    return "".join(chr(byte) if byte in plain else f"%{byte:02X}" for byte in raw)


def _from_uri(line: str) -> str:
    if not line.startswith(_URI):
        return line
    address = line[len(_URI) :]
    return url2pathname(address) if os.name == "nt" else os.fsdecode(unquote_to_bytes(os.fsencode(address)))


def _decoded(data: bytes, path: Path) -> tuple[str, tuple[str, ...]]:
    encoding = marked_encoding(data) or unmarked_encoding(data)
    try:
        return data.decode(encoding), ()
    except UnicodeDecodeError:
        # what is damaged costs its line
        return _in_code_page(data, path) if encoding == "utf-8" else (data.decode(encoding, "replace"), ())


def _in_code_page(data: bytes, path: Path) -> tuple[str, tuple[str, ...]]:
    """The text in the encoding in which the most lines name something that is there; bytes as file names hold them."""
    tried = [line for line in data.splitlines() if not line.isascii()][:_TRIED]
    likely = likely_code_page(data)
    encodings = [*dict.fromkeys(filter(None, (likely, locale.getpreferredencoding(False), *CODE_PAGES, _CONSOLE)))]
    there = [_count_there([line.decode(name, "replace") for line in tried], path.parent) for name in encodings]
    as_bytes = _count_there([os.fsdecode(line) for line in tried], path.parent)
    if as_bytes >= max(there) and (as_bytes or not likely):
        return os.fsdecode(data), ()
    best = there.index(max(there))
    notes = () if there[best] == len(tried) else (code_page_note(f"the list {path}", encodings[best]),)
    return data.decode(encodings[best], "replace"), notes


def _count_there(lines: Sequence[str], folder: Path) -> int:
    return sum(os.path.lexists(folder / _from_uri(text)) for line in lines if (text := line.strip(" \t\0")))
