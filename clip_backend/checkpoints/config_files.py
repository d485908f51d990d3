"""What the JSON files of a model state: config.json, open_clip_config.json, preprocessor_config.json and sidecars.

A sidecar of ``model.safetensors`` is ``model.clip.json``, or else ``model.json``: an object with any of the names of
``Properties``, or a copy of the model's config.json or open_clip_config.json.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from ...errors import CheckpointError, InputError
from .info import CheckpointInfo, Family, Source
from .properties import OPENAI_MEAN, OPENAI_STD, Properties, check_properties, without_impossible
from .safetensors_header import read_exactly, reading

Json = Mapping[str, object]
_LARGEST = 16_000_000
_HF, _OPEN_CLIP, _PREPROCESSOR = "config.json", "open_clip_config.json", "preprocessor_config.json"
_OUR_SIDECAR = ".clip.json"
#: Of the metadata of a header: properties as in a sidecar, and a copy of config.json.
_METADATA_KEYS = ("clip_grid", "config")


def read_json(path: Path) -> Json:
    """The object in a JSON file; CheckpointError if there is none."""
    with reading(path) as file:
        size = file.seek(0, os.SEEK_END)
        if size > _LARGEST:
            raise CheckpointError(str(path), f"is larger than {_LARGEST:,} bytes, which no configuration is")
        file.seek(0)
        content = read_exactly(path, file, size)
    try:
        return _parsed(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(str(path), f"is no sound JSON ({str(error)[:100]}); fetch it again") from error


def _parsed(text: str) -> Json:
    raw = json.loads(text)
    if not isinstance(raw, dict):
        raise ValueError("it holds no object")
    return raw


def part(raw: Json, name: str) -> Json:
    """An object within an object; an empty one if it is not there."""
    value = raw.get(name)
    return value if isinstance(value, dict) else {}


def stated_properties(
    info: CheckpointInfo, folder: Path | None, metadata: Mapping[str, str]
) -> tuple[list[tuple[Source, Properties]], list[str]]:
    """What sidecar, configs and metadata of a model state, the strongest first, and notes about what is ignored.

    folder: the one with the configs of the model. What contradicts the shapes is ignored. Raises CheckpointError for a
    ``.clip.json`` that is invalid: it was written for this package.
    """
    stated: list[tuple[Source, Properties]] = [("sidecar", _sidecar_properties(info))]
    notes: list[str] = []
    for name in (_PREPROCESSOR, _OPEN_CLIP, _HF):
        if folder and (folder / name).is_file() and (info.vision or name != _PREPROCESSOR):
            try:
                stated.append(("config", _config_properties(folder / name, info)))
            except InputError as error:
                notes.append(f"{error}; it is ignored")
    try:
        stated.append(("metadata", _metadata_properties(metadata, info)))
    except InputError as error:
        notes.append(f"{error}; it is ignored")
    for index, (source, properties) in enumerate(stated):
        possible, wrong = without_impossible(properties, info)
        stated[index] = source, possible
        notes += [f"{what}; it is ignored" for what in wrong]
    return stated, notes


def _sidecar_properties(info: CheckpointInfo) -> Properties:
    """Of the JSON file that is about one model file; a folder has none."""
    files = [info.path.with_name(info.path.stem + suffix) for suffix in (_OUR_SIDECAR, ".json")]
    sidecar = next((file for file in files if file.is_file() and file != info.path), None)
    if sidecar is None or info.path.is_dir():
        return Properties()
    try:
        return _any_form(read_json(sidecar), info, sidecar.name)
    except InputError as error:
        if sidecar.name.endswith(_OUR_SIDECAR):
            reason = error.reason if isinstance(error, CheckpointError) else str(error)
            raise CheckpointError(str(sidecar), reason) from error
        # many programs write such files
        return Properties()


def _config_properties(file: Path, info: CheckpointInfo) -> Properties:
    """Of a config of the model or of its preprocessor; InputError for what is invalid or contradicts the shapes."""
    raw = read_json(file)
    if file.name == _OPEN_CLIP and not _is_open_clip(raw):
        return Properties()
    if file.name != _PREPROCESSOR:
        return _any_form({"model_type": "clip", **raw}, info, file.name)
    stated: dict[str, object] = {"mean": raw.get("image_mean"), "std": raw.get("image_std")}
    resample, size = raw.get("resample"), raw.get("size")
    stated["interpolation"] = _FILTERS.get(resample) if isinstance(resample, int) else None
    if raw.get("do_center_crop") is True:
        stated["fit"] = "crop"
    elif isinstance(size, dict) and "height" in size:
        stated["fit"] = "squash"
    return check_properties(stated, _PREPROCESSOR)


def _metadata_properties(metadata: Mapping[str, str], info: CheckpointInfo) -> Properties:
    key = next((key for key in _METADATA_KEYS if key in metadata), None)
    if key is None:
        return Properties()
    try:
        raw = _parsed(metadata[key])
    except (ValueError, RecursionError) as error:
        raise InputError(f"__metadata__ {key} is no sound JSON ({str(error)[:100]})") from error
    return _any_form(raw, info, f"__metadata__ {key}")


def _any_form(raw: Json, info: CheckpointInfo, where: str) -> Properties:
    """The properties in a config of open_clip or transformers, or under their own names.

    Raises InputError for invalid values and for a config that contradicts the shapes.
    """
    if _is_open_clip(raw):
        return _open_clip_properties(raw, info, where)
    if "model_type" in raw or "vision_config" in raw or "text_config" in raw:
        return _hf_properties(raw, info, where)
    return check_properties(raw, where)


def _check_size(where: str, what: str, stated: object, actual: int) -> None:
    if stated != actual:
        raise InputError(f"{where} says {what} {stated!r} where the tensors say {actual}")


_ACTIVATIONS = {
    "quick_gelu": "quick_gelu", "gelu": "gelu", "gelu_pytorch_tanh": "gelu_tanh", "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh", "silu": "silu", "swish": "silu",
}  # fmt: skip
#: By Pillow's numbers.
_FILTERS = {2: "bilinear", 3: "bicubic"}
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


def _hf_properties(raw: Json, info: CheckpointInfo, where: str) -> Properties:
    vision, text = info.vision, info.text
    family, vision_raw, text_raw = encoder_configs(raw)
    stated: dict[str, object] = {}
    main = text_raw or {}
    if vision and vision_raw:
        main = vision_raw
        if vision.has_class_token == (family == "siglip"):
            raise InputError(f"{where} says {family} where the tensors are of another family")
        _check_size(where, "width", vision_raw.get("hidden_size"), vision.width)
        _check_size(where, "patch size", vision_raw.get("patch_size"), vision.patch)
        _check_size(where, "number of layers", vision_raw.get("num_hidden_layers"), vision.layers)
        stated |= {"heads": vision_raw.get("num_attention_heads"), "image_size": vision_raw.get("image_size")}
    if text and text_raw:
        _check_size(where, "width of text", text_raw.get("hidden_size"), text.width)
        _check_size(where, "number of text layers", text_raw.get("num_hidden_layers"), text.layers)
        stated["text_heads" if vision else "heads"] = text_raw.get("num_attention_heads")
    activation = main.get("hidden_act")
    stated["activation"] = _ACTIVATIONS.get(activation, activation) if isinstance(activation, str) else activation
    return check_properties(stated | {"eps": main.get("layer_norm_eps")}, _HF)


_FITS = {"shortest": "crop", "longest": "pad", "squash": "squash"}


def _is_open_clip(raw: Json) -> bool:
    return isinstance(raw.get("model_cfg"), dict)


def _open_clip_properties(raw: Json, info: CheckpointInfo, where: str) -> Properties:
    """Missing keys have the defaults of open_clip's CLIPVisionCfg and CLIPTextCfg."""
    vision, text, model = info.vision, info.text, part(raw, "model_cfg")
    vision_cfg, text_cfg = part(model, "vision_cfg"), part(model, "text_cfg")
    is_timm = "timm_model_name" in vision_cfg
    norms = part(vision_cfg, "norm_kwargs") or part(text_cfg, "norm_kwargs")
    is_tanh = part(text_cfg, "act_kwargs").get("approximate") == "tanh"
    stated: dict[str, object] = {
        "image_size": vision_cfg.get("image_size"),
        "eps": norms.get("eps", 1e-6 if is_timm else 1e-5),
        "activation": "quick_gelu" if model.get("quick_gelu") else "gelu_tanh" if is_tanh else "gelu",
    }
    if vision and not is_timm:
        _check_size(where, "width", vision_cfg.get("width", 768), vision.width)
        _check_size(where, "layers", vision_cfg.get("layers", 12), vision.layers)
        _check_size(where, "patch size", vision_cfg.get("patch_size", 16), vision.patch)
        head_width = vision_cfg.get("head_width", 64)
        stated["heads"] = vision.width // head_width if isinstance(head_width, int) and head_width > 0 else head_width
    if text:
        if "hf_model_name" not in text_cfg:
            _check_size(where, "text width", text_cfg.get("width", 512), text.width)
            _check_size(where, "text layers", text_cfg.get("layers", 12), text.layers)
        stated["text_heads" if vision else "heads"] = text_cfg.get("heads", 8)
    if isinstance(raw.get("preprocess_cfg"), dict):
        usual = {"mean": OPENAI_MEAN, "std": OPENAI_STD, "interpolation": "bicubic", "resize_mode": "shortest"}
        preparation: Json = {**usual, **part(raw, "preprocess_cfg")}
        mode = preparation["resize_mode"]
        stated["fit"] = _FITS.get(mode, mode) if isinstance(mode, str) else mode
        stated |= {name: preparation[name] for name in ("mean", "std", "interpolation")}
    return check_properties(stated, _OPEN_CLIP)
