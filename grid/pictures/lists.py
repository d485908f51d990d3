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

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
#: Code pages that consoles of Windows and older systems write.
_CODE_PAGES = ("cp1252", "cp437", "cp850", "cp932", "gbk", "cp949", "big5", "cp1251", "cp866")
#: Lines by which the code page of a list is found.
_TRIED = 1000
_URI = "file://"


def read_list(path: Path) -> list[str]:
    """The sources of a list in its order, without blank lines and those that begin with #.

    UTF-8, UTF-16, or the code page in which the most lines name files that are there. A line ``file:///…`` is a path in
    which every byte may be written as %XX, also a line break. Raises InputError for a list that cannot be read.
    """
    data = read_file(path, "the list")
    lines = _decoded(data, path.parent).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    stripped = (line.strip(" \t\0") for line in lines)
    return [_from_uri(line) for line in stripped if line and not line.startswith("#")]


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


def _decoded(data: bytes, folder: Path) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    if b"\0" in data:
        return data.decode("utf-16-be" if data[0] == 0 else "utf-16-le", "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _in_code_page(data, folder)


def _in_code_page(data: bytes, folder: Path) -> str:
    """The text in the encoding in which the most lines name something that is there; bytes as file names hold them."""
    tried = [line for line in data.splitlines() if not line.isascii()][:_TRIED]
    encodings = dict.fromkeys((locale.getpreferredencoding(False), *_CODE_PAGES))
    texts = [
        [os.fsdecode(line) for line in tried],
        *([line.decode(name, "replace") for line in tried] for name in encodings),
    ]
    found = [_count_there(lines, folder) for lines in texts]
    best = found.index(max(found))
    return os.fsdecode(data) if best == 0 else data.decode(list(encodings)[best - 1], "replace")


def _count_there(lines: Sequence[str], folder: Path) -> int:
    return sum(os.path.lexists(folder / text) for line in lines if (text := line.strip(" \t\0")))
