"""What config.json and preprocessor_config.json of transformers say; a missing key means the default of its class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ..checkpoint_info import Family, TextShape, VisionShape
from .json_files import part
from .properties import Properties, properties_of

Raw = Mapping[str, object]
_ACTIVATIONS = {
    "quick_gelu": "quick_gelu",
    "gelu": "gelu",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "silu": "silu",
    "swish": "silu",
}
#: Pillow's numbers of filters.
_FILTERS = {2: "bilinear", 3: "bicubic"}
_CLIP = {"hidden_act": "quick_gelu", "layer_norm_eps": 1e-5, "num_channels": 3}
_SIGLIP = {"hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-6, "num_channels": 3}
_BASE_VISION = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
_CLIP_VISION = _CLIP | _BASE_VISION | {"image_size": 224, "patch_size": 32, "projection_dim": 512}
_CLIP_TEXT = _CLIP | {
    "hidden_size": 512, "num_hidden_layers": 12, "num_attention_heads": 8, "intermediate_size": 2048,
    "max_position_embeddings": 77, "vocab_size": 49408, "projection_dim": 512,
}  # fmt: skip
_SIGLIP_VISION = _SIGLIP | _BASE_VISION | {"image_size": 224, "patch_size": 16}
#: Its class has no size of pictures, for it takes any.
_SIGLIP2_VISION = _SIGLIP | _BASE_VISION | {"patch_size": 16}
_SIGLIP_TEXT = _SIGLIP | _BASE_VISION | {"max_position_embeddings": 64, "vocab_size": 32000}
_DINOV2 = _BASE_VISION | {"hidden_act": "gelu", "layer_norm_eps": 1e-6, "image_size": 224, "patch_size": 14}
_DINOV3 = _BASE_VISION | {"hidden_act": "gelu", "layer_norm_eps": 1e-5, "image_size": 224, "patch_size": 16}
_DINOV3 |= {"hidden_size": 384, "num_attention_heads": 6, "intermediate_size": 1536}
_DINO_DEFAULTS = {"dinov2": _DINOV2, "dinov2_with_registers": _DINOV2 | {"patch_size": 16}, "dinov3_vit": _DINOV3}


@dataclass(frozen=True)
class TowerConfigs:
    """The parts of a config.json for the towers, with the defaults of their classes filled in."""

    vision: Raw
    text: Raw
    family: Family
    #: The parts that the file really has.
    parts: tuple[Literal["vision", "text"], ...]


def tower_configs(raw: Raw) -> TowerConfigs:
    """By ``model_type``; an unknown one is taken for CLIP's."""
    kind = str(raw.get("model_type", "clip"))
    if kind.startswith("dino"):
        family: Family = "dinov3" if kind.startswith("dinov3") else "dinov2"
        return TowerConfigs(_DINO_DEFAULTS.get(kind, _DINOV2) | dict(raw), {}, family, ("vision",))
    is_siglip = kind.startswith("siglip")
    family = "siglip" if is_siglip else "clip"
    vision: Raw = _CLIP_VISION
    text: Raw = _CLIP_TEXT
    if is_siglip:
        vision, text = _SIGLIP2_VISION if kind.startswith("siglip2") else _SIGLIP_VISION, _SIGLIP_TEXT
    if "vision_config" not in raw and ("vision" in kind or kind.endswith("image")):
        return TowerConfigs(dict(vision) | dict(raw), {}, family, ("vision",))
    if "text_config" not in raw and "text" in kind:
        return TowerConfigs({}, dict(text) | dict(raw), family, ("text",))
    # older files of CLIP keep what differs from the defaults a second time, in *_config_dict
    vision = dict(vision) | dict(part(raw, "vision_config_dict")) | dict(part(raw, "vision_config"))
    text = dict(text) | dict(part(raw, "text_config_dict")) | dict(part(raw, "text_config"))
    return TowerConfigs(vision, text, family, ("vision", "text"))


def contradiction(configs: TowerConfigs, vision: VisionShape | None, text: TextShape | None) -> str:
    """Where a configuration says another size than the tensors; empty if they agree."""
    wanted: list[tuple[str, object, int]] = []
    if vision and "vision" in configs.parts:
        if vision.has_class_token == (configs.family == "siglip"):
            return f"says {configs.family} where the tensors are of another family"
        wanted += [("width", configs.vision.get("hidden_size"), vision.width)]
        wanted += [("patch size", configs.vision.get("patch_size"), vision.patch)]
        wanted += [("number of layers", configs.vision.get("num_hidden_layers"), vision.layers)]
    if text and "text" in configs.parts:
        wanted += [("width of text", configs.text.get("hidden_size"), text.width)]
        wanted += [("number of text layers", configs.text.get("num_hidden_layers"), text.layers)]
    for what, said, found in wanted:
        if said != found:
            return f"says {what} {said!r} where the tensors say {found}"
    return ""


def config_properties(configs: TowerConfigs, vision: VisionShape | None, text: TextShape | None) -> Properties:
    """The habits that a config.json states; InputError for values that cannot be."""
    tower = configs.vision if vision and "vision" in configs.parts else configs.text
    raw: dict[str, object] = {"eps": tower.get("layer_norm_eps")}
    raw["activation"] = _activation(tower.get("hidden_act"))
    if vision and "vision" in configs.parts:
        raw |= {"heads": configs.vision.get("num_attention_heads"), "image_size": configs.vision.get("image_size")}
    if text and "text" in configs.parts:
        raw["text_heads" if vision else "heads"] = configs.text.get("num_attention_heads")
    return properties_of(raw, "config.json")


def _activation(name: object) -> object:
    return _ACTIVATIONS.get(name, name) if isinstance(name, str) else name


def preprocessor_properties(raw: Raw) -> Properties:
    """How pictures are prepared, as a preprocessor_config.json states it; InputError for values that cannot be."""
    found: dict[str, object] = {"mean": raw.get("image_mean"), "std": raw.get("image_std")}
    resample = raw.get("resample")
    found["interpolation"] = _FILTERS.get(resample) if isinstance(resample, int) else None
    size = raw.get("size")
    if raw.get("do_center_crop") is True:
        found["fit"] = "crop"
    elif "do_center_crop" in raw or isinstance(size, dict):
        found["fit"] = "squash" if isinstance(size, dict) and "height" in size else None
    return properties_of(found, "preprocessor_config.json")
