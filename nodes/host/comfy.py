"""The host when ComfyUI runs the nodes; no other file imports ComfyUI."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import MissingPackage
from .folders import AllowedFolders
from .host import SavePath

if TYPE_CHECKING:
    import numpy as np
    import torch
    from aiohttp.web import RouteTableDef
    from numpy.typing import NDArray

    from ...clip_backend.encoding.batching import Placement
    from ...clip_backend.encoding.cache import EmbeddingCache
    from ...clip_backend.finding.folders import ModelPathConfig
    from ...imaging import Progress

#: The kinds of model folders in which a CLIP may be, and that of IP-Adapters.
_MODEL_KINDS = ("clip_vision", "text_encoder", "checkpoint", "diffusers", "llm", "ipadapter")


def _folder_paths() -> Any:
    """ComfyUI's module of its folders; raises MissingPackage where there is no ComfyUI."""
    try:
        import folder_paths  # type: ignore[import-not-found]
    except ModuleNotFoundError as error:
        raise MissingPackage(
            "nodes work in ComfyUI, whose folders are not known here; to test them without it, call "
            "set_host(FakeHost(folder)) of clip_grid.nodes.host first"
        ) from error
    return folder_paths


class ComfyHost:
    """ComfyUI 0.3.64 and later; its modules are imported when they are needed."""

    @property
    def folders(self) -> AllowedFolders:
        folder_paths = _folder_paths()
        added = folder_paths.folder_names_and_paths.get("clip_grid")
        return AllowedFolders(
            Path(folder_paths.get_input_directory()),
            Path(folder_paths.get_output_directory()),
            Path(folder_paths.get_temp_directory()),
            tuple(Path(folder) for folder in added[0]) if added else (),
        )

    @property
    def templates_folder(self) -> Path:
        return Path(_folder_paths().get_user_directory(), "clip_grid", "templates")

    @property
    def embeddings_folder(self) -> Path | None:
        from ...clip_backend.encoding.cache import VARIABLE, default_cache_folder

        if os.environ.get(VARIABLE, "").strip():
            return default_cache_folder()
        return Path(_folder_paths().get_user_directory(), "clip_grid", "embeddings")

    @property
    def index_folder(self) -> Path:
        return Path(_folder_paths().get_user_directory(), "clip_grid", "index")

    @property
    def is_busy(self) -> bool:
        queue = getattr(_server(), "prompt_queue", None)
        return queue is not None and queue.get_tasks_remaining() > 0

    @property
    def embeddings(self) -> EmbeddingCache:
        return _embeddings()

    @property
    def embeds_metadata(self) -> bool:
        from comfy.cli_args import args  # type: ignore[import-not-found]

        return not args.disable_metadata

    def save_path(self, prefix: str, width: int, height: int) -> SavePath:
        folder_paths = _folder_paths()
        # ComfyUI refuses such a prefix too, but with a bare Exception
        self.folders.check_prefix(prefix)
        output = folder_paths.get_output_directory()
        folder, stem, counter, subfolder, _ = folder_paths.get_save_image_path(prefix, output, width, height)
        return SavePath(Path(folder), stem, counter, subfolder.replace(os.sep, "/"))

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

    def note(self, node: str, text: str) -> None:
        server = _server()
        if server is not None:
            server.send_sync("clip_grid.note", {"node": node, "text": text}, server.client_id)

    def image(self, page: NDArray[np.float32]) -> object:
        import comfy.model_management
        import torch  # type: ignore[import-not-found,unused-ignore]

        # ComfyUI < 0.18 has no intermediate_dtype
        dtype = getattr(comfy.model_management, "intermediate_dtype", lambda: torch.float32)()
        return torch.from_numpy(page).to(device=comfy.model_management.intermediate_device(), dtype=dtype)

    @property
    def model_folders(self) -> ModelPathConfig:
        from ...clip_backend.finding.folders import ModelPathConfig, ModelType, hub_cache

        folder_paths = _folder_paths()
        registered = {name.casefold(): paths for name, (paths, *_) in folder_paths.folder_names_and_paths.items()}
        config = ModelPathConfig()
        for kind in _MODEL_KINDS:
            for name in ModelType(kind).folders:
                # a folder such as models/LLM may exist although no pack registered it
                for path in (*registered.get(name.casefold(), ()), os.path.join(folder_paths.models_dir, name)):
                    config.add_model_path(kind, path)
        config.add_model_path(ModelType.HUB, hub_cache())
        return config

    @property
    def lora_folders(self) -> tuple[Path, ...]:
        return tuple(Path(folder) for folder in _folder_paths().get_folder_paths("loras"))

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

    def place_model(self, model: torch.nn.Module, before: Callable[[], None] | None = None) -> Placement:
        import comfy.model_management
        from comfy.model_patcher import ModelPatcher  # type: ignore[import-not-found]

        offload = comfy.model_management.text_encoder_offload_device()
        patcher = ModelPatcher(_wrapped(model), load_device=self.model_device, offload_device=offload)
        return ComfyPlacement(patcher, is_whole=True, before=before)

    def place_patcher(self, patcher: Any, moved: Callable[[Any], None] | None = None) -> Placement:
        return ComfyPlacement(patcher, is_whole=False, moved=moved)

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

    def routes(self) -> RouteTableDef | None:
        table: RouteTableDef | None = getattr(_server(), "routes", None)
        return table


def _server() -> Any:
    """ComfyUI's server, or None."""
    # ComfyUI imports it before any pack; elsewhere a module of this name is not ComfyUI's
    return getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)


class ComfyPlacement:
    """A model that ComfyUI's memory management loads onto its device and unloads when others need the memory.

    is_whole: load the model completely or not at all; only models made of ComfyUI's own layers can be loaded in parts.
    moved: called with the patcher that takes the place of the given one, once the model moves to the CPU.
    before: called before every batch, in place of the check whether the user asked to stop.
    """

    def __init__(
        self,
        patcher: Any,
        *,
        is_whole: bool,
        moved: Callable[[Any], None] | None = None,
        before: Callable[[], None] | None = None,
    ) -> None:
        # ComfyUI itself holds only a weak reference to it
        self._patcher = patcher
        self._is_whole = is_whole
        self._report_move = moved
        self._before = before
        self._former: Any = None

    @property
    def device(self) -> torch.device:
        """The device on which the model computes."""
        device: torch.device = self._patcher.load_device
        return device

    def ready(self, working_bytes: int) -> None:
        """Loads the model, with so many bytes free beside it; raises ComfyUI's exception if the user asked to stop."""
        import comfy.model_management as management

        # the check takes the request back, so that work beside a workflow would keep the workflow from seeing it
        (self._before or management.throw_exception_if_processing_interrupted)()
        management.load_models_gpu([self._patcher], memory_required=working_bytes, force_full_load=self._is_whole)

    def is_out_of_memory(self, error: BaseException) -> bool:
        """Whether the error means that the device or the main memory is full."""
        import comfy.model_management as management

        from ...clip_backend.encoding.batching import is_out_of_memory

        if is_out_of_memory(error):
            return True
        # ComfyUI 0.3.64 has no is_oom; Exception stands for a torch that has no error of that kind
        kind = management.OOM_EXCEPTION
        is_oom = getattr(management, "is_oom", lambda error: kind is not Exception and isinstance(error, kind))
        return bool(is_oom(error))

    def empty_cache(self) -> None:
        """Empties the cache of the device's allocator."""
        import comfy.model_management

        comfy.model_management.soft_empty_cache()

    def move_to_cpu(self) -> None:
        """Moves the model to the CPU for good."""
        import torch

        self._patcher.detach()
        # ComfyUI lists the former patcher until the model is next loaded
        self._former, cpu = self._patcher, torch.device("cpu")
        self._patcher = type(self._former)(self._former.model, load_device=cpu, offload_device=cpu)
        if self._report_move:
            self._report_move(self._patcher)
        self.empty_cache()


def _wrapped(model: torch.nn.Module) -> torch.nn.Module:
    """A module around the model, of the same class name: ComfyUI sets attributes such as ``device`` on it."""
    import torch

    wrapper: torch.nn.Module = type(type(model).__name__, (torch.nn.Sequential,), {})(model)
    return wrapper


@cache
def _embeddings() -> EmbeddingCache:
    from ...clip_backend.encoding.cache import EmbeddingCache

    return EmbeddingCache()
