"""ComfyUI's API-format graph: its nodes, the links between them, and walks against the direction of the data.

Every walk is a loop that sees each node once or ends at a stated length, so that cycles and missing nodes do no harm.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from .columns import as_object, load_object, number_text

#: Inputs that hand on a bundle of other things, under the names that node packs give it.
BUNDLE = re.compile(r".*(?:pipe|context|ctx|tuple|settings|config).*")
#: Inputs of nodes that only hand on what they get: Reroute, Any Switch.
_PASSING = re.compile(r"|value|input|anything|(?:any|input)_?\d*")
#: Where nodes that only hold one value keep it.
_VALUE_KEYS = ("value", "Value", "int", "float", "number", "INT", "FLOAT", "Number")
_TEXT_KEYS = ("text", "value", "string", "populated_text", "prompt", "Text", "String", "STRING", "multiline")
_PART = re.compile(r"(?:string|text|prompt|str)_?(?:[a-h]|\d{1,2})")
_DELIMITERS = ("delimiter", "separator", "delim", "sep")
#: A text of more parts than this, beside one for each node, is a cycle.
_MAX_PARTS = 2000
_MAX_TEXT = 2**20


@dataclass(frozen=True)
class Node:
    """One node; inputs by name, as JSON values."""

    id: str
    kind: str
    inputs: dict[str, object]

    def link(self, key: str) -> str | None:
        """The id of the node that an input is linked to; None when the input is absent or holds a value."""
        return linked_id(self.inputs.get(key))

    def links(self) -> dict[str, str]:
        """All inputs that are links, with the ids of their nodes."""
        return {key: link for key, value in self.inputs.items() if (link := linked_id(value))}

    def passes_on(self) -> list[str]:
        """The links of a node that has nothing but links and only hands on what it gets; empty for other nodes."""
        links = self.links()
        if len(links) < len(self.inputs):
            return []
        is_plain = len(links) == 1 or all(_PASSING.fullmatch(key) for key in links)
        return list(links.values()) if is_plain else []


Graph = Mapping[str, Node]


def linked_id(value: object) -> str | None:
    """The id of the node that `[node, slot]` links to; None for every other value.

    The slot is left out: which of the node's values is meant follows from the input's name.
    """
    if not isinstance(value, list) or len(value) != 2:
        return None
    node, slot = value
    return str(node) if isinstance(node, (str, int)) and isinstance(slot, int) else None


def load_graph(text: str) -> Graph:
    """The nodes of the graph in a JSON text, by id; what is not a node is left out, so the result may be empty."""
    entries = load_object(text)
    if isinstance(entries.get("prompt"), dict):
        entries = as_object(entries["prompt"])
    nodes: dict[str, Node] = {}
    for key, entry in entries.items():
        record = as_object(entry)
        kind, inputs = record.get("class_type"), record.get("inputs")
        if isinstance(kind, str) and isinstance(inputs, dict):
            nodes[key] = Node(key, kind, inputs)
    return nodes


def trail(graph: Graph, start: Node, follow: Callable[[str], bool]) -> Iterator[Node]:
    """The node ``start`` and those behind the inputs whose names ``follow`` accepts, nearest first, each once.

    Nodes that only hand on what they get are crossed whatever their inputs are called.
    """
    queue, seen = deque([start]), {start.id}
    while queue:
        node = queue.popleft()
        yield node
        links = [link for key, link in node.links().items() if follow(key)] or node.passes_on()
        for link in links:
            if link in graph and link not in seen:
                seen.add(link)
                queue.append(graph[link])


def number(graph: Graph, value: object, *names: str) -> str:
    """The number that an input's value is or leads to, as text; empty when it is computed or not there.

    names: the inputs under which the nodes that are passed may hold it, before the usual ones.
    """
    seen: set[str] = set()
    while (link := linked_id(value)) and link in graph and link not in seen:
        seen.add(link)
        node = graph[link]
        key = next((key for key in (*names, *_VALUE_KEYS) if key in node.inputs), None)
        value = node.inputs[key] if key is not None else next(iter(node.inputs.values()), None)
        if key is None and not node.passes_on():
            return ""
    return number_text(value)


def text(graph: Graph, value: object, *names: str) -> str:
    """The text that an input's value is or leads to, joined where nodes join; empty when it is computed or not there.

    names: the inputs under which the nodes that are passed may hold it, before the usual ones.
    """
    parts: list[str] = []
    todo, taken, length = [value], 0, 0
    while todo:
        taken += 1
        part = todo.pop()
        if "content" in as_object(part):
            # a pack that shows pictures beside file names wraps them
            part = as_object(part)["content"]
        if isinstance(part, str):
            parts.append(part)
            length += len(part)
        elif (link := linked_id(part)) and link in graph:
            todo += reversed(_text_parts(graph[link], names))
        if taken > _MAX_PARTS + len(graph) or length > _MAX_TEXT:
            return ""
    return "".join(parts)


def _text_parts(node: Node, names: tuple[str, ...]) -> list[object]:
    """What a node's text is made of, in order."""
    for key in (*names, *_TEXT_KEYS):
        if isinstance(node.inputs.get(key), (str, list)):
            return [node.inputs[key]]
    parts = [value for key, value in node.inputs.items() if _PART.fullmatch(key)]
    if not parts:
        return list(node.inputs.values()) if node.passes_on() else []
    delimiter = next((node.inputs[key] for key in _DELIMITERS if key in node.inputs), "")
    if isinstance(delimiter, str):
        delimiter = delimiter.replace("\\n", "\n")
    return [piece for part in parts for piece in (delimiter, part)][1:]


def first_number(graph: Graph, nodes: Iterable[Node], *names: str) -> str:
    """The first number that one of the nodes has under one of the names; empty when none has."""
    values = (number(graph, node.inputs[key], *names) for node in nodes for key in names if key in node.inputs)
    return next(filter(None, values), "")
