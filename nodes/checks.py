"""What ComfyUI asks before a run: whether inputs can be used (VALIDATE_INPUTS), and whether their files changed.

The second is IS_CHANGED: ComfyUI runs a node again if the text differs from that of the last run. Nothing here raises.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ..clip_backend.encoding.cache import file_identity
from ..errors import ClipGridError
from ..grid.template import saved_templates
from .host.host import Host
from .models.choice import AUTO, NONE, find_model
from .models.heads import find_head, load_head
from .models.loras import find_lora
from .sockets.inputs import Inputs, Values, directory_lines, first_text, first_value
from .sockets.vocabularies import read_vocabulary_input, vocabulary_file


def file_problem(file: Values, host: Host) -> str:
    """Why a file that an input names cannot be used; empty if it can, or if the input is linked."""
    return _first_problem(host.folders.find, _texts(file))


def vocabulary_problem(vocabulary: Values, host: Host) -> str:
    """Why the vocabulary cannot be used; empty if it can, or if the input is linked."""
    return _first_problem(lambda text: read_vocabulary_input(text, host), _texts(vocabulary))


def directories_problem(directories: Values, host: Host) -> str:
    """Why one of the folders cannot be used; empty if all can, or if the input is linked."""
    lines = directory_lines(directories)
    if not lines and None not in directories:
        return "directories is empty; give a folder per line, such as my_renders or my_renders/*"
    return _first_problem(host.folders.find_directories, lines)


def index_folders_problem(directories: Values, host: Host) -> str:
    """Why one of the folders to index cannot be used; empty if all can, if there are none, or if they are linked."""
    return _first_problem(host.folders.find_directories, directory_lines(directories))


def model_problem(names: Iterable[str], host: Host) -> str:
    """Why one of the models cannot be used; empty if all can."""
    return _first_problem(lambda name: find_model(name, host), (name for name in names if name not in ("", NONE)))


def data_problem(data: str | None, host: Host) -> str:
    """Why the data cannot be read; empty if they can, or if the input is linked."""
    return "" if data is None else _first_problem(host.folders.find, [data.strip() or "."])


def head_problem(head: str | None, host: Host) -> str:
    """Why the head cannot be used; empty if it can, or if the input is linked."""
    return "" if head is None else _first_problem(lambda name: load_head(name, host), [head])


def lora_problem(lora: str | None, host: Host) -> str:
    """Why the LoRA cannot be used; empty if it can, or if the input is linked."""
    return "" if lora is None else _first_problem(lambda name: find_lora(name, host), [lora])


def data_state(data: str, host: Host) -> str:
    """Changes with the file, or with any picture below the folder."""

    def state(text: str, host: Host) -> Iterable[object]:
        path = host.folders.find(text)
        host.folders.check_links(path)
        yield (path, _tree(path)) if path.is_dir() else file_identity(path)

    return _digest([_read(state, data, host)])


def head_state(head: str, host: Host) -> str:
    """Changes with the file of the head."""
    return _digest([_read(lambda name, host: [file_identity(find_head(name, host))], head, host)])


def lora_state(lora: str, host: Host) -> str:
    """Changes with the file of the LoRA."""
    return _digest([_read(lambda name, host: [file_identity(find_lora(name, host))], lora, host)])


def adapter_problem(name: str, host: Host) -> str:
    """Why there is no adapter of this name; empty if there is."""
    from .ip_adapter.adapters import find_adapter

    return _first_problem(lambda text: find_adapter(text, host), [name])


def _texts(values: Values) -> list[str]:
    return [text for value in values if value is not None and (text := str(value).strip())]


def _first_problem(find: Callable[[str], object], texts: Iterable[str]) -> str:
    try:
        for text in texts:
            find(text)
    except ClipGridError as error:
        return str(error)
    return ""


def sheet_state(inputs: Inputs, host: Host) -> str:
    """Changes with the CSV file, the saved template, the font, the vocabulary and the files of a named model."""
    csv, template, font, vocabulary = (first_text(inputs, name) for name in ("csv", "template", "font", "vocabulary"))
    model = first_value(inputs, "clip_model")
    named = model if isinstance(model, str) and model != AUTO else ""
    states = [(_file, csv), (_template, template), (_file, font), (_vocabulary, vocabulary), (_model, named)]
    return _digest([_read(state, text, host) for state, text in states])


def batch_state(inputs: Inputs, host: Host) -> str:
    """Changes as ``sheet_state``, and with every file of the folders."""
    lines = directory_lines(inputs.get("directories") or [])
    return _digest([sheet_state(inputs, host), *(_read(_folders, line, host) for line in lines)])


def pictures_state(directories: Values, host: Host) -> str:
    """Changes with every picture in the folders to index and below them, and if the index is removed."""
    from .search.models import has_index

    lines = directory_lines(directories)
    folders = [host.folders.output, host.folders.input] if not lines else []
    states = [_read(_pictures, line, host) for line in lines]
    states += [_tree(folder) for folder in folders if folder.is_dir()]
    return _digest([str(has_index(host)), *states])


def index_state(host: Host) -> str:
    """Changes with every write into the index."""
    from ..clip_backend.search.database import FILE

    return _digest([str(_entry_state(host.index_folder / f"{FILE}{end}")) for end in ("", "-wal")])


def vocabulary_state(text: str, host: Host) -> str:
    """Changes with the file that a vocabulary input names."""
    return _digest([_read(_vocabulary, text, host)])


def model_state(names: Iterable[str], host: Host) -> str:
    """Changes with the files of the models."""
    return _digest([_read(_model, name, host) for name in names])


def file_state(text: str | None, host: Host) -> str:
    """Changes with the file that an input names."""
    return _digest([_read(_file, text or "", host)])


def adapter_state(name: str, host: Host) -> str:
    """Changes with the file of an adapter."""
    return _digest([_read(_adapter, name, host)])


def _read(state: Callable[[str, Host], Iterable[object]], text: str, host: Host) -> str:
    """The state as a text; an error is a state too, and the node raises it when it runs."""
    try:
        return "\n".join(map(str, state(text, host))) if text else ""
    except (ClipGridError, OSError) as error:
        return f"{type(error).__name__}: {error}"


def _file(text: str, host: Host) -> Iterator[object]:
    yield file_identity(host.folders.find(text))


def _vocabulary(text: str, host: Host) -> Iterator[object]:
    file = vocabulary_file(text, host)
    if file:
        yield file_identity(file)


def _template(name: str, host: Host) -> Iterator[object]:
    path = saved_templates(host.templates_folder).get(name)
    yield file_identity(path) if path else "not saved"


def _model(name: str, host: Host) -> Iterator[object]:
    if name != NONE:
        yield from map(file_identity, find_model(name, host).files)


def _adapter(name: str, host: Host) -> Iterator[object]:
    from .ip_adapter.adapters import find_adapter

    yield file_identity(find_adapter(name, host))


def _folders(line: str, host: Host) -> Iterator[object]:
    for folder in host.folders.find_directories(line):
        yield folder
        yield from sorted(_entry(entry) for entry in os.scandir(folder))


def _pictures(line: str, host: Host) -> Iterator[object]:
    for folder in host.folders.find_directories(line):
        yield folder
        yield _tree(folder)


def _tree(folder: Path) -> str:
    """The state of every picture in a folder and below it."""
    from ..clip_backend.search.tree import picture_states
    from ..clip_backend.search.update import is_picture_name

    states = sorted(picture_states(folder, is_picture_name))
    return hashlib.sha256(repr(states).encode()).hexdigest()


def _entry_state(path: Path) -> tuple[int, int]:
    """Size and time of change; zeros for what is empty or not there."""
    try:
        status = os.stat(path)
    except OSError:
        return 0, 0
    return (status.st_size, status.st_mtime_ns) if status.st_size else (0, 0)


def _entry(entry: os.DirEntry[str]) -> tuple[object, ...]:
    """The state of a file; of what is none, or cannot be looked at, its name alone."""
    try:
        return file_identity(Path(entry)) if entry.is_file() else (entry.path,)
    except (ClipGridError, OSError):
        return (entry.path,)


def _digest(states: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(states).encode("utf-8", "surrogatepass")).hexdigest()
