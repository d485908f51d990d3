"""The files and folders below a folder that may be models, told by their names; nothing is opened."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path

from ...errors import CheckpointError, InputError
from ..checkpoints.info import CheckpointInfo, TextShape, VisionShape
from ..checkpoints.read import read_checkpoint
from .folders import ModelPathConfig, ModelType, StrPath
from .installations import detect_comfyui_installation, find_model_folders

SAFE_SUFFIXES = (".safetensors", ".sft", ".gguf")
WEIGHT_SUFFIXES = (*SAFE_SUFFIXES, ".bin", ".ckpt", ".pt", ".pt2", ".pth", ".pkl")
_CONFIGS = ("config.json", "open_clip_config.json")
#: Weights as transformers and open_clip name them, in one file, in shards, or as the index of shards.
_FOLDER_WEIGHTS = re.compile(
    r"(open_clip_)?(pytorch_)?model(\.(fp16|bf16|fp32))?(-\d{5}-of-\d{5})?\.(safetensors|bin)(\.index\.json)?"
)
#: The hub's cache: ``models--openai--clip-vit-base-patch32/snapshots/<revision>``.
_SNAPSHOT = re.compile(r"(?:.*/)?models--(?P<name>[^/]+)/snapshots/(?P<revision>[^/]+)(?P<rest>/.*)?")
_SHOWN_REVISION = 8


@dataclass(frozen=True)
class Candidate:
    """A file or folder that may be a model."""

    #: As seen from the folder that was searched, with forward slashes; a cached model's is that of the hub.
    name: str
    path: Path
    #: Why nobody can look into it; empty if nothing is known against it.
    problem: str = ""


def candidates(folder: Path) -> Iterator[Candidate]:
    """What may be a model in a folder and all below it, links followed, each folder once; hidden ones are left out.

    A folder of transformers or open_clip is one candidate. A path to a file is that file. What cannot be listed, a
    link that leads nowhere or back is a candidate with its problem.
    """
    if os.path.isfile(folder):
        yield Candidate(folder.name, folder)
        return
    seen: set[str] = set()
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        real = os.path.realpath(here)
        if real in seen:
            if Path(os.path.realpath(here.parent)).is_relative_to(real):
                yield Candidate(_name(folder, here), here, f"a link that leads back to {real}; it is left out")
            continue
        seen.add(real)
        try:
            entries = sorted(os.listdir(here), key=_order)
        except OSError as error:
            yield Candidate(_name(folder, here), here, f"cannot be listed ({error.strerror}); check its permissions")
            continue
        yield from _of_folder(folder, here, entries)
        waiting += [here / entry for entry in reversed(entries) if _is_to_be_searched(here, entry)]


def unseen(found: Iterable[Candidate], known: set[str]) -> Iterator[Candidate]:
    """Those whose file or folder is not yet known under another name; adds them to ``known``."""
    for candidate in found:
        real = str(candidate.path) if candidate.problem else os.path.realpath(candidate.path)
        if real not in known:
            known.add(real)
            yield candidate


def _of_folder(root: Path, here: Path, entries: Sequence[str]) -> Iterator[Candidate]:
    is_model = is_model_folder(entries)
    if is_model:
        yield Candidate(_name(root, here), here)
    for entry in entries:
        # beside a folder's own weights the others are the same again, or states of a training
        suffixes = SAFE_SUFFIXES if is_model else WEIGHT_SUFFIXES
        own = is_model and _FOLDER_WEIGHTS.fullmatch(entry)
        path = here / entry
        if own or entry.startswith(".") or not entry.lower().endswith(suffixes) or os.path.isdir(path):
            continue
        yield Candidate(_name(root, path), path, _problem_of(path))


def is_model_folder(entries: Sequence[str]) -> bool:
    """Whether files of these names make a folder of transformers or open_clip: a config and weights."""
    return any(name in entries for name in _CONFIGS) and any(map(_FOLDER_WEIGHTS.fullmatch, entries))


def _problem_of(path: Path) -> str:
    if os.path.isfile(path):
        return ""
    if os.path.islink(path):
        return "a link that leads nowhere; restore the file or remove the link"
    return "no ordinary file, or out of reach; check its permissions"


def _is_to_be_searched(here: Path, entry: str) -> bool:
    return not entry.startswith((".", "datasets--", "spaces--")) and os.path.isdir(here / entry)


def _order(name: str) -> tuple[str, str]:
    return name.casefold(), name


def _name(root: Path, path: Path) -> str:
    """The path as seen from the root; of a cached model the hub's name, with the revision where there are others."""
    match = _SNAPSHOT.fullmatch(path.as_posix())
    if match is None:
        return root.name if path == root else path.relative_to(root).as_posix()
    name = match["name"].replace("--", "/")
    inner = Path(match["rest"] or "").parts[1:]
    snapshot = path.parents[len(inner) - 1] if inner else path
    revision = "" if _is_current(snapshot) else f"@{match['revision'][:_SHOWN_REVISION]}"
    return "/".join((name + revision, *inner))


def _is_current(snapshot: Path) -> bool:
    """Whether this revision is the hub's main one, or the only one."""
    try:
        if os.listdir(snapshot.parent) == [snapshot.name]:
            return True
        return (snapshot.parents[1] / "refs" / "main").read_text("utf-8").strip() == snapshot.name
    except (OSError, ValueError):
        return False


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


class ComfyUIPathResolver:
    """The model files of one configuration by kind."""

    def __init__(self, config: ModelPathConfig) -> None:
        self.config = config

    @classmethod
    def from_comfyui(cls, root: StrPath) -> ComfyUIPathResolver:
        """Of a folder of ComfyUI; raises InputError if there is no such folder."""
        return cls(ModelPathConfig.from_root(root))

    @classmethod
    def from_auto_detect(cls, search_paths: Sequence[StrPath] | None = None) -> ComfyUIPathResolver:
        """Of the first ComfyUI in these paths, or in the usual places; raises InputError if there is none."""
        root = detect_comfyui_installation(search_paths)
        if root is None:
            where = "the usual places" if search_paths is None else ", ".join(map(str, search_paths))
            raise InputError(f"there is no ComfyUI in {where}; give its folder")
        return cls.from_comfyui(root)

    def scan_models(self, kind: ModelType | str) -> list[Path]:
        """The models of this kind, each once, in the order of their folders; told by name, none is opened."""
        folders = self.config.get_paths(kind)
        found = (candidate for folder in folders for candidate in candidates(folder) if not candidate.problem)
        return [candidate.path for candidate in unseen(found, set())]

    def get_stats(self) -> dict[str, int]:
        """How many models there are of each kind."""
        return {kind.value: len(self.scan_models(kind)) for kind in ModelType}


#: What people call a vision transformer of this width and this many layers.
_LETTERS = {
    (384, 12): "S", (768, 12): "B", (1024, 24): "L", (1152, 27): "SO400M", (1280, 32): "H", (1408, 40): "g",
    (1536, 40): "g", (1664, 48): "bigG",
}  # fmt: skip


def size_name(info: CheckpointInfo) -> str:
    """What people call a model of this size, such as ``ViT-L/14 224``, or layers and width of a text tower."""
    if info.vision:
        return _vision_size(info.vision)
    return _text_size(info.text) if info.text else ""


def _vision_size(shape: VisionShape) -> str:
    letter = _LETTERS.get((shape.width, shape.layers))
    name = f"ViT-{letter}" if letter else f"{shape.layers}x{shape.width}"
    return f"{name}/{shape.patch} {shape.image_size}"


def _text_size(shape: TextShape) -> str:
    return f"{shape.layers}x{shape.width} text"
