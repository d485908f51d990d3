"""The sampler in a ComfyUI graph that made the picture, and the prompts that lead to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from .columns import clean
from .comfyui_graph import Graph, Node, linked_id, merged_context, trail
from .comfyui_names import BUNDLES, LATENTS, Names
from .comfyui_savers import named_savers
from .comfyui_values import text

_SAMPLERS = frozenset({"KSampler", "KSamplerAdvanced", "SamplerCustom", "SamplerCustomAdvanced"})
#: Inputs by which samplers of other packs are recognised.
_SEEDS = ("seed", "noise_seed", "noise")
_MODELS = ("model", "guider")
_LATENTS = ("latent_image", "latent", "samples", "latents")
_SETTINGS = ("steps", "sampler", "sampler_name", "guider")
_PICTURES = ("image", "images", "pixels", "frames", "video")
_SAVES = Names(re.compile(r"save|export|videocombine|video_combine", re.IGNORECASE).search)
_SHOWS = Names(re.compile(r"preview|show|view|compare", re.IGNORECASE).search)
#: In graphs with more saving nodes only the first ones are read, so that a huge graph stays quick.
_MAX_ENDS = 32
Role = Literal["positive", "negative"]
#: The inputs under which nodes take or hold a role's conditioning or text.
_ROLE_KEYS: dict[Role, tuple[str, ...]] = {
    "positive": ("positive", "base_positive", "positive_prompt", "text_positive", "positive_text", "cond1"),
    "negative": ("negative", "base_negative", "negative_prompt", "text_negative", "negative_text"),
}
#: Names of inputs by what they mean: a negative name is never the positive one's, and the other way round.
_MEANS: dict[Role, Names] = {
    "positive": Names(re.compile(r"(?:.*[_ ])?pos(?:itive)?(?:[_ \d].*)?", re.IGNORECASE).fullmatch),
    "negative": Names(re.compile(r"(?:.*[_ ])?(?:neg|uncond|nag)(?:ative)?(?:[_ \d].*)?", re.IGNORECASE).fullmatch),
}
_OTHER: dict[Role, Role] = {"positive": "negative", "negative": "positive"}
_ENCODED = ("text", "text_g", "text_l", "clip_g", "clip_l", "t5xxl", "llama", "prompt", "populated_text")
#: The texts of encoders that have none of the usual names.
_ENCODED_ELSE = Names(re.compile(r"(?!system).*(?:prompt|text).*|bert|mt5xl|tags|lyrics|gemma|qwen|caption").fullmatch)
_CONDITIONING = Names(re.compile(r"(?!empty).*(?:cond|embeds).*|guider").fullmatch)
_NOT_TEXT = ("clip", "conditioning")
_ALL = Names(lambda _: True)


@dataclass(frozen=True)
class LastSampler:
    """The sampler that made the picture."""

    node: Node
    #: Nodes between the one that saved the picture and the sampler, nearest to the saver first.
    later: tuple[Node, ...]
    #: The ids of all samplers that had a part in the picture.
    samplers: frozenset[str]


@dataclass(frozen=True)
class Prompt:
    """The text of one role, and the nodes it went through, nearest to the sampler first."""

    text: str
    nodes: tuple[Node, ...]


def find_last_samplers(graph: Graph, file: str = "") -> list[LastSampler]:
    """The nearest sampler behind each node that may have saved the picture, each once; empty when there is none.

    file: the picture's file name, which tells by its prefix which of several savers wrote it. Without a name, a
    picture that others were made on the way to is meant, since that is the finished one.
    """
    for ends in _ends(graph):
        graph.is_name_asked |= len(ends) > 1
        named = named_savers(graph, ends, file) if len(ends) > 1 else []
        for is_last in (is_sampler, _samples):
            found = _samplers_behind(graph, named or ends, is_last)
            if found:
                most = max(found, key=lambda last: len(last.samplers))
                is_finished = not file and all(last.samplers <= most.samplers for last in found)
                return [most] if is_finished else list({last.node.id: last for last in found}.values())
    # no end at all: a ring, or a sampler that stands alone
    alone = [node for node in graph.values() if is_sampler(node)]
    return [LastSampler(alone[-1], (), frozenset())] if alone else []


def _samplers_behind(graph: Graph, ends: list[Node], is_last: Callable[[Node], bool]) -> list[LastSampler]:
    found: list[LastSampler] = []
    for end in ends[:_MAX_ENDS]:
        behind = list(trail(graph, end, _ALL))
        samplers = [node for node in behind if node is not end and is_last(node)]
        if samplers:
            later = tuple(behind[: behind.index(samplers[0])])
            found.append(LastSampler(samplers[0], later, frozenset(node.id for node in samplers)))
    return found


def _ends(graph: Graph) -> Iterator[list[Node]]:
    """The nodes that may have written the picture: savers, then previews, then all that nothing follows."""
    takers = [node for node in graph.values() if not node.links.keys().isdisjoint(_PICTURES)]
    yield [node for node in takers if _SAVES[node.kind]]
    yield [node for node in takers if _SHOWS[node.kind]]
    used = {linked_id(link) for node in graph.values() for link in node.links.values()}
    yield [node for node in graph.values() if node.id not in used]


def is_sampler(node: Node) -> bool:
    """Whether the node makes pictures from noise: one of ComfyUI's own, or one of a pack that looks like them.

    Nodes that repair or enlarge a finished picture (they take an image) are none: the picture stays the one that the
    sampler before them made.
    """
    if node.kind in _SAMPLERS:
        return True
    from_latent = not node.inputs.keys().isdisjoint(_LATENTS) or node.links.keys().isdisjoint(_PICTURES)
    return from_latent and _samples(node)


def _samples(node: Node) -> bool:
    """Whether the node samples at all: an upscaler or detailer counts where nothing else made the picture."""
    keys = node.inputs.keys()
    has_seed = not keys.isdisjoint(_SEEDS)
    has_model = not keys.isdisjoint(_MODELS) or any(BUNDLES[key] for key in node.links)
    return has_seed and has_model and not keys.isdisjoint(_SETTINGS)


def earlier_sampler(graph: Graph, sampler: Node) -> Node | None:
    """The sampler whose latent this one goes on with; None when it starts from an empty latent or a picture."""
    behind = trail(graph, sampler, LATENTS)
    return next((node for node in behind if node is not sampler and is_sampler(node)), None)


def find_prompt(graph: Graph, sampler: Node, role: Role) -> Prompt:
    """The positive or negative prompt of a sampler; distinct texts on lines of their own, in the graph's order."""
    texts: list[str] = []
    nodes: list[Node] = []
    # with each node: whether it belongs to the role alone, so that its plain `conditioning` input does too
    start = (sampler, role == "positive")
    todo, seen = [start], {(sampler.id, start[1])}
    while todo and graph.visit():
        node, in_role = todo.pop()
        nodes.append(node)
        if node.kind == "ConditioningZeroOut":
            continue
        node_texts, links = _texts_and_links(graph, node, role, in_role)
        texts += node_texts
        targets = [(behind, known) for link, known in links if (behind := graph.target_node(link))]
        fresh = [(behind, known) for behind, known in targets if (behind.id, known) not in seen]
        seen |= {(behind.id, known) for behind, known in fresh}
        todo += reversed(fresh)
    distinct = dict.fromkeys(filter(None, map(clean, texts)))
    return Prompt("\n".join(distinct), tuple(nodes))


def _texts_and_links(
    graph: Graph, node: Node, role: Role, in_role: bool
) -> tuple[list[str], list[tuple[object, bool]]]:
    """The texts that the node holds for the role, and the links to go on with."""
    named = (key for key in node.inputs if _MEANS[role][key])
    for key in dict.fromkeys((*(key for key in _ROLE_KEYS[role] if key in node.inputs), *named)):
        value = graph.target(node.inputs[key])
        if linked_id(value):
            return [], [(value, True)]
        if isinstance(value, str):
            return [value], []
    onward = merged_context(graph, node, _MEANS[role]) or _onward(node, role, in_role)
    return (_texts(graph, node, role) if in_role else []), [(link, in_role) for link in onward]


def _texts(graph: Graph, node: Node, role: Role) -> list[str]:
    names = [key for key in _ENCODED if key in node.inputs]
    if not names and node.link("clip"):
        others = (key for key in node.inputs if _ENCODED_ELSE[key])
        names = [key for key in others if not _MEANS[_OTHER[role]][key]]
    encoded = [node.inputs[key] for key in names]
    is_computed = node.passes_on or not node.inputs.keys().isdisjoint(_NOT_TEXT)
    if not encoded and not is_computed:
        encoded = [[node.id, 0]]
    return [text(graph, value, *_ROLE_KEYS[role]) for value in encoded]


def _onward(node: Node, role: Role, in_role: bool) -> list[object]:
    """Links that may lead to the role's text: conditioning of the role, else only what bundles both roles."""
    other = _MEANS[_OTHER[role]]
    links = {key: link for key, link in node.links.items() if not other[key]}
    own = [link for key, link in links.items() if in_role and _CONDITIONING[key]]
    both = [link for key, link in links.items() if BUNDLES[key] or key in ("guider", "text_embeds")]
    return [*own, *(link for link in both if link not in own)] or node.passes_on
