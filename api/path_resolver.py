"""``ComfyUIPathResolver``: the model files of a ComfyUI by kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..clip_backend.finding.catalog import distinct_models, possible_models
from ..clip_backend.finding.folders import ModelPathConfig, ModelType, StrPath, detect_comfyui_installation
from ..errors import InputError


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
        """The models of this kind, each once, in the order of their folders; by name alone, none is opened."""
        models = (model for folder in self.config.get_paths(kind) for model in possible_models(folder))
        return [model.path for model in distinct_models((model for model in models if not model.problem), set())]

    def get_stats(self) -> dict[str, int]:
        """How many models there are of each kind."""
        return {kind.value: len(self.scan_models(kind)) for kind in ModelType}
