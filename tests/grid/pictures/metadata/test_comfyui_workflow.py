"""ComfyUI's workflow is read where a picture has no prompt: nodes by place, subgraphs, and links that are not drawn."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from clip_grid.grid.pictures.metadata import read_generation
from hypothesis import given
from hypothesis import strategies as st

from .comfyui_graphs import basic_graph

Record = dict[str, object]


def box(key: int, kind: str, values: object = (), inputs: Sequence[Record] = (), **more: object) -> Record:
    return {"id": key, "type": kind, "mode": 0, "widgets_values": values, "inputs": list(inputs), **more}


def socket(name: str, link: int | None, kind: str = "*", *, widget: bool = False) -> Record:
    return {"name": name, "type": kind, "link": link} | ({"widget": {"name": name}} if widget else {})


def workflow(sampler: Record | None = None, extra_nodes: Sequence[Record] = (), **changes: object) -> Record:
    standard = sampler or box(3, "KSampler", [77, "fixed", 22, 6.5, "dpmpp_2m", "karras", 1], sampler_sockets())
    nodes = [
        box(4, "CheckpointLoaderSimple", ["alpha.safetensors"]),
        box(5, "EmptyLatentImage", [512, 768, 1]),
        box(6, "CLIPTextEncode", ["a cat"], [socket("clip", 3)]),
        box(7, "CLIPTextEncode", ["blurry"], [socket("clip", 5)]),
        standard,
        box(8, "VAEDecode", [], [socket("samples", 7), socket("vae", 8)]),
        box(9, "SaveImage", ["x"], [socket("images", 9)]),
        *extra_nodes,
    ]
    links = [
        [1, 4, 0, 3, 0, "MODEL"], [2, 5, 0, 3, 3, "LATENT"], [3, 4, 1, 6, 0, "CLIP"], [4, 6, 0, 3, 1, "CONDITIONING"],
        [5, 4, 1, 7, 0, "CLIP"], [6, 7, 0, 3, 2, "CONDITIONING"], [7, 3, 0, 8, 0, "LATENT"], [8, 4, 2, 8, 1, "VAE"],
        [9, 8, 0, 9, 0, "IMAGE"],
    ]  # fmt: skip
    return {"version": 0.4, "nodes": nodes, "links": links} | changes


def sampler_sockets(model: int | None = 1) -> list[Record]:
    return [socket("model", model), socket("positive", 4), socket("negative", 6), socket("latent_image", 2)]


def with_links(graph: Record, *links: list[object]) -> Record:
    drawn = graph["links"]
    assert isinstance(drawn, list)
    return graph | {"links": [*drawn, *links]}


def read(graph: Record, **texts: str) -> dict[str, str]:
    return read_generation({"workflow": json.dumps(graph), **texts}).values


def test_a_workflow_alone_gives_what_the_prompt_would() -> None:
    assert read(workflow()) == {
        "prompt": "a cat", "negative": "blurry", "seed": "77", "steps": "22", "cfg": "6.5", "sampler": "dpmpp_2m",
        "scheduler": "karras", "denoise": "1", "model": "alpha", "width": "512", "height": "768",
    }  # fmt: skip


def test_the_prompt_goes_before_the_workflow() -> None:
    assert read(workflow(), prompt=json.dumps(basic_graph()))["seed"] == "42"


def test_widgets_that_the_editor_names_are_read_in_its_order() -> None:
    names = ["seed", "steps", "cfg", "sampler_name", "scheduler", "denoise"]
    named = [socket(name, None, widget=True) for name in names]
    sampler = box(3, "KSampler (Efficient)", [5, "randomize", 9, 2.5, "lcm", "simple", 1], [*sampler_sockets(), *named])

    values = read(workflow(sampler))

    assert (values["seed"], values["steps"], values["cfg"], values["sampler"]) == ("5", "9", "2.5", "lcm")


def test_values_whose_names_are_not_known_are_left_out() -> None:
    named = [socket("steps", None, widget=True)]
    sampler = box(3, "Another KSampler", [5, "fixed", 9, 2.5], [*sampler_sockets(), socket("seed", None), *named])

    assert read(workflow(sampler)).keys().isdisjoint({"seed", "steps", "cfg"})


@pytest.mark.parametrize(("mode", "loras"), [(0, "ink:0.8"), (4, None)])
def test_a_bypassed_node_hands_on_what_it_gets(mode: int, loras: str | None) -> None:
    lora = box(
        20, "LoraLoaderModelOnly", ["ink.safetensors", 0.8], [socket("model", 30, "MODEL")],
        mode=mode, outputs=[{"name": "MODEL", "type": "MODEL"}],
    )  # fmt: skip
    sampler = box(3, "KSampler", [77, "fixed", 22, 6.5, "dpmpp_2m", "karras", 1], sampler_sockets(31))
    graph = with_links(workflow(sampler, [lora]), [30, 4, 0, 20, 0, "MODEL"], [31, 20, 0, 3, 0, "MODEL"])

    values = read(graph)

    assert (values["model"], values.get("loras")) == ("alpha", loras)


def test_a_muted_sampler_is_not_there() -> None:
    sampler = box(3, "KSampler", [77, "fixed", 22, 6.5, "dpmpp_2m", "karras", 1], sampler_sockets(), mode=2)

    assert read(workflow(sampler)) == {}


def test_links_through_set_and_get_and_reroutes_are_followed() -> None:
    nodes = [
        box(20, "SetNode", ["m"], [socket("MODEL", 30)]),
        box(21, "GetNode", ["m"]),
        box(22, "Reroute", [], [socket("", 31)]),
    ]
    sampler = box(3, "KSampler", [77, "fixed", 22, 6.5, "dpmpp_2m", "karras", 1], sampler_sockets(32))
    graph = with_links(
        workflow(sampler, nodes), [30, 4, 0, 20, 0, "*"], [31, 21, 0, 22, 0, "*"], [32, 22, 0, 3, 0, "*"]
    )

    assert read(graph)["model"] == "alpha"


def test_links_of_use_everywhere_are_followed() -> None:
    sampler = box(3, "KSampler", [77, "fixed", 22, 6.5, "dpmpp_2m", "karras", 1], sampler_sockets(None))
    unseen = {"downstream": 3, "downstream_slot": 0, "upstream": "4", "upstream_slot": 0, "controller": 50}

    assert read(workflow(sampler, extra={"ue_links": [unseen]}))["model"] == "alpha"


def test_the_nodes_of_a_subgraph_are_read_with_what_it_gets() -> None:
    inner = {
        "id": "abc",
        "nodes": [
            box(1, "KSampler", [7, "fixed", 11, 3, "euler", "normal", 1], [
                socket("model", 1), socket("positive", 2), socket("latent_image", 3), socket("steps", 5, widget=True),
            ]),
            box(2, "EmptyLatentImage", [640, 640, 1]),
        ],
        "links": [
            {"id": 1, "origin_id": -10, "origin_slot": 0, "target_id": 1, "target_slot": 0},
            {"id": 2, "origin_id": -10, "origin_slot": 1, "target_id": 1, "target_slot": 1},
            {"id": 3, "origin_id": 2, "origin_slot": 0, "target_id": 1, "target_slot": 2},
            {"id": 5, "origin_id": -10, "origin_slot": 2, "target_id": 1, "target_slot": 3},
            {"id": 4, "origin_id": 1, "origin_slot": 0, "target_id": -20, "target_slot": 0},
        ],
    }  # fmt: skip
    outer = box(3, "abc", [44], [socket("model", 1), socket("positive", 4), socket("steps", None, widget=True)])

    values = read(workflow(outer, definitions={"subgraphs": [inner]}))

    assert (values["seed"], values["steps"], values["model"], values["prompt"]) == ("7", "44", "alpha", "a cat")
    assert values["width"] == "640"


def test_a_subgraph_inside_itself_and_rings_end_quietly() -> None:
    inner = {"id": "abc", "nodes": [box(1, "abc"), box(2, "abc")], "links": []}
    ring = [box(20, "Reroute", [], [socket("", 30)]), box(21, "Reroute", [], [socket("", 31)])]
    graph = with_links(
        workflow(None, [box(30, "abc"), *ring], definitions={"subgraphs": [inner]}),
        [30, 21, 0, 20, 0, "*"],
        [31, 20, 0, 21, 0, "*"],
    )

    assert read(graph)["seed"] == "77"


NUMBERS = st.integers(-20, 9) | st.none()
SOCKETS = st.fixed_dictionaries(
    {"name": st.sampled_from(["model", "seed", "steps", "images"]), "link": NUMBERS},
    optional={"widget": st.just({"name": "seed"}) | NUMBERS, "type": st.just("MODEL")},
)
BOXES = st.fixed_dictionaries(
    {"id": NUMBERS, "type": st.sampled_from(["KSampler", "SaveImage", "GetNode", "SetNode", "Reroute", "abc"])},
    optional={
        "mode": st.sampled_from([0, 2, 4]),
        "inputs": st.lists(SOCKETS, max_size=3) | NUMBERS,
        "outputs": st.lists(SOCKETS, max_size=2),
        "widgets_values": st.lists(NUMBERS | st.lists(NUMBERS, max_size=2), max_size=5)
        | st.dictionaries(st.text(), NUMBERS),
    },
)
LINKS = st.lists(
    st.lists(NUMBERS, max_size=5) | st.dictionaries(st.sampled_from(["id", "origin_id"]), NUMBERS), max_size=4
)


@given(st.lists(BOXES | NUMBERS, max_size=5), LINKS | NUMBERS)
def test_no_workflow_whatever_raises(nodes: list[object], links: object) -> None:
    subgraph = {"id": "abc", "nodes": nodes, "links": links}

    values = read(
        {"nodes": nodes, "links": links, "definitions": {"subgraphs": [subgraph]}, "extra": {"ue_links": links}}
    )

    assert all(isinstance(value, str) for value in values.values())
