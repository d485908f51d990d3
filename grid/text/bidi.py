"""The visual order of text that mixes left-to-right and right-to-left.

Source: Unicode Bidirectional Algorithm (UAX #9), without explicit embeddings and isolates, which labels do not need:
rules P2, P3, W1 to W7, N0 (the common brackets), N1, N2, I1, I2, L1 and L2.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from unicodedata import bidirectional

_BRACKETS = {")": "(", "]": "[", "}": "{", "»": "«", "）": "（", "」": "「", "】": "【"}
_NEUTRAL = {"B", "S", "WS", "ON"}
_STRONG = {"L": "L", "R": "R", "AN": "R", "EN": "R"}


def base_level(text: str) -> int:
    """1 when the first strong character is right-to-left, else 0 (P2, P3)."""
    strong = (kind for kind in map(bidirectional, text) if kind in ("L", "R", "AL"))
    return int(next(strong, "L") != "L")


def levels(text: str, base: int) -> list[int]:
    """The embedding level of each character of a paragraph: even is left-to-right, odd right-to-left."""
    kinds = [bidirectional(char) or "L" for char in text]
    strong_base = "R" if base else "L"
    _resolve_marks(kinds, strong_base)
    _resolve_numbers(kinds, strong_base)
    _resolve_brackets(text, kinds, strong_base)
    _resolve_neutrals(kinds, strong_base)
    # L1, for the end of the paragraph; the caller trims the ends of lines
    end = len(text.rstrip())
    return [_level(kind, base) for kind in kinds[:end]] + [base] * (len(kinds) - end)


def visual_order(run_levels: Sequence[int]) -> list[int]:
    """The indices of the runs of a line, from left to right (L2)."""
    order = list(range(len(run_levels)))
    odd = [level for level in run_levels if level % 2]
    if not odd:
        return order
    for level in range(max(run_levels), min(odd) - 1, -1):
        order = _reversed_runs(order, run_levels, level)
    return order


def _reversed_runs(order: Sequence[int], run_levels: Sequence[int], level: int) -> list[int]:
    """The order with each sequence of runs of this level or a higher one reversed."""
    result: list[int] = []
    for is_reversed, group in groupby(order, lambda i: run_levels[i] >= level):
        members = list(group)
        result += members[::-1] if is_reversed else members
    return result


def _resolve_marks(kinds: list[str], base: str) -> None:
    """W1: a combining mark, or a control character, takes the class of the character before it."""
    before = base
    for i, kind in enumerate(kinds):
        if kind in ("NSM", "BN", "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"):
            kinds[i] = before
        before = kinds[i]


def _resolve_numbers(kinds: list[str], base: str) -> None:
    """W2 to W7: the classes of digits, their signs and their separators."""
    strong = base
    for i, kind in enumerate(kinds):
        if kind in ("L", "R", "AL"):
            strong = kind
        elif kind == "EN" and strong == "AL":
            kinds[i] = "AN"
    kinds[:] = ["R" if kind == "AL" else kind for kind in kinds]
    for i in range(1, len(kinds) - 1):
        if kinds[i - 1] == kinds[i + 1] and (kinds[i], kinds[i - 1]) in (("CS", "EN"), ("CS", "AN"), ("ES", "EN")):
            kinds[i] = kinds[i - 1]
    _resolve_number_signs(kinds)
    strong = base
    for i, kind in enumerate(kinds):
        if kind in ("L", "R"):
            strong = kind
        elif kind == "EN" and strong == "L":
            kinds[i] = "L"


def _resolve_number_signs(kinds: list[str]) -> None:
    """W5 and W6: per cent and currency signs beside a number belong to it; other separators are neutral."""
    at = 0
    for kind, group in groupby(list(kinds)):
        count = len(list(group))
        if kind == "ET":
            beside = {kinds[at - 1] if at else "", kinds[at + count] if at + count < len(kinds) else ""}
            kinds[at : at + count] = ["EN" if "EN" in beside else "ON"] * count
        elif kind in ("ES", "CS"):
            kinds[at : at + count] = ["ON"] * count
        at += count


def _resolve_brackets(text: str, kinds: list[str], base: str) -> None:
    """N0: both brackets of a pair get one direction: the line's own if text of that direction is inside them."""
    for opening, closing in _bracket_pairs(text, kinds):
        inside = {_STRONG[kind] for kind in kinds[opening + 1 : closing] if kind in _STRONG}
        if not inside:
            continue
        before = next((_STRONG[kind] for kind in reversed(kinds[:opening]) if kind in _STRONG), base)
        side = base if base in inside or before == base else before
        kinds[opening] = kinds[closing] = side


def _bracket_pairs(text: str, kinds: Sequence[str]) -> list[tuple[int, int]]:
    pairs = []
    stack: list[tuple[str, int]] = []
    for i, char in enumerate(text):
        if kinds[i] != "ON":
            continue
        if char in _BRACKETS.values():
            stack.append((char, i))
        elif any(bracket == _BRACKETS.get(char) for bracket, _ in stack):
            while stack[-1][0] != _BRACKETS[char]:
                stack.pop()
            pairs.append((stack.pop()[1], i))
    return sorted(pairs)


def _resolve_neutrals(kinds: list[str], base: str) -> None:
    """N1 and N2: neutrals between two texts of one direction take that direction, others the line's."""
    at = 0
    for is_neutral, group in groupby(list(kinds), lambda kind: kind in _NEUTRAL):
        count = len(list(group))
        if is_neutral:
            before = _STRONG[kinds[at - 1]] if at else base
            after = _STRONG[kinds[at + count]] if at + count < len(kinds) else base
            kinds[at : at + count] = [before if before == after else base] * count
        at += count


def _level(kind: str, base: int) -> int:
    """The level of a character of this class (I1 and I2)."""
    if base % 2 == 0:
        return base + {"L": 0, "R": 1}.get(kind, 2)
    return base + (0 if kind == "R" else 1)
