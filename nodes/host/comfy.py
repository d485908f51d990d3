"""The only door to ComfyUI: its folders, save names, metadata switch, progress bar, interrupt, tensors and memory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .folders import AllowedFolders
from .host import SavePlace

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from ...clip_backend.encoding.cache import EmbeddingCache
    from ...clip_backend.encoding.devices import Placement
    from ...clip_backend.finding.folders import ModelPathConfig
    from ...imaging import Progress


class ComfyHost:
    """ComfyUI 0.3.64 and later; everything of it is imported when it is needed."""

    @property
    def folders(self) -> AllowedFolders:
        import folder_paths  # type: ignore[import-not-found]

        added = folder_paths.folder_names_and_paths.get("clip_grid")
        return AllowedFolders(
            Path(folder_paths.get_input_directory()),
            Path(folder_paths.get_output_directory()),
            Path(folder_paths.get_temp_directory()),
            tuple(Path(folder) for folder in added[0]) if added else (),
        )

    @property
    def templates_folder(self) -> Path:
        import folder_paths

        return Path(folder_paths.get_user_directory(), "clip_grid", "templates")

    @property
    def embeddings_folder(self) -> Path | None:
        import folder_paths

        from ...clip_backend.encoding.cache import VARIABLE, default_cache_folder

        own = Path(folder_paths.get_user_directory(), "clip_grid", "embeddings")
        return default_cache_folder() if os.environ.get(VARIABLE, "").strip() else own

    @property
    def embeddings(self) -> EmbeddingCache:
        return _session_embeddings()

    @property
    def embeds_metadata(self) -> bool:
        from comfy.cli_args import args  # type: ignore[import-not-found]

        return not args.disable_metadata

    def save_place(self, prefix: str, width: int, height: int) -> SavePlace:
        import folder_paths

        # ComfyUI refuses such a prefix too, but with a bare Exception
        self.folders.check_prefix(prefix)
        output = folder_paths.get_output_directory()
        folder, stem, counter, subfolder, _ = folder_paths.get_save_image_path(prefix, output, width, height)
        return SavePlace(Path(folder), stem, counter, subfolder.replace(os.sep, "/"))

    def check_interrupt(self) -> None:
        import comfy.model_management  # type: ignore[import-not-found]

        comfy.model_management.throw_exception_if_processing_interrupted()

    def progress(self) -> Progress:
        from comfy.utils import ProgressBar  # type: ignore[import-not-found]

        bar: Any = None

        def show(done: int, total: int) -> None:
            nonlocal bar
            self.check_interrupt()
            bar = bar or ProgressBar(total)
            bar.update_absolute(done, total)

        return show

    def image(self, page: NDArray[np.float32]) -> object:
        import comfy.model_management
        import torch  # type: ignore[import-not-found,unused-ignore]

        # ComfyUI < 0.18 has no intermediate_dtype
        dtype = getattr(comfy.model_management, "intermediate_dtype", lambda: torch.float32)()
        return torch.from_numpy(page).to(device=comfy.model_management.intermediate_device(), dtype=dtype)

    @property
    def model_folders(self) -> ModelPathConfig:
        import folder_paths

        from ...clip_backend.finding.folders import ModelPathConfig, ModelType
        from ...clip_backend.finding.installations import hub_cache

        known = {name.casefold(): paths for name, (paths, *_) in folder_paths.folder_names_and_paths.items()}
        config = ModelPathConfig()
        for kind in _MODEL_KINDS:
            for name in ModelType(kind).folders:
                # what no pack registered may be there all the same, such as models/LLM
                for path in (*known.get(name.casefold(), ()), os.path.join(folder_paths.models_dir, name)):
                    config.add_model_path(kind, path)
        config.add_model_path(ModelType.HUB, hub_cache())
        return config

    @property
    def vocabulary_folders(self) -> tuple[Path, ...]:
        import comfy.model_management

        return (Path(comfy.model_management.__file__).parent / "sd1_tokenizer",)

    @property
    def model_device(self) -> torch.device:
        import comfy.model_management as management
        import torch

        # a model that is not made of ComfyUI's own layers cannot be loaded in parts
        if management.vram_state == management.VRAMState.NO_VRAM:
            return torch.device("cpu")
        device: torch.device = management.text_encoder_device()
        return device

    def place(self, model: torch.nn.Module) -> Placement:
        import comfy.model_management
        from comfy.model_patcher import ModelPatcher  # type: ignore[import-not-found]

        aside = comfy.model_management.text_encoder_offload_device()
        patcher = ModelPatcher(_shell(model), load_device=self.model_device, offload_device=aside)
        return ComfyPlacement(patcher, is_whole=True)

    def place_core(self, patcher: Any) -> Placement:
        return ComfyPlacement(patcher, is_whole=False)

    def vision_output(self, fields: Mapping[str, object]) -> object:
        import comfy.clip_vision  # type: ignore[import-not-found]
        import comfy.model_management
        import torch

        device = comfy.model_management.intermediate_device()
        output = comfy.clip_vision.Output()
        for name, value in fields.items():
            output[name] = value.to(device) if isinstance(value, torch.Tensor) else value
        return output

    def blocker(self) -> object:
        from comfy_execution.graph_utils import ExecutionBlocker  # type: ignore[import-not-found]

        # with a message the browser would show an error
        return ExecutionBlocker(None)


class ComfyPlacement:
    """A model that ComfyUI moves to where it computes, and away when others need the room.

    is_whole: never in parts, which only models made of ComfyUI's own layers can be.
    """

    def __init__(self, patcher: Any, *, is_whole: bool) -> None:
        # ComfyUI itself holds it by a weak reference only
        self._patcher = patcher
        self._is_whole = is_whole
        self._former: Any = None

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        device: torch.device = self._patcher.load_device
        return device

    def ready(self, working_bytes: int) -> None:
        """Moves other models away as far as need be; raises ComfyUI's own exception when the user asked to stop."""
        import comfy.model_management as management

        management.throw_exception_if_processing_interrupted()
        management.load_models_gpu([self._patcher], memory_required=working_bytes, force_full_load=self._is_whole)

    def is_out_of_memory(self, error: BaseException) -> bool:
        """As ComfyUI tells it, and the errors of main memory."""
        import comfy.model_management as management

        if isinstance(error, MemoryError) or "not enough memory" in str(error):
            return True
        if management.OOM_EXCEPTION is Exception:
            # what ComfyUI puts there where torch has no such error
            return False
        # ComfyUI 0.3.64 has no is_oom
        is_oom = getattr(management, "is_oom", lambda error: isinstance(error, management.OOM_EXCEPTION))
        return bool(is_oom(error))

    def empty_cache(self) -> None:
        """Of the device's allocator."""
        import comfy.model_management

        comfy.model_management.soft_empty_cache()

    def move_to_cpu(self) -> None:
        """Moves the model to main memory, for good."""
        import torch

        self._patcher.detach()
        # ComfyUI's list knows the former one until the model is next loaded
        self._former, cpu = self._patcher, torch.device("cpu")
        self._patcher = type(self._former)(self._former.model, load_device=cpu, offload_device=cpu)
        self.empty_cache()


def _shell(model: torch.nn.Module) -> torch.nn.Module:
    """A module around the model: ComfyUI writes attributes such as ``device`` on what it moves, and logs its class."""
    import torch

    shell: torch.nn.Module = type(type(model).__name__, (torch.nn.Sequential,), {})(model)
    return shell


@cache
def _session_embeddings() -> EmbeddingCache:
    from ...clip_backend.encoding.cache import EmbeddingCache

    return EmbeddingCache()


#: The kinds of model files that are looked into for a CLIP.
_MODEL_KINDS = ("clip_vision", "text_encoder", "checkpoint", "diffusers", "llm")
