"""The files of pictures of an index that a browser or a workflow may have: those in ComfyUI's folders."""

from __future__ import annotations

import os
from pathlib import Path

from ...clip_backend.search.index import IndexedPicture
from ..host.folders import AllowedFolders

#: Files of one picture that are looked at.
MAX_FILES = 20


class Files:
    """Answers for the pictures of one answer; the folders are resolved once."""

    def __init__(self, folders: AllowedFolders) -> None:
        self._allowed = folders.resolved()
        named = {"output": folders.output, "input": folders.input, "temp": folders.temp}
        self._named = {type: os.path.join(folder, "") for type, folder in named.items()}

    def allowed(self, picture: IndexedPicture) -> list[Path]:
        """Those that are there, as far as they are in the allowed folders, links resolved."""
        paths = [one.path for one in picture.paths[:MAX_FILES] if not one.is_missing and not one.is_away]
        return [Path(path) for path in paths if self._allowed.contains(path)]

    def viewable(self, picture: IndexedPicture) -> list[dict[str, str]]:
        """Those of them that ComfyUI's /view finds, as it names them."""
        found = []
        for path in map(str, self.allowed(picture)):
            for type, folder in self._named.items():
                if os.path.normcase(path).startswith(os.path.normcase(folder)):
                    subfolder, name = os.path.split(path[len(folder) :])
                    found.append({"type": type, "subfolder": subfolder.replace(os.sep, "/"), "filename": name})
                    break
        return found
