"""The models on this machine: what lies in the configured folders, each looked into by its header alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path

from ...errors import CheckpointError
from ..checkpoint import read_checkpoint
from ..checkpoint_info import CheckpointInfo
from .installations import find_model_folders
from .model_files import Candidate, candidates, unseen
from .model_paths import ModelPathConfig, ModelType

#: Where a CLIP may be, the likeliest first; LoRAs, VAEs and the like are not opened.
SEARCHED = (
    ModelType.CLIP_VISION,
    ModelType.TEXT_ENCODER,
    ModelType.CHECKPOINT,
    ModelType.DIFFUSERS,
    ModelType.LLM,
    ModelType.HUB,
    ModelType.OTHER,
)
#: Layouts of files that are mostly models of other kinds.
_ANYTHING = ("unknown", "pickle", "gguf", "pt2", "zip")


@dataclass(frozen=True)
class FoundModel:
    """One file or folder that was found, and what it is."""

    #: As seen from the folder that was searched; a cached model's is that of the hub.
    name: str
    path: Path
    #: None for what nobody could look into.
    info: CheckpointInfo | None = None
    #: Why it cannot be used, with the cure; empty if it can.
    problem: str = ""
    #: Whether it is a model for pictures and texts, or was meant to be one.
    is_of_interest: bool = True

    def to_dict(self) -> dict[str, object]:
        """Everything that is known about it, of strings, numbers, lists and dicts."""
        told = {"name": self.name, "path": str(self.path), "problem": self.problem}
        return told | {"info": plain(self.info), "unknown": list(self.info.unknown if self.info else ())}


def find_models(config: ModelPathConfig | None = None, *, everything: bool = False) -> list[FoundModel]:
    """The models in the configured folders, each once, kind by kind, in the order of the folders.

    config: where to look; without it, wherever this machine has models (``find_model_folders``).
    everything: also what is a model of another kind, with the reason why it is of no use here.
    What cannot be read is in the list with its problem: it costs none of the others.
    """
    searched = find_model_folders() if config is None else config
    found = (opened(candidate, kind) for candidate, kind in listed(searched))
    return [model for model in found if everything or model.is_of_interest]


def plain(value: object) -> object:
    """Dataclasses as dicts, paths as strings, mappings and tuples as what JSON has for them."""
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def listed(config: ModelPathConfig) -> Iterator[tuple[Candidate, ModelType]]:
    """What may be a model, each once, with the kind of its folder, in the order of ``find_models``; none is opened."""
    known: set[str] = set()
    for kind in SEARCHED:
        for folder in config.get_paths(kind):
            # a folder of ComfyUI need not exist, and one that was given was checked
            if folder.exists():
                yield from ((candidate, kind) for candidate in unseen(candidates(folder), known))


def opened(candidate: Candidate, kind: ModelType) -> FoundModel:
    """What a candidate is, by its header; what cannot be read has a problem.

    kind: of the folder that it is in. In one for CLIP's vision towers everything was meant to be a model.
    """
    name, path = candidate.name, candidate.path
    if candidate.problem:
        return FoundModel(name, path, problem=candidate.problem)
    try:
        info = read_checkpoint(path)
    except CheckpointError as error:
        return FoundModel(name, path, problem=error.reason)
    except OSError as error:
        return FoundModel(name, path, problem=f"cannot be read ({error.strerror}); check the file")
    is_told = info.family != "other" or info.layout not in _ANYTHING
    return FoundModel(name, path, info, info.problem, is_told or kind is ModelType.CLIP_VISION)
