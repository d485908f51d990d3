"""Small JSON files beside a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...errors import CheckpointError
from .info import Family, TextShape, VisionShape
from .properties import Properties, properties_of

_LARGEST = 16_000_000


def read_object(path: Path) -> Mapping[str, object]:
    """The object in a JSON file; CheckpointError with what is wrong."""
    try:
        if path.stat().st_size > _LARGEST:
            raise CheckpointError(str(path), f"is larger than {_LARGEST:,} bytes, which no configuration is")
        return parse_object(path.read_text("utf-8-sig"))
    except OSError as error:
        raise CheckpointError(str(path), f"cannot be read ({error.strerror}); check the file") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(str(path), f"is no sound JSON ({str(error)[:100]}); fetch it again") from error


def parse_object(text: str) -> Mapping[str, object]:
    """The object in a text of JSON; ValueError or RecursionError if there is none."""
    raw = json.loads(text)
    if not isinstance(raw, dict):
        raise ValueError("it holds no object")
    return raw


def part(raw: Mapping[str, object], name: str) -> Mapping[str, object]:
    """An object within an object; an empty one if it is not there."""
    value = raw.get(name)
    return value if isinstance(value, dict) else {}


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


def hf_contradiction(configs: TowerConfigs, vision: VisionShape | None, text: TextShape | None) -> str:
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
    raw["activation"] = _hf_activation(tower.get("hidden_act"))
    if vision and "vision" in configs.parts:
        raw |= {"heads": configs.vision.get("num_attention_heads"), "image_size": configs.vision.get("image_size")}
    if text and "text" in configs.parts:
        raw["text_heads" if vision else "heads"] = configs.text.get("num_attention_heads")
    return properties_of(raw, "config.json")


def _hf_activation(name: object) -> object:
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


_FITS = {"shortest": "crop", "longest": "pad", "squash": "squash"}
_OPENAI_MEAN, _OPENAI_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def is_open_clip(raw: Raw) -> bool:
    """Whether a JSON object is such a configuration."""
    return isinstance(raw.get("model_cfg"), dict)


def open_clip_contradiction(raw: Raw, vision: VisionShape | None, text: TextShape | None) -> str:
    """Where a configuration says another size than the tensors; empty if they agree."""
    model = part(raw, "model_cfg")
    sight, words = part(model, "vision_cfg"), part(model, "text_cfg")
    wanted: list[tuple[str, object, int]] = []
    if vision and "timm_model_name" not in sight:
        wanted += [("width", sight.get("width", 768), vision.width), ("layers", sight.get("layers", 12), vision.layers)]
        wanted += [("patch size", sight.get("patch_size", 16), vision.patch)]
    if text and "hf_model_name" not in words:
        wanted += [("text width", words.get("width", 512), text.width)]
        wanted += [("text layers", words.get("layers", 12), text.layers)]
    for what, said, found in wanted:
        if said != found:
            return f"says {what} {said!r} where the tensors say {found}"
    return ""


def open_clip_properties(raw: Raw, vision: VisionShape | None, text: TextShape | None) -> Properties:
    """The habits that the configuration states; InputError for values that cannot be."""
    model, sight = part(raw, "model_cfg"), part(part(raw, "model_cfg"), "vision_cfg")
    words, is_timm = part(model, "text_cfg"), "timm_model_name" in part(part(raw, "model_cfg"), "vision_cfg")
    found: dict[str, object] = {"activation": _open_clip_activation(model), "image_size": sight.get("image_size")}
    norms = part(sight, "norm_kwargs") or part(words, "norm_kwargs")
    found["eps"] = norms.get("eps", 1e-6 if is_timm else 1e-5)
    if vision and not is_timm:
        head_width = sight.get("head_width", 64)
        found["heads"] = vision.width // head_width if isinstance(head_width, int) and head_width > 0 else head_width
    if text:
        found["text_heads" if vision else "heads"] = words.get("heads", 8)
    return properties_of(found | _preparation(raw), "open_clip_config.json")


def _open_clip_activation(model: Raw) -> str:
    if model.get("quick_gelu"):
        return "quick_gelu"
    is_tanh = part(part(model, "text_cfg"), "act_kwargs").get("approximate") == "tanh"
    return "gelu_tanh" if is_tanh else "gelu"


def _preparation(raw: Raw) -> dict[str, object]:
    """How pictures are prepared, if the file says it."""
    if not isinstance(raw.get("preprocess_cfg"), dict):
        return {}
    how = part(raw, "preprocess_cfg")
    mode = how.get("resize_mode", "shortest")
    return {
        "mean": how.get("mean", _OPENAI_MEAN),
        "std": how.get("std", _OPENAI_STD),
        "interpolation": how.get("interpolation", "bicubic"),
        "fit": _FITS.get(mode, mode) if isinstance(mode, str) else mode,
    }
