"""The pictures nearest to a vector that pass a filter, as a store knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....errors import InputError
from ....log import logger
from ..filter_sql import compiled_filter
from ..filters import read_filter
from ..index import Index, IndexState
from ..vectors import Vectors
from .conditions import Condition, NotExpressible, condition_of, has_file
from .mirror import SETTING
from .payload import point_id

if TYPE_CHECKING:
    from .qdrant import QdrantStore

#: So many pictures can be named in one request.
MOST_NAMED = 50_000


class StoreSearch:
    """Asks the copy of an index that a store has.

    exact: compare with all vectors, where the store may otherwise go by its graph and miss some.
    Raises InputError for a store that does not hold this index.
    """

    def __init__(self, index: Index, store: QdrantStore, *, exact: bool = False) -> None:
        self.index, self.store, self.exact = index, store, exact
        state, mirrored = index.state(), index.settings().get(SETTING, "")
        if not mirrored:
            raise InputError(
                f"{store.name} has no copy of the index in {index.folder}; run clip-grid index with --store"
            )
        store.check(state.space, state.dim, mirrored)
        there = store.count()
        if there != state.count:
            logger.warning(
                "%s has %d pictures and the index %d; bring it up to date with clip-grid index --store",
                store.name, there, state.count,
            )  # fmt: skip

    def rows(self, state: IndexState, direction: Vectors, where: str, count: int) -> list[int]:
        """The rows of up to ``count`` pictures that pass a filter and have the highest products with a vector [dim]."""
        hashes = self.store.nearest(direction, self._condition(where), count, exact=self.exact)
        return [int(row) for row in state.rows_of(self.index.ids_of(hashes))]

    def _condition(self, where: str) -> Condition:
        if not where.strip():
            return has_file()
        compiled = compiled_filter(where, self.index)
        try:
            condition = condition_of(read_filter(where))
        except NotExpressible:
            hashes = self.index.hashes_of(compiled.pictures(self.index))
            if len(hashes) > MOST_NAMED:
                raise InputError(
                    f"Qdrant has no such filter as {where[:80]!r}, and too many pictures pass it ({len(hashes):,}) to "
                    "name each; make it narrower, or leave out --store"
                ) from None
            condition = {"has_id": [point_id(hash) for hash in hashes]}
        return condition if compiled.asks_missing else {"must": [condition, has_file()]}
