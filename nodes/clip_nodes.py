"""The nodes that load models and encode: they read their sockets, call the core once, and wrap the answer.

Everything that a node works with is imported when it works, so that ComfyUI starts as fast as without this pack.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .host import get_host
from .sockets.types import FEATURES_TYPE, MODEL_TYPE

CATEGORY = "CLIP Grid/clip"


class CLIPModelLoader:
    """A model file of the user -> a model for the nodes of this pack."""

    RETURN_TYPES = (MODEL_TYPE,)
    RETURN_NAMES = ("model",)
    OUTPUT_TOOLTIPS = ("The model, for the other nodes of CLIP Grid",)
    FUNCTION = "execute"
    CATEGORY = CATEGORY
    DESCRIPTION = "Loads a CLIP, SigLIP or DINOv2 model that was found in your model folders by looking into the files."
    SEARCH_ALIASES = ("clip vision loader", "load clip", "siglip", "dinov2", "open_clip", "longclip")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        from ..options import options_of, widgets
        from .models.choice import NONE, model_names, text_encoder_names
        from .models.loaded import LoadOptions

        host = get_host()
        model = "Found in your model folders by looking into the files; shapes-demo is a toy that comes with the pack"
        other = "A second file with texts' half of the same CLIP, where the model's own file has none"
        return {
            "required": {"model": (model_names(host), {"tooltip": model})},
            "optional": {
                "text_encoder": (text_encoder_names(host), {"default": NONE, "tooltip": other}),
                **widgets(list(options_of(LoadOptions).values())),
            },
        }

    @classmethod
    def IS_CHANGED(cls, model: str | None = None, text_encoder: str | None = None, **others: object) -> str:
        from .models.loaded import files_key

        return files_key((model or "", text_encoder or ""), get_host())

    @classmethod
    def VALIDATE_INPUTS(cls, model: str = "", text_encoder: str = "") -> bool | str:
        from .models.loaded import model_problem

        return model_problem((model, text_encoder), get_host()) or True

    def execute(self, model: str, text_encoder: str = "none", **options: object) -> dict[str, Any]:
        from ..options import read_options
        from .models.loaded import LoadOptions, load_model

        loaded = load_model(model, text_encoder, read_options(LoadOptions, options), get_host())
        return {"ui": {"text": [loaded.summary()]}, "result": (loaded,)}


class CLIPVisionEncode:
    """Pictures of the graph -> what a model sees in them."""

    # all pictures arrive at once, of whatever sizes
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
        from ..options import options_of, widgets
        from .models.encoding import EncodeOptions

        image = ("IMAGE", {"tooltip": "Pictures: a batch, or a list of batches of any sizes"})
        vision = ("CLIP_VISION", {"tooltip": "From Load CLIP Vision; it is used as it is, nothing is loaded twice"})
        model = (MODEL_TYPE, {"tooltip": "From CLIP Model Loader, which knows more models"})
        return {
            "required": {"image": image},
            "optional": {
                "clip_vision": vision,
                "model": model,
                **widgets(list(options_of(EncodeOptions).values())),
            },
        }

    def execute(
        self, image: Sequence[object], clip_vision: Sequence[object] = (), model: Sequence[object] = (), **options: Any
    ) -> dict[str, Any]:
        from .models.encoding import EncodeOptions, chosen_source, encode

        host = get_host()
        source = chosen_source(clip_vision, model, host)
        encoded = encode(image, source, EncodeOptions.of({name: values[0] for name, values in options.items()}), host)
        result = (host.vision_output(encoded.output), encoded.features, encoded.report_json())
        return {"ui": {"text": [encoded.summary()]}, "result": result}
