"""ComfyUI's API-format graph: its nodes, the links between them, and what a link leads to.

Nodes that hand on what they get, and switches that choose one of their inputs, are crossed in one place,
`Graph.target`, whose answers are kept: each node is resolved once. Every walk spends from one budget per graph, so
that cycles, missing nodes and huge graphs end in time that is linear in the size of the graph.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from .columns import as_object, load_object
from .comfyui_switch import STAYS, UNKNOWN, Resolve, by_number, is_first_live, pick_input

#: Inputs that hand on a bundle of other things, under the names that node packs give it.
BUNDLE = re.compile(r".*(?:pipe|context|ctx|tuple|settings|config).*")
#: Inputs of nodes that only hand on what they get, such as list makers.
_PASSING = re.compile(r"|value|input|anything|(?:any|input)_?\d*")
#: Inputs that take a list of LoRAs.
STACKS = frozenset({"lora_stack", "optional_lora_stack"})
#: Inputs of nodes that make something of a value, such as noise of a seed, though they have no other input.
_MAKES = re.compile(r"(?:noise_)?seed|\w+_name|scheduler")
#: Nodes with one input that change what they get.
_CHANGES = re.compile(r"zero|invert|inverse|negat|neg$|not(?:node)?\b|length|count|floor|ceil|round|abs", re.IGNORECASE)
#: Where nodes that only hold one value keep it.
VALUE_KEYS = ("value", "Value", "int", "float", "number", "boolean", "bool", "INT", "FLOAT", "Number", "BOOLEAN")
#: A switch chosen by a switch, and so on; what is nested deeper is not known.
_MAX_DEPTH = 32
_VISITS, _VISITS_PER_NODE = 20_000, 100


@dataclass(frozen=True)
class Node:
    """One node; inputs by name, as JSON values."""

    id: str
    kind: str
    inputs: dict[str, object]

    def link(self, key: str) -> str | None:
        """The id of the node that an input is linked to; None when the input is absent or holds a value."""
        return linked_id(self.links.get(key))

    @cached_property
    def links(self) -> Mapping[str, object]:
        """All inputs that are links, as `[node, slot]`."""
        return {key: value for key, value in self.inputs.items() if linked_id(value)}

    @cached_property
    def passes_on(self) -> list[object]:
        """The links of a node that has nothing but links and only hands on what it gets; empty for other nodes."""
        links = self.links
        if len(links) < len(self.inputs) or _CHANGES.search(self.kind):
            return []
        is_plain = len(links) == 1 and not any(map(_MAKES.fullmatch, links))
        is_plain = is_plain or all(map(_PASSING.fullmatch, links))
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
        return only if isinstance(only, (int, float)) and not _CHANGES.search(self.kind) else None

    def is_computed(self) -> bool:
        """Whether the node makes its value out of others, so that what it holds is not what it gives."""
        return bool(_CHANGES.search(self.kind)) or (len(self.inputs) > 1 and bool(self.links))


class Graph(Mapping[str, Node]):
    """The nodes by id, and what links lead to."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self._nodes = nodes
        self._targets: dict[tuple[str, int], object] = {}
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
        """As ``target``; UNKNOWN where it cannot be told."""
        path: list[tuple[str, int]] = []
        while link := linked_id(value):
            place = link, _slot(value)
            if place in self._targets:
                value = self._targets[place]
                break
            if link not in self._nodes or not self.visit():
                value = None
                break
            # until it is known: a cycle leads to nothing
            self._targets[place] = None
            path.append(place)
            passed = self._passed(self._nodes[link], place[1], depth)
            if passed is STAYS:
                break
            value = passed
        for place in path:
            self._targets[place] = value
        return value

    def target_node(self, value: object) -> Node | None:
        """The node that an input is linked to, behind all nodes that hand on or choose."""
        link = linked_id(self.target(value))
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
            link = linked_id(value)
            if link is None:
                return value
            value = self._nodes[link].held(_slot(value))
        return None


def linked_id(value: object) -> str | None:
    """The id of the node that `[node, slot]` links to; None for every other value."""
    if not isinstance(value, list) or len(value) != 2:
        return None
    node, slot = value
    return str(node) if isinstance(node, (str, int)) and isinstance(slot, int) else None


def _slot(value: object) -> int:
    return max(int(value[1]), 0) if isinstance(value, list) else 0


def load_graph(text: str) -> Graph:
    """The nodes of the graph in a JSON text, by id; what is not a node is left out, so the result may be empty."""
    entries = load_object(text)
    if isinstance(entries.get("prompt"), dict):
        entries = as_object(entries["prompt"])
    return graph_of(entries)


def graph_of(entries: Mapping[str, object]) -> Graph:
    """The graph of API-format entries by id; what is not a node is left out."""
    nodes: dict[str, Node] = {}
    for key, entry in entries.items():
        record = as_object(entry)
        kind, inputs = record.get("class_type"), record.get("inputs")
        if isinstance(kind, str) and isinstance(inputs, dict):
            nodes[key] = Node(key, kind, inputs)
    return Graph(nodes)


def trail(graph: Graph, start: Node, follow: Callable[[str], bool]) -> Iterator[Node]:
    """The node ``start`` and those behind the inputs whose names ``follow`` accepts, nearest first, each once.

    Nodes that only hand on what they get, or choose, are crossed whatever their inputs are called.
    """
    queue, seen = deque([start]), {start.id}
    while queue and graph.visit():
        node = queue.popleft()
        yield node
        followed = {key: value for key, value in node.links.items() if follow(key)}
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
    own = [value for key, value in links.items() if not BUNDLE.fullmatch(key)]
    if own and len(node.links) == len(node.inputs):
        return own
    return bundles_in_order(node, links)


def merged_context(graph: Graph, node: Node, is_wanted: Callable[[str], bool]) -> list[object]:
    """Of a node that merges contexts: the link to the last that holds something wanted; empty for other nodes."""
    if "merge" not in node.kind.lower() or not is_first_live(node.inputs):
        return []
    for value in reversed(by_number(node.links)):
        behind = graph.target_node(value)
        if behind and any(is_wanted(key) and not BUNDLE.fullmatch(key) for key in behind.links):
            return [value]
    return []


def bundles_in_order(node: Node, links: Mapping[str, object]) -> list[object]:
    """The links with the bundle first that goes before the others: of merged ones the last."""
    is_merged = "merge" in node.kind.lower() and is_first_live(links)
    return by_number(links)[::-1] if is_merged else list(links.values())
