"""The adapters among the user's files, recognised by their content, and the one that a name means."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...errors import CheckpointError, InputError
from ..finding.catalog import distinct_models, possible_models
from ..finding.folders import ModelPathConfig, ModelType, StrPath, find_model_folders
from .detection import AdapterInfo, read_adapter_info
from .variants import FAMILY_TITLES, variant_named

_SUFFIXES = (".safetensors", ".sft", ".bin", ".pt", ".pth", ".ckpt")
_SHOWN = 6


@dataclass(frozen=True)
class FoundAdapter:
    """A file that may be an adapter by its place, and what it is."""

    #: Its path below the folder that was searched, with forward slashes.
    name: str
    path: Path
    #: None for what is no adapter, or cannot be read.
    info: AdapterInfo | None = None
    #: Why there is no info; empty if there is.
    problem: str = ""


def find_adapters(config: ModelPathConfig | None = None, *, allow_pickle: bool = False) -> list[FoundAdapter]:
    """The files in the folders for adapters, each once; what is no adapter is listed with the reason.

    config: where to look; without it in ComfyUI's folders. allow_pickle: as of ``read_adapter_info``.
    """
    known = find_model_folders() if config is None else config
    return [inspect_adapter(name, path, allow_pickle) for name, path in possible_adapters(known)]


def possible_adapters(config: ModelPathConfig) -> Iterator[tuple[str, Path]]:
    """Name and path of each file in the folders for adapters; none is opened."""
    seen: set[str] = set()
    for folder in config.get_paths(ModelType.IPADAPTER):
        if os.path.exists(folder):
            for model in distinct_models(possible_models(folder), seen):
                if model.path.suffix.lower() in _SUFFIXES:
                    yield model.name, model.path


def inspect_adapter(name: str, path: Path, allow_pickle: bool) -> FoundAdapter:
    """What a file is, by its header; what is no adapter has the reason."""
    try:
        return FoundAdapter(name, path, read_adapter_info(path, allow_pickle=allow_pickle))
    except CheckpointError as error:
        return FoundAdapter(name, path, problem=error.reason)


def adapter_named(
    name: StrPath,
    *,
    variant: str | None = None,
    family: str | None = None,
    config: ModelPathConfig | None = None,
    allow_pickle: bool = False,
) -> AdapterInfo:
    """The adapter that a path means, or part of the name of a file in the folders for adapters.

    A file whose whole name is meant goes before those with more in their names. variant, family: which one, where
    several have the name; see ``VARIANT_NAMES`` and ``FAMILY_TITLES``. Raises CheckpointError for a path that is no
    adapter; InputError if none or several have the name, listing them, and for an unknown variant or family.
    """
    if variant is not None:
        variant = variant_named(variant).name
    if family is not None and family not in FAMILY_TITLES:
        raise InputError(f"there is no family {family!r}; choose one of {', '.join(FAMILY_TITLES)}")
    if os.path.exists(name):
        return read_adapter_info(name, variant=variant, allow_pickle=allow_pickle)
    found = find_adapters(config, allow_pickle=allow_pickle)
    named = [one for one in found if _plain(str(name)) in _plain(one.name)]
    possible = [one for one in named if one.info and _may_be(one.info, variant, family)]
    # that of the file's name goes before others with such tensors
    fitting = [one for one in possible if one.info and variant in (None, one.info.variant.name)] or possible
    whole = [one for one in fitting if _plain(str(name)) in (_plain(one.path.name), _plain(one.path.stem))]
    chosen = whole or fitting
    if len(chosen) != 1:
        raise InputError(_not_one(str(name), chosen, named or found))
    return read_adapter_info(chosen[0].path, variant=variant, allow_pickle=allow_pickle)


def _plain(name: str) -> str:
    return name.casefold().replace("_", "-").replace(" ", "-")


def _may_be(info: AdapterInfo, variant: str | None, family: str | None) -> bool:
    return variant in (None, *info.possible) and family in (None, info.family)


def _not_one(name: str, chosen: list[FoundAdapter], seen: list[FoundAdapter]) -> str:
    """Why a name does not mean one file."""
    if chosen:
        listed = ", ".join(_described(one) for one in chosen[:_SHOWN]) + (", …" if len(chosen) > _SHOWN else "")
        return f"{name!r} means {len(chosen)} adapters: {listed}; give more of the name, or the family"
    if not seen:
        return f"there is no adapter {name!r}; put its file into ComfyUI's models/ipadapter, or give its path"
    listed = "; ".join(_described(one) for one in seen[:_SHOWN]) + ("; …" if len(seen) > _SHOWN else "")
    return f"there is no adapter {name!r} of this variant and family; there are: {listed}"


def _described(found: FoundAdapter) -> str:
    if found.info is None:
        return f"{found.name} ({found.problem})"
    family = f" for {FAMILY_TITLES[found.info.family]}" if found.info.family else ""
    return f"{found.name} ({found.info.variant.title}{family})"
