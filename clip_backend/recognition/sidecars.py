"""What a user or a writer says about one file: the JSON beside it, and the words in its own header.

A sidecar of ``model.safetensors`` is ``model.clip.json``, or else ``model.json``: an object with any of the names of
``Properties``, or a copy of the model's config.json or open_clip_config.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...errors import CheckpointError, InputError
from ..checkpoint_info import TextShape, VisionShape
from . import hf_config, open_clip_config
from .json_files import parse_object, read_object
from .properties import NAMES, Properties, properties_of

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
    if open_clip_config.is_open_clip(raw):
        if wrong := open_clip_config.contradiction(raw, vision, text):
            raise InputError(f"{where} {wrong}")
        return open_clip_config.open_clip_properties(raw, vision, text)
    if "model_type" in raw or "vision_config" in raw or "text_config" in raw:
        configs = hf_config.tower_configs(raw)
        if wrong := hf_config.contradiction(configs, vision, text):
            raise InputError(f"{where} {wrong}")
        return hf_config.config_properties(configs, vision, text)
    return properties_of({name: raw[name] for name in NAMES if name in raw}, where)
