"""The nodes of IP-Adapters: IP-Adapter Loader, Reference, Apply and Embeds.

What a node works with is imported when it works, so that the pack costs ComfyUI no time at its start.
"""

from __future__ import annotations

from typing import Any

from .host import get_host
from .sockets.inputs import (
    ADAPTER_TYPE,
    ADAPTERS,
    MODEL_TYPE,
    REFERENCE_TYPE,
    REFERENCES,
    AnyType,
    Declaration,
    Values,
    option_inputs,
)

CATEGORY = "CLIP Grid/ip-adapter"


class IPAdapterLoader:
    """A file -> an adapter."""

    RETURN_TYPES = (ADAPTER_TYPE, "STRING")
    RETURN_NAMES = ("adapter", "report")
    OUTPUT_TOOLTIPS = (
        "The adapter, for IP-Adapter Reference and IP-Adapter Apply",
        "What the file is, which vision encoder it needs and what was assumed, as JSON",
    )
    FUNCTION = "execute"
    CATEGORY = CATEGORY
    DESCRIPTION = "Loads an IP-Adapter, FaceID included, that was found in models/ipadapter by looking into the files."
    SEARCH_ALIASES = ("ipadapter model loader", "image prompt", "reference image", "faceid", "style transfer")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        from .ip_adapter.adapters import ADVICE, LoadOptions, adapter_families, adapter_names

        host = get_host()
        tooltip = "The file; found in models/ipadapter by looking into the files, whatever their names are"
        # the page draws the curve of the family, and says what to get where there is no file
        extra = {"tooltip": tooltip, "clip_grid_families": adapter_families(host), "clip_grid_advice": ADVICE}
        return {
            "required": {"adapter": (adapter_names(host), extra)},
            "optional": option_inputs(LoadOptions),
        }

    @classmethod
    def IS_CHANGED(cls, adapter: str = "", **others: object) -> str:
        from .checks import adapter_state

        return adapter_state(adapter, get_host())

    @classmethod
    def VALIDATE_INPUTS(cls, adapter: str = "") -> bool | str:
        from .checks import adapter_problem

        return adapter_problem(adapter, get_host()) or True

    def execute(self, adapter: str, **options: object) -> dict[str, Any]:
        from ..options import read_options
        from .ip_adapter.adapters import LoadOptions, load_named, report, summary

        host = get_host()
        with host.folders.short_errors():
            loaded = load_named(adapter, read_options(LoadOptions, options), host)
        info = loaded.adapter.info
        return {"ui": {"text": [summary(info)]}, "result": (loaded, report(info, host))}


class IPAdapterReference:
    """Pictures, faces, a mask -> references."""

    # all images arrive at once, of whatever sizes
    INPUT_IS_LIST = True
    RETURN_TYPES = (REFERENCE_TYPE, "IMAGE")
    RETURN_NAMES = ("references", "preview")
    OUTPUT_TOOLTIPS = (
        "For IP-Adapter Apply, or the references input of another IP-Adapter Reference",
        "The squares that the vision encoder sees, in their order",
    )
    FUNCTION = "execute"
    CATEGORY = CATEGORY
    DESCRIPTION = "Makes references of pictures or faces: with a weight, a region, and squares of your choice."
    SEARCH_ALIASES = ("ipadapter", "image prompt", "style reference", "regional", "ipadapter encoder", "face reference")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        from ..clip_backend.ip_adapter.reference_settings import ReferenceSettings

        adapter = "From IP-Adapter Loader; its vision encoder is then found in your model folders by itself"
        vision = "A vision encoder of your choice from Load CLIP Vision, in place of the one that is found"
        mask = "Where in the picture these references act: white there. Of any size: it is stretched to the picture"
        face = "Vectors of 512 dimensions from any face recognition node, for FaceID adapters: one for each picture"
        before = "Other references; those of this node are added to them"
        return {
            "optional": {
                "image": ("IMAGE", {"tooltip": "Pictures: a batch, or a list of batches of any sizes"}),
                "adapter": (ADAPTERS, {"tooltip": adapter}),
                "mask": ("MASK", {"tooltip": mask}),
                "references": (REFERENCES, {"tooltip": before}),
                "clip_vision": ("CLIP_VISION", {"tooltip": vision}),
                "model": (MODEL_TYPE, {"tooltip": "The same from CLIP Model Loader"}),
                "face": (AnyType("*"), {"tooltip": face}),
                **option_inputs(ReferenceSettings),
            }
        }

    def execute(self, **inputs: Values) -> dict[str, Any]:
        from .ip_adapter.references import describe, preview, preview_batch, references_and_preview

        host = get_host()
        with host.folders.short_errors():
            references, shown = references_and_preview(inputs, host)
        ui = {"images": preview(shown, host), "text": [describe(references)]}
        return {"ui": ui, "result": (references, preview_batch(shown, host))}


class IPAdapterApply:
    """A model, an adapter, references -> a model that sees them."""

    RETURN_TYPES = ("MODEL",)
    RETURN_NAMES = ("model",)
    OUTPUT_TOOLTIPS = ("The model that draws with the references; the one that came in stays as it is",)
    FUNCTION = "execute"
    CATEGORY = CATEGORY
    DESCRIPTION = "Makes a model draw with reference pictures: SD 1.5, SDXL, Kolors and FLUX.1, with any sampler."
    SEARCH_ALIASES = ("apply ipadapter", "ipadapter advanced", "image prompt", "style transfer", "composition transfer")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        from ..clip_backend.ip_adapter.apply_settings import ApplySettings
        from .ip_adapter.applying import PLACES, curves

        options = option_inputs(ApplySettings)
        kind, extra = options["weight_type"]
        # the page draws them below the widgets
        options["weight_type"] = (kind, {**extra, "clip_grid_curves": curves(), "clip_grid_parts": PLACES})
        return {
            "required": {
                "model": ("MODEL", {"tooltip": "The model, with any LoRA and other patches"}),
                "adapter": (ADAPTERS, {"tooltip": "From IP-Adapter Loader, or an IPADAPTER of another pack"}),
                "references": (REFERENCES, {"tooltip": "From IP-Adapter Reference or IP-Adapter Embeds"}),
            },
            "optional": options,
            "hidden": {"unique_id": "UNIQUE_ID"},
        }

    def execute(
        self, model: Any, adapter: object, references: object, unique_id: object = "", **options: object
    ) -> dict[str, Any]:
        from .ip_adapter.applying import apply_references

        host = get_host()
        with host.folders.short_errors():
            patched, ui = apply_references(model, adapter, references, options, host, str(unique_id))
        return {"ui": ui, "result": (patched,)}


class IPAdapterEmbeds:
    """References and files of them -> references, and a file."""

    OUTPUT_NODE = True
    RETURN_TYPES = (REFERENCE_TYPE, "STRING")
    RETURN_NAMES = ("references", "file")
    OUTPUT_TOOLTIPS = ("For IP-Adapter Apply", "The file that was saved; empty if none was")
    FUNCTION = "execute"
    CATEGORY = CATEGORY
    DESCRIPTION = "Combines references, saves them as safetensors, and loads them, so that pictures are encoded once."
    SEARCH_ALIASES = ("ipadapter combine embeds", "save embeds", "load embeds", "average references", "slerp")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        from .ip_adapter.applying import EmbedsOptions

        references: Declaration = (
            REFERENCES,
            {"tooltip": "From IP-Adapter Reference; empty = those of the file alone"},
        )
        return {"optional": {"references": references, **option_inputs(EmbedsOptions)}}

    @classmethod
    def IS_CHANGED(cls, file: str = "", **others: object) -> str:
        from .checks import file_state

        return file_state(file, get_host())

    @classmethod
    def VALIDATE_INPUTS(cls, file: str | None = "") -> bool | str:
        from .checks import file_problem

        return file_problem((file,), get_host()) or True

    def execute(self, references: object = None, **options: object) -> dict[str, Any]:
        from .ip_adapter.applying import gather_embeds

        host = get_host()
        with host.folders.short_errors():
            found, saved, line = gather_embeds(references, options, host)
        return {"ui": {"text": [line]}, "result": (found, saved)}
