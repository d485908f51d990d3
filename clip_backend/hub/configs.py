"""Configurations for the vision models of transformers, from a checkpoint's tensors and properties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ...errors import CheckpointError
from ..checkpoints.config_files import preprocessor_properties
from ..checkpoints.info import CheckpointInfo, VisionShape
from ..checkpoints.weight_names import Shape
from ..preparing.preprocessing import Preprocessing, preprocessing_of
from .files import canonical, folder_json

Shapes = Mapping[str, Shape]
Setting = int | float | str | bool
_ACTIVATIONS = {"gelu": "gelu", "gelu_tanh": "gelu_pytorch_tanh", "quick_gelu": "quick_gelu", "silu": "silu"}
_REGISTERS, _NO_REGISTERS = "embeddings.register_tokens", (1, 0, 0)
_MOST_RATIO = 64


@dataclass(frozen=True)
class HubModel:
    """A model class of transformers and the settings of its configuration."""

    #: The module below ``transformers.models``, and what the names of its classes begin with.
    module: str
    name: str
    settings: Mapping[str, Setting]
    #: Register tokens between the class token and the patches.
    registers: int = 0


def hub_model(info: CheckpointInfo, vision: VisionShape, shapes: Shapes) -> HubModel:
    """The model class and settings for a checkpoint of one of ``FAMILIES``; shapes: of its tensors without prefix.

    Raises CheckpointError for a model that transformers has no configuration for.
    """
    if vision.heads < 1 or vision.width % vision.heads:
        reason = f"{vision.heads} heads do not divide its width of {vision.width}; give the right number as heads"
        raise CheckpointError(str(info.path), reason)
    named = {canonical(name): shape for name, shape in shapes.items()}
    return FAMILIES[info.family](info, vision, named)


def _common(info: CheckpointInfo, vision: VisionShape) -> dict[str, Setting]:
    return {
        "hidden_size": vision.width,
        "num_hidden_layers": vision.layers,
        "num_attention_heads": vision.heads,
        "patch_size": vision.patch,
        "layer_norm_eps": info.eps,
        "hidden_act": _ACTIVATIONS[info.activation],
        "attn_implementation": "sdpa",
    }


def _dinov2(info: CheckpointInfo, vision: VisionShape, shapes: Shapes) -> HubModel:
    gated = any("mlp.weights_in." in name or "mlp.gate_proj." in name for name in shapes)
    registers = shapes.get(_REGISTERS, _NO_REGISTERS)[-2]
    side = int((vision.tokens - 1) ** 0.5)
    settings = _common(info, vision) | {
        # of the position table; it is interpolated for pictures of another size
        "image_size": side * vision.patch,
        "mlp_ratio": _ratio(info, vision, gated),
        "use_swiglu_ffn": gated,
        "qkv_bias": "encoder.layer.0.attention.q_proj.bias" in shapes,
    }
    if not registers:
        return HubModel("dinov2", "Dinov2", settings)
    settings["num_register_tokens"] = registers
    return HubModel("dinov2_with_registers", "Dinov2WithRegisters", settings, registers)


def _ratio(info: CheckpointInfo, vision: VisionShape, gated: bool) -> int:
    """The integer ``mlp_ratio`` of the configuration; a gated MLP has two thirds of that width."""
    for ratio in range(1, _MOST_RATIO):
        wide = vision.width * ratio
        if vision.mlp == ((int(wide * 2 / 3) + 7) // 8 * 8 if gated else wide):
            return ratio
    reason = f"its MLP of {vision.mlp} does not fit its width of {vision.width}; it is damaged or another kind of model"
    raise CheckpointError(str(info.path), reason)


def _dinov3(info: CheckpointInfo, vision: VisionShape, shapes: Shapes) -> HubModel:
    first = "model.layer.0."
    gated = f"{first}mlp.gate_proj.weight" in shapes
    theta = folder_json(info, "config.json").get("rope_theta")
    registers = shapes.get(_REGISTERS, _NO_REGISTERS)[-2]
    settings = _common(info, vision) | {
        "image_size": vision.image_size,
        "intermediate_size": vision.mlp,
        "use_gated_mlp": gated,
        "num_register_tokens": registers,
        # the base of the rotary positions, which only the config states; 100 in all published models
        "rope_theta": float(theta) if isinstance(theta, (int, float)) and theta > 1 else 100.0,
        "query_bias": f"{first}attention.q_proj.bias" in shapes,
        "key_bias": f"{first}attention.k_proj.bias" in shapes,
        "value_bias": f"{first}attention.v_proj.bias" in shapes,
        "proj_bias": f"{first}attention.o_proj.bias" in shapes,
        "mlp_bias": f"{first}mlp.up_proj.bias" in shapes,
    }
    if gated and info.sources.get("activation") in (None, "assumed"):
        # as in all published gated models
        settings["hidden_act"] = "silu"
    return HubModel("dinov3_vit", "DINOv3ViT", settings, registers)


def _naflex(info: CheckpointInfo, vision: VisionShape, shapes: Shapes) -> HubModel:
    if "head.probe" not in shapes:
        raise CheckpointError(str(info.path), "it lacks head.probe, with which a picture's patches are put together")
    settings = _common(info, vision) | {"intermediate_size": vision.mlp, "num_patches": vision.tokens}
    return HubModel("siglip2", "Siglip2Vision", settings)


FAMILIES = {"dinov2": _dinov2, "dinov3": _dinov3, "naflex": _naflex}

#: The sizes of the published evaluations: the short side is resized to 256, and the middle 224 are cropped. DINOv2's
#: position table is for 518 and is interpolated.
SIZE, SHORT_SIDE = 224, 256


def dino_preprocessing(info: CheckpointInfo, vision: VisionShape, changes: Mapping[str, object]) -> Preprocessing:
    """The preprocessing of a DINO checkpoint, by the preprocessor_config.json in its folder.

    A size given by the caller overrides it and scales the short side. changes: any fields of ``Preprocessing``.
    """
    name = "preprocessor_config.json"
    stated = preprocessor_properties(folder_json(info, name), info, name)
    size, short = SIZE, SHORT_SIDE
    if stated.image_size:
        size, short = stated.image_size, stated.short_side or stated.image_size
    if info.sources.get("image_size") == "argument":
        short = vision.image_size * short // size
        size = vision.image_size
    sized = replace(info, vision=replace(vision, image_size=size))
    defaults: dict[str, object] = {"short_side": max(short, size)} if info.fit == "crop" else {}
    return preprocessing_of(sized, **{**defaults, **changes})
