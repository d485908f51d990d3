"""The model files of a configuration, kind by kind, told by their names alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...errors import InputError
from .installations import detect_comfyui_installation
from .model_files import candidates, unseen
from .model_paths import ModelPathConfig, ModelType, StrPath


class ComfyUIPathResolver:
    """The model files of one configuration by kind."""

    def __init__(self, config: ModelPathConfig) -> None:
        self.config = config

    @classmethod
    def from_comfyui(cls, root: StrPath) -> ComfyUIPathResolver:
        """Of a folder of ComfyUI; raises InputError if there is no such folder."""
        return cls(ModelPathConfig.from_root(root))

    @classmethod
    def from_auto_detect(cls, search_paths: Sequence[StrPath] | None = None) -> ComfyUIPathResolver:
        """Of the first ComfyUI in these paths, or in the usual places; raises InputError if there is none."""
        root = detect_comfyui_installation(search_paths)
        if root is None:
            where = "the usual places" if search_paths is None else ", ".join(map(str, search_paths))
            raise InputError(f"there is no ComfyUI in {where}; give its folder")
        return cls.from_comfyui(root)

    def scan_models(self, kind: ModelType | str) -> list[Path]:
        """The models of this kind, each once, in the order of their folders; told by name, none is opened."""
        folders = self.config.get_paths(kind)
        found = (candidate for folder in folders for candidate in candidates(folder) if not candidate.problem)
        return [candidate.path for candidate in unseen(found, set())]

    def get_stats(self) -> dict[str, int]:
        """How many models there are of each kind."""
        return {kind.value: len(self.scan_models(kind)) for kind in ModelType}
