"""From the name of a model to its files: a path, a name among the models of this machine, or one on the hub."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path, PurePath

from ...atomic import set_kept
from ...errors import CheckpointError, InputError, MissingPackage
from ...input_files import may_be_there
from ..shapes_demo import SHAPES_DEMO, shapes_demo_path
from .advice import FIRST_CLIP, PYTHON, Wording, how_to_get_one, no_complete_model
from .catalog import FoundModel, find_models
from .folders import StrPath

#: Names the model that is used by default.
MODEL_VARIABLE = "CLIP_GRID_MODEL"
#: Files fetched from a repository of the hub: no weights of other frameworks, and no pickles.
_DOWNLOADED = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")


def find_model(
    model: StrPath,
    *,
    download: bool = False,
    find: Callable[[], Sequence[FoundModel]] = find_models,
    wording: Wording = PYTHON,
) -> Path:
    """The file or folder of a model, by its path or by a name that ``find_models`` lists; or the demo, by its name.

    A name may leave out its folder or its suffix, as long as one model alone has it. download: fetch what is not there
    from the Hugging Face hub. wording: of the cure in messages. Raises InputError for an unknown name, with those
    nearest to it, and CheckpointError for a path object or an absolute path that does not exist.
    """
    if not os.fspath(model):
        raise InputError("the model has no name; give a path, or a name that clip-grid models lists")
    path = Path(os.path.expanduser(model))
    if may_be_there(path):
        return path
    if not isinstance(model, str) or path.is_absolute():
        raise CheckpointError(str(path), "there is no such file or folder; check the spelling")
    if model == SHAPES_DEMO:
        return shapes_demo_path()
    models = find()
    matches = _matches(model, models)
    if len(matches) == 1:
        return matches[0].path
    if matches:
        names = ", ".join(repr(match.name) for match in matches)
        raise InputError(f"{model!r} may be any of {names}; give the whole name or the path")
    if download:
        return download_model(model)
    raise InputError(f"there is no model {model!r}{_hint(model, models, wording)}")


def _matches(name: str, models: Sequence[FoundModel]) -> list[FoundModel]:
    """The models of this name, else those in whose name it is the last part, with or without its suffix."""
    wanted = PurePath(name.replace("\\", "/")).as_posix()
    whole = [{known := model.name.replace("\\", "/"), os.path.splitext(known)[0]} for model in models]
    last = [{PurePath(known).name for known in names} for names in whole]
    for names in (whole, last):
        if matches := [model for model, known in zip(models, names, strict=True) if wanted in known]:
            return matches
    return []


def _hint(name: str, models: Sequence[FoundModel], wording: Wording) -> str:
    known = sorted({model.name for model in models})
    near = get_close_matches(name[:200], known, 3, 0.5) or known[:3]
    if not near:
        return f", and none at all was found; {how_to_get_one(wording)}"
    meant = " or ".join(map(repr, near))
    return f"; did you mean {meant}? clip-grid models lists all; give a name or a path, or {wording.fetch}"


def download_model(name: str) -> Path:
    """A repository of the Hugging Face hub in its cache; raises InputError if it cannot be downloaded."""
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    except ImportError as error:
        reason = "a download needs the package huggingface_hub; install it with: pip install huggingface_hub"
        raise MissingPackage(reason) from error
    set_kept("hub", "what was downloaded is kept in the cache of the Hugging Face hub")
    try:
        return Path(snapshot_download(name, allow_patterns=list(_DOWNLOADED)))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = f"{name!r} cannot be fetched from the hub ({error}); check the name and the network"
        raise InputError(reason) from error


def default_model(
    *,
    environment: Mapping[str, str] = os.environ,
    find: Callable[[], Sequence[FoundModel]] = find_models,
    wording: Wording = PYTHON,
    download: bool = False,
) -> tuple[str | Path, str]:
    """A model for pictures and texts, and a note that says which it is and why.

    The one that the variable CLIP_GRID_MODEL names, else the first with both encoders among those that ``clip-grid
    models`` lists, else with ``download`` the name of the one to fetch. Raises InputError when there is none, which
    says how to get one in the words of ``wording``.
    """
    if named := environment.get(MODEL_VARIABLE, "").strip():
        return named, f"the model is {named}, which {MODEL_VARIABLE} names"
    found = find()
    usable = [model for model in found if not model.problem and model.info and model.info.has_both_encoders]
    if usable:
        others = f", the first of {len(usable)}; another is taken by its name" if len(usable) > 1 else ""
        return usable[0].path, f"the model is {usable[0].name}{others}"
    if download:
        return FIRST_CLIP.repository, f"the model is {FIRST_CLIP.repository}, fetched from the Hugging Face hub"
    raise InputError(no_complete_model(found, wording))
