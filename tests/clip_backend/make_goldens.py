"""Writes down what other libraries say of the tiny models of ``tiny_towers.py``, for machines that do not have them.

Run from the repository's root with a Python that has the library, once for each:

    python -m pytest -q tests/clip_backend/make_goldens.py

The file ``goldens/towers.json`` then has one entry more, named after library and version. This is no test: pytest is
only what makes the package importable by its name.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from . import tiny_towers as tiny

FILE = Path(__file__).parent / "goldens" / "towers.json"
CASES = [("clip", "quick_gelu"), ("clip", "gelu"), ("siglip", "gelu_tanh"), ("siglip", "gelu")]


@pytest.mark.parametrize(("family", "activation"), CASES)
@pytest.mark.parametrize("library", ["transformers", "open_clip"])
def test_write_down_what_a_library_says(library, family, activation):
    module = pytest.importorskip(library)
    if (library, family, activation) == ("open_clip", "siglip", "gelu_tanh"):
        pytest.skip("open_clip's SigLIP has another activation in its text tower")
    with torch.no_grad():
        said = (by_transformers if library == "transformers" else by_open_clip)(module, family, activation)

    goldens = json.loads(FILE.read_text("utf-8")) if FILE.is_file() else {}
    rounded = {name: [round(x, 7) for x in tensor.flatten().tolist()] for name, tensor in said.items()}
    goldens.setdefault(f"{family} {activation}", {})[f"{library} {module.__version__}"] = rounded
    FILE.write_text(json.dumps(goldens, indent=1, sort_keys=True).replace("\n    ", " ") + "\n", "utf-8")


def by_transformers(module: ModuleType, family: str, activation: str) -> dict[str, torch.Tensor]:
    """Embeddings, and two tokens of the last states but one and of the last."""
    said = said_by(transformers_model(module, family, activation), family)
    return said | {name: said[name][0, :2] for name in ("last_hidden", "penultimate")}


def said_by(model: Any, family: str) -> dict[str, torch.Tensor]:
    """Embeddings and the states after the last two layers, however this version of transformers hands them out."""
    states: list[torch.Tensor] = []
    for layer in model.vision_model.encoder.layers[-2:]:
        layer.register_forward_hook(lambda _, __, out: states.append(out if torch.is_tensor(out) else out[0]))
    seen, read = model.vision_model(tiny.pictures()).pooler_output, model.text_model(tiny.texts()[0]).pooler_output
    if family == "clip":
        seen, read = model.visual_projection(seen), model.text_projection(read)
    return {"images": seen, "texts": read, "last_hidden": states[1], "penultimate": states[0]}


def transformers_model(module: ModuleType, family: str, activation: str) -> Any:
    """transformers' model with our tiny weights."""
    vision, text = (tiny.VISION if family == "clip" else tiny.SIGLIP_VISION), tiny.TEXT
    act = {"gelu_tanh": "gelu_pytorch_tanh"}.get(activation, activation)
    sizes = {"patch_size": vision.patch, "image_size": vision.image_size}
    words = {"vocab_size": text.vocabulary, "max_position_embeddings": text.context, "eos_token_id": tiny.END}
    words |= {"bos_token_id": 0, "pad_token_id": 1}
    words |= {} if family == "clip" else {"projection_size": tiny.PROJECTION["siglip"]}
    towers = {"vision_config": common(vision, act) | sizes, "text_config": common(text, act) | words}
    if family == "clip":
        model = module.CLIPModel(module.CLIPConfig(**towers, projection_dim=tiny.PROJECTION["clip"]))
    else:
        model = module.SiglipModel(module.SiglipConfig(**towers))
    model.load_state_dict(tiny.hf(family))
    return model.eval()


def common(shape: Any, act: str) -> dict[str, object]:
    return {
        "hidden_size": shape.width,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.mlp,
        "hidden_act": act,
    }


def by_open_clip(module: ModuleType, family: str, activation: str) -> dict[str, torch.Tensor]:
    """Embeddings."""
    model = (open_clip_model if family == "clip" else open_clip_siglip)(module, activation)
    ids, _ = tiny.texts()
    return {"images": model.encode_image(tiny.pictures()), "texts": model.encode_text(ids)}


def open_clip_model(module: ModuleType, activation: str) -> Any:
    """open_clip's model with our tiny weights."""
    vision = {"image_size": 24, "layers": 3, "width": 32, "head_width": 8, "patch_size": 8, "mlp_ratio": 2.0}
    text = {"context_length": 10, "vocab_size": 50, "width": 24, "heads": 3, "layers": 2, "mlp_ratio": 2.0}
    model = module.model.CLIP(12, vision, text, quick_gelu=activation == "quick_gelu")
    model.load_state_dict(tiny.to_open_clip(tiny.hf("clip")))
    return model.eval()


def open_clip_siglip(module: ModuleType, activation: str) -> Any:
    """open_clip's SigLIP, its picture tower by timm, with our tiny weights."""
    import timm

    text = {"context_length": 10, "vocab_size": 50, "width": 24, "heads": 3, "layers": 2, "mlp_ratio": 2.0}
    text |= {"no_causal_mask": True, "proj_bias": True, "pool_type": "last", "norm_kwargs": {"eps": 1e-6}}
    vision = {"image_size": 24, "layers": 1, "width": 32, "head_width": 8, "patch_size": 8}
    model = module.model.CustomTextCLIP(32, vision, text, init_logit_bias=-10)
    model.visual = torch.nn.Module()
    model.visual.trunk = timm.models.vision_transformer.VisionTransformer(
        img_size=24, patch_size=8, embed_dim=32, depth=3, num_heads=4, mlp_ratio=2.0,
        class_token=False, global_pool="map", num_classes=0,
    )  # fmt: skip
    model.visual.forward = model.visual.trunk.forward
    model.load_state_dict(tiny.to_timm_siglip(tiny.hf("siglip")))
    return model.eval()
