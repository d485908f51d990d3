"""Tests: the examples fit the nodes as they are declared, in both of ComfyUI's formats."""

from __future__ import annotations

import json
from pathlib import Path

import clip_grid
import pytest

ROOT = Path(clip_grid.__file__).parent
API = {path.stem: path for path in sorted((ROOT / "examples" / "api").glob("*.json"))}
PAGE = {path.stem: path for path in sorted((ROOT / "example_workflows").glob("*.json"))}
#: ComfyUI's own nodes in them, which are in every ComfyUI from 0.3.64 on, and what they give.
CORE = {
    "CLIPTextEncode": ("CONDITIONING",),
    "CheckpointLoaderSimple": ("MODEL", "CLIP", "VAE"),
    "EmptyImage": ("IMAGE",),
    "EmptyLatentImage": ("LATENT",),
    "GrowMask": ("MASK",),
    "ImageBatch": ("IMAGE",),
    "ImageCompositeMasked": ("IMAGE",),
    "KSampler": ("LATENT",),
    "LoadImage": ("IMAGE", "MASK"),
    "LotusConditioning": ("CONDITIONING",),
    "MaskComposite": ("MASK",),
    "PreviewAny": (),
    "PreviewImage": (),
    "PrimitiveStringMultiline": ("STRING",),
    "RegexReplace": ("STRING",),
    "SaveImage": (),
    "SolidMask": ("MASK",),
    "VAEDecode": ("IMAGE",),
    "unCLIPConditioning": ("CONDITIONING",),
}
NOTES = {"MarkdownNote"}
NODES = clip_grid.NODE_CLASS_MAPPINGS

pytestmark = pytest.mark.usefixtures("host")


def read(path):
    return json.loads(path.read_text("utf-8"))


def declared(node):
    types = node.INPUT_TYPES()
    return {**types.get("required", {}), **types.get("optional", {})}


def is_widget(kind, extra):
    plain = isinstance(kind, list) or kind in ("INT", "FLOAT", "STRING", "BOOLEAN")
    return not extra.get("forceInput") and (plain or "widgetType" in extra)


def ours(workflow):
    return [(NODES[node["class_type"]], node["inputs"]) for node in workflow.values() if node["class_type"] in NODES]


def page_nodes(workflow):
    return [node for node in workflow["nodes"] if node["type"] not in NOTES]


@pytest.mark.parametrize("path", API.values(), ids=API)
def test_its_inputs_are_those_of_the_nodes(path):
    for node, inputs in ours(read(path)):
        types = node.INPUT_TYPES()

        assert set(types.get("required", ())) <= set(inputs) <= set(declared(node))


@pytest.mark.parametrize("path", API.values(), ids=API)
def test_its_links_have_the_types_of_the_inputs(path):
    workflow = read(path)
    for node, inputs in ours(workflow):
        for name, value in inputs.items():
            if isinstance(value, list):
                giver = workflow[value[0]]["class_type"]
                gives = CORE[giver] if giver in CORE else NODES[giver].RETURN_TYPES
                takes = declared(node)[name][0].split(",")
                assert gives[value[1]] in takes or takes == ["*"], f"{giver} to {name}"


@pytest.mark.parametrize("path", API.values(), ids=API)
def test_it_has_known_nodes_and_an_output_node(path):
    kinds = {node["class_type"] for node in read(path).values()}

    assert kinds <= {*CORE, *NODES}
    assert any(kind in ("SaveImage", "PreviewAny") or getattr(NODES.get(kind), "OUTPUT_NODE", False) for kind in kinds)


def test_every_example_is_there_in_both_formats_except_the_one_for_uploads():
    assert set(API) - {"score_workflow"} == set(PAGE)


@pytest.mark.parametrize("path", PAGE.values(), ids=PAGE)
def test_both_formats_hold_the_same_nodes_and_values(path):
    api, nodes = read(API[path.stem]), page_nodes(read(path))

    assert {str(node["id"]): node["type"] for node in nodes} == {key: one["class_type"] for key, one in api.items()}
    for node in nodes:
        given = api[str(node["id"])]["inputs"]
        linked = {one["name"] for one in node["inputs"] if one["link"] is not None}
        assert linked == {name for name, value in given.items() if isinstance(value, list)}, node["type"]


@pytest.mark.parametrize("path", PAGE.values(), ids=PAGE)
def test_the_page_format_has_a_value_for_every_widget_in_its_place(path):
    api = read(API[path.stem])
    for node in page_nodes(read(path)):
        if node["type"] not in NODES:
            continue
        widgets = {
            name: extra for name, (kind, extra) in declared(NODES[node["type"]]).items() if is_widget(kind, extra)
        }
        given = {k: v for k, v in api[str(node["id"])]["inputs"].items() if k in widgets and not isinstance(v, list)}

        values = dict(zip(widgets, node["widgets_values"], strict=True))

        assert given.items() <= values.items(), node["type"]


@pytest.mark.parametrize("path", PAGE.values(), ids=PAGE)
def test_the_page_format_has_a_note_and_whole_links(path):
    workflow = read(path)
    ends = {node["id"]: node for node in workflow["nodes"]}

    assert any(node["type"] in NOTES and node["widgets_values"][0].strip() for node in workflow["nodes"])
    for number, source, slot, target, place, _ in workflow["links"]:
        assert number in ends[source]["outputs"][slot]["links"]
        assert ends[target]["inputs"][place]["link"] == number
