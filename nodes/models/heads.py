"""Heads that nodes offer by name: those in the folder ``heads`` of the output and the input folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...clip_backend.learning.heads.head import Head, is_head, read_head
from ...clip_backend.learning.runs.run import HEAD
from ...clip_backend.learning.trained_model import same_vision
from ...errors import InputError, MissingPackage
from ...plurals import counted
from ..host.host import Host
from .choice import known_models
from .loaded import LoadedModel, LoadOptions, load_model

#: The folder in which heads are kept, and the name in the list where there is none.
FOLDER, NOT_FOUND = "heads", "none found"


@dataclass(frozen=True, eq=False)
class LoadedHead:
    """What the socket CLIP_GRID_HEAD carries."""

    #: Name that is shown: that of its run or file.
    name: str
    head: Head

    def summary(self) -> str:
        """Lines for the node: the classes, and what they were learnt on."""
        head = self.head
        classes = ", ".join(head.classes[:20]) + (", …" if len(head.classes) > 20 else "")
        pictures = counted(head.pictures, "picture")
        return f"{len(head.classes)} classes: {classes}\n{head.kind}, {pictures}, model: {head.base.name}"


def head_names(host: Host) -> list[str]:
    """The heads by the names that ``find_head`` takes, the newest first; ``none found`` without any; never raises."""
    try:
        found = sorted(_heads(host), key=lambda one: (-one[0], one[1]))
    except MissingPackage:
        # there is no ComfyUI: an error here would hide the inputs
        found = []
    return [name for _, name in found] or [NOT_FOUND]


def _heads(host: Host) -> Iterator[tuple[int, str]]:
    """Time of change and name of each."""
    for tag, root in (("output", host.folders.output), ("input", host.folders.input)):
        folder = root / FOLDER
        try:
            entries = sorted(folder.iterdir()) if folder.is_dir() else []
            for entry in entries:
                file = entry / HEAD if entry.is_dir() else entry
                if file.suffix == ".safetensors" and file.is_file() and is_head(file):
                    yield file.stat().st_mtime_ns, f"{FOLDER}/{entry.name} [{tag}]"
        except OSError:
            # gone or closed to us since it was listed: an error here would remove the node from ComfyUI
            continue


def find_head(name: str, host: Host) -> Path:
    """The file of a head; raises InputError for none, ForbiddenPath outside the allowed folders."""
    if not name or name == NOT_FOUND:
        raise InputError(
            "no head is found; learn one with Learn From Folder, or put the head.safetensors of a run into the folder "
            f"{FOLDER} of ComfyUI's input folder"
        )
    path = host.folders.find(name)
    return path / HEAD if path.is_dir() else path


def load_head(name: str, host: Host) -> LoadedHead:
    """The head of this name; raises as ``find_head``, and InputError for a file that is none."""
    file = find_head(name, host)
    return LoadedHead(file.parent.name if file.name == HEAD else file.name, read_head(file))


def check_head(value: object) -> LoadedHead:
    """The value of a head socket; raises InputError for anything but a LoadedHead."""
    if not isinstance(value, LoadedHead):
        raise InputError(f"head holds a {type(value).__name__}; connect the output of Load Head or Learn From Folder")
    return value


def model_of(loaded: LoadedHead, host: Host) -> LoadedModel:
    """The model that a head was learnt on, loaded from the host's folders; raises InputError if it is not there."""
    base = loaded.head.base
    if found := same_vision(base.vision, known_models(host)):
        return load_model(found, "", LoadOptions(), host)
    raise InputError(
        f"the head {loaded.name} was learnt on {base.name} with the fingerprint {base.fingerprint}, which is not in "
        "your model folders; connect model, or put that file there"
    )
