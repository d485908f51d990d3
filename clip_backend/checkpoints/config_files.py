"""What the JSON files of a model state: config.json, open_clip_config.json, preprocessor_config.json and sidecars.

A sidecar of ``model.safetensors`` is ``model.clip.json``, or else ``model.json``: an object with any of the names of
``Properties``, or a copy of the model's config.json or open_clip_config.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...errors import CheckpointError, InputError
from .hf_configs import hf_properties
from .info import CheckpointInfo, Source
from .json_files import Json, parsed, part, read_json
from .open_clip_configs import is_open_clip, open_clip_properties
from .preprocessor_configs import preprocessor_properties
from .properties import Properties, check_properties, without_impossible

_HF, _OPEN_CLIP = "config.json", "open_clip_config.json"
#: The second is what a processor of transformers 5 writes; the first goes before it.
_PREPROCESSORS = ("preprocessor_config.json", "processor_config.json")
_OUR_SIDECAR = ".clip.json"
#: Of the metadata of a header: properties as in a sidecar, and a copy of config.json.
_METADATA_KEYS = ("clip_grid", "config")


def stated_properties(
    info: CheckpointInfo, folder: Path | None, metadata: Mapping[str, str]
) -> tuple[list[tuple[Source, Properties]], list[str]]:
    """What sidecar, configs and metadata of a model state, the strongest first, and notes about what is ignored.

    folder: the one with the configs of the model. What contradicts the shapes is ignored. Raises CheckpointError for a
    ``.clip.json`` that is invalid: it was written for this package.
    """
    stated: list[tuple[Source, Properties]] = [("sidecar", _sidecar_properties(info))]
    notes: list[str] = []
    processor = next((name for name in _PREPROCESSORS if folder and info.vision and (folder / name).is_file()), "")
    for name in (processor, _OPEN_CLIP, _HF):
        if folder and name and (folder / name).is_file():
            try:
                stated.append(("config", _config_properties(folder / name, info)))
            except InputError as error:
                notes.append(f"{error}; it is ignored")
    try:
        stated.append(("metadata", _metadata_properties(metadata, info)))
    except InputError as error:
        notes.append(f"{error}; it is ignored")
    for index, (source, properties) in enumerate(stated):
        possible, wrong = without_impossible(properties, info)
        stated[index] = source, possible
        notes += [f"{what}; it is ignored" for what in wrong]
    return stated, notes


def _sidecar_properties(info: CheckpointInfo) -> Properties:
    """Of the JSON file that is about one model file; a folder has none."""
    files = [info.path.with_name(info.path.stem + suffix) for suffix in (_OUR_SIDECAR, ".json")]
    sidecar = next((file for file in files if file.is_file() and file != info.path), None)
    if sidecar is None or info.path.is_dir():
        return Properties()
    try:
        return _any_form(read_json(sidecar), info, sidecar.name)
    except InputError as error:
        if sidecar.name.endswith(_OUR_SIDECAR):
            reason = error.reason if isinstance(error, CheckpointError) else str(error)
            raise CheckpointError(str(sidecar), reason) from error
        # many programs write such files
        return Properties()


def _config_properties(file: Path, info: CheckpointInfo) -> Properties:
    """Of a config of the model or of its preprocessor; InputError for one that is broken or of another model."""
    raw = read_json(file)
    if file.name in _PREPROCESSORS:
        own = raw if file.name == _PREPROCESSORS[0] else part(raw, "image_processor")
        return preprocessor_properties(own, info, file.name) if own else Properties()
    if file.name == _OPEN_CLIP and not is_open_clip(raw):
        return Properties()
    return _any_form({"model_type": "clip", **raw}, info, file.name)


def _metadata_properties(metadata: Mapping[str, str], info: CheckpointInfo) -> Properties:
    key = next((key for key in _METADATA_KEYS if key in metadata), None)
    if key is None:
        return Properties()
    try:
        raw = parsed(metadata[key])
    except (ValueError, RecursionError) as error:
        raise InputError(f"__metadata__ {key} is no sound JSON ({str(error)[:100]})") from error
    return _any_form(raw, info, f"__metadata__ {key}")


def _any_form(raw: Json, info: CheckpointInfo, where: str) -> Properties:
    """The properties in a config of open_clip or transformers, or under their own names.

    Raises InputError for invalid values and for a config that contradicts the shapes.
    """
    if is_open_clip(raw):
        return open_clip_properties(raw, info, where)
    if "model_type" in raw or "vision_config" in raw or "text_config" in raw:
        return hf_properties(raw, info, where)
    return check_properties(raw, where)
