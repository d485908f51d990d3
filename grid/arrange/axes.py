"""The axes of a table: which columns of the pictures make its rows, its columns and its pages.

The rules of the automatic choice:

1. Columns that say which picture it is (date, file) and hashes are never chosen. Of columns that divide the pictures
   alike one is considered: a parameter before a seed, a size and a prompt, then the first.
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

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import prod
from typing import Any

import numpy as np

from ...errors import InputError
from ..table.records import find_column
from .axis_columns import Column, Kind, code_columns, is_numeric, sorted_values

#: For each picture its values by column.
PictureValues = Sequence[Mapping[str, str]]
#: The part of the cells, of the pictures and of the counts that must fit the rules.
_ENOUGH = 0.75
_MOST_ACROSS = 12
_MOST_REPEATS = 12


@dataclass(frozen=True)
class Axis:
    """A column and its different values: numbers by size, other texts in natural order."""

    name: str
    values: tuple[str, ...]
    #: Whether the column has a name of its own; those of linked lists are called x, y and page, as their axes.
    is_named: bool = True

    @property
    def title(self) -> str:
        """What a reader is told that the values are; empty without a name of its own."""
        return self.name if self.is_named else ""


@dataclass(frozen=True)
class Axes:
    """What is the same in all pictures, and what tells them apart. An axis is in neither `constant` nor `varying`."""

    #: Column -> value that every picture has.
    constant: dict[str, str]
    #: Columns that differ, or that some pictures lack, in their order.
    varying: tuple[str, ...]
    x: Axis | None
    y: Axis | None
    page: Axis | None

    @property
    def used(self) -> list[Axis]:
        return [axis for axis in (self.page, self.y, self.x) if axis]

    def to_dict(self) -> dict[str, Any]:
        """JSON values for the report; an axis that the sheet lacks is left out."""
        named = {"x": self.x, "y": self.y, "page": self.page}
        axes = {key: {"name": axis.name, "values": list(axis.values)} for key, axis in named.items() if axis}
        return {**axes, "constant": dict(self.constant)}


def find_axes(values: PictureValues, *, x: str = "auto", y: str = "auto", page: str = "auto") -> Axes:
    """The axes of the pictures, whatever their order.

    x, y, page: "auto", a column in any spelling, or "none" or "" for no such axis.
    Raises InputError for a column that no picture has, or that is to be two axes.
    """
    columns = code_columns(values)
    names = {"x": x.strip(), "y": y.strip(), "page": page.strip()}
    auto = frozenset(role for role, name in names.items() if name.lower() == "auto")
    named = {
        role: _column(name, columns, role)
        for role, name in names.items()
        if role not in auto and name.lower() not in ("", "none")
    }
    _check_different(named)
    chosen = choose_axes(columns, named, auto)
    axis_names = {column.name for column in chosen.values()}
    others = [column for column in columns if column.name not in axis_names]
    axes = {
        role: Axis(column.name, sorted_values(column.values), is_named=column.name != role)
        for role, column in chosen.items()
    }
    return Axes(
        constant={column.name: column.values[0] for column in others if column.constant},
        varying=tuple(column.name for column in others if not column.constant),
        x=axes.get("x"),
        y=axes.get("y"),
        page=axes.get("page"),
    )


def _column(name: str, columns: Sequence[Column], role: str) -> Column:
    spelled = find_column(name, [column.name for column in columns], role=f"{role} axis")
    return next(column for column in columns if column.name == spelled)


def _check_different(named: Mapping[str, Column]) -> None:
    for name, count in Counter(column.name for column in named.values()).items():
        if count > 1:
            roles = " and ".join(role for role, column in named.items() if column.name == name)
            raise InputError(f"column {name!r} is asked for as {roles} axis; give each axis a column of its own")


@dataclass(frozen=True)
class Product:
    """How well pictures fill the combinations of some columns."""

    columns: tuple[Column, ...]
    #: Part of the combinations that occur, 0 to 1.
    fill: float
    #: The most common number of pictures to a combination.
    repeats: int

    @property
    def cost(self) -> tuple[int, float, int, list[int]]:
        """The smaller the better; differs for any two products."""
        kinds = sum(column.kind for column in self.columns)
        return self.repeats, -self.fill, kinds, [column.place for column in self.columns]


def choose_axes(columns: Sequence[Column], named: Mapping[str, Column], auto: frozenset[str]) -> dict[str, Column]:
    """The column of each axis ("x", "y", "page"): those ``named``, and those found for the axes in ``auto``."""
    candidates = _candidates(columns, named.values())
    choice = dict(named)
    open_roles = [role for role in ("x", "y") if role in auto]
    fixed = tuple(named[role] for role in ("x", "y", "page") if role in named)
    has_rows_and_columns = all(role in named or role in auto for role in ("x", "y"))
    if not open_roles:
        pair = _product(fixed) if has_rows_and_columns and "page" in auto else None
        third = _third(pair, candidates) if pair else None
        return choice | ({"page": third.columns[-1]} if third else {})
    product = _best_product(fixed, candidates, len(open_roles)) if has_rows_and_columns else None
    third = _third(product, candidates) if product and "page" in auto else None
    if product and (third or product).repeats <= _MOST_REPEATS:
        chosen = [column for column in (third or product).columns if column not in fixed]
        return choice | _roles(chosen, open_roles)
    single = _single(candidates) if not ("x" in named or "y" in named) else None
    return choice | ({open_roles[0]: single} if single else {})


def _candidates(columns: Sequence[Column], named: Iterable[Column]) -> list[Column]:
    """Columns fit to be an axis, one of those that divide the pictures alike, best first (rule 1)."""
    taken = {column.name for column in named}
    fit = [
        column
        for column in columns
        if column.name not in taken
        and column.kind not in (Kind.HASH, Kind.RECORD)
        and len(column.values) > 1
        and column.covered >= _ENOUGH * len(column.codes)
    ]
    by_partition: dict[bytes, Column] = {}
    for column in sorted(fit, key=lambda column: column.rank):
        by_partition.setdefault(column.partition, column)
    return list(by_partition.values())


def _best_product(fixed: tuple[Column, ...], candidates: Sequence[Column], count: int) -> Product | None:
    """The best product of the fixed columns with ``count`` candidates (rule 2)."""
    without_prompts = [column for column in candidates if column.kind is not Kind.WORDY]
    for pool in (without_prompts, candidates):
        products = (_product((*fixed, *chosen)) for chosen in combinations(pool, count))
        best = min((product for product in products if product), key=lambda product: product.cost, default=None)
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
    fill = len(counts) / cells
    return Product(columns, fill, usual) if _is_even(counts, usual) and fill >= _ENOUGH else None


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
    fewer = (product for product in products if product and product.repeats < pair.repeats)
    return min(fewer, key=lambda product: product.cost, default=None)


def _roles(chosen: list[Column], open_roles: Sequence[str]) -> dict[str, Column]:
    """Which of the chosen columns is which axis; one more than there are roles makes the pages (rules 3 and 4)."""
    choice: dict[str, Column] = {}
    if len(chosen) > len(open_roles):
        choice["page"] = max(chosen, key=lambda c: (c.kind is Kind.WORDY, -len(c.values), c.rank))
        chosen = [column for column in chosen if column is not choice["page"]]
    if len(chosen) == 1:
        return choice | {open_roles[0]: chosen[0]}
    x, y = sorted(chosen, key=_x_before_y)
    return choice | {"x": x, "y": y}


def _x_before_y(column: Column) -> tuple[bool, int, bool, int]:
    """Sorts the column that belongs on X before the one that belongs on Y (rule 4)."""
    count = len(column.values)
    return count > _MOST_ACROSS, -count, not is_numeric(column.values), column.place


def _single(candidates: Sequence[Column]) -> Column | None:
    """The one column that may be an axis alone (rule 5)."""
    fit = [column for column in candidates if not (column.unique and column.kind is Kind.SEED)]
    shared = [column for column in fit if not column.unique] or fit
    pool = [column for column in shared if column.kind <= Kind.SEED] or shared
    if len(pool) != 1 or len(pool[0].values) > _MOST_ACROSS or pool[0].covered < len(pool[0].codes):
        return None
    counts = np.bincount(pool[0].codes)
    return pool[0] if counts.min() == counts.max() <= _MOST_REPEATS else None
