"""What ComfyUI's own loaders can open.

Source: comfy/clip_vision.py and comfy/sd.py of ComfyUI 0.3.64 and 0.33.0.
"""

from __future__ import annotations

from ...checkpoints.info import CheckpointInfo

#: By width and layers: ComfyUI's name, the number of tokens, and the activation.
_VISION = {
    (1024, 24): ("CLIP-L", (257, 577), "quick_gelu"),
    (1280, 32): ("CLIP-H", (257,), "gelu"),
    (1664, 48): ("CLIP-G", (257,), "gelu"),
}
_TEXT = {(768, 12): ("CLIP-L", "quick_gelu"), (1024, 24): ("CLIP-H", "gelu"), (1280, 32): ("CLIP-G", "gelu")}
#: ComfyUI knows a vision encoder by its 23rd layer.
_LEAST_LAYERS = 23
_CONTEXT = 77
_SIGLIP_SIZES = (384, 512)
#: What opens any CLIP.
PLAIN_EXPORTS = "transformers and open_clip"
OWN_LOADER = "CLIP Model Loader of this pack opens it"


def vision_problem(info: CheckpointInfo) -> str:
    """Why ComfyUI's Load CLIP Vision cannot open this encoder, or would compute another one; empty if it can."""
    shape = info.vision
    if shape is None:
        return "it has no vision encoder"
    if info.family in ("siglip", "siglip2"):
        is_known = shape.layers == 27 and shape.image_size in _SIGLIP_SIZES
        return "" if is_known else "of SigLIP ComfyUI knows so400m with 384 or 512 pixels"
    if shape.layers < _LEAST_LAYERS:
        return f"its vision encoder has {shape.layers} layers, and ComfyUI knows those with 24, 32 or 48"
    known = _VISION.get((shape.width, shape.layers))
    if known is None or shape.tokens not in known[1] or shape.patch != 14:
        return (
            f"its vision encoder ({shape.layers} layers of {shape.width} dimensions, {shape.image_size} pixels) is "
            "none that ComfyUI knows"
        )
    if info.activation != known[2]:
        return f"ComfyUI computes {known[0]} with {known[2]}, and this has {info.activation}"
    return "" if info.has_vision_projection else "it has no visual projection"


def text_problem(info: CheckpointInfo) -> str:
    """Why ComfyUI's Load CLIP cannot open this text encoder, or would compute another one; empty if it can."""
    shape = info.text
    if shape is None:
        return "it has no text encoder"
    known = _TEXT.get((shape.width, shape.layers))
    if known is None or info.family not in ("clip", "longclip"):
        return (
            f"its text encoder ({shape.layers} layers of {shape.width} dimensions) is none of the three that ComfyUI "
            "knows: CLIP-L, CLIP-H and CLIP-G"
        )
    if shape.context != _CONTEXT:
        return f"it reads {shape.context} tokens, and ComfyUI's CLIP {_CONTEXT}"
    activation = info.text_activation or info.activation
    return "" if activation == known[1] else f"ComfyUI computes {known[0]} with {known[1]}, and this has {activation}"
