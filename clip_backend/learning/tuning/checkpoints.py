"""Checkpoints of a training: whole or not there, without pickle, two of them kept, damage found by a hash."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ....atomic import file_set, make_folder, unlisted
from ....errors import InputError
from ....json_text import JsonError, parse_object
from ....log import logger
from ...checkpoints.safetensors_file import ready, write_safetensors

VERSION = 1
KEPT = 2
_NAME = re.compile(r"step-(\d{9})\.safetensors")
_BEST = re.compile(r"best-(\d{9})\.safetensors")
_META = "clip_grid.training"


@dataclass
class Progressed:
    """How far a training is, beside its tensors; all of it is JSON."""

    #: What the training depends on: data, base, options.
    key: str
    learning_rate: float
    #: Steps done.
    step: int = 0
    #: Step, metric and loss of the best evaluation so far; without val the step is the last.
    best_step: int = 0
    best_metric: float | None = None
    best_loss: float | None = None
    #: On val before the first step.
    base_metric: float | None = None
    #: Evaluations since the best one.
    stale: int = 0
    #: Why no further step follows; empty while some do.
    stopped: str = ""
    tried_rates: list[list[float]] = field(default_factory=list)
    #: Step, mean loss since the last one, learning rate, metric or None.
    log: list[list[float | None]] = field(default_factory=list)
    #: The losses since the last line of the log.
    losses: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Checkpoints:
    """The checkpoints of one run folder, in its folder ``last``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "last"

    def exist(self) -> bool:
        """Whether there is any, damaged or not."""
        return bool(self._all(_NAME))

    def write(self, progressed: Progressed, tensors: Mapping[str, Tensor]) -> None:
        """A new checkpoint; the two newest stay, and the best weights that they speak of."""
        make_folder(self.folder)
        told = json.dumps({"version": VERSION} | vars(progressed))
        metadata = {_META: told, f"{_META}.digest": _digest(told, tensors)}
        _write(self.folder / f"step-{progressed.step:09d}.safetensors", tensors, metadata)
        kept = self._all(_NAME)[-KEPT:]
        best = {progressed.best_step, *(_best_step(path) for path in kept)}
        for path in self._all(_NAME)[:-KEPT]:
            path.unlink(missing_ok=True)
        for path in self._all(_BEST):
            match = _BEST.fullmatch(path.name)
            if match and int(match[1]) not in best:
                path.unlink(missing_ok=True)

    def write_best(self, step: int, tensors: Mapping[str, Tensor]) -> None:
        """The best weights so far."""
        make_folder(self.folder)
        _write(self._best_path(step), tensors, {f"{_META}.digest": _digest("", tensors)})

    def read_best(self, step: int) -> dict[str, Tensor]:
        """The weights that were best; raises InputError where they are gone or damaged."""
        found = _read(self._best_path(step))
        if found is None or found[1].get(f"{_META}.digest") != _digest("", found[0]):
            raise InputError(f"{self._best_path(step)} is damaged or gone; train again without --resume")
        return found[0]

    def read(self, key: str) -> tuple[Progressed, dict[str, Tensor]]:
        """The newest checkpoint that is whole.

        Raises InputError where there is none, for one of another version, and for one of other data, base or options.
        """
        for path in reversed(self._all(_NAME)):
            found = _read(path)
            told = found[1].get(_META, "") if found else ""
            if found is None or found[1].get(f"{_META}.digest") != _digest(told, found[0]):
                logger.warning("%s is damaged; the checkpoint before it is used", path.name)
                continue
            values = parse_object(told)
            if values.pop("version", None) != VERSION or values.keys() != {one.name for one in fields(Progressed)}:
                raise InputError(f"{path} is of another version of clip-grid; resume with that version, or train anew")
            progressed = Progressed(**values)
            if progressed.key != key:
                raise InputError(
                    f"{self.folder.parent} was begun with other data, another base model or other options; resume with "
                    "the same ones, or choose another run folder"
                )
            return progressed, found[0]
        raise InputError(f"{self.folder.parent} holds no checkpoint that is whole; train again without --resume")

    def remove(self) -> None:
        """Removes all checkpoints and best weights."""
        for path in (*self._all(_NAME), *self._all(_BEST)):
            path.unlink(missing_ok=True)

    def _best_path(self, step: int) -> Path:
        return self.folder / f"best-{step:09d}.safetensors"

    def _all(self, pattern: re.Pattern[str]) -> list[Path]:
        names = os.listdir(self.folder) if self.folder.is_dir() else []
        return [self.folder / name for name in sorted(names) if pattern.fullmatch(name)]


def _best_step(path: Path) -> int:
    found = _read(path, with_tensors=False)
    try:
        return int(parse_object(found[1].get(_META, "{}") if found else "{}").get("best_step", -1))
    except JsonError:
        return -1


def _write(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    with unlisted(), file_set(path.parent) as files:
        write_safetensors(files, path, ready(tensors), metadata)


def _read(path: Path, *, with_tensors: bool = True) -> tuple[dict[str, Tensor], dict[str, str]] | None:
    """Tensors and metadata; None for a file that is gone or torn."""
    try:
        with safe_open(os.fspath(path), framework="pt", device="cpu") as file:
            # copies, since the file may be removed while they are in use
            names = file.keys() if with_tensors else ()
            return {name: file.get_tensor(name).clone() for name in names}, dict(file.metadata() or {})
    except (OSError, SafetensorError):
        return None


def _digest(told: str, tensors: Mapping[str, Tensor]) -> str:
    """Hash of names, shapes, every bit of the tensors, and the metadata."""
    digest = hashlib.blake2b(told.encode(), digest_size=16)
    for name, tensor in sorted(tensors.items()):
        whole = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {whole.dtype} {list(whole.shape)}".encode())
        digest.update(whole.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
