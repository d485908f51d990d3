"""What the nodes need from ComfyUI: folders, names of new files, progress, tensors, models and the server's routes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .folders import AllowedFolders

if TYPE_CHECKING:
    import numpy as np
    import torch
    from aiohttp.web import RouteTableDef
    from numpy.typing import NDArray

    from ...clip_backend.encoding.batching import Placement
    from ...clip_backend.encoding.cache import EmbeddingCache
    from ...clip_backend.finding.folders import ModelPathConfig
    from ...imaging import Progress


@dataclass(frozen=True)
class SavePath:
    """The next free file name in ComfyUI's numbering: ``folder / f"{stem}_{counter:05}_.png"``."""

    folder: Path
    stem: str
    counter: int
    #: The folder relative to the output folder, with forward slashes.
    subfolder: str


class Host(Protocol):
    """The program that runs the nodes: ComfyUI, or a fake in tests."""

    @property
    def folders(self) -> AllowedFolders:
        """The folders that workflows may read from; sheets are written below ``folders.output``."""

    @property
    def templates_folder(self) -> Path:
        """The folder of the user's saved templates; it need not exist."""

    @property
    def embeddings_folder(self) -> Path | None:
        """The folder in which embeddings of our own models are stored on disk, or None; it need not exist."""

    @property
    def index_folder(self) -> Path:
        """The folder of the index of pictures; it need not exist."""

    @property
    def is_busy(self) -> bool:
        """Whether a workflow runs or waits to run."""

    @property
    def embeddings(self) -> EmbeddingCache:
        """Embeddings of models from ComfyUI's loaders, cached in memory until the program ends."""

    @property
    def embeds_metadata(self) -> bool:
        """Whether prompt and workflow may be written into files."""

    def save_path(self, prefix: str, width: int, height: int) -> SavePath:
        """The next free file name for a prefix, its tokens replaced; raises ForbiddenPath outside the output folder."""

    def check_interrupt(self) -> None:
        """Raises the host's own exception if the user asked to stop."""

    def progress(self) -> Progress:
        """A new progress bar, as a function of (done, total) that also checks for an interrupt."""

    def note(self, node: str, text: str) -> None:
        """Adds a line to a node on the page that queued the workflow, from any thread; nothing without a page.

        node: its id in the running prompt.
        """

    def image(self, page: NDArray[np.float32]) -> object:
        """An IMAGE from float32 [1, H, W, C] in 0..1."""

    @property
    def model_folders(self) -> ModelPathConfig:
        """The folders in which CLIP models and IP-Adapters are searched."""

    @property
    def lora_folders(self) -> tuple[Path, ...]:
        """The folders with LoRAs, which need not exist."""

    @property
    def vocabulary_folders(self) -> tuple[Path, ...]:
        """Folders with CLIP's tokenizer files, for model files that come without them."""

    @property
    def model_device(self) -> torch.device:
        """The device for models of the size of a CLIP."""

    def place_model(self, model: torch.nn.Module, before: Callable[[], None] | None = None) -> Placement:
        """Memory management for a model of ours on ``model_device``; checks for an interrupt before every batch.

        before: called instead of this check, for work beside the workflows, which an interrupt of theirs does not end.
        """

    def place_patcher(self, patcher: Any, moved: Callable[[Any], None] | None = None) -> Placement:
        """Memory management for a model of ComfyUI's loaders, by its ModelPatcher; ComfyUI may load it in parts.

        moved: called with the patcher that takes the place of the given one, once the model moves to the CPU.
        """

    def vision_output(self, fields: Mapping[str, object]) -> object:
        """A CLIP_VISION_OUTPUT with these fields, its tensors on the device where nodes expect them."""

    def blocker(self) -> object:
        """An output value with which ComfyUI does not run the nodes behind it."""

    def routes(self) -> RouteTableDef | None:
        """The route table of the running server; None if there is no server."""
