"""Pictures of one workflow, which differ in seeds and prompts: its graph is walked twice, not for every picture.

Seeds and prompts are replaced by marks, and what is left is the shape of the graph. The columns of the marks are kept
by shape, and a picture of a shape that is known gets its own seeds and prompts in place of them. A shape is kept only
where that gives what the walk gives, and where no mark has become part of anything but the seed and the prompts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import NamedTuple

from ....imaging import Size
from .columns import as_object, clean
from .comfyui_graph import Entries, Graph, graph_of, linked_id

#: The columns of a picture, and a warning or "".
Answer = tuple[dict[str, str], str]
_SEEDS = ("seed", "noise_seed")
_TEXTS = frozenset(
    {
        "text", "text_g", "text_l", "clip_g", "clip_l", "t5xxl", "llama", "prompt", "populated_text", "positive",
        "negative", "positive_prompt", "negative_prompt", "text_positive", "text_negative",
    }
)  # fmt: skip
#: The first mark of a seed: a number of 30 digits, which no seed has. A mark of a text is a number between two code
#: points that are no characters.
_FIRST_SEED = 10**29
_TEXT_MARK = "\ufdd0{}\ufdd1"
_IS_SEED, _IS_TEXT = re.compile(r"10{20}\d{9}"), re.compile("\ufdd0\\d+\ufdd1")
#: The longest text that gets a mark, in characters, and the marks in an answer: together less than is read of a text.
_LONGEST, _MOST_MARKS = 100_000, 8
#: Shapes that are known at a time, of about a kilobyte each.
_MOST_SHAPES = 4096


class _Marked(NamedTuple):
    """A graph with marks, and what they stand for, by mark."""

    entries: Entries
    originals: dict[str, str]
    #: Nodes that hold nothing but a seed.
    seed_nodes: set[str]


class Repeats:
    """The answers of ``read`` for the graphs of files of a name and a size; those of repeated shapes without a walk."""

    def __init__(self, read: Callable[[Graph, str, Size], Answer]) -> None:
        self._read = read
        #: The answer for the marks; False for a shape that is met once, None for one whose answers are not kept.
        self._known: dict[bytes, Answer | bool | None] = {}

    def read(self, entries: Entries, file: str, size: Size) -> Answer:
        """The answer for a graph of entries in the API format."""
        marked = _marked(entries)
        shape = repr((marked.entries, size, bool(file))).encode("utf-8", "surrogatepass")
        key = blake2b(shape, digest_size=16).digest()
        known = self._known.get(key, True)
        if isinstance(known, tuple):
            columns, warning = known
            return {name: _filled(text, marked.originals) for name, text in columns.items()}, warning
        graph = graph_of(entries)
        answer = self._read(graph, file, size)
        if known is True:
            if len(self._known) >= _MOST_SHAPES:
                self._known.clear()
            self._known[key] = None if graph.is_name_asked else False
        elif known is False:
            self._known[key] = self._answer_of_marks(marked, answer, file, size)
        return answer

    def _answer_of_marks(self, marked: _Marked, answer: Answer, file: str, size: Size) -> Answer | None:
        """The columns with marks in them; None where they are not those of every picture of this shape."""
        if _is_more_than_seed(marked):
            return None
        columns, warning = self._read(graph_of(marked.entries), file, size)
        if not all(_has_sound_marks(name, text) for name, text in columns.items()):
            return None
        filled = {name: _filled(text, marked.originals) for name, text in columns.items()}
        return (columns, warning) if (filled, warning) == answer else None


def _marked(entries: Entries) -> _Marked:
    """The entries with a mark in place of each seed and text; equal ones have equal marks."""
    marks: dict[object, object] = {}
    marked: dict[str, dict[str, object]] = {}
    seed_nodes: set[str] = set()
    for node, record in entries.items():
        inputs = as_object(record["inputs"])
        found: dict[str, object] = {}
        for name, value in inputs.items():
            if name in _TEXTS and isinstance(value, str):
                core = value.strip()
                if core and len(core) <= _LONGEST and clean(core) == core:
                    found[name] = value.replace(core, str(marks.setdefault(core, _TEXT_MARK.format(len(marks)))), 1)
            elif name in _SEEDS and type(value) is int and 0 <= value < _FIRST_SEED:
                found[name] = marks.setdefault(value, _FIRST_SEED + len(marks))
                if len(inputs) == 1:
                    seed_nodes.add(node)
        marked[node] = {"class_type": record["class_type"], "inputs": {**inputs, **found}}
    return _Marked(marked, {str(mark): str(original) for original, mark in marks.items()}, seed_nodes)


def _is_more_than_seed(marked: _Marked) -> bool:
    """Whether the number of a node that holds nothing but a seed is taken for something else, too."""
    inputs = (item for record in marked.entries.values() for item in as_object(record["inputs"]).items())
    return any(linked_id(value) in marked.seed_nodes for name, value in inputs if name not in (*_SEEDS, "noise"))


def _has_sound_marks(column: str, text: str) -> bool:
    """Whether the text of a column is one mark or, of prompts, a mark to a line, or has none at all."""
    if column == "seed" and _IS_SEED.fullmatch(text):
        return True
    if column in ("prompt", "negative"):
        lines = text.split("\n")
        if len(lines) <= _MOST_MARKS and all(map(_IS_TEXT.fullmatch, lines)):
            return True
    return not (_IS_SEED.search(text) or _IS_TEXT.search(text))


def _filled(text: str, originals: Mapping[str, str]) -> str:
    """The text with what its marks stand for."""
    if text in originals:
        return originals[text]
    return _IS_TEXT.sub(lambda mark: originals[mark[0]], text) if "\ufdd0" in text else text
