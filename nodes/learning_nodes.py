"""The nodes that learn and use what was learnt: Learn From Folder, Load Head and CLIP LoRA.

What a node works with is imported when it works, so that the pack costs ComfyUI no time at its start.
"""

from __future__ import annotations

from typing import Any

from .host import get_host
from .sockets.inputs import HEAD_TYPE, MODEL_TYPE, option_inputs

CATEGORY = "CLIP Grid/learning"
_MODEL = "From CLIP Model Loader"


class LearnFromFolder:
    """Pictures in a folder per class, or a table of them -> a head that tells the classes apart."""

    OUTPUT_NODE = True
    RETURN_TYPES = (HEAD_TYPE, "STRING", "STRING")
    RETURN_NAMES = ("head", "head_file", "report")
    OUTPUT_TOOLTIPS = (
        "For CLIP Label",
        "The name of the head for Load Head and for clip-grid label --head",
        "How well the head does on pictures that it did not learn from, beside the model without it, as JSON",
    )
    FUNCTION = "execute"
    CATEGORY = CATEGORY
    DESCRIPTION = "Learns classes from your own pictures in seconds: one folder per class, or a table with labels."
    SEARCH_ALIASES = ("train classifier", "few-shot", "linear probe", "custom labels", "image classifier", "teach clip")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        from .learning.learn import LearnOptions

        data = (
            "A folder with one folder of pictures per class, or a CSV file with the columns image_path and label; in "
            "ComfyUI's input or output folder or in one that the server's owner added"
        )
        return {
            "required": {
                "data": ("STRING", {"default": "", "tooltip": data}),
                "model": (MODEL_TYPE, {"tooltip": f"{_MODEL}; the head can be used with this model alone"}),
            },
            "optional": option_inputs(LearnOptions),
        }

    @classmethod
    def IS_CHANGED(cls, data: str | None = None, **others: object) -> str:
        from .checks import data_state

        return data_state(data or "", get_host())

    @classmethod
    def VALIDATE_INPUTS(cls, data: str = "") -> bool | str:
        from .checks import data_problem

        return data_problem(data, get_host()) or True

    def execute(self, data: str, model: object, **options: object) -> dict[str, Any]:
        from ..options import read_options
        from .learning.learn import LearnOptions, learn_from_folder

        host = get_host()
        with host.folders.short_errors():
            return learn_from_folder(data, model, read_options(LearnOptions, options), host)


class LoadHead:
    """The file of a head -> the head, for CLIP Label."""

    RETURN_TYPES = (HEAD_TYPE,)
    RETURN_NAMES = ("head",)
    OUTPUT_TOOLTIPS = ("For CLIP Label",)
    FUNCTION = "execute"
    CATEGORY = CATEGORY
    DESCRIPTION = "Loads a head that Learn From Folder or clip-grid train has learnt."
    SEARCH_ALIASES = ("load classifier", "custom labels", "linear probe", "head.safetensors")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        from .models.heads import head_names

        tooltip = "Heads in the folder heads of the output and the input folder, and runs of clip-grid train there"
        return {"required": {"head": (head_names(get_host()), {"tooltip": tooltip})}}

    @classmethod
    def IS_CHANGED(cls, head: str | None = None) -> str:
        from .checks import head_state

        return head_state(head or "", get_host())

    @classmethod
    def VALIDATE_INPUTS(cls, head: str = "") -> bool | str:
        from .checks import head_problem

        # a name that is not in the list, as one that a node before made, is looked up all the same
        return head_problem(head, get_host()) or True

    def execute(self, head: str) -> dict[str, Any]:
        from .models.heads import load_head

        host = get_host()
        with host.folders.short_errors():
            loaded = load_head(head, host)
        return {"ui": {"text": [loaded.summary()]}, "result": (loaded,)}


class CLIPLoRA:
    """A model and a LoRA -> the model with the LoRA."""

    RETURN_TYPES = (MODEL_TYPE,)
    RETURN_NAMES = ("model",)
    OUTPUT_TOOLTIPS = ("The model with the LoRA, for the other nodes of CLIP Grid",)
    FUNCTION = "execute"
    CATEGORY = CATEGORY
    DESCRIPTION = "Adds a LoRA or trained weights to a model of CLIP Model Loader, for pictures and texts."
    SEARCH_ALIASES = ("load lora", "clip vision lora", "fine-tuned clip", "adapter", "finetune")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        from .models.loras import LoraOptions, lora_names

        lora = "Files of models/loras: of clip-grid train (best.safetensors of a run), PEFT or kohya"
        return {
            "required": {
                "model": (MODEL_TYPE, {"tooltip": f"{_MODEL}, or from another CLIP LoRA"}),
                "lora": (lora_names(get_host()), {"tooltip": lora}),
            },
            "optional": option_inputs(LoraOptions),
        }

    @classmethod
    def IS_CHANGED(cls, lora: str | None = None, **others: object) -> str:
        from .checks import lora_state

        return lora_state(lora or "", get_host())

    @classmethod
    def VALIDATE_INPUTS(cls, lora: str = "") -> bool | str:
        from .checks import lora_problem

        return lora_problem(lora, get_host()) or True

    def execute(self, model: object, lora: str, **options: object) -> dict[str, Any]:
        from ..options import read_options
        from .models.loras import LoraOptions, with_lora

        host = get_host()
        with host.folders.short_errors():
            loaded, notes = with_lora(model, lora, read_options(LoraOptions, options), host)
        return {"ui": {"text": [loaded.summary(notes)], "clip_notes": list(notes)}, "result": (loaded,)}
