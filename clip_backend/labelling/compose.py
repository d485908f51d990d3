"""Words of several facets put together to a short label, such as "cat · oil painting"."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SEPARATOR = " · "
#: The most words of a label, without the separator.
MOST_WORDS = 5
#: Facets that come first, in this order; the others follow as the vocabulary has them.
FIRST = ("subject", "medium", "style")
#: What is wrong with a picture does not say what it shows.
UNSAID = "defects"


@dataclass(frozen=True, kw_only=True)
class Word:
    """What one facet has to say of a picture."""

    facet: str
    #: One word or a few.
    label: str
    probability: float


def is_said(facet: str) -> bool:
    """Whether the labels of a facet may stand in a composed one."""
    return facet != UNSAID


def in_order(words: Iterable[Word]) -> list[Word]:
    """The words as a label has them: subject, medium, style, then the others in the given order."""
    return sorted(words, key=lambda word: _rank(word.facet))


def say_most(words: Sequence[Word]) -> tuple[Word, ...]:
    """The one or two that say most: the first, and the next that goes with it; none of none.

    words: in the order of the vocabulary's facets.
    """
    ordered = in_order(word for word in words if is_said(word.facet))
    if not ordered:
        return ()
    first, *others = ordered
    partner = next((word for word in others if go_together(first, word)), None)
    return (first,) if partner is None else (first, partner)


def go_together(first: Word, second: Word) -> bool:
    """Whether two words are of two facets, short enough, and none repeats the other."""
    one, other = first.label.split(), second.label.split()
    repeats = set(one) <= set(other) or set(other) <= set(one)
    return first.facet != second.facet and len(one) + len(other) <= MOST_WORDS and not repeats


def compose(words: Sequence[Word]) -> str:
    """The label; one short word alone is put behind its facet's name, as in "mood: calm"."""
    if len(words) == 1 and len(words[0].label.split()) == 1:
        return f"{words[0].facet}: {words[0].label}"
    return SEPARATOR.join(word.label for word in words)


def _rank(facet: str) -> int:
    name = facet.split()[0] if facet.split() else ""
    return FIRST.index(name) if name in FIRST else len(FIRST)
