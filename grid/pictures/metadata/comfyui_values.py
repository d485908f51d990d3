"""The numbers and texts of ComfyUI's graph: what an input holds, or what the nodes that it is linked to give it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .columns import as_object, number_text
from .comfyui_graph import VALUE_KEYS, Graph, Node, bundles_in_order, linked_id
from .comfyui_names import BUNDLES

_TEXT_KEYS = ("text", "value", "string", "populated_text", "prompt", "Text", "String", "STRING", "multiline")
_PART = re.compile(r"(?:string|text|prompt|str)_?(?:[a-h]|\d{1,2})")
_DELIMITERS = ("delimiter", "separator", "delim", "sep")
#: A text of more parts than this, beside one for each node, is a cycle.
_MAX_PARTS = 2000
_MAX_TEXT = 2**20


def number(graph: Graph, value: object, *names: str) -> str:
    """The number that an input's value is or leads to, as text; empty when it is computed or not there.

    names: the inputs under which the nodes that are passed may hold it, before the usual ones.
    """
    if not isinstance(value, list):
        return number_text(value)
    todo: list[object] = [value]
    seen: set[str] = set()
    while todo and graph.visit():
        value = graph.target(todo.pop())
        link = linked_id(value)
        if link is None:
            if found := number_text(value):
                return found
        elif link not in seen:
            seen.add(link)
            slot = value[1] if isinstance(value, list) else 0
            todo += reversed(_number_values(graph[link], slot, names))
    return ""


def _number_values(node: Node, slot: int, names: tuple[str, ...]) -> list[object]:
    """Where a node may have the number, in the order in which it is looked for."""
    for key in names:
        if key in node.inputs:
            return [node.inputs[key]]
    held = node.held(slot)
    if held is not None:
        return [held]
    return [] if not node.inputs.keys().isdisjoint(VALUE_KEYS) else _bundles(node)


def _bundles(node: Node) -> list[object]:
    bundles = {key: value for key, value in node.links.items() if BUNDLES[key]}
    return bundles_in_order(node, bundles)


def text(graph: Graph, value: object, *names: str) -> str:
    """The text that an input's value is or leads to, joined where nodes join; empty when it is computed or not there.

    names: the inputs under which the nodes that are passed may hold it, before the usual ones.
    """
    parts: list[str] = []
    todo, taken, length = [value], 0, 0
    while todo:
        taken += 1
        part = graph.target(todo.pop())
        if "content" in as_object(part):
            # a pack that shows pictures beside file names wraps them
            part = as_object(part)["content"]
        if isinstance(part, str):
            parts.append(part)
            length += len(part)
        elif link := linked_id(part):
            todo += reversed(_text_parts(graph[link], names))
        if taken > _MAX_PARTS + len(graph) or length > _MAX_TEXT or not graph.visit():
            return ""
    return "".join(parts)


def _text_parts(node: Node, names: tuple[str, ...]) -> list[object]:
    """What a node's text is made of, in order."""
    for key in (*names, *_TEXT_KEYS):
        if isinstance(node.inputs.get(key), (str, list)):
            return [node.inputs[key]]
    parts = [value for key, value in node.inputs.items() if _PART.fullmatch(key)]
    if not parts:
        return node.passes_on or (_bundles(node)[:1] if names else [])
    delimiter = next((node.inputs[key] for key in _DELIMITERS if key in node.inputs), "")
    if isinstance(delimiter, str):
        delimiter = delimiter.replace("\\n", "\n")
    return [piece for part in parts for piece in (delimiter, part)][1:]


def first_number(graph: Graph, nodes: Iterable[Node], *names: str) -> str:
    """The first number that one of the nodes has under one of the names; empty when none has."""
    values = (number(graph, node.inputs[key], *names) for node in nodes for key in names if key in node.inputs)
    return next(filter(None, values), "")
