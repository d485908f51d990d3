"""The vocabulary that comes with the pack, one file in ``data`` per facet."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from .vocabulary import Vocabulary
from .word_files import read_vocabulary

#: The facets, in the order in which they are told.
FACETS = ("medium", "subject", "style", "lighting", "colour", "composition", "mood", "defects")


@cache
def own_vocabulary() -> Vocabulary:
    """About 500 words for pictures, made or taken; no artists among them."""
    folder = Path(__file__).parent / "data"
    read = [read_vocabulary(folder / f"{name}.json") for name in FACETS]
    return Vocabulary(name="own words", facets=tuple(facet for one in read for facet in one.facets))
