"""The only door to ComfyUI: its folders, save names, metadata switch, progress bar, interrupt, tensors and memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .folders import AllowedFolders

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from ...clip_backend.encoding.cache import EmbeddingCache
    from ...clip_backend.encoding.devices import Placement
    from ...clip_backend.finding.folders import ModelPathConfig
    from ...imaging import Progress


@dataclass(frozen=True)
class SavePlace:
    """Where ComfyUI would save next: ``folder / f"{stem}_{counter:05}_.png"``."""

    folder: Path
    stem: str
    counter: int
    #: The folder as seen from the output folder, with forward slashes.
    subfolder: str


class Host(Protocol):
    """What the nodes need of the program that runs them."""

    @property
    def folders(self) -> AllowedFolders:
        """The folders that workflows may read from; sheets go into ``folders.output``."""

    @property
    def templates_folder(self) -> Path:
        """Where the user's templates are kept; it need not exist."""

    @property
    def embeddings_folder(self) -> Path | None:
        """Where embeddings by our own models are kept from one start to the next, if anywhere; it need not exist."""

    @property
    def embeddings(self) -> EmbeddingCache:
        """Embeddings by models of the host's own loaders, for as long as the program runs."""

    @property
    def embeds_metadata(self) -> bool:
        """Whether prompt and workflow may be written into files."""

    def save_place(self, prefix: str, width: int, height: int) -> SavePlace:
        """The next free place, the prefix's tokens filled in; raises ForbiddenPath outside the output folder."""

    def check_interrupt(self) -> None:
        """Raises the host's own exception when the user asked to stop."""

    def progress(self) -> Progress:
        """A new progress bar, as a function of (done, in all) that also checks for an interrupt."""

    def image(self, page: NDArray[np.float32]) -> object:
        """An IMAGE from float32 [1, H, W, C] in 0..1."""

    @property
    def model_folders(self) -> ModelPathConfig:
        """Where the user keeps models that may hold a CLIP."""

    @property
    def vocabulary_folders(self) -> tuple[Path, ...]:
        """Folders with the vocabulary of CLIP, for model files that come without one."""

    @property
    def model_device(self) -> torch.device:
        """Where models of the size of a CLIP compute."""

    def place(self, model: torch.nn.Module) -> Placement:
        """Room for a model of ours on ``model_device`` when it computes; the user may stop it before every batch."""

    def place_core(self, patcher: Any) -> Placement:
        """The same for a model of ComfyUI's own loaders, which ComfyUI may hold in parts."""

    def vision_output(self, fields: Mapping[str, object]) -> object:
        """A CLIP_VISION_OUTPUT of these fields, tensors where nodes expect them."""

    def blocker(self) -> object:
        """An output that keeps the nodes after it from being run."""
