"""How people write that a picture and a text match, or do not."""

from __future__ import annotations

_MATCH = frozenset({"1", "1.0", "true", "t", "yes", "y", "match", "matched", "positive"})
_MISMATCH = frozenset({"0", "0.0", "false", "f", "no", "n", "mismatch", "no match", "negative"})


def read_label(text: str) -> bool | None:
    """Whether the text says match or mismatch, in any case; None if it says neither."""
    word = " ".join(text.casefold().replace("_", " ").split())
    if word in _MATCH:
        return True
    return False if word in _MISMATCH else None
