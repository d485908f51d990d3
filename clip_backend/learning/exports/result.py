"""What is exported for which program, and what was written; without torch, so that commands can name the programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .merge import Changes

Target = Literal["hf", "comfy-vision", "comfy-text", "kohya", "peft", "open-clip"]
TARGETS: tuple[Target, ...] = ("hf", "comfy-vision", "comfy-text", "kohya", "peft", "open-clip")
#: Targets that are a folder; the others are one file.
FOLDERS = ("hf", "peft", "open-clip")


@dataclass(frozen=True)
class Exported:
    """What was written."""

    target: Target
    #: The file or the folder.
    path: Path
    dtype: str
    #: None where nothing was trained.
    strength: float | None
    tensors: int
    size_bytes: int
    #: How much merged weights changed; None for a LoRA, which is written as it is.
    changes: Changes | None = None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        told = None
        if self.changes:
            told = {
                "largest": self.changes.largest, "parameter": self.changes.where, "changed": self.changes.changed,
                "survived": self.changes.survived, "share": self.changes.share,
            }  # fmt: skip
        return {
            "target": self.target, "path": str(self.path), "dtype": self.dtype, "strength": self.strength,
            "tensors": self.tensors, "size_bytes": self.size_bytes, "changes": told, "notes": list(self.notes),
        }  # fmt: skip
