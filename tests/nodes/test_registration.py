"""Tests: the pack loads as ComfyUI loads it, from any folder name, at once and without heavy packages."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import clip_grid
import pytest

ROOT = Path(clip_grid.__file__).parent
#: Nodes that save or show something; the others only have outputs.
SHEETS = ["ClipGrid_LabeledGridExporter", "ClipGrid_BatchLabeledGridExporter", "ClipGrid_GridTemplate"]
SCORES = ["ClipGrid_CLIPMatchScore", "ClipGrid_CLIPLabel", "ClipGrid_RankImages"]
SEARCH = ["ClipGrid_IndexImages", "ClipGrid_SearchImages"]
ADAPTERS = [f"ClipGrid_IPAdapter{name}" for name in ("Loader", "Reference", "Apply", "Embeds")]
LEARNING = ["ClipGrid_LearnFromFolder", "ClipGrid_LoadHead", "ClipGrid_CLIPLoRA"]
OUTPUT_NODES = [*SHEETS, *SCORES, *SEARCH, "ClipGrid_LearnFromFolder", "ClipGrid_IPAdapterEmbeds"]
MODELS = ["ClipGrid_CLIPModelLoader", "ClipGrid_CLIPVisionEncode"]
NODE_IDS = [*SHEETS, *MODELS, *SCORES, *SEARCH, *LEARNING, *ADAPTERS]

#: As ComfyUI's nodes.py does it: the module's name is its path.
LOAD = """
import importlib.util, json, sys
folder = sys.argv[1]
before = set(sys.modules)
spec = importlib.util.spec_from_file_location(
    folder.replace(".", "_x_"), folder + "/__init__.py", submodule_search_locations=[folder]
)
module = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = module
spec.loader.exec_module(module)
loaded = sorted(set(sys.modules) - before)
print(json.dumps({"loaded": loaded, "nodes": list(module.NODE_CLASS_MAPPINGS)}))
"""


def load(folder: Path):
    run = subprocess.run([sys.executable, "-c", LOAD, str(folder)], capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def test_the_pack_loads_from_a_folder_with_any_name(tmp_path):
    copy = tmp_path / "my clip-grid.v2"
    leave = shutil.ignore_patterns(".*", "__pycache__", "tests", "benchmarks", "examples")
    shutil.copytree(ROOT, copy, ignore=leave)

    assert load(copy)["nodes"] == NODE_IDS


def test_importing_the_pack_loads_a_few_files_of_its_own_and_of_python_alone():
    loaded = load(ROOT)["loaded"]

    own = [name for name in loaded if name.startswith(str(ROOT).replace(".", "_x_"))]
    others = {name.split(".")[0] for name in loaded if name not in own}
    assert others <= set(sys.stdlib_module_names)
    # each takes about a third of a millisecond
    assert len(own) <= 18
    assert len(loaded) <= 80


def test_the_mapping_is_a_literal_that_scanners_can_read():
    tree = ast.parse((ROOT / "__init__.py").read_text("utf-8"))
    mappings = [
        [key.value for key in node.value.keys]
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and node.targets[0].id == "NODE_CLASS_MAPPINGS"
    ]

    assert mappings == [NODE_IDS]


@pytest.mark.parametrize("node_id", NODE_IDS)
def test_every_node_has_a_name_a_help_page_and_the_attributes_that_comfyui_reads(node_id):
    node = clip_grid.NODE_CLASS_MAPPINGS[node_id]

    assert clip_grid.NODE_DISPLAY_NAME_MAPPINGS[node_id]
    # in English, and in Chinese where the front end is
    for page in (f"{node_id}.md", f"{node_id}/zh.md"):
        assert (ROOT / clip_grid.WEB_DIRECTORY / "docs" / page).is_file()
    assert node.CATEGORY.startswith("CLIP Grid/") and node.DESCRIPTION and node.SEARCH_ALIASES
    assert getattr(node, "OUTPUT_NODE", False) == (node_id in OUTPUT_NODES)
    assert len(node.RETURN_TYPES) == len(node.RETURN_NAMES) == len(node.OUTPUT_TOOLTIPS)
    assert callable(getattr(node, node.FUNCTION))


#: The inputs of each node in order: saved workflows hold the values of widgets by position. New ones are appended.
INPUTS = {
    "ClipGrid_CLIPModelLoader": "model text_encoder dtype trust_space",
    "ClipGrid_CLIPVisionEncode": "image clip_vision model fit batch_size background",
    "ClipGrid_CLIPMatchScore": (
        "image text model clip clip_vision threshold mode preset phrases long_text template prompt_syntax"
    ),
    "ClipGrid_CLIPLabel": (
        "image model labels vocabulary templates top_k threshold margin multiple none_of_these clip clip_vision head"
    ),
    "ClipGrid_RankImages": (
        "image text scores references model clip clip_vision keep k threshold descending duplicates when_empty "
        "prompt_syntax"
    ),
    "ClipGrid_IndexImages": "directories model retry_failed batch_size",
    "ClipGrid_LearnFromFolder": "data model name method test",
    "ClipGrid_CLIPLoRA": "model lora strength",
    "ClipGrid_SearchImages": (
        "text without like unlike index model keywords where top diversity duplicates collapse strong when_empty"
    ),
    "ClipGrid_IPAdapterLoader": "adapter variant allow_pickle",
    "ClipGrid_IPAdapterReference": (
        "image adapter mask references clip_vision model face weight combine fit position negative picture_weights "
        "blank"
    ),
    "ClipGrid_IPAdapterApply": (
        "model adapter references weight weight_type start end place_weights lora_strength face_structure scaling"
    ),
    "ClipGrid_IPAdapterEmbeds": "references file combine save_as",
}
OUTPUTS = {
    "ClipGrid_CLIPMatchScore": "score is_match status image report",
    "ClipGrid_CLIPLabel": "label score image report",
    "ClipGrid_RankImages": "image score index report rejected rejected_index",
    "ClipGrid_IndexImages": "index report",
    "ClipGrid_SearchImages": "images paths scores report",
    "ClipGrid_IPAdapterLoader": "adapter report",
    "ClipGrid_IPAdapterReference": "references preview",
    "ClipGrid_IPAdapterApply": "model",
    "ClipGrid_IPAdapterEmbeds": "references file",
}


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize("node_id", INPUTS)
def test_the_inputs_of_a_node_keep_their_order(node_id):
    types = clip_grid.NODE_CLASS_MAPPINGS[node_id].INPUT_TYPES()

    assert " ".join([*types.get("required", ()), *types["optional"]]) == INPUTS[node_id]


@pytest.mark.parametrize("node_id", OUTPUTS)
def test_the_outputs_of_a_node_keep_their_order(node_id):
    node = clip_grid.NODE_CLASS_MAPPINGS[node_id]

    assert " ".join(node.RETURN_NAMES) == OUTPUTS[node_id]
    assert len(getattr(node, "OUTPUT_IS_LIST", node.RETURN_TYPES)) == len(node.RETURN_TYPES)
