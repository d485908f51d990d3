"""The LoRA that is exported for kohya's tools, as ComfyUI itself maps and loads it: no key is left over."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")

from clip_grid.clip_backend.learning.exports.export import export_checkpoints
from clip_grid.clip_backend.loading import find_checkpoints
from clip_grid.clip_backend.shapes_demo import shapes_demo_path

from ..clip_backend.learning.trained import save_lora

#: A text encoder by its names alone, given to ComfyUI's own functions, needs neither weights nor a server.
SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1])
path, sys.argv = sys.argv[2], [sys.argv[0], "--cpu"]
import comfy.options
comfy.options.enable_args_parsing()
import comfy.lora
from safetensors.torch import load_file

class Encoder:
    def state_dict(self):
        layers = [f"text_model.encoder.layers.{n}" for n in range(2)]
        modules = [f"self_attn.{part}_proj" for part in ("q", "k", "v", "out")] + ["mlp.fc1", "mlp.fc2"]
        return {f"clip_l.transformer.{layer}.{module}.weight": 0 for layer in layers for module in modules}

keys = comfy.lora.model_lora_keys_clip(Encoder(), {})
tensors = load_file(path)
patches = comfy.lora.load_lora(tensors, keys)
used = {key for patch in patches.values() for key in patch.loaded_keys}
print(json.dumps({"left": sorted(set(tensors) - used), "used": len(used), "weights": sorted(map(str, patches)),
                  "mapped": {key: str(value) for key, value in keys.items() if key.startswith("lora_te1_")}}))
"""


def test_comfyui_loads_every_key_of_the_exported_lora_once(request: pytest.FixtureRequest, tmp_path: Path):
    comfyui = request.config.getoption("--comfyui")
    if comfyui is None:
        pytest.skip("give --comfyui=PATH")
    path = save_lora(tmp_path / "best.safetensors", shapes_demo_path())
    export_checkpoints(find_checkpoints(path), "kohya", tmp_path / "k.safetensors")

    command = [
        request.config.getoption("--comfyui-python"),
        "-c",
        SCRIPT,
        str(comfyui),
        str(tmp_path / "k.safetensors"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)

    told = json.loads(done.stdout.strip().splitlines()[-1])
    weights = [f"clip_l.transformer.text_model.encoder.layers.{n}.self_attn.{part}_proj.weight"
               for n in range(2) for part in "kqv"]  # fmt: skip
    assert told["left"] == [] and told["weights"] == weights
    assert told["used"] == 3 * len(weights)
    assert {f"lora_te1_text_model_encoder_layers_{n}_self_attn_{part}_proj" for n in range(2) for part in "kqv"} <= set(
        told["mapped"]
    )
