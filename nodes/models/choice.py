"""Whether a model must be looked into again: the state of its file, and of those beside it that may tell about it."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from ...clip_backend.checkpoints.info import CheckpointInfo
from ...clip_backend.finding.catalog import Candidate, FoundModel, listed, opened
from ...clip_backend.finding.folders import ModelPathConfig, ModelType
from ...clip_backend.finding.names import is_whole
from ...errors import ClipGridError, InputError
from ..host.host import Host

#: Real path, size and time of change.
State = tuple[str, int, int]
#: With one of these in a folder it matters which other files are there: it tells about a model that is alone.
_CONFIGS = ("config.json", "open_clip_config.json")


def state_reader() -> Callable[[Path], tuple[State, ...]]:
    """A function from a model's path to its state, which lists each folder once; it never raises.

    Of a file it is the file's own and that of the JSON in its folder, of a folder that of every file in it.
    """
    beside = cache(_telling)

    def states_of(path: Path) -> tuple[State, ...]:
        if path.is_dir():
            return tuple(map(_state, _entries(path)))
        return _state(path), *beside(path.parent)

    return states_of


def _telling(folder: Path) -> tuple[State, ...]:
    entries = _entries(folder)
    told = [entry for entry in entries if entry.suffix == ".json"]
    has_config = any(entry.name in _CONFIGS for entry in told)
    names = [(str(entry), 0, 0) for entry in entries] if has_config else []
    return *map(_state, told), *names


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(Path(entry.path) for entry in os.scandir(folder))
    except OSError:
        # gone, or nobody may list it, since it was found
        return []


def _state(path: Path) -> State:
    try:
        status = os.stat(path)
    except OSError:
        # gone since it was listed, or a link to nowhere: its absence is a state too
        return str(path), -1, -1
    return os.path.realpath(path), status.st_size, status.st_mtime_ns


logger = logging.getLogger("clip_grid")
#: No second file.
NONE = "none"
#: The first model that is whole.
AUTO = "auto"
#: The tiny model that comes with this package.
DEMO = "shapes-demo"
#: For so long folders are not looked through again: ComfyUI asks several times for each run.
REST_S = 2.0
#: Everything that what is known of a file depends on.
Key = tuple[Candidate, ModelType, tuple[State, ...]]


@dataclass(frozen=True)
class Choice:
    """One entry of a list of models."""

    name: str
    info: CheckpointInfo


class ModelList:
    """What was found in the folders of a host; safe to ask as often as one likes.

    look: looks into one file, which is asked again only for a file that changed, or one beside it that may tell of it.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        look: Callable[[Candidate, ModelType], FoundModel] = opened,
    ) -> None:
        self._clock = clock
        self._look = look
        self._looked_at: float | None = None
        self._known: dict[Key, FoundModel] = {}
        self._choices: tuple[Choice, ...] = ()

    def choices(self, config: ModelPathConfig) -> tuple[Choice, ...]:
        """The models that can be loaded, each under a name of its own; what cannot be read costs only itself."""
        now = self._clock()
        if self._looked_at is None or now - self._looked_at > REST_S:
            self._looked_at = now
            known = {key: self._known.get(key) or self._look(*key[:2]) for key in _keys(config)}
            if list(known) != list(self._known):
                self._known, self._choices = known, tuple(_choices(known.values()))
        return self._choices


@cache
def _list_of(folders: tuple[Path, ...]) -> ModelList:
    return ModelList()


def model_names(host: Host) -> list[str]:
    """The names of the models that see pictures, the demo's last; never raises."""
    return [choice.name for choice in _all(host) if choice.info.vision] or [DEMO]


def whole_model_names(host: Host) -> list[str]:
    """The names of the models that both see pictures and read texts, the demo's last; never raises."""
    return [choice.name for choice in _all(host) if is_whole(choice.info)]


def auto_model(host: Host) -> tuple[str, tuple[str, ...]]:
    """The name of the first whole model, and a note of the choice; raises InputError where only the demo is there."""
    whole = [name for name in whole_model_names(host) if name != DEMO]
    if not whole:
        raise InputError(
            "there is no CLIP in your model folders that has both halves, pictures and texts, in one file; choose one "
            "by its name, or link one from CLIP Model Loader"
        )
    others = f", the first of {len(whole)} in your model folders" if len(whole) > 1 else ""
    return whole[0], (f"the model is {whole[0]}{others}",)


def text_encoder_names(host: Host) -> list[str]:
    """``none``, and the names of the files with texts' half of a CLIP; never raises."""
    reading = [choice for choice in _all(host) if choice.info.text and choice.info.has_text_projection]
    return [NONE, *(choice.name for choice in reading if choice.name != DEMO)]


def chosen_model(name: str, host: Host) -> CheckpointInfo:
    """The model of this name; raises InputError with the names nearest to it."""
    known = {choice.name: choice.info for choice in _all(host)}
    if name in known:
        return known[name]
    near = " or ".join(map(repr, get_close_matches(name, known, 2, 0.5)))
    hint = f"did you mean {near}" if near else "put it into models/clip_vision and reload the page (R)"
    raise InputError(f"there is no model {name!r} that can be loaded in your model folders; {hint}")


def _all(host: Host) -> tuple[Choice, ...]:
    try:
        config = host.model_folders
        found = _list_of(tuple(config.all_paths())).choices(config)
    except (ClipGridError, OSError) as error:
        # an error here would take the whole node away
        logger.warning("models cannot be listed: %s", error)
        found = ()
    return (*found, *_demo())


@cache
def _demo() -> tuple[Choice, ...]:
    from ...clip_backend.checkpoints.read import read_checkpoint
    from ...clip_backend.shapes_demo import shapes_demo_path

    path = shapes_demo_path()
    return (Choice(DEMO, read_checkpoint(path)),) if (path / "config.json").is_file() else ()


def _keys(config: ModelPathConfig) -> Iterator[Key]:
    states_of = state_reader()
    return ((candidate, kind, states_of(candidate.path)) for candidate, kind in listed(config))


def _choices(found: Iterable[FoundModel]) -> Iterator[Choice]:
    usable = [(model, model.info) for model in found if model.info is not None and not model.problem]
    times = Counter(model.name for model, _ in usable)
    taken: Counter[str] = Counter()
    for model, info in usable:
        name = model.name if times[model.name] == 1 else f"{_folder_name(model.path, model.name)}/{model.name}"
        taken[name] += 1
        yield Choice(name if taken[name] == 1 else f"{name} ({taken[name]})", info)


def _folder_name(path: Path, name: str) -> str:
    """The name of the folder that was searched."""
    depth = len(Path(name).parts)
    return path.parents[depth - 1].name if path.as_posix().endswith(name) else path.parent.name
