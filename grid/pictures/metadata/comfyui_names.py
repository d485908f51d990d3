"""What the names of nodes and of their inputs tell; answers are kept, as the names in a folder's pictures are few."""

from __future__ import annotations

import re
from collections.abc import Callable

#: Names that are kept of a kind, and the characters of the longest one.
_MOST, _LONGEST = 4096, 100


class Names(dict[str, bool]):
    """Whether a name is of a kind, as ``kind[name]``.

    A test by a regular expression takes several times as long as a look-up, and a sheet asks for some hundred names of
    every picture.
    """

    def __init__(self, accepts: Callable[[str], object]) -> None:
        super().__init__()
        self._accepts = accepts

    def __missing__(self, name: str) -> bool:
        found = bool(self._accepts(name))
        if len(name) <= _LONGEST and len(self) < _MOST:
            self[name] = found
        return found


#: Inputs that hand on a bundle of other things, as node packs call it.
BUNDLES = Names(re.compile(r".*(?:pipe|context|ctx|tuple|settings|config).*").fullmatch)
#: Kinds of nodes that merge contexts.
MERGES = Names(lambda kind: "merge" in kind.lower())
#: Kinds of nodes with one input that change what they get.
CHANGES = Names(
    re.compile(r"zero|invert|inverse|negat|neg$|not(?:node)?\b|length|count|floor|ceil|round|abs", re.IGNORECASE).search
)
#: Inputs that take a latent.
LATENTS = Names(lambda name: "latent" in name or "samples" in name)
