"""The model files of a ComfyUI by kind: ``ComfyUIPathResolver``, and ``ModelRegistry`` as it lists them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..clip_backend.finding.catalog import FoundModel, distinct_models, possible_models
from ..clip_backend.finding.folders import ModelPathConfig, ModelType, StrPath, detect_comfyui_installation
from ..errors import InputError


class ComfyUIPathResolver:
    """The model files of one configuration by kind."""

    def __init__(self, config: ModelPathConfig) -> None:
        self.config = config

    @classmethod
    def from_comfyui(cls, root: StrPath) -> ComfyUIPathResolver:
        """A resolver for a ComfyUI folder; raises InputError if there is no such folder."""
        return cls(ModelPathConfig.from_root(root))

    @classmethod
    def from_auto_detect(cls, search_paths: Sequence[StrPath] | None = None) -> ComfyUIPathResolver:
        """A resolver for the first ComfyUI in these paths or the usual places; raises InputError if there is none."""
        root = detect_comfyui_installation(search_paths)
        if root is None:
            where = "the usual places" if search_paths is None else ", ".join(map(str, search_paths))
            raise InputError(f"there is no ComfyUI in {where}; give its folder")
        return cls.from_comfyui(root)

    def scan_models(self, kind: ModelType | str) -> list[Path]:
        """The models of this kind, each once, in the order of their folders; by name alone, none is opened."""
        return [model.path for model in self._models(kind)]

    def get_stats(self) -> dict[str, int]:
        """How many models there are of each kind."""
        return {kind.value: len(self._models(kind)) for kind in ModelType}

    def create_registry_from_comfyui(self) -> ModelRegistry:
        """A list of all models as they are now."""
        return ModelRegistry({kind: self._models(kind) for kind in ModelType})

    def _models(self, kind: ModelType | str) -> list[FoundModel]:
        models = (model for folder in self.config.get_paths(kind) for model in possible_models(folder))
        return list(distinct_models((model for model in models if not model.problem), set()))


class ModelRegistry:
    """The model files of each kind when it was made, by name alone; none was opened.

    The ``name`` of each is its path below its folder, as ComfyUI shows it.
    """

    def __init__(self, models: Mapping[ModelType, Sequence[FoundModel]]) -> None:
        self._models = {kind: tuple(models.get(kind, ())) for kind in ModelType}

    def get_all(self, kind: ModelType | str) -> list[FoundModel]:
        """The models of this kind, in the order of their folders."""
        return list(self._models[ModelType(kind)])

    def get_all_loras(self) -> list[FoundModel]:
        """The LoRAs."""
        return self.get_all(ModelType.LORA)

    def get_stats(self) -> dict[str, int]:
        """How many models there are of each kind."""
        return {kind.value: len(models) for kind, models in self._models.items()}

    def __len__(self) -> int:
        return sum(map(len, self._models.values()))


def create_comfyui_registry(
    comfyui_path: StrPath | None = None, *, search_paths: Sequence[StrPath] | None = None
) -> ModelRegistry:
    """The models of a ComfyUI: of this folder, else of the first one in ``search_paths`` or in the usual places.

    Raises InputError if there is none.
    """
    if comfyui_path is not None:
        resolver = ComfyUIPathResolver.from_comfyui(comfyui_path)
    else:
        resolver = ComfyUIPathResolver.from_auto_detect(search_paths)
    return resolver.create_registry_from_comfyui()
