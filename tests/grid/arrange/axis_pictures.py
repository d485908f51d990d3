"""Columns of pictures that vary by axes, and the table made of them as rows of indices."""

from __future__ import annotations

import random
from itertools import product

from clip_grid.grid.arrange.tables import PageTable

Pictures = list[dict[str, str]]

SAMPLERS = ("euler", "heun", "dpm_2", "dpm_10")
CFGS = ("1.5", "4", "7", "10", "30")


def every(**columns: tuple[str, ...]) -> Pictures:
    """One picture for each combination."""
    return [dict(zip(columns, cell, strict=True)) for cell in product(*columns.values())]


def shuffled(pictures: Pictures, seed: int = 0) -> Pictures:
    order = pictures.copy()
    random.Random(seed).shuffle(order)
    return order


def picture_rows(table: PageTable) -> list[list[int | str | None]]:
    """The table as rows of picture indices: None for a marked hole, "" for a place without a cell."""
    rows: list[list[int | str | None]] = [[""] * table.columns for _ in range(table.rows)]
    for cell in table.cells:
        rows[cell.row][cell.column] = cell.index
    return rows
