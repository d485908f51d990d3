"""A host without ComfyUI, for tests of nodes: real folders, ComfyUI's rules of naming, an interrupt on demand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .folders import AllowedFolders
from .host import SavePlace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..grid.pictures import Progress


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
    ) -> None:
        self.folders = AllowedFolders(root / "input", root / "output", root / "temp", extra)
        self.templates_folder = root / "user" / "clip_grid" / "templates"
        self.embeds_metadata = embeds_metadata
        self.interrupt_after = interrupt_after
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


def _counter(rest: str) -> int:
    digits = rest.split(".")[0].split("_")[0]
    return int(digits) if digits.isdigit() else 0
