"""The models in folders: which files and folders may be models, by their names, and what they are, by their headers."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ...errors import CheckpointError
from ...json_text import parse_json
from ..checkpoints.info import CheckpointInfo
from ..checkpoints.read import read_checkpoint
from .folders import ModelPathConfig, ModelType, find_model_folders

#: Where a CLIP may be, the likeliest first; LoRAs, VAEs and the like are not opened.
SEARCHED_TYPES = (
    ModelType.CLIP_VISION, ModelType.TEXT_ENCODER, ModelType.CHECKPOINT, ModelType.DIFFUSERS, ModelType.LLM,
    ModelType.HUB, ModelType.OTHER,
)  # fmt: skip
#: Layouts of files that are mostly models of other kinds.
_UNSPECIFIC_LAYOUTS = ("unknown", "pickle", "gguf", "pt2", "zip")
_SAFE_SUFFIXES = (".safetensors", ".sft", ".gguf")
_SUFFIXES = (*_SAFE_SUFFIXES, ".bin", ".ckpt", ".pt", ".pt2", ".pth", ".pkl")
_CONFIGS = ("config.json", "open_clip_config.json")
#: Weights as transformers and open_clip name them, in one file, in shards, or as the index of shards.
_FOLDER_WEIGHTS = re.compile(
    r"(open_clip_)?(pytorch_)?model(\.(fp16|bf16|fp32))?(-\d{5}-of-\d{5})?\.(safetensors|bin)(\.index\.json)?"
)
#: The hub's cache: ``models--openai--clip-vit-base-patch32/snapshots/<revision>``.
_SNAPSHOT = re.compile(r"(?:.*/)?models--(?P<name>[^/]+)/snapshots/(?P<revision>[^/]+)(?P<rest>/.*)?")
_SHOWN_REVISION = 8


@dataclass(frozen=True)
class FoundModel:
    """A file or folder that may be a model by its name, and what it is."""

    #: Its path below the folder that was searched, with forward slashes; of a cached model the name on the hub.
    name: str
    path: Path
    #: None before ``inspect_model``, and for what cannot be read.
    info: CheckpointInfo | None = None
    #: Why it cannot be used, with the cure; empty if it can.
    problem: str = ""
    #: Whether it is a model for pictures and texts, or was meant to be one.
    is_of_interest: bool = True

    def to_dict(self) -> dict[str, object]:
        """Everything that is known about it, of strings, numbers, lists and dicts."""
        info = parse_json(json.dumps(asdict(self.info), default=str)) if self.info else None
        if info is not None:
            # both are known of a loaded model alone
            del info["digest"], info["states"]
        facts = {"name": self.name, "path": str(self.path), "problem": self.problem, "info": info}
        return facts | {"unknown": list(self.info.unknown) if self.info else []}


def find_models(config: ModelPathConfig | None = None, *, everything: bool = False) -> list[FoundModel]:
    """The models in the configured folders, each once, kind by kind, in the order of the folders.

    config: where to look; without it, wherever this machine has models (``find_model_folders``).
    everything: also models of other kinds, with the reason why they cannot be used here.
    What cannot be read is in the list with its problem; the others are listed all the same.
    """
    searched = find_model_folders() if config is None else config
    found = (inspect_model(model, kind) for model, kind in list_possible_models(searched))
    return [model for model in found if everything or model.is_of_interest]


def list_possible_models(config: ModelPathConfig) -> Iterator[tuple[FoundModel, ModelType]]:
    """What may be a model, each once, with the kind of its folder, in the order of ``find_models``; none is opened."""
    seen: set[str] = set()
    for kind in SEARCHED_TYPES:
        for folder in config.get_paths(kind):
            # ComfyUI's folders need not exist; those of the user were checked
            if os.path.exists(folder):
                yield from ((model, kind) for model in distinct_models(possible_models(folder), seen))


def inspect_model(model: FoundModel, kind: ModelType) -> FoundModel:
    """What it is, by its header; what cannot be read has a problem.

    kind: of its folder. In that for CLIP's vision encoders every file was meant to be a model for pictures.
    """
    if model.problem:
        return model
    try:
        info = read_checkpoint(model.path)
    except CheckpointError as error:
        return replace(model, problem=error.reason)
    except OSError as error:
        return replace(model, problem=f"cannot be read ({error.strerror}); check the file")
    is_recognised = info.family != "other" or info.layout not in _UNSPECIFIC_LAYOUTS
    is_of_interest = is_recognised or kind is ModelType.CLIP_VISION
    return replace(model, info=info, problem=info.problem, is_of_interest=is_of_interest)


def possible_models(root: Path) -> Iterator[FoundModel]:
    """What may be a model in a folder and all below it, links followed, each folder once; hidden ones are left out.

    A folder of transformers or open_clip is one model. A path to a file is that file. What cannot be listed, and a link
    that leads nowhere or back, has a problem.
    """
    if os.path.isfile(root):
        yield FoundModel(root.name, root)
        return
    seen: set[str] = set()
    waiting = [root]
    while waiting:
        here = waiting.pop()
        real = os.path.realpath(here)
        if real in seen:
            if Path(os.path.realpath(here.parent)).is_relative_to(real):
                yield FoundModel(
                    name_below(root, here), here, problem=f"a link that leads back to {real}; it is left out"
                )
            continue
        seen.add(real)
        try:
            entries = sorted(os.listdir(here), key=lambda name: (name.casefold(), name))
        except OSError as error:
            yield FoundModel(
                name_below(root, here), here, problem=f"cannot be listed ({error.strerror}); check its permissions"
            )
            continue
        yield from _in_folder(root, here, entries)
        below = [here / entry for entry in entries if not entry.startswith((".", "datasets--", "spaces--"))]
        waiting += filter(os.path.isdir, reversed(below))


def distinct_models(models: Iterable[FoundModel], seen: set[str]) -> Iterator[FoundModel]:
    """Those that were not seen yet, under this or another name; adds them to ``seen``."""
    for model in models:
        real = str(model.path) if model.problem else os.path.realpath(model.path)
        if real not in seen:
            seen.add(real)
            yield model


def _in_folder(root: Path, here: Path, entries: Sequence[str]) -> Iterator[FoundModel]:
    is_model = any(name in entries for name in _CONFIGS) and any(map(_FOLDER_WEIGHTS.fullmatch, entries))
    if is_model:
        yield FoundModel(name_below(root, here), here)
    for entry in entries:
        # of a model's folder the other formats are the same weights again, or states of its training
        suffixes = _SAFE_SUFFIXES if is_model else _SUFFIXES
        own = is_model and _FOLDER_WEIGHTS.fullmatch(entry)
        path = here / entry
        if own or entry.startswith(".") or not entry.lower().endswith(suffixes) or os.path.isdir(path):
            continue
        yield FoundModel(name_below(root, path), path, problem=_problem_of(path))


def _problem_of(path: Path) -> str:
    if os.path.isfile(path):
        return ""
    if os.path.islink(path):
        return "a link that leads nowhere; restore the file or remove the link"
    return "no ordinary file, or out of reach; check its permissions"


def name_below(root: Path, path: Path) -> str:
    """The path below the root; of a cached model the name on the hub, with the revision if it is not the main one."""
    match = _SNAPSHOT.fullmatch(path.as_posix())
    if match is None:
        return root.name if path == root else path.relative_to(root).as_posix()
    name = match["name"].replace("--", "/")
    inner = Path(match["rest"] or "").parts[1:]
    snapshot = path.parents[len(inner) - 1] if inner else path
    revision = "" if _is_main(snapshot) else f"@{match['revision'][:_SHOWN_REVISION]}"
    return "/".join((name + revision, *inner))


def short_model_name(name: str) -> str:
    """A model by its file's name, or by its name on the hub, instead of by its path; of two files both."""
    paths = [Path(one) for one in name.split(" + ")]
    return " + ".join(name_below(path.parent, path) if path.is_absolute() else str(path) for path in paths)


def _is_main(snapshot: Path) -> bool:
    """Whether this revision is the hub's main one, or the only one."""
    try:
        if os.listdir(snapshot.parent) == [snapshot.name]:
            return True
        return (snapshot.parents[1] / "refs" / "main").read_text("utf-8").strip() == snapshot.name
    except (OSError, ValueError):
        return False


#: What people call a vision transformer of this width and this many layers.
_LETTERS = {
    (384, 12): "S", (768, 12): "B", (1024, 24): "L", (1152, 27): "SO400M", (1280, 32): "H", (1408, 40): "g",
    (1536, 40): "g", (1664, 48): "bigG",
}  # fmt: skip


def size_name(info: CheckpointInfo) -> str:
    """What people call a model of this size, such as ``ViT-L/14 224``, or layers and width of a text encoder."""
    if vision := info.vision:
        letter = _LETTERS.get((vision.width, vision.layers))
        name = f"ViT-{letter}" if letter else f"{vision.layers}x{vision.width}"
        return f"{name}/{vision.patch} {vision.image_size}"
    return f"{info.text.layers}x{info.text.width} text" if info.text else ""
