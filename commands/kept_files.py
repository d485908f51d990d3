"""The pictures that a ranking keeps, copied into a folder of their own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ..atomic import atomic_file, output_error
from ..clip_backend.ranking.result import Ranking
from ..errors import OutputError


def check_room(given: str) -> Path:
    """The folder, new or empty; raises OutputError for one that holds files."""
    folder = Path(os.path.expanduser(given))
    try:
        holds = folder.exists() and any(folder.iterdir())
    except OSError as error:
        raise output_error(folder, error) from error
    if holds:
        raise OutputError(f"the folder {folder} is not empty, and nothing in it is to be overwritten; name a new one")
    return folder


def copy_kept(run: Ranking, given: str) -> None:
    """Copies of the kept pictures, the best first by their names: ``01-name.png``. Raises OutputError."""
    folder = check_room(given)
    digits = len(str(len(run.kept)))
    for place, one in enumerate(run.kept, 1):
        source = Path(one.name)
        with atomic_file(folder / f"{place:0{digits}}-{source.name}") as target, source.open("rb") as picture:
            shutil.copyfileobj(picture, target)
