"""Where ComfyUI and the cache of Hugging Face are on this machine, without anything being set up for it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ...errors import InputError
from .folders import ModelPathConfig, StrPath, merged, resolved

_NAMES = ("ComfyUI", "comfyui", "comfy/ComfyUI", "ComfyUI_windows_portable/ComfyUI")
_SHARED = ("/opt", "/srv", "/workspace")


def detect_comfyui_installation(search_paths: Iterable[StrPath] | None = None) -> Path | None:
    """The first folder of ComfyUI among the paths and right below them; None if there is none.

    search_paths: instead of the usual places, which are the current folder, this package, the home folder and those
    above the first two.
    """
    places = usual_places() if search_paths is None else map(resolved, search_paths)
    for place in places:
        for folder in (place, *(place / name for name in _NAMES)):
            if is_comfyui(folder):
                return resolved(folder)
    return None


def is_comfyui(folder: Path) -> bool:
    """Whether a folder is one of ComfyUI; the desktop program keeps its code elsewhere and has custom nodes here."""
    marks = ("folder_paths.py", "custom_nodes")
    return os.path.isdir(folder / "models") and any(os.path.exists(folder / mark) for mark in marks)


def usual_places() -> Iterator[Path]:
    """Where people put ComfyUI, the nearest first."""
    here, package, home = Path.cwd(), Path(__file__).resolve().parents[1], resolved("~")
    yield from (here, *here.parents, *package.parents)
    yield from (home, home / "Documents", home / "Desktop", home / "Downloads", *map(Path, _SHARED))


def hub_cache(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the Hugging Face libraries keep what they fetched; the folder need not exist."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if environment.get(name):
            return _expanded(environment[name])
    if environment.get("HF_HOME"):
        return _expanded(environment["HF_HOME"]) / "hub"
    return _expanded(environment.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface" / "hub"


def _expanded(path: str) -> Path:
    return resolved(os.path.expandvars(path))


def find_model_folders(folders: Iterable[StrPath] = (), *, comfyui: StrPath | None = None) -> ModelPathConfig:
    """Where to look for models: the given folders, files and ComfyUI; without any, wherever this machine has them.

    A given folder that is one of ComfyUI counts as ``comfyui``. Raises InputError for what does not exist.
    """
    given = [_config_of(folder) for folder in folders]
    if comfyui is not None:
        given.append(ModelPathConfig.from_root(comfyui))
    return merged(given or _usual())


def _config_of(folder: StrPath) -> ModelPathConfig:
    if not os.path.exists(os.path.expanduser(folder)):
        raise InputError(f"there is no folder or file {os.fspath(folder)!r}; check the spelling")
    if is_comfyui(resolved(folder)):
        return ModelPathConfig.from_root(folder)
    return ModelPathConfig(other_paths=[folder])


def _usual() -> Iterator[ModelPathConfig]:
    root = detect_comfyui_installation()
    if root:
        yield ModelPathConfig.from_root(root)
    if os.path.isdir(hub_cache()):
        yield ModelPathConfig(hub_paths=[hub_cache()])
