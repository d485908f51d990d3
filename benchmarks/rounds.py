"""Contenders in turn, round after round, so that whatever slows the machine slows them all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from math import comb
from statistics import median


def interleaved(contenders: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of every round of each contender; the order turns round so that none is always the first."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        names = list(contenders)
        for name in names if number % 2 == 0 else reversed(names):
            start = time.perf_counter()
            contenders[name]()
            times[name].append(time.perf_counter() - start)
    return times


def ratios(base: Sequence[float], spent: Sequence[float]) -> str:
    """How many times as fast as the base: the median of the rounds' ratios, with the lowest and the highest."""
    each = sorted(b / t for b, t in zip(base, spent, strict=True))
    return f"{median(each):.1f} [{each[0]:.1f}..{each[-1]:.1f}]"


def paired(mine: Sequence[float], others: Sequence[float]) -> str:
    """How many times as long as the others: the median of the ratios of pairs, and where it lies with 95 %.

    The interval is between two of the sorted ratios, by the binomial distribution; of fewer than 6 pairs it is all.
    """
    each = sorted(one / other for one, other in zip(mine, others, strict=True))
    count, below, cut = len(each), 0.0, 0
    while (below := below + comb(count, cut) / 2**count) <= 0.025:
        cut += 1
    low, high = (each[cut - 1], each[-cut]) if cut else (each[0], each[-1])
    return f"{median(each):.3f} [{low:.3f}..{high:.3f}]"
