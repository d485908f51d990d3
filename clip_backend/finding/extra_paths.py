"""The model folders that ``extra_model_paths.yaml`` adds to a ComfyUI."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

EXTRA_PATHS_FILE = "extra_model_paths.yaml"


@dataclass(frozen=True)
class ExtraFolder:
    """One folder of the file, under the name that ComfyUI gives its kind, such as ``clip_vision``."""

    name: str
    path: Path
    #: To be searched before the folders that ComfyUI has anyway.
    is_default: bool = False


@dataclass(frozen=True)
class ExtraPaths:
    """What the file says."""

    folders: tuple[ExtraFolder, ...] = ()
    #: Why the file, or a part of it, was left out.
    notes: tuple[str, ...] = ()


def read_extra_paths(file: Path) -> ExtraPaths:
    """The folders of the file; none if there is no such file, and a note instead of an error if it cannot be used."""
    if not os.path.isfile(file):
        return ExtraPaths()
    try:
        import yaml  # type: ignore[import-untyped]
    except ImportError:
        return ExtraPaths(notes=(f"{file} is not read because PyYAML is missing; install it with: pip install pyyaml",))
    try:
        content = yaml.safe_load(file.read_bytes())
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        return ExtraPaths(notes=(f"{file} cannot be read ({reason}); the folders that it names are not searched",))
    return folders_of(content, file)


def folders_of(content: object, file: Path) -> ExtraPaths:
    """The folders in the content of the file, by ComfyUI's rules: relative to ``base_path``, else to the file."""
    if content is None:
        return ExtraPaths()
    if not isinstance(content, Mapping):
        return ExtraPaths(notes=(f"{file} holds no sections; the folders that it names are not searched",))
    folders: list[ExtraFolder] = []
    notes: list[str] = []
    for title, section in content.items():
        if isinstance(section, Mapping):
            folders += _of_section(section, file)
        elif section is not None:
            notes.append(f"{file}: {title} is no section; it is left out")
    return ExtraPaths(tuple(folders), tuple(notes))


def _of_section(section: Mapping[object, object], file: Path) -> Iterator[ExtraFolder]:
    base = os.path.expandvars(os.path.expanduser(str(section.get("base_path") or "")))
    is_default = bool(section.get("is_default", False))
    for name, lines in section.items():
        if name in ("base_path", "is_default") or lines is None:
            continue
        for line in str(lines).splitlines():
            if line.strip():
                path = os.path.normpath(os.path.join(file.parent, base, line.strip()))
                yield ExtraFolder(str(name), Path(path), is_default)
