"""From what a user calls a model to its files: a path, or a name among the models of this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path, PurePath

from ...errors import CheckpointError, InputError, MissingPackage
from ..checkpoints.info import CheckpointInfo
from ..shapes_demo import SHAPES_DEMO, shapes_demo_path
from .catalog import FoundModel, find_models
from .folders import StrPath

#: Of a repository of the hub: no weights of other frameworks and no pickles, which are not read unless allowed.
DOWNLOADED = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")


def find_model(
    model: StrPath, *, download: bool = False, find: Callable[[], Sequence[FoundModel]] = find_models
) -> Path:
    """The file or folder of a model, by its path or by a name that ``find_models`` lists; or the demo, by its name.

    A name may leave out its folder or its ending, as long as one model alone is meant. download: fetch what is not
    there from the Hugging Face hub. Raises InputError for an unknown name, with those nearest to it, and
    CheckpointError for a path object or a whole path that leads nowhere.
    """
    if not os.fspath(model):
        raise InputError("the model has no name; give a path, or a name that clip-grid models lists")
    path = Path(os.path.expanduser(model))
    if path.exists():
        return path
    if not isinstance(model, str) or path.is_absolute():
        raise CheckpointError(str(path), "there is no such file or folder; check the spelling")
    if model == SHAPES_DEMO:
        return shapes_demo_path()
    found = find()
    matching = _matching(model, found)
    if len(matching) == 1:
        return matching[0].path
    if matching:
        names = ", ".join(repr(one.name) for one in matching)
        raise InputError(f"{model!r} may be any of {names}; give the whole name or the path")
    if download:
        return fetched(model)
    raise InputError(f"there is no model {model!r}{_hint(model, found)}")


def _matching(name: str, found: Sequence[FoundModel]) -> list[FoundModel]:
    """The models of this name, else those whose name ends in it, with or without its ending."""
    wanted = PurePath(name.replace("\\", "/")).as_posix()
    for names_of in (_whole, _tails):
        matching = [model for model in found if wanted in names_of(model)]
        if matching:
            return matching
    return []


def _whole(model: FoundModel) -> set[str]:
    name = model.name.replace("\\", "/")
    return {name, os.path.splitext(name)[0]}


def _tails(model: FoundModel) -> set[str]:
    return {PurePath(name).name for name in _whole(model)}


def _hint(name: str, found: Sequence[FoundModel]) -> str:
    known = sorted({model.name for model in found})
    near = get_close_matches(name, known, 3, 0.5) or known[:3]
    if not near:
        return " and none at all was found; give the path of one, or allow the download with download=True"
    meant = " or ".join(map(repr, near))
    return f"; did you mean {meant}? clip-grid models lists all; give a name, a path, or allow the download"


def fetched(name: str) -> Path:
    """A repository of the Hugging Face hub, copied into its cache. Raises InputError if it cannot be had."""
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    except ImportError as error:
        raise MissingPackage(
            "a download needs the package huggingface_hub; install it with: pip install huggingface_hub"
        ) from error
    try:
        return Path(snapshot_download(name, allow_patterns=list(DOWNLOADED)))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise InputError(
            f"{name!r} cannot be fetched from the hub ({error}); check the name and the network"
        ) from error


#: Names the model that is taken by default.
VARIABLE = "CLIP_GRID_MODEL"


def default_model(
    *, environment: Mapping[str, str] = os.environ, find: Callable[[], Sequence[FoundModel]] = find_models
) -> tuple[str | Path, str]:
    """A model that reads texts and sees pictures, and a note that says which it is and why.

    The one that the variable CLIP_GRID_MODEL names, else the first whole one among those that ``clip-grid models``
    lists. Raises InputError when there is none.
    """
    if named := environment.get(VARIABLE, "").strip():
        return named, f"the model is {named}, which {VARIABLE} names"
    whole = [model for model in find() if not model.problem and model.info is not None and is_whole(model.info)]
    if not whole:
        raise InputError(
            "there is no CLIP on this machine that has both halves, pictures and texts, in one file; name a model, or "
            f"set {VARIABLE} to one; clip-grid models lists what was found"
        )
    others = f", the first of {len(whole)}; another is taken by its name" if len(whole) > 1 else ""
    return whole[0].path, f"the model is {whole[0].name}{others}"


def is_whole(info: CheckpointInfo) -> bool:
    """Whether a file alone can compare pictures with texts."""
    has_halves = info.vision is not None and info.text is not None
    return has_halves and info.has_vision_projection and info.has_text_projection
