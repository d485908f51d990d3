"""The LoRA that is exported for kohya's tools, as ComfyUI itself maps and loads it: no key is left over."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")

from clip_grid.clip_backend.checkpoints.read import read_checkpoint
from clip_grid.clip_backend.learning.exports.comfy import kohya_module, kohya_prefix
from clip_grid.clip_backend.learning.exports.export import export_checkpoints
from clip_grid.clip_backend.loading import find_checkpoints
from clip_grid.clip_backend.shapes_demo import shapes_demo_path

from ..clip_backend.learning.trained import CORE_MODULES, save_lora

#: Text encoders by their names alone, given to ComfyUI's own functions, need neither weights nor a server.
SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1])
path, cases, sys.argv = sys.argv[2], json.loads(sys.argv[3]), [sys.argv[0], "--cpu"]
import comfy.options
comfy.options.enable_args_parsing()
import comfy.lora
from safetensors.torch import load_file

class Encoder:
    def __init__(self, layers):
        self.layers = layers

    def state_dict(self):
        modules = [f"self_attn.{part}_proj" for part in ("q", "k", "v", "out")] + ["mlp.fc1", "mlp.fc2"]
        return {f"{name}.transformer.text_model.encoder.layers.{n}.{module}.weight": 0
                for name, count in self.layers.items() for n in range(count) for module in modules}

tensors, told = load_file(path), []
for layers in cases:
    keys = comfy.lora.model_lora_keys_clip(Encoder(layers), {})
    patches = comfy.lora.load_lora(tensors, keys)
    used = {key for patch in patches.values() for key in patch.loaded_keys}
    told.append({"left": sorted(set(tensors) - used), "used": len(used), "weights": sorted(map(str, patches)),
                 "mapped": {key: str(value) for key, value in keys.items()}})
print(json.dumps(told))
"""


#: The text encoder that is exported, its width and layers, and what is loaded beside it: SD 1.5, SDXL twice, SD 2.
CASES = [
    ("clip_l", 768, 12, {}), ("clip_l", 768, 12, {"clip_g": 32}), ("clip_g", 1280, 32, {"clip_l": 12}),
    ("clip_h", 1024, 24, {}),
]  # fmt: skip


@pytest.fixture(scope="module")
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What ComfyUI says of the exported LoRA of the bundled model, which has 2 layers, and in each of the cases."""
    comfyui = request.config.getoption("--comfyui")
    if comfyui is None:
        pytest.skip("give --comfyui=PATH")
    folder = tmp_path_factory.mktemp("lora")
    path = save_lora(folder / "best.safetensors", shapes_demo_path())
    export_checkpoints(find_checkpoints(path), "kohya", folder / "k.safetensors")
    layers = [{"clip_l": 2}, *({name: count, **beside} for name, _, count, beside in CASES)]
    python = request.config.getoption("--comfyui-python")
    command = [python, "-c", SCRIPT, str(comfyui), str(folder / "k.safetensors"), json.dumps(layers)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert done.stderr.count("lora key not loaded") == 0
    answer: list[dict[str, Any]] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def test_comfyui_loads_every_key_of_the_exported_lora_once(told: list[dict[str, Any]]):
    own = told[0]

    weights = [f"clip_l.transformer.text_model.encoder.layers.{n}.self_attn.{part}_proj.weight"
               for n in range(2) for part in "kqv"]  # fmt: skip
    assert own["left"] == [] and own["weights"] == weights
    assert own["used"] == 3 * len(weights)
    # by which the tests of the package judge the file, without ComfyUI
    mapped = {key: value for key, value in own["mapped"].items() if key.startswith("lora_te1_") and "self_attn" in key}
    assert mapped == CORE_MODULES


@pytest.mark.parametrize("case", range(len(CASES)))
def test_comfyui_maps_the_modules_of_each_text_encoder_to_its_own_weights(told: list[dict[str, Any]], case: int):
    name, width, layers, _ = CASES[case]
    info = read_checkpoint(shapes_demo_path())
    assert info.text
    prefix = kohya_prefix(replace(info, text=replace(info.text, width=width, layers=layers)))

    for layer in range(layers):
        for module in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "mlp.fc1"):
            weight = f"text_model.encoder.layers.{layer}.{module}.weight"
            assert told[1 + case]["mapped"][kohya_module(weight, prefix)] == f"{name}.transformer.{weight}"
