"""Which sampler in a ComfyUI graph made the picture: the nearest one behind the node that saved it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from .columns import clean
from .comfyui_graph import BUNDLE, Graph, Link, Node, as_link, text, trail

_SAMPLERS = frozenset({"KSampler", "KSamplerAdvanced", "SamplerCustom", "SamplerCustomAdvanced"})
_SEEDS = ("seed", "noise_seed", "noise")
_MODELS = ("model", "guider")
_LATENTS = ("latent_image", "latent", "samples", "latents")
_DRIVES = ("steps", "sampler", "sampler_name", "guider")
_PICTURES = ("image", "images", "pixels", "frames", "video")
_SAVES = re.compile(r"save|export|videocombine|video_combine", re.IGNORECASE)
_SHOWS = re.compile(r"preview|show|view|compare", re.IGNORECASE)
#: Graphs with more savers are judged by their first ones, so that a huge graph stays quick.
_MAX_ENDS = 32


@dataclass(frozen=True)
class Making:
    """How the picture was made."""

    sampler: Node
    #: Nodes between the one that saved the picture and the sampler, nearest to the saver first.
    after: tuple[Node, ...]


def find_making(graph: Graph) -> Making | None:
    """The last sampler and what came after it; None when no sampler leads to a picture.

    A graph with several savers does not tell which of them wrote this file: the one behind the most samplers is
    taken, since that is the finished picture.
    """
    for ends in _ends(graph):
        if found := _last_sampler(graph, ends):
            return found
    # no end at all: a ring, or a sampler that stands alone
    alone = [node for node in graph.values() if is_sampler(node)]
    return Making(alone[-1], ()) if alone else None


def _last_sampler(graph: Graph, ends: list[Node]) -> Making | None:
    best: Making | None = None
    most = 0
    for end in ends[:_MAX_ENDS]:
        behind = list(trail(graph, end, lambda _: True))
        samplers = [node for node in behind if node is not end and is_sampler(node)]
        if len(samplers) > most:
            most = len(samplers)
            best = Making(samplers[0], tuple(behind[: behind.index(samplers[0])]))
    return best


def _ends(graph: Graph) -> Iterator[list[Node]]:
    """The nodes that may have written the picture: savers, then previews, then all that nothing follows."""
    takers = [node for node in graph.values() if any(node.link(key) for key in _PICTURES)]
    yield [node for node in takers if _SAVES.search(node.kind)]
    yield [node for node in takers if _SHOWS.search(node.kind)]
    used = {link.node for node in graph.values() for link in node.links().values()}
    yield [node for node in graph.values() if node.id not in used]


def is_sampler(node: Node) -> bool:
    """Whether *node* makes pictures from noise: one of ComfyUI's own, or one of a pack that looks like them.

    Nodes that repair or enlarge a finished picture (they take an image) are none: the picture stays the one that the
    sampler before them made.
    """
    if node.kind in _SAMPLERS:
        return True
    keys = node.inputs.keys()
    has_seed = not keys.isdisjoint(_SEEDS)
    has_model = not keys.isdisjoint(_MODELS) or any(BUNDLE.fullmatch(key) for key in node.links())
    has_drive = not keys.isdisjoint(_DRIVES)
    from_latent = not keys.isdisjoint(_LATENTS) or not any(node.link(key) for key in _PICTURES)
    return has_seed and has_model and has_drive and from_latent


def earlier_sampler(graph: Graph, sampler: Node) -> Node | None:
    """The sampler whose latent *sampler* goes on with; None when it starts from an empty latent or a picture."""
    behind = trail(graph, sampler, is_latent)
    return next((node for node in behind if node is not sampler and is_sampler(node)), None)


def is_latent(key: str) -> bool:
    """Whether an input of this name takes a latent."""
    return "latent" in key or "samples" in key


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
