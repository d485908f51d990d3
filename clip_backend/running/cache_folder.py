"""Where embeddings are kept on disk when the user names no folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

#: A folder for embeddings, or one of ``OFF`` for none.
VARIABLE = "CLIP_GRID_CACHE"
OFF = ("off", "0", "none")


def default_cache_folder(environment: Mapping[str, str] = os.environ, *, platform: str = sys.platform) -> Path | None:
    """The folder, which need not exist; None if nothing is to be kept, or if the user has no home.

    The one that the variable CLIP_GRID_CACHE names, else clip-grid/embeddings in the platform's folder for caches.
    """
    named = environment.get(VARIABLE, "").strip()
    if named.lower() in OFF:
        return None
    if named:
        return Path(os.path.expanduser(named)).absolute()
    caches = _caches(environment, platform)
    return caches / "clip-grid" / "embeddings" if caches.is_absolute() else None


def _caches(environment: Mapping[str, str], platform: str) -> Path:
    """The platform's folder for caches; relative if the home is not known."""
    if platform == "win32":
        return Path(environment.get("LOCALAPPDATA") or _home("AppData/Local"))
    if platform == "darwin":
        return _home("Library/Caches")
    given = Path(environment.get("XDG_CACHE_HOME", ""))
    # the XDG specification has relative paths ignored
    return given if given.is_absolute() else _home(".cache")


def _home(below: str) -> Path:
    return Path(os.path.expanduser("~"), below)
