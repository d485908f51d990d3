"""A long text in parts that fit a model's context, none of it lost."""

from __future__ import annotations

import re
from itertools import pairwise

from .tokenized import TokenizedText, Tokenizer

#: Behind what a text may be cut, the best first: sentences and lines, clauses, words.
_BREAKS = (
    re.compile(r"[.!?…][\"'”’)\]]*\s+|[。！？]|\n+"),
    re.compile(r"[,;:]\s+|[，、；：]|\s[-–—|]+\s+"),
    re.compile(r"\s+"),
)
#: A cut behind a sentence or clause must fill this share of the context, or parts would be many and short.
_LEAST_FILL = 0.5


def chunks(text: str, tokenizer: Tokenizer) -> list[TokenizedText]:
    """The parts of a text, in order, each with its marks and nothing dropped; their ``text`` is the part itself.

    Parts without a token are left out; to weigh a part, take ``len(part.ids) - tokenizer.marks``.
    Raises InputError for a text without a single token.
    """
    whole = tokenizer.encode([text])
    if not whole[0].dropped:
        return whole
    parts = tokenizer.encode(split_long(text, tokenizer), allow_empty=True)
    return [part for part in parts if len(part.ids) > tokenizer.marks]


def split_long(text: str, tokenizer: Tokenizer) -> list[str]:
    """The text in parts of at most the context, cut behind sentences, else clauses, else words, else characters."""
    text = tokenizer.read(text)
    parts = _cut(text, tokenizer.spans(text), tokenizer.context - tokenizer.marks)
    if len(parts) == 1:
        return parts
    fitting: list[str] = []
    # tokens at a cut may differ from those of the whole text
    for part, tokenized in zip(parts, tokenizer.encode(parts, allow_empty=True), strict=True):
        fitting += split_long(part, tokenizer) if tokenized.dropped else [part]
    return fitting


def _cut(text: str, spans: list[tuple[int, int]], room: int) -> list[str]:
    cuts = [0]
    first = 0
    while len(spans) - first > room:
        limit = max(spans[first + room][0], cuts[-1] + 1)
        cuts.append(_best_cut(text, cuts[-1], limit))
        first = next((i for i in range(first, len(spans)) if spans[i][0] >= cuts[-1]), len(spans))
    parts = (text[start:end].strip() for start, end in pairwise([*cuts, len(text)]))
    return [part for part in parts if part]


def _best_cut(text: str, start: int, limit: int) -> int:
    """Behind the last break of the best kind between start and limit; the limit itself where there is none."""
    for breaks, least in zip(_BREAKS, (_LEAST_FILL, _LEAST_FILL, 0.0), strict=True):
        ends = [match.end() for match in breaks.finditer(text, start, limit)]
        if ends and ends[-1] - start > least * (limit - start):
            return ends[-1]
    return limit
