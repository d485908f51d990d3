"""The configurations beside exported weights, as transformers and open_clip read them."""

from __future__ import annotations

from typing import Any

from ....errors import CheckpointError
from ...checkpoints.info import CheckpointInfo, TextShape
from ...tokenizing.tokenizer import FastTokenizer

#: transformers' names of our activations, and Pillow's numbers of our filters.
_ACTIVATIONS = {
    "quick_gelu": "quick_gelu", "gelu": "gelu", "gelu_tanh": "gelu_pytorch_tanh", "silu": "silu",
}  # fmt: skip
_FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}
#: The tokens of the vocabulary that open_clip brings.
_OPENAI_WORDS = 49408
_RESIZE_MODES = {"crop": "shortest", "squash": "squash", "pad": "longest"}


def check_usual(vision: CheckpointInfo, text: CheckpointInfo, target: str) -> None:
    """Raises CheckpointError for a model whose parts are put together as the target's classes cannot say."""
    is_clip = text.family in ("clip", "longclip")
    usual = {"pool": "class", "text_pool": "end" if is_clip else "last", "is_causal": is_clip}
    for info, names in ((vision, ("pool",)), (text, ("text_pool", "is_causal"))):
        for name in names:
            if getattr(info, name) not in (None, usual[name]):
                reason = f"its {name} is {getattr(info, name)}, which {target} has no class for"
                raise CheckpointError(str(info.path), f"{reason}; export it to comfy-vision, or use it by this pack")


def transformers_config(vision: CheckpointInfo, text: CheckpointInfo, tokenizer: FastTokenizer) -> dict[str, Any]:
    """``config.json`` of CLIPModel or SiglipModel."""
    if vision.vision is None or text.text is None:
        raise CheckpointError(str(vision.path), "it has one encoder alone; give the whole model")
    is_clip = vision.family in ("clip", "longclip")
    kind = "clip" if is_clip else "siglip"
    shape = vision.vision
    return {
        "architectures": ["CLIPModel" if is_clip else "SiglipModel"],
        "model_type": kind,
        **({"projection_dim": vision.projection, "logit_scale_init_value": 2.6592} if is_clip else {}),
        "text_config": _text(text, text.text, tokenizer, kind, vision.projection),
        "vision_config": {
            "model_type": f"{kind}_vision_model",
            "hidden_size": shape.width, "intermediate_size": shape.mlp, "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads, "hidden_act": _ACTIVATIONS[vision.activation],
            "layer_norm_eps": vision.eps, "image_size": shape.image_size, "patch_size": shape.patch,
            **({"projection_dim": vision.projection} if is_clip else {}),
        },
    }  # fmt: skip


def _text(
    info: CheckpointInfo, shape: TextShape, tokenizer: FastTokenizer, kind: str, projection: int | None
) -> dict[str, Any]:
    special = tokenizer.special
    begin = {"bos_token_id": special.begin[0]} if special.begin else {}
    return {
        "model_type": f"{kind}_text_model",
        "hidden_size": shape.width, "intermediate_size": shape.mlp, "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads, "hidden_act": _ACTIVATIONS[info.text_activation or info.activation],
        "layer_norm_eps": info.text_eps or info.eps, "vocab_size": shape.vocabulary,
        "max_position_embeddings": shape.context, "eos_token_id": special.end[-1], "pad_token_id": special.pad, **begin,
        **({"projection_dim": projection} if kind == "clip" else {"projection_size": projection}),
    }  # fmt: skip


def transformers_pictures(info: CheckpointInfo) -> dict[str, Any]:
    """``preprocessor_config.json``; raises CheckpointError for pictures that are padded, which it cannot say."""
    shape = info.vision
    if shape is None or info.fit == "pad":
        raise CheckpointError(str(info.path), "it takes padded pictures, which transformers has no setting for")
    side, crops = shape.image_size, info.fit == "crop"
    square = {"height": side, "width": side}
    crop = {"crop_size": square} if crops else {}
    return {
        "image_processor_type": "CLIPImageProcessor" if info.family in ("clip", "longclip") else "SiglipImageProcessor",
        "do_convert_rgb": True, "do_resize": True,
        "size": {"shortest_edge": info.short_side or side} if crops else square,
        "resample": _FILTERS[info.interpolation], "do_center_crop": crops, **crop, "do_rescale": True,
        "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": list(info.mean), "image_std": list(info.std),
    }  # fmt: skip


def open_clip_config(vision: CheckpointInfo, text: CheckpointInfo) -> dict[str, Any]:
    """``open_clip_config.json``; raises CheckpointError for what open_clip's own transformers do not compute."""
    if vision.family not in ("clip", "longclip") or vision.vision is None or text.text is None:
        raise CheckpointError(str(vision.path), "open_clip has the vision encoder of SigLIP from timm; export it to hf")
    activation, other = vision.activation, text.text_activation or text.activation
    if activation != other or activation not in ("quick_gelu", "gelu"):
        reason = f"its encoders have the activations {activation} and {other}, and open_clip has one for both"
        raise CheckpointError(str(vision.path), f"{reason}; export it to hf")
    shape, words = vision.vision, text.text
    # any name makes it take the tokenizer of its own folder instead of OpenAI's
    own_words = {} if words.vocabulary == _OPENAI_WORDS else {"hf_tokenizer_name": "."}
    model = {
        "embed_dim": vision.projection,
        "quick_gelu": activation == "quick_gelu",
        "vision_cfg": {
            "image_size": shape.image_size, "layers": shape.layers, "width": shape.width, "patch_size": shape.patch,
            "head_width": shape.width // shape.heads, "mlp_ratio": shape.mlp / shape.width,
        },
        "text_cfg": {
            "context_length": words.context, "vocab_size": words.vocabulary, "width": words.width,
            "heads": words.heads, "layers": words.layers, "mlp_ratio": words.mlp / words.width, **own_words,
        },
    }  # fmt: skip
    pictures = {
        "mean": list(vision.mean), "std": list(vision.std), "interpolation": vision.interpolation,
        "resize_mode": _RESIZE_MODES[vision.fit],
    }  # fmt: skip
    return {"model_cfg": model, "preprocess_cfg": pictures}
