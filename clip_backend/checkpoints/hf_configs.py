"""What a config.json of transformers states about the encoders of a model."""

from __future__ import annotations

from ...errors import InputError
from .info import CheckpointInfo, Family
from .json_files import Json, check_size, part
from .properties import Properties, properties_of_config

_ACTIVATIONS = {
    "quick_gelu": "quick_gelu", "gelu": "gelu", "gelu_pytorch_tanh": "gelu_tanh", "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh", "silu": "silu", "swish": "silu",
}  # fmt: skip
_CLIP = {"hidden_act": "quick_gelu", "layer_norm_eps": 1e-5}
_SIGLIP = {"hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-6}
_BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
_CLIP_VISION = _CLIP | _BASE | {"image_size": 224, "patch_size": 32, "projection_dim": 512}
_CLIP_TEXT = _CLIP | {
    "hidden_size": 512, "num_hidden_layers": 12, "num_attention_heads": 8, "intermediate_size": 2048,
    "max_position_embeddings": 77, "vocab_size": 49408, "projection_dim": 512,
}  # fmt: skip
#: The class of SigLIP 2 has no image_size, for it takes any.
_SIGLIP2_VISION = _SIGLIP | _BASE | {"patch_size": 16}
_SIGLIP_VISION = _SIGLIP2_VISION | {"image_size": 224}
_SIGLIP_TEXT = _SIGLIP | _BASE | {"max_position_embeddings": 64, "vocab_size": 32000}
_DINOV2 = _BASE | {"hidden_act": "gelu", "layer_norm_eps": 1e-6, "image_size": 224, "patch_size": 14}
_DINOV3 = _DINOV2 | {
    "layer_norm_eps": 1e-5, "patch_size": 16, "hidden_size": 384, "num_attention_heads": 6, "intermediate_size": 1536,
}  # fmt: skip
_DINO = {"dinov2": _DINOV2, "dinov2_with_registers": _DINOV2 | {"patch_size": 16}, "dinov3_vit": _DINOV3}


def encoder_configs(raw: Json) -> tuple[Family, Json | None, Json | None]:
    """(family, vision, text): the parts of a config.json, with the defaults of their classes in transformers filled in.

    The family is that of ``model_type``; an unknown one is taken for CLIP's.
    """
    kind = str(raw.get("model_type", "clip"))
    if kind.startswith("dino"):
        family: Family = "dinov3" if kind.startswith("dinov3") else "dinov2"
        return family, {**_DINO.get(kind, _DINOV2), **raw}, None
    vision: Json = _CLIP_VISION
    text: Json = _CLIP_TEXT
    family = "clip"
    if kind.startswith("siglip"):
        vision, text = _SIGLIP2_VISION if kind.startswith("siglip2") else _SIGLIP_VISION, _SIGLIP_TEXT
        family = "siglip"
    if "vision_config" not in raw and ("vision" in kind or kind.endswith("image")):
        return family, {**vision, **raw}, None
    if "text_config" not in raw and "text" in kind:
        return family, None, {**text, **raw}
    # older files of CLIP have what differs from the defaults a second time, in *_config_dict
    vision = {**vision, **part(raw, "vision_config_dict"), **part(raw, "vision_config")}
    text = {**text, **part(raw, "text_config_dict"), **part(raw, "text_config")}
    return family, vision, text


def hf_properties(raw: Json, info: CheckpointInfo, where: str) -> Properties:
    """The properties in a config.json; what cannot be computed is refused.

    Raises InputError for the config of another model, by its family or its sizes.
    """
    vision, text = info.vision, info.text
    family, vision_raw, text_raw = encoder_configs(raw)
    stated: dict[str, object] = {}
    if text and text_raw:
        check_size(where, "width of text", text_raw.get("hidden_size"), text.width)
        check_size(where, "number of text layers", text_raw.get("num_hidden_layers"), text.layers)
        own = _of_encoder(text_raw)
        stated = {f"text_{name}": value for name, value in own.items()} if vision else own
    if vision and vision_raw:
        if vision.has_class_token == (family == "siglip"):
            raise InputError(f"{where} says {family} where the tensors are of another family")
        check_size(where, "width", vision_raw.get("hidden_size"), vision.width)
        check_size(where, "patch size", vision_raw.get("patch_size"), vision.patch)
        check_size(where, "number of layers", vision_raw.get("num_hidden_layers"), vision.layers)
        stated |= _of_encoder(vision_raw)
        if not family.startswith("dino"):  # theirs is that of the position table, which is interpolated
            stated["image_size"] = vision_raw.get("image_size")
    return properties_of_config(stated, where, info)


def _of_encoder(raw: Json) -> dict[str, object]:
    activation = raw.get("hidden_act")
    known = _ACTIVATIONS.get(activation, activation) if isinstance(activation, str) else activation
    return {"activation": known, "eps": raw.get("layer_norm_eps"), "heads": raw.get("num_attention_heads")}
