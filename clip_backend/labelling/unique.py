"""No two cells with one text: the next best words are taken, and at last a number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, eq=False)
class Cell(Generic[T]):
    """What may stand below one picture."""

    best: T
    #: What may take its place, the best first; asked for only if it must.
    others: Callable[[], Iterable[T]]
    #: The surest cells choose first.
    sureness: float
    #: Cells of equal pictures have the same, and share what the first of them gets.
    content: bytes


def choose_unique(cells: Sequence[Cell[T]], text_of: Callable[[T], str]) -> list[tuple[T, str]]:
    """What each cell gets, and its text, which no other cell has.

    Who is sure chooses first, whatever the order of the cells; numbers follow that order, from 2 on.
    """
    groups: dict[bytes, list[int]] = {}
    for place, cell in enumerate(cells):
        groups.setdefault(cell.content, []).append(place)
    chosen: dict[int, T] = {}
    taken: set[str] = set()
    for content in sorted(groups, key=lambda content: (-cells[groups[content][0]].sureness, content)):
        choice = _first_free(cells[groups[content][0]], text_of, taken)
        taken.add(text_of(choice))
        chosen |= dict.fromkeys(groups[content], choice)
    texts = _numbered([text_of(chosen[place]) for place in range(len(cells))])
    return [(chosen[place], text) for place, text in enumerate(texts)]


def _first_free(cell: Cell[T], text_of: Callable[[T], str], taken: set[str]) -> T:
    """The best whose text is not taken, else the best of all."""
    if text_of(cell.best) not in taken:
        return cell.best
    return next((other for other in cell.others() if text_of(other) not in taken), cell.best)


def _numbered(texts: Sequence[str]) -> list[str]:
    """The texts, those that came before with the next free number behind them."""
    taken, numbers = set(texts), dict[str, int]()
    numbered = []
    for text in texts:
        shown = text
        if number := numbers.get(text):
            number = next(free for free in count(number) if f"{text} {free}" not in taken)
            shown = f"{text} {number}"
        numbers[text] = (number or 1) + 1
        numbered.append(shown)
    return numbered
