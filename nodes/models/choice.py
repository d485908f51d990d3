"""The models that nodes offer by name, from what is found in the host's model folders."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from ...clip_backend.checkpoints.info import CheckpointInfo
from ...clip_backend.finding.advice import COMFYUI, how_to_get_one, no_complete_model
from ...clip_backend.finding.catalog import FoundModel, inspect_model, list_possible_models
from ...clip_backend.finding.folders import ModelPathConfig, ModelType
from ...errors import ClipGridError, InputError
from ...log import logger
from ..host.host import Host

#: The names that stand for no second file, for the first complete model, and for the model bundled with the package.
NONE, AUTO, DEMO = "none", "auto", "shapes-demo"
#: The name in the loader's list where no model is found.
NOT_FOUND = "none found"
#: Seconds for which a listing of the folders is used again: ComfyUI asks several times per run.
RELIST_S = 2.0
#: If one of these is in a folder, the names of all files in it decide what the config describes.
_CONFIGS = ("config.json", "open_clip_config.json")

#: Real path, size and modification time of a file.
FileState = tuple[str, int, int]
#: Everything that the information on a model depends on.
_Key = tuple[FoundModel, ModelType, tuple[FileState, ...]]


def model_names(host: Host) -> list[str]:
    """The names of the models with a vision encoder, the demo's last; never raises.

    The first name is preselected: without any other model that is ``none found`` and not the demo.
    """
    names = [name for name, info in _models(host).items() if info.vision]
    return names if any(name != DEMO for name in names) else [NOT_FOUND, DEMO]


def complete_model_names(host: Host) -> list[str]:
    """The names of the models with both a vision and a text encoder, the demo's last; never raises."""
    return [name for name, info in _models(host).items() if info.has_both_encoders]


def text_encoder_names(host: Host) -> list[str]:
    """``none``, and the names of the files with a text encoder and its projection; never raises."""
    infos = _models(host).items()
    return [NONE, *(name for name, info in infos if info.text and info.has_text_projection and name != DEMO)]


def auto_model(host: Host) -> tuple[str, tuple[str, ...]]:
    """The name of the first complete model, and a note that names it; raises InputError if there is only the demo."""
    names = [name for name in complete_model_names(host) if name != DEMO]
    if not names:
        raise InputError(no_complete_model(found_models(host), COMFYUI))
    others = f", the first of {len(names)} in your model folders" if len(names) > 1 else ""
    return names[0], (f"the model is {names[0]}{others}",)


def model_advice(host: Host) -> str:
    """What a user without a complete model is to do; empty where there is one; never raises."""
    found = found_models(host)
    is_complete = any(model.info and model.info.has_both_encoders for model in found)
    return "" if is_complete else no_complete_model(found, COMFYUI)


def demo_notes(name: str, host: Host) -> tuple[str, ...]:
    """What the user of the demo should know; nothing for other models."""
    if name != DEMO:
        return ()
    is_cured = not model_advice(host)
    cure = "choose one of your own models in CLIP Model Loader" if is_cured else how_to_get_one(COMFYUI)
    return (f"{DEMO} is a toy that knows coloured shapes only: about other pictures it says nothing; {cure}",)


def find_model(name: str, host: Host) -> CheckpointInfo:
    """The model of this name; raises InputError with the closest names."""
    infos = _models(host)
    if name in infos:
        return infos[name]
    if name == NOT_FOUND:
        raise InputError(no_complete_model(found_models(host), COMFYUI))
    near = " or ".join(map(repr, get_close_matches(name[:200], infos, 2, 0.5)))
    hint = COMFYUI.fetch if len(infos) > 1 else how_to_get_one(COMFYUI)
    hint = f"did you mean {near}" if near else hint
    raise InputError(f"there is no model {name!r} that can be loaded in your model folders; {hint}")


def known_models(host: Host) -> Mapping[str, CheckpointInfo]:
    """The models that nodes offer, by their names, the demo's last; never raises."""
    return _models(host)


def found_models(host: Host) -> list[FoundModel]:
    """The models in the host's folders, under the names that nodes offer; never raises."""
    return [FoundModel(name, info.path, info) for name, info in _models(host).items() if name != DEMO]


def _models(host: Host) -> Mapping[str, CheckpointInfo]:
    """The models in the host's folders and the demo, each under a unique name."""
    try:
        config = host.model_folders
        models = _model_list(tuple(config.all_paths())).models(config)
    except (ClipGridError, OSError) as error:
        # an error in INPUT_TYPES would remove the node from ComfyUI
        logger.warning("models cannot be listed: %s", error)
        models = {}
    return {**models, **_demo()}


@cache
def _model_list(folders: tuple[Path, ...]) -> ModelList:
    return ModelList()


@cache
def _demo() -> Mapping[str, CheckpointInfo]:
    from ...clip_backend.checkpoints.read import read_checkpoint
    from ...clip_backend.shapes_demo import shapes_demo_path

    path = shapes_demo_path()
    return {DEMO: read_checkpoint(path)} if (path / "config.json").is_file() else {}


class ModelList:
    """The models in some folders; cheap to ask again.

    read: reads a file's header; called again only for a file that changed, or for which a file beside it changed.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        read: Callable[[FoundModel, ModelType], FoundModel] = inspect_model,
    ) -> None:
        self._clock = clock
        self._read = read
        self._listed_at: float | None = None
        self._found: dict[_Key, FoundModel] = {}
        self._models: Mapping[str, CheckpointInfo] = {}

    def models(self, config: ModelPathConfig) -> Mapping[str, CheckpointInfo]:
        """The models that can be loaded, each under a unique name; files that cannot be read are left out."""
        now = self._clock()
        if self._listed_at is None or now - self._listed_at > RELIST_S:
            self._listed_at = now
            json_states = cache(_json_states)
            keys = [(one, kind, _states(one.path, json_states)) for one, kind in list_possible_models(config)]
            found = {key: self._found.get(key) or self._read(*key[:2]) for key in keys}
            if list(found) != list(self._found):
                self._found, self._models = found, dict(_unique_names(found.values()))
        return self._models


def _states(path: Path, json_states: Callable[[Path], tuple[FileState, ...]]) -> tuple[FileState, ...]:
    """The states of the files that describe a model: its own and those of JSON files beside it, or a whole folder's."""
    if os.path.isdir(path):
        return tuple(map(_state, _entries(path)))
    return _state(path), *json_states(path.parent)


def _json_states(folder: Path) -> tuple[FileState, ...]:
    entries = _entries(folder)
    states = [_state(entry) for entry in entries if entry.suffix == ".json"]
    has_config = any(entry.name in _CONFIGS for entry in entries)
    return *states, *((str(entry), 0, 0) for entry in entries if has_config)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(Path(entry.path) for entry in os.scandir(folder))
    except OSError:
        # removed or closed to us since it was listed
        return []


def _state(path: Path) -> FileState:
    try:
        status = os.stat(path)
    except OSError:
        # removed since it was listed, or a broken link: that is a state too
        return str(path), -1, -1
    return os.path.realpath(path), status.st_size, status.st_mtime_ns


def _unique_names(found: Iterable[FoundModel]) -> Iterator[tuple[str, CheckpointInfo]]:
    """The usable models; equal names get their folder in front, and a number if that is not enough."""
    usable = [(model, model.info) for model in found if model.info is not None and not model.problem]
    counts = Counter(model.name for model, _ in usable)
    used: Counter[str] = Counter()
    for model, info in usable:
        name = model.name if counts[model.name] == 1 else f"{_folder_name(model.path, model.name)}/{model.name}"
        used[name] += 1
        yield name if used[name] == 1 else f"{name} ({used[name]})", info


def _folder_name(path: Path, name: str) -> str:
    """The name of the model folder that was searched."""
    depth = len(Path(name).parts)
    return path.parents[depth - 1].name if path.as_posix().endswith(name) else path.parent.name
