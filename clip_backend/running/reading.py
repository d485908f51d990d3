"""A picture on its way to the tower: what it is called by content, what is known of it already, and its pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from ...errors import InputError, PictureError
from ..image_features import Want
from ..preparing.preprocess import pixel_hash
from .cache import EmbeddingCache, Row, row_key

if TYPE_CHECKING:
    from torch import Tensor


class Named(Protocol):
    """A picture that is not read yet."""

    @property
    def name(self) -> str:
        """What messages call it."""


P = TypeVar("P", bound=Named)


@dataclass(frozen=True)
class Prepared:
    """A picture as it comes out of its thread: with pixels, with rows that were known before, or with a reason."""

    index: int
    name: str
    #: Equal for equal content.
    key: str = ""
    #: uint8 [S, S, 3].
    pixels: Tensor | None = None
    known: Mapping[Want, Row] = field(default_factory=dict)
    #: Why it has no pixels; empty if all went well.
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Reader(Generic[P]):
    """Reads and prepares pictures; safe to use from several threads."""

    wants: Sequence[Want]
    #: A hash of a picture's content that needs no decoding; empty if there is none, and its pixels are hashed instead.
    content: Callable[[P], str]
    prepare: Callable[[P], Tensor]
    cache: EmbeddingCache
    #: Everything that the rows depend on beside the picture.
    cache_key: str

    def read(self, index: int, picture: P, is_computed: Callable[[str], bool]) -> Prepared:
        """The picture with what is known of it, or with its pixels; without either if ``is_computed`` for its key."""
        try:
            key = self.content(picture)
            known = self._known(key) if key else {}
            if key and (known or is_computed(key)):
                return Prepared(index, picture.name, key, known=known)
            pixels = self.prepare(picture)
        except InputError as error:
            reason = error.reason if isinstance(error, PictureError) else str(error)
            return Prepared(index, picture.name, reason=reason)
        if key:
            return Prepared(index, picture.name, key, pixels=pixels)
        key = pixel_hash(pixels)
        return Prepared(index, picture.name, key, pixels=pixels, known=self._known(key))

    def keep(self, key: str, rows: Mapping[Want, Row]) -> None:
        """Puts rows into the cache; those of tokens stay in memory, for a folder would grow by a megabyte a picture."""
        for want, row in rows.items():
            # a copy, for the row is a part of its whole batch
            self.cache.put({self._key(key, want): row.copy()}, keep=want == "embeds")

    def _known(self, key: str) -> Mapping[Want, Row]:
        """The wanted rows, if all of them were computed before."""
        found: dict[Want, Row] = {}
        for want in self.wants:
            row = self.cache.get(self._key(key, want))
            if row is None:
                return {}
            found[want] = row
        return found

    def _key(self, key: str, want: Want) -> str:
        return row_key(key, self.cache_key, want)
