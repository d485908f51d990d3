"""The nodes that load and encode: CLIP Model Loader and CLIP Vision Encode.

What a node works with is imported when it works, so that the pack costs ComfyUI no time at its start.
"""

from __future__ import annotations

from typing import Any

from .host import get_host
from .sockets.inputs import FEATURES_TYPE, MODEL_TYPE, Values, option_inputs

CATEGORY = "CLIP Grid/clip"


class CLIPModelLoader:
    """A model file -> a model for the nodes of this pack."""

    RETURN_TYPES = (MODEL_TYPE,)
    RETURN_NAMES = ("model",)
    OUTPUT_TOOLTIPS = ("The model, for the other nodes of CLIP Grid",)
    FUNCTION = "execute"
    CATEGORY = CATEGORY
    DESCRIPTION = "Loads a CLIP, SigLIP or DINOv2 model that was found in your model folders by looking into the files."
    SEARCH_ALIASES = ("clip vision loader", "load clip", "siglip", "dinov2", "open_clip", "longclip")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        from .models.choice import NONE, model_advice, model_names, text_encoder_names
        from .models.loaded import LoadOptions

        host = get_host()
        model = "Found in your model folders by looking into the files; shapes-demo is a toy that comes with the pack"
        other = "A second file with the text encoder of the same CLIP, where the model's own file has none"
        return {
            # the page shows the advice in the node
            "required": {"model": (model_names(host), {"tooltip": model, "clip_grid_advice": model_advice(host)})},
            "optional": {
                "text_encoder": (text_encoder_names(host), {"default": NONE, "tooltip": other}),
                **option_inputs(LoadOptions),
            },
        }

    @classmethod
    def IS_CHANGED(cls, model: str | None = None, text_encoder: str | None = None, **others: object) -> str:
        from .checks import model_state

        return model_state((model or "", text_encoder or ""), get_host())

    @classmethod
    def VALIDATE_INPUTS(cls, model: str = "") -> bool | str:
        from .checks import model_problem

        # ComfyUI blames every input that is named here, and checks the others itself
        return model_problem((model,), get_host()) or True

    def execute(self, model: str, text_encoder: str = "none", **options: object) -> dict[str, Any]:
        from ..options import read_options
        from .models.choice import demo_notes
        from .models.loaded import LoadOptions, load_model

        host = get_host()
        loaded = load_model(model, text_encoder, read_options(LoadOptions, options), host)
        notes = demo_notes(loaded.name, host)
        return {"ui": {"text": [loaded.summary(notes)], "clip_notes": list(notes)}, "result": (loaded,)}


class CLIPVisionEncode:
    """Images -> their embeddings and hidden states."""

    # all images arrive at once, of whatever sizes
    INPUT_IS_LIST = True
    RETURN_TYPES = ("CLIP_VISION_OUTPUT", FEATURES_TYPE, "STRING")
    RETURN_NAMES = ("output", "features", "report")
    OUTPUT_TOOLTIPS = (
        "What ComfyUI's own encoder gives, for unCLIP Conditioning, Apply Style Model and others",
        "For the nodes of CLIP Grid: embeddings, class token, patches and states",
        "What the model is, what it gives and what it does not give and why, as JSON",
    )
    FUNCTION = "execute"
    CATEGORY = CATEGORY
    DESCRIPTION = "Encodes pictures of any sizes by a CLIP_VISION of ComfyUI or by a model of CLIP Model Loader."
    SEARCH_ALIASES = ("clip vision encode", "image embeds", "image features", "siglip", "embedding")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        from .models.encode import EncodeOptions

        image = ("IMAGE", {"tooltip": "Pictures: a batch, or a list of batches of any sizes"})
        vision = ("CLIP_VISION", {"tooltip": "From Load CLIP Vision; it is used as it is, nothing is loaded twice"})
        model = (MODEL_TYPE, {"tooltip": "From CLIP Model Loader, which knows more models"})
        return {
            "required": {"image": image},
            "optional": {"clip_vision": vision, "model": model, **option_inputs(EncodeOptions)},
        }

    def execute(self, image: Values, clip_vision: Values = (), model: Values = (), **options: Values) -> dict[str, Any]:
        from .models.encode import EncodeOptions, choose_source, encode_images, summary

        host = get_host()
        source = choose_source(clip_vision, model, host)
        output, features, report = encode_images(image, source, EncodeOptions.of(options), host)
        return {"ui": {"text": [summary(features)]}, "result": (host.vision_output(output), features, report)}
