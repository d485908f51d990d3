"""What a run would use: versions, device, model, verdict, cache and folders, without loading a model."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..clip_backend.encoding.cache import cache_bytes
from ..clip_backend.encoding.devices import choose_device, choose_dtype
from ..clip_backend.encoding.store_file import store_info
from ..clip_backend.finding.catalog import FoundModel, inspect_model
from ..clip_backend.finding.folders import ModelType, detect_comfyui_installation, find_model_folders
from ..clip_backend.matching.result import MatchOptions
from ..clip_backend.matching.scores import limit_of
from ..errors import InputError, OutputError
from .models import ModelChoice

#: Packages whose versions decide what can be computed.
PACKAGES = ("torch", "transformers", "tokenizers", "safetensors", "Pillow", "numpy")


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """What a run would use, as this machine and the caller say."""

    version: str
    python: str
    #: The version of each of PACKAGES; None for one that is not installed.
    packages: Mapping[str, str | None]
    #: Device as torch names it, and dtype "fp32", "fp16" or "bf16"; empty without torch.
    device: str
    dtype: str
    #: None without a model; ``model_note`` says which it is, or how to get one.
    model: FoundModel | None
    text_encoder: FoundModel | None
    model_note: str
    #: The preset of the verdict, the threshold of a match, and the scale that this is on.
    match: Mapping[str, object]
    #: None where embeddings are not kept.
    cache_folder: Path | None
    cache_bytes: int
    #: Embeddings in its file, and why they cannot be counted; empty if they can.
    cache_rows: int
    cache_problem: str
    #: The most that it may hold.
    cache_limit: int
    comfyui: Path | None
    model_folders: tuple[Path, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        found = {name: model and model.to_dict() for name, model in self._models().items()}
        folder = None if self.cache_folder is None else str(self.cache_folder)
        cache = {"folder": folder, "bytes": self.cache_bytes, "limit": self.cache_limit, "rows": self.cache_rows}
        return {
            "version": self.version,
            "python": self.python,
            "packages": dict(self.packages),
            "device": self.device,
            "dtype": self.dtype,
            **found,
            "model_note": self.model_note,
            "match": dict(self.match),
            "cache": cache | ({"problem": self.cache_problem} if self.cache_problem else {}),
            "comfyui": None if self.comfyui is None else str(self.comfyui),
            "model_folders": list(map(str, self.model_folders)),
        }

    def _models(self) -> dict[str, FoundModel | None]:
        return {"model": self.model, "text_encoder": self.text_encoder}


def configuration(model: ModelChoice | None = None) -> Configuration:
    """What a run with this model, or with the default one, would use.

    Raises InputError for a device or number type that is not there; a model that is not there is no error.
    """
    choice = model or ModelChoice()
    packages = {name: _version_of(name) for name in PACKAGES}
    device, dtype = _computes_in(choice.given) if find_spec("torch") else ("", "")
    found, text_encoder, note = _models_of(choice)
    verdict = MatchOptions()
    limit = limit_of(verdict, is_calibrated=False)
    folder = choice.cache_folder
    stored = store_info(folder) if folder else None
    return Configuration(
        version=version(),
        python=sys.version.partition(" ")[0],
        packages=packages,
        device=device,
        dtype=dtype,
        model=found,
        text_encoder=text_encoder,
        model_note=note,
        match={"preset": verdict.preset, "threshold": limit.threshold, "threshold_scale": limit.scale},
        cache_folder=folder,
        cache_bytes=_size_of(folder) if folder else 0,
        cache_rows=stored.rows if stored else 0,
        cache_problem=stored.problem if stored else "",
        cache_limit=cache_bytes(choice.given.get("cache_gb")),
        comfyui=detect_comfyui_installation(),
        model_folders=tuple(find_model_folders().all_paths()),
    )


def version() -> str:
    """The version of this package that was installed, or that of the checkout."""
    if installed := _version_of("clip-grid"):
        return installed
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8")
    found = re.search(r'^version = "(.+)"$', text, re.MULTILINE)
    if found is None:
        raise OutputError("pyproject.toml holds no version")
    return found[1]


def _version_of(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _computes_in(given: Mapping[str, Any]) -> tuple[str, str]:
    device = choose_device(given.get("device", "auto"))
    return str(device), choose_dtype(given.get("dtype", "auto"), device)


def _models_of(choice: ModelChoice) -> tuple[FoundModel | None, FoundModel | None, str]:
    try:
        path, second, notes = choice.files()
    except InputError as error:
        return None, None, str(error)
    found = [inspect_model(FoundModel(str(one), one), ModelType.OTHER) for one in (path, second) if one]
    return found[0], found[1] if second else None, "; ".join(notes)


def _size_of(folder: Path) -> int:
    """The bytes of all files in the folder and below it; 0 if it is not there yet."""
    return sum(os.path.getsize(os.path.join(here, name)) for here, _, names in os.walk(folder) for name in names)
