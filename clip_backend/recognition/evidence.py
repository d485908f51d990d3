"""Everything that is said about a model beside its shapes, source by source, and which of them wins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import InputError
from ..checkpoint_info import Source, TextShape, VisionShape
from . import hf_config, open_clip_config
from .json_files import read_object
from .properties import NAMES, Properties
from .sidecars import metadata_properties, sidecar_of, sidecar_properties, stated
from .spaces import Towers
from .weight_listing import WeightListing

_HF_CONFIG, _OPEN_CLIP_CONFIG = "config.json", "open_clip_config.json"
_PREPROCESSOR = "preprocessor_config.json"
#: Families whose pictures may have another size than their table of positions.
_ANY_SIZE = ("dinov2", "dinov3", "naflex")


@dataclass(frozen=True)
class Evidence:
    """The sources that speak, the strongest first, and what was wrong with others."""

    sources: tuple[tuple[Source, Properties], ...]
    notes: tuple[str, ...] = ()


def gather(path: Path, listing: WeightListing, vision: VisionShape | None, text: TextShape | None) -> Evidence:
    """Sidecar, configuration and metadata of a model; one that contradicts the tensors is ignored with a note."""
    notes: list[str] = []
    found: list[tuple[Source, Properties]] = []
    sidecar = sidecar_of(path)
    if sidecar:
        found.append(("sidecar", sidecar_properties(sidecar, vision, text)))
    if listing.folder:
        folder = listing.folder
        found += [("config", _noted(notes, source)) for source in _folder_sources(folder, vision, text)]
    found.append(("metadata", _noted(notes, lambda: metadata_properties(listing.metadata, vision, text))))
    wrong: list[str] = []
    possible = tuple((source, _possible(said, vision, text, wrong)) for source, said in found)
    return Evidence(possible, (*notes, *(f"{what}; it is ignored" for what in wrong)))


def resolved(sources: tuple[tuple[Source, Properties], ...]) -> tuple[Properties, Mapping[str, Source]]:
    """For every property the first source that states it, and which one that was."""
    winners: dict[str, Source] = {}
    values: dict[str, object] = {}
    for name in NAMES:
        for source, said in sources:
            if getattr(said, name) is not None:
                values[name], winners[name] = getattr(said, name), source
                break
    return Properties(**values), winners  # type: ignore[arg-type]


def _folder_sources(folder: Path, vision: VisionShape | None, text: TextShape | None) -> list[Callable[[], Properties]]:
    """A reader for each file of the folder that says something."""
    readers: list[Callable[[], Properties]] = []
    if vision and (folder / _PREPROCESSOR).is_file():
        readers.append(lambda: hf_config.preprocessor_properties(read_object(folder / _PREPROCESSOR)))
    names = (_OPEN_CLIP_CONFIG, _HF_CONFIG)
    for name in names:
        if (folder / name).is_file():
            readers.append(_reader(folder / name, vision, text))
    return readers


def _reader(file: Path, vision: VisionShape | None, text: TextShape | None) -> Callable[[], Properties]:
    def read() -> Properties:
        raw = read_object(file)
        is_stated = open_clip_config.is_open_clip(raw) or file.name == _HF_CONFIG
        return stated({"model_type": "clip"} | dict(raw), vision, text, file.name) if is_stated else Properties()

    return read


def _noted(notes: list[str], read: Callable[[], Properties]) -> Properties:
    try:
        return read()
    except InputError as error:
        notes.append(f"{error}; it is ignored")
        return Properties()


def check_argument(argument: Properties, towers: Towers) -> None:
    """Raises InputError for what the caller states and the shapes rule out."""
    wrong: list[str] = []
    if towers.family in _ANY_SIZE:
        argument = replace(argument, image_size=None)
    _possible(argument, towers.vision, towers.text, wrong)
    if wrong:
        raise InputError(f"{wrong[0]}; give another number, or none")


def _possible(said: Properties, vision: VisionShape | None, text: TextShape | None, wrong: list[str]) -> Properties:
    """Without what the shapes rule out, which is told in ``wrong``."""
    tower = vision or text
    if said.heads and tower and tower.width % said.heads:
        wrong.append(f"{said.heads} heads do not divide a width of {tower.width}")
        said = replace(said, heads=None)
    if said.text_heads and text and text.width % said.text_heads:
        wrong.append(f"{said.text_heads} heads do not divide a width of {text.width}")
        said = replace(said, text_heads=None)
    if said.image_size and vision and not _fits(said.image_size, vision):
        wrong.append(f"pictures of {said.image_size} px do not fit {vision.tokens} tokens")
        said = replace(said, image_size=None)
    return said


def _fits(image_size: int, vision: VisionShape) -> bool:
    grid = image_size // vision.patch
    return grid * grid == vision.tokens - vision.has_class_token
