"""Keys by which ComfyUI notices that a file which a node reads was edited, so that the node runs again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ...errors import ClipGridError
from ...grid.template import saved_templates
from ..host.folders import directory_lines
from ..host.host import Host
from ..sockets.inputs import first_text
from ..sockets.types import Lists
from ..sockets.vocabularies import vocabulary_file
from .inputs import model_key


def sheet_key(inputs: Lists, host: Host) -> str:
    """Changes with the CSV file, the saved template, the font, the vocabulary and the model's file; never raises."""
    csv, template, font, words = (first_text(inputs, name) for name in ("csv", "template", "font", "vocabulary"))
    marks = [_mark(_found_file, csv, host), _mark(_template_file, template, host), _mark(_found_file, font, host)]
    return _digest([*marks, _mark(_words_file, words, host), model_key(inputs, host)])


def batch_key(inputs: Lists, host: Host) -> str:
    """As ``sheet_key``, and with the files of every folder: name, size and time."""
    lines = directory_lines(inputs.get("directories") or [])
    return _digest([sheet_key(inputs, host), *(_mark(_folder_files, line, host) for line in lines)])


def vocabulary_key(text: str, host: Host) -> str:
    """Changes with the file that a vocabulary input names; never raises."""
    return _digest([_mark(_words_file, text, host)])


def _mark(read: Callable[[str, Host], Iterable[str]], text: str, host: Host) -> str:
    """What was read as one text. What cannot be read is a state like any other: the node itself says why."""
    try:
        return "\n".join(read(text, host)) if text else ""
    except (ClipGridError, OSError) as error:
        return f"{type(error).__name__}: {error}"


def _found_file(text: str, host: Host) -> Iterator[str]:
    yield _state(host.folders.find(text))


def _words_file(text: str, host: Host) -> Iterator[str]:
    file = vocabulary_file(text, host)
    if file:
        yield _state(file)


def _template_file(name: str, host: Host) -> Iterator[str]:
    path = saved_templates(host.templates_folder).get(name)
    yield _state(path) if path else "not saved"


def _folder_files(line: str, host: Host) -> Iterator[str]:
    for folder in host.folders.find_directories(line):
        yield str(folder)
        yield from sorted(_state(Path(entry)) for entry in os.scandir(folder) if entry.is_file())


def _state(path: Path) -> str:
    facts = path.stat()
    return f"{path}|{facts.st_size}|{facts.st_mtime_ns}"


def _digest(marks: Iterable[str]) -> str:
    # loading OpenSSL would be a tenth of the time that ComfyUI spends on this pack when it starts
    import hashlib

    return hashlib.sha256("\0".join(marks).encode("utf-8", "surrogatepass")).hexdigest()
