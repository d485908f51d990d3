"""ComfyUI's workflow as its editor saves it, turned into the API format, for pictures that carry nothing else.

A workflow keeps the values of widgets in a row without names: newer editors name them beside the inputs, for older
ones the names of ComfyUI's own nodes are listed here. Links run through subgraphs, bypassed nodes, Reroutes and
KJNodes' Set and Get, which exist in the editor only. Source: ComfyUI front end, workflow schema 0.4 and 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .columns import as_list, as_object, load_object
from .comfyui_graph import Graph, graph_of

_MUTED, _BYPASSED = 2, 4
#: The ids that stand for a subgraph's own inputs and outputs.
_INPUTS, _OUTPUTS = "-10", "-20"
_MAX_NODES, _MAX_DEPTH = 20_000, 16
#: What the editor does to a seed after each run; it is kept behind the seed and is no input.
_AFTER = frozenset({"fixed", "increment", "decrement", "randomize"})
_SEEDS = frozenset({"seed", "noise_seed"})
_SAMPLING = "cfg sampler_name scheduler"
_WIDGETS = {
    "KSampler": f"seed steps {_SAMPLING} denoise",
    "KSamplerAdvanced": f"add_noise noise_seed steps {_SAMPLING} start_at_step end_at_step return_with_leftover_noise",
    "SamplerCustom": "add_noise noise_seed cfg",
    "RandomNoise": "noise_seed",
    "KSamplerSelect": "sampler_name",
    "BasicScheduler": "scheduler steps denoise",
    "KarrasScheduler": "steps sigma_max sigma_min rho",
    "Flux2Scheduler": "steps width height",
    "CFGGuider": "cfg",
    "FluxGuidance": "guidance",
    "CLIPTextEncode": "text",
    "CLIPTextEncodeFlux": "clip_l t5xxl guidance",
    "CLIPTextEncodeSD3": "clip_l clip_g t5xxl empty_padding",
    "CLIPTextEncodeSDXL": "width height crop_w crop_h target_width target_height text_g text_l",
    "TextEncodeQwenImageEdit": "prompt",
    "TextEncodeQwenImageEditPlus": "prompt",
    "CLIPSetLastLayer": "stop_at_clip_layer",
    "CheckpointLoaderSimple": "ckpt_name",
    "UNETLoader": "unet_name weight_dtype",
    "VAELoader": "vae_name",
    "LoraLoader": "lora_name strength_model strength_clip",
    "LoraLoaderModelOnly": "lora_name strength_model",
    "EmptyLatentImage": "width height batch_size",
    "EmptySD3LatentImage": "width height batch_size",
    "LatentUpscale": "upscale_method width height crop",
    "LatentUpscaleBy": "upscale_method scale_by",
    "SaveImage": "filename_prefix",
    "StringConcatenate": "string_a string_b delimiter",
    "PrimitiveInt": "value",
    "PrimitiveFloat": "value",
    "PrimitiveString": "value",
    "PrimitiveStringMultiline": "value",
    "PrimitiveBoolean": "value",
    "PrimitiveNode": "value",
    "ComfySwitchNode": "switch",
    "Seed (rgthree)": "seed",
}


def workflow_graph(text: str) -> Graph:
    """The graph in the JSON text of a workflow; empty when it holds none."""
    workflow = load_object(text)
    if not isinstance(workflow.get("nodes"), list):
        return graph_of({})
    subgraphs = map(as_object, as_list(as_object(workflow.get("definitions")).get("subgraphs")))
    editor = _Editor({str(subgraph.get("id")): subgraph for subgraph in subgraphs})
    editor.add_unseen_links(workflow)
    editor.add_level(workflow, "", {}, 0)
    return graph_of(editor.entries())


@dataclass
class _Editor:
    """The nodes of all levels of a workflow, by the id that they have in the API format: `12:3` in subgraph 12."""

    subgraphs: Mapping[str, dict[str, object]]
    #: Values and links of the nodes that run.
    nodes: dict[str, dict[str, object]] = field(default_factory=dict)
    #: Where the output of what does not run comes from: (id, slot) -> value.
    passed: dict[tuple[str, int], object] = field(default_factory=dict)
    #: KJNodes' Set, by name.
    named: dict[str, object] = field(default_factory=dict)
    #: The links of Use Everywhere, which the editor does not draw: (id, slot of the input) -> link.
    unseen: dict[tuple[str, int], _Link] = field(default_factory=dict)
    count: int = 0

    def add_unseen_links(self, workflow: Mapping[str, object]) -> None:
        """Take the links that Use Everywhere keeps beside the workflow's own."""
        for link in map(as_object, as_list(as_object(workflow.get("extra")).get("ue_links"))):
            to_slot, slot = link.get("downstream_slot"), link.get("upstream_slot")
            if isinstance(to_slot, int) and isinstance(slot, int):
                self.unseen[str(link.get("downstream")), to_slot] = _Link(str(link.get("upstream")), slot)

    def add_level(self, level: Mapping[str, object], prefix: str, given: Mapping[int, object], depth: int) -> None:
        """Add the nodes of the workflow or of one subgraph; given: what its inputs get, by slot."""
        links = _links_of(level, prefix, given)
        for record in map(as_object, as_list(level.get("nodes"))):
            self.count += 1
            if self.count > _MAX_NODES:
                return
            self._add_node(record, prefix, links, depth)
        for link in map(as_object, as_list(level.get("links"))):
            if str(link.get("target_id")) == _OUTPUTS and prefix:
                slot = link.get("target_slot")
                self.passed[prefix[:-1], slot if isinstance(slot, int) else 0] = links.get(str(link.get("id")))

    def _add_node(self, record: dict[str, object], prefix: str, links: Mapping[str, object], depth: int) -> None:
        key, kind, mode = prefix + str(record.get("id")), str(record.get("type")), record.get("mode")
        sockets = [as_object(socket) for socket in as_list(record.get("inputs"))]
        linked = self._linked(key, sockets, links)
        if mode == _MUTED:
            return
        if mode == _BYPASSED:
            self._bypass(key, record, sockets, linked)
            return
        values = {**_widget_values(kind, record, sockets), **linked}
        if kind in self.subgraphs and depth < _MAX_DEPTH:
            given = dict(enumerate(values.get(str(socket.get("name"))) for socket in sockets))
            self.add_level(self.subgraphs[kind], key + ":", given, depth + 1)
        elif kind == "SetNode":
            self.named[_first_text(record)] = next(iter(linked.values()), None)
        elif kind == "GetNode":
            self.passed[key, 0] = _Named(_first_text(record))
        elif kind in ("Reroute", "PrimitiveNode"):
            self.passed[key, 0] = next(iter(linked.values()), values.get("value"))
        else:
            self.nodes[key] = {"class_type": kind, "inputs": values}

    def _linked(self, key: str, sockets: Sequence[dict[str, object]], links: Mapping[str, object]) -> dict[str, object]:
        """What the inputs of a node are linked to, by name."""
        linked: dict[str, object] = {}
        for slot, socket in enumerate(sockets):
            link = socket.get("link")
            value = self.unseen.get((key, slot)) if link is None else links.get(str(link))
            if value is not None:
                linked[str(socket.get("name"))] = value
        return linked

    def _bypass(
        self, key: str, record: Mapping[str, object], sockets: Sequence[dict[str, object]], linked: Mapping[str, object]
    ) -> None:
        """Each output of a bypassed node is its first input of the same type."""
        for slot, output in enumerate(map(as_object, as_list(record.get("outputs")))):
            same = (socket for socket in sockets if socket.get("type") == output.get("type"))
            self.passed[key, slot] = next((linked[name] for s in same if (name := str(s.get("name"))) in linked), None)

    def entries(self) -> dict[str, object]:
        """The nodes as the API format has them."""
        for entry in self.nodes.values():
            resolved = {key: self._source(value) for key, value in as_object(entry["inputs"]).items()}
            entry["inputs"] = {key: value for key, value in resolved.items() if value is not None}
        return dict(self.nodes)

    def _source(self, value: object) -> object:
        """The value, or the link to a node that runs; None where it leads to nothing."""
        seen: set[tuple[str, int]] = set()
        while True:
            if isinstance(value, _Named):
                value = self.named.get(value.name)
            if not isinstance(value, _Link):
                return value
            place = value.node, value.slot
            if place not in self.passed or place in seen:
                return list(place) if value.node in self.nodes else None
            seen.add(place)
            value = self.passed[place]


@dataclass(frozen=True)
class _Link:
    node: str
    slot: int


@dataclass(frozen=True)
class _Named:
    name: str


def _links_of(level: Mapping[str, object], prefix: str, given: Mapping[int, object]) -> dict[str, object]:
    """The source of each link, by its id. A workflow has links as lists, a subgraph as objects."""
    links: dict[str, object] = {}
    for entry in as_list(level.get("links")):
        record = as_object(entry)
        parts = as_list(entry) or [record.get("id"), record.get("origin_id"), record.get("origin_slot")]
        if len(parts) < 3 or not isinstance(slot := parts[2], int):
            continue
        is_given = prefix and str(parts[1]) == _INPUTS
        links[str(parts[0])] = given.get(slot) if is_given else _Link(prefix + str(parts[1]), slot)
    return links


def _widget_values(kind: str, record: Mapping[str, object], sockets: Sequence[dict[str, object]]) -> dict[str, object]:
    values = record.get("widgets_values")
    if isinstance(values, dict):
        return values
    row = as_list(values)
    loras = {f"lora_{n}": value for n, value in enumerate(row, 1) if "lora" in as_object(value)}
    named = [str(as_object(socket["widget"]).get("name")) for socket in sockets if socket.get("widget")]
    known = _WIDGETS.get(kind, "").split()
    if known and not set(known) <= set(named):
        return _paired(known, row)[0]
    # an older editor names only the widgets that were turned into inputs: then the row is longer than the names
    pairs, is_whole = _paired(named, row)
    return pairs if is_whole or known else loras


def _paired(names: Sequence[str], row: Sequence[object]) -> tuple[dict[str, object], bool]:
    """Values by name, and whether the names are those of the whole row."""
    pairs: dict[str, object] = {}
    at = 0
    for name in names[: len(row)]:
        # a list with two entries would look like a link
        pairs[name] = None if at >= len(row) or isinstance(row[at], list) else row[at]
        at += 1
        if name in _SEEDS and at < len(row) and str(row[at]) in _AFTER:
            at += 1
    return pairs, at == len(row) and len(names) <= len(row)


def _first_text(record: Mapping[str, object]) -> str:
    return str(next(iter(as_list(record.get("widgets_values"))), ""))
