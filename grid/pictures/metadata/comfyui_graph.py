"""ComfyUI's API-format graph: its nodes, the links between them, and what a link leads to.

Nodes that hand on what they get, and switches that choose one of their inputs, are crossed in one place,
`Graph.target`, whose answers are kept: each node is resolved once. Every walk spends from one budget per graph, so
that cycles, missing nodes and huge graphs end in time that is linear in the size of the graph.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping

from .columns import as_object, load_object
from .comfyui_names import BUNDLES, CHANGES, MERGES, Names
from .comfyui_switch import STAYS, UNKNOWN, Resolve, by_number, is_first_live, pick_input

#: Inputs of nodes that only hand on what they get, such as list makers.
_PASSING = Names(re.compile(r"|value|input|anything|(?:any|input)_?\d*").fullmatch)
#: Inputs that take a list of LoRAs.
STACKS = frozenset({"lora_stack", "optional_lora_stack"})
#: Inputs of nodes that make something of a value, such as noise of a seed, though they have no other input.
_MAKES = Names(re.compile(r"(?:noise_)?seed|\w+_name|scheduler").fullmatch)
#: Where nodes that only hold one value keep it.
VALUE_KEYS = ("value", "Value", "int", "float", "number", "boolean", "bool", "INT", "FLOAT", "Number", "BOOLEAN")
#: A switch chosen by a switch, and so on; what is nested deeper is not known.
_MAX_DEPTH = 32
_VISITS, _VISITS_PER_NODE = 20_000, 100
#: The nodes of a graph in the API format, by id: each with its "class_type" and its "inputs".
Entries = Mapping[str, Mapping[str, object]]


class Node:
    """One node; inputs by name, as JSON values."""

    # made and asked for every node of every picture of a folder: plain attributes are several times faster to read
    # than those of frozen dataclasses and cached properties
    __slots__ = ("_passes_on", "_targets", "id", "inputs", "is_merge", "kind", "links")

    def __init__(self, id: str, kind: str, inputs: dict[str, object]) -> None:
        self.id = id
        self.kind = kind
        self.inputs = inputs
        #: The ids of the nodes that inputs are linked to.
        self._targets = {key: link for key, value in inputs.items() if (link := linked_id(value))}
        #: All inputs that are links, as `[node, slot]`.
        self.links: Mapping[str, object] = {key: inputs[key] for key in self._targets}
        #: Whether it merges contexts.
        self.is_merge = MERGES[kind] and is_first_live(inputs)
        self._passes_on: list[object] | None = None

    def link(self, key: str) -> str | None:
        """The id of the node that an input is linked to; None when the input is absent or holds a value."""
        return self._targets.get(key)

    @property
    def passes_on(self) -> list[object]:
        """The links of a node that has nothing but links and only hands on what it gets; empty for other nodes."""
        if self._passes_on is None:
            self._passes_on = self._find_passed()
        return self._passes_on

    def _find_passed(self) -> list[object]:
        links = self.links
        if not links or len(links) < len(self.inputs) or CHANGES[self.kind]:
            return []
        is_plain = len(links) == 1 and not any(map(_MAKES.__getitem__, links))
        is_plain = is_plain or all(map(_PASSING.__getitem__, links))
        return list(links.values()) if is_plain else []

    def held(self, slot: int = 0) -> object:
        """What a node that only holds one value gives at an output, or is linked to; None for other nodes."""
        if "isfloatX" in self.inputs:
            # a slider keeps a whole number and a fraction for each direction, and which of them it gives
            axis = "Y" if slot == 1 and "Yi" in self.inputs else "X"
            return self.inputs.get(axis + ("f" if self.inputs.get(f"isfloat{axis}") else "i"))
        key = next((key for key in VALUE_KEYS if key in self.inputs), None)
        if key is not None:
            return None if self.is_computed() else self.inputs[key]
        only = next(iter(self.inputs.values())) if len(self.inputs) == 1 else None
        # packs call the one number of their constants as they like
        return only if isinstance(only, (int, float)) and not CHANGES[self.kind] else None

    def is_computed(self) -> bool:
        """Whether the node makes its value out of others, so that what it holds is not what it gives."""
        return CHANGES[self.kind] or (len(self.inputs) > 1 and bool(self.links))


class Graph(Mapping[str, Node]):
    """The nodes by id, and what links lead to."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self._nodes = nodes
        self._targets: dict[tuple[str, int], object] = {}
        #: Whether the name of the file was asked for to tell which of several nodes wrote it.
        self.is_name_asked = False
        #: Nodes that may still be looked at in all walks together.
        self.visits_left = _VISITS + _VISITS_PER_NODE * len(nodes)

    def __getitem__(self, key: str) -> Node:
        return self._nodes[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def visit(self) -> bool:
        """Count one look at a node; False when the budget is spent, which ends every walk."""
        self.visits_left -= 1
        return self.visits_left >= 0

    def target(self, value: object, depth: int = 0) -> object:
        """What an input's value is behind all nodes that hand on or choose: a plain value, or a link to another node.

        None where that is nothing or cannot be told.
        """
        if not isinstance(value, list):
            return value
        found = self._target(value, depth)
        return None if found is UNKNOWN else found

    def _target(self, value: object, depth: int) -> object:
        """What ``target`` gives; UNKNOWN where that cannot be determined."""
        path: list[tuple[str, int]] = []
        while place := _place(value):
            if place in self._targets:
                value = self._targets[place]
                break
            node = self._nodes.get(place[0])
            if node is None or not self.visit():
                value = None
                break
            # until it is known: a cycle leads to nothing
            self._targets[place] = None
            path.append(place)
            passed = self._passed(node, place[1], depth)
            if passed is STAYS:
                break
            value = passed
        for place in path:
            self._targets[place] = value
        return value

    def target_node(self, value: object) -> Node | None:
        """The node that an input is linked to, behind all nodes that hand on or choose."""
        link = linked_id(self._target(value, 0))
        return self._nodes[link] if link else None

    def _passed(self, node: Node, slot: int, depth: int) -> object:
        """The value that a node hands on, STAYS for a node that does more than that."""
        resolve = Resolve(lambda value: self._literal(value, depth + 1), lambda value: self._is_live(value, depth + 1))
        chosen = pick_input(node.kind, node.inputs, resolve)
        if chosen is not None:
            return chosen[min(slot, len(chosen) - 1)] if chosen else None
        passed = node.passes_on
        return passed[0] if len(passed) == 1 else STAYS

    def _is_live(self, value: object, depth: int) -> bool:
        if depth > _MAX_DEPTH:
            return linked_id(value) in self._nodes
        return self._target(value, depth) is not None

    def _literal(self, value: object, depth: int) -> object:
        """The plain value that an input has or leads to through nodes that hold one; None when it cannot be told."""
        for _ in range(_MAX_DEPTH):
            value = self.target(value, depth) if depth <= _MAX_DEPTH else None
            place = _place(value)
            if place is None:
                return value
            value = self._nodes[place[0]].held(place[1])
        return None


def linked_id(value: object) -> str | None:
    """The id of the node that `[node, slot]` links to; None for every other value."""
    if not isinstance(value, list) or len(value) != 2 or not isinstance(value[1], int):
        return None
    node = value[0]
    return node if isinstance(node, str) else str(node) if isinstance(node, int) else None


def _place(value: object) -> tuple[str, int] | None:
    """The node and the slot that `[node, slot]` links to; None for every other value."""
    link = linked_id(value)
    return (link, max(int(value[1]), 0)) if link and isinstance(value, list) else None


def load_entries(text: str) -> Entries:
    """The nodes of the graph in a JSON text, by id; what is not a node is left out, so the result may be empty."""
    entries = load_object(text)
    if isinstance(entries.get("prompt"), dict):
        entries = as_object(entries["prompt"])
    return {key: entry for key, entry in entries.items() if isinstance(entry, dict) and _is_node(entry)}


def _is_node(entry: Mapping[str, object]) -> bool:
    return isinstance(entry.get("class_type"), str) and isinstance(entry.get("inputs"), dict)


def graph_of(entries: Mapping[str, object]) -> Graph:
    """The graph of API-format entries by id; what is not a node is left out."""
    nodes: dict[str, Node] = {}
    for key, entry in entries.items():
        record = as_object(entry)
        kind, inputs = record.get("class_type"), record.get("inputs")
        if isinstance(kind, str) and isinstance(inputs, dict):
            nodes[key] = Node(key, kind, inputs)
    return Graph(nodes)


def trail(graph: Graph, start: Node, follow: Names) -> Iterator[Node]:
    """The node ``start`` and those behind the inputs of the names ``follow``, nearest first, each once.

    Nodes that only hand on what they get, or choose, are crossed whatever their inputs are called.
    """
    queue, seen = deque([start]), {start.id}
    while queue and graph.visit():
        node = queue.popleft()
        yield node
        if not node.links:
            continue
        followed = {key: value for key, value in node.links.items() if follow[key]}
        links = merged_context(graph, node, follow) or _own_before_bundles(node, followed) or node.passes_on
        stacks = [value for key, value in followed.items() if key in STACKS]
        for value in links:
            behind = graph.target_node(value)
            if behind and behind.id not in seen:
                seen.add(behind.id)
                # a stack is applied after what the model went through before
                place = queue.appendleft if value in stacks else queue.append
                place(behind)


def _own_before_bundles(node: Node, links: Mapping[str, object]) -> list[object]:
    """The links to follow: what a node puts into a bundle takes the place of what the bundle held before."""
    own = [value for key, value in links.items() if not BUNDLES[key]]
    if own and len(node.links) == len(node.inputs):
        return own
    return bundles_in_order(node, links)


def merged_context(graph: Graph, node: Node, wanted: Names) -> list[object]:
    """For a node that merges contexts, the link to the last that holds something wanted; else empty."""
    if not node.is_merge:
        return []
    for value in reversed(by_number(node.links)):
        behind = graph.target_node(value)
        if behind and any(wanted[key] and not BUNDLES[key] for key in behind.links):
            return [value]
    return []


def bundles_in_order(node: Node, links: Mapping[str, object]) -> list[object]:
    """The links with the bundle first that goes before the others: of merged ones the last."""
    is_merged = MERGES[node.kind] and is_first_live(links)
    return by_number(links)[::-1] if is_merged else list(links.values())
