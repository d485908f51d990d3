"""What open_clip_config.json says; a missing key means open_clip's default."""

from __future__ import annotations

from collections.abc import Mapping

from ..checkpoint_info import TextShape, VisionShape
from .json_files import part
from .properties import Properties, properties_of

Raw = Mapping[str, object]
_FITS = {"shortest": "crop", "longest": "pad", "squash": "squash"}
_OPENAI_MEAN, _OPENAI_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def is_open_clip(raw: Raw) -> bool:
    """Whether a JSON object is such a configuration."""
    return isinstance(raw.get("model_cfg"), dict)


def contradiction(raw: Raw, vision: VisionShape | None, text: TextShape | None) -> str:
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
    found: dict[str, object] = {"activation": _activation(model), "image_size": sight.get("image_size")}
    norms = part(sight, "norm_kwargs") or part(words, "norm_kwargs")
    found["eps"] = norms.get("eps", 1e-6 if is_timm else 1e-5)
    if vision and not is_timm:
        head_width = sight.get("head_width", 64)
        found["heads"] = vision.width // head_width if isinstance(head_width, int) and head_width > 0 else head_width
    if text:
        found["text_heads" if vision else "heads"] = words.get("heads", 8)
    return properties_of(found | _preparation(raw), "open_clip_config.json")


def _activation(model: Raw) -> str:
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
