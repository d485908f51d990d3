"""A tokenizer of CLIP's kind, learnt from captions: its vocabulary, its merges, and its files."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from clip_grid.clip_backend.tokenizing.clip import BEGIN, END, PIECES, vocabulary_of

#: The same for captions, which have Latin letters alone.
_WORDS = re.compile(r"[a-z]+|[0-9]|[^\sa-z0-9]+")
Pair = tuple[str, str]


def learn_merges(texts: Iterable[str], count: int) -> list[Pair]:
    """At most ``count`` merges, the commonest pair first; fewer if every word has become one token before."""
    tally = Counter(word for text in texts for word in _WORDS.findall(text.lower()))
    words = {(*word[:-1], f"{word[-1]}</w>"): times for word, times in tally.items()}
    merges: list[Pair] = []
    while len(merges) < count:
        pairs: Counter[Pair] = Counter()
        for pieces, times in words.items():
            for pair in pairwise(pieces):
                pairs[pair] += times
        if not pairs:
            break
        merges.append(min(pairs, key=lambda pair: (-pairs[pair], pair)))
        words = {_merged(pieces, merges[-1]): times for pieces, times in words.items()}
    return merges


def _merged(pieces: tuple[str, ...], pair: Pair) -> tuple[str, ...]:
    joined: list[str] = []
    for piece in pieces:
        if joined and (joined[-1], piece) == pair:
            joined[-1] += piece
        else:
            joined.append(piece)
    return tuple(joined)


def write_tokenizer(folder: Path, merges: Sequence[Pair], context: int) -> None:
    """vocab.json, merges.txt, tokenizer.json and tokenizer_config.json, as transformers wants them of CLIP."""
    numbers = vocabulary_of(merges)
    _write_json(folder / "vocab.json", numbers)
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", "utf-8", newline="\n")
    _write_json(folder / "tokenizer.json", fast_tokenizer(numbers, merges))
    marks = {"bos_token": BEGIN, "eos_token": END, "pad_token": END, "unk_token": END}
    settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": context, "do_lower_case": True}
    _write_json(folder / "tokenizer_config.json", {**settings, **marks})


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", "utf-8", newline="\n")


def fast_tokenizer(numbers: dict[str, int], merges: Sequence[Pair]) -> dict[str, object]:
    """The content of tokenizer.json: the same steps as in CLIP's own."""
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    spaces = {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "}
    split = {"type": "Split", "pattern": {"Regex": PIECES}, "behavior": "Removed", "invert": True}
    in_bytes = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    ends = {"sep": [END, numbers[END]], "cls": [BEGIN, numbers[BEGIN]]}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": numbers[mark], "content": mark, **flags} for mark in (BEGIN, END)],
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, spaces, {"type": "Lowercase"}]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, in_bytes]},
        "post_processor": {"type": "RobertaProcessing", **ends, "trim_offsets": False, "add_prefix_space": False},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": END,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "</w>",
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": numbers,
            "merges": [" ".join(pair) for pair in merges],
        },
    }
