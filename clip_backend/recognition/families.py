"""What the models of a family usually are like, where nothing in their files tells it."""

from __future__ import annotations

from typing import Literal

from ..checkpoint_info import Activation, Family, TextShape, VisionShape
from .properties import Properties

_OPENAI_MEAN, _OPENAI_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_HALF = (0.5, 0.5, 0.5)
#: Widths of picture towers with 16 heads of more than 64 numbers each.
_SIXTEEN_HEADS = (1152, 1280, 1408, 1536, 1664, 1792)
_DFN_TOKENS = 27 * 27 + 1
_DINOV3_7B_WIDTH = 4096


def default_image_size(family: Family) -> int:
    """Of a model whose tensors do not tell it."""
    return 256 if family == "naflex" else 224


def default_heads(family: Family, part: Literal["vision", "text"], width: int) -> int:
    """Usual number of heads; always a divisor of the width."""
    if family == "dinov3" and width == _DINOV3_7B_WIDTH:
        return width // 128
    is_siglip_text = part == "text" and family in ("siglip", "siglip2", "naflex") and width == 1152
    is_big = part == "vision" and family not in ("dinov2", "dinov3") and width in _SIXTEEN_HEADS
    if is_big or is_siglip_text:
        return 16
    if width % 64 == 0:
        return width // 64
    return next(heads for heads in (8, 6, 5, 4, 3, 2, 1) if width % heads == 0)


def family_defaults(family: Family, vision: VisionShape | None, text: TextShape | None) -> Properties:
    """The habits of a family, by its shapes where the members differ."""
    if family in ("siglip", "siglip2", "naflex"):
        interpolation: Literal["bicubic", "bilinear"] = "bicubic" if family == "siglip" else "bilinear"
        return Properties(
            activation="gelu_tanh", eps=1e-6, mean=_HALF, std=_HALF, fit="squash", interpolation=interpolation
        )
    if family in ("dinov2", "dinov3"):
        eps = 1e-6 if family == "dinov2" else 1e-5
        return _clip_like("gelu", eps=eps, mean=_IMAGENET_MEAN, std=_IMAGENET_STD)
    if vision and vision.width == 1280 and vision.tokens == _DFN_TOKENS:
        return Properties(
            activation="quick_gelu",
            eps=1e-5,
            mean=_OPENAI_MEAN,
            std=_OPENAI_STD,
            fit="squash",
            interpolation="bicubic",
        )
    return _clip_like(_clip_activation(vision, text), eps=1e-5, mean=_OPENAI_MEAN, std=_OPENAI_STD)


def _clip_activation(vision: VisionShape | None, text: TextShape | None) -> Activation:
    """OpenAI's own sizes have the quick one; the larger models came from LAION, which left it."""
    is_large = vision.width > 1024 if vision else text is not None and text.width > 768
    return "gelu" if is_large else "quick_gelu"


def _clip_like(
    activation: Activation, *, eps: float, mean: tuple[float, float, float], std: tuple[float, float, float]
) -> Properties:
    return Properties(activation=activation, eps=eps, mean=mean, std=std, fit="crop", interpolation="bicubic")
