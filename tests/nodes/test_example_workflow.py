from __future__ import annotations

import json
from pathlib import Path

import clip_grid
import pytest

WORKFLOW = Path(clip_grid.__file__).parent / "examples" / "score_workflow.json"
#: Of ComfyUI's own node in it.
CORE = {"LoadImage": ("IMAGE", "MASK")}


@pytest.fixture
def workflow(host):
    return json.loads(WORKFLOW.read_text("utf-8"))


def ours(workflow):
    nodes = clip_grid.NODE_CLASS_MAPPINGS
    return [(nodes[node["class_type"]], node["inputs"]) for node in workflow.values() if node["class_type"] not in CORE]


def test_its_inputs_are_those_of_the_nodes(workflow):
    for node, inputs in ours(workflow):
        declared = node.INPUT_TYPES()

        assert set(declared["required"]) <= set(inputs) <= set(declared["required"]) | set(declared["optional"])


def test_its_links_carry_what_the_inputs_take(workflow):
    for node, inputs in ours(workflow):
        declared = node.INPUT_TYPES()
        takes = {name: kind[0] for group in ("required", "optional") for name, kind in declared[group].items()}
        for name, value in inputs.items():
            if isinstance(value, list):
                giver = workflow[value[0]]["class_type"]
                gives = CORE.get(giver) or clip_grid.NODE_CLASS_MAPPINGS[giver].RETURN_TYPES
                assert takes[name] == gives[value[1]]


def test_its_scoring_nodes_end_the_workflow(workflow):
    assert [node.OUTPUT_NODE for node, inputs in ours(workflow) if "image" in inputs] == [True, True]
