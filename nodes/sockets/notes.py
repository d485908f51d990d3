"""Notes of a run in the server's log, where a user without a browser sees them."""

from __future__ import annotations

from collections.abc import Iterable

from ...log import logger


def log_notes(notes: Iterable[str]) -> None:
    """Each note as a warning, once."""
    for note in dict.fromkeys(notes):
        logger.warning("CLIP Grid: %s", note)
