"""The prompts of a ComfyUI graph: from a sampler back through conditioning nodes to the text that was encoded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from .columns import clean
from .comfyui_graph import BUNDLE, Graph, Link, Node, as_link, text

Role = Literal["positive", "negative"]

#: The inputs under which nodes take or hold a role's conditioning or text.
_ROLE_KEYS: dict[Role, tuple[str, ...]] = {
    "positive": ("positive", "base_positive", "positive_prompt", "text_positive", "positive_text", "cond1"),
    "negative": ("negative", "base_negative", "negative_prompt", "text_negative", "negative_text"),
}
_ENCODED = ("text", "text_g", "text_l", "clip_g", "clip_l", "t5xxl", "llama", "prompt", "populated_text")
_CONDITIONING = re.compile(r".*(?:cond|embeds).*|guider")
_NOT_TEXT = ("clip", "conditioning")


@dataclass(frozen=True)
class Prompt:
    """The text of one role, and the nodes it went through, nearest to the sampler first."""

    text: str
    nodes: tuple[Node, ...]


def find_prompt(graph: Graph, sampler: Node, role: Role) -> Prompt:
    """What *sampler* was told to show or to avoid; distinct texts on lines of their own, in the graph's order."""
    texts: list[str] = []
    nodes: list[Node] = []
    # the second half: whether the role is settled, so that a plain `conditioning` input belongs to it
    todo, seen = [(sampler, role == "positive")], {(sampler.id, role == "positive")}
    while todo:
        node, settled = todo.pop()
        nodes.append(node)
        onward: list[tuple[Node, bool]] = []
        if node.kind != "ConditioningZeroOut":
            found, links = _look(graph, node, role, settled)
            texts += found
            onward = [(graph[link.node], known) for link, known in links if link.node in graph]
        fresh = [(after, known) for after, known in onward if (after.id, known) not in seen]
        seen |= {(after.id, known) for after, known in fresh}
        todo += reversed(fresh)
    distinct = dict.fromkeys(cleaned for found in texts if (cleaned := clean(found)))
    return Prompt("\n".join(distinct), tuple(nodes))


def _look(graph: Graph, node: Node, role: Role, settled: bool) -> tuple[list[str], list[tuple[Link, bool]]]:
    """The texts that *node* holds for the role, and the links to go on with."""
    for key in _ROLE_KEYS[role]:
        value = node.inputs.get(key)
        if link := as_link(value):
            return [], [(link, True)]
        if isinstance(value, str):
            return [value], []
    return (list(_texts(graph, node, role)) if settled else []), list(_onward(node, settled))


def _texts(graph: Graph, node: Node, role: Role) -> Iterator[str]:
    encoded = [key for key in _ENCODED if key in node.inputs]
    for key in encoded:
        yield text(graph, node.inputs[key], *_ROLE_KEYS[role])
    if not encoded and not node.passes_on() and node.inputs.keys().isdisjoint(_NOT_TEXT):
        yield text(graph, [node.id, 0], *_ROLE_KEYS[role])


def _onward(node: Node, settled: bool) -> Iterator[tuple[Link, bool]]:
    """Links that may lead to the role's text: conditioning once it is settled, else only what bundles both roles."""
    links = node.links()
    chosen = [key for key in links if BUNDLE.fullmatch(key) or key in ("guider", "text_embeds")]
    if settled:
        chosen = [key for key in links if key in chosen or _CONDITIONING.fullmatch(key)]
    if chosen:
        yield from ((links[key], settled) for key in chosen)
    else:
        yield from ((link, settled) for link in node.passes_on())
