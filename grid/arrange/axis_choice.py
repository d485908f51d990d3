"""Which columns make the best table of the pictures: the rules of the automatic choice, on numbers alone.

1. Columns that say which picture it is (date, file) are never chosen. Of columns that divide the pictures alike one is
   considered: a parameter before a seed, a size, a hash and a prompt, then the first.
2. X and Y are the two columns whose combinations are at least three quarters filled, about equally often; of several
   pairs the one that leaves fewest pictures to a cell, then the fullest. Prompts count only if there is no other pair.
3. If a third column explains why there are several pictures to a cell, it joins: a prompt makes the pages, else the one
   of the three with fewest values.
4. Of X and Y, X is the column with more values, so that the sheet is wide; but more than twelve values go down, on Y.
   Of equal ones X is the numeric one, then the first.
5. Without a pair, a single column is X if it has at most twelve values, each in the same small number of pictures, and
   there is no second such candidate. A seed of its own for each picture is no axis.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import prod

import numpy as np

from .axis_columns import Column, Kind, is_numeric

#: The part of the cells, of the pictures and of the counts that must fit the rule.
_ENOUGH = 0.75
_MOST_ACROSS = 12
_MOST_REPEATS = 12
#: Columns by the axis ("x", "y", "page") that they are.
Choice = dict[str, Column]


@dataclass(frozen=True)
class Product:
    """How well pictures fill the combinations of some columns."""

    columns: tuple[Column, ...]
    #: Part of the combinations that occur, 0 to 1.
    fill: float
    #: The most common number of pictures to a combination.
    repeats: int
    #: Whether nearly all combinations that occur do so about equally often.
    even: bool

    @property
    def cost(self) -> tuple[int, float, int, list[int]]:
        """The smaller the better; differs for any two products."""
        kinds = sum(column.kind for column in self.columns)
        return self.repeats, -self.fill, kinds, [column.place for column in self.columns]


def choose_axes(columns: Sequence[Column], given: Mapping[str, Column], auto: frozenset[str]) -> Choice:
    """The columns for the axes named in `auto`, beside those `given`; axes in neither are not wanted."""
    candidates = _candidates(columns, given.values())
    choice = dict(given)
    open_roles = [role for role in ("x", "y") if role in auto]
    fixed = tuple(given[role] for role in ("x", "y", "page") if role in given)
    table = [role for role in ("x", "y") if role in given or role in auto]
    if not open_roles:
        return choice | (_page_for(fixed, candidates) if len(table) == 2 and "page" in auto else {})
    product = _best_product(fixed, candidates, len(open_roles)) if len(table) == 2 else None
    third = _third(product, candidates) if product and "page" in auto else None
    if product and (third or product).repeats <= _MOST_REPEATS:
        chosen = [column for column in (third or product).columns if column not in fixed]
        return choice | _roles(chosen, open_roles)
    single = _single(candidates) if not ("x" in given or "y" in given) else None
    return choice | ({open_roles[0]: single} if single else {})


def _candidates(columns: Sequence[Column], taken: Iterable[Column]) -> list[Column]:
    """Columns fit to be an axis, one of each kind of division, best first."""
    names = {column.name for column in taken}
    fit = [
        column
        for column in columns
        if column.name not in names
        and column.kind is not Kind.RECORD
        and len(column.values) > 1
        and column.covered >= _ENOUGH * len(column.codes)
    ]
    by_partition: dict[bytes, Column] = {}
    for column in sorted(fit, key=lambda column: column.rank):
        by_partition.setdefault(column.partition, column)
    return list(by_partition.values())


def _best_product(fixed: tuple[Column, ...], candidates: Sequence[Column], count: int) -> Product | None:
    """The best product of the fixed columns with `count` candidates; with prompts only if there is none without."""
    tidy = [column for column in candidates if column.kind is not Kind.WORDY]
    for pool in (tidy, candidates):
        products = (_product((*fixed, *chosen)) for chosen in combinations(pool, count))
        best = min((p for p in products if p), key=lambda product: product.cost, default=None)
        if best:
            return best
    return None


def _product(columns: tuple[Column, ...]) -> Product | None:
    """How the pictures fill the combinations, or None when it is not a table."""
    pictures = len(columns[0].codes)
    cells = prod(len(column.values) for column in columns)
    if cells * _ENOUGH > pictures:
        return None
    combination = np.zeros(pictures, np.int64)
    known = np.ones(pictures, bool)
    for column in columns:
        combination = combination * len(column.values) + column.codes
        known &= column.codes >= 0
    if np.count_nonzero(known) < _ENOUGH * pictures:
        return None
    counts = np.bincount(combination[known], minlength=cells)
    counts = counts[counts > 0]
    usual = int(np.bincount(counts).argmax())
    product = Product(columns, len(counts) / cells, usual, _is_even(counts, usual))
    return product if product.even and product.fill >= _ENOUGH else None


def _is_even(counts: np.ndarray[tuple[int], np.dtype[np.int64]], usual: int) -> bool:
    """Whether the counts are alike but for a few missing, or for a few cells that were made again."""
    few_missing = bool(counts.mean() >= _ENOUGH * counts.max())
    few_again = bool(np.mean(counts == usual) >= _ENOUGH) and int(counts.max()) <= 2 * usual + 1
    return few_missing or few_again


def _third(pair: Product, candidates: Sequence[Column]) -> Product | None:
    """The product with one more column that leaves fewer pictures to a cell; only for tables of 2 x 2 and more."""
    if any(len(column.values) < 2 for column in pair.columns):
        return None
    others = (column for column in candidates if column not in pair.columns)
    products = (_product((*pair.columns, column)) for column in others)
    return min((p for p in products if p and p.repeats < pair.repeats), key=lambda p: p.cost, default=None)


def _page_for(table: tuple[Column, ...], candidates: Sequence[Column]) -> Choice:
    """The column that makes pages of a table that the user chose, if there is one."""
    pair = _product(table)
    third = _third(pair, candidates) if pair else None
    return {"page": third.columns[-1]} if third else {}


def _roles(chosen: list[Column], open_roles: Sequence[str]) -> Choice:
    """Which of the chosen columns is which axis; one more than there are roles makes the pages."""
    choice: Choice = {}
    if len(chosen) > len(open_roles):
        choice["page"] = max(chosen, key=lambda c: (c.kind is Kind.WORDY, -len(c.values), c.rank))
        chosen = [column for column in chosen if column is not choice["page"]]
    if len(chosen) == 1:
        return choice | {open_roles[0]: chosen[0]}
    x, y = sorted(chosen, key=_upright)
    return choice | {"x": x, "y": y}


def _upright(column: Column) -> tuple[bool, int, bool, int]:
    """Sorts what belongs on X before what belongs on Y: rule 4 above."""
    count = len(column.values)
    return count > _MOST_ACROSS, -count, not is_numeric(column.values), column.place


def _single(candidates: Sequence[Column]) -> Column | None:
    """The one column that may be an axis alone: rule 5 above."""
    fit = [c for c in candidates if not (c.unique and c.kind in (Kind.SEED, Kind.HASH))]
    shared = [column for column in fit if not column.unique] or fit
    pool = [column for column in shared if column.kind <= Kind.SEED] or shared
    if len(pool) != 1 or len(pool[0].values) > _MOST_ACROSS or pool[0].covered < len(pool[0].codes):
        return None
    counts = np.bincount(pool[0].codes)
    return pool[0] if counts.min() == counts.max() <= _MOST_REPEATS else None
