"""Keys by which ComfyUI notices that a file which a node reads was edited, so that the node runs again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from ..errors import ClipGridError
from ..grid.template import saved_templates
from .folders import directory_lines
from .host import Host
from .sockets import Lists, first_text


def sheet_key(inputs: Lists, host: Host) -> str:
    """Changes with the CSV file, the saved template and the font file; never raises."""
    csv, font = first_text(inputs, "csv"), first_text(inputs, "font")
    marks = [_mark(lambda text=text: [_file(host.folders.find(text))]) for text in (csv, font) if text]
    name = first_text(inputs, "template")
    marks.append(_mark(lambda: [_file(saved_templates(host.templates_folder)[name])]) if name else "")
    return _digest(marks)


def batch_key(inputs: Lists, host: Host) -> str:
    """As ``sheet_key``, and with the files of every folder: name, size and time."""
    texts = [str(value) for value in inputs.get("directories") or [] if value is not None]
    lines = [line for text in texts for line in directory_lines(text)]
    return _digest([sheet_key(inputs, host), *(_mark(lambda line=line: _folders(line, host)) for line in lines)])


def _folders(line: str, host: Host) -> Iterable[str]:
    for folder in host.folders.find_directories(line):
        yield str(folder)
        yield from sorted(_file(Path(entry)) for entry in os.scandir(folder) if entry.is_file())


def _file(path: Path) -> str:
    facts = path.stat()
    return f"{path}|{facts.st_size}|{facts.st_mtime_ns}"


def _mark(read: Callable[[], Iterable[str]]) -> str:
    """What was read as one text. What cannot be read is a state like any other: the node itself says why."""
    try:
        return "\n".join(read())
    except (ClipGridError, OSError, KeyError) as error:
        return f"{type(error).__name__}: {error}"


def _digest(marks: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(marks).encode("utf-8", "surrogatepass")).hexdigest()
