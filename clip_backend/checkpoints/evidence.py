"""What a user or a writer says about one file: the JSON beside it, and the words in its own header.

A sidecar of ``model.safetensors`` is ``model.clip.json``, or else ``model.json``: an object with any of the names of
``Properties``, or a copy of the model's config.json or open_clip_config.json.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import CheckpointError, InputError
from . import configs
from .configs import parse_object, read_object
from .info import Source, TextShape, VisionShape
from .properties import NAMES, Properties, properties_of
from .safetensors_header import Opener
from .spaces import Towers
from .weight_listing import WeightListing

_OURS, _ANY = ".clip.json", ".json"
#: Of a header: properties as in a sidecar, and a copy of config.json.
METADATA_KEYS = ("clip_grid", "config")


def sidecar_of(path: Path) -> Path | None:
    """The JSON that belongs to a model file alone; None if there is none, or for a folder."""
    if path.is_dir():
        return None
    for suffix in (_OURS, _ANY):
        found = path.with_name(path.stem + suffix)
        if found.is_file() and found != path:
            return found
    return None


def sidecar_properties(sidecar: Path, vision: VisionShape | None, text: TextShape | None) -> Properties:
    """What a sidecar says.

    Raises CheckpointError for a ``.clip.json`` that is wrong: it was written for this package. Any other JSON that is
    not understood says nothing, for many programs keep such files.
    """
    try:
        return stated(read_object(sidecar), vision, text, sidecar.name)
    except InputError as error:
        if sidecar.name.endswith(_OURS):
            reason = error.reason if isinstance(error, CheckpointError) else str(error)
            raise CheckpointError(str(sidecar), reason) from error
        return Properties()


def metadata_properties(metadata: Mapping[str, str], vision: VisionShape | None, text: TextShape | None) -> Properties:
    """What the header of a file says in words; InputError if it is wrong."""
    for key in METADATA_KEYS:
        if key in metadata:
            try:
                return stated(parse_object(metadata[key]), vision, text, f"__metadata__ {key}")
            except (ValueError, RecursionError) as error:
                raise InputError(f"__metadata__ {key} is no sound JSON ({str(error)[:100]})") from error
    return Properties()


def stated(raw: Mapping[str, object], vision: VisionShape | None, text: TextShape | None, where: str) -> Properties:
    """The properties of an object in any of the three forms."""
    if configs.is_open_clip(raw):
        if wrong := configs.open_clip_contradiction(raw, vision, text):
            raise InputError(f"{where} {wrong}")
        return configs.open_clip_properties(raw, vision, text)
    if "model_type" in raw or "vision_config" in raw or "text_config" in raw:
        towers = configs.tower_configs(raw)
        if wrong := configs.hf_contradiction(towers, vision, text):
            raise InputError(f"{where} {wrong}")
        return configs.config_properties(towers, vision, text)
    return properties_of({name: raw[name] for name in NAMES if name in raw}, where)


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
        readers.append(lambda: configs.preprocessor_properties(read_object(folder / _PREPROCESSOR)))
    names = (_OPEN_CLIP_CONFIG, _HF_CONFIG)
    for name in names:
        if (folder / name).is_file():
            readers.append(_reader(folder / name, vision, text))
    return readers


def _reader(file: Path, vision: VisionShape | None, text: TextShape | None) -> Callable[[], Properties]:
    def read() -> Properties:
        raw = read_object(file)
        is_stated = configs.is_open_clip(raw) or file.name == _HF_CONFIG
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


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the caller asked for, beside the file."""

    path: Path
    listing: WeightListing
    argument: Properties
    opener: Opener
    known: Mapping[str, Properties]
