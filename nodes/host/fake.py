"""A host without ComfyUI for tests of nodes: real folders, ComfyUI's numbering of files, interrupts on demand."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from .folders import AllowedFolders
from .host import SavePath

if TYPE_CHECKING:
    import numpy as np
    import torch
    from aiohttp.web import RouteTableDef
    from numpy.typing import NDArray

    from ...clip_backend.encoding.cache import EmbeddingCache
    from ...clip_backend.finding.folders import ModelPathConfig
    from ...imaging import Progress


class Interrupted(BaseException):
    """The interrupt of newer ComfyUI versions: not an Exception, so that no handler swallows it."""


class FakeHost:
    """Folders below ``root``; records all progress and interrupts after ``interrupt_after`` steps of it."""

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        embeds_metadata: bool = True,
        interrupt_after: int | None = None,
        extra: tuple[Path, ...] = (),
        vocabulary_folders: tuple[Path, ...] = (),
    ) -> None:
        root = Path(root)
        self.folders = AllowedFolders(root / "input", root / "output", root / "temp", extra)
        self.templates_folder = root / "user" / "clip_grid" / "templates"
        self.embeddings_folder = root / "user" / "clip_grid" / "embeddings"
        self.index_folder = root / "user" / "clip_grid" / "index"
        #: Whether a workflow runs or waits to run.
        self.is_busy = False
        self.embeds_metadata = embeds_metadata
        self.interrupt_after = interrupt_after
        self.models_folder = root / "models"
        self.vocabulary_folders = vocabulary_folders
        #: The memory in bytes that models asked for, one entry per batch.
        self.working_bytes: list[int] = []
        #: (done, total) of every step of progress.
        self.steps: list[tuple[int, int]] = []
        #: (node, text) of every note.
        self.notes: list[tuple[str, str]] = []
        #: What ``routes`` returns.
        self.route_table: RouteTableDef | None = None
        for folder in (self.folders.input, self.folders.output, self.folders.temp):
            folder.mkdir(parents=True, exist_ok=True)

    def save_path(self, prefix: str, width: int, height: int) -> SavePath:
        """A path numbered as ComfyUI numbers files; the only tokens are %width% and %height%."""
        self.folders.check_prefix(prefix)
        named = Path(prefix.replace("%width%", str(width)).replace("%height%", str(height)))
        folder = self.folders.output / named.parent
        folder.mkdir(parents=True, exist_ok=True)
        start = f"{named.name}_"
        used = [_counter(file.name[len(start) :]) for file in folder.iterdir() if file.name.startswith(start)]
        subfolder = named.parent.as_posix()
        return SavePath(folder, named.name, max(used, default=0) + 1, "" if subfolder == "." else subfolder)

    def check_interrupt(self) -> None:
        """Raises Interrupted once the last step of progress reached ``interrupt_after``."""
        if self.interrupt_after is not None and self.steps and self.steps[-1][0] >= self.interrupt_after:
            raise Interrupted

    def progress(self) -> Progress:
        def show(done: int, total: int) -> None:
            self.steps.append((done, total))
            self.check_interrupt()

        return show

    def note(self, node: str, text: str) -> None:
        self.notes.append((node, text))

    def image(self, page: NDArray[np.float32]) -> NDArray[np.float32]:
        return page

    @property
    def model_folders(self) -> ModelPathConfig:
        """ComfyUI's model folders below ``models_folder``."""
        from ...clip_backend.finding.folders import ModelPathConfig

        return ModelPathConfig(
            clip_vision_paths=self.models_folder / "clip_vision",
            text_encoder_paths=[self.models_folder / "text_encoders", self.models_folder / "clip"],
            checkpoint_paths=self.models_folder / "checkpoints",
            ipadapter_paths=self.models_folder / "ipadapter",
        )

    @property
    def lora_folders(self) -> tuple[Path, ...]:
        return (self.models_folder / "loras",)

    @property
    def model_device(self) -> torch.device:
        import torch

        return torch.device("cpu")

    def place_model(self, model: torch.nn.Module, before: Callable[[], None] | None = None) -> FakePlacement:
        return FakePlacement(self, self.model_device, before=before)

    def place_patcher(self, patcher: Any, moved: Callable[[Any], None] | None = None) -> FakePlacement:
        return FakePlacement(self, patcher.load_device, moved)

    @cached_property
    def embeddings(self) -> EmbeddingCache:
        from ...clip_backend.encoding.cache import EmbeddingCache

        return EmbeddingCache()

    def blocker(self) -> Blocker:
        return Blocker()

    def vision_output(self, fields: Mapping[str, object]) -> FakeOutput:
        return FakeOutput(fields)

    def routes(self) -> RouteTableDef | None:
        return self.route_table


class Blocker:
    """Stands for ComfyUI's ExecutionBlocker."""


class FakeOutput:
    """A CLIP_VISION_OUTPUT: attributes that can also be read as items."""

    def __init__(self, fields: Mapping[str, object]) -> None:
        self.__dict__.update(fields)

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)


class FakePlacement:
    """Records in the host how much memory was asked for, and checks for its interrupt."""

    def __init__(
        self,
        host: FakeHost,
        device: torch.device,
        moved: Callable[[Any], None] | None = None,
        before: Callable[[], None] | None = None,
    ) -> None:
        self._host = host
        self.device = device
        self._report_move = moved
        self._before = before or host.check_interrupt

    def ready(self, working_bytes: int) -> None:
        self._before()
        self._host.working_bytes.append(working_bytes)

    def is_out_of_memory(self, error: BaseException) -> bool:
        from ...clip_backend.encoding.batching import is_out_of_memory

        return is_out_of_memory(error)

    def empty_cache(self) -> None:
        """There is no cache."""

    def move_to_cpu(self) -> None:
        import torch

        self.device = torch.device("cpu")
        if self._report_move:
            self._report_move(SimpleNamespace(load_device=self.device))


def _counter(rest: str) -> int:
    digits = rest.split(".")[0].split("_")[0]
    return int(digits) if digits.isdigit() else 0
