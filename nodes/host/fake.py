"""A host without ComfyUI, for tests of nodes: real folders, ComfyUI's rules of naming, an interrupt on demand."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .folders import AllowedFolders
from .host import SavePlace

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from ...clip_backend.encoding.cache import EmbeddingCache
    from ...clip_backend.finding.folders import ModelPathConfig
    from ...imaging import Progress


class Interrupted(BaseException):
    """What newer ComfyUI versions raise for an interrupt: not an Exception, so that no handler swallows it."""


class FakeHost:
    """Folders below ``root``; remembers every step of progress, and stops after ``interrupt_after`` of them."""

    def __init__(
        self,
        root: Path,
        *,
        embeds_metadata: bool = True,
        interrupt_after: int | None = None,
        extra: tuple[Path, ...] = (),
        vocabulary_folders: tuple[Path, ...] = (),
    ) -> None:
        self.folders = AllowedFolders(root / "input", root / "output", root / "temp", extra)
        self.templates_folder = root / "user" / "clip_grid" / "templates"
        self.embeddings_folder = root / "user" / "clip_grid" / "embeddings"
        self.embeds_metadata = embeds_metadata
        self.interrupt_after = interrupt_after
        self.models_folder = root / "models"
        self.vocabulary_folders = vocabulary_folders
        #: What every model was asked to have free, in bytes, before each of its batches.
        self.working_bytes: list[int] = []
        #: (done, in all) of every step.
        self.steps: list[tuple[int, int]] = []
        for folder in (self.folders.input, self.folders.output, self.folders.temp):
            folder.mkdir(parents=True, exist_ok=True)

    def save_place(self, prefix: str, width: int, height: int) -> SavePlace:
        """As ComfyUI names files; of the tokens only %width% and %height% are known."""
        self.folders.check_prefix(prefix)
        named = Path(prefix.replace("%width%", str(width)).replace("%height%", str(height)))
        folder = self.folders.output / named.parent
        folder.mkdir(parents=True, exist_ok=True)
        start = f"{named.name}_"
        used = [_counter(file.name[len(start) :]) for file in folder.iterdir() if file.name.startswith(start)]
        subfolder = named.parent.as_posix()
        return SavePlace(folder, named.name, max(used, default=0) + 1, "" if subfolder == "." else subfolder)

    def check_interrupt(self) -> None:
        """Raises Interrupted once pictures enough are done."""
        if self.interrupt_after is not None and self.steps and self.steps[-1][0] >= self.interrupt_after:
            raise Interrupted

    def progress(self) -> Progress:
        """A recorder of (done, in all)."""

        def show(done: int, total: int) -> None:
            self.steps.append((done, total))
            self.check_interrupt()

        return show

    def image(self, page: NDArray[np.float32]) -> NDArray[np.float32]:
        """The array itself stands for the tensor."""
        return page

    @property
    def model_folders(self) -> ModelPathConfig:
        """ComfyUI's folders of models below ``models_folder``."""
        from ...clip_backend.finding.folders import ModelPathConfig

        return ModelPathConfig(
            clip_vision_paths=self.models_folder / "clip_vision",
            text_encoder_paths=[self.models_folder / "text_encoders", self.models_folder / "clip"],
            checkpoint_paths=self.models_folder / "checkpoints",
        )

    @property
    def model_device(self) -> torch.device:
        """The processor."""
        import torch

        return torch.device("cpu")

    def place(self, model: torch.nn.Module) -> FakePlacement:
        """A model that stays where it is."""
        return FakePlacement(self, self.model_device)

    def place_core(self, patcher: Any) -> FakePlacement:
        """The same."""
        return FakePlacement(self, patcher.load_device)

    @cached_property
    def embeddings(self) -> EmbeddingCache:
        """For as long as the host lives."""
        from ...clip_backend.encoding.cache import EmbeddingCache

        return EmbeddingCache()

    def blocker(self) -> Blocker:
        """One that can be told from values."""
        return Blocker()

    def vision_output(self, fields: Mapping[str, object]) -> FakeOutput:
        """An object as ComfyUI's, with attributes that may be read as items too."""
        return FakeOutput(fields)


class Blocker:
    """What stands in an output for nothing to go on with."""


class FakeOutput:
    """A CLIP_VISION_OUTPUT."""

    def __init__(self, fields: Mapping[str, object]) -> None:
        self.__dict__.update(fields)

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)


class FakePlacement:
    """Remembers in the host what it was asked for; the user's wish to stop reaches it there."""

    def __init__(self, host: FakeHost, device: torch.device) -> None:
        self._host = host
        self.device = device

    def ready(self, working_bytes: int) -> None:
        """Notes the bytes; raises Interrupted as the host says."""
        self._host.check_interrupt()
        self._host.working_bytes.append(working_bytes)

    def is_out_of_memory(self, error: BaseException) -> bool:
        """Whether the error is a MemoryError."""
        return isinstance(error, MemoryError)

    def empty_cache(self) -> None:
        """Nothing is held."""

    def move_to_cpu(self) -> None:
        """It is there already."""


def _counter(rest: str) -> int:
    digits = rest.split(".")[0].split("_")[0]
    return int(digits) if digits.isdigit() else 0
