"""From a run, a LoRA or a head to the model that it was learnt on, which is looked for on this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import CheckpointError, InputError, SpaceError
from ..checkpoints.fingerprints import identified
from ..checkpoints.info import CheckpointInfo
from ..checkpoints.read import read_checkpoint
from ..checkpoints.trained_file import is_trained_file, read_trained_file
from ..checkpoints.training import TrainedFile, TrainedOn, Training, trained_fingerprint, trained_mark
from ..finding.catalog import FoundModel, find_models, short_model_name
from ..finding.names import find_model
from .base import Base, vision_fingerprint
from .heads.head import is_head, read_head
from .runs.run import BEST, CALIBRATION, HEAD, is_run, read_run

#: Gives the models of this machine.
FindModels = Callable[[], Sequence[FoundModel]]


@dataclass(frozen=True, kw_only=True)
class Learnt:
    """What a run, a LoRA or a head is, before its model is looked for."""

    path: Path
    #: The model that it was learnt on, as far as it says.
    base: TrainedOn
    #: The LoRA or the trained weights; None where the model itself was left as it was.
    trained: TrainedFile | None = None
    #: The file of its head, and of its calibration.
    head: Path | None = None
    calibration: Path | None = None


def is_learnt(path: Path) -> bool:
    """Whether it is a run, a LoRA, trained weights or a head, by its files alone."""
    if path.is_dir():
        return is_run(path) or is_trained_file(path)
    return is_trained_file(path) or (path.suffix.lower() == ".safetensors" and path.is_file() and is_head(path))


def read_learnt(path: Path) -> Learnt:
    """What a run, a LoRA or a head holds; raises InputError for what is none of them, or damaged."""
    if path.is_dir() and is_run(path):
        return _of_run(path)
    if is_trained_file(path):
        trained = read_trained_file(path)
        return Learnt(path=path, base=trained.base, trained=trained)
    if path.name == HEAD and (path.parent / BEST).is_file() and is_run(path.parent):
        # the texts of trained towers, which are in the same run
        return _of_run(path.parent)
    return Learnt(path=path, base=_trained_on(read_head(path).base), head=path)


def _of_run(path: Path) -> Learnt:
    base = _trained_on(read_run(path).base)
    there = {name: path / name for name in (BEST, HEAD, CALIBRATION) if (path / name).is_file()}
    if not there:
        raise InputError(f"{path} is a run that is not finished: it has none of {BEST}, {HEAD} and {CALIBRATION}")
    trained = read_trained_file(path / BEST) if BEST in there else None
    return Learnt(path=path, base=base, trained=trained, head=there.get(HEAD), calibration=there.get(CALIBRATION))


def _trained_on(base: Base) -> TrainedOn:
    return TrainedOn(
        name=base.name, fingerprint=base.fingerprint, preprocessing=base.preprocessing, tokenizer=base.tokenizer
    )


def find_base(base: TrainedOn, what: str, *, find: FindModels = find_models) -> list[CheckpointInfo]:
    """The files of the model that something was learnt on: one, or two where the text encoder has a file of its own.

    what: was learnt, for messages. It is the one of this name, else any whose weights are the same. Raises InputError
    if it is not on this machine, with both fingerprints where a model of this name is another.
    """
    if not base.fingerprint:
        raise InputError(f"{what} does not say which model it was trained on; give that model as base")
    names, fingerprints = base.name.split(" + "), base.fingerprint.split("+")
    found = []
    for place, fingerprint in enumerate(fingerprints):
        name = names[place] if len(names) == len(fingerprints) else ""
        found.append(_one(name, fingerprint, what, find))
    return found


def _one(name: str, fingerprint: str, what: str, find: FindModels) -> CheckpointInfo:
    other = ""
    try:
        info = read_checkpoint(find_model(name, find=find)) if name else None
    except InputError:
        info = None
    if info and not info.problem:
        own = identified(info).fingerprint
        if own == fingerprint:
            return info
        other = f"; the model of this name here has the fingerprint {own}"
    for model in find():
        if model.info and not model.problem and _fingerprint(model.info) == fingerprint:
            return model.info
    raise InputError(
        f"{what} was learnt on {name or 'a model'} with the fingerprint {fingerprint}, which is not among the models "
        f"here{other}; give its file as base"
    )


def same_vision(fingerprint: str, models: Mapping[str, CheckpointInfo]) -> str:
    """The name of the first model whose vision encoder has this part of a fingerprint; empty if none has it."""
    return next((name for name, info in models.items() if vision_fingerprint(_fingerprint(info)) == fingerprint), "")


def _fingerprint(info: CheckpointInfo) -> str:
    try:
        return identified(info).fingerprint
    except CheckpointError:
        # a file that is broken or gone is not the one
        return ""


def with_trained(infos: Sequence[CheckpointInfo], trained: Sequence[Training]) -> list[CheckpointInfo]:
    """The files of a model, identified, with what it is computed with; trainings at strength 0 are left out.

    Their fingerprints are others then, and those of an encoder that was not trained stay.

    trained: with the hashes of their files. Raises SpaceError, with both fingerprints, for one that was trained on
    other weights, and CheckpointError if it changes what the model has not.
    """
    own = tuple(one for one in trained if one.strength)
    if not own:
        return [replace(info, trained=()) for info in infos]
    for one in own:
        _check_weights([replace(info, trained=()) for info in infos], one.file)
        has = {part for info in infos for part in ("vision", "text") if getattr(info, part)}
        if lacking := set(one.file.changes) - has - {"scale"}:
            part = min(lacking)
            reason = f"it changes the {part} encoder, which {short_model_name(infos[0].label)} has not"
            raise CheckpointError(str(one.file.path), f"{reason}; choose the whole model")
    return [_changed(info, own) for info in infos]


def _changed(info: CheckpointInfo, trained: tuple[Training, ...]) -> CheckpointInfo:
    return replace(
        info,
        trained=trained,
        fingerprint=trained_fingerprint(info.fingerprint, info.vision is not None, trained),
        digest=f"{info.digest}{trained_mark(trained)}",
    )


def _check_weights(infos: Sequence[CheckpointInfo], file: TrainedFile) -> None:
    """Raises SpaceError unless the encoders that a file changes are those that it was trained on."""
    told = set(file.base.fingerprint.replace("+", "-").split("-"))
    for part in ("vision", "text") if file.base.fingerprint else ():
        if part not in file.changes:
            continue
        info = infos[0] if part == "vision" else infos[-1]
        parts = info.fingerprint.split("-")
        place = 1 if part == "text" and info.vision else 0
        own = parts[place] if place < len(parts) else ""
        if getattr(info, part) and own not in told:
            raise SpaceError(
                f"{file.path} was trained on {file.base.name or 'a model'} with the fingerprint "
                f"{file.base.fingerprint}, not on {short_model_name(info.label)} with {info.fingerprint}; choose the "
                "model that it was trained on, or train anew with this one"
            )
