"""The only door to ComfyUI: its folders, save names, metadata switch, progress bar, interrupt and tensors."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .folders import AllowedFolders

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..grid.pictures import Progress


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


_host: Host = ComfyHost()


def get_host() -> Host:
    """The host that the nodes talk to."""
    return _host


def set_host(host: Host) -> Host:
    """Let the nodes talk to another host, as the tests do; answers the one before."""
    global _host
    before, _host = _host, host
    return before
