"""What an open_clip_config.json states about the encoders and the pictures of a model."""

from __future__ import annotations

import re

from .info import CheckpointInfo, Family, VisionShape
from .properties import OPENAI_MEAN, OPENAI_STD, Properties, check_size, properties_of_config
from .weight_files import Json, part

_FITS = {"shortest": "crop", "longest": "pad", "squash": "squash"}
_TEXT_POOLS = {"argmax": "end", "eos": "end", "last": "last", "first": "first"}
#: Vision encoders of timm with the tanh form of gelu; the others of SigLIP have gelu. Source: timm, vision_transformer.
_TANH = re.compile(r"vit_(base_patch32|large_patch16_siglip_512|so400m_patch16|giantopt_patch16)")
#: Parts of a transformer that are not computed here, with the values that leave them out.
_PARTS = (
    "qk_norm", "scaled_cosine_attn", "scale_heads", "scale_attn_inner", "scale_attn", "scale_fc", "ls_init_value",
    "attentional_pool", "no_ln_pre", "embed_cls",
)  # fmt: skip
_CURE = "choose a CLIP or SigLIP model with a plain transformer, such as ViT-L-14"


def open_clip_properties(raw: Json, info: CheckpointInfo, where: str) -> Properties:
    """The properties in a config of open_clip; what cannot be computed is refused.

    Missing keys have the defaults of open_clip's CLIPVisionCfg and CLIPTextCfg. Raises InputError for the config of
    another model, by its sizes.
    """
    model = part(raw, "model_cfg")
    stated: dict[str, object] = {}
    refused: dict[str, str] = {}
    if info.text:
        own = _text(part(model, "text_cfg"), info, bool(model.get("quick_gelu")), where, refused)
        names = ("activation", "eps", "heads") if info.vision else ()
        stated = {f"text_{name}" if name in names else name: value for name, value in own.items()}
    if info.vision:
        stated |= _vision(part(model, "vision_cfg"), info.vision, bool(model.get("quick_gelu")), where, refused)
        if isinstance(raw.get("preprocess_cfg"), dict):
            stated |= _pictures(part(raw, "preprocess_cfg"), info.vision, where, refused)
    return properties_of_config(stated, where, info, refused)


def _vision(raw: Json, shape: VisionShape, is_quick: bool, where: str, refused: dict[str, str]) -> dict[str, object]:
    size = _square(raw.get("image_size"))
    if "timm_model_name" in raw:
        # timm's encoders have their own activation, whatever quick_gelu says
        activation = "gelu_tanh" if _TANH.match(str(raw["timm_model_name"])) else "gelu"
        return {"image_size": size, "eps": 1e-6, "activation": activation}
    check_size(where, "width", raw.get("width", 768), shape.width)
    check_size(where, "layers", raw.get("layers", 12), shape.layers)
    check_size(where, "patch size", raw.get("patch_size", 16), shape.patch)
    _refuse_parts(raw, "vision_cfg", where, refused)
    pool = raw.get("pool_type", "tok")
    pools = {"tok": "class", "avg": "mean-then-norm" if raw.get("final_ln_after_pool") else "mean"}
    if not isinstance(pool, str) or pool not in pools:
        refused["pool"] = f"{where} says vision_cfg.pool_type {pool!r}, and tok and avg are computed here; {_CURE}"
        pool = "tok"
    head_width = raw.get("head_width", 64)
    heads = shape.width // head_width if isinstance(head_width, int) and head_width > 0 else head_width
    # the usual pool is not stated, so that it needs no place of its own among the assumed properties
    own = {"image_size": size, "heads": heads, "pool": None if pool == "tok" else pools[pool]}
    return own | _norm_and_activation(raw, is_quick, "vision_cfg", where, refused)


def _text(raw: Json, info: CheckpointInfo, is_quick: bool, where: str, refused: dict[str, str]) -> dict[str, object]:
    if "hf_model_name" in raw:
        name = raw["hf_model_name"]
        refused["text"] = f"{where} says text_cfg.hf_model_name {name!r}, whose code is not computed here; {_CURE}"
        return {}
    if info.text:
        check_size(where, "text width", raw.get("width", 512), info.text.width)
        check_size(where, "text layers", raw.get("layers", 12), info.text.layers)
    _refuse_parts(raw, "text_cfg", where, refused)
    if raw.get("proj_type", "linear") != "linear":
        refused["text"] = f"{where} says text_cfg.proj_type {raw['proj_type']!r}, and linear is computed here; {_CURE}"
    pool = raw.get("pool_type", "argmax")
    if not isinstance(pool, str) or pool not in _TEXT_POOLS:
        known = ", ".join(_TEXT_POOLS)
        refused["text_pool"] = f"{where} says text_cfg.pool_type {pool!r}, and {known} are computed here; {_CURE}"
        pool = "argmax"
    own = {
        "heads": raw.get("heads", 8),
        "text_pool": _TEXT_POOLS[pool],
        "is_causal": not raw.get("no_causal_mask"),
        "text_cleaning": _cleaning(raw, info.family, where, refused),
    }
    return own | _norm_and_activation(raw, is_quick, "text_cfg", where, refused)


def _cleaning(raw: Json, family: Family, where: str, refused: dict[str, str]) -> str | None:
    """How texts are cleaned, if not as usual; Source: open_clip, get_tokenizer."""
    settings = {**part(raw, "tokenizer_kwargs"), "tokenizer_mode": raw.get("tokenizer_mode")}
    is_lower = family == "siglip2" or "hf_tokenizer_name" not in raw
    for key, value in settings.items():
        is_known = key == "clean" and (value == "canonicalize" or (value == "lower" and is_lower))
        if not is_known and value not in (None, False):
            refused[key] = f"{where} says text_cfg {key} {value!r} for texts, which is not done here; {_CURE}"
    return "canonicalize" if settings.get("clean") == "canonicalize" else None


def _refuse_parts(raw: Json, name: str, where: str, refused: dict[str, str]) -> None:
    for key in _PARTS:
        if raw.get(key) not in (None, False):
            refused[key] = f"{where} says {name}.{key} {raw[key]!r}, which is not computed here; {_CURE}"


def _norm_and_activation(
    raw: Json, is_quick: bool, name: str, where: str, refused: dict[str, str]
) -> dict[str, object]:
    """The properties of one encoder; open_clip passes norm_kwargs to a layer norm, and act_kwargs to gelu."""
    norm, act = part(raw, "norm_kwargs"), part(raw, "act_kwargs")
    unknown = [f"norm_kwargs.{key}" for key in norm if key != "eps"]
    unknown += [f"act_kwargs.{key}" for key in act if key != "approximate" or is_quick]
    for key in unknown:
        refused[key] = f"{where} says {name}.{key}, which is not computed here; {_CURE}"
    gelu = {"tanh": "gelu_tanh", "none": "gelu"}.get(str(act.get("approximate", "none")), act.get("approximate"))
    return {"eps": norm.get("eps", 1e-5), "activation": "quick_gelu" if is_quick else gelu}


def _square(size: object) -> object:
    """One number for a square of two; anything else as it is."""
    return size[0] if isinstance(size, (list, tuple)) and len(size) == 2 and size[0] == size[1] else size


def _pictures(raw: Json, shape: VisionShape, where: str, refused: dict[str, str]) -> dict[str, object]:
    """What preprocess_cfg states; Source: open_clip, PreprocessCfg and image_transform."""
    usual = {"mean": OPENAI_MEAN, "std": OPENAI_STD, "interpolation": "bicubic", "resize_mode": "shortest"}
    settings = {**usual, **{key: value for key, value in raw.items() if value is not None}}
    mode, interpolation, fill = settings["resize_mode"], settings["interpolation"], settings.get("fill_color", 0)
    size, mean, std = _square(settings.get("size")), settings["mean"], settings["std"]
    if size is not None and (not isinstance(size, int) or size // shape.patch != shape.image_size // shape.patch):
        refused["fit"] = (
            f"{where} says preprocess_cfg.size {size!r} where the model takes squares of {shape.image_size} px; "
            "correct the file, or load it with fit='crop' or fit='squash'"
        )
    if settings.get("mode", "RGB") != "RGB":
        refused["mode"] = f"{where} says preprocess_cfg.mode {settings['mode']!r}, and RGB is computed here; {_CURE}"
    fit = _FITS.get(mode, mode) if isinstance(mode, str) else mode
    return {
        "fit": fit,
        "mean": [mean] * 3 if isinstance(mean, (int, float)) else mean,
        "std": [std] * 3 if isinstance(std, (int, float)) else std,
        "interpolation": "bicubic" if interpolation == "random" else interpolation,
        "pad_color": ([fill] * 3 if isinstance(fill, int) else fill) if fit == "pad" else None,
    }
